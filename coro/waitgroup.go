package coro

import "github.com/backplane-vm/backplane/internal/sched"

// A WaitGroup counts work under way, and coroutines wait until there is none.
// The zero WaitGroup counts none.
type WaitGroup struct {
	mu      sched.Mutex
	n       int
	waiters waiters
}

// Add adds n, which may be negative, to the count; who waits goes on when it
// becomes zero. A negative count panics. Any goroutine may call it. Work
// that must be waited for is added before the wait begins.
func (g *WaitGroup) Add(n int) {
	g.mu.Lock()
	g.n += n
	if g.n < 0 {
		g.mu.Unlock()
		panic("coro: more work is done in a WaitGroup than was added")
	}
	var all wakeList
	if g.n == 0 {
		all = g.waiters.grantAll()
	}
	g.mu.Unlock()
	all.wake()
}

// Done takes one off the count.
func (g *WaitGroup) Done() { g.Add(-1) }

// Wait yields co until the count is zero.
func (g *WaitGroup) Wait(co *Co) { _ = g.wait(co, false) } // fails only if cancelled

// WaitCancelable is Wait, but returns an error if co is cancelled before or
// while it waits.
func (g *WaitGroup) WaitCancelable(co *Co) error { return g.wait(co, true) }

func (g *WaitGroup) wait(co *Co, minds bool) error {
	g.mu.Lock()
	if g.n == 0 && co.wants(minds) {
		g.mu.Unlock()
		return nil
	}
	w, err := co.begin(minds)
	if err != nil {
		g.mu.Unlock()
		return err
	}
	g.waiters.push(w)
	g.mu.Unlock()
	return co.await(g)
}

func (g *WaitGroup) abandon(w *waiter) {
	g.mu.Lock()
	w.settle()
	g.mu.Unlock()
}
