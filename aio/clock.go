package aio

import (
	"github.com/backplane-vm/backplane/internal/mutant"
	"github.com/backplane-vm/backplane/internal/sched"
)

// HostRecheck is how often, in nanoseconds, a wait for a timer on the host's
// wall clock looks whether that was set to another time meanwhile.
const HostRecheck = 1_000_000_000

// A Clock is what timers are set by. Its time is in nanoseconds. A machine has
// three, as QEMU: the realtime clock, which always runs; the virtual one,
// which stands still while the guest is stopped; and the host's wall clock,
// which somebody may set. Safe for use by any goroutine.
type Clock struct {
	w    *sched.World
	kind clockKind

	mu       sched.Mutex
	running  bool
	offset   int64      // clock time minus World time while running; guarded by mu
	frozen   int64      // clock time while standing still; guarded by mu
	contexts []*Context // to be told when the clock moves; guarded by mu
}

type clockKind int

const (
	ticking clockKind = iota // goes with the World's clock while it runs
	wall                     // is the wall clock
	stepped                  // goes when told to
)

// NewClock returns a clock at zero, running or not.
func NewClock(w *sched.World, running bool) *Clock {
	c := &Clock{w: w, running: running, offset: -w.Now()}
	c.mu.Init(w, "clock")
	return c
}

// NewHostClock returns the host's wall clock, in nanoseconds since 1970. It
// cannot be stopped.
func NewHostClock(w *sched.World) *Clock {
	c := NewClock(w, true)
	c.kind = wall
	return c
}

// NewSteppedClock returns a clock at zero that moves only by [Clock.Advance]:
// for tests, and for machines whose time a test program controls.
func NewSteppedClock(w *sched.World) *Clock {
	c := NewClock(w, false)
	c.kind = stepped
	return c
}

// Now returns the clock's time in nanoseconds.
func (c *Clock) Now() int64 {
	now, _ := c.read()
	return now
}

// read returns the clock's time and whether timers on it fire now.
func (c *Clock) read() (now int64, fires bool) {
	if c.kind == wall {
		return c.w.Wall().UnixNano(), true
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.running {
		return c.w.Now() + c.offset, true
	}
	return c.frozen, c.kind == stepped
}

// until returns the World time at which the clock shows deadline, as far as
// that is known.
func (c *Clock) until(deadline int64) int64 {
	now, fires := c.read()
	switch {
	case !fires:
		return sched.Forever
	case deadline <= now:
		return 0
	case c.kind == stepped:
		return sched.Forever
	}
	left := deadline - now
	if c.kind == wall {
		left = min(left, HostRecheck)
	}
	at := c.w.Now()
	if left > sched.Forever-at {
		return sched.Forever
	}
	return at + left
}

// Running reports whether the clock runs.
func (c *Clock) Running() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.running
}

// Start lets the clock run on from where it stands.
func (c *Clock) Start() {
	c.mustBe(ticking)
	c.mu.Lock()
	if !c.running {
		c.running = true
		c.offset = c.frozen - c.w.Now()
	}
	contexts := c.contexts
	c.mu.Unlock()
	tell(contexts)
}

// Stop makes the clock stand still. Timers on it do not fire until it starts
// again.
func (c *Clock) Stop() {
	c.mustBe(ticking)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.running {
		c.running = false
		c.frozen = c.w.Now() + c.offset
	}
}

// Advance moves a stepped clock on by ns nanoseconds.
func (c *Clock) Advance(ns int64) {
	c.mustBe(stepped)
	c.mu.Lock()
	c.frozen += ns
	contexts := c.contexts
	c.mu.Unlock()
	tell(contexts)
}

func (c *Clock) mustBe(k clockKind) {
	if c.kind != k {
		panic("aio: a clock is started, stopped or advanced that goes by other rules")
	}
}

// tell has whoever waits in the contexts look at the clock again.
func tell(contexts []*Context) {
	if mutant.Planted("aio-clock-untold") {
		return
	}
	for _, x := range contexts {
		x.mu.Lock()
		x.kick()
		x.mu.Unlock()
	}
}

// attach makes sure that x, which does not know the clock yet, learns when it
// moves. Lists that were handed out do not change.
func (c *Clock) attach(x *Context) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.contexts = append(c.contexts[:len(c.contexts):len(c.contexts)], x)
}

func (c *Clock) detach(x *Context) {
	c.mu.Lock()
	defer c.mu.Unlock()
	kept := make([]*Context, 0, len(c.contexts))
	for _, have := range c.contexts {
		if have != x {
			kept = append(kept, have)
		}
	}
	c.contexts = kept
}
