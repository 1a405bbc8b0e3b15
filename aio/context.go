// Package aio provides event-loop contexts (QEMU's AioContext): bottom halves,
// timers and coroutines that run one at a time, from whoever polls the
// context.
//
// A machine's main loop serves two contexts ([MainLoop]). The main context is
// the one that block and device code waits on: code that holds the big lock
// may poll it from the inside ([Context.WaitWhile]), from any thread, and then
// runs whatever is queued there. The iohandler context is served by the
// outermost loop only, so what is queued there never runs in the middle of
// something else. Which of the two a piece of work belongs to is the most
// consequential choice in the machine; the monitor's choices are in
// internal/monitor.
//
// # Who may do what
//
// Scheduling (BH.Schedule, OneShot, Spawn, Schedule, Timer.Arm, Notify) is for
// any goroutine and never blocks. Polling is for one thread at a time: for a
// context under a lock (the machine's, under the BQL) the owner of the lock;
// for an iothread's, its goroutine. Callbacks and coroutines run on the
// polling thread with the locks it holds. A callback must not block, except by
// a nested poll of the main context; a coroutine must not poll at all, it
// yields.
//
// Goroutines: none of its own, except [IOThread]'s and a [Pool]'s workers,
// which leave when idle. Lock order: a context's mutex is a leaf (a clock's
// may be taken inside it).
package aio

import (
	"fmt"

	"github.com/backplane-vm/backplane/coro"
	"github.com/backplane-vm/backplane/internal/sched"
)

// A Context is one event loop's worth of work.
type Context struct {
	w    *sched.World
	name string
	held func() bool // reports whether the caller may poll; nil: not checked

	mu       sched.Mutex
	ready    []*BH // scheduled bottom halves, first to run first
	cos      []*coro.Co
	timers   timerSet
	timerSeq uint64
	pollers  []*sched.Parker       // who waits for work, innermost last
	live     map[*coro.Co]struct{} // spawned and not ended
	closed   bool
}

// NewContext returns an empty context. mayPoll, if not nil, is asserted at
// every poll: the machine passes one that says whether the BQL is held.
func NewContext(w *sched.World, name string, mayPoll func() bool) *Context {
	c := &Context{w: w, name: name, held: mayPoll, timers: make(timerSet), live: make(map[*coro.Co]struct{})}
	c.mu.Init(w, "context "+name)
	return c
}

// Name returns the context's name.
func (c *Context) Name() string { return c.name }

// World returns where the context gets its time from.
func (c *Context) World() *sched.World { return c.w }

// Notify makes whoever waits in a poll of the context look again, and whoever
// polls next not wait. It is what a condition that [Context.WaitWhile] waits
// for needs when it changes outside the context's own callbacks.
func (c *Context) Notify() {
	c.mu.Lock()
	c.notifyLocked()
	c.mu.Unlock()
}

func (c *Context) notifyLocked() {
	for _, p := range c.pollers {
		p.Unpark()
	}
}

// A BH is a bottom half: a function to be called soon from a context's loop.
// However often it is scheduled before it runs, it runs once.
type BH struct {
	ctx       *Context
	name      string
	f         func()
	scheduled bool // guarded by ctx.mu, as the next two
	deleted   bool
	queued    bool // is in ctx.ready
}

// BH returns a bottom half that calls f. It is not scheduled yet.
func (c *Context) BH(name string, f func()) *BH { return &BH{ctx: c, name: name, f: f} }

// OneShot has f called once from the context's loop.
func (c *Context) OneShot(name string, f func()) { c.BH(name, f).Schedule() }

// Schedule queues the bottom half, unless it is queued already or deleted.
// Bottom halves run in the order in which they were scheduled.
func (b *BH) Schedule() {
	c := b.ctx
	c.mu.Lock()
	defer c.mu.Unlock()
	if b.deleted {
		return
	}
	b.scheduled = true
	if !b.queued {
		b.queued = true
		c.ready = append(c.ready, b)
	}
	c.notifyLocked()
}

// Cancel makes a scheduled bottom half not run. One that is running goes on.
func (b *BH) Cancel() {
	b.ctx.mu.Lock()
	b.scheduled = false
	b.ctx.mu.Unlock()
}

// Delete cancels the bottom half for good. It may delete itself.
func (b *BH) Delete() {
	b.ctx.mu.Lock()
	b.scheduled, b.deleted = false, true
	b.ctx.mu.Unlock()
}

// Spawn makes a coroutine that lives in this context and is first entered from
// its loop.
func (c *Context) Spawn(name string, f func(co *coro.Co)) *coro.Co {
	co := coro.New(name, f)
	co.SetHome(c)
	c.adopt(co)
	c.Schedule(co)
	return co
}

func (c *Context) adopt(co *coro.Co) {
	co.OnDone(c.forget)
	c.mu.Lock()
	c.live[co] = struct{}{}
	c.mu.Unlock()
}

func (c *Context) forget(co *coro.Co) {
	c.mu.Lock()
	delete(c.live, co)
	c.mu.Unlock()
}

// Schedule queues the coroutine to be entered from this context's loop, which
// becomes its home. It implements [coro.Home]. Scheduling a coroutine that is
// scheduled already panics.
func (c *Context) Schedule(co *coro.Co) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return // it will never run; Close ends those it knows
	}
	co.MarkScheduled(c.name)
	c.cos = append(c.cos, co)
	c.notifyLocked()
}

// Wake queues the coroutine in its home. See [coro.Co.Wake].
func Wake(co *coro.Co) { co.Wake() }

// MoveTo makes to the home of the running coroutine and returns in to's loop.
// The hand-over goes through the old home, so that the coroutine has yielded
// before anyone can enter it.
func MoveTo(co *coro.Co, to *Context) {
	from, ok := co.Home().(*Context)
	if !ok {
		panic(fmt.Sprintf("aio: coroutine %q moves to %q but lives in no context", co.Name(), to.name))
	}
	if from == to {
		return
	}
	co.SetHome(to)
	from.OneShot("move-coroutine", func() { to.Schedule(co) })
	co.Yield()
}

// Poll runs what is due: first the coroutines and bottom halves that were
// queued when it began, then timers. If nothing is, and blocking is set, it
// waits for something and runs that. It reports whether it ran anything.
func (c *Context) Poll(blocking bool) bool {
	if c.held != nil && !c.held() {
		panic(fmt.Sprintf("aio: context %q polled by a thread that may not", c.name))
	}
	if c.dispatch() {
		return true
	}
	if !blocking {
		return false
	}
	p := c.w.NewParker()
	c.addPoller(p)
	defer c.removePoller(p)
	for {
		if c.dispatch() {
			return true
		}
		if p.Park(c.deadline()) {
			// Notified: what for may be a condition of the caller's.
			return c.dispatch()
		}
	}
}

// WaitWhile polls the context until cond is false: a nested loop. The caller
// may poll it, and everything cond waits for makes progress through it. It
// keeps whatever locks the caller holds.
func (c *Context) WaitWhile(cond func() bool) {
	p := c.w.NewParker()
	c.addPoller(p)
	defer c.removePoller(p)
	if c.held != nil && !c.held() {
		panic(fmt.Sprintf("aio: context %q polled by a thread that may not", c.name))
	}
	for cond() {
		if !c.dispatch() {
			p.Park(c.deadline())
		}
	}
}

func (c *Context) addPoller(p *sched.Parker) {
	c.mu.Lock()
	c.pollers = append(c.pollers, p)
	c.mu.Unlock()
}

func (c *Context) removePoller(p *sched.Parker) {
	c.mu.Lock()
	for i, have := range c.pollers {
		if have == p {
			c.pollers = append(c.pollers[:i:i], c.pollers[i+1:]...)
			break
		}
	}
	c.mu.Unlock()
}

// deadline returns the World time of the first timer, or sched.Forever.
func (c *Context) deadline() int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.ready) > 0 || len(c.cos) > 0 {
		return 0
	}
	return c.timers.next(c.w)
}

// dispatch runs one slice of work without waiting. A nested dispatch goes on
// with what the outer one has not run yet, because both take from the same
// queues: nothing is lost or put off by nesting.
func (c *Context) dispatch() (progress bool) {
	c.mu.Lock()
	ncos, nbhs := len(c.cos), len(c.ready)
	c.mu.Unlock()
	for range ncos {
		co := c.popCo()
		if co == nil {
			break
		}
		co.Enter()
		progress = true
	}
	for range nbhs {
		f, ok := c.popBH()
		if !ok {
			break
		}
		if f != nil {
			f()
			progress = true
		}
	}
	for {
		c.mu.Lock()
		t := c.timers.expired()
		c.mu.Unlock()
		if t == nil {
			return progress
		}
		t.f()
		progress = true
	}
}

func (c *Context) popCo() *coro.Co {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.cos) == 0 {
		return nil
	}
	co := c.cos[0]
	c.cos[0] = nil
	c.cos = c.cos[1:]
	return co
}

// popBH takes the first queued bottom half; f is nil if it was cancelled.
func (c *Context) popBH() (f func(), ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.ready) == 0 {
		return nil, false
	}
	b := c.ready[0]
	c.ready[0] = nil
	c.ready = c.ready[1:]
	b.queued = false
	if !b.scheduled {
		return nil, true
	}
	b.scheduled = false
	return b.f, true
}

// Close ends the coroutines that still live in the context, running their
// deferred functions, and drops what is queued. Nobody may poll it any more.
func (c *Context) Close() {
	for {
		c.mu.Lock()
		c.closed = true
		c.ready, c.cos = nil, nil
		var co *coro.Co
		for co = range c.live {
			break
		}
		delete(c.live, co)
		c.mu.Unlock()
		if co == nil {
			return
		}
		co.Kill()
	}
}

// Coroutines returns how many coroutines spawned in the context have not
// ended.
func (c *Context) Coroutines() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.live)
}
