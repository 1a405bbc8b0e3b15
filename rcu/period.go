package rcu

import (
	"sync/atomic"

	"github.com/backplane-vm/backplane/internal/mutant"
	"github.com/backplane-vm/backplane/internal/sched"
)

// A Cookie stands for a grace period that begins after the call that returned
// it. The zero Cookie is done.
type Cookie uint64

// Get returns a Cookie for the next grace period; it starts none.
func (d *Domain) Get() Cookie { return Cookie(d.gp.Load() + 1) }

// Start is Get, and has the reclaimer run that grace period unless somebody
// else does. It never blocks.
func (d *Domain) Start() Cookie {
	c := d.Get()
	d.calls.want(c)
	return c
}

// Done reports whether the grace period has ended: what the caller took away
// before it got the Cookie no reader can see any more.
func (d *Domain) Done(c Cookie) bool { return d.done.Load() >= uint64(c) }

// Wait blocks until Done(c), running the grace period if need be. The caller is
// in no section of this Domain. Waiters share grace periods, and have readers
// kicked ([Reader.OnWait]).
func (d *Domain) Wait(c Cookie) {
	d.urge()
	defer d.calm()
	d.finish(c)
}

// Synchronize blocks until every section that had begun when it was called
// has ended. The caller is in no section of this Domain.
func (d *Domain) Synchronize() { d.Wait(d.Get()) }

// finish is Wait without urgency.
func (d *Domain) finish(c Cookie) {
	if d.Done(c) {
		return
	}
	d.period.Lock()
	defer d.period.Unlock()
	if !d.Done(c) {
		d.run()
	}
}

// run runs one grace period; d.period is held.
func (d *Domain) run() {
	g := &d.registry
	began := d.w.Now()
	n := d.gp.Add(1)
	d.w.Point("rcu: the number is raised")
	g.mu.Lock()
	// Without readers there is nothing to fence: one that registers from now
	// on takes the mutex after us and so sees what was changed before.
	var heldUpBy string
	if len(g.readers) > 0 {
		d.fence()
		if d.anyInsideLocked(n) && !mutant.Planted("rcu-skip-wait") {
			g.began = began
			g.stats.Waited++
			heldUpBy = d.awaitLocked(n)
		}
	}
	if took := d.w.Now() - began; took > g.stats.Longest {
		g.stats.Longest, g.stats.HeldUpBy = took, heldUpBy
	}
	g.mu.Unlock()
	d.done.Store(n)
}

// awaitLocked waits for the readers that are inside sections which began before
// grace period n, and returns the name of one that was among the last. It
// drops the registry's mutex while it waits: readers come and go meanwhile.
func (d *Domain) awaitLocked(n uint64) (last string) {
	g := &d.registry
	d.waiting.Store(true)
	var kicks []func()
	for {
		var more []func()
		last, more = d.flagLocked(n, last)
		kicks = append(kicks, more...)
		d.w.Point("rcu: readers are flagged")
		d.fence()
		if !d.anyInsideLocked(n) {
			break
		}
		if !d.allFlaggedLocked(n) && !mutant.Planted("rcu-parks-unflagged") {
			continue
		}
		g.mu.Unlock()
		for _, kick := range kicks {
			kick()
		}
		kicks = nil
		d.parker.Park(sched.Forever)
		g.mu.Lock()
		if !d.anyInsideLocked(n) {
			break
		}
	}
	d.waiting.Store(false)
	return last
}

// anyInsideLocked reports whether grace period n has to wait for a reader.
func (d *Domain) anyInsideLocked(n uint64) bool {
	for _, r := range d.registry.readers {
		d.w.Point("rcu: a writer looks at a reader")
		if !r.quiescent(n) {
			return true
		}
	}
	return false
}

// allFlaggedLocked reports whether every reader that grace period n waits for
// is going to wake it. One is not if it loaded the number before this period
// raised it, and published it after flagLocked had looked.
func (d *Domain) allFlaggedLocked(n uint64) bool {
	for _, r := range d.registry.readers {
		if !r.quiescent(n) && atomic.LoadUint32(&r.flag) == 0 {
			return false
		}
	}
	return true
}

// flagLocked flags the readers that grace period n waits for, so that they wake
// it when they leave. It returns the name of one (last, if there is none any
// more) and, when somebody is in a hurry, the hooks that have not yet been
// called on that behalf.
func (d *Domain) flagLocked(n uint64, last string) (string, []func()) {
	urgings := d.urgings.Load()
	urgent := d.urgent.Load() > 0
	var kicks []func()
	first := true
	for _, r := range d.registry.readers {
		if r.quiescent(n) {
			continue
		}
		atomic.StoreUint32(&r.flag, 1)
		if first {
			last, first = r.name, false
		}
		if urgent && r.onWait != nil && r.kicked != urgings {
			r.kicked = urgings
			kicks = append(kicks, r.onWait)
		}
	}
	d.registry.stats.Kicks += uint64(len(kicks))
	return last, kicks
}

// urge has the readers that a grace period waits for kicked, now and for as
// long as calm has not been called as often. A grace period that already
// waits looks again: its first look was made when nobody was in a hurry.
func (d *Domain) urge() {
	d.urgent.Add(1)
	d.urgings.Add(1)
	d.w.Point("rcu: somebody is in a hurry")
	if d.waiting.Load() && !mutant.Planted("rcu-late-force") {
		d.parker.Unpark()
	}
}

func (d *Domain) calm() { d.urgent.Add(-1) }
