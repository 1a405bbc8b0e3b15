package chardev

import (
	"errors"
	"io"
	"net"
	"slices"
	"strings"
	"sync"
	"syscall"

	"github.com/backplane-vm/backplane/internal/sched"
	"github.com/backplane-vm/backplane/qapi/qerr"
)

// A Conn is one connection of a character device, good until it or the device
// is closed. Read and Write may block; Close ends both from any goroutine.
type Conn interface {
	io.ReadWriteCloser
	// Peer names the other side, for logs: an address, or the backend.
	Peer() string
}

// A Handler has a connection to itself, on the connection's thread; the
// connection is closed when it returns.
type Handler func(t *sched.Thread, conn Conn)

// A Chardev is a character device. Its methods are for any goroutine.
type Chardev struct {
	w      *sched.World
	config Config
	ring   *Ring // of a ringbuf

	mu       sync.Mutex
	listener net.Listener // of a socket server
	bound    string       // its filename, resolved
	first    Conn         // connected already, not yet served
	conns    []Conn       // being served
	threads  []*sched.Thread
	retry    *sched.Parker // what serve waits on: to try again, or for room
	hangup   func()        // tells the frontend that the device closes; may be nil
	frontend bool
	closed   bool
}

// Open makes the device: it opens the file, listens, or connects. It does not
// wait for a client (see [Chardev.WaitClient]) and reads nothing. term is what a
// stdio device is; others take no notice of it.
func Open(w *sched.World, c Config, term Terminal) (*Chardev, error) {
	d := &Chardev{w: w, config: c, retry: w.NewParker()}
	var err error
	switch {
	case c.Backend == "socket" && c.Server:
		d.listener, d.bound, err = listen(c)
	case c.Backend == "socket" && c.ReconnectMS > 0:
		// The first attempt is Serve's: nobody waits for the server here.
	case c.Backend == "socket":
		d.first, err = dial(c)
	case c.Backend == "ringbuf":
		d.ring = NewRing(int(c.Size))
		d.first = newSink("ringbuf", d.ring)
	case c.Backend == "stdio":
		d.first, err = term.open(c.Signal)
	case c.Backend == "file":
		d.first, err = openFile(c)
	case c.Backend == "pipe":
		d.first, err = openPipe(c.Path)
	case c.Backend == "null":
		d.first = newSink("null", io.Discard)
	default:
		err = qerr.New("'%s' is not a valid char driver name", c.Backend)
	}
	if err != nil {
		return nil, err
	}
	return d, nil
}

// Label returns the device's id.
func (d *Chardev) Label() string { return d.config.Label }

// Config returns what the device was made from.
func (d *Chardev) Config() Config { return d.config }

// Ring returns what a ringbuf keeps; nil for other backends.
func (d *Chardev) Ring() *Ring { return d.ring }

// FrontendOpen reports whether somebody uses the device (member
// "frontend-open" of query-chardev).
func (d *Chardev) FrontendOpen() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.frontend
}

// Filename describes the device as query-chardev does: what it is, and for a
// socket where it is and whether a peer is there.
func (d *Chardev) Filename() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.filenameLocked()
}

func (d *Chardev) filenameLocked() string {
	if d.config.Backend != "socket" {
		return d.config.Backend
	}
	peers := slices.Clone(d.conns)
	if d.first != nil {
		peers = append(peers, d.first)
	}
	for _, c := range peers {
		if s, ok := c.(*socketConn); ok {
			return s.filename(d.config)
		}
	}
	if d.bound != "" {
		return "disconnected:" + d.bound
	}
	return "disconnected:" + unconnected(d.config)
}

// Addr returns where a socket server listens, with the port the host chose, and
// nil for other devices.
func (d *Chardev) Addr() net.Addr {
	if d.listener == nil {
		return nil
	}
	return d.listener.Addr()
}

// ErrClosed is the error of a device that was closed while it was waited for.
var ErrClosed = errors.New("character device is closed")

// WaitClient blocks until a socket server that was made with wait=on has its
// first client, which is then the first to be served. It returns at once for
// every other device, and [ErrClosed] if the device is closed meanwhile. announce
// is called first, with the filename, if there is anything to wait for.
func (d *Chardev) WaitClient(announce func(filename string)) error {
	d.mu.Lock()
	listener, waiting := d.listener, d.config.Server && d.config.Wait && d.first == nil && !d.closed
	name := d.filenameLocked()
	d.mu.Unlock()
	if !waiting {
		return nil
	}
	announce(name)
	c, err := listener.Accept()
	if err != nil {
		return ErrClosed
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		c.Close()
		return ErrClosed
	}
	d.first = &socketConn{Conn: c}
	return nil
}

// Serve gives the device its frontend: h is called with each connection, one
// after the other, or with all at once if many is set. It returns at once; the
// error is for a device that has a frontend already.
func (d *Chardev) Serve(many bool, h Handler) error { return d.attach(many, h, nil) }

// attach is Serve with a function that Close calls once connections are closed.
func (d *Chardev) attach(many bool, h Handler, hangup func()) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.frontend || d.closed {
		return qerr.New("Device '%s' is in use", d.config.Label)
	}
	d.frontend, d.hangup = true, hangup
	d.goLocked(d.config.Label, func(t *sched.Thread) { d.serve(t, many, h) })
	return nil
}

// waiting returns the connection that Serve will hand out first, nil if that
// is still to come. Frontends count it as connected from the beginning, so that
// what a guest says first is not lost.
func (d *Chardev) waiting() Conn {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.first
}

// goLocked starts a thread that Close joins.
func (d *Chardev) goLocked(name string, f func(t *sched.Thread)) {
	ready := make(chan struct{})
	var self *sched.Thread
	self = d.w.Go("chardev "+name, func(t *sched.Thread) {
		defer func() {
			<-ready
			d.mu.Lock()
			defer d.mu.Unlock()
			d.threads = slices.DeleteFunc(d.threads, func(o *sched.Thread) bool { return o == self })
		}()
		f(t)
	})
	d.threads = append(d.threads, self)
	close(ready)
}

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
	c, d.first = d.first, nil
	closed := d.closed
	d.mu.Unlock()
	switch {
	case closed:
		if c != nil {
			c.Close()
		}
		return nil, false
	case c != nil:
		return c, true
	case d.listener != nil:
		return d.accept()
	case d.config.ReconnectMS > 0:
		c, err := dial(d.config)
		if err == nil {
			return c, true
		}
		d.retry.Park(d.w.Now() + int64(d.config.ReconnectMS)*1e6)
		return nil, true
	}
	return nil, false
}

// acceptPause is the wait after an accept that failed for want of descriptors
// or memory: another attempt at once would fail too and keep a core busy.
const acceptPause = 50e6

func (d *Chardev) accept() (Conn, bool) {
	if d.full() {
		d.retry.Park(sched.Forever)
		return nil, true
	}
	c, err := d.listener.Accept()
	switch {
	case err == nil:
		return &socketConn{Conn: c}, true
	case errors.Is(err, net.ErrClosed):
		return nil, false
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
	return !d.closed && len(d.conns) >= maxClients
}

// keepLocked registers c for Close, or closes it if that was too late.
func (d *Chardev) keepLocked(c Conn) bool {
	if d.closed {
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
		d.mu.Unlock()
		d.retry.Unpark() // there is room for one more
	}()
	h(t, c)
}

// Close ends the device: it listens no more (a unix socket's file is removed),
// closes every connection and returns when all its threads have. Closing twice
// does nothing. It must not be called from a [Handler].
func (d *Chardev) Close() {
	d.mu.Lock()
	d.closed = true
	hangup := d.hangup
	if d.listener != nil {
		d.listener.Close()
	}
	if d.first != nil {
		d.first.Close()
		d.first = nil
	}
	for _, c := range d.conns {
		c.Close()
	}
	threads := slices.Clone(d.threads)
	d.mu.Unlock()
	d.retry.Unpark()
	if hangup != nil {
		hangup()
	}
	for _, t := range threads {
		t.Join()
	}
}

// couldNot makes an error in QEMU's form of what the system said about a path.
func couldNot(what, path string, err error) *qerr.Error {
	return qerr.New("%s%s: %s", what, path, reason(err))
}

// reason is the system's word for err, spelt as C's strerror does.
func reason(err error) string {
	var errno syscall.Errno
	if errors.As(err, &errno) {
		s := errno.Error()
		return strings.ToUpper(s[:1]) + s[1:]
	}
	return err.Error()
}
