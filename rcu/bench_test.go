package rcu_test

import (
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/backplane-vm/backplane/internal/sched"
	"github.com/backplane-vm/backplane/rcu"
)

var shared atomic.Pointer[int]

// each runs f(b.N) on n threads at once; ns/op is one thread's.
func each(b *testing.B, n int, f func(n int)) {
	b.ReportAllocs()
	w := sched.NewWorld()
	b.ResetTimer()
	for range n {
		w.Go("bench", func(*sched.Thread) { f(b.N) })
	}
	w.Join()
}

func BenchmarkRead(b *testing.B) {
	shared.Store(new(int))
	for _, readers := range []int{1, 2} {
		name := map[int]string{1: "/1", 2: "/2"}[readers]
		for _, symmetric := range []bool{false, true} {
			kind := map[bool]string{false: "rcu", true: "rcu-symmetric"}[symmetric]
			b.Run(kind+name, func(b *testing.B) {
				d := rcu.New(rcu.Options{Symmetric: symmetric})
				defer d.Close()
				each(b, readers, func(n int) {
					r := d.Register("bench")
					defer r.Unregister()
					for range n {
						r.Lock()
						shared.Load()
						r.Unlock()
					}
				})
			})
		}
		b.Run("RWMutex"+name, func(b *testing.B) {
			var mu sync.RWMutex
			each(b, readers, func(n int) {
				for range n {
					mu.RLock()
					shared.Load()
					mu.RUnlock()
				}
			})
		})
		b.Run("atomic.Pointer"+name, func(b *testing.B) {
			each(b, readers, func(n int) {
				for range n {
					shared.Load()
				}
			})
		})
	}
}

// median runs f b.N times and reports the median of its times.
func median(b *testing.B, f func()) {
	b.ReportAllocs()
	times := make([]time.Duration, 0, b.N)
	for b.Loop() {
		began := time.Now()
		f()
		times = append(times, time.Since(began))
	}
	slices.Sort(times)
	b.ReportMetric(float64(times[len(times)/2]), "median-ns")
}

func BenchmarkSynchronizeIdle(b *testing.B) {
	d := rcu.New(rcu.Options{})
	defer d.Close()
	for range 4 {
		defer d.Register("idle").Unregister()
	}
	median(b, d.Synchronize)
}

func BenchmarkCallDrain(b *testing.B) {
	d := rcu.New(rcu.Options{})
	defer d.Close()
	defer d.Register("idle").Unregister()
	median(b, func() {
		d.Call(func() {})
		d.Drain(nil, nil)
	})
}
