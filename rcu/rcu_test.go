package rcu_test

import (
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/backplane-vm/backplane/aio"
	"github.com/backplane-vm/backplane/coro"
	"github.com/backplane-vm/backplane/internal/sched"
	"github.com/backplane-vm/backplane/rcu"
)

func TestSynchronizeWaitsForReader(t *testing.T) {
	d := rcu.New(rcu.Options{})
	defer d.Close()
	r := d.Register("reader")
	defer r.Unregister()
	r.Lock()
	r.Lock() // nested
	var done atomic.Bool
	finished := make(chan struct{})
	d.Call(func() { done.Store(true); close(finished) })
	r.Unlock()
	if done.Load() {
		t.Error("callback ran inside a nested section")
	}
	if !r.Inside() {
		t.Error("left the outer section with the inner one")
	}
	r.Unlock()
	<-finished
	if d.Periods() == 0 {
		t.Error("no grace period counted")
	}
}

func TestSynchronizeIgnoresLaterReaders(t *testing.T) {
	d := rcu.New(rcu.Options{})
	defer d.Close()
	early, late := d.Register("early"), d.Register("late")
	early.Lock()
	started := d.Periods()
	done := make(chan struct{})
	w := sched.NewWorld()
	w.Go("writer", func(*sched.Thread) { d.Synchronize(); close(done) })
	early.Unlock()
	<-done
	late.Lock() // a section that began after must not be waited for
	d2 := make(chan struct{})
	w.Go("writer", func(*sched.Thread) { late2 := d.Register("x"); late2.Unregister(); close(d2) })
	<-d2
	late.Unlock()
	d.Synchronize()
	if d.Periods() < started+2 {
		t.Errorf("periods %d, want at least %d", d.Periods(), started+2)
	}
	early.Unregister()
	late.Unregister()
}

func TestCallOrderAndNesting(t *testing.T) {
	d := rcu.New(rcu.Options{})
	var got []int
	for i := range 300 { // more than a batch
		d.Call(func() {
			got = append(got, i)
			if i == 299 {
				d.Call(func() { got = append(got, 300) })
			}
		})
	}
	d.Drain(nil, nil)
	d.Drain(nil, nil) // the one queued by a callback
	want := make([]int, 301)
	for i := range want {
		want[i] = i
	}
	if !slices.Equal(got, want) {
		t.Errorf("callbacks ran as %v", got)
	}
	d.Close()
	if !d.Idle() {
		t.Error("not idle after Close")
	}
}

func TestDrainReleasesAndRestores(t *testing.T) {
	d := rcu.New(rcu.Options{})
	defer d.Close()
	var mu sync.Mutex
	mu.Lock()
	ran := false
	d.Call(func() { mu.Lock(); ran = true; mu.Unlock() }) // needs what the caller holds
	d.Drain(mu.Unlock, mu.Lock)
	if !ran {
		t.Error("Drain returned before the callback queued before it")
	}
	mu.Unlock()
}

func TestDrainCoYieldsUntilCallbacksRan(t *testing.T) {
	w := sched.NewWorld()
	ctx := aio.NewContext(w, "test", nil)
	d := rcu.New(rcu.Options{World: w})
	defer d.Close()
	r := d.Register("main")
	defer r.Unregister()
	var ran atomic.Bool
	drained := false
	ctx.Spawn("drainer", func(co *coro.Co) {
		d.Call(func() { ran.Store(true) })
		d.DrainCo(co)
		if !ran.Load() {
			t.Error("DrainCo returned before the callback")
		}
		drained = true
	})
	// The loop is polled inside a read-side critical section: with a blocking
	// drain this would never end. The section ends once the loop has control.
	r.Lock()
	ctx.Poll(false)
	if drained {
		t.Error("drained inside the section")
	}
	r.Unlock()
	ctx.WaitWhile(func() bool { return !drained })
}
