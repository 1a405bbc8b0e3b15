// Package bql is the big machine lock (QEMU's BQL): device emulation, changes
// of the object and device model, and ordinary monitor commands run under it.
//
// The lock knows its owner, so "is the BQL held by me" is answered by the lock
// and not guessed. Waiters queue in order of arrival. A thread may pass the
// queue while its head has waited less than [BypassLimit]; after that the lock
// is handed to the head directly, so a vCPU that hammers a device cannot
// starve the monitor, nor the monitor a vCPU.
//
// # Dropping it
//
// A function that is called with the BQL held must not give it up: its callers
// count on it. What waits does so as a coroutine, or by a nested poll that
// keeps the lock. [Lock.Dropped] exists for the dispatch policies that repeat
// what QEMU did, and for threads' outermost frames; inside a device's
// emulation ([Lock.EnterDevice]) it breaks the rule, which a strict lock
// answers with a panic that says whose emulation it was.
//
// # Accounting
//
// Every hold says what for, a hold may change its label as it goes from one
// piece of work to the next ([Lock.Label]), and holds and waits are counted by
// label in powers of two ([Lock.Stats]). [Lock.Watch] reports who has held the
// lock for too long while it is still held.
//
// Lock order: the BQL comes after an RCU read-side critical section has begun
// (a vCPU looks the memory map up, then locks) and before every other lock of
// the machine; the package's own mutex is a leaf. Nobody waits for a grace
// period while holding the BQL (coroutines use rcu.Domain.DrainCo).
package bql

import (
	"fmt"
	"sync/atomic"

	"github.com/backplane-vm/backplane/internal/mutant"
	"github.com/backplane-vm/backplane/internal/sched"
)

// BypassLimit is how long, in nanoseconds, the first waiter may be passed by
// newcomers before the lock is handed to it: long enough that a hand-over to a
// sleeping goroutine (some microseconds) is not paid on every contended MMIO
// access, short enough not to be felt.
const BypassLimit = 50_000

// profiled is what the lock is called in its World's profile: QEMU's word.
const profiled = "BQL mutex"

// A Lock is the big lock of one machine.
type Lock struct {
	w      *sched.World
	strict bool
	owner  atomic.Pointer[sched.Thread] // written by the owner-to-be under mu

	mu      sched.Mutex
	waiters []*waiter // in order of arrival; guarded by mu
	hold    hold      // the present hold; guarded by mu
	device  []string  // devices being emulated, innermost last; guarded by the BQL
	account account   // guarded by mu
}

// hold is one stay of one thread in the lock.
type hold struct {
	who     string // present label
	since   int64  // when the lock was taken
	label   int64  // when the label was set
	longest int64  // the longest label's time so far
	longWho string // and that label
}

type waiter struct {
	t      *sched.Thread
	who    string
	since  int64
	parker *sched.Parker
}

// New returns an unlocked Lock that is strict about its rules.
func New(w *sched.World) *Lock {
	l := &Lock{w: w, strict: true}
	l.mu.Init(w, "bql.mu")
	l.account.reset()
	return l
}

// SetStrict says whether dropping the lock inside a device's emulation panics.
// Dispatch policies that repeat QEMU's history switch it off, to let the
// consequences show.
func (l *Lock) SetStrict(strict bool) { l.strict = strict }

// Lock blocks until t owns the lock. who says what for, for statistics and for
// whoever finds it held: a device, a command. A thread that owns the lock must
// not lock it again; that panics.
func (l *Lock) Lock(t *sched.Thread, who string) {
	if l.owner.Load() == t {
		panic(fmt.Sprintf("bql: %q locks the BQL that it holds", t.Name()))
	}
	now := l.w.Now()
	l.mu.Lock()
	if l.mayTake(now) {
		l.take(t, who, now)
		l.mu.Unlock()
		if l.w.Profiling() {
			l.w.Waited(profiled, l, l.w.Now()-now)
		}
		return
	}
	w := &waiter{t: t, who: who, since: now, parker: l.w.NewParker().For(sched.BigLock)}
	l.waiters = append(l.waiters, w)
	for {
		l.mu.Unlock()
		w.parker.Park(sched.Forever)
		l.mu.Lock()
		if l.owner.Load() == t { // handed over; already off the queue
			break
		}
		if l.owner.Load() == nil && l.waiters[0] == w {
			l.dropHead()
			break
		}
	}
	now = l.w.Now()
	l.account.waited(who, now-w.since)
	l.take(t, who, now)
	l.mu.Unlock()
	if l.w.Profiling() {
		l.w.Waited(profiled, l, now-w.since)
	}
}

// mayTake reports whether a newcomer may have the lock at once; l.mu is held.
func (l *Lock) mayTake(now int64) bool {
	if l.owner.Load() != nil && !mutant.Planted("bql-two-owners") {
		return false
	}
	return len(l.waiters) == 0 || now-l.waiters[0].since < BypassLimit || mutant.Planted("bql-unfair")
}

// take makes t the owner; l.mu is held.
func (l *Lock) take(t *sched.Thread, who string, now int64) {
	t.Note(sched.VerbHas, sched.BigLock)
	l.owner.Store(t)
	l.hold = hold{who: who, since: now, label: now}
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
	l.endLabel(now)
	l.account.held(&l.hold, now)
	t.Note(sched.VerbLets, sched.BigLock)
	l.owner.Store(nil)
	if len(l.waiters) > 0 {
		head := l.waiters[0]
		if now-head.since >= BypassLimit && !mutant.Planted("bql-unfair") {
			l.dropHead()
			l.take(head.t, head.who, now)
		}
		if mutant.Planted("bql-wrong-waiter") {
			head = l.waiters[len(l.waiters)-1]
		}
		if !mutant.Planted("bql-lost-wakeup") {
			head.parker.Unpark()
		}
	}
	l.mu.Unlock()
}

// Label says that the owner, which is the caller, now does something else, and
// returns what it did before, to be restored.
func (l *Lock) Label(who string) (before string) {
	now := l.w.Now()
	l.mu.Lock()
	defer l.mu.Unlock()
	before = l.hold.who
	l.endLabel(now)
	l.hold.who, l.hold.label = who, now
	return before
}

// endLabel accounts for the time under the present label.
func (l *Lock) endLabel(now int64) {
	d := now - l.hold.label
	l.account.labelled(l.hold.who, d)
	if d >= l.hold.longest {
		l.hold.longest, l.hold.longWho = d, l.hold.who
	}
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

// EnterDevice notes that the owner begins to emulate a device, called name,
// and LeaveDevice that it is done. In between the lock must not be dropped.
func (l *Lock) EnterDevice(name string) { l.device = append(l.device, name) }

// LeaveDevice ends the innermost EnterDevice.
func (l *Lock) LeaveDevice() { l.device = l.device[:len(l.device)-1] }

// Emulating returns the device that the owner, which is the caller, is
// emulating, or "".
func (l *Lock) Emulating() string {
	if n := len(l.device); n > 0 {
		return l.device[n-1]
	}
	return ""
}

// Dropped gives the lock up while f runs and takes it back. The owner, who is
// the caller, is in no device's emulation and knows that all of its callers
// are prepared: anything the lock guards may have changed.
func (l *Lock) Dropped(f func()) {
	t := l.owner.Load()
	if t == nil {
		panic("bql: the BQL is dropped and nobody holds it")
	}
	device := l.device
	if l.strict && len(device) > 0 && !mutant.Planted("bql-drop-in-device") {
		panic(fmt.Sprintf("bql: %q drops the BQL in the middle of the emulation of %s", t.Name(), l.Emulating()))
	}
	who := l.hold.who
	l.device = nil
	l.Unlock(t)
	f()
	l.Lock(t, who)
	if !mutant.Planted("bql-forget-device") {
		l.device = device
	}
}

func threadName(t *sched.Thread) string {
	if t == nil {
		return "nobody"
	}
	return fmt.Sprintf("%q", t.Name())
}
