package coro

import (
	"fmt"

	"github.com/backplane-vm/backplane/internal/mutant"
	"github.com/backplane-vm/backplane/internal/sched"
)

// A Mutex is a lock for coroutines: who waits for it yields, and the lock is
// handed over in order of arrival. The zero Mutex is unlocked.
type Mutex struct {
	mu      sched.Mutex
	holder  *Co
	waiters waiters
}

// Lock yields co until the mutex is its own.
func (m *Mutex) Lock(co *Co) { _ = m.lock(co, false) } // fails only if cancelled

// LockCancelable is Lock, but returns an error, without the mutex, if co is
// cancelled before or while it waits.
func (m *Mutex) LockCancelable(co *Co) error { return m.lock(co, true) }

// TryLock takes the mutex if it is free and reports whether it did.
func (m *Mutex) TryLock(co *Co) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.holder != nil {
		return false
	}
	m.holder = co
	co.locks++
	return true
}

func (m *Mutex) lock(co *Co, minds bool) error {
	m.mu.Lock()
	if m.holder == co {
		m.mu.Unlock()
		panic(fmt.Sprintf("coro: %q locks a Mutex that it holds", co.name))
	}
	if m.holder == nil && co.wants(minds) {
		m.holder = co
		m.mu.Unlock()
		co.locks++
		return nil
	}
	w, err := co.begin(minds)
	if err != nil {
		m.mu.Unlock()
		return err
	}
	m.waiters.push(w)
	m.mu.Unlock()
	if err := co.await(m); err != nil {
		return err
	}
	co.locks++ // Unlock has made co the holder
	return nil
}

// Unlock releases the mutex, which co holds, to the first in line.
func (m *Mutex) Unlock(co *Co) {
	co.point("coro.Mutex")
	m.mu.Lock()
	if m.holder != co {
		m.mu.Unlock()
		if co.killing { // in a wait that had released the mutex
			return
		}
		panic(fmt.Sprintf("coro: %q unlocks a Mutex that it does not hold", co.name))
	}
	co.locks--
	next := m.handOver()
	m.mu.Unlock()
	next.wake()
}

// handOver makes the first waiter that still waits the holder; mu is held.
func (m *Mutex) handOver() (next wakeList) {
	m.holder = nil
	for m.holder == nil && !m.waiters.empty() {
		if w := m.waiters.grantFirst(); w != nil {
			if !mutant.Planted("coro-mutex-unfair") {
				m.holder = w.co
			}
			next.add(w)
			break
		}
	}
	return next
}

func (m *Mutex) abandon(w *waiter) {
	var next wakeList
	m.mu.Lock()
	if w.settle() && !mutant.Planted("coro-grant-lost-on-kill") {
		next = m.handOver()
	}
	m.mu.Unlock()
	next.wake()
}
