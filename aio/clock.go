package aio

import (
	"github.com/backplane-vm/backplane/internal/sched"
)

// A Clock is what timers are set by. Its time is in nanoseconds from zero; it
// runs or stands still. The realtime clock of a machine always runs; the
// virtual one stands still while the guest is stopped. Safe for use by any
// goroutine.
type Clock struct {
	w *sched.World

	mu       sched.Mutex
	running  bool
	offset   int64      // clock time minus World time while running; guarded by mu
	frozen   int64      // clock time while standing still; guarded by mu
	contexts []*Context // to be told when the clock starts; guarded by mu
}

// NewClock returns a clock at zero, running or not.
func NewClock(w *sched.World, running bool) *Clock {
	return &Clock{w: w, running: running, offset: -w.Now()}
}

// Now returns the clock's time in nanoseconds.
func (c *Clock) Now() int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.running {
		return c.w.Now() + c.offset
	}
	return c.frozen
}

// Running reports whether the clock runs.
func (c *Clock) Running() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.running
}

// Start lets the clock run on from where it stands.
func (c *Clock) Start() {
	c.mu.Lock()
	if !c.running {
		c.running = true
		c.offset = c.frozen - c.w.Now()
	}
	contexts := c.contexts
	c.mu.Unlock()
	for _, x := range contexts {
		x.Notify()
	}
}

// Stop makes the clock stand still. Timers on it do not fire until it starts
// again.
func (c *Clock) Stop() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.running {
		c.running = false
		c.frozen = c.w.Now() + c.offset
	}
}

// attach makes sure that x learns when the clock starts.
func (c *Clock) attach(x *Context) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, have := range c.contexts {
		if have == x {
			return
		}
	}
	c.contexts = append(c.contexts[:len(c.contexts):len(c.contexts)], x)
}

// A Timer calls a function from its context's loop once its clock reaches a
// deadline. Arm and Cancel may be called from any goroutine.
type Timer struct {
	ctx      *Context
	clock    *Clock
	f        func()
	deadline int64
	index    int    // in the context's heap, or -1; guarded by ctx.mu
	seq      uint64 // breaks ties in order of arming
}

// Timer returns an unarmed timer on clock that calls f from c's loop.
func (c *Context) Timer(clock *Clock, f func()) *Timer {
	clock.attach(c)
	return &Timer{ctx: c, clock: clock, f: f, index: -1}
}

// Arm sets the timer to fire once the clock shows deadline or later, in place
// of any earlier setting.
func (t *Timer) Arm(deadline int64) {
	c := t.ctx
	c.mu.Lock()
	c.timers.remove(t)
	t.deadline = deadline
	c.timerSeq++
	t.seq = c.timerSeq
	c.timers.add(t)
	c.mu.Unlock()
	c.Notify()
}

// Cancel disarms the timer. If it has fired but its function has not yet been
// called, the function is not called.
func (t *Timer) Cancel() {
	t.ctx.mu.Lock()
	t.ctx.timers.remove(t)
	t.ctx.mu.Unlock()
}

// Armed reports whether the timer is set.
func (t *Timer) Armed() bool {
	t.ctx.mu.Lock()
	defer t.ctx.mu.Unlock()
	return t.index >= 0
}

// timerSet holds a context's armed timers: a list per clock, ordered by
// deadline. Contexts have two or three clocks and few timers, so insertion
// into an ordered slice beats a heap and is easier to read.
type timerSet map[*Clock][]*Timer

func (s timerSet) add(t *Timer) {
	list := s[t.clock]
	i := len(list)
	for i > 0 && list[i-1].deadline > t.deadline {
		i--
	}
	list = append(list, nil)
	copy(list[i+1:], list[i:])
	list[i] = t
	t.index = 0
	s[t.clock] = list
}

func (s timerSet) remove(t *Timer) {
	if t.index < 0 {
		return
	}
	t.index = -1
	list := s[t.clock]
	for i, have := range list {
		if have == t {
			copy(list[i:], list[i+1:])
			list[len(list)-1] = nil
			s[t.clock] = list[:len(list)-1]
			return
		}
	}
}

// expired takes the first timer that is due off the set, or returns nil.
func (s timerSet) expired() *Timer {
	for clock, list := range s {
		if len(list) > 0 && clock.Running() && list[0].deadline <= clock.Now() {
			t := list[0]
			s.remove(t)
			return t
		}
	}
	return nil
}

// next returns the World time at which the first timer is due.
func (s timerSet) next(w *sched.World) int64 {
	at := sched.Forever
	for clock, list := range s {
		if len(list) > 0 && clock.Running() {
			at = min(at, w.Now()+max(0, list[0].deadline-clock.Now()))
		}
	}
	return at
}
