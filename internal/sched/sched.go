// Package sched is where the concurrency core gets its threads, locks,
// conditions, waits and clocks from.
//
// Nothing in coro, aio, rcu, internal/bql or what is built on them uses the go
// statement, package sync or package time directly: it asks a [World]. That
// keeps every source of non-determinism in one place, and the place has two
// forms. A real World ([NewWorld]) is thin over goroutines, sync and time. In
// a simulated one ([Simulate]) one thread runs at a time, a [Chooser] decides
// at every lock, wait, hand-over and marked atomic which, and time is a
// number; so the same code runs under any interleaving one cares to try, and
// again under the same one.
//
// The types: a [Thread] is the identity of a goroutine (Go has none of its own;
// locks and logs need one), a [Mutex] and a [Cond] are sync's, a [Parker] is a
// one-token wait with a deadline, and a [Timer] calls back.
//
// Goroutines: one per Thread started with [World.Go]; they end when their
// function returns. Lock order: a World's own lock is a leaf. Only
// [Mutex.Lock], [Cond.Wait], [Parker.Park], [Thread.Join] and [World.Join]
// block.
//
// # What it costs to be able to simulate
//
// Each operation asks whether its World is simulated, or profiled: a load or two and
// a branch that is always taken the same way.
package sched

import (
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// A World hands out threads, locks and clocks. One per machine; safe for use
// by any goroutine.
type World struct {
	sim    *sim // nil in a real World
	epoch  time.Time
	lastID atomic.Uint64

	// watched says that locks do more than lock: the World is simulated, or profiled.
	watched atomic.Bool
	profile profile

	mu   sync.Mutex
	live map[*Thread]struct{} // started and not yet returned; guarded by mu
}

// NewWorld returns a real World whose clock starts at zero now.
func NewWorld() *World {
	return &World{epoch: time.Now(), live: make(map[*Thread]struct{})}
}

// Simulated reports whether the World is a simulated one.
func (w *World) Simulated() bool { return w.sim != nil }

// Now returns nanoseconds since the World was made, from a monotonic clock.
func (w *World) Now() int64 {
	if w.sim != nil {
		return w.sim.now
	}
	return int64(time.Since(w.epoch))
}

// Wall returns the wall-clock time, for timestamps that people read.
func (w *World) Wall() time.Time {
	if w.sim != nil {
		return w.epoch.Add(time.Duration(w.sim.now))
	}
	return time.Now()
}

// Point marks a place where another thread could come in between that no lock
// or wait marks: next to an atomic operation on shared state. It does nothing
// in a real World; in a simulated one the scheduler may switch there. what
// says which place, for schedules that people read.
func (w *World) Point(what string) {
	if w.sim != nil {
		w.sim.point("atomic", what)
	}
}

// Go starts f on a goroutine of its own, known as name, and returns its
// identity at once. f gets the same identity.
func (w *World) Go(name string, f func(t *Thread)) *Thread {
	t := w.Adopt(name)
	if w.sim != nil {
		w.sim.start(t, f)
		return t
	}
	t.done = make(chan struct{})
	w.mu.Lock()
	w.live[t] = struct{}{}
	w.mu.Unlock()
	go func() {
		defer func() {
			w.mu.Lock()
			delete(w.live, t)
			w.mu.Unlock()
			close(t.done)
		}()
		f(t)
	}()
	return t
}

// Adopt returns an identity for a goroutine that the World did not start, such
// as the caller's own. It must not be shared between goroutines that run at
// the same time.
func (w *World) Adopt(name string) *Thread {
	return &Thread{w: w, name: name, id: w.lastID.Add(1)}
}

// Live returns the names of the threads started by [World.Go] that have not
// returned, sorted. It is for leak checks and diagnostics.
func (w *World) Live() []string {
	if w.sim != nil {
		return w.sim.live()
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	names := make([]string, 0, len(w.live))
	for t := range w.live {
		names = append(names, t.name)
	}
	slices.Sort(names)
	return names
}

// Join blocks until every thread started by [World.Go] has returned, also those
// started meanwhile. The caller is none of them.
func (w *World) Join() {
	for {
		t := w.anyLive()
		if t == nil {
			return
		}
		t.Join()
	}
}

func (w *World) anyLive() *Thread {
	if w.sim != nil {
		return w.sim.anyLive()
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for t := range w.live {
		return t
	}
	return nil
}

// A Thread is the identity of a goroutine: what owns a lock, what a log line
// names. Its fields are immutable.
type Thread struct {
	w    *World
	name string
	id   uint64
	done chan struct{} // closed when f returned; nil if adopted or simulated
	sim  *simThread    // nil if adopted or real
}

// Name returns the name the thread was given, such as "main" or "hart1".
func (t *Thread) Name() string { return t.name }

// ID returns a number unique in the thread's World.
func (t *Thread) ID() uint64 { return t.id }

// World returns the World the thread belongs to.
func (t *Thread) World() *World { return t.w }

// Join blocks until the thread's function has returned. It must not be called
// on an adopted thread, nor by the thread itself.
func (t *Thread) Join() {
	if t.w.sim != nil {
		t.w.sim.join(t.sim)
		return
	}
	<-t.done
}
