package aio

import (
	"container/heap"

	"github.com/backplane-vm/backplane/internal/mutant"
	"github.com/backplane-vm/backplane/internal/sched"
)

// A Timer calls a function from its context's loop once its clock reaches a
// deadline. Its methods may be called from any goroutine, also from its own
// function.
type Timer struct {
	ctx *Context
	set *timers
	f   func()

	deadline int64  // guarded by ctx.mu, as the rest
	seq      uint64 // breaks ties in order of arming
	index    int    // in the set's heap, or -1
	running  bool   // its function is being called
	again    bool   // armed meanwhile: goes into the set when that returns
}

// Timer returns an unarmed timer on clock that calls f from c's loop.
func (c *Context) Timer(clock *Clock, f func()) *Timer {
	return &Timer{ctx: c, set: c.timersOn(clock), f: f, index: -1}
}

// Arm sets the timer to fire once the clock shows deadline or later, in place
// of any earlier setting. Set from its own function it fires again after that
// has returned, not in a nested poll.
func (t *Timer) Arm(deadline int64) {
	c := t.ctx
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed.Load() {
		return
	}
	c.timerSeq++
	t.deadline, t.seq = deadline, c.timerSeq
	if t.running {
		t.again = !mutant.Planted("aio-timer-lost")
		return
	}
	t.enlist()
}

// enlist puts the timer where its deadline belongs; ctx.mu is held.
func (t *Timer) enlist() {
	if t.index < 0 {
		heap.Push(t.set, t)
	} else {
		heap.Fix(t.set, t.index)
	}
	if t.index == 0 && !mutant.Planted("aio-timer-untold") {
		t.ctx.kick() // who waits, waits for a later one
	}
}

// Cancel disarms the timer. If it is due but its function has not yet been
// called, the function is not called. A call under way goes on.
func (t *Timer) Cancel() {
	t.ctx.mu.Lock()
	defer t.ctx.mu.Unlock()
	t.again = false
	if t.index >= 0 {
		heap.Remove(t.set, t.index)
	}
}

// Armed reports whether the timer is set.
func (t *Timer) Armed() bool {
	t.ctx.mu.Lock()
	defer t.ctx.mu.Unlock()
	return t.index >= 0 || t.again
}

// timers holds the armed timers of a context on one clock: a heap by deadline.
type timers struct {
	clock *Clock
	heap  []*Timer
}

// timersOn returns the context's set for clock.
func (c *Context) timersOn(clock *Clock) *timers {
	c.mu.Lock()
	for _, s := range c.timers {
		if s.clock == clock {
			c.mu.Unlock()
			return s
		}
	}
	s := &timers{clock: clock}
	c.timers = append(c.timers[:len(c.timers):len(c.timers)], s)
	closed := c.closed.Load()
	c.mu.Unlock()
	if !closed {
		clock.attach(c)
	}
	return s
}

// Len, Less, Swap, Push and Pop are what container/heap asks for.
func (s *timers) Len() int { return len(s.heap) }

// Less orders by deadline, then by arming.
func (s *timers) Less(i, j int) bool {
	a, b := s.heap[i], s.heap[j]
	return a.deadline < b.deadline || a.deadline == b.deadline && a.seq < b.seq
}

// Swap exchanges two timers.
func (s *timers) Swap(i, j int) {
	s.heap[i], s.heap[j] = s.heap[j], s.heap[i]
	s.heap[i].index, s.heap[j].index = i, j
}

// Push adds a timer at the end.
func (s *timers) Push(x any) {
	t := x.(*Timer)
	t.index = len(s.heap)
	s.heap = append(s.heap, t)
}

// Pop takes the timer at the end.
func (s *timers) Pop() any {
	n := len(s.heap) - 1
	t := s.heap[n]
	s.heap[n] = nil
	s.heap = s.heap[:n]
	t.index = -1
	return t
}

func (s *timers) clear() {
	for _, t := range s.heap {
		t.index = -1
	}
	s.heap = nil
}

// due returns the first timer if its time has come and it was armed no later
// than the count says, so that one which arms itself for the past does not
// keep the loop; else nil.
func (s *timers) due(armed uint64) *Timer {
	if len(s.heap) == 0 || s.heap[0].seq > armed {
		return nil
	}
	now, fires := s.clock.read()
	if mutant.Planted("aio-timer-early") {
		now++
	}
	if !fires || s.heap[0].deadline > now {
		return nil
	}
	return s.heap[0]
}

// hasTimers reports whether any timer is armed; mu is held.
func (c *Context) hasTimers() bool {
	for _, s := range c.timers {
		if len(s.heap) > 0 {
			return true
		}
	}
	return false
}

// runTimer calls the function of the first timer that is due. It reports
// whether there was one.
func (c *Context) runTimer(armed uint64) bool {
	c.mu.Lock()
	var t *Timer
	for _, s := range c.timers {
		if t = s.due(armed); t != nil {
			break
		}
	}
	if t == nil {
		c.mu.Unlock()
		return false
	}
	heap.Pop(t.set)
	t.running = true
	c.mu.Unlock()
	t.f()
	c.mu.Lock()
	t.running = false
	if t.again && !c.closed.Load() {
		t.enlist()
	}
	t.again = false
	c.mu.Unlock()
	return true
}

// nextTimer returns the World time at which the first timer is due, or
// sched.Forever; mu is held.
func (c *Context) nextTimer() int64 {
	at := sched.Forever
	for _, s := range c.timers {
		if len(s.heap) > 0 {
			at = min(at, s.clock.until(s.heap[0].deadline))
		}
	}
	return at
}
