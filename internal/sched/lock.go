package sched

import "sync"

// A Mutex is a sync.Mutex under a World's control. Init ties it to one. The
// zero Mutex is unlocked and real: in a simulated World it must guard only
// sections without a scheduling point, for the whole simulation would block
// on it otherwise.
type Mutex struct {
	mu  sync.Mutex
	sim *simMutex
}

// Init makes m an unlocked mutex of w, called name in schedules.
func (m *Mutex) Init(w *World, name string) {
	if w.sim != nil {
		m.sim = w.sim.newMutex(name)
	}
}

// Lock blocks until the mutex is the caller's.
func (m *Mutex) Lock() {
	if m.sim != nil {
		m.sim.lock()
		return
	}
	m.mu.Lock()
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
