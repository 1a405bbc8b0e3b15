package monitor

import (
	"io"
	"time"

	"github.com/backplane-vm/backplane/internal/sched"
)

// maxOutput is how many bytes may wait for a client that does not read: room
// for hundreds of the largest replies (query-qmp-schema is about 200 kB). A
// client that leaves more than this unread is disconnected, so that it cannot
// eat the host's memory; until then nothing it was sent is lost.
const maxOutput = 64 << 20

// flushTime is how long the last bytes to a client may take when its monitor
// closes.
const flushTime = 2 * time.Second

// output is what goes to one client: a bounded buffer and a thread that
// writes it out. append never blocks, so it can be called under the BQL.
type output struct {
	conn   io.ReadWriteCloser
	mu     sched.Mutex
	work   *sched.Cond
	buf    []byte // not yet given to the writer; guarded by mu
	closed bool   // no more will come; guarded by mu
	thread *sched.Thread
	ended  *sched.Parker // gets a token when all is written
}

func newOutput(w *sched.World, name string, conn io.ReadWriteCloser) *output {
	o := &output{conn: conn, ended: w.NewParker().For(name + " output")}
	o.mu.Init(w, name+" output")
	o.work = sched.NewCond(&o.mu)
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
	if len(o.buf) > maxOutput {
		o.abortLocked()
	}
	o.work.Signal()
}

func (o *output) write(p []byte) {
	if len(p) > 0 {
		o.append(func(dst []byte) []byte { return append(dst, p...) })
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
	o.work.Signal()
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
	o.work.Signal()
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
		o.mu.Unlock()
		_, err := o.conn.Write(p)
		o.mu.Lock()
		if err != nil {
			o.closed, o.buf = true, nil
			return
		}
		spare = p
		if cap(spare) > keepBuffer {
			spare = nil
		}
	}
}

// keepBuffer is the largest buffer kept for the next reply.
const keepBuffer = 64 << 10
