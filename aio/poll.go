package aio

import (
	"fmt"

	"github.com/backplane-vm/backplane/internal/mutant"
	"github.com/backplane-vm/backplane/internal/sched"
)

// Poll runs what is due: see the package comment for the order. If nothing is,
// and blocking is set, it waits for something and runs that. It reports
// whether it ran anything but idle bottom halves; a blocking poll returns
// false when it ran only those, or [Context.Notify] ended its wait.
func (c *Context) Poll(blocking bool) bool {
	c.checkPoller()
	for rested := !blocking; ; rested = true {
		progress, idled := c.dispatch(rested)
		if progress || idled || !blocking {
			return progress
		}
		c.wait(c.seen)
		if now := c.seq.Load(); now != c.seen {
			// What for may be a condition of the caller's.
			c.seen = now
			progress, _ = c.dispatch(true)
			return progress
		}
	}
}

// WaitWhile polls the context until cond is false: a nested loop (QEMU's
// AIO_WAIT_WHILE). The caller may poll it, everything cond waits for makes
// progress through it, and whoever changes what cond looks at elsewhere calls
// [Context.Notify]. It keeps whatever locks the caller holds. Never call it
// from a coroutine: what it runs could need that coroutine to go on.
func (c *Context) WaitWhile(cond func() bool) {
	c.checkPoller()
	for rested := false; ; {
		c.w.Point("aio.WaitWhile")
		seen := c.seq.Load() // before cond: see Notify
		if !cond() {
			return
		}
		progress, idled := c.dispatch(rested)
		rested = !progress && !idled
		if rested {
			c.wait(seen)
		}
	}
}

// checkPoller asserts that the caller may poll the context.
func (c *Context) checkPoller() {
	inside := c.loop.inside()
	switch {
	case c.held != nil && !c.held():
		panic(fmt.Sprintf("aio: context %q polled by a thread that may not: the lock that it is under is not held", c.name))
	case inside != nil:
		panic(fmt.Sprintf("aio: coroutine %q polls context %q: a coroutine never waits in a nested poll, it yields", inside.Name(), c.name))
	case c.closed.Load():
		panic(fmt.Sprintf("aio: context %q polled after it was closed", c.name))
	case checksHome && c.home.Load() != 0 && c.home.Load() != goroutine():
		panic(fmt.Sprintf("aio: context %q polled from outside its iothread: run a bottom half there instead (RunIn)", c.name))
	}
}

// wait blocks until there may be something to do, unless there is already or
// Notify has been called since the count was seen.
func (c *Context) wait(seen uint64) {
	p, deadline := c.enlist(nil, seen)
	if p != nil {
		p.Park(deadline)
		c.delist(p, true)
	}
}

// enlist puts p, or a parker of the context's if it is nil, among those to be
// unparked when there is something to do, and returns it with the World time
// until which to park. If there is no reason to wait it returns nil.
func (c *Context) enlist(p *sched.Parker, seen uint64) (*sched.Parker, int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	notified := c.seq.Load() != seen && !mutant.Planted("aio-notify-uncounted")
	if notified || c.cos.n > 0 || c.bhs.n > 0 {
		return nil, 0
	}
	at := c.nextTimer()
	if c.idle.n > 0 {
		at = min(at, c.w.Now()+IdleInterval)
	}
	if at != sched.Forever && at <= c.w.Now() {
		return nil, 0
	}
	if c.held == nil && len(c.waiting) > 0 {
		panic(fmt.Sprintf("aio: context %q polled by two threads at once: only its own may", c.name))
	}
	if n := len(c.spare); p == nil && n > 0 {
		p, c.spare = c.spare[n-1], c.spare[:n-1]
	} else if p == nil {
		p = c.w.NewParker().For("something to do in the context " + c.name)
	}
	c.waiting = append(c.waiting, p)
	return p, at
}

// delist undoes enlist; keep says that the parker is the context's.
func (c *Context) delist(p *sched.Parker, keep bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i, have := range c.waiting {
		if have == p {
			c.waiting = append(c.waiting[:i], c.waiting[i+1:]...)
			break
		}
	}
	if keep {
		c.spare = append(c.spare, p)
	}
}

// dispatch runs what is due now, without waiting. Idle bottom halves run along
// with others, or if the loop has rested, which is to say waited, before; it
// reports them apart, as who waits for a condition looks at it after them too.
func (c *Context) dispatch(rested bool) (progress, idled bool) {
	c.mu.Lock()
	cos, bhs, idle, armed := c.cos.n, c.bhs.n, c.idle.n, c.timerSeq
	timers := c.hasTimers()
	c.mu.Unlock()
	for ; cos > 0 && c.runCo(); cos-- {
		progress = true
	}
	for ; bhs > 0 && c.runBH(&c.bhs); bhs-- {
		progress = true
	}
	for timers && c.runTimer(armed) {
		progress = true
	}
	for ; idle > 0 && (progress || rested) && c.runBH(&c.idle); idle-- {
		idled = true
	}
	return progress, idled
}

// runCo enters the first coroutine that is scheduled. It reports whether there
// was one.
func (c *Context) runCo() bool {
	c.mu.Lock()
	if c.cos.n == 0 {
		c.mu.Unlock()
		return false
	}
	co := c.cos.pop()
	c.mu.Unlock()
	c.enter(co)
	return true
}
