package coro

import (
	"github.com/backplane-vm/backplane/internal/sched"
)

// A Mutex is a lock for coroutines: who waits for it yields, and the lock is
// handed over in order of arrival. It may be used from several contexts. The
// zero Mutex is unlocked.
type Mutex struct {
	mu      sched.Mutex
	holder  *Co
	waiters []*Co
}

// Lock yields co until the mutex is its own.
func (m *Mutex) Lock(co *Co) {
	m.mu.Lock()
	if m.holder == nil {
		m.holder = co
		m.mu.Unlock()
		return
	}
	m.waiters = append(m.waiters, co)
	m.mu.Unlock()
	killed := true
	defer func() {
		if killed { // co is being ended while it waits
			m.abandon(co)
		}
	}()
	co.Yield() // Unlock made co the holder before it woke it
	killed = false
}

// abandon takes a waiter off the queue, or passes on a lock it was just given.
func (m *Mutex) abandon(co *Co) {
	m.mu.Lock()
	for i, w := range m.waiters {
		if w == co {
			m.waiters = append(m.waiters[:i], m.waiters[i+1:]...)
			m.mu.Unlock()
			return
		}
	}
	m.mu.Unlock()
	m.Unlock(co)
}

// Unlock releases the mutex, which co holds.
func (m *Mutex) Unlock(co *Co) {
	m.mu.Lock()
	if m.holder != co {
		m.mu.Unlock()
		panic("coro: " + co.Name() + " unlocks a Mutex that it does not hold")
	}
	m.holder = nil
	var next *Co
	if len(m.waiters) > 0 {
		next = m.waiters[0]
		m.waiters = m.waiters[1:]
		m.holder = next
	}
	m.mu.Unlock()
	if next != nil {
		next.Wake()
	}
}
