// Package coro provides stackful coroutines: tasks that run on the stack of
// whoever enters them and can yield back to it from any depth; and what they
// wait with: [Mutex], [RWLock], [Queue], [Semaphore], [WaitGroup], [Event].
//
// That a function may yield is in its signature: it takes the running
// coroutine, co *Co, as its first parameter. There is no "current coroutine"
// to look up, so code that is not handed one cannot yield, and the compiler
// says so.
//
// # Homes, waking
//
// A coroutine has a home, the event loop that will enter it next. Event loops
// (package aio) are what calls [Co.Enter]; everybody else wakes a coroutine
// through its home. The rules, each of which is asserted with a message that
// names the coroutine and the parties:
//
//   - It is entered only by its home's loop, and never while it runs.
//   - It is woken once for each wait. A second wake before the first has led
//     to an entry is a bug of one of the two who wake.
//   - A wake may come before the yield, from any goroutine: the home's loop is
//     what runs the coroutine, so it cannot enter it before it has yielded.
//     That is also why a coroutine changes its home only by [Co.YieldTo].
//   - Waking a coroutine that has returned is a bug; so is returning with a
//     wake under way, or with a lock held.
//   - Waking or entering a killed one does nothing: who promised to wake it
//     cannot know.
//
// # Waiting
//
// Every primitive serves in order of arrival and may be used from several
// loops (threads) at once. What is waited for is handed over: a Mutex is never
// free between Unlock and the next waiter's return, so nobody overtakes. A
// method whose name ends in Cancelable returns an error when its coroutine is
// cancelled ([Co.Cancel], [Scope.Cancel]); the others wait on. Whether a wait
// is granted or cancelled is decided once, by one atomic step, and the
// decider wakes; what is handed to a coroutine that is killed before it runs
// goes on to the next in line.
//
// A bare [Co.Yield] cannot be cancelled, as whoever will call [Co.Wake] cannot
// be told; code that wants that uses an [Event].
//
// # Ends
//
// A coroutine ends when its function returns, or is ended by [Co.Kill] when
// its loop shuts down: it unwinds from where it waits, running its deferred
// functions, which must not count on being able to wait. An Unlock in a
// deferred function is right even if the wait it is killed in had let the lock
// go ([Queue.Wait], [RWLock.Upgrade]).
//
// # Cost
//
// The package is a layer over [iter.Pull], whose switch costs a fraction of a
// channel hand-over; it adds two atomic operations and one stack frame to a
// round trip, which is 1.2 times as long for it (BenchmarkRoundTrip). The frame
// is [Co.Enter]'s; [Co.Yield] is inlined, as returns after a switch are
// mispredicted and cost more than what they return from. The package starts
// no goroutines that outlive a coroutine, and keeps no pool of them: a new
// iter.Pull costs 0.5 µs and 6 allocations, a reused one 0.14 µs
// (BenchmarkSpawn; amd64, Go 1.26), while what a coroutine is made for, a
// request or a command, takes several µs or more for its hand-over to a worker
// alone. Parked goroutines that have to be found and ended with every loop
// would be the price for less than a tenth.
//
// Lock order: a primitive's own mutex, then a coroutine's. Both are held for a
// few instructions and never while a home is called; nothing here blocks.
package coro

import (
	"fmt"
	"iter"
	"sync/atomic"

	"github.com/backplane-vm/backplane/internal/mutant"
	"github.com/backplane-vm/backplane/internal/sched"
)

// State says where a coroutine is in its life.
type State int32

// The states of a coroutine.
const (
	Created State = iota // never entered
	Running              // between Enter and Yield
	Waiting              // yielded
	Done                 // its function returned or it was killed
)

// String returns the state in words.
func (s State) String() string {
	return [...]string{"created", "running", "waiting", "done"}[s]
}

// A Co is a coroutine. Its methods say who may call them.
type Co struct {
	name  string
	f     func(*Co)
	next  func() (struct{}, bool)
	stop  func()
	yield func(struct{}) bool

	// word is the State in its low bits, and the flags below. All that must
	// be true at once for an entry or a wake to be right is in it, so that
	// one atomic operation checks and changes it.
	word atomic.Uint32

	home     atomic.Pointer[Home]
	homes    [2]*Home  // recent homes, kept for reuse; whoever may call SetHome
	handover Home      // see YieldTo; the enterer's once co has yielded
	onDone   func(*Co) // set by the home before the first entry
	member   member    // its place in its home's Set

	locks    int     // Mutexes and RWLocks held; the coroutine's own, as the next
	killing  bool    // Kill is unwinding it
	forfeits *RWLock // the lock it gave up in an Upgrade and was killed in
	wait     waiter  // the wait it is in: one at a time

	world *sched.World // if simulated; set by the home before the first entry

	mu    sched.Mutex
	err   error  // why it was cancelled; guarded by mu
	scope *Scope // innermost open one; guarded by mu
}

// The bits of Co.word.
const (
	stateBits    = 3
	scheduledBit = 4 // somebody is about to enter it
	killedBit    = 8 // ended, or being ended, by Kill
)

// New returns a coroutine that runs f when it is first entered. It has no home
// yet.
func New(name string, f func(co *Co)) *Co {
	co := &Co{name: name, f: f, yield: notEntered}
	co.wait.co = co
	co.next, co.stop = iter.Pull(co.run)
	return co
}

// killed unwinds the stack of a coroutine that is ended early.
type killed struct{ co *Co }

// Error is for the eyes of those who make an ended coroutine yield.
func (k killed) Error() string {
	return fmt.Sprintf("coro: %q yields while %v", k.co.name, k.co.State())
}

func (co *Co) run(yield func(struct{}) bool) {
	co.yield = yield
	if co.world != nil {
		co.yield = func(v struct{}) bool {
			co.point("coro.Yield")
			return yield(v)
		}
	}
	returned := false
	defer func() {
		was := co.finish()
		if co.killing { // only then: a real panic keeps its stack
			if r := recover(); r != (killed{co}) && r != nil {
				panic(r)
			}
		}
		if returned {
			co.checkEnd(was)
		}
	}()
	co.f(co)
	returned = true
}

// finish makes the coroutine Done and returns the word from before.
func (co *Co) finish() uint32 {
	var flags uint32
	if co.killing {
		flags = killedBit
	}
	was := co.word.Swap(uint32(Done) | flags)
	if co.onDone != nil {
		co.onDone(co)
	}
	return was
}

// checkEnd asserts what must be true of a coroutine whose function returned.
func (co *Co) checkEnd(word uint32) {
	switch {
	case word&scheduledBit != 0 && !co.killing:
		panic(fmt.Sprintf("coro: %q returned although it is scheduled in %q: it was woken and did not wait", co.name, co.homeName()))
	case co.locks != 0 && !co.killing:
		panic(fmt.Sprintf("coro: %q returned with %d locks held", co.name, co.locks))
	}
}

// Name returns the name given to [New].
func (co *Co) Name() string { return co.name }

// State returns the coroutine's state. Unless the caller runs it, the answer
// may be old by the time it is read.
func (co *Co) State() State { return State(co.word.Load() & stateBits) }

// OnDone registers f to be called, on the stack of the last entry, when the
// coroutine has ended. It is for the home, before the first entry.
func (co *Co) OnDone(f func(*Co)) { co.onDone = f }

// SetWorld says whose scheduling points the coroutine's waits are, so that a
// simulated World can try what comes in between. It is for the home, before
// the first entry; without it there are none.
func (co *Co) SetWorld(w *sched.World) {
	if w.Simulated() {
		co.world = w
	}
}

// point is a place in the coroutine's own code where another thread may come
// in between.
func (co *Co) point(what string) {
	if co.world != nil {
		co.world.Point(what)
	}
}

// Enter runs the coroutine on the caller's stack until it yields or ends, and
// reports whether it can be entered again. It is for event loops. Entering a
// coroutine that runs or has returned panics; one that was killed, when it had
// been woken already perhaps, is not entered.
func (co *Co) Enter() bool {
	word := co.word.Load()
	if word&stateBits == uint32(Running) || word&stateBits == uint32(Done) ||
		!co.word.CompareAndSwap(word, uint32(Running)) {
		if co.refuseEntry() {
			return false
		}
	}
	_, more := co.next()
	if more {
		co.word.Add(uint32(Waiting - Running)) // and a wake that came already stays
	}
	if h := co.handover; h != nil {
		co.handover = nil
		h.Schedule(co)
	}
	return more
}

// refuseEntry reports whether there is nothing to enter; else it panics.
func (co *Co) refuseEntry() (killed bool) {
	if co.word.Load()&killedBit != 0 {
		return true
	}
	if mutant.Planted("coro-double-enter") {
		return false
	}
	panic(fmt.Sprintf("coro: %q entered while %v", co.name, co.State()))
}

// Yield gives control back to whoever entered the coroutine and returns when
// it is entered again. Only the coroutine's own code calls it. Whoever will
// wake the coroutine must do so through its home, which cannot enter it
// before it has yielded.
func (co *Co) Yield() {
	if !co.yield(struct{}{}) { // small enough to be inlined: see the package comment
		panic(killed{co})
	}
}

// notEntered is what a coroutine yields with before it has been entered.
func notEntered(struct{}) bool { panic("coro: a coroutine yields that was never entered") }

// YieldTo yields and goes on in the loop h, which becomes the coroutine's
// home. The old loop hands it over once it has yielded, so that h, which may
// be another thread's, cannot enter it too soon. Nobody else may wake the
// coroutine meanwhile. Only the coroutine's own code calls it.
func (co *Co) YieldTo(h Home) {
	if mutant.Planted("coro-hands-over-early") {
		h.Schedule(co)
		co.Yield()
		return
	}
	co.handover = h
	co.Yield()
}

// Kill ends a coroutine that has not been entered or that waits: its deferred
// functions run on the caller's stack, and it will never be entered again. The
// caller makes sure that nobody enters it meanwhile; a loop that shuts down is
// the usual caller. Killing one that has ended does nothing; one that runs
// panics.
func (co *Co) Kill() {
	switch s := co.State(); s {
	case Done:
	case Running:
		panic(fmt.Sprintf("coro: %q killed while running", co.name))
	case Created:
		co.killing = true
		co.stop()
		co.finish()
	case Waiting:
		co.killing = true
		co.word.Store(uint32(Running) | killedBit)
		co.stop()
	}
}
