package coro

import (
	"fmt"

	"github.com/backplane-vm/backplane/internal/mutant"
)

// A Home is an event loop that can enter a coroutine later.
type Home interface {
	// Schedule arranges that co is entered from the loop, which becomes its
	// home. Any goroutine may call it; it never blocks and never enters co
	// itself. It calls [Co.MarkScheduled] first.
	Schedule(co *Co)
	// Name names the loop in messages.
	Name() string
}

// Home returns the loop that will enter the coroutine next, or nil.
func (co *Co) Home() Home {
	if h := co.home.Load(); h != nil {
		return *h
	}
	return nil
}

func (co *Co) homeName() string {
	if h := co.Home(); h != nil {
		return h.Name()
	}
	return "nowhere"
}

// SetHome makes h, which is a pointer, the coroutine's home. The caller runs
// the coroutine, or created it and has not yet scheduled it, or is a home that
// has just marked it scheduled. It does not allocate for a home that the
// coroutine had lately.
func (co *Co) SetHome(h Home) {
	for _, p := range co.homes {
		if p != nil && *p == h {
			co.home.Store(p)
			return
		}
	}
	p := new(Home) // not &h, which would allocate in any case
	*p = h
	co.homes[1], co.homes[0] = co.homes[0], p
	co.home.Store(p)
}

// MarkScheduled records that by is about to enter the coroutine. A coroutine
// is scheduled by one party at a time; a second one panics, as does one for a
// coroutine that has returned. It is for homes, before they queue it.
func (co *Co) MarkScheduled(by string) {
	for {
		word := co.word.Load()
		switch {
		case word&scheduledBit != 0:
			panic(fmt.Sprintf("coro: %q was already scheduled in %q, now again in %q", co.name, co.homeName(), by))
		case word&stateBits == uint32(Done) && word&killedBit == 0:
			panic(fmt.Sprintf("coro: %q is scheduled in %q after it returned", co.name, by))
		}
		if co.word.CompareAndSwap(word, word|scheduledBit) {
			return
		}
	}
}

// Wake arranges that the coroutine is entered from its home. Any goroutine may
// call it, once for each wait; it may come before the coroutine yields. Waking
// a coroutine that was killed does nothing; one that returned, panics.
func (co *Co) Wake() {
	if mutant.Planted("coro-early-wake-lost") && co.State() == Running {
		return
	}
	h := co.Home()
	if h == nil {
		panic(fmt.Sprintf("coro: %q is woken but has no home", co.name))
	}
	if co.word.Load()&killedBit != 0 {
		return
	}
	h.Schedule(co)
}

// A Set holds the coroutines that live in a home, in the order in which they
// came. It is for homes and guarded by their locks; a coroutine is in at most
// one Set. The zero Set is empty.
type Set struct {
	first, last *Co
	n           int
}

// member is a coroutine's place in a Set.
type member struct {
	set        *Set
	prev, next *Co
}

// Add puts co, which is in no Set, last.
func (s *Set) Add(co *Co) {
	if co.member.set != nil {
		panic(fmt.Sprintf("coro: %q added to a second Set", co.name))
	}
	co.member = member{set: s, prev: s.last}
	if s.last == nil {
		s.first = co
	} else {
		s.last.member.next = co
	}
	s.last = co
	s.n++
}

// Remove takes co out and reports whether it was in.
func (s *Set) Remove(co *Co) bool {
	m := co.member
	if m.set != s {
		return false
	}
	if m.prev == nil {
		s.first = m.next
	} else {
		m.prev.member.next = m.next
	}
	if m.next == nil {
		s.last = m.prev
	} else {
		m.next.member.prev = m.prev
	}
	co.member = member{}
	s.n--
	return true
}

// First returns the coroutine that came first, or nil.
func (s *Set) First() *Co { return s.first }

// Len returns how many there are.
func (s *Set) Len() int { return s.n }
