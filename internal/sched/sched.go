// Package sched is where the concurrency core gets its threads, locks,
// conditions, waits and clocks from.
//
// Nothing in coro, aio, rcu or internal/bql uses the go statement, package
// sync or package time directly: it asks a [World]. That keeps every source
// of non-determinism in one place, where a simulator can stand in for it.
// The World of this file is the real one and is thin over goroutines, sync
// and time.
//
// Purpose of each type: a [Thread] is the identity of a goroutine (Go has none
// of its own; locks and logs need one), a [Mutex] and a [Cond] are sync's, a
// [Parker] is a one-token wait with a deadline, and a [Timer] calls back on a
// goroutine of its own.
//
// Goroutines: one per Thread started with [World.Go]; they end when their
// function returns. Lock order: a World's own lock is a leaf. Only
// [Mutex.Lock], [Cond.Wait], [Parker.Park] and [Thread.Join] block.
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
	epoch  time.Time
	lastID atomic.Uint64

	mu   sync.Mutex
	live map[*Thread]struct{} // started and not yet returned; guarded by mu
}

// NewWorld returns a real World whose clock starts at zero now.
func NewWorld() *World {
	return &World{epoch: time.Now(), live: make(map[*Thread]struct{})}
}

// Now returns nanoseconds since the World was made, from a monotonic clock.
func (w *World) Now() int64 { return int64(time.Since(w.epoch)) }

// Wall returns the wall-clock time, for timestamps that people read.
func (w *World) Wall() time.Time { return time.Now() }

// Go starts f on a goroutine of its own, known as name, and returns its
// identity at once. f gets the same identity.
func (w *World) Go(name string, f func(t *Thread)) *Thread {
	t := w.Adopt(name)
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
		w.mu.Lock()
		var t *Thread
		for t = range w.live {
			break
		}
		w.mu.Unlock()
		if t == nil {
			return
		}
		t.Join()
	}
}

// A Thread is the identity of a goroutine: what owns a lock, what a log line
// names. Its fields are immutable.
type Thread struct {
	w    *World
	name string
	id   uint64
	done chan struct{} // closed when f returned; nil if adopted
}

// Name returns the name the thread was given, such as "main" or "hart1".
func (t *Thread) Name() string { return t.name }

// ID returns a number unique in the thread's World.
func (t *Thread) ID() uint64 { return t.id }

// World returns the World the thread belongs to.
func (t *Thread) World() *World { return t.w }

// Join blocks until the thread's function has returned. It must not be called
// on an adopted thread, nor by the thread itself.
func (t *Thread) Join() { <-t.done }

// A Mutex is a sync.Mutex under the World's control. The zero Mutex is
// unlocked and real.
type Mutex struct{ mu sync.Mutex }

// Lock blocks until the mutex is the caller's.
func (m *Mutex) Lock() { m.mu.Lock() }

// TryLock takes the mutex if it is free and reports whether it did.
func (m *Mutex) TryLock() bool { return m.mu.TryLock() }

// Unlock releases the mutex.
func (m *Mutex) Unlock() { m.mu.Unlock() }

// A Cond is a condition variable on a Mutex.
type Cond struct {
	c sync.Cond
}

// NewCond returns a condition variable on m.
func NewCond(m *Mutex) *Cond { return &Cond{c: sync.Cond{L: &m.mu}} }

// Wait releases the mutex, blocks until woken, and takes the mutex again. The
// caller holds the mutex and re-checks its condition.
func (c *Cond) Wait() { c.c.Wait() }

// Signal wakes one waiter.
func (c *Cond) Signal() { c.c.Signal() }

// Broadcast wakes all waiters.
func (c *Cond) Broadcast() { c.c.Broadcast() }

// Forever is the deadline of a [Parker.Park] without one.
const Forever int64 = 1<<63 - 1

// A Parker lets one goroutine wait for a token that any goroutine can leave.
// At most one token is kept, so an Unpark before the Park is not lost and many
// are one.
type Parker struct {
	w     *World
	token chan struct{}
	timer *time.Timer // owned by the parking goroutine
}

// NewParker returns a Parker without a token.
func (w *World) NewParker() *Parker {
	return &Parker{w: w, token: make(chan struct{}, 1)}
}

// Unpark leaves a token. It never blocks and may be called by anyone.
func (p *Parker) Unpark() {
	select {
	case p.token <- struct{}{}:
	default:
	}
}

// Park blocks until there is a token, which it takes, or until the World's
// clock reaches deadline (nanoseconds, as [World.Now]; [Forever] for none). It
// reports whether it took a token. One goroutine at a time may park.
func (p *Parker) Park(deadline int64) bool {
	select {
	case <-p.token:
		return true
	default:
	}
	if deadline == Forever {
		<-p.token
		return true
	}
	d := time.Duration(deadline - p.w.Now())
	if d <= 0 {
		return false
	}
	if p.timer == nil {
		p.timer = time.NewTimer(d)
	} else {
		p.timer.Reset(d)
	}
	select {
	case <-p.token:
		p.timer.Stop()
		return true
	case <-p.timer.C:
		return false
	}
}

// A Timer calls a function once its time has come.
type Timer struct {
	w *World
	t *time.Timer
}

// NewTimer returns an unarmed Timer that will call f on a goroutine of its
// own. f must be short and must not block.
func (w *World) NewTimer(f func()) *Timer {
	t := time.AfterFunc(time.Hour, f)
	t.Stop()
	return &Timer{w: w, t: t}
}

// Arm sets the timer to fire at deadline on the World's clock, in place of
// any earlier one. A deadline that has passed fires at once.
func (t *Timer) Arm(deadline int64) { t.t.Reset(time.Duration(max(0, deadline-t.w.Now()))) }

// Stop disarms the timer. A call of f that has begun goes on.
func (t *Timer) Stop() { t.t.Stop() }
