package rcu_test

import (
	"slices"
	"testing"

	"github.com/backplane-vm/backplane/internal/sched"
	"github.com/backplane-vm/backplane/internal/sched/schedtest"
	"github.com/backplane-vm/backplane/rcu"
)

// simulatedRuns is how many schedules of each program are tried: a few tenths of
// a second.
const simulatedRuns = 5000

// Readers never see what an updater has poisoned after a grace period, by
// waiting for one or by a callback; nobody waits for ever.
func TestSimulated(t *testing.T) {
	schedtest.Explore(t, simulatedRuns, func(w *sched.World) {
		d := rcu.New(rcu.Options{World: w})
		objects := make([]bool, 5) // true while poisoned
		current := 0
		for range 2 {
			w.Go("reader", func(*sched.Thread) {
				r := d.Register("reader")
				defer r.Unregister()
				for range 2 {
					r.Lock()
					mine := current
					w.Point("reads")
					if objects[mine] {
						panic("a reader has a poisoned object")
					}
					r.Unlock()
				}
			})
		}
		for i := 1; i < len(objects); i++ {
			old := current
			w.Point("updates")
			current = i
			if i%2 == 0 {
				d.Synchronize()
				objects[old] = true
			} else {
				d.Call(func() { objects[old] = true })
			}
		}
		d.Drain(nil, nil)
		if !objects[0] || !objects[2] {
			panic("a callback has not run when Drain returns")
		}
		d.Close()
	})
}

// Callbacks run in the order of their calls, also those that callbacks queue.
func TestSimulatedOrder(t *testing.T) {
	schedtest.Explore(t, simulatedRuns, func(w *sched.World) {
		d := rcu.New(rcu.Options{World: w})
		var outer, inner []int // each is the order of one caller
		for i := range 4 {
			d.Call(func() {
				outer = append(outer, i)
				d.Call(func() { inner = append(inner, i) })
			})
		}
		d.Close()
		if want := []int{0, 1, 2, 3}; !slices.Equal(outer, want) || !slices.Equal(inner, want) {
			panic("callbacks ran out of order")
		}
	})
}

// A reader that leaves its section only when it is asked to is asked, however
// late somebody gets in a hurry.
func TestSimulatedKick(t *testing.T) {
	schedtest.Explore(t, simulatedRuns, func(w *sched.World) {
		d := rcu.New(rcu.Options{World: w})
		inside := w.NewParker().For("a reader inside")
		w.Go("hart", func(*sched.Thread) {
			kick := w.NewParker().For("a kick")
			r := d.Register("hart")
			defer r.Unregister()
			r.OnWait(kick.Unpark)
			r.Lock()
			inside.Unpark()
			kick.Park(sched.Forever)
			r.Unlock()
		})
		inside.Park(sched.Forever)
		d.Call(func() {}) // nobody waits for this one
		w.Point("works on")
		d.Drain(nil, nil)
		d.Close()
	})
}
