package coro

import (
	"fmt"

	"github.com/backplane-vm/backplane/internal/mutant"
	"github.com/backplane-vm/backplane/internal/sched"
)

// A Semaphore holds permits that coroutines take and give back. Who wants many
// is not passed by those behind who want few. The zero Semaphore has none.
type Semaphore struct {
	mu      sched.Mutex
	free    int64
	waiters waiters
}

// NewSemaphore returns a Semaphore with n permits.
func NewSemaphore(n int64) *Semaphore { return &Semaphore{free: n} }

// Acquire yields co until it has n permits, at least one, all at once.
func (s *Semaphore) Acquire(co *Co, n int64) { _ = s.acquire(co, n, false) } // fails only if cancelled

// AcquireCancelable is Acquire, but returns an error, without permits, if co
// is cancelled before or while it waits.
func (s *Semaphore) AcquireCancelable(co *Co, n int64) error { return s.acquire(co, n, true) }

// TryAcquire takes n permits if they are free and nobody waits, and reports
// whether it did.
func (s *Semaphore) TryAcquire(n int64) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.free < n || !s.waiters.empty() {
		return false
	}
	s.free -= n
	return true
}

func (s *Semaphore) acquire(co *Co, n int64, minds bool) error {
	if n <= 0 {
		panic(fmt.Sprintf("coro: %q acquires %d permits", co.name, n))
	}
	s.mu.Lock()
	first := s.waiters.empty() || mutant.Planted("coro-semaphore-overtakes")
	if first && s.free >= n && co.wants(minds) {
		s.free -= n
		s.mu.Unlock()
		return nil
	}
	w, err := co.begin(minds)
	if err != nil {
		s.mu.Unlock()
		return err
	}
	w.want = n
	s.waiters.push(w)
	s.mu.Unlock()
	return co.await(s)
}

// Release gives n permits back, or adds them. Any goroutine may call it.
func (s *Semaphore) Release(n int64) {
	s.mu.Lock()
	s.free += n
	next := s.serve()
	s.mu.Unlock()
	next.wake()
}

// serve grants waits from the front as long as there are permits; mu is held.
func (s *Semaphore) serve() (next wakeList) {
	for !s.waiters.empty() && s.free >= s.waiters.first.want {
		if w := s.waiters.grantFirst(); w != nil {
			s.free -= w.want
			next.add(w)
		}
	}
	return next
}

func (s *Semaphore) abandon(w *waiter) {
	s.mu.Lock()
	if w.settle() {
		s.free += w.want
	}
	next := s.serve() // also those that w stood in front of
	s.mu.Unlock()
	next.wake()
}
