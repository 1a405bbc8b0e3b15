package aio_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/backplane-vm/backplane/aio"
	"github.com/backplane-vm/backplane/coro"
	"github.com/backplane-vm/backplane/internal/sched"
)

// Timers fire by clock, deadline, and order of arming, and not before their
// time.
func TestTimerOrder(t *testing.T) {
	w := sched.NewWorld()
	c := aio.NewContext(w, "c", nil)
	one, two := aio.NewSteppedClock(w), aio.NewSteppedClock(w)
	var log []string
	arm := func(clock *aio.Clock, name string, at int64) {
		c.Timer(clock, func() { log = append(log, name) }).Arm(at)
	}
	arm(one, "1b", 20)
	arm(two, "2a", 10)
	arm(one, "1a", 10)
	arm(one, "1c", 20)
	arm(two, "2b", 10)
	check := func(when string, want ...string) {
		t.Helper()
		for c.Poll(false) {
		}
		if !slices.Equal(log, want) {
			t.Errorf("%s: fired %v, want %v", when, log, want)
		}
		log = nil
	}
	one.Advance(9)
	check("before any")
	two.Advance(100)
	check("two at 100", "2a", "2b")
	one.Advance(10)
	check("one at 19", "1a")
	one.Advance(1)
	check("one at 20", "1b", "1c")
}

// Many timers, armed, re-armed and cancelled at random, against a sorted list.
func TestTimersAgainstAList(t *testing.T) {
	w := sched.NewWorld()
	r := rand.New(rand.NewPCG(1, 2))
	c := aio.NewContext(w, "c", nil)
	clock := aio.NewSteppedClock(w)
	type set struct{ at, seq int64 }
	armed := map[int]set{} // the model
	var fired []int
	timers := make([]*aio.Timer, 40)
	for i := range timers {
		timers[i] = c.Timer(clock, func() { fired = append(fired, i) })
	}
	for seq := range int64(4000) {
		i := r.IntN(len(timers))
		switch r.IntN(8) {
		case 0:
			timers[i].Cancel()
			delete(armed, i)
		case 1:
			clock.Advance(r.Int64N(20))
			for c.Poll(false) {
			}
			var want []int
			for i, s := range armed {
				if s.at <= clock.Now() {
					want = append(want, i)
				}
			}
			slices.SortFunc(want, func(a, b int) int {
				if d := armed[a].at - armed[b].at; d != 0 {
					return int(d)
				}
				return int(armed[a].seq - armed[b].seq)
			})
			for _, i := range want {
				delete(armed, i)
			}
			if !slices.Equal(fired, want) {
				t.Fatalf("at %d fired %v, want %v", clock.Now(), fired, want)
			}
			fired = nil
		default:
			at := clock.Now() + r.Int64N(100)
			timers[i].Arm(at)
			armed[i] = set{at, seq}
		}
		if _, is := armed[i]; timers[i].Armed() != is {
			t.Fatalf("timer %d armed: %v, want %v", i, !is, is)
		}
	}
}

// The host's clock shows the date, and its timers look at it again and again.
func TestHostClock(t *testing.T) {
	sched.Simulate(sched.Options{Chooser: sched.Replay(nil)}, func(w *sched.World) {
		c := aio.NewContext(w, "c", nil)
		clock := aio.NewHostClock(w)
		began := clock.Now()
		if want := w.Wall().UnixNano(); began != want {
			t.Errorf("shows %d, want %d", began, want)
		}
		fired := false
		c.Timer(clock, func() { fired = true }).Arm(began + 5*aio.HostRecheck)
		c.WaitWhile(func() bool { return !fired })
		if took := w.Now(); took < 5*aio.HostRecheck || took > 6*aio.HostRecheck {
			t.Errorf("fired after %d ns", took)
		}
	}, nil)
}

// Sleeps and time limits, which nest; who gives up is told why.
func TestTimeLimits(t *testing.T) {
	w := sched.NewWorld()
	c := aio.NewContext(w, "c", nil)
	clock := aio.NewSteppedClock(w)
	var log []string
	say := func(what string, err error) { log = append(log, fmt.Sprintf("%d %s %v", clock.Now(), what, err)) }
	mine := errors.New("mine")
	co := c.Spawn("co", func(co *coro.Co) {
		aio.Sleep(co, clock, 10)
		say("slept", nil)
		say("outer", aio.WithTimeout(co, clock, 100, func() error {
			say("inner", aio.WithTimeout(co, clock, 20, func() error { return aio.SleepCancelable(co, clock, 1000) }))
			say("short", aio.WithTimeout(co, clock, 20, func() error { return aio.SleepCancelable(co, clock, 5) }))
			return aio.SleepCancelable(co, clock, 1000)
		}))
		say("sleep", aio.SleepCancelable(co, clock, 1000))
		say("sleep", aio.SleepCancelable(co, clock, 1000))
		aio.Sleep(co, clock, 10) // is not cut short
		say("slept", nil)
	})
	run := func(until int64) {
		for clock.Now() < until {
			for c.Poll(false) {
			}
			clock.Advance(5)
		}
	}
	run(200)
	co.Cancel(mine)
	run(300)
	want := []string{
		"10 slept <nil>", "30 inner timed out", "35 short <nil>", "110 outer timed out",
		"200 sleep mine", "200 sleep mine", "210 slept <nil>",
	}
	if !slices.Equal(log, want) {
		t.Errorf("\n%q, want\n%q", log, want)
	}
}
