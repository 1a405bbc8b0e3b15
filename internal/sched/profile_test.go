package sched

import (
	"strings"
	"testing"
)

// touch takes and releases m.
func touch(m *Mutex) {
	m.Lock()
	defer m.Unlock()
}

// TestProfile: what is profiled has its place, its kind and its wait; what comes
// before and after is not counted.
func TestProfile(t *testing.T) {
	w := NewWorld()
	var m Mutex
	m.Init(w, "m")
	touch(&m)
	w.SetProfiling(true)
	m.Lock()
	wants := make(chan bool)
	waiter := w.Go("waiter", func(*Thread) { close(wants); touch(&m) })
	<-wants
	m.Unlock()
	waiter.Join()
	cond, done := NewCond(&m), false
	m.Lock()
	waiter = w.Go("signals", func(*Thread) { m.Lock(); done = true; cond.Signal(); m.Unlock() })
	for !done {
		cond.Wait()
	}
	m.Unlock()
	waiter.Join()
	m.Lock()
	waiter = w.Go("stops", func(*Thread) { m.Lock(); done = false; w.SetProfiling(false); cond.Signal(); m.Unlock() })
	for done { // a wait whose end is not profiled
		cond.Wait()
	}
	m.Unlock()
	waiter.Join()
	touch(&m)

	kinds := make(map[string]uint64)
	for _, s := range w.Profile() {
		kinds[s.Kind] += s.Count
		if !strings.HasPrefix(s.Where, "internal/sched/profile_test.go:") || s.Waited < 0 || s.Object == 0 {
			t.Errorf("%+v", s)
		}
	}
	if len(kinds) != 2 || kinds["mutex"] != 6 || kinds["condvar"] != 1 {
		t.Error(kinds)
	}
	w.ResetProfile()
	if left := w.Profile(); len(left) != 0 {
		t.Error(left)
	}
}

// TestProfileIsBounded: past the greatest number of sites, objects are not told
// apart, and none of their waits is lost.
func TestProfileIsBounded(t *testing.T) {
	w := NewWorld()
	w.SetProfiling(true)
	const locks = 2 * maxSites
	for range locks {
		m := new(Mutex)
		m.Init(w, "m")
		touch(m)
	}
	sites := w.Profile()
	if n := len(sites); n > maxSites+1 {
		t.Errorf("%d sites", n)
	}
	total := uint64(0)
	for _, s := range sites {
		total += s.Count
	}
	if total != locks {
		t.Errorf("%d of %d", total, locks)
	}
}

// TestProfileOfSimulation: there is none, and the schedule is as without.
func TestProfileOfSimulation(t *testing.T) {
	run := func(profiled bool) []Choice {
		out := Simulate(Options{Chooser: Random(1, 2)}, func(w *World) {
			w.SetProfiling(profiled)
			var m Mutex
			m.Init(w, "m")
			other := w.Go("other", func(*Thread) { touch(&m) })
			touch(&m)
			other.Join()
			if w.Profiling() || len(w.Profile()) != 0 {
				t.Error("a profile")
			}
		}, nil)
		return out.Choices
	}
	if a, b := Hash(run(false)), Hash(run(true)); a != b {
		t.Errorf("schedules %x and %x", a, b)
	}
}

// BenchmarkMutex takes and releases a mutex that nobody else wants.
func BenchmarkMutex(b *testing.B) {
	for _, profiled := range []bool{false, true} {
		b.Run(map[bool]string{false: "plain", true: "profiled"}[profiled], func(b *testing.B) {
			b.ReportAllocs()
			w := NewWorld()
			w.SetProfiling(profiled)
			var m Mutex
			m.Init(w, "bench")
			for b.Loop() {
				touch(&m)
			}
		})
	}
}
