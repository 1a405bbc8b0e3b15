package aio_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"testing"

	"github.com/backplane-vm/backplane/aio"
	"github.com/backplane-vm/backplane/coro"
	"github.com/backplane-vm/backplane/internal/sched"
)

// Real threads, for the race detector and for what only they bring about.
func TestStress(t *testing.T) {
	w := sched.NewWorld()
	travel(w, 12, 150)
	if live := w.Live(); len(live) != 0 {
		t.Errorf("threads left: %v", live)
	}
}

// The same in the simulator, smaller.
func TestSimulatedStress(t *testing.T) {
	for run := range 200 {
		ch := sched.Random(uint64(run), []int{8, 2, 16, 3}[run%4])
		out := sched.Simulate(sched.Options{Chooser: ch}, func(w *sched.World) { travel(w, 4, 12) }, nil)
		if out.Failure != nil {
			t.Fatalf("run %d, schedule %v: %v", run, sched.ScheduleOf(out.Choices), out.Failure)
		}
	}
}

// travel has coroutines travel between three loops and do what coroutines do,
// and bottom halves scheduled and cancelled from everywhere. It panics if
// something is lost or left.
func travel(w *sched.World, travellers, steps int) {
	clock := aio.NewClock(w, true)
	pool := aio.NewPool(w, 2)
	var loops []*aio.IOThread
	for _, name := range []string{"one", "two", "three"} {
		loops = append(loops, aio.NewIOThread(w, name))
	}
	var m coro.Mutex
	var l coro.RWLock
	permits := coro.NewSemaphore(2)
	guarded := 0 // by m
	var ran atomic.Int64
	var bhs []*aio.BH
	for _, io := range loops {
		bhs = append(bhs, io.BH("bh", func() { ran.Add(1) }))
	}
	step := func(co *coro.Co, r *rand.Rand) {
		switch r.IntN(8) {
		case 0, 1:
			aio.MoveTo(co, loops[r.IntN(len(loops))].Context)
		case 2:
			aio.Sleep(co, clock, r.Int64N(20_000))
		case 3:
			pool.Run(co, func() { ran.Add(1) })
		case 4:
			m.Lock(co)
			guarded++
			m.Unlock(co)
		case 5:
			if r.IntN(3) > 0 {
				l.RLock(co)
				l.RUnlock(co)
				break
			}
			l.Lock(co)
			aio.Sleep(co, clock, 1000)
			l.Unlock(co)
		case 6:
			bh := bhs[r.IntN(len(bhs))]
			if bh.Schedule(); r.IntN(2) == 0 {
				bh.Cancel()
			}
		case 7:
			err := aio.WithTimeout(co, clock, r.Int64N(10_000), func() error {
				if err := permits.AcquireCancelable(co, 2); err != nil {
					return err
				}
				defer permits.Release(2)
				return aio.SleepCancelable(co, clock, r.Int64N(10_000))
			})
			if err != nil && !errors.Is(err, aio.ErrTimeout) {
				panic(err)
			}
		}
	}
	left := atomic.Int64{}
	left.Store(int64(travellers))
	done := w.NewParker()
	for i := range travellers {
		loops[i%len(loops)].Spawn("traveller", func(co *coro.Co) {
			r := rand.New(rand.NewPCG(uint64(i), 1))
			for range steps {
				step(co, r)
			}
			if left.Add(-1) == 0 {
				done.Unpark()
			}
		})
	}
	done.Park(sched.Forever)
	pool.Close()
	for _, io := range loops {
		io.Stop()
		if n := io.Coroutines(); n != 0 {
			panic(fmt.Sprintf("%d coroutines are left in %s", n, io.Name()))
		}
	}
	if !permits.TryAcquire(2) {
		panic("a permit is lost")
	}
	if guarded == 0 || ran.Load() == 0 {
		panic("nothing was done")
	}
}
