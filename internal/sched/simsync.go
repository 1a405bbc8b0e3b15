package sched

import (
	"fmt"
	"slices"
)

// simMutex is a mutex of a simulated World.
type simMutex struct {
	s      *sim
	name   string
	holder *simThread
}

func (s *sim) newMutex(name string) *simMutex {
	m := &simMutex{s: s, name: name}
	s.mutexes = append(s.mutexes, m)
	return m
}

func (m *simMutex) ready(*simThread) bool { return m.holder == nil }
func (m *simMutex) what() string {
	if m.holder == nil {
		return "mutex " + m.name
	}
	return fmt.Sprintf("mutex %s, held by %s", m.name, m.holder.t.name)
}

func (m *simMutex) lock() {
	s := m.s
	if s.dead || s.cur == nil {
		return
	}
	s.point("locks", m.name)
	for m.holder != nil {
		s.block(m, Forever)
	}
	m.holder = s.cur
	s.note(VerbHas, m.name)
}

func (m *simMutex) tryLock() bool {
	s := m.s
	if s.dead || s.cur == nil {
		return true
	}
	s.point("tries", m.name)
	if m.holder != nil {
		return false
	}
	m.holder = s.cur
	s.note(VerbHas, m.name)
	return true
}

func (m *simMutex) unlock() {
	s := m.s
	if s.dead || s.cur == nil {
		return
	}
	if m.holder == nil {
		panic(Violation{Broken, "unlock of the unlocked mutex " + m.name})
	}
	m.holder = nil
	s.note(VerbLets, m.name)
}

// simCond is a condition variable of a simulated World.
type simCond struct{ waiters []*condWait }

type condWait struct {
	m     *simMutex
	woken bool
}

func (w *condWait) ready(*simThread) bool { return w.woken }
func (w *condWait) what() string          { return "a change of " + w.m.name }

func (c *simCond) wait(m *simMutex) {
	if m.s.dead {
		panic(killed{})
	}
	w := &condWait{m: m}
	c.waiters = append(c.waiters, w)
	m.unlock()
	m.s.block(w, Forever)
	m.lock()
}

func (c *simCond) wake(n int) {
	if c == nil {
		return
	}
	n = min(n, len(c.waiters))
	for _, w := range c.waiters[:n] {
		w.woken = true
	}
	c.waiters = slices.Delete(c.waiters, 0, n)
}

// simParker is a Parker of a simulated World.
type simParker struct {
	s     *sim
	name  string
	token bool
}

func (p *simParker) ready(*simThread) bool { return p.token }
func (p *simParker) what() string          { return p.name }

// unpark is no scheduling point: it is often called with a lock held that the
// simulation does not know, and what matters (the other side sees nothing,
// then waits) is covered by the points before locks and waits.
func (p *simParker) unpark() {
	p.token = true
	p.s.note("wakes who waits for", p.name)
}

func (p *simParker) park(deadline int64) bool {
	p.s.point("parks for", p.name)
	if !p.token && deadline > p.s.now {
		p.s.block(p, deadline)
	}
	took := p.token
	p.token = false
	return took
}

// simTimer is a Timer of a simulated World.
type simTimer struct {
	s        *sim
	f        func()
	deadline int64
}

func (t *simTimer) arm(deadline int64) {
	t.stop()
	t.deadline = deadline
	i, _ := slices.BinarySearchFunc(t.s.timers, deadline, func(o *simTimer, at int64) int {
		if o.deadline <= at {
			return -1
		}
		return 1
	})
	t.s.timers = slices.Insert(t.s.timers, i, t)
}

func (t *simTimer) stop() {
	t.s.timers = slices.DeleteFunc(t.s.timers, func(o *simTimer) bool { return o == t })
}

// fireTimers starts a thread for each timer whose time has come.
func (s *sim) fireTimers() {
	for len(s.timers) > 0 && s.timers[0].deadline <= s.now {
		t := s.timers[0]
		s.timers = s.timers[1:]
		cur := s.cur
		s.cur = nil // no scheduling point here
		s.w.Go("timer", func(*Thread) { t.f() })
		s.cur = cur
	}
}
