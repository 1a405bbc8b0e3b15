package schedtest

import (
	"strings"
	"testing"

	"github.com/backplane-vm/backplane/internal/sched"
)

// inversion is two threads that take two locks in opposite orders: a deadlock
// in few schedules.
func inversion(w *sched.World) {
	var a, b sched.Mutex
	a.Init(w, "a")
	b.Init(w, "b")
	w.Go("other", func(*sched.Thread) {
		b.Lock()
		defer b.Unlock()
		a.Lock()
		defer a.Unlock()
	})
	a.Lock()
	defer a.Unlock()
	b.Lock()
	defer b.Unlock()
}

// What is explored is as much as was asked for, and no two threads in one
// order are a deadlock.
func TestExplore(t *testing.T) {
	ran := 0
	Explore(t, 100, func(w *sched.World) {
		ran++
		var mu sched.Mutex
		mu.Init(w, "a")
		for range 2 {
			w.Go("t", func(*sched.Thread) { mu.Lock(); defer mu.Unlock() })
		}
	})
	want := 100
	if raceDetector {
		want /= raceShare
	}
	if *scale == 1 && *replay == "" && ran != want {
		t.Errorf("%d runs, want %d", ran, want)
	}
}

// A schedule that fails is found, is shortened, and fails again.
func TestFailure(t *testing.T) {
	found := ""
	for n := range uint64(1000) {
		out := sched.Simulate(sched.Options{Chooser: sched.Random(n, 2)}, inversion, nil)
		if out.Failure != nil {
			found = sched.ScheduleOf(out.Choices).String()
			break
		}
	}
	s, err := sched.ParseSchedule(found)
	if err != nil || found == "" {
		t.Fatalf("found %q: %v", found, err)
	}
	out := sched.Simulate(sched.Options{Chooser: sched.Replay(s), Log: true}, inversion, nil)
	if out.Failure == nil || out.Failure.Kind != sched.Deadlock || !strings.Contains(strings.Join(out.Log, "\n"), "FAILS deadlock") {
		t.Errorf("the replay of %s: %v", found, out.Failure)
	}
}
