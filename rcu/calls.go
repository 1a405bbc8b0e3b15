package rcu

import (
	"github.com/backplane-vm/backplane/coro"
	"github.com/backplane-vm/backplane/internal/mutant"
	"github.com/backplane-vm/backplane/internal/sched"
)

// BatchLimit is how many callbacks run in one Options.Around: few enough that
// the lock it takes is not held for long.
const BatchLimit = 64

// BacklogLimit is how many callbacks may be queued before the Domain is
// overloaded. The bound is not enforced by blocking, for the caller may hold the
// lock that callbacks need, nor by refusing, for then what the callback frees
// would leak. Past it, grace periods are urgent (readers are kicked), the
// Domain reports the overload and who holds it up ([Options].Overload), and
// counts it; that lasts until the backlog is half of this. It is far above what
// unplugging every device of a large machine queues, and cheap: some 100 KiB.
const BacklogLimit = 10_000

// calls is the queue of functions that wait for a grace period.
type calls struct {
	mu        sched.Mutex
	queue     []func() // guarded by mu, as all of these
	spare     []func() // an emptied queue, for its memory
	running   int      // taken off the queue, not yet run
	run       uint64   // functions that have run
	peak      int      // the most that were queued or running
	overloads uint64   // times peak went past BacklogLimit
	loaded    bool     // past BacklogLimit and not yet back at half of it
	wanted    Cookie   // a grace period that Start wants
	closed    bool     // Close was called
	ended     bool     // the reclaimer has ended

	wake *sched.Parker // where the reclaimer waits for work
}

func (q *calls) init(w *sched.World) {
	q.mu.Init(w, "rcu queue")
	q.wake = w.NewParker().For("callbacks")
}

func (q *calls) report(s *Stats) {
	q.mu.Lock()
	defer q.mu.Unlock()
	s.Callbacks, s.Backlog, s.PeakLoad, s.Overloads = q.run, q.backlogLocked(), q.peak, q.overloads
}

func (q *calls) backlogLocked() int { return len(q.queue) + q.running }

func (q *calls) want(c Cookie) {
	q.mu.Lock()
	q.wanted = max(q.wanted, c)
	q.mu.Unlock()
	q.wake.Unpark()
}

// push queues f and reports whether the backlog grew past its limit by it.
func (q *calls) push(f func()) (overload bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.ended {
		panic("rcu: Call on a closed Domain")
	}
	q.queue = append(q.queue, f)
	q.peak = max(q.peak, q.backlogLocked())
	if q.loaded || q.backlogLocked() <= BacklogLimit {
		return false
	}
	q.loaded = true
	q.overloads++
	return true
}

// Call arranges that f runs on the reclaimer after a grace period that begins
// no earlier than now. Functions queued by one goroutine run in its order. It
// never blocks and may be called inside a section and from such a function.
// After Close it panics.
func (d *Domain) Call(f func()) {
	overload := d.calls.push(f)
	if overload {
		d.urge() // until settle
	}
	d.calls.wake.Unpark()
	if overload && d.opts.Overload != nil {
		d.opts.Overload(d.Backlog(), d.Holding())
	}
}

// Backlog returns how many functions are queued and have not yet run.
func (d *Domain) Backlog() int {
	d.calls.mu.Lock()
	defer d.calls.mu.Unlock()
	return d.calls.backlogLocked()
}

// Idle reports whether no callback is queued or running.
func (d *Domain) Idle() bool { return d.Backlog() == 0 }

// reclaim is the reclaimer: take all that is queued, wait for one grace
// period, run it, repeat. What is queued meanwhile shares the next period.
func (d *Domain) reclaim(t *sched.Thread) {
	for {
		batch, wanted, end := d.calls.take()
		switch {
		case len(batch) > 0:
			d.finish(d.Get())
			d.runAll(t, batch)
		case !d.Done(wanted):
			d.finish(wanted)
		case end:
			return
		default:
			d.calls.wake.Park(sched.Forever)
		}
	}
}

// take takes all that is queued. end says that there is nothing and will be
// nothing; take makes that so.
func (q *calls) take() (batch []func(), wanted Cookie, end bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	batch, q.queue, q.spare = q.queue, q.spare, nil
	q.running = len(batch)
	q.ended = q.closed && len(batch) == 0
	return batch, q.wanted, q.ended
}

// runAll runs a batch whose grace period is over.
func (d *Domain) runAll(t *sched.Thread, batch []func()) {
	if mutant.Planted("rcu-reorder") && len(batch) > 1 {
		batch[0], batch[1] = batch[1], batch[0]
	}
	for rest := batch; len(rest) > 0; {
		n := min(len(rest), BatchLimit)
		d.opts.Around(t, func() {
			for i, f := range rest[:n] {
				rest[i] = nil
				f()
				d.settle(batch)
			}
		})
		rest = rest[n:]
	}
}

// settle accounts for one function of batch that has run.
func (d *Domain) settle(batch []func()) {
	q := &d.calls
	q.mu.Lock()
	q.run++
	q.running--
	if q.running == 0 && cap(batch) <= BacklogLimit {
		q.spare = batch[:0]
	}
	relieved := q.loaded && q.backlogLocked() <= BacklogLimit/2
	if relieved {
		q.loaded = false
	}
	q.mu.Unlock()
	if relieved {
		d.calm()
	}
}

// Drain blocks until every function queued by [Domain.Call] before it has
// run. The caller is in no section, and is no such function; release is called
// before the wait and restore after it, and between them the caller holds
// nothing that a reader or a callback may wait for. Either may be nil.
func (d *Domain) Drain(release, restore func()) {
	done := d.w.NewParker().For("the drain of RCU")
	d.urge()
	d.Call(done.Unpark)
	if release != nil {
		release()
	}
	if !mutant.Planted("rcu-drain-early") {
		done.Park(sched.Forever)
	}
	d.calm()
	if restore != nil {
		restore()
	}
}

// DrainCo is Drain for a coroutine: it yields, so that control returns to the
// event loop, whose caller can leave its section and release its locks, and
// comes back in the coroutine's home once every function queued before has
// run.
func (d *Domain) DrainCo(co *coro.Co) {
	d.urge()
	d.Call(func() {
		d.calm()
		co.Wake()
	})
	co.Yield()
}

// Close runs what is still queued, and what that queues, and ends the
// reclaimer. All readers must be able to leave their sections; the caller is in
// none. Closing twice does nothing more.
func (d *Domain) Close() {
	d.urge()
	defer d.calm()
	d.calls.mu.Lock()
	d.calls.closed = true
	d.calls.mu.Unlock()
	d.calls.wake.Unpark()
	d.reclaimer.Join()
}
