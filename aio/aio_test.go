package aio_test

import (
	"slices"
	"sync/atomic"
	"testing"

	"github.com/backplane-vm/backplane/aio"
	"github.com/backplane-vm/backplane/coro"
	"github.com/backplane-vm/backplane/internal/bql"
	"github.com/backplane-vm/backplane/internal/sched"
)

func TestBottomHalves(t *testing.T) {
	c := aio.NewContext(sched.NewWorld(), "c", nil)
	var log []string
	say := func(s string) func() { return func() { log = append(log, s) } }
	a, b, d := c.BH("a", say("a")), c.BH("b", say("b")), c.BH("d", say("d"))
	var self *aio.BH
	self = c.BH("self", func() { log = append(log, "self"); self.Delete(); self.Schedule() })
	a.Schedule()
	a.Schedule() // once only
	b.Schedule()
	b.Cancel()
	d.Schedule()
	d.Delete()
	d.Schedule() // deleted: nothing
	self.Schedule()
	c.OneShot("once", say("once"))
	for c.Poll(false) {
	}
	b.Schedule() // cancelled ones can be scheduled again
	for c.Poll(false) {
	}
	if want := []string{"a", "self", "once", "b"}; !slices.Equal(log, want) {
		t.Errorf("ran %v, want %v", log, want)
	}
}

// A nested poll goes on with what the outer one had not run yet.
func TestNestedPollRunsTheRest(t *testing.T) {
	c := aio.NewContext(sched.NewWorld(), "c", nil)
	var log []string
	second := false
	c.OneShot("first", func() {
		log = append(log, "first{")
		c.WaitWhile(func() bool { return !second })
		log = append(log, "}")
	})
	c.OneShot("second", func() { log = append(log, "second"); second = true })
	c.Poll(false)
	if want := []string{"first{", "second", "}"}; !slices.Equal(log, want) {
		t.Errorf("ran %v, want %v", log, want)
	}
}

func TestTimers(t *testing.T) {
	w := sched.NewWorld()
	c := aio.NewContext(w, "c", nil)
	real, virtual := aio.NewClock(w, true), aio.NewClock(w, false)
	var log []string
	late := c.Timer(real, func() { log = append(log, "late") })
	soon := c.Timer(real, func() { log = append(log, "soon") })
	never := c.Timer(real, func() { log = append(log, "never") })
	frozen := c.Timer(virtual, func() { log = append(log, "frozen") })
	now := real.Now()
	late.Arm(now + 2_000_000)
	soon.Arm(now + 1_000_000)
	never.Arm(now + 500_000)
	frozen.Arm(0)
	never.Cancel()
	if never.Armed() || !frozen.Armed() {
		t.Errorf("armed: never %v, frozen %v; want false, true", never.Armed(), frozen.Armed())
	}
	c.WaitWhile(func() bool { return len(log) < 2 })
	if want := []string{"soon", "late"}; !slices.Equal(log, want) {
		t.Fatalf("fired %v, want %v", log, want)
	}
	w.Go("starter", func(*sched.Thread) { virtual.Start() }) // must wake the wait
	c.WaitWhile(func() bool { return len(log) < 3 })
	virtual.Stop()
	at := virtual.Now()
	if virtual.Running() || virtual.Now() != at {
		t.Error("a stopped clock moves")
	}
}

func TestCoroutinesAcrossContexts(t *testing.T) {
	w := sched.NewWorld()
	main := aio.NewContext(w, "main", nil)
	io := aio.NewIOThread(w, "io")
	defer io.Stop()
	done := false
	var homes []string
	main.Spawn("traveller", func(co *coro.Co) {
		for range 3 {
			homes = append(homes, co.Home().Name())
			aio.MoveTo(co, io.Context)
			homes = append(homes, co.Home().Name())
			aio.MoveTo(co, main)
		}
		done = true
	})
	main.WaitWhile(func() bool { return !done })
	if want := []string{"main", "io", "main", "io", "main", "io"}; !slices.Equal(homes, want) {
		t.Errorf("homes %v, want %v", homes, want)
	}
	if n := main.Coroutines(); n != 0 {
		t.Errorf("%d coroutines left", n)
	}
}

func TestPool(t *testing.T) {
	w := sched.NewWorld()
	c := aio.NewContext(w, "c", nil)
	p := aio.NewPool(w, 2)
	var running, most atomic.Int32
	left := 20
	for range 20 {
		c.Spawn("req", func(co *coro.Co) {
			p.Run(co, func() {
				n := running.Add(1)
				for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
				}
				running.Add(-1)
			})
			left--
		})
	}
	c.WaitWhile(func() bool { return left > 0 })
	p.Close()
	if most.Load() > 2 {
		t.Errorf("%d workers at once, want at most 2", most.Load())
	}
	if live := w.Live(); len(live) != 0 {
		t.Errorf("threads left: %v", live)
	}
}

// What the outer loop alone serves must not run from a nested poll, on
// whichever thread that is.
func TestMainLoopKeepsIOHandlerForItself(t *testing.T) {
	w := sched.NewWorld()
	lock := bql.New(w)
	loop := aio.NewMainLoop(w, lock)
	main := w.Go("main", loop.Run)
	var order []string
	vcpu := w.Go("vcpu", func(th *sched.Thread) {
		lock.Lock(th, "mmio")
		waited := false
		loop.IOHandler.OneShot("command", func() { order = append(order, "command") })
		loop.Main.OneShot("io", func() { order = append(order, "io"); waited = true })
		loop.Main.WaitWhile(func() bool { return !waited })
		order = append(order, "mmio done")
		lock.Unlock(th)
	})
	vcpu.Join()
	done := make(chan struct{})
	loop.IOHandler.OneShot("end", func() { close(done) })
	<-done
	loop.Stop()
	main.Join()
	if want := []string{"io", "mmio done", "command"}; !slices.Equal(order, want) {
		t.Errorf("order %v, want %v", order, want)
	}
}

func TestPollWithoutTheLockPanics(t *testing.T) {
	w := sched.NewWorld()
	loop := aio.NewMainLoop(w, bql.New(w))
	defer func() {
		if recover() == nil {
			t.Error("no panic")
		}
	}()
	loop.Main.Poll(false)
}

func TestCloseEndsCoroutines(t *testing.T) {
	c := aio.NewContext(sched.NewWorld(), "c", nil)
	undone := 0
	for range 5 {
		c.Spawn("stuck", func(co *coro.Co) {
			defer func() { undone++ }()
			co.Yield()
			t.Error("went on")
		})
	}
	c.Poll(false)
	c.Close()
	if undone != 5 || c.Coroutines() != 0 {
		t.Errorf("%d deferred functions ran, %d coroutines left; want 5, 0", undone, c.Coroutines())
	}
}

// Who waits for a coroutine hears of its end whether it was entered, waits, or
// comes too late to begin.
func TestSpawnThen(t *testing.T) {
	c := aio.NewContext(sched.NewWorld(), "c", nil)
	var log []string
	spawn := func(name string, f func(co *coro.Co)) {
		c.SpawnThen(name, func(co *coro.Co) { log = append(log, name); f(co) }, func() { log = append(log, "end of "+name) })
	}
	spawn("one", func(*coro.Co) {})
	spawn("waiting", func(co *coro.Co) { co.Yield() })
	for c.Poll(false) {
	}
	spawn("queued", func(*coro.Co) {})
	c.Close()
	spawn("late", func(*coro.Co) {})
	want := []string{"one", "end of one", "waiting", "end of waiting", "end of queued", "end of late"}
	if !slices.Equal(log, want) {
		t.Errorf("got %v, want %v", log, want)
	}
}
