package aio_test

import (
	"slices"
	"testing"

	"github.com/backplane-vm/backplane/aio"
	"github.com/backplane-vm/backplane/coro"
	"github.com/backplane-vm/backplane/internal/sched"
)

// A bottom half, a timer or a source that becomes ready again while it runs
// waits until it has returned, also in a nested poll; one that nests does not.
func TestNoCallbackIsReentered(t *testing.T) {
	for _, kind := range []string{"bh", "nesting bh", "timer", "source"} {
		t.Run(kind, func(t *testing.T) {
			w := sched.NewWorld()
			c := aio.NewContext(w, "c", nil)
			clock := aio.NewSteppedClock(w)
			var log []string
			var again func()
			callback := func() {
				log = append(log, "{")
				if len(log) == 1 {
					again()
					for c.Poll(false) {
					}
				}
				log = append(log, "}")
			}
			switch kind {
			case "bh":
				again = c.BH(kind, callback).Schedule
			case "nesting bh":
				again = c.BH(kind, callback).Nest().Schedule
			case "timer":
				timer := c.Timer(clock, callback)
				again = func() { timer.Arm(0) }
			case "source":
				again = c.Source(kind, callback).Signal
			}
			again()
			for c.Poll(false) {
			}
			want := []string{"{", "}", "{", "}"}
			if kind == "nesting bh" {
				want = []string{"{", "{", "}", "}"}
			}
			if !slices.Equal(log, want) {
				t.Errorf("%v, want %v", log, want)
			}
		})
	}
}

// An idle bottom half wakes nobody and is no progress, but runs; scheduled in
// earnest it is like any other.
func TestIdleBottomHalf(t *testing.T) {
	c := aio.NewContext(sched.NewWorld(), "c", nil)
	ran := 0
	bh := c.BH("idle", func() { ran++ })
	bh.ScheduleIdle()
	if !bh.Scheduled() || c.Poll(false) || ran != 1 {
		t.Errorf("an idle bottom half counts as progress, or ran %d times", ran)
	}
	bh.ScheduleIdle()
	bh.Cancel()
	c.Poll(false)
	if ran != 1 {
		t.Error("a cancelled idle bottom half ran")
	}
	bh.ScheduleIdle()
	bh.Schedule()
	if !c.Poll(false) || c.Poll(false) || ran != 2 {
		t.Errorf("ran %d times, want twice", ran)
	}
	bh.ScheduleIdle()
	c.WaitWhile(func() bool { return ran < 3 }) // waits for IdleInterval at most
}

// An idle bottom half that schedules itself again runs once in an interval
// while nothing else happens, and does not keep the loop busy.
func TestIdleBottomHalfAgainAndAgain(t *testing.T) {
	out := sched.Simulate(sched.Options{Chooser: sched.Replay(nil)}, func(w *sched.World) {
		c := aio.NewContext(w, "c", nil)
		ran := 0
		var bh *aio.BH
		bh = c.BH("idle", func() { ran++; bh.ScheduleIdle() })
		bh.ScheduleIdle()
		c.WaitWhile(func() bool { return ran < 5 })
		if took := w.Now(); took < 5*aio.IdleInterval || took > 6*aio.IdleInterval {
			t.Errorf("5 rounds took %d ns", took)
		}
		for ran < 8 {
			if c.Poll(true) {
				t.Error("counts as progress")
			}
		}
	}, nil)
	if out.Failure != nil {
		t.Error(out.Failure)
	}
}

// guard counts.
type guard struct {
	engaged bool
	times   int
}

func (g *guard) Engage() bool {
	was := g.engaged
	g.engaged = true
	g.times++
	return was
}
func (g *guard) Disengage() { g.engaged = false }

func TestGuardIsEngagedWhileItRuns(t *testing.T) {
	c := aio.NewContext(sched.NewWorld(), "c", nil)
	var g guard
	during := false
	bh := c.BH("device", func() { during = g.engaged }).SetGuard(&g)
	bh.Schedule()
	c.Poll(false)
	if !during || g.engaged {
		t.Errorf("engaged while it ran: %v, after: %v; want true, false", during, g.engaged)
	}
	g.engaged = true // by a device that polls from its own callback
	bh.Schedule()
	c.Poll(false)
	if !g.engaged || g.times != 2 {
		t.Error("a bottom half took off a guard that was not its own")
	}
}

func TestSource(t *testing.T) {
	c := aio.NewContext(sched.NewWorld(), "c", nil)
	ran := 0
	s := c.Source("s", func() { ran++ })
	steps := []struct {
		name string
		do   func()
		want int
	}{
		{"signalled twice", func() { s.Signal(); s.Signal() }, 1},
		{"disabled after a signal", func() { s.Signal(); s.Disable() }, 1},
		{"signalled while disabled", s.Signal, 1},
		{"enabled", s.Enable, 2},
		{"enabled again", s.Enable, 2},
		{"signalled", s.Signal, 3},
		{"deleted after a signal", func() { s.Signal(); s.Delete() }, 3},
		{"signalled when deleted", s.Signal, 3},
	}
	for _, step := range steps {
		step.do()
		for c.Poll(false) {
		}
		if ran != step.want {
			t.Errorf("%s: ran %d times, want %d", step.name, ran, step.want)
		}
	}
}

// Work that its own callbacks add waits for the next poll, so that nothing
// keeps the loop: each kind takes its turn.
func TestNothingStarvesTheRest(t *testing.T) {
	w := sched.NewWorld()
	c := aio.NewContext(w, "c", nil)
	clock := aio.NewSteppedClock(w)
	var bhs, timers, cos int
	var bh *aio.BH
	var timer *aio.Timer
	bh = c.BH("bh", func() { bhs++; bh.Schedule() })
	timer = c.Timer(clock, func() { timers++; timer.Arm(0) })
	c.Spawn("co", func(co *coro.Co) {
		for {
			cos++
			co.Wake()
			co.Yield()
		}
	})
	bh.Schedule()
	timer.Arm(0)
	for range 10 {
		c.Poll(false)
	}
	if bhs != 10 || timers != 10 || cos != 10 {
		t.Errorf("in 10 polls: %d bottom halves, %d timers, %d entries; want 10 of each", bhs, timers, cos)
	}
	c.Close()
}
