package coro_test

import (
	"iter"
	"slices"
	"testing"
	"time"

	"github.com/backplane-vm/backplane/coro"
	"github.com/backplane-vm/backplane/internal/sched"
)

// forever is a coroutine that yields whenever it is entered.
func forever() *coro.Co {
	co := coro.New("bench", func(co *coro.Co) {
		for {
			co.Yield()
		}
	})
	co.SetWorld(sched.NewWorld())
	return co
}

func median(of []float64) float64 {
	slices.Sort(of)
	return of[len(of)/2]
}

// BenchmarkRoundTrip is entering a coroutine and its yield, by turns with the
// same through a bare iter.Pull, the peer; x-iter.Pull is how many times as
// long ours takes, the median of many short comparisons, so that what else the
// machine does hits both.
func BenchmarkRoundTrip(b *testing.B) {
	b.ReportAllocs()
	const batch = 200
	co := forever()
	next, stop := iter.Pull(func(yield func(struct{}) bool) {
		for yield(struct{}{}) {
		}
	})
	var ratios, ours, theirs []float64
	for b.Loop() {
		began := time.Now()
		for range batch {
			co.Enter()
		}
		between := time.Now()
		for range batch {
			next()
		}
		our, their := float64(between.Sub(began)), float64(time.Since(between))
		ours, theirs, ratios = append(ours, our/batch), append(theirs, their/batch), append(ratios, our/their)
	}
	b.StopTimer()
	co.Kill()
	stop()
	b.ReportMetric(median(ratios), "x-iter.Pull")
	b.ReportMetric(median(ours), "ns/trip")
	b.ReportMetric(median(theirs), "ns/pull")
}

// BenchmarkEnterYield is the round trip alone.
func BenchmarkEnterYield(b *testing.B) {
	b.ReportAllocs()
	co := forever()
	for b.Loop() {
		co.Enter()
	}
	b.StopTimer()
	co.Kill()
}

// BenchmarkSpawn is a coroutine's life: made, entered, woken once, ended. The
// second kind is what a pool of parked coroutines could make of it at best: one
// that is given the next thing to do. See the package comment on why there is
// no pool.
func BenchmarkSpawn(b *testing.B) {
	b.Run("new", func(b *testing.B) {
		b.ReportAllocs()
		f := func(co *coro.Co) { co.Yield() }
		for b.Loop() {
			co := coro.New("bench", f)
			co.Enter()
			co.Enter()
		}
	})
	b.Run("reused", func(b *testing.B) {
		b.ReportAllocs()
		f := func(co *coro.Co) { co.Yield() }
		var work func(co *coro.Co)
		co := coro.New("bench", func(co *coro.Co) {
			for {
				work(co)
				co.Yield()
			}
		})
		for b.Loop() {
			work = f
			co.Enter()
			co.Enter()
		}
		b.StopTimer()
		co.Kill()
	})
}

// BenchmarkMutex is a lock and unlock that nobody contends, and a hand-over.
func BenchmarkMutex(b *testing.B) {
	b.Run("free", func(b *testing.B) {
		b.ReportAllocs()
		var m coro.Mutex
		co := coro.New("bench", func(co *coro.Co) {
			for b.Loop() {
				m.Lock(co)
				m.Unlock(co)
			}
		})
		co.Enter()
	})
	b.Run("handed over", func(b *testing.B) {
		b.ReportAllocs()
		var q ring
		var m coro.Mutex
		stop := false
		user := func(co *coro.Co) {
			for !stop {
				m.Lock(co)
				co.Wake()
				co.Yield()
				m.Unlock(co)
			}
		}
		q.spawn(coro.New("a", user))
		q.spawn(coro.New("b", user))
		for b.Loop() {
			q.step()
		}
		stop = true
		for q.n > 0 {
			q.step()
		}
	})
}

// ring is a queue of two that does not allocate.
type ring struct {
	cos      [2]*coro.Co
	first, n int
}

func (q *ring) Name() string { return "ring" }
func (q *ring) Schedule(co *coro.Co) {
	co.MarkScheduled("ring")
	q.cos[(q.first+q.n)%2] = co
	q.n++
}
func (q *ring) spawn(co *coro.Co) { co.SetHome(q); q.Schedule(co) }
func (q *ring) step() {
	co := q.cos[q.first]
	q.first, q.n = 1-q.first, q.n-1
	co.Enter()
}
