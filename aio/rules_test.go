package aio_test

import (
	"strings"
	"testing"

	"github.com/backplane-vm/backplane/aio"
	"github.com/backplane-vm/backplane/coro"
	"github.com/backplane-vm/backplane/internal/bql"
	"github.com/backplane-vm/backplane/internal/sched"
)

// Who breaks a rule is told which, and who it was.
func TestRulesAreAsserted(t *testing.T) {
	w := sched.NewWorld()
	closed := aio.NewContext(w, "closed", nil)
	closed.Close()
	cases := []struct {
		name, want string
		do         func(c, other *aio.Context)
		checked    bool // needs ChecksHome
	}{
		{name: "no lock", want: `context "main" polled by a thread that may not`, do: func(*aio.Context, *aio.Context) {
			aio.NewMainLoop(w, bql.New(w)).Main.Poll(false)
		}},
		{name: "closed", want: `context "closed" polled after it was closed`, do: func(*aio.Context, *aio.Context) {
			closed.Poll(false)
		}},
		{name: "run in closed", want: `RunIn on context "closed", which is closed`, do: func(c, _ *aio.Context) {
			c.RunIn(closed, func() {})
		}},
		{name: "coroutine polls", want: `coroutine "co" polls context "c"`, do: func(c, _ *aio.Context) {
			c.Spawn("co", func(*coro.Co) { c.WaitWhile(func() bool { return true }) })
			c.Poll(false)
		}},
		{name: "not at home", want: `coroutine "co" is about to be entered from context "c", but its home is "other"`, do: func(c, other *aio.Context) {
			c.Spawn("co", func(*coro.Co) {}).SetHome(other)
			c.Poll(false)
		}},
		{name: "runs elsewhere", want: `coroutine "co" is scheduled in context "other" while it runs in "c"`, do: func(c, other *aio.Context) {
			c.Spawn("co", func(co *coro.Co) { other.Schedule(co) })
			c.Poll(false)
		}},
		{name: "scheduled twice", want: `coro: "co" was already scheduled in "c", now again in "other"`, do: func(c, other *aio.Context) {
			other.Schedule(c.Spawn("co", func(*coro.Co) {}))
		}},
		{name: "homeless", want: `coroutine "co" sleeps but lives in no context`, do: func(c, _ *aio.Context) {
			coro.New("co", func(co *coro.Co) { aio.Sleep(co, aio.NewClock(w, true), 1) }).Enter()
		}},
		{name: "stepped clock started", want: `goes by other rules`, do: func(*aio.Context, *aio.Context) {
			aio.NewSteppedClock(w).Start()
		}},
		{name: "iothread polled from outside", checked: true, want: `context "io" polled from outside its iothread`, do: func(*aio.Context, *aio.Context) {
			io := aio.NewIOThread(w, "io")
			defer io.Stop()
			done := w.NewParker()
			io.OneShot("ready", done.Unpark)
			done.Park(sched.Forever)
			io.Poll(false)
		}},
		{name: "pool closed", want: `Run on a closed Pool`, do: func(c, _ *aio.Context) {
			p := aio.NewPool(w, 1)
			p.Close()
			c.Spawn("co", func(co *coro.Co) { p.Run(co, func() {}) })
			c.Poll(false)
		}},
	}
	for _, c := range cases {
		if c.checked && !aio.ChecksHome {
			continue // in -race and -tags invariants builds only
		}
		t.Run(c.name, func(t *testing.T) {
			defer func() {
				text, _ := recover().(string)
				if !strings.Contains(text, c.want) {
					t.Errorf("panic %q, want %q", text, c.want)
				}
			}()
			c.do(aio.NewContext(w, "c", nil), aio.NewContext(w, "other", nil))
		})
	}
}

// Two threads that poll one context at once, and an iothread that stops itself,
// are found out.
func TestOnlyOnePoller(t *testing.T) {
	out := sched.Simulate(sched.Options{Chooser: sched.Replay(nil)}, func(w *sched.World) {
		c := aio.NewContext(w, "c", nil)
		w.Go("second", func(*sched.Thread) { c.Poll(true) })
		c.Poll(true)
	}, nil)
	if out.Failure == nil || !strings.Contains(out.Failure.Text, `context "c" polled by two threads at once`) {
		t.Errorf("%v", out.Failure)
	}
}

// A coroutine that gave up the lock it is under, as dispatch policies that
// repeat QEMU's history do, is not taken for the thread that has it now.
func TestPollWhileACoroutineDroppedTheLock(t *testing.T) {
	out := sched.Simulate(sched.Options{Chooser: sched.Replay(nil)}, func(w *sched.World) {
		lock := bql.New(w)
		loop := aio.NewMainLoop(w, lock)
		main := w.Go("main", loop.Run)
		dropped, back := w.NewParker(), w.NewParker()
		loop.Main.Spawn("co", func(*coro.Co) {
			lock.Dropped(func() { dropped.Unpark(); back.Park(sched.Forever) })
		})
		dropped.Park(sched.Forever)
		th := w.Adopt("vcpu")
		done := false
		lock.Lock(th, "mmio")
		loop.Main.Spawn("other", func(*coro.Co) { done = true })
		loop.Main.WaitWhile(func() bool { return !done })
		lock.Unlock(th)
		back.Unpark()
		loop.Stop()
		main.Join()
	}, nil)
	if out.Failure != nil {
		t.Error(out.Failure)
	}
}

// What is done to a closed context does nothing, and ends the coroutines that
// come to it.
func TestClosedContext(t *testing.T) {
	w := sched.NewWorld()
	c, other := aio.NewContext(w, "c", nil), aio.NewContext(w, "other", nil)
	clock := aio.NewClock(w, true)
	ran := false
	bh, timer, source := c.BH("bh", func() { ran = true }), c.Timer(clock, func() { ran = true }), c.Source("s", func() { ran = true })
	bh.Schedule()
	timer.Arm(0)
	undone := 0
	waiting := other.Spawn("waits", func(co *coro.Co) {
		defer func() { undone++ }()
		co.Yield()
		t.Error("went on")
	})
	mover := other.Spawn("moves", func(co *coro.Co) {
		defer func() { undone++ }()
		aio.MoveTo(co, c)
		t.Error("moved")
	})
	c.Close()
	bh.Schedule()
	timer.Arm(0)
	source.Signal()
	c.OneShot("once", func() { ran = true })
	if co := c.Spawn("late", func(*coro.Co) { ran = true }); co.State() != coro.Done {
		t.Errorf("a coroutine spawned in a closed context is %v, want done", co.State())
	}
	if bh.Scheduled() || timer.Armed() {
		t.Error("scheduled or armed in a closed context")
	}
	for other.Poll(false) {
	}
	c.Schedule(waiting)
	other.Close()
	other.Close() // again: nothing
	if ran || undone != 2 || mover.State() != coro.Done {
		t.Errorf("ran %v, %d coroutines ended, the one that moves is %v; want false, 2, done", ran, undone, mover.State())
	}
	clock.Stop()
	clock.Start() // tells nobody
}
