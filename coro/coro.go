// Package coro provides stackful coroutines: tasks that run on the stack of
// whoever enters them and can yield back to it from any depth.
//
// That a function may yield is in its signature: it takes the running
// coroutine, co *Co, as its first parameter. There is no "current coroutine"
// to look up, so code that is not handed one cannot yield, and the compiler
// says so.
//
// A coroutine has a home, the event loop that will enter it next. Event loops
// (package aio) are what calls [Co.Enter]; everybody else wakes a coroutine
// through its home. A coroutine must be entered again only after it yielded;
// a second entry is a bug in the caller and panics with the names involved.
//
// The package is a layer over [iter.Pull], whose switch costs a fraction of a
// channel hand-over. It starts no goroutines that outlive a coroutine: one
// that will never be entered again must be ended with [Co.Kill].
package coro

import (
	"fmt"
	"iter"
	"sync/atomic"
)

// A Home is an event loop that can enter a coroutine later.
type Home interface {
	// Schedule arranges that co is entered from the loop. Any goroutine may
	// call it; it never blocks and never enters co itself.
	Schedule(co *Co)
	// Name names the loop in messages.
	Name() string
}

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

// A Co is a coroutine. Its methods are marked with who may call them.
type Co struct {
	name  string
	f     func(*Co)
	next  func() (struct{}, bool)
	stop  func()
	yield func(struct{}) bool

	state     atomic.Int32
	scheduled atomic.Pointer[string] // who scheduled it, nil when nobody
	home      atomic.Pointer[Home]
	onDone    func(*Co) // set by the home before the first entry
	killing   bool      // Kill is unwinding it
}

// New returns a coroutine that runs f when it is first entered. It has no home
// yet.
func New(name string, f func(co *Co)) *Co {
	co := &Co{name: name, f: f}
	co.next, co.stop = iter.Pull(co.run)
	return co
}

// killed unwinds the stack of a coroutine that is ended early.
type killed struct{ co *Co }

func (co *Co) run(yield func(struct{}) bool) {
	co.yield = yield
	defer func() {
		co.state.Store(int32(Done))
		if co.onDone != nil {
			co.onDone(co)
		}
		if co.killing { // only then: a real panic keeps its stack
			if r := recover(); r != (killed{co}) && r != nil {
				panic(r)
			}
		}
	}()
	co.f(co)
}

// Name returns the name given to [New].
func (co *Co) Name() string { return co.name }

// State returns the coroutine's state. Unless the caller runs it, the answer
// may be old by the time it is read.
func (co *Co) State() State { return State(co.state.Load()) }

// Home returns the loop that will enter the coroutine next, or nil.
func (co *Co) Home() Home {
	if h := co.home.Load(); h != nil {
		return *h
	}
	return nil
}

// SetHome makes h the coroutine's home. The caller runs the coroutine, or
// created it and has not yet scheduled it.
func (co *Co) SetHome(h Home) { co.home.Store(&h) }

// OnDone registers f to be called, on the stack of the last entry, when the
// coroutine has ended. It is for the home, before the first entry.
func (co *Co) OnDone(f func(*Co)) { co.onDone = f }

// MarkScheduled records that by is about to enter the coroutine. A coroutine
// is scheduled by one party at a time; a second one panics. It is for homes.
func (co *Co) MarkScheduled(by string) {
	if !co.scheduled.CompareAndSwap(nil, &by) {
		was := "?"
		if p := co.scheduled.Load(); p != nil {
			was = *p
		}
		panic(fmt.Sprintf("coro: %q was already scheduled in %q, now again in %q", co.name, was, by))
	}
}

// Enter runs the coroutine on the caller's stack until it yields or ends, and
// reports whether it can be entered again. It is for event loops. Entering a
// coroutine that runs or has ended panics.
func (co *Co) Enter() bool {
	switch s := co.State(); s {
	case Created, Waiting:
	default:
		panic(fmt.Sprintf("coro: %q entered while %v", co.name, s))
	}
	co.scheduled.Store(nil)
	co.state.Store(int32(Running))
	_, more := co.next()
	return more
}

// Yield gives control back to whoever entered the coroutine and returns when
// it is entered again. Only the coroutine's own code calls it. Whoever will
// wake the coroutine must do so through its home, which cannot enter it
// before it has yielded.
func (co *Co) Yield() {
	if s := co.State(); s != Running {
		panic(fmt.Sprintf("coro: %q yields while %v", co.name, s))
	}
	co.state.Store(int32(Waiting))
	if !co.yield(struct{}{}) {
		panic(killed{co})
	}
}

// Wake arranges that the coroutine is entered from its home. Any goroutine may
// call it, once for each Yield; it may come before the Yield.
func (co *Co) Wake() {
	h := co.Home()
	if h == nil {
		panic(fmt.Sprintf("coro: %q is woken but has no home", co.name))
	}
	h.Schedule(co)
}

// Kill ends a coroutine that has not been entered or that waits: its deferred
// functions run on the caller's stack, and it will never be entered again. The
// caller makes sure that nobody enters it meanwhile; a loop that shuts down is
// the usual caller. Killing one that has ended does nothing; one that runs
// panics.
func (co *Co) Kill() {
	switch s := co.State(); s {
	case Done:
		return
	case Running:
		panic(fmt.Sprintf("coro: %q killed while running", co.name))
	case Created:
		co.stop()
		co.state.Store(int32(Done))
		if co.onDone != nil {
			co.onDone(co)
		}
	case Waiting:
		co.state.Store(int32(Running))
		co.killing = true
		co.stop()
	}
}
