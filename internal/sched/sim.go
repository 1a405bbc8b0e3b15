package sched

import (
	"fmt"
	"iter"
	"slices"
	"strings"
	"time"
)

// sim is the scheduler of a simulated World. One thread runs at a time, so
// nothing here is locked. Threads are coroutines over iter.Pull: a switch costs
// less than 100 ns, and a thread may be switched away from any depth, also
// from inside a coroutine (package coro) that it has entered.
type sim struct {
	w       *World
	opts    Options
	threads []*simThread // in order of creation; those that ended are dropped
	cur     *simThread
	next    *simThread // chosen by the thread that switched away
	now     int64
	steps   int
	timers  []*simTimer // armed, by deadline
	mutexes []*simMutex
	choices []Choice
	buf     []*simThread // scratch for enabled
	ids     []uint64     // scratch for ask
	log     []Entry
	fail    *Failure
	dead    bool // the run is over and threads are being unwound
}

// Step is how much virtual time, in nanoseconds, one scheduling point takes.
// Time has to pass while threads run, or a thread that waits for it in a loop
// would wait for ever.
const Step = 1000

// simThread is a thread of a simulated World.
type simThread struct {
	t        *Thread
	index    int // order of creation
	next     func() (struct{}, bool)
	stop     func()
	yield    func(struct{}) bool
	blocked  waitable // what it waits for, or nil
	deadline int64    // until when, with blocked set
	ended    bool
}

// waitable is what a thread can wait for.
type waitable interface {
	ready(t *simThread) bool
	what() string
}

// killed unwinds a thread of a run that is over.
type killed struct{}

func (s *sim) start(t *Thread, f func(*Thread)) {
	st := &simThread{t: t, index: int(t.id)}
	t.sim = st
	st.next, st.stop = iter.Pull(func(yield func(struct{}) bool) {
		st.yield = yield
		defer func() {
			st.ended = true
			if s.dead {
				_ = recover() // whatever: the run is over
			}
		}()
		f(t)
	})
	s.threads = append(s.threads, st)
	s.note(VerbStarts, t.name)
	s.point("start", t.name)
}

// enabled returns the threads that can go on: the current one first, if it
// can, then the others in order of creation.
func (s *sim) enabled() []*simThread {
	list := s.buf[:0]
	if c := s.cur; c != nil && !c.ended && s.canRun(c) {
		list = append(list, c)
	}
	for _, t := range s.threads {
		if t != s.cur && !t.ended && s.canRun(t) {
			list = append(list, t)
		}
	}
	s.buf = list
	return list
}

func (s *sim) canRun(t *simThread) bool {
	return t.blocked == nil || t.blocked.ready(t) || t.deadline <= s.now
}

// choose decides who runs next, or returns nil if nobody can.
func (s *sim) choose() *simThread {
	for {
		s.fireTimers()
		list := s.enabled()
		switch {
		case len(list) == 0:
			if !s.advance() {
				return nil
			}
			continue
		case len(list) == 1:
			return list[0]
		}
		kept := list[0] == s.cur
		i := s.ask(list, kept)
		if i < 0 || i >= len(list) {
			i = 0
		}
		s.choices = append(s.choices, Choice{N: uint8(min(len(list), 255)), Picked: uint8(i), Kept: kept})
		return list[i]
	}
}

// ask has the Chooser pick one of list.
func (s *sim) ask(list []*simThread, kept bool) int {
	c, ok := s.opts.Chooser.(ThreadChooser)
	if !ok {
		return s.opts.Chooser.Choose(len(s.choices), len(list), kept)
	}
	s.ids = s.ids[:0]
	for _, t := range list {
		s.ids = append(s.ids, t.t.id)
	}
	return c.ChooseThread(len(s.choices), s.ids, kept)
}

// advance lets time run to the next deadline, when nobody can do anything
// before it; false if there is none.
func (s *sim) advance() bool {
	at := Forever
	for _, t := range s.threads {
		if !t.ended {
			at = min(at, t.deadline)
		}
	}
	if len(s.timers) > 0 {
		at = min(at, s.timers[0].deadline)
	}
	if at == Forever {
		return false
	}
	s.now = max(s.now, at)
	if s.opts.Log {
		s.note("time", time.Duration(s.now).String())
	}
	return true
}

// point is a place where another thread may come in between.
func (s *sim) point(verb, what string) {
	if s.dead || s.cur == nil {
		return
	}
	s.tick(verb, what)
	s.switchTo(s.choose())
}

// tick counts a step, and ends a run that does not end.
func (s *sim) tick(verb, what string) {
	s.steps++
	s.now += Step
	if s.steps > s.opts.MaxSteps {
		panic(Violation{Livelock, fmt.Sprintf("still running after %d steps", s.opts.MaxSteps)})
	}
	s.note(verb, what)
}

// switchTo lets next run until somebody switches back.
func (s *sim) switchTo(next *simThread) {
	if next == s.cur && next != nil {
		return
	}
	me := s.cur
	s.next = next
	if !me.yield(struct{}{}) || s.dead {
		panic(killed{})
	}
}

// block makes the current thread wait for on, or until deadline.
func (s *sim) block(on waitable, deadline int64) {
	if s.dead {
		panic(killed{})
	}
	me := s.cur
	me.blocked, me.deadline = on, deadline
	if s.opts.Log && !on.ready(me) {
		s.note(VerbWaits, on.what())
	}
	s.switchTo(s.choose())
	me.blocked, me.deadline = nil, Forever
}

// loop runs threads until all have ended or nothing can happen any more.
func (s *sim) loop() {
	for {
		t := s.next
		s.next = nil
		if t == nil || t.ended {
			s.cur = nil
			t = s.choose()
		}
		if t == nil {
			return
		}
		s.cur = t
		t.next()
		if t.ended {
			s.note(VerbEnds, "")
			s.threads = slices.DeleteFunc(s.threads, func(o *simThread) bool { return o == t })
		}
	}
}

func (s *sim) live() []string {
	var names []string
	for _, t := range s.threads {
		if !t.ended && t != s.cur {
			names = append(names, t.t.name)
		}
	}
	slices.Sort(names)
	return names
}

func (s *sim) anyLive() *Thread {
	for _, t := range s.threads {
		if !t.ended && t != s.cur {
			return t.t
		}
	}
	return nil
}

// join waits for a thread's end.
func (s *sim) join(t *simThread) {
	s.point("joins", t.t.name)
	if !t.ended {
		s.block(simJoin{t}, Forever)
	}
}

type simJoin struct{ t *simThread }

func (j simJoin) ready(*simThread) bool { return j.t.ended }
func (j simJoin) what() string          { return "the end of " + j.t.t.name }

// stuck describes what every thread waits for, when none can go on.
func (s *sim) stuck() string {
	var b strings.Builder
	for _, t := range s.threads {
		if t.ended {
			continue
		}
		what := "nothing"
		if t.blocked != nil {
			what = t.blocked.what()
		}
		fmt.Fprintf(&b, "%s waits for %s; ", t.t.name, what)
	}
	return strings.TrimSuffix(b.String(), "; ")
}

// unwind ends the threads that are left, so that nothing of the run stays.
func (s *sim) unwind() {
	s.dead = true
	for i := 0; i < len(s.threads); i++ { // unwinding may start threads
		t := s.threads[i]
		if t.ended {
			continue
		}
		s.cur = t
		func() {
			defer func() { _ = recover() }() // whatever: the run is over
			t.stop()
		}()
		t.ended = true
	}
	s.threads, s.cur = nil, nil
}
