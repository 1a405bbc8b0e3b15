package sched_test

import (
	"testing"

	"github.com/backplane-vm/backplane/internal/sched"
	"github.com/backplane-vm/backplane/internal/sched/schedtest"
)

// TestSimulatedGroup: after Join no thread of a group is there, not even one that
// was about to return.
func TestSimulatedGroup(t *testing.T) {
	schedtest.Explore(t, 1000, func(w *sched.World) {
		g := w.NewGroup()
		for range 3 {
			g.Go("member", func(*sched.Thread) { w.Point("works") })
		}
		g.Join()
		if live := w.Live(); len(live) > 0 {
			panic(live)
		}
		g.Join()
	})
}

func TestGroup(t *testing.T) {
	w := sched.NewWorld()
	g := w.NewGroup()
	g.Join()
	for range 2000 {
		for range 3 {
			g.Go("member", func(*sched.Thread) {})
		}
		g.Join()
		if live := w.Live(); len(live) > 0 {
			t.Fatalf("still there: %v", live)
		}
	}
}
