// Package aio provides event-loop contexts (QEMU's AioContext): bottom halves,
// timers, sources and coroutines that run one at a time, from whoever polls
// the context.
//
// A machine's main loop serves two contexts ([MainLoop]). The main context is
// the one that block and device code waits on: code that holds the big lock
// may poll it from the inside ([Context.WaitWhile]), from any thread, and then
// runs whatever is queued there. The iohandler context is served by the
// outermost loop only, so what is queued there never runs in the middle of
// something else. Which of the two a piece of work belongs to is the most
// consequential choice in the machine; the monitor's choices are in
// internal/monitor. An [IOThread] is a context with a thread of its own.
//
// # Who may do what
//
// Scheduling (BH.Schedule, OneShot, Spawn, Schedule, Timer.Arm, Source.Signal,
// Notify) is for any goroutine and never blocks. Polling is for one thread at
// a time: for a context under a lock (the machine's, under the BQL) the owner
// of the lock; for an iothread's, its goroutine. Callbacks and coroutines run
// on the polling thread with the locks it holds. A callback must not block,
// except by a nested poll; a coroutine must not poll at all, it yields, and it
// is entered by the loop of its home only. Who breaks one of these rules gets
// a panic that names the coroutine or context and the rule. In -race and
// -tags invariants builds that includes polling an iothread's context from a
// callback of another thread, which costs too much to find out otherwise.
//
// # Order and nesting
//
// A poll runs coroutines, then bottom halves and sources, each in the order in
// which they were scheduled, then timers (by clock, in the order in which the
// context got to know them; then deadline; then order of arming), then idle
// bottom halves. Nothing depends on the order of a map. What becomes ready
// meanwhile waits for the next poll, so nobody starves the rest.
//
// A nested poll goes on with what the outer one has not run yet, since all
// take from the same queues: nesting loses nothing and puts nothing off. But
// no callback is entered while it runs: one that becomes ready again
// before it has returned is queued when it returns, unless it was made to
// nest ([BH.Nest]).
//
// # Waking
//
// Whoever adds work wakes the pollers that wait. A poller counts as waiting
// once it has seen, under the context's mutex, that there is nothing to do, so
// a wake-up is neither lost nor paid for when nobody waits. A condition that
// WaitWhile waits for and that changes elsewhere is announced by
// [Context.Notify], which is counted: a poller does not wait if the count has
// moved since before it looked at its condition.
//
// There is no busy polling before a wait (QEMU's poll-max-ns): its gain is to
// spare system calls, and here readiness comes from goroutines that block in
// Go's network poller and hand over in user space, where the scheduler spins
// for a while by itself before it lets a thread sleep.
//
// # Cost
//
// Scheduling and running a bottom half takes 55 ns, a timer 170 ns, a
// coroutine's wake and entry 150 ns, a move to another thread and back 1.2 µs;
// a thread blocked in a poll runs 0.25 µs after its wake if the waker waits next,
// and when the operating system has woken a processor for it if not (bench_test.go;
// amd64, Go 1.26). None of them allocates.
//
// Goroutines: none of its own, except [IOThread]'s and a [Pool]'s workers,
// which leave when idle. Lock order: a context's mutex is a leaf (a clock's
// may be taken inside it).
package aio

import (
	"slices"
	"sync/atomic"

	"github.com/backplane-vm/backplane/coro"
	"github.com/backplane-vm/backplane/internal/sched"
)

// IdleInterval is how long, in nanoseconds, a poll waits at most while an idle
// bottom half is scheduled: QEMU's ten milliseconds.
const IdleInterval = 10_000_000

// A Context is one event loop's worth of work.
type Context struct {
	w    *sched.World
	name string
	held func() bool   // reports whether the caller may poll; nil: not checked
	loop *loop         // what it shares with the contexts of the same thread
	home atomic.Uint64 // an iothread's goroutine, where that is checked

	seq    atomic.Uint64 // counts Notify; written under mu
	seen   uint64        // the count that Poll knows; the poller's
	closed atomic.Bool   // written under mu

	mu        sched.Mutex
	cos       ring[*coro.Co] // to be entered; guarded by mu, as the rest
	bhs       bhList
	idle      bhList
	spareBHs  *BH // used one-shot bottom halves, linked by next
	nspareBHs int
	timers    []*timers // a set for each clock, in the order of first use
	timerSeq  uint64
	waiting   []*sched.Parker // who waits for work
	spare     []*sched.Parker // for those who will
	live      coro.Set        // coroutines that live here
}

// A loop is what contexts share that the same thread, or the owner of the same
// lock, serves. It is the poller's.
type loop struct {
	owner   func() *sched.Thread // who polls; nil: always the same
	entered []entry              // one, unless a coroutine dropped the lock
}

// An entry is a coroutine that has been entered and has not yielded.
type entry struct {
	co *coro.Co
	by *sched.Thread
}

func (l *loop) poller() *sched.Thread {
	if l.owner == nil {
		return nil
	}
	return l.owner()
}

// inside returns the coroutine that the calling poller is in, or nil.
func (l *loop) inside() *coro.Co {
	if len(l.entered) == 0 {
		return nil
	}
	by := l.poller()
	for _, e := range l.entered {
		if e.by == by {
			return e.co
		}
	}
	return nil
}

func (l *loop) leave(co *coro.Co) {
	l.entered = slices.DeleteFunc(l.entered, func(e entry) bool { return e.co == co })
}

// NewContext returns an empty context. mayPoll, if not nil, is asserted at
// every poll: the machine passes one that says whether the BQL is held.
func NewContext(w *sched.World, name string, mayPoll func() bool) *Context {
	c := &Context{w: w, name: name, held: mayPoll, loop: new(loop)}
	c.mu.Init(w, "context "+name)
	return c
}

// Name returns the context's name.
func (c *Context) Name() string { return c.name }

// World returns where the context gets its time from.
func (c *Context) World() *sched.World { return c.w }

// Notify makes whoever waits in a poll of the context look again, and whoever
// polls next not wait. It is what a condition that [Context.WaitWhile] waits
// for needs when it changes outside the context's own callbacks (QEMU's
// aio_wait_kick). Any goroutine may call it, after the change.
func (c *Context) Notify() {
	c.mu.Lock()
	c.seq.Add(1)
	c.kick()
	c.mu.Unlock()
}

// kick wakes the pollers that wait; mu is held.
func (c *Context) kick() {
	for _, p := range c.waiting {
		p.Unpark()
	}
}

// Close ends the coroutines that live in the context, in the order in which
// they came, running their deferred functions, and drops what is queued.
// Nobody may poll it any more; what is scheduled in it from now on never runs.
func (c *Context) Close() {
	c.mu.Lock()
	c.closed.Store(true)
	c.cos.clear()
	c.bhs.clear()
	c.idle.clear()
	sets := c.timers
	for _, s := range sets {
		s.clear()
	}
	c.mu.Unlock()
	for _, s := range sets {
		s.clock.detach(c)
	}
	for {
		c.mu.Lock()
		co := c.live.First()
		if co != nil {
			c.live.Remove(co)
		}
		c.mu.Unlock()
		if co == nil {
			return
		}
		co.Kill()
	}
}
