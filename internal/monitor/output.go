package monitor

import (
	"io"
	"net"
	"slices"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/backplane-vm/backplane/internal/sched"
	"github.com/backplane-vm/backplane/qmp"
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

// pieceSize is how much is given to the connection at once, so that there is
// room again as the client reads, and the largest reply that is written down
// before it is its turn. A larger one waits as the value that it is, and takes
// no more room than a piece when it is written.
const pieceSize = 32 << 10

// output is what goes to one client: a bounded queue and a thread that writes
// it out. Nothing but wait and waitRoom blocks, so that it can be used under
// the BQL.
//
// What is small is written at once to a socket that takes it, without the
// thread: that saves the client the time it takes to wake one.
type output struct {
	conn   io.ReadWriteCloser
	direct syscall.RawConn // to write without blocking; nil where that is not possible
	once   attempt
	thread *sched.Thread
	ended  *sched.Parker // gets a token when all is written

	mu      sched.Mutex
	work    *sched.Cond // for the writer
	room    *sched.Cond // less than outputFull waits
	queue   []part      // not yet given to the writer; guarded by mu, as the rest
	unread  int         // bytes in the queue and with the writer
	writing bool        // the writer has something
	spare   []byte      // a buffer to use again
	crowded atomic.Bool // full, as of the last change; written under mu
	dropped int64       // events that found no room since the last that did
	closed  bool        // no more will come
}

// A part of what waits is whole lines, or a reply that is to be written down.
type part struct {
	text  []byte
	reply *qmp.Reply // nil for text
	size  int        // of the reply, in bytes
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
	if !o.closed {
		o.addLocked(f)
	}
}

// addLocked puts what f adds behind all that waits.
func (o *output) addLocked(f func(dst []byte) []byte) {
	last := len(o.queue) - 1
	if last < 0 || o.queue[last].reply != nil {
		o.queue = append(o.queue, part{text: o.spare[:0]})
		o.spare = nil
		last++
	}
	text := &o.queue[last].text
	before := len(*text)
	*text = f(*text)
	o.unread += len(*text) - before
	o.wakeLocked()
}

// wakeLocked is called when the queue has grown or the end has come.
func (o *output) wakeLocked() {
	o.crowdLocked()
	if o.unread > 0 || o.closed {
		o.work.Signal()
	}
}

func (o *output) crowdLocked() { o.crowded.Store(o.unread >= outputFull && !o.closed) }

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
	if o.unread == 0 && !o.writing && o.direct != nil {
		p = p[o.tryWrite(p):]
	}
	if len(p) > 0 {
		o.addLocked(func(dst []byte) []byte { return append(dst, p...) })
	}
}

// reply has r written. buf is a buffer to do it with; it may have grown to the
// size of a piece when it is returned.
func (o *output) reply(r qmp.Reply, buf []byte) []byte {
	size := 0
	buf = r.AppendPieces(buf[:0], pieceSize, func(p []byte) []byte {
		size += len(p)
		return p[:0]
	})
	if size == 0 {
		o.write(buf)
	} else {
		o.later(r, size+len(buf))
	}
	return buf[:0]
}

// later puts a reply of that size behind all that waits.
func (o *output) later(r qmp.Reply, size int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.closed {
		return
	}
	o.queue = append(o.queue, part{reply: &r, size: size})
	o.unread += size
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
	case o.unread > outputEvents:
		o.dropped++
		return
	case o.dropped > 0:
		o.addLocked(func(dst []byte) []byte { return missed(dst, o.dropped) })
		o.dropped = 0
	}
	o.addLocked(f)
}

// waiting returns how many bytes wait for the client.
func (o *output) waiting() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.unread
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
	o.closed, o.queue, o.unread = true, nil, 0
	o.conn.Close()
	o.wakeLocked()
	o.room.Broadcast()
}

func (o *output) run(*sched.Thread) {
	defer o.ended.Unpark()
	defer o.conn.Close()
	o.mu.Lock()
	defer o.mu.Unlock()
	for {
		for len(o.queue) == 0 && !o.closed {
			o.work.Wait()
		}
		if len(o.queue) == 0 {
			return
		}
		next, buf := o.queue[0], o.spare
		o.queue = slices.Delete(o.queue, 0, 1)
		o.writing, o.spare = true, nil
		o.mu.Unlock()
		buf, err := o.send(next, buf)
		o.mu.Lock()
		o.writing = false
		if err != nil {
			o.abortLocked()
			return
		}
		if cap(buf) <= keepBuffer {
			o.spare = buf[:0]
		}
	}
}

// send writes a part in pieces and returns a buffer to use again: that of the
// part, or buf, in which a reply is written down.
func (o *output) send(p part, buf []byte) (_ []byte, err error) {
	if p.reply == nil {
		for rest := p.text; len(rest) > 0 && err == nil; {
			n := min(len(rest), pieceSize)
			err = o.sendPiece(rest[:n])
			rest = rest[n:]
		}
		return p.text, err
	}
	buf = p.reply.AppendPieces(buf[:0], pieceSize, func(piece []byte) []byte {
		if err == nil {
			err = o.sendPiece(piece)
		}
		return piece[:0]
	})
	if err == nil {
		err = o.sendPiece(buf)
	}
	return buf, err
}

// sendPiece writes p and makes room for as much.
func (o *output) sendPiece(p []byte) error {
	_, err := o.conn.Write(p)
	o.mu.Lock()
	defer o.mu.Unlock()
	o.unread = max(0, o.unread-len(p)) // 0 once it was given up
	if o.crowdLocked(); !o.full() {
		o.room.Broadcast()
	}
	return err
}

// keepBuffer is the largest buffer kept for the next part: a piece may be
// larger than it should.
const keepBuffer = 2 * pieceSize
