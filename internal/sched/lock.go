package sched

import (
	"sync"
	"unsafe"
)

// A Mutex is a sync.Mutex under a World's control. Init ties it to one. The
// zero Mutex is unlocked and real: in a simulated World it must guard only
// sections without a scheduling point, for the whole simulation would block
// on it otherwise.
type Mutex struct {
	mu  sync.Mutex
	w   *World // nil for the zero Mutex
	sim *simMutex
}

// Init makes m an unlocked mutex of w, called name in schedules.
func (m *Mutex) Init(w *World, name string) {
	m.w = w
	if w.sim != nil {
		m.sim = w.sim.newMutex(name)
	}
}

// watched reports whether the Mutex is no plain one now.
func (m *Mutex) watched() bool { return m.w != nil && m.w.watched.Load() }

// Lock blocks until the mutex is the caller's.
func (m *Mutex) Lock() {
	if m.watched() {
		m.lockWatched()
		return
	}
	m.mu.Lock()
}

// lockWatched is Lock, its caller, in a World that is simulated or profiled.
func (m *Mutex) lockWatched() {
	if m.sim != nil {
		m.sim.lock()
		return
	}
	began := m.w.Now()
	m.mu.Lock()
	m.w.count("mutex", uintptr(unsafe.Pointer(m)), 4, m.w.Now()-began)
}

// TryLock takes the mutex if it is free and reports whether it did.
func (m *Mutex) TryLock() bool {
	if m.sim != nil {
		return m.sim.tryLock()
	}
	return m.mu.TryLock()
}

// Unlock releases the mutex.
func (m *Mutex) Unlock() {
	if m.sim != nil {
		m.sim.unlock()
		return
	}
	m.mu.Unlock()
}

// A Cond is a condition variable on a Mutex.
type Cond struct {
	m   *Mutex
	c   sync.Cond
	sim *simCond // made at the first Wait
}

// NewCond returns a condition variable on m, which is initialised already.
func NewCond(m *Mutex) *Cond { return &Cond{m: m, c: sync.Cond{L: &m.mu}} }

// Wait releases the mutex, blocks until woken, and takes the mutex again. The
// caller holds the mutex and re-checks its condition.
func (c *Cond) Wait() {
	if c.m.sim != nil {
		if c.sim == nil {
			c.sim = new(simCond)
		}
		c.sim.wait(c.m.sim)
		return
	}
	if c.m.watched() {
		began := c.m.w.Now()
		c.c.Wait()
		c.m.w.count("condvar", uintptr(unsafe.Pointer(c)), 3, c.m.w.Now()-began)
		return
	}
	c.c.Wait()
}

// Signal wakes one waiter.
func (c *Cond) Signal() {
	if c.m.sim != nil {
		c.sim.wake(1)
		return
	}
	c.c.Signal()
}

// Broadcast wakes all waiters.
func (c *Cond) Broadcast() {
	if c.m.sim != nil {
		c.sim.wake(1 << 30)
		return
	}
	c.c.Broadcast()
}
