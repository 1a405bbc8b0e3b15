package coro

import "github.com/backplane-vm/backplane/internal/sched"

// An Event is a flag that coroutines can wait for: a latch as long as nobody
// resets it. The zero Event is not set.
type Event struct {
	mu      sched.Mutex
	set     bool
	waiters waiters
}

// Set sets the flag and ends the waits for it. Any goroutine may call it, as
// the next two.
func (e *Event) Set() {
	e.mu.Lock()
	e.set = true
	all := e.waiters.grantAll()
	e.mu.Unlock()
	all.wake()
}

// Reset clears the flag. Waits that have ended stay so, also those of
// coroutines that have not yet been entered.
func (e *Event) Reset() {
	e.mu.Lock()
	e.set = false
	e.mu.Unlock()
}

// IsSet reports whether the flag is set.
func (e *Event) IsSet() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.set
}

// Wait yields co until the flag is set.
func (e *Event) Wait(co *Co) { _ = e.wait(co, false) } // fails only if cancelled

// WaitCancelable is Wait, but returns an error if co is cancelled before or
// while it waits.
func (e *Event) WaitCancelable(co *Co) error { return e.wait(co, true) }

func (e *Event) wait(co *Co, minds bool) error {
	e.mu.Lock()
	if e.set && co.wants(minds) {
		e.mu.Unlock()
		return nil
	}
	w, err := co.begin(minds)
	if err != nil {
		e.mu.Unlock()
		return err
	}
	e.waiters.push(w)
	e.mu.Unlock()
	return co.await(e)
}

func (e *Event) abandon(w *waiter) {
	e.mu.Lock()
	w.settle()
	e.mu.Unlock()
}
