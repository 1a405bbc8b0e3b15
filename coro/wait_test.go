package coro_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/backplane-vm/backplane/coro"
)

// line is something that coroutines wait for one after the other, or all at
// once.
type line struct {
	// pass waits for one's turn and ends it.
	pass func(co *coro.Co) error
	// open gives the first its turn.
	open func()
}

// held runs hold in a coroutine of its own and returns what lets it end.
func held(hold func(co *coro.Co, wait func())) (release func()) {
	co := coro.New("holder", func(co *coro.Co) { hold(co, co.Yield) })
	co.Enter()
	return func() { co.Enter() }
}

// lines are the primitives, by name.
var lines = map[string]func() line{
	"Mutex": func() line {
		var m coro.Mutex
		open := held(func(co *coro.Co, wait func()) { m.Lock(co); wait(); m.Unlock(co) })
		return line{func(co *coro.Co) error {
			err := m.LockCancelable(co)
			if err == nil {
				m.Unlock(co)
			}
			return err
		}, open}
	},
	"RWLock, writers": func() line {
		var l coro.RWLock
		open := held(func(co *coro.Co, wait func()) { l.RLock(co); wait(); l.RUnlock(co) })
		return line{func(co *coro.Co) error {
			err := l.LockCancelable(co)
			if err == nil {
				l.Unlock(co)
			}
			return err
		}, open}
	},
	"RWLock, readers": func() line {
		var l coro.RWLock
		open := held(func(co *coro.Co, wait func()) { l.Lock(co); wait(); l.Unlock(co) })
		return line{func(co *coro.Co) error {
			err := l.RLockCancelable(co)
			if err == nil {
				l.RUnlock(co)
			}
			return err
		}, open}
	},
	"Semaphore": func() line {
		s := coro.NewSemaphore(0)
		return line{func(co *coro.Co) error {
			err := s.AcquireCancelable(co, 2)
			if err == nil {
				s.Release(2)
			}
			return err
		}, func() { s.Release(2) }}
	},
	"Queue": func() line {
		var q coro.Queue
		return line{func(co *coro.Co) error {
			err := q.WaitCancelable(co, nil)
			if err == nil {
				q.Signal()
			}
			return err
		}, func() { q.Signal() }}
	},
	"Queue with a Mutex": func() line {
		var q coro.Queue
		var m coro.Mutex
		return line{func(co *coro.Co) error {
			m.Lock(co)
			defer m.Unlock(co)
			err := q.WaitCancelable(co, &m)
			if err == nil {
				q.Signal()
			}
			return err
		}, func() { q.Signal() }}
	},
	"WaitGroup": func() line {
		var g coro.WaitGroup
		g.Add(1)
		return line{g.WaitCancelable, g.Done}
	},
	"Event": func() line {
		var e coro.Event
		return line{e.WaitCancelable, e.Set}
	},
}

// Whatever becomes of one in a line, the others have their turns in order of
// arrival, and who gives up is told why, once.
func TestLines(t *testing.T) {
	mine := errors.New("mine")
	cases := []struct {
		name         string
		before       func(cos []*coro.Co) // once all wait
		opened       func(cos []*coro.Co) // once the first has its turn, before it runs
		want         []string
		doneUntilNow int
	}{
		{name: "all wait", want: []string{"a", "b", "c"}},
		{name: "cancelled", before: func(cos []*coro.Co) { cos[1].Cancel(mine) }, want: []string{"b mine", "a", "c"}},
		{name: "the first cancelled", before: func(cos []*coro.Co) { cos[0].Cancel(nil); cos[0].Cancel(mine) }, want: []string{"a cancelled", "b", "c"}},
		{name: "killed", before: func(cos []*coro.Co) { cos[1].Kill() }, want: []string{"a", "c"}},
		{name: "the first killed", before: func(cos []*coro.Co) { cos[0].Kill() }, want: []string{"b", "c"}},
		{name: "cancelled too late", opened: func(cos []*coro.Co) { cos[0].Cancel(mine) }, want: []string{"a", "b", "c"}},
		{name: "killed in its turn", opened: func(cos []*coro.Co) { cos[0].Kill() }, want: []string{"b", "c"}},
	}
	for kind, begin := range lines {
		for _, c := range cases {
			t.Run(kind+"/"+c.name, func(t *testing.T) {
				var q queue
				var log []string
				var cos []*coro.Co
				l := begin()
				for _, name := range []string{"a", "b", "c"} {
					co := coro.New(name, func(co *coro.Co) {
						if err := l.pass(co); err != nil {
							name = fmt.Sprint(name, " ", err)
						}
						log = append(log, name)
					})
					cos = append(cos, co)
					q.spawn(co)
				}
				q.run()
				if c.before != nil {
					c.before(cos)
					q.run()
				}
				l.open()
				if c.opened != nil {
					c.opened(cos)
				}
				q.run()
				if !slices.Equal(log, c.want) {
					t.Errorf("%q, want %q", log, c.want)
				}
			})
		}
	}
}

// Who is cancelled already does not begin a wait, and takes nothing that is
// free; who does not mind waits on.
func TestCancelledBefore(t *testing.T) {
	for kind, begin := range lines {
		t.Run(kind, func(t *testing.T) {
			var q queue
			var errs []error
			l := begin()
			co := coro.New("co", func(co *coro.Co) {
				errs = append(errs, l.pass(co))
				var e coro.Event
				e.Set()
				e.Wait(co)
				s := coro.NewSemaphore(3)
				errs = append(errs, s.AcquireCancelable(co, 1))
				s.Acquire(co, 3)
			})
			co.Cancel(nil)
			q.spawn(co)
			q.run()
			if len(errs) != 2 || !errors.Is(errs[0], coro.ErrCancelled) || !errors.Is(errs[1], coro.ErrCancelled) || co.State() != coro.Done {
				t.Errorf("errors %v, %v", errs, co.State())
			}
		})
	}
}

// The cancellation of a scope ends with it; of several, the outermost counts.
func TestScopes(t *testing.T) {
	var q queue
	var e coro.Event
	inner, outer := errors.New("inner"), errors.New("outer")
	var got []error
	co := coro.New("co", func(co *coro.Co) {
		a := co.Begin()
		b := co.Begin()
		b.Cancel(inner)
		got = append(got, co.Err())
		a.Cancel(outer)
		got = append(got, e.WaitCancelable(co), b.Err())
		b.End()
		a.End()
		a.Cancel(outer) // too late
		got = append(got, co.Err(), a.Err())
		c := co.Begin()
		co.Begin() // is ended with c
		c.End()
		co.Wake()
		co.Yield()
	})
	q.spawn(co)
	q.run()
	want := []error{inner, outer, inner, nil, outer}
	if !slices.Equal(got, want) || co.State() != coro.Done {
		t.Errorf("%v, %v, want %v", got, co.State(), want)
	}
}

// A signal that reached a coroutine which is killed before it has its mutex
// back goes to the next.
func TestSignalOutlivesItsReceiver(t *testing.T) {
	var home queue
	var q coro.Queue
	var m coro.Mutex
	var log []string
	wait := func(co *coro.Co) {
		m.Lock(co)
		defer m.Unlock(co)
		q.Wait(co, &m)
		log = append(log, co.Name())
	}
	victim, next := coro.New("victim", wait), coro.New("next", wait)
	home.spawn(victim)
	home.spawn(next)
	home.run()
	release := held(func(co *coro.Co, wait func()) { m.Lock(co); wait(); m.Unlock(co) })
	if !q.Signal() || q.Empty() {
		t.Fatal("nobody, or everybody, was signalled")
	}
	home.run() // the victim waits for the mutex
	victim.Kill()
	release()
	home.run()
	if !slices.Equal(log, []string{"next"}) {
		t.Errorf("%q went on, want next", log)
	}
	q.Broadcast() // to nobody
	if q.Signal() || !q.Empty() {
		t.Error("the queue is not empty")
	}
}
