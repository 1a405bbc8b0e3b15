package coro

import (
	"errors"

	"github.com/backplane-vm/backplane/internal/mutant"
)

// ErrCancelled is what a cancelable wait returns when no other reason was
// given.
var ErrCancelled = errors.New("cancelled")

// Cancel asks the coroutine to give up, because of err ([ErrCancelled] if
// nil): the cancelable wait it is in returns err, and so does, at once, every
// later one. Waits that are not cancelable go on. The first reason stays. Any
// goroutine may call it, at any time; an ended coroutine does not mind.
func (co *Co) Cancel(err error) {
	co.mu.Lock()
	if co.err == nil {
		co.err = reason(err)
	}
	woken := co.cutShort()
	co.mu.Unlock()
	if woken {
		co.Wake()
	}
}

func reason(err error) error {
	if err == nil {
		return ErrCancelled
	}
	return err
}

// cutShort ends the cancelable wait that co is in and reports whether there
// was one: then the caller wakes co. co.mu is held, under which such waits
// begin.
func (co *Co) cutShort() bool {
	return co.wait.outcome.CompareAndSwap(cancelable, cancelled) ||
		mutant.Planted("coro-cancels-granted") && co.wait.outcome.Load() == granted && co.State() == Waiting
}

// cause says why the coroutine is cancelled; co.mu is held.
func (co *Co) cause() error {
	if co.err != nil {
		return co.err
	}
	var err error
	for s := co.scope; s != nil; s = s.outer {
		if s.err != nil {
			err = s.err // the outermost, which ends most
		}
	}
	return err
}

// Err returns why the coroutine, or a [Scope] it is in, has been cancelled, or
// nil. Code that computes for long asks now and then.
func (co *Co) Err() error {
	co.mu.Lock()
	defer co.mu.Unlock()
	return co.cause()
}

// A Scope is a part of a coroutine's run that can be cancelled by itself, such
// as one operation with a time limit. Scopes nest.
type Scope struct {
	co    *Co
	outer *Scope
	err   error // guarded by co.mu, as the next
	ended bool
}

// Begin opens a scope within those that are open. Only the coroutine's own
// code calls it, and ends the scope.
func (co *Co) Begin() *Scope {
	co.mu.Lock()
	defer co.mu.Unlock()
	co.scope = &Scope{co: co, outer: co.scope}
	return co.scope
}

// End closes the scope, and those within it. A cancellation of it that comes
// later does nothing.
func (s *Scope) End() {
	s.co.mu.Lock()
	defer s.co.mu.Unlock()
	for in := s.co.scope; !s.ended; in = in.outer {
		in.ended = true
		s.co.scope = in.outer
	}
}

// Cancel asks the coroutine to give up what it does in the scope: as
// [Co.Cancel], until the scope ends.
func (s *Scope) Cancel(err error) {
	s.co.mu.Lock()
	if s.ended {
		s.co.mu.Unlock()
		return
	}
	if s.err == nil {
		s.err = reason(err)
	}
	woken := s.co.cutShort()
	s.co.mu.Unlock()
	if woken {
		s.co.Wake()
	}
}

// Err returns why the scope itself was cancelled, or nil.
func (s *Scope) Err() error {
	s.co.mu.Lock()
	defer s.co.mu.Unlock()
	return s.err
}
