package aio

import "github.com/backplane-vm/backplane/internal/mutant"

// A BH is a bottom half: a function to be called soon from a context's loop.
// However often it is scheduled before it runs, it runs once. Its methods may
// be called from any goroutine, also from its own function, unless they say
// otherwise.
type BH struct {
	ctx   *Context
	name  string
	f     func()
	guard Guard
	nests bool
	once  bool // made by OneShot: reused after it ran

	in         *bhList // the queue it is in; guarded by ctx.mu, as the rest
	prev, next *BH
	running    int     // calls under way
	again      *bhList // where to queue it when the call under way returns
	deleted    bool
}

// A Guard tells that a device's code runs, so that what the device does to
// itself from there, by DMA to its own registers, can be refused. It is used
// on the polling thread, with the locks that holds.
type Guard interface {
	// Engage sets the guard and reports whether it was set already.
	Engage() (was bool)
	// Disengage clears the guard.
	Disengage()
}

// BH returns a bottom half that calls f. It is not scheduled yet.
func (c *Context) BH(name string, f func()) *BH { return &BH{ctx: c, name: name, f: f} }

// SetGuard has g engaged while the function runs, as QEMU 8.1 does with a
// device's re-entrancy guard. It is called before the first Schedule.
func (b *BH) SetGuard(g Guard) *BH {
	b.guard = g
	return b
}

// Nest allows the function to be entered, from a nested poll, while it runs.
// It is called before the first Schedule.
func (b *BH) Nest() *BH {
	b.nests = true
	return b
}

// Name returns the bottom half's name.
func (b *BH) Name() string { return b.name }

// spareBHs is how many used one-shot bottom halves a context keeps: enough for
// the hand-overs of a busy poll, little enough to forget about.
const spareBHs = 64

// OneShot has f called once from the context's loop. It does nothing on a
// closed context.
func (c *Context) OneShot(name string, f func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed.Load() {
		return
	}
	b := c.spareBHs
	if b == nil {
		b = &BH{ctx: c, once: true}
	} else {
		c.spareBHs = b.next
		c.nspareBHs--
		b.next = nil
	}
	b.name, b.f = name, f
	c.queue(b)
}

// Schedule queues the bottom half, unless it is queued already or deleted.
// Bottom halves run in the order in which they were scheduled. One that runs
// at the moment is queued when its function returns, unless it nests.
func (b *BH) Schedule() { b.schedule(&b.ctx.bhs) }

// ScheduleIdle queues the bottom half to be called once, along with others or
// when a poll has waited, for [IdleInterval] at most; without waking who waits
// already and without counting as progress: for work that fills pauses and
// schedules itself again.
// It does nothing if the bottom half is scheduled already.
func (b *BH) ScheduleIdle() { b.schedule(&b.ctx.idle) }

func (b *BH) schedule(to *bhList) {
	c := b.ctx
	c.mu.Lock()
	defer c.mu.Unlock()
	b.scheduleLocked(to)
}

func (b *BH) scheduleLocked(to *bhList) {
	c := b.ctx
	if b.deleted || c.closed.Load() {
		return
	}
	if b.running > 0 && !b.nests && !mutant.Planted("aio-bh-reenters") {
		if b.again != &c.bhs {
			b.again = to
		}
		return
	}
	switch b.in {
	case to, &c.bhs:
		return
	case &c.idle: // and now in earnest
		c.idle.remove(b)
	}
	if to == &c.idle {
		to.push(b)
		return
	}
	c.queue(b)
}

// queue has b run by the next poll, and wakes who waits in one; mu is held.
func (c *Context) queue(b *BH) {
	c.bhs.push(b)
	if !mutant.Planted("aio-lost-notify") {
		c.kick()
	}
}

// Cancel makes a scheduled bottom half not run. A call that is under way goes
// on. A cancelled bottom half can be scheduled again.
func (b *BH) Cancel() {
	b.ctx.mu.Lock()
	defer b.ctx.mu.Unlock()
	b.cancelLocked()
}

func (b *BH) cancelLocked() {
	b.again = nil
	if in := b.in; in != nil {
		in.remove(b)
		if mutant.Planted("aio-bh-lost-on-cancel") {
			b.in = in
		}
	}
}

// Delete cancels the bottom half for good: from now on Schedule does nothing.
// It may delete itself. A call that is under way in another thread goes on.
func (b *BH) Delete() {
	b.ctx.mu.Lock()
	defer b.ctx.mu.Unlock()
	b.deleted = true
	if !mutant.Planted("aio-bh-runs-after-delete") {
		b.cancelLocked()
	}
}

// Scheduled reports whether the bottom half is to run.
func (b *BH) Scheduled() bool {
	b.ctx.mu.Lock()
	defer b.ctx.mu.Unlock()
	return b.in != nil || b.again != nil
}

// runBH takes the first bottom half off q and calls it. It reports whether
// there was one.
func (c *Context) runBH(q *bhList) bool {
	c.mu.Lock()
	b := q.first
	if b == nil {
		c.mu.Unlock()
		return false
	}
	q.remove(b)
	f := b.f
	if b.once {
		c.recycle(b)
		c.mu.Unlock()
		f()
		return true
	}
	b.running++
	c.mu.Unlock()
	if g := b.guard; g == nil {
		f()
	} else {
		was := g.Engage()
		f()
		if !was {
			g.Disengage()
		}
	}
	c.mu.Lock()
	b.running--
	if to := b.again; to != nil && b.running == 0 {
		b.again = nil
		b.scheduleLocked(to)
	}
	c.mu.Unlock()
	return true
}

// recycle keeps a used one-shot bottom half; mu is held.
func (c *Context) recycle(b *BH) {
	b.f = nil
	if c.nspareBHs < spareBHs {
		b.next = c.spareBHs
		c.spareBHs = b
		c.nspareBHs++
	}
}

// A bhList is a queue of bottom halves.
type bhList struct {
	first, last *BH
	n           int
}

func (l *bhList) push(b *BH) {
	b.in, b.prev = l, l.last
	if l.last == nil {
		l.first = b
	} else {
		l.last.next = b
	}
	l.last = b
	l.n++
}

func (l *bhList) remove(b *BH) {
	if b.prev == nil {
		l.first = b.next
	} else {
		b.prev.next = b.next
	}
	if b.next == nil {
		l.last = b.prev
	} else {
		b.next.prev = b.prev
	}
	b.in, b.prev, b.next = nil, nil, nil
	l.n--
}

func (l *bhList) clear() {
	for l.first != nil {
		l.remove(l.first)
	}
}
