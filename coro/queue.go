package coro

import (
	"github.com/backplane-vm/backplane/internal/mutant"
	"github.com/backplane-vm/backplane/internal/sched"
)

// A Queue is a condition variable: coroutines wait in it, without the [Mutex]
// that guards the condition, until somebody says that the condition may have
// become true. The zero Queue is empty.
type Queue struct {
	mu      sched.Mutex
	waiters waiters
}

// Wait queues co, releases m, yields until [Queue.Signal] or [Queue.Broadcast]
// reaches it, and takes m again. As co queues before it releases m, a signal
// by somebody who takes m next is not missed. When Wait returns, the condition
// has to be looked at again: others may have had m in between. m may be nil if
// all concerned run in one loop.
func (q *Queue) Wait(co *Co, m *Mutex) { _ = q.wait(co, m, false) } // fails only if cancelled

// WaitCancelable is Wait, but returns an error if co is cancelled before or
// while it waits for the signal. It then has not used one up. It holds m again
// whatever it returns.
func (q *Queue) WaitCancelable(co *Co, m *Mutex) error { return q.wait(co, m, true) }

func (q *Queue) wait(co *Co, m *Mutex, minds bool) error {
	q.mu.Lock()
	w, err := co.begin(minds)
	if err != nil {
		q.mu.Unlock()
		return err
	}
	q.waiters.push(w)
	q.mu.Unlock()
	if m == nil {
		return co.await(q)
	}
	m.Unlock(co)
	if err := co.await(q); err != nil {
		m.Lock(co)
		return err
	}
	acted := false
	defer func() {
		if !acted && !mutant.Planted("coro-signal-lost-on-kill") { // killed before it could act on the signal
			q.Signal()
		}
	}()
	m.Lock(co)
	acted = true
	return nil
}

// Signal ends the wait of the coroutine that has waited longest and reports
// whether there was one. Any goroutine may call it; who changed the condition
// under its Mutex need not hold that any more.
func (q *Queue) Signal() bool {
	q.mu.Lock()
	next := q.grantOne()
	q.mu.Unlock()
	next.wake()
	return next.first != nil
}

// Broadcast ends the waits of all coroutines in the queue, which go on in
// order of arrival. Any goroutine may call it.
func (q *Queue) Broadcast() {
	q.mu.Lock()
	all := q.waiters.grantAll()
	q.mu.Unlock()
	all.wake()
}

// Empty reports whether no coroutine waits. Unless the queue is used in one
// loop only, the answer may be old by the time it is read.
func (q *Queue) Empty() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.waiters.empty()
}

func (q *Queue) grantOne() (next wakeList) {
	for next.first == nil && !q.waiters.empty() {
		next.add(q.waiters.grantFirst())
	}
	return next
}

func (q *Queue) abandon(w *waiter) {
	var next wakeList
	q.mu.Lock()
	if w.settle() {
		next = q.grantOne()
	}
	q.mu.Unlock()
	next.wake()
}

// grantAll grants every waiter its wait.
func (q *waiters) grantAll() (all wakeList) {
	for !q.empty() {
		all.add(q.grantFirst())
	}
	return all
}
