// Package bql is the big machine lock (QEMU's BQL): device emulation, changes
// of the object and device model, and ordinary monitor commands run under it.
//
// The lock knows its owner, so "is the BQL held by me" is answered by the lock
// and not guessed. Waiters queue in order of arrival. A thread may pass the
// queue while its head has waited less than [BypassLimit]; after that the lock
// is handed to the head directly, so a vCPU that hammers a device cannot
// starve the monitor, nor the monitor a vCPU.
//
// There is no way to drop the lock in the middle of something and take it back
// later: a wait under the BQL is a coroutine's wait, or a nested poll that
// keeps the lock. Whoever blocks on another thread first returns to the place
// where the lock was taken.
//
// Lock order: the BQL comes after an RCU read-side critical section has begun
// (a vCPU looks the memory map up, then locks) and before every other lock of
// the machine; the package's own mutex is a leaf. Nobody waits for a grace
// period while holding the BQL (coroutines use rcu.Domain.DrainCo).
package bql

import (
	"fmt"
	"sync/atomic"

	"github.com/backplane-vm/backplane/internal/sched"
)

// BypassLimit is how long, in nanoseconds, the first waiter may be passed by
// newcomers before the lock is handed to it: long enough that a hand-over to a
// sleeping goroutine (some microseconds) is not paid on every contended MMIO
// access, short enough not to be felt.
const BypassLimit = 50_000

// A Lock is the big lock of one machine.
type Lock struct {
	w     *sched.World
	owner atomic.Pointer[sched.Thread] // written by the owner-to-be under mu

	mu      sched.Mutex
	waiters []*waiter // in order of arrival; guarded by mu
	hold    hold      // the present hold; guarded by the BQL itself
	stats   Stats     // guarded by mu
}

type hold struct {
	who   string
	since int64
}

type waiter struct {
	t      *sched.Thread
	since  int64
	parker *sched.Parker
}

// Stats tells how the lock has been used since it was made.
type Stats struct {
	Acquired    uint64 // times taken
	Contended   uint64 // times a thread had to queue
	LongestHold int64  // nanoseconds
	LongestWho  string // what the longest hold was for
	LongestWait int64  // nanoseconds, of those that queued
}

// New returns an unlocked Lock.
func New(w *sched.World) *Lock { return &Lock{w: w} }

// Lock blocks until t owns the lock. who says what for, for statistics and for
// whoever finds it held ("mmio", "device_add", ...). A thread that owns the
// lock must not lock it again; that panics.
func (l *Lock) Lock(t *sched.Thread, who string) {
	if l.owner.Load() == t {
		panic(fmt.Sprintf("bql: %q locks the BQL that it holds (for %q)", t.Name(), l.hold.who))
	}
	now := l.w.Now()
	l.mu.Lock()
	if l.owner.Load() == nil && (len(l.waiters) == 0 || now-l.waiters[0].since < BypassLimit) {
		l.take(t, who, now)
		l.mu.Unlock()
		return
	}
	w := &waiter{t: t, since: now, parker: l.w.NewParker()}
	l.waiters = append(l.waiters, w)
	l.stats.Contended++
	for {
		l.mu.Unlock()
		w.parker.Park(sched.Forever)
		l.mu.Lock()
		if l.owner.Load() == t { // handed over; already off the queue
			break
		}
		if l.owner.Load() == nil && l.waiters[0] == w {
			l.dropHead()
			l.owner.Store(t)
			break
		}
	}
	now = l.w.Now()
	l.stats.LongestWait = max(l.stats.LongestWait, now-w.since)
	l.take(t, who, now)
	l.mu.Unlock()
}

// take makes t the owner; l.mu is held.
func (l *Lock) take(t *sched.Thread, who string, now int64) {
	l.owner.Store(t)
	l.hold = hold{who: who, since: now}
	l.stats.Acquired++
}

func (l *Lock) dropHead() {
	l.waiters[0] = nil
	l.waiters = l.waiters[1:]
}

// Unlock releases the lock, which t must own.
func (l *Lock) Unlock(t *sched.Thread) {
	if o := l.owner.Load(); o != t {
		panic(fmt.Sprintf("bql: %q unlocks the BQL, which is held by %s", t.Name(), threadName(o)))
	}
	now := l.w.Now()
	l.mu.Lock()
	if d := now - l.hold.since; d > l.stats.LongestHold {
		l.stats.LongestHold, l.stats.LongestWho = d, l.hold.who
	}
	l.owner.Store(nil)
	if len(l.waiters) > 0 {
		head := l.waiters[0]
		if now-head.since >= BypassLimit {
			l.dropHead()
			l.owner.Store(head.t)
		}
		head.parker.Unpark()
	}
	l.mu.Unlock()
}

// HeldBy reports whether t owns the lock.
func (l *Lock) HeldBy(t *sched.Thread) bool { return t != nil && l.owner.Load() == t }

// Owner returns the thread that owns the lock, or nil. For anyone but the
// owner the answer may be old by the time it is read.
func (l *Lock) Owner() *sched.Thread { return l.owner.Load() }

// AssertHeld panics unless somebody holds the lock: the check that code which
// is always called under the BQL can make without knowing its thread.
func (l *Lock) AssertHeld() {
	if l.owner.Load() == nil {
		panic("bql: the BQL must be held here and nobody holds it")
	}
}

// Stats returns the lock's statistics. It takes only the leaf mutex, so it
// answers while the BQL is held.
func (l *Lock) Stats() Stats {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.stats
}

// ResetStats starts the statistics anew.
func (l *Lock) ResetStats() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.stats = Stats{}
}

func threadName(t *sched.Thread) string {
	if t == nil {
		return "nobody"
	}
	return fmt.Sprintf("%q", t.Name())
}
