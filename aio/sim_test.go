package aio_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/backplane-vm/backplane/aio"
	"github.com/backplane-vm/backplane/coro"
	"github.com/backplane-vm/backplane/internal/bql"
	"github.com/backplane-vm/backplane/internal/sched"
	"github.com/backplane-vm/backplane/internal/sched/schedtest"
)

// explore runs a program under many schedules: less than a second for all.
func explore(t *testing.T, body func(w *sched.World)) {
	t.Helper()
	schedtest.Explore(t, 6000, body)
}

// wait blocks the thread until what is scheduled in c by now has run: in two
// rounds, as what was scheduled while it ran queues when it returns.
func wait(w *sched.World, c *aio.Context) {
	p := w.NewParker().For("the end of what is scheduled")
	for range 2 {
		c.OneShot("wait", p.Unpark)
		p.Park(sched.Forever)
	}
}

// A change that is announced by Notify ends a wait, whenever it comes.
func TestSimulatedNotify(t *testing.T) {
	explore(t, func(w *sched.World) {
		c := aio.NewContext(w, "c", nil)
		changed := 0
		for range 2 {
			w.Go("changes", func(*sched.Thread) {
				w.Point("changes")
				changed++
				c.Notify()
			})
		}
		c.WaitWhile(func() bool {
			is := changed
			w.Point("looked")
			return is < 2
		})
	})
}

// What another thread schedules wakes who waits in Poll, whenever it comes:
// bottom halves, coroutines, sources, timers.
func TestSimulatedPollWakes(t *testing.T) {
	explore(t, func(w *sched.World) {
		c := aio.NewContext(w, "c", nil)
		clock := aio.NewClock(w, true)
		ran := 0
		count := func() { ran++ }
		timer := c.Timer(clock, count)
		source := c.Source("source", count)
		w.Go("bh", func(*sched.Thread) { c.BH("bh", count).Schedule() })
		w.Go("timer", func(*sched.Thread) { timer.Arm(0) })
		w.Go("source", func(*sched.Thread) { source.Signal() })
		w.Go("coroutine", func(*sched.Thread) { c.Spawn("co", func(*coro.Co) { ran++ }) })
		for ran < 4 {
			c.Poll(true)
		}
	})
}

// The main loop's two contexts are served whichever of them work comes to, and
// a nested poll on another thread serves the one only.
func TestSimulatedMainLoop(t *testing.T) {
	explore(t, func(w *sched.World) {
		lock := bql.New(w)
		loop := aio.NewMainLoop(w, lock)
		main := w.Go("main", loop.Run)
		io := aio.NewIOThread(w, "io")
		inside := false
		vcpu := w.Go("vcpu", func(th *sched.Thread) {
			lock.Lock(th, "mmio")
			inside = true
			done := false
			io.OneShot("request", func() {
				w.Point("completes")
				done = true
				loop.Main.Notify()
			})
			loop.Main.WaitWhile(func() bool { return !done })
			inside = false
			lock.Unlock(th)
		})
		ran := 0
		p := w.NewParker().For("both contexts")
		count := func() {
			if ran++; ran == 2 {
				p.Unpark()
			}
		}
		loop.IOHandler.OneShot("command", func() {
			if inside {
				panic("a command runs in a nested poll")
			}
			count()
		})
		loop.Main.OneShot("bh", count)
		p.Park(sched.Forever)
		vcpu.Join()
		loop.Stop()
		main.Join()
		io.Stop()
	})
}

// A bottom half that one thread schedules, cancels and deletes while the loop
// runs it is never entered twice at once, runs after the last Schedule, and
// never again once it was deleted and its last call has returned.
func TestSimulatedBottomHalf(t *testing.T) {
	explore(t, func(w *sched.World) {
		io := aio.NewIOThread(w, "io")
		inside, ran := 0, 0
		bh := io.BH("bh", func() {
			if inside++; inside > 1 {
				panic("entered while it runs")
			}
			w.Point("runs")
			ran++
			inside--
		})
		other := w.Go("other", func(*sched.Thread) { bh.Schedule() })
		bh.Schedule()
		bh.Cancel()
		other.Join()
		wait(w, io.Context)
		before := ran
		bh.Schedule()
		wait(w, io.Context)
		if ran != before+1 {
			panic(fmt.Sprintf("ran %d times after one Schedule", ran-before))
		}
		bh.Schedule()
		bh.Delete()
		wait(w, io.Context)
		before = ran
		bh.Schedule()
		wait(w, io.Context)
		if ran != before || bh.Scheduled() {
			panic("runs after Delete")
		}
		io.Stop()
	})
}

// Deleting a bottom half while it runs and schedules itself ends it: it is
// called once more at most, if that call was under way.
func TestSimulatedDeleteWhileRunning(t *testing.T) {
	explore(t, func(w *sched.World) {
		io := aio.NewIOThread(w, "io")
		var bh *aio.BH
		ran := 0
		bh = io.BH("four times", func() {
			ran++
			if ran < 4 {
				bh.Schedule()
			}
			w.Point("runs")
			if ran < 4 {
				bh.Schedule()
			}
		})
		bh.Schedule()
		w.Point("runs meanwhile")
		bh.Delete()
		before := ran
		wait(w, io.Context)
		if ran > before+1 || bh.Scheduled() {
			panic(fmt.Sprintf("runs %d times after Delete", ran-before))
		}
		io.Stop()
	})
}

// A coroutine that moves between loops and is woken from a third thread, often
// before it has yielded, goes on where it should, once for each wake.
func TestSimulatedWakeAndMove(t *testing.T) {
	explore(t, func(w *sched.World) {
		a, b := aio.NewIOThread(w, "a"), aio.NewIOThread(w, "b")
		var where string // the context that runs the coroutine
		here := func(co *coro.Co, want string) {
			if co.Home().Name() != want || where != "" {
				panic(fmt.Sprintf("runs in %s and in %q", co.Home().Name(), where))
			}
			where = want
			w.Point("runs in " + want)
			where = ""
		}
		done := w.NewParker().For("the traveller")
		a.Spawn("traveller", func(co *coro.Co) {
			here(co, "a")
			aio.MoveTo(co, b.Context)
			here(co, "b")
			w.Go("waker", func(*sched.Thread) { aio.Wake(co) })
			co.Yield()
			here(co, "b")
			aio.MoveTo(co, a.Context)
			here(co, "a")
			done.Unpark()
		})
		done.Park(sched.Forever)
		b.Stop()
		a.Stop()
		if a.Coroutines()+b.Coroutines() != 0 {
			panic("a coroutine is left")
		}
	})
}

// A waiting coroutine may be scheduled in another loop by whoever was to wake
// it, and lives there from then on.
func TestSimulatedScheduleElsewhere(t *testing.T) {
	explore(t, func(w *sched.World) {
		a, b := aio.NewIOThread(w, "a"), aio.NewIOThread(w, "b")
		yielded, done := w.NewParker().For("its yield"), w.NewParker().For("its end")
		co := a.Spawn("co", func(co *coro.Co) {
			a.OneShot("yielded", yielded.Unpark)
			co.Yield()
			if co.Home() != coro.Home(b.Context) {
				panic("not at home in b")
			}
			done.Unpark()
		})
		yielded.Park(sched.Forever)
		b.Schedule(co)
		done.Park(sched.Forever)
		a.Stop()
		b.Stop()
	})
}

// Arming, cancelling, starting a clock and notifying, from other threads, while
// the loop waits for a later timer: each timer fires once, not before its
// time, and not much later.
func TestSimulatedTimers(t *testing.T) {
	const second, soon, slack = 1_000_000_000, 50_000, 200 * sched.Step
	explore(t, func(w *sched.World) {
		c := aio.NewContext(w, "c", nil)
		realtime, virtual := aio.NewClock(w, true), aio.NewClock(w, false)
		fired := 0
		near := c.Timer(realtime, func() {
			if late := realtime.Now() - soon; late < 0 || late > slack {
				panic(fmt.Sprintf("fires %d ns late", late))
			}
			fired++
		})
		frozen := c.Timer(virtual, func() { fired++ })
		never := c.Timer(realtime, func() { panic("a cancelled timer fires") })
		c.Timer(realtime, func() {}).Arm(second)
		never.Arm(soon)
		frozen.Arm(1)
		w.Go("arms", func(*sched.Thread) { near.Arm(soon) })
		w.Go("starts", func(*sched.Thread) { virtual.Start() })
		w.Go("cancels", func(*sched.Thread) { never.Cancel(); c.Notify() })
		c.WaitWhile(func() bool { return fired < 2 })
		if w.Now() >= second {
			panic("waited for the last timer")
		}
	})
}

// Starting or advancing a clock ends the wait for its timers.
func TestSimulatedClocks(t *testing.T) {
	explore(t, func(w *sched.World) {
		c := aio.NewContext(w, "c", nil)
		frozen, stepped := aio.NewClock(w, false), aio.NewSteppedClock(w)
		fired := 0
		c.Timer(frozen, func() { fired++ }).Arm(10)
		c.Timer(stepped, func() { fired++ }).Arm(10)
		w.Go("starts", func(*sched.Thread) { frozen.Start() })
		w.Go("advances", func(*sched.Thread) { stepped.Advance(5); stepped.Advance(5) })
		c.WaitWhile(func() bool { return fired < 2 })
	})
}

// A worker that leaves because it has waited long enough does not take a job
// with it.
func TestSimulatedPool(t *testing.T) {
	const linger = 12 * sched.Step
	explore(t, func(w *sched.World) {
		c := aio.NewContext(w, "c", nil)
		clock := aio.NewClock(w, true)
		p := aio.NewPool(w, 1)
		p.SetLinger(linger)
		left := 2
		for i := range 2 {
			c.Spawn("co", func(co *coro.Co) {
				for range 3 {
					p.Run(co, func() { w.Point("works") })
					aio.Sleep(co, clock, linger+int64(i)*sched.Step)
				}
				left--
			})
		}
		c.WaitWhile(func() bool { return left > 0 })
		p.Close()
	})
}

// A time limit and what it limits, at the same time: the coroutine is woken
// once and told one of the two.
func TestSimulatedTimeout(t *testing.T) {
	const limit = 10 * sched.Step
	explore(t, func(w *sched.World) {
		io := aio.NewIOThread(w, "io")
		clock := aio.NewClock(w, true)
		var ready coro.Event
		done := w.NewParker().For("the operation")
		io.Spawn("operation", func(co *coro.Co) {
			err := aio.WithTimeout(co, clock, limit, func() error { return ready.WaitCancelable(co) })
			if err != nil && !errors.Is(err, aio.ErrTimeout) {
				panic(err)
			}
			if e := co.Err(); e != nil {
				panic("the coroutine is cancelled beyond the time limit")
			}
			ready.Wait(co)
			done.Unpark()
		})
		for range 4 {
			w.Point("works")
		}
		ready.Set()
		done.Park(sched.Forever)
		io.Stop()
	})
}

// What was scheduled before Stop runs; nothing waits for ever on what comes
// later; coroutines that wait are ended.
func TestSimulatedStop(t *testing.T) {
	explore(t, func(w *sched.World) {
		io := aio.NewIOThread(w, "io")
		clock := aio.NewClock(w, true)
		ran, undone := false, 0
		io.OneShot("before", func() { ran = true })
		waker := w.NewParker().For("a sleeper")
		io.Spawn("sleeper", func(co *coro.Co) {
			defer func() { undone++ }()
			waker.Unpark()
			aio.Sleep(co, clock, 1_000_000)
			panic("slept on")
		})
		waker.Park(sched.Forever)
		late := w.Go("late", func(*sched.Thread) {
			io.OneShot("late", func() {})
			io.Spawn("late", func(*coro.Co) {})
		})
		io.Stop()
		late.Join()
		if !ran || undone != 1 || io.Coroutines() != 0 {
			panic(fmt.Sprintf("ran %v, undone %d, left %d", ran, undone, io.Coroutines()))
		}
	})
}

// An object that lives in one loop moves to another by taking down what it has
// there and making it anew here, each in the loop's own thread.
func TestSimulatedObjectMoves(t *testing.T) {
	explore(t, func(w *sched.World) {
		a, b := aio.NewIOThread(w, "a"), aio.NewIOThread(w, "b")
		main := aio.NewContext(w, "main", nil)
		queued, handled := 0, 0
		home := "a"
		handle := func(where string) func() {
			return func() {
				if home != where {
					panic("handled in " + where + ", at home in " + home)
				}
				w.Point("handles")
				handled, queued = handled+queued, 0
			}
		}
		source := a.Source("object", handle("a"))
		guest := w.Go("guest", func(*sched.Thread) {
			for range 2 {
				queued++
				source.Signal()
			}
		})
		main.RunIn(a.Context, func() { source.Delete(); home = "" })
		main.RunIn(b.Context, func() {
			home, source = "b", b.Source("object", handle("b"))
			source.Signal() // for what came in between
		})
		guest.Join()
		wait(w, b.Context)
		if handled != 2 {
			panic(fmt.Sprintf("handled %d of 2", handled))
		}
		a.Stop()
		b.Stop()
	})
}

// Equal schedules give equal runs: nothing depends on a map's order, nor on
// what runs elsewhere in the process.
func TestSimulationIsDeterministic(t *testing.T) {
	program := func(log *[]string) func(w *sched.World) {
		return func(w *sched.World) {
			c := aio.NewContext(w, "c", nil)
			clocks := []*aio.Clock{aio.NewClock(w, true), aio.NewHostClock(w), aio.NewSteppedClock(w)}
			for i := range 12 {
				clock := clocks[i%3]
				c.Timer(clock, func() { *log = append(*log, fmt.Sprint("timer", i)) }).Arm(clock.Now() + int64(i/6)*100)
			}
			clocks[2].Advance(1000)
			for i := range 4 {
				c.Spawn("co", func(co *coro.Co) {
					aio.Sleep(co, clocks[0], int64(100*(i%2)))
					*log = append(*log, fmt.Sprint("co", i))
				})
			}
			c.WaitWhile(func() bool { return len(*log) < 16 })
		}
	}
	for run := range 20 {
		var one, two []string
		sched.Simulate(sched.Options{Chooser: sched.Random(uint64(run), 3)}, program(&one), nil)
		sched.Simulate(sched.Options{Chooser: sched.Random(uint64(run), 3)}, program(&two), nil)
		if len(one) != 16 || !slices.Equal(one, two) {
			t.Fatalf("run %d: %v, then %v", run, one, two)
		}
	}
}
