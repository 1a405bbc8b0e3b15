package monitor

import (
	"io"
	"net"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/backplane-vm/backplane/internal/sched"
)

// What may wait for a client that does not read.
const (
	// outputFull is where a client's commands are read no further: room for
	// some of the largest replies (query-qmp-schema is about 200 kB), so that a
	// client that reads at its own pace is never held up. Replies are not lost:
	// what is beyond this are those to the commands already read, which are
	// bounded by qmp.MaxQueue.
	outputFull = 1 << 20
	// outputEvents is where events are dropped, which nobody can be asked to
	// hold back: some hundred thousand of them.
	outputEvents = 16 << 20
)

// flushTime is how long the last bytes to a client may take when its monitor
// closes.
const flushTime = 2 * time.Second

// output is what goes to one client: a bounded buffer and a thread that
// writes it out. Nothing but wait and waitRoom blocks, so that it can be used
// under the BQL.
//
// A reply to a socket that takes it is written at once, without the thread:
// that saves the client the time it takes to wake one.
type output struct {
	conn   io.ReadWriteCloser
	direct syscall.RawConn // to write without blocking; nil where that is not possible
	once   attempt
	thread *sched.Thread
	ended  *sched.Parker // gets a token when all is written

	mu      sched.Mutex
	work    *sched.Cond // for the writer
	room    *sched.Cond // less than outputFull waits
	buf     []byte      // not yet given to the writer; guarded by mu, as the rest
	writing int         // bytes the writer has taken and not yet written
	crowded atomic.Bool // full, as of the last change; written under mu
	dropped int64       // events that found no room since the last that did
	closed  bool        // no more will come
}

func newOutput(w *sched.World, name string, conn io.ReadWriteCloser) *output {
	o := &output{conn: conn, ended: w.NewParker().For(name + " output")}
	if c, ok := conn.(interface {
		net.Conn // and no file, whose writes may block
		syscall.Conn
	}); ok {
		o.direct, _ = c.SyscallConn() // an error: it is no plain socket
	}
	o.once.write = o.once.try
	o.mu.Init(w, name+" output")
	o.work, o.room = sched.NewCond(&o.mu), sched.NewCond(&o.mu)
	o.thread = w.Go(name+" writer", o.run)
	return o
}

// append lets f add bytes to what is to be written.
func (o *output) append(f func(dst []byte) []byte) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.closed {
		return
	}
	o.buf = f(o.buf)
	o.wakeLocked()
}

// wakeLocked is called when buf has grown or the end has come.
func (o *output) wakeLocked() {
	o.crowdLocked()
	if len(o.buf) > 0 || o.closed {
		o.work.Signal()
	}
}

func (o *output) crowdLocked() { o.crowded.Store(o.waitingLocked() >= outputFull && !o.closed) }

// write has p written, now if the socket takes it. It keeps nothing of p.
func (o *output) write(p []byte) {
	if len(p) == 0 {
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.closed {
		return
	}
	if len(o.buf) == 0 && o.writing == 0 && o.direct != nil {
		p = p[o.tryWrite(p):]
	}
	o.buf = append(o.buf, p...)
	o.wakeLocked()
}

// tryWrite writes what the socket takes without waiting, and returns how much
// that was. An error is left for the writer to find.
func (o *output) tryWrite(p []byte) int {
	o.once.p, o.once.n = p, 0
	err := o.direct.Write(o.once.write)
	o.once.p = nil
	if err != nil {
		return 0
	}
	return max(0, o.once.n)
}

// attempt is one write to a descriptor. It is kept from one to the next, so
// that a reply costs no allocation; the output's mu guards it.
type attempt struct {
	p     []byte
	n     int
	write func(fd uintptr) bool
}

func (a *attempt) try(fd uintptr) bool {
	a.n, _ = syscall.Write(int(fd), a.p)
	return true
}

// event lets f add an event, unless too much waits; missed adds what tells of
// those that were dropped, as soon as there is room again.
func (o *output) event(f func(dst []byte) []byte, missed func(dst []byte, n int64) []byte) {
	o.mu.Lock()
	defer o.mu.Unlock()
	switch {
	case o.closed:
		return
	case o.waitingLocked() > outputEvents:
		o.dropped++
		return
	case o.dropped > 0:
		o.buf = missed(o.buf, o.dropped)
		o.dropped = 0
	}
	o.buf = f(o.buf)
	o.wakeLocked()
}

func (o *output) waitingLocked() int { return len(o.buf) + o.writing }

// waiting returns how many bytes wait for the client.
func (o *output) waiting() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.waitingLocked()
}

// full reports whether so much waits for the client that nothing more should
// be read from it.
func (o *output) full() bool { return o.crowded.Load() }

// waitRoom blocks while full.
func (o *output) waitRoom() {
	if !o.full() {
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	for o.full() {
		o.room.Wait()
	}
}

// finish closes the connection once everything appended before has been
// written, and does not wait for that.
func (o *output) finish() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.closed = true
	if d, ok := o.conn.(interface{ SetWriteDeadline(time.Time) error }); ok {
		_ = d.SetWriteDeadline(o.thread.World().Wall().Add(flushTime)) // an error means it is closed
	}
	o.wakeLocked()
	o.room.Broadcast()
}

// wait blocks until the writer has ended, after finish.
func (o *output) wait() { o.thread.Join() }

// waitUntil is wait with a deadline on the World's clock, for one caller; past
// it the connection is closed, whatever was still to be written.
func (o *output) waitUntil(deadline int64) {
	if !o.ended.Park(deadline) {
		o.mu.Lock()
		defer o.mu.Unlock()
		o.abortLocked()
	}
}

// abortLocked gives the client up.
func (o *output) abortLocked() {
	o.closed, o.buf = true, nil
	o.conn.Close()
	o.wakeLocked()
	o.room.Broadcast()
}

func (o *output) run(*sched.Thread) {
	defer o.ended.Unpark()
	defer o.conn.Close()
	var spare []byte
	o.mu.Lock()
	defer o.mu.Unlock()
	for {
		for len(o.buf) == 0 && !o.closed {
			o.work.Wait()
		}
		p := o.buf
		if len(p) == 0 {
			return
		}
		o.buf = spare[:0]
		if err := o.send(p); err != nil {
			o.abortLocked()
			return
		}
		spare = p
		if cap(spare) > keepBuffer {
			spare = nil
		}
	}
}

// send writes p in parts, so that there is room again as the client reads. It
// gives o.mu up meanwhile.
func (o *output) send(p []byte) (err error) {
	o.writing = len(p)
	for o.writing > 0 && err == nil {
		part := p[len(p)-o.writing:]
		part = part[:min(len(part), keepBuffer)]
		o.mu.Unlock()
		_, err = o.conn.Write(part)
		o.mu.Lock()
		o.writing -= len(part)
		if o.crowdLocked(); !o.full() {
			o.room.Broadcast()
		}
	}
	o.writing = 0
	return err
}

// keepBuffer is the largest buffer kept for the next reply, and how much is
// given to the connection at once.
const keepBuffer = 64 << 10
