package rcu

import (
	"fmt"
	"slices"
	"sync/atomic"

	"github.com/backplane-vm/backplane/internal/mutant"
)

// A Reader is one thread's membership in a Domain. Unless said otherwise its
// methods are for that thread alone.
type Reader struct {
	// What the thread publishes: 0 or aside outside, in a section the number
	// of the grace period it saw. Written by the thread, read by writers.
	seen uint64
	gp   *atomic.Uint64 // the Domain's
	// 0 in an outermost section that the fast path may leave; otherwise aside
	// plus the number of sections nested in it. Owned by the thread.
	nest uint64
	// Not 0: a grace period waits for this reader. Set by it, cleared by the
	// thread when it leaves.
	flag uint32

	at     int    // place in the registry; guarded by its mutex
	kicked uint64 // Domain.urgings when last kicked; guarded by it too
	onWait func() // guarded by it too

	idle uint64 // what is published outside, and the nest there; immutable
	d    *Domain
	name string

	// In a simulated World: a store that the thread made and others do not see
	// yet; see storebuffer.go.
	stored  uint64
	pending bool

	_ [cacheLine - 112]byte // sections of two readers share no cache line
}

// aside marks a reader that keeps off the fast paths of Lock and Unlock: above
// every grace-period number, so that `seen == 0` and `nest < seen` are false.
const aside = 1 << 63

// Register adds a reader, outside any section; name is for messages. Any time
// is right, and any goroutine may register on behalf of the thread.
func (d *Domain) Register(name string) *Reader {
	r := &Reader{d: d, name: name, gp: &d.gp}
	if d.w.Simulated() || plainStores && !d.asymmetric {
		r.idle, r.seen, r.nest = aside, aside, aside
	}
	d.registry.mu.Lock()
	r.at = len(d.registry.readers)
	d.registry.readers = append(d.registry.readers, r)
	d.registry.mu.Unlock()
	return r
}

// Unregister removes the reader, which must be outside any section; a grace
// period may be in progress.
func (r *Reader) Unregister() {
	if r.Inside() {
		panic("rcu: reader " + r.name + " unregistered inside a read-side critical section")
	}
	g := &r.d.registry
	g.mu.Lock()
	defer g.mu.Unlock()
	if r.at < 0 {
		panic("rcu: reader " + r.name + " unregistered twice")
	}
	last := len(g.readers) - 1
	g.readers[r.at], g.readers[last].at = g.readers[last], r.at
	g.readers = slices.Delete(g.readers, last, last+1)
	r.at = -1
}

// Name returns the name given to [Domain.Register].
func (r *Reader) Name() string { return r.name }

// OnWait sets what a grace period that somebody waits for (Synchronize, Drain,
// DrainCo, Close, an overload) does when it finds the reader inside a section:
// f makes the thread leave it soon, as kicking a vCPU does. It is called
// again for each new wait that begins meanwhile. It runs on any goroutine,
// without locks, must not block, and may come late: when the section, or even
// the reader, is gone. Any goroutine may set it; nil removes it.
func (r *Reader) OnWait(f func()) {
	r.d.registry.mu.Lock()
	r.onWait = f
	r.d.registry.mu.Unlock()
}

// Inside reports whether the thread is inside a section.
func (r *Reader) Inside() bool { return r.own() != r.idle }

// AssertOutside panics if the thread is inside a section. what is what it is
// about to do that waits for the section's end.
func (r *Reader) AssertOutside(what string) {
	if r.Inside() {
		panic(fmt.Sprintf("rcu: reader %s calls %s inside its own read-side critical section, whose end that waits for", r.name, what))
	}
}

// lockSlow nests, or enters a section of a reader that is aside.
func (r *Reader) lockSlow() {
	if r.own() != aside {
		r.nest = aside | (r.nest + 1)
		return
	}
	n := r.gp.Load()
	r.d.w.Point("rcu: a reader has loaded the number")
	r.publish(n)
	r.d.w.Point("rcu: a reader has published")
}

// unlockSlow leaves a nested section, or ends a section of a reader that is
// aside, or wakes the grace period that waits for one that the fast path ended.
// A flag may be left over from a grace period that found the reader gone by
// itself: then the wake-up is one too many, which costs a look, and an Unlock
// too many is taken for it once before it is caught.
func (r *Reader) unlockSlow() {
	if inner := r.nest &^ aside; inner > 0 {
		r.nest = aside | (inner - 1)
		if inner == 1 {
			r.nest = r.idle
		}
		return
	}
	ended := !r.Inside()
	if !ended {
		r.publish(r.idle)
		r.d.w.Point("rcu: a reader has left")
	}
	flagged := atomic.LoadUint32(&r.flag) != 0
	if ended && !flagged {
		panic("rcu: reader " + r.name + " leaves a section it is not in")
	}
	if flagged {
		atomic.StoreUint32(&r.flag, 0)
		if !mutant.Planted("rcu-lost-wakeup") {
			r.d.parker.Unpark()
		}
	}
}

// quiescent reports whether grace period n need not wait for the reader.
func (r *Reader) quiescent(n uint64) bool {
	s := atomic.LoadUint64(&r.seen)
	return s == 0 || s >= n
}

// Synchronize is [Domain.Synchronize] for a thread that is a reader: it panics
// inside a section.
func (r *Reader) Synchronize() {
	r.AssertOutside("Synchronize")
	r.d.Synchronize()
}

// Drain is [Domain.Drain] for a thread that is a reader: it panics inside a
// section.
func (r *Reader) Drain(release, restore func()) {
	r.AssertOutside("Drain")
	r.d.Drain(release, restore)
}
