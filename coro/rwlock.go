package coro

import (
	"fmt"

	"github.com/backplane-vm/backplane/internal/mutant"
	"github.com/backplane-vm/backplane/internal/sched"
)

// An RWLock is held by any number of readers or by one writer. Both stand in
// one line: a writer waits for the readers before it only, as a reader that
// comes later waits behind it. The zero RWLock is unlocked.
type RWLock struct {
	mu      sched.Mutex
	readers int
	writer  *Co
	waiters waiters
}

// RLock yields co until it holds the lock as a reader. A coroutine must not
// take it again while it holds it: a writer may have come between.
func (l *RWLock) RLock(co *Co) { _ = l.lock(co, false, false) } // fails only if cancelled

// RLockCancelable is RLock, but returns an error, without the lock, if co is
// cancelled before or while it waits.
func (l *RWLock) RLockCancelable(co *Co) error { return l.lock(co, false, true) }

// Lock yields co until it holds the lock as the writer.
func (l *RWLock) Lock(co *Co) { _ = l.lock(co, true, false) } // fails only if cancelled

// LockCancelable is Lock, but returns an error, without the lock, if co is
// cancelled before or while it waits.
func (l *RWLock) LockCancelable(co *Co) error { return l.lock(co, true, true) }

func (l *RWLock) lock(co *Co, write, minds bool) error {
	l.mu.Lock()
	if l.writer == co {
		l.mu.Unlock()
		panic(fmt.Sprintf("coro: %q locks an RWLock that it holds for writing", co.name))
	}
	if (l.waiters.empty() || mutant.Planted("coro-rwlock-overtakes")) && l.admits(write) && co.wants(minds) {
		l.take(co, write)
		l.mu.Unlock()
		co.locks++
		return nil
	}
	w, err := co.begin(minds)
	if err != nil {
		l.mu.Unlock()
		return err
	}
	w.write = write
	l.waiters.push(w)
	l.mu.Unlock()
	if err := co.await(l); err != nil {
		return err
	}
	co.locks++
	return nil
}

func (l *RWLock) admits(write bool) bool {
	return l.writer == nil && (!write || l.readers == 0)
}

func (l *RWLock) take(co *Co, write bool) {
	if write {
		l.writer = co
	} else {
		l.readers++
	}
}

// RUnlock releases the lock, which co holds as a reader.
func (l *RWLock) RUnlock(co *Co) { l.unlock(co, false) }

// Unlock releases the lock, which co holds as the writer.
func (l *RWLock) Unlock(co *Co) { l.unlock(co, true) }

func (l *RWLock) unlock(co *Co, write bool) {
	co.point("coro.RWLock")
	if co.killing && co.forfeits == l {
		co.forfeits = nil
		return
	}
	l.mu.Lock()
	if write && l.writer != co || !write && l.readers == 0 {
		l.mu.Unlock()
		panic(fmt.Sprintf("coro: %q unlocks an RWLock that it does not hold", co.name))
	}
	co.locks--
	next := l.drop(write)
	l.mu.Unlock()
	next.wake()
}

// drop gives up one hold of the lock and lets in who can come in; mu is held.
func (l *RWLock) drop(write bool) wakeList {
	if write {
		l.writer = nil
	} else {
		l.readers--
	}
	return l.admit()
}

// admit grants waits from the front of the line: a writer, or readers up to
// the next writer; mu is held.
func (l *RWLock) admit() (next wakeList) {
	for !l.waiters.empty() && l.admits(l.waiters.first.write) {
		if w := l.waiters.grantFirst(); w != nil {
			l.take(w.co, w.write)
			next.add(w)
		}
	}
	return next
}

// Upgrade turns co, which holds the lock as a reader, into its writer. Unless
// it is the only one it gives up the lock and stands in line, so other writers
// may have been there when Upgrade returns; two readers that upgrade at the
// same time do not wait for each other.
func (l *RWLock) Upgrade(co *Co) {
	l.mu.Lock()
	if l.readers == 0 {
		l.mu.Unlock()
		panic(fmt.Sprintf("coro: %q upgrades an RWLock that it does not hold", co.name))
	}
	if l.readers == 1 && l.waiters.empty() {
		l.readers, l.writer = 0, co
		l.mu.Unlock()
		return
	}
	w, _ := co.begin(false)
	w.write = true
	l.waiters.push(w)
	next := l.drop(false)
	l.mu.Unlock()
	next.wake()
	holds := false
	defer func() {
		if !holds { // killed: a deferred unlock has nothing to unlock
			co.forfeits = l
			co.locks--
		}
	}()
	_ = co.await(l) // fails only if cancelled
	holds = true
}

// Downgrade turns co, which is the lock's writer, into a reader, and lets in
// the readers that are first in line.
func (l *RWLock) Downgrade(co *Co) {
	l.mu.Lock()
	if l.writer != co {
		l.mu.Unlock()
		panic(fmt.Sprintf("coro: %q downgrades an RWLock that it does not hold for writing", co.name))
	}
	l.writer, l.readers = nil, 1
	next := l.admit()
	l.mu.Unlock()
	next.wake()
}

func (l *RWLock) abandon(w *waiter) {
	var next wakeList
	l.mu.Lock()
	if w.settle() {
		next = l.drop(w.write)
	} else {
		next = l.admit() // those that w stood in front of
	}
	l.mu.Unlock()
	next.wake()
}
