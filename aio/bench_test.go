package aio_test

import (
	"runtime"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/backplane-vm/backplane/aio"
	"github.com/backplane-vm/backplane/coro"
	"github.com/backplane-vm/backplane/internal/bql"
	"github.com/backplane-vm/backplane/internal/sched"
)

// reportMedian reports the median of what was measured.
func reportMedian(b *testing.B, took []time.Duration) {
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2]), "median-ns/op")
	b.ReportMetric(float64(took[len(took)*99/100]), "p99-ns/op")
}

// blocked waits until a poller waits in c, for long enough that it sleeps.
func blocked(c *aio.Context) {
	for c.Waiting() == 0 {
		runtime.Gosched()
	}
	for began := time.Now(); time.Since(began) < 2*time.Microsecond; {
		runtime.Gosched()
	}
}

// BenchmarkWake is the time from scheduling something in a context whose thread
// waits to its first instruction there, median and 99th percentile: a bottom
// half and a coroutine for an iothread blocked in Poll; a bottom half, and a
// condition told by Notify, for a vCPU blocked in a nested poll, with the BQL,
// while the main loop waits as well. The waker waits itself next, as those do
// who have handed something over, so Go runs the woken thread in its place.
func BenchmarkWake(b *testing.B) {
	benchmarkWake(b, func(arrived *atomic.Int64) {
		for arrived.Load() == 0 {
			runtime.Gosched()
		}
	})
}

// BenchmarkWakeFromBusy is the same where the waker goes on computing, so that
// the woken thread needs another processor, which the operating system wakes.
// Its figures mean something on a machine that has two to spare.
func BenchmarkWakeFromBusy(b *testing.B) {
	benchmarkWake(b, func(arrived *atomic.Int64) {
		for arrived.Load() == 0 {
		}
	})
}

func benchmarkWake(b *testing.B, pass func(arrived *atomic.Int64)) {
	var arrived atomic.Int64 // ns since base
	base := time.Now()
	measure := func(b *testing.B, c *aio.Context, wake func()) {
		b.Helper()
		b.ReportAllocs()
		var took []time.Duration
		for b.Loop() {
			blocked(c)
			arrived.Store(0)
			left := time.Since(base)
			wake()
			pass(&arrived)
			took = append(took, time.Duration(arrived.Load())-left)
		}
		reportMedian(b, took)
	}
	arrive := func() { arrived.Store(int64(time.Since(base))) }

	b.Run("Poll/BH", func(b *testing.B) {
		io := aio.NewIOThread(sched.NewWorld(), "io")
		defer io.Stop()
		measure(b, io.Context, io.BH("bh", arrive).Schedule)
	})
	b.Run("Poll/coroutine", func(b *testing.B) {
		io := aio.NewIOThread(sched.NewWorld(), "io")
		defer io.Stop()
		co := io.Spawn("co", func(co *coro.Co) {
			for {
				co.Yield()
				arrive()
			}
		})
		measure(b, io.Context, co.Wake)
	})
	nested := func(b *testing.B, wake func(c *aio.Context, flag *atomic.Bool) func()) {
		w := sched.NewWorld()
		lock := bql.New(w)
		loop := aio.NewMainLoop(w, lock)
		main := w.Go("main", loop.Run)
		var flag, stop atomic.Bool
		vcpu := w.Go("vcpu", func(t *sched.Thread) {
			lock.Lock(t, "mmio")
			defer lock.Unlock(t)
			loop.Main.WaitWhile(func() bool {
				if flag.CompareAndSwap(true, false) {
					arrive()
				}
				return !stop.Load()
			})
		})
		measure(b, loop.Main, wake(loop.Main, &flag))
		stop.Store(true)
		loop.Main.Notify()
		vcpu.Join()
		loop.Stop()
		main.Join()
	}
	b.Run("WaitWhile/BH", func(b *testing.B) {
		nested(b, func(c *aio.Context, _ *atomic.Bool) func() { return c.BH("bh", arrive).Schedule })
	})
	b.Run("WaitWhile/Notify", func(b *testing.B) {
		nested(b, func(c *aio.Context, flag *atomic.Bool) func() {
			return func() { flag.Store(true); c.Notify() }
		})
	})
}

// BenchmarkMove is a coroutine's way to an iothread and back, two wakes.
func BenchmarkMove(b *testing.B) {
	b.ReportAllocs()
	w := sched.NewWorld()
	main := aio.NewContext(w, "main", nil)
	io := aio.NewIOThread(w, "io")
	defer io.Stop()
	n := 0
	stop := false
	main.Spawn("ball", func(co *coro.Co) {
		for !stop {
			aio.MoveTo(co, io.Context)
			aio.MoveTo(co, main)
			n++
		}
	})
	at := 0
	again := func() bool { return n == at }
	for b.Loop() {
		at = n
		main.WaitWhile(again)
	}
	stop = true
	main.WaitWhile(func() bool { return main.Coroutines() > 0 })
}

// BenchmarkBH schedules a bottom half and runs it, in one thread.
func BenchmarkBH(b *testing.B) {
	b.ReportAllocs()
	c := aio.NewContext(sched.NewWorld(), "c", nil)
	ran := 0
	bh := c.BH("bh", func() { ran++ })
	n := 0
	for b.Loop() {
		bh.Schedule()
		c.Poll(false)
		n++
	}
	if ran != n {
		b.Errorf("%d of %d ran", ran, n)
	}
}

// BenchmarkOneShot is the same with one that is made for the occasion.
func BenchmarkOneShot(b *testing.B) {
	b.ReportAllocs()
	c := aio.NewContext(sched.NewWorld(), "c", nil)
	f := func() {}
	for b.Loop() {
		c.OneShot("once", f)
		c.Poll(false)
	}
}

// BenchmarkTimer arms a timer that is due and runs it, among others that are
// not.
func BenchmarkTimer(b *testing.B) {
	b.ReportAllocs()
	w := sched.NewWorld()
	c := aio.NewContext(w, "c", nil)
	clock := aio.NewClock(w, true)
	for i := range 16 {
		c.Timer(clock, func() {}).Arm(clock.Now() + int64(i+1)*int64(time.Hour))
	}
	fired := 0
	t := c.Timer(clock, func() { fired++ })
	n := 0
	for b.Loop() {
		t.Arm(0)
		c.Poll(false)
		n++
	}
	if fired != n {
		b.Errorf("%d of %d fired", fired, n)
	}
}

// BenchmarkEnter is a coroutine's round trip through its context's queue: a
// wake, an entry, a yield.
func BenchmarkEnter(b *testing.B) {
	b.ReportAllocs()
	c := aio.NewContext(sched.NewWorld(), "c", nil)
	co := c.Spawn("co", func(co *coro.Co) {
		for {
			co.Yield()
		}
	})
	c.Poll(false)
	for b.Loop() {
		co.Wake()
		c.Poll(false)
	}
	b.StopTimer()
	c.Close()
}

// BenchmarkPool is a job's way to a worker and back to its coroutine.
func BenchmarkPool(b *testing.B) {
	b.ReportAllocs()
	w := sched.NewWorld()
	c := aio.NewContext(w, "c", nil)
	p := aio.NewPool(w, 1)
	n := 0
	c.Spawn("co", func(co *coro.Co) {
		for f := func() {}; ; n++ {
			p.Run(co, f)
		}
	})
	at := 0
	again := func() bool { return n == at }
	for b.Loop() {
		at = n
		c.WaitWhile(again)
	}
	b.StopTimer()
	c.Close()
	p.Close()
}
