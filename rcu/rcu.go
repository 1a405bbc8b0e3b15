// Package rcu provides read-copy-update: readers that never wait, and writers
// that wait until every reader that might still see what they took away has
// left.
//
// Go has a garbage collector, so memory needs none of this. Resources do: a
// drive, an id, a mapped region or a file lock may be given to the next user
// only after the last reader that could touch it through an old pointer.
//
// A reader is a thread that called [Domain.Register]. Between [Reader.Lock]
// and [Reader.Unlock] it is in a read-side critical section; sections nest. A
// grace period ends once every section that had begun when it started has
// ended. [Domain.Synchronize] waits for one; [Domain.Call] has a function run
// after one, in order; [Domain.Drain] and [Domain.DrainCo] wait until all that
// was queued before has run.
//
// # How
//
// The domain has a grace-period number that only grows. A reader publishes the
// number it saw when it entered its outermost section, and zero when it left.
// A writer first makes its change, then raises the number, then waits for each
// reader until that reader shows zero or the new number. All of these are
// sequentially consistent atomics, which is what Go's memory model gives: a
// reader that shows the new number, or zero and then enters, loads pointers
// after the writer's change. A reader that loaded the old number but had not
// yet published it when the writer looked is not waited for, and need not be:
// it publishes before it loads any pointer, so it sees the change. With a
// 64-bit number that never wraps, one pass is enough.
//
// # Goroutines, locks, blocking
//
// A Domain starts one goroutine, the reclaimer, which runs grace periods for
// Call without any lock and the callbacks inside Options.Around (the machine
// passes one that takes the BQL). Readers never block. Synchronize and Drain
// block; neither may be called inside a read-side critical section, nor while
// holding anything that a reader waits for inside its section. Lock order:
// the registry mutex, then the queue mutex; both are leaves for callers.
package rcu

import (
	"sync/atomic"

	"github.com/backplane-vm/backplane/coro"
	"github.com/backplane-vm/backplane/internal/sched"
)

// BatchLimit is how many callbacks run in one Options.Around: few enough that
// the lock it takes is not held for long.
const BatchLimit = 64

// Options says how a Domain fits into its surroundings.
type Options struct {
	// World is where threads and clocks come from; nil means a new real one.
	World *sched.World
	// Around runs a batch of callbacks; it is where a lock that they need is
	// taken. It is called on the reclaimer's goroutine; nil runs them bare.
	Around func(t *sched.Thread, batch func())
}

// A Domain is a set of readers and the writers that wait for them.
type Domain struct {
	w       *sched.World
	opts    Options
	gp      atomic.Uint64 // grace-period number, never zero
	periods atomic.Uint64 // grace periods completed

	sync sched.Mutex // serialises grace periods

	mu      sched.Mutex
	readers map[*Reader]struct{} // guarded by mu
	parker  *sched.Parker        // where the grace period waits for readers

	qmu       sched.Mutex
	queue     []func() // guarded by qmu
	closed    bool     // Close was called; guarded by qmu
	done      bool     // the reclaimer has ended; guarded by qmu
	wake      *sched.Parker
	reclaimer *sched.Thread
	busy      atomic.Bool // the reclaimer has callbacks that have not all run
}

// New returns a Domain and starts its reclaimer; [Domain.Close] ends it.
func New(o Options) *Domain {
	if o.World == nil {
		o.World = sched.NewWorld()
	}
	if o.Around == nil {
		o.Around = func(_ *sched.Thread, batch func()) { batch() }
	}
	d := &Domain{
		w: o.World, opts: o, readers: make(map[*Reader]struct{}),
		parker: o.World.NewParker(), wake: o.World.NewParker(),
	}
	d.gp.Store(1)
	d.reclaimer = d.w.Go("call_rcu", d.reclaim)
	return d
}

// A Reader is one thread's membership in a Domain. Lock and Unlock are for
// that thread alone.
type Reader struct {
	d       *Domain
	name    string
	seen    atomic.Uint64 // number published by the outermost Lock; 0 outside
	waited  atomic.Bool   // a grace period waits for this reader
	nesting int           // owned by the reader's thread
}

// Register adds a reader, outside any section. Any time is right.
func (d *Domain) Register(name string) *Reader {
	r := &Reader{d: d, name: name}
	d.mu.Lock()
	d.readers[r] = struct{}{}
	d.mu.Unlock()
	return r
}

// Unregister removes the reader, which must be outside any section.
func (r *Reader) Unregister() {
	if r.nesting != 0 {
		panic("rcu: reader " + r.name + " unregistered inside a read-side critical section")
	}
	r.d.mu.Lock()
	delete(r.d.readers, r)
	r.d.mu.Unlock()
}

// Lock begins a read-side critical section, or nests one deeper. It never
// blocks.
func (r *Reader) Lock() {
	if r.nesting == 0 {
		r.seen.Store(r.d.gp.Load())
	}
	r.nesting++
}

// Unlock ends the innermost section.
func (r *Reader) Unlock() {
	r.nesting--
	if r.nesting > 0 {
		return
	}
	if r.nesting < 0 {
		panic("rcu: reader " + r.name + " leaves a section it is not in")
	}
	r.seen.Store(0)
	if r.waited.Load() && r.waited.Swap(false) {
		r.d.parker.Unpark()
	}
}

// Inside reports whether the reader's thread, which is the caller, is inside a
// section.
func (r *Reader) Inside() bool { return r.nesting > 0 }

// Synchronize blocks until every section that had begun when it was called
// has ended. The caller is in no section of this Domain.
func (d *Domain) Synchronize() {
	d.sync.Lock()
	defer d.sync.Unlock()
	now := d.gp.Add(1)
	d.mu.Lock()
	for r := range d.readers {
		for !r.quiescent(now) {
			r.waited.Store(true)
			if r.quiescent(now) { // it may have left before it saw the flag
				break
			}
			d.mu.Unlock()
			d.parker.Park(sched.Forever)
			d.mu.Lock()
		}
	}
	d.mu.Unlock()
	d.periods.Add(1)
}

func (r *Reader) quiescent(now uint64) bool {
	s := r.seen.Load()
	return s == 0 || s >= now
}

// Periods returns how many grace periods have been completed.
func (d *Domain) Periods() uint64 { return d.periods.Load() }

// Call arranges that f runs on the reclaimer after a grace period that begins
// no earlier than now. Functions queued by one goroutine run in its order. It
// never blocks and may be called inside a section and from such a function.
// After Close it panics.
func (d *Domain) Call(f func()) {
	d.qmu.Lock()
	if d.done {
		d.qmu.Unlock()
		panic("rcu: Call on a closed Domain")
	}
	d.queue = append(d.queue, f)
	d.busy.Store(true)
	d.qmu.Unlock()
	d.wake.Unpark()
}

// reclaim is the reclaimer: take all that is queued, wait for one grace
// period, run it, repeat. What is queued meanwhile shares the next period.
func (d *Domain) reclaim(t *sched.Thread) {
	for {
		d.qmu.Lock()
		batch := d.queue
		d.queue = nil
		if len(batch) == 0 {
			d.busy.Store(false)
			d.done = d.closed
		}
		done := d.done
		d.qmu.Unlock()
		if len(batch) == 0 {
			if done {
				return
			}
			d.wake.Park(sched.Forever)
			continue
		}
		d.Synchronize()
		for len(batch) > 0 {
			n := min(len(batch), BatchLimit)
			d.opts.Around(t, func() {
				for i, f := range batch[:n] {
					batch[i] = nil
					f()
				}
			})
			batch = batch[n:]
		}
	}
}

// Idle reports whether no callback is queued or running.
func (d *Domain) Idle() bool { return !d.busy.Load() }

// Drain blocks until every function queued by [Domain.Call] before it has
// run. The caller is in no section; release is called before the wait and
// restore after it, and between them the caller holds nothing that a reader
// or a callback may wait for. Either may be nil.
func (d *Domain) Drain(release, restore func()) {
	done := d.w.NewParker()
	d.Call(done.Unpark)
	if release != nil {
		release()
	}
	done.Park(sched.Forever)
	if restore != nil {
		restore()
	}
}

// DrainCo is Drain for a coroutine: it yields, so that control returns to the
// event loop, whose caller can leave its section and release its locks, and
// comes back in the coroutine's home once every function queued before has
// run.
func (d *Domain) DrainCo(co *coro.Co) {
	d.Call(co.Wake)
	co.Yield()
}

// Close runs what is still queued, and what that queues, and ends the
// reclaimer. All readers must be
// able to leave their sections; the caller is in none.
func (d *Domain) Close() {
	d.qmu.Lock()
	d.closed = true
	d.qmu.Unlock()
	d.wake.Unpark()
	d.reclaimer.Join()
}
