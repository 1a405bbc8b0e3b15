package rcu

import (
	"sync/atomic"

	"github.com/backplane-vm/backplane/internal/sched"
)

// Options says how a Domain fits into its surroundings.
type Options struct {
	// World is where threads and clocks come from; nil means a new real one.
	World *sched.World
	// Around runs a batch of callbacks; it is where a lock that they need is
	// taken. It is called on the reclaimer's goroutine; nil runs them bare.
	Around func(t *sched.Thread, batch func())
	// Overload is told when the backlog grows past [BacklogLimit], once until
	// it has shrunk again, with its size and the readers that hold it up. It
	// runs on the goroutine that called Call and must not block; nil is fine.
	Overload func(backlog int, holding []string)
	// Symmetric has every reader pay for its own barrier, so that grace
	// periods interrupt no other processor.
	Symmetric bool
}

// A Domain is a set of readers and the writers that wait for them. Safe for
// use by any goroutine.
type Domain struct {
	// The number of the latest grace period begun, from 1. Readers load it on
	// every Lock, so what changes often stays off its cache line.
	gp atomic.Uint64
	_  [cacheLine - 8]byte

	// Immutable.
	w          *sched.World
	opts       Options
	asymmetric bool // readers publish with plain stores; fence covers them
	weak       bool // the same, simulated
	reclaimer  *sched.Thread

	period   sched.Mutex   // held by who runs a grace period
	done     atomic.Uint64 // the number of the latest grace period ended
	waiting  atomic.Bool   // a grace period has flagged readers
	parker   *sched.Parker // where it waits for them
	urgent   atomic.Int64  // how many wait and want readers kicked
	urgings  atomic.Uint64 // how often urgent has been raised
	registry registry
	calls    calls
}

// cacheLine is what two processors should not share: two lines of 64 bytes,
// since amd64 fetches them in pairs.
const cacheLine = 128

// registry is who reads and how grace periods went.
type registry struct {
	mu      sched.Mutex
	readers []*Reader // each knows its place; guarded by mu
	stats   Stats     // its grace-period part; guarded by mu
	began   int64     // when the grace period that waits began; guarded by mu
}

// New returns a Domain and starts its reclaimer; [Domain.Close] ends it.
func New(o Options) *Domain {
	if o.World == nil {
		o.World = sched.NewWorld()
	}
	if o.Around == nil {
		o.Around = func(_ *sched.Thread, batch func()) { batch() }
	}
	d := &Domain{w: o.World, opts: o, parker: o.World.NewParker().For("readers to leave")}
	d.weak = !o.Symmetric && o.World.Simulated()
	d.asymmetric = !o.Symmetric && !o.World.Simulated() && registerFence()
	d.period.Init(d.w, "rcu period")
	d.registry.mu.Init(d.w, "rcu registry")
	d.calls.init(d.w)
	d.gp.Store(1)
	d.done.Store(1)
	d.reclaimer = d.w.Go("call_rcu", d.reclaim)
	return d
}

// Stats tells how a Domain has been used since it was made.
type Stats struct {
	Readers    int    // registered now
	Periods    uint64 // grace periods ended
	Waited     uint64 // of these, how many found a reader inside
	Kicks      uint64 // times a reader's OnWait was called
	Longest    int64  // nanoseconds that the longest grace period took
	HeldUpBy   string // the reader that left last in the longest one
	Callbacks  uint64 // functions run
	Backlog    int    // functions queued and not yet run
	PeakLoad   int    // the most there have been of these
	Overloads  uint64 // times the backlog grew past BacklogLimit
	Asymmetric bool   // grace periods fence for the readers (membarrier)
}

// Stats returns the Domain's statistics.
func (d *Domain) Stats() Stats {
	d.registry.mu.Lock()
	s := d.registry.stats
	s.Readers = len(d.registry.readers)
	d.registry.mu.Unlock()
	d.calls.report(&s)
	s.Periods = d.Periods()
	s.Asymmetric = d.asymmetric
	return s
}

// Periods returns how many grace periods have been completed.
func (d *Domain) Periods() uint64 { return d.done.Load() - 1 }

// Holding returns the names of the readers that the grace period in progress
// waits for; none if no grace period waits.
func (d *Domain) Holding() []string {
	if !d.waiting.Load() {
		return nil
	}
	d.registry.mu.Lock()
	defer d.registry.mu.Unlock()
	var names []string
	for _, r := range d.registry.readers {
		if !r.quiescent(d.gp.Load()) {
			names = append(names, r.name)
		}
	}
	return names
}
