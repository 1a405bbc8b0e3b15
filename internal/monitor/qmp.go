package monitor

import (
	"cmp"
	"context"
	"io"

	"github.com/backplane-vm/backplane/aio"
	"github.com/backplane-vm/backplane/coro"
	"github.com/backplane-vm/backplane/internal/chardev"
	"github.com/backplane-vm/backplane/internal/descriptor"
	"github.com/backplane-vm/backplane/internal/mutant"
	"github.com/backplane-vm/backplane/internal/sched"
	"github.com/backplane-vm/backplane/qapi/api"
	"github.com/backplane-vm/backplane/qmp"
)

// How much is read from a client at once: QEMU's 4 KiB would cost twenty-five
// system calls for a large argument, but most clients never fill them.
const (
	readFirst = 4 << 10
	readSize  = 64 << 10
)

// qmpClient is one client of a QMP monitor: a thread that reads and runs what
// is out of band, a queue, a coroutine that works it off, and an output.
//
// The coroutine lives in the iohandler context, which no nested poll serves,
// and runs commands there: an ordinary one in a bottom half, a coroutine
// command in place. Other policies move it; see [Policy]. What only asks is
// answered by the reader; see [qmpClient.answer].
type qmpClient struct {
	set   *Set
	label string // for people: qmp0, qmp1, ...
	// monitor is the id of the monitor of x-monitor-add that the client came by.
	monitor string

	sess  *qmp.Session[*coro.Co]
	out   *output
	ctx   context.Context // ends when the client has gone
	gone  context.CancelFunc
	asker *sched.Thread            // whose the BQL is while the reader answers
	reply []byte                   // a buffer of the reader's, for its answers
	inv   qmp.Invocation[*coro.Co] // the reader's, of the answer it is at

	incoming chardev.Receiver // where descriptors come from
	named    descriptor.Names // what getfd has taken

	mu      sched.Mutex // guards what follows
	queue   []*request
	current *request // in work by the dispatcher; nil if none is
	backlog qmp.Backlog
	room    *sched.Cond // the reader may go on
	idle    bool        // the dispatcher waits to be woken
	asking  string      // the command that the reader answers; "" if none
	asked   int64       // since when
	closed  bool
	co      *coro.Co // the dispatcher
}

// serveQMP talks to one client until it goes or the set closes. It is the body
// of the client's reader thread and blocks.
func (s *Set) serveQMP(conn io.ReadWriteCloser, pretty bool, monitor string) {
	oob := true
	c := &qmpClient{set: s, monitor: monitor, incoming: incoming(conn), asker: s.m.World.Adopt("qmp reader")}
	c.sess = qmp.NewSession(s.commands, qmp.Config{
		Greeting: qmp.Greeting(s.version, oob), OOB: oob, Pretty: pretty, Deadlines: true, Monitor: c,
	})
	c.mu.Init(s.m.World, "qmp client")
	c.room = sched.NewCond(&c.mu)
	c.ctx, c.gone = context.WithCancel(context.Background())
	c.out = newOutput(s.m.World, "qmp", conn)
	if !s.join(c) {
		c.out.finish()
		c.out.wait()
		return
	}
	c.mu.Lock()
	c.co = s.m.Loop.IOHandler.Spawn("qmp-dispatcher", c.dispatch)
	c.mu.Unlock()
	c.out.append(c.sess.Opened)
	c.read(conn)
	s.leave(c)
	c.close()
	c.out.wait()
}

func (c *qmpClient) read(conn io.Reader) {
	buf, accept := make([]byte, readFirst), c.accept
	for full := false; ; {
		if full && len(buf) < readSize {
			buf = make([]byte, readSize)
		}
		n, err := conn.Read(buf)
		full = n == len(buf)
		for p := buf[:n]; len(p) > 0; {
			p = p[c.sess.Feed(p, accept):]
			c.out.waitRoom()
			if !c.waitRoom() {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

// waitRoom blocks while the client has to be left alone, and reports whether
// there is a reason to go on.
func (c *qmpClient) waitRoom() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	for c.backlog.Stopped() && !c.closed {
		c.room.Wait()
	}
	return !c.closed
}

// accept takes a request from the reader: out of band it runs here and now,
// without the BQL; what only asks is answered at once if nothing is before it;
// else it is queued.
func (c *qmpClient) accept(r qmp.Request) (more bool) {
	if r.OOB {
		c.say(c.sess.Prepare(c.ctx, r).Answer())
		return !c.out.full()
	}
	if c.unoccupied() {
		if c.sess.PrepareIn(c.ctx, &c.inv, r); asks(&c.inv) {
			c.answer(&c.inv)
			return !c.out.full()
		}
	}
	q := c.newRequest(r)
	c.claim(q)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		c.drop(q)
		return false
	}
	stop := c.backlog.Push(c.sess.OOBEnabled())
	c.queue = append(c.queue, q)
	c.wakeLocked()
	return !stop && !c.out.full()
}

func (c *qmpClient) wakeLocked() {
	if c.idle {
		c.idle = false
		if !mutant.Planted("monitor-lost-wakeup") {
			c.co.Wake()
		}
	}
}

// next yields until there is a request, and takes it; nil once the client has
// gone.
func (c *qmpClient) next(co *coro.Co) *request {
	for {
		if q, wait := c.pop(); !wait {
			return q
		}
		co.Yield() // no lock is held: the machine may end here
	}
}

// pop takes the next request; wait says that there is none yet and that the
// dispatcher will be woken.
func (c *qmpClient) pop() (q *request, wait bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.queue) == 0 {
		c.idle = !c.closed || c.asking != ""
		return nil, c.idle
	}
	q = c.queue[0]
	c.queue = append(c.queue[:0], c.queue[1:]...)
	c.beginLocked(q)
	if c.backlog.Pop() {
		c.room.Signal()
	}
	return q, false
}

func (c *qmpClient) answered(q *request) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.drop(q)
	c.current = nil
	if c.backlog.Answered() && !mutant.Planted("monitor-stays-full") {
		c.room.Signal()
	}
}

// dispatch is the client's dispatcher. When it ends, nothing more will be said.
func (c *qmpClient) dispatch(co *coro.Co) {
	defer c.out.finish()
	var buf []byte
	for {
		q := c.next(co)
		if q == nil {
			return
		}
		buf = c.out.reply(c.run(co, q), buf)
		c.answered(q)
		aio.MoveTo(co, c.set.m.Loop.IOHandler)
	}
}

// run runs a request whose turn has come and returns the reply: none if the
// machine ends, when QEMU runs nothing either.
func (c *qmpClient) run(co *coro.Co, q *request) (reply qmp.Reply) {
	if c.set.over.Load() {
		q.cancel(nil)
		return reply
	}
	loop := c.set.m.Loop
	ordinary := loop.IOHandler
	if c.set.policy.everythingInMain() {
		ordinary = loop.Main
		aio.MoveTo(co, loop.Main)
	}
	defer q.cancel(nil)
	if !q.inv.Coroutine() {
		c.set.ordinary(co, ordinary, q.inv.Name(), func() { reply = q.inv.Answer() })
		return reply
	}
	aio.MoveTo(co, c.set.coroutineContext())
	reply = c.runCo(co, q)
	if !c.set.policy.everythingInMain() {
		aio.MoveTo(co, loop.IOHandler)
	}
	return reply
}

// ordinary runs f, a command called name, outside of coroutines in a bottom
// half of ctx, while co yields. f may poll the main context.
func (s *Set) ordinary(co *coro.Co, ctx *aio.Context, name string, f func()) {
	ctx.OneShot("command", func() {
		label := cmp.Or(name, "command")
		before := s.m.BQL.Label(label)
		s.m.World.Note(sched.VerbEnters, label)
		f()
		s.m.World.Note(sched.VerbLeaves, label)
		s.m.BQL.Label(before)
		co.Wake()
	})
	co.Yield()
}

// close drops what has not begun and lets reader and dispatcher end.
func (c *qmpClient) close() {
	defer c.gone()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = true
	for _, q := range c.queue {
		c.drop(q)
	}
	c.queue = nil
	c.named.Close()
	c.backlog.Clear()
	c.room.Broadcast()
	c.wakeLocked()
}

// event tells the client of ev. The caller holds the BQL.
func (c *qmpClient) event(ev qmp.Event, at qmp.Timestamp) {
	c.out.event(
		func(dst []byte) []byte { return c.sess.AppendEvent(dst, ev, at) },
		func(dst []byte, n int64) []byte {
			return c.sess.AppendEvent(dst, api.EventXEventsLost(api.XEventsLostEvent{Count: n}), at)
		})
}
