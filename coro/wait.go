package coro

import (
	"fmt"
	"sync/atomic"
)

// The outcomes of a wait. A wait ends by a step from one of the pending ones
// to granted (by the primitive, under its mutex) or from cancelable to
// cancelled (by whoever cancels, under the coroutine's mutex). Who makes the
// step wakes the coroutine, so it is woken exactly once.
const (
	pending    int32 = iota + 1 // waits, and no cancellation reaches it
	cancelable                  // waits until granted or cancelled
	granted
	cancelled
)

// A waiter is a coroutine's place in the queue of a primitive, whose mutex
// guards all but outcome. It is part of the coroutine, so waiting does not
// allocate.
type waiter struct {
	co         *Co
	outcome    atomic.Int32
	in         *waiters // the queue that holds it, nil once it was taken off
	prev, next *waiter

	write bool  // for an RWLock: as a writer
	want  int64 // for a Semaphore: how many permits
}

// waiters is a queue of coroutines, first come first.
type waiters struct{ first, last *waiter }

func (q *waiters) empty() bool { return q.first == nil }

func (q *waiters) push(w *waiter) {
	w.in, w.prev, w.next = q, q.last, nil
	if q.last == nil {
		q.first = w
	} else {
		q.last.next = w
	}
	q.last = w
}

func (q *waiters) remove(w *waiter) {
	if w.prev == nil {
		q.first = w.next
	} else {
		w.prev.next = w.next
	}
	if w.next == nil {
		q.last = w.prev
	} else {
		w.next.prev = w.prev
	}
	w.in, w.prev, w.next = nil, nil, nil
}

// grantFirst takes the first waiter off the queue and grants it its wait. It
// returns nil if that one has been cancelled already, which then is nobody's
// business any more. The queue is not empty.
func (q *waiters) grantFirst() *waiter {
	w := q.first
	q.remove(w)
	if w.outcome.CompareAndSwap(pending, granted) || w.outcome.CompareAndSwap(cancelable, granted) {
		return w
	}
	return nil
}

// A wakeList collects waiters that have been granted their wait under the
// primitive's mutex, to be woken without it: homes have locks of their own.
// It links them by the fields that the queue used, which nobody touches until
// they are woken; a killed coroutine does not wait again.
type wakeList struct{ first, last *waiter }

func (l *wakeList) add(w *waiter) {
	if w == nil {
		return
	}
	if l.last == nil {
		l.first = w
	} else {
		l.last.next = w
	}
	l.last = w
}

func (l *wakeList) wake() {
	for w := l.first; w != nil; {
		next := w.next
		w.next = nil
		w.co.Wake()
		w = next
	}
}

// wants reports whether the coroutine takes what is free: not if it has been
// cancelled, and minds.
func (co *Co) wants(minds bool) bool { return !minds || co.Err() == nil }

// begin readies the coroutine's waiter. The caller holds the primitive's mutex
// and queues the waiter next, for from here on a cancellation wakes co, unless there is an error: co has been
// cancelled, and minds.
func (co *Co) begin(minds bool) (*waiter, error) {
	w := &co.wait
	w.write, w.want = false, 0
	if !minds {
		w.outcome.Store(pending)
		return w, nil
	}
	co.mu.Lock()
	defer co.mu.Unlock()
	if err := co.cause(); err != nil {
		return nil, err
	}
	w.outcome.Store(cancelable)
	return w, nil
}

// A primitive is what a coroutine can wait for.
type primitive interface {
	// abandon is called when a wait ends without success: w is taken off the
	// queue, or what was granted to it goes to the next. See [waiter.settle].
	abandon(w *waiter)
}

// await yields until the waiter that begin returned and the caller queued in p
// has been granted its wait or cancelled. The caller holds no mutex.
func (co *Co) await(p primitive) error {
	if co.killing {
		p.abandon(&co.wait)
		panic(killed{co})
	}
	entered := false
	defer func() {
		if !entered { // killed
			p.abandon(&co.wait)
		}
	}()
	co.Yield()
	entered = true
	switch co.wait.outcome.Load() {
	case granted:
		return nil
	case cancelled:
		p.abandon(&co.wait)
		return co.Err()
	}
	panic(fmt.Sprintf("coro: %q was woken by somebody other than the %T that it waits for", co.name, p))
}

// settle takes an abandoned waiter off its queue and reports whether it had
// been granted its wait, so that the caller passes that on.
func (w *waiter) settle() (had bool) {
	if w.in != nil {
		w.in.remove(w)
		return false
	}
	return w.outcome.Load() == granted
}
