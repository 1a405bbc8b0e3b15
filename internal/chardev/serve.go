package chardev

import (
	"context"
	"errors"
	"net"
	"os"
	"slices"
	"time"

	"github.com/backplane-vm/backplane/internal/sched"
	"github.com/backplane-vm/backplane/qapi/qerr"
)

// Serve gives the device its frontend: h is called with each connection, one
// after the other, or with all at once if many is set. It returns at once; the
// error is for a device that has a frontend already.
func (d *Chardev) Serve(many bool, h Handler) error {
	if d.log != nil {
		inner := h
		h = func(t *sched.Thread, c Conn) { inner(t, &logged{c, d}) }
	}
	return d.attach(frontend{many: many, serve: h})
}

// A frontend is what attach connects a device to.
type frontend struct {
	many  bool
	serve Handler
	// hangup, unless nil, is called by Close and Detach once connections are
	// closed, before threads are joined.
	hangup func()
	// swap, unless nil, moves the frontend to another device; the old one has
	// no frontend afterwards.
	swap func(to *Chardev) error
	// claimed says that claim has reserved the device for it.
	claimed bool
}

func (d *Chardev) attach(f frontend) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.frontend && !(d.claimed && f.claimed) || d.closed {
		return d.inUse()
	}
	d.frontend, d.many, d.claimed, d.hangup, d.swap = true, f.many, false, f.hangup, f.swap
	d.goLocked(d.config.Label, func(t *sched.Thread) { d.serve(t, f.many, f.serve) })
	return nil
}

func (d *Chardev) inUse() error { return qerr.New("chardev '%s' is already in use", d.config.Label) }

// claim reserves the device for a frontend that comes later.
func (d *Chardev) claim() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.frontend || d.closed {
		return d.inUse()
	}
	d.frontend, d.claimed = true, true
	return nil
}

// logged is a connection whose output is recorded.
type logged struct {
	Conn
	dev *Chardev
}

func (l *logged) Write(p []byte) (int, error) {
	l.dev.record(p)
	return l.Conn.Write(p)
}

// TakeFD implements [Receiver], where the connection does.
func (l *logged) TakeFD() (fd int, ok bool) {
	if r, is := l.Conn.(Receiver); is {
		return r.TakeFD()
	}
	return -1, false
}

// ReturnFD implements [Receiver], where the connection does.
func (l *logged) ReturnFD(fd int) {
	if r, is := l.Conn.(Receiver); is {
		r.ReturnFD(fd)
	}
}

// InterruptAs implements [Interrupter], where the connection does.
func (l *logged) InterruptAs(key byte) {
	if i, is := l.Conn.(Interrupter); is {
		i.InterruptAs(key)
	}
}

// SetWriteDeadline bounds how long Write may take, where the connection can.
func (l *logged) SetWriteDeadline(t time.Time) error {
	if c, ok := l.Conn.(interface{ SetWriteDeadline(time.Time) error }); ok {
		return c.SetWriteDeadline(t)
	}
	return nil
}

// waiting returns the connection that Serve will hand out first, nil if that
// is still to come. Frontends count it as connected from the beginning, so that
// what a guest says first is not lost.
func (d *Chardev) waiting() Conn {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.first == nil && d.hub != nil && !d.closed {
		d.first = d.hub.conn()
	}
	return d.first
}

// goLocked starts a thread that Close joins.
func (d *Chardev) goLocked(name string, f func(t *sched.Thread)) { d.threads.Go("chardev "+name, f) }

// serve runs on the device's thread until there will be no more connections.
func (d *Chardev) serve(t *sched.Thread, many bool, h Handler) {
	for {
		c, again := d.next()
		switch {
		case c == nil && !again:
			return
		case c == nil:
		case many && d.listener != nil:
			d.mu.Lock()
			if d.keepLocked(c) {
				d.goLocked(d.config.Label+" "+c.Peer(), func(t *sched.Thread) { d.handle(t, c, h) })
			}
			d.mu.Unlock()
		default:
			d.mu.Lock()
			kept := d.keepLocked(c)
			d.mu.Unlock()
			if kept {
				d.handle(t, c, h)
			}
		}
	}
}

// next returns the next connection; without one, again says whether to ask once
// more.
func (d *Chardev) next() (c Conn, again bool) {
	d.mu.Lock()
	if c, d.first = d.first, nil; c == nil && len(d.handed) > 0 {
		c, d.handed = d.handed[0], d.handed[1:]
		d.roomLocked()
	}
	over, ctx := d.closed || d.leaving, d.ctx
	d.mu.Unlock()
	switch {
	case over:
		if c != nil {
			c.Close()
		}
		return nil, false
	case c != nil:
		return c, true
	case d.greeter != nil:
		d.retry.Park(sched.Forever)
		return nil, true
	case d.listener != nil:
		return d.accept()
	case d.pty != nil:
		if d.pty.connected() {
			return d.pty.conn(), true
		}
		d.retry.Park(d.w.Now() + ptyPause)
		return nil, true
	case d.hub != nil:
		if c := d.hub.conn(); c != nil {
			return c, true
		}
		d.retry.Park(sched.Forever) // a port's wake ends it
		return nil, true
	case d.config.ReconnectMS > 0:
		c, err := d.dialSocket(ctx)
		if err == nil {
			d.lost = false
			return c, true
		}
		d.complain(err)
		d.retry.Park(d.w.Now() + int64(d.config.ReconnectMS)*1e6)
		return nil, true
	}
	return nil, false
}

// complain tells once that there is no connection, until there has been one. It
// is for the serving thread.
func (d *Chardev) complain(err error) {
	if !d.lost && d.inform != nil {
		d.inform("Unable to connect character device " + d.config.Label + ": " + err.Error())
	}
	d.lost = true
}

// acceptPause is the wait after an accept that failed for want of descriptors
// or memory: another attempt at once would fail too and keep a core busy.
const acceptPause = 50e6

// ptyPause is how often a pseudo terminal is looked at for a peer. What that
// has typed waits meanwhile.
const ptyPause = 200e6

func (d *Chardev) accept() (Conn, bool) {
	if d.full() {
		d.retry.Park(sched.Forever)
		return nil, true
	}
	c, err := d.listener.Accept()
	switch {
	case err == nil:
		return d.talk(c), true
	case errors.Is(err, net.ErrClosed):
		return nil, false
	case errors.Is(err, os.ErrDeadlineExceeded): // Detach, or a client from AddClient
		d.mu.Lock()
		again := !d.leaving
		d.mu.Unlock()
		if again { // if Detach begins now, next sees it
			d.wakeListener(time.Time{})
		}
		return nil, true
	}
	d.retry.Park(d.w.Now() + acceptPause)
	return nil, true
}

// maxClients bounds the connections of one device; further ones wait in the
// listener's backlog until one of these ends. It is far above what monitors see
// and far below the usual limit of descriptors.
const maxClients = 256

func (d *Chardev) full() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return !d.closed && !d.leaving && len(d.conns) >= maxClients
}

// roomLocked tells the greeter, if there is one, that there is room.
func (d *Chardev) roomLocked() {
	if d.greeter != nil {
		d.greeter.room.Unpark()
	}
}

// keepLocked registers c for Close, or closes it if that was too late.
func (d *Chardev) keepLocked(c Conn) bool {
	if d.closed || d.leaving {
		c.Close()
		return false
	}
	d.conns = append(d.conns, c)
	return true
}

func (d *Chardev) handle(t *sched.Thread, c Conn, h Handler) {
	defer func() {
		c.Close()
		d.mu.Lock()
		d.conns = slices.DeleteFunc(d.conns, func(o Conn) bool { return o == c })
		d.roomLocked()
		d.mu.Unlock()
		d.retry.Unpark() // there is room for one more
	}()
	h(t, c)
}

// Detach ends the frontend: its connections are closed, and when Detach
// returns the device is as it was before it had one. A socket still listens; a
// client socket is disconnected. It must not be called from a [Handler].
func (d *Chardev) Detach() {
	d.mu.Lock()
	d.leaving = true
	d.cancel()
	d.mu.Unlock()
	d.wakeListener(time.Unix(1, 0))
	d.end()
	d.wakeListener(time.Time{})
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.closed {
		d.ctx, d.cancel = context.WithCancel(d.parent)
	}
	d.leaving, d.frontend, d.many, d.claimed, d.hangup, d.swap, d.breaks = false, false, false, false, nil, nil, nil
	if d.listener == nil && d.pty == nil && d.config.Backend != "socket" && !d.closed {
		d.first, _ = d.reopen() // nil, as of a device whose peer has gone
	}
}

// wakeListener sets the listener's deadline: one that is over makes accept
// return.
func (d *Chardev) wakeListener(deadline time.Time) {
	if l, ok := d.listener.(interface{ SetDeadline(time.Time) error }); ok {
		_ = l.SetDeadline(deadline) // an error means it is closed
	}
}

// Close ends the device: it listens no more (a unix socket's file is removed),
// closes every connection and returns when all its threads have. Closing twice
// does nothing. It must not be called from a [Handler].
func (d *Chardev) Close() {
	d.mu.Lock()
	was := d.closed
	d.closed = true
	if d.listener != nil {
		d.listener.Close()
	}
	d.cancel()
	d.mu.Unlock()
	if d.greeter != nil {
		d.greeter.close()
	}
	d.end()
	if was {
		return
	}
	if d.pty != nil {
		d.pty.close()
	}
	if d.line != nil {
		_ = d.line.Close()
	}
	if d.hub != nil {
		d.hub.close()
	}
	if d.log != nil {
		_ = d.log.Close()
	}
}

// end closes all connections and joins the threads that served them.
func (d *Chardev) end() {
	d.mu.Lock()
	hangup := d.hangup
	if d.first != nil {
		d.first.Close()
		d.first = nil
	}
	for _, c := range d.handed {
		c.Close()
	}
	d.handed = nil
	for _, c := range d.conns {
		c.Close()
	}
	d.mu.Unlock()
	d.retry.Unpark()
	if hangup != nil {
		hangup()
	}
	d.threads.Join()
}

// swappable reports whether the frontend, if there is one, may be moved.
func (d *Chardev) swappable() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return !d.frontend || d.swap != nil
}

// moveTo moves the frontend, if there is one.
func (d *Chardev) moveTo(to *Chardev) error {
	d.mu.Lock()
	used, swap := d.frontend, d.swap
	d.mu.Unlock()
	switch {
	case !used:
		return nil
	case swap == nil:
		return qerr.New("Chardev user does not support chardev hotswap")
	}
	return swap(to)
}

// keepPath leaves a unix socket's file where it is when d closes, if next
// listens there.
func (d *Chardev) keepPath(next *Chardev) {
	if l, ok := d.listener.(*net.UnixListener); ok && next.config.Unix == d.config.Unix {
		l.SetUnlinkOnClose(false)
	}
}
