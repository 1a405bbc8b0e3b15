package coro_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/backplane-vm/backplane/coro"
	"github.com/backplane-vm/backplane/internal/sched"
	"github.com/backplane-vm/backplane/internal/sched/schedtest"
)

// explore runs a program under many schedules: a few tenths of a second for all.
func explore(t *testing.T, body func(w *sched.World)) {
	t.Helper()
	schedtest.Explore(t, 4000, body)
}

// loop is a Home with a thread of its own.
type loop struct {
	w    *sched.World
	name string
	mu   sched.Mutex
	cos  []*coro.Co
	t    *sched.Thread
	p    *sched.Parker
	stop bool
}

func newLoop(w *sched.World, name string) *loop {
	l := &loop{w: w, name: name, p: w.NewParker().For("work in " + name)}
	l.mu.Init(w, name)
	l.t = w.Go(name, func(*sched.Thread) { l.run() })
	return l
}

func (l *loop) Name() string { return l.name }

func (l *loop) Schedule(co *coro.Co) {
	l.mu.Lock()
	co.MarkScheduled(l.name)
	if co.Home() != coro.Home(l) {
		co.SetHome(l)
	}
	l.cos = append(l.cos, co)
	l.mu.Unlock()
	l.p.Unpark()
}

func (l *loop) spawn(name string, f func(co *coro.Co)) *coro.Co {
	co := coro.New(name, f)
	co.SetWorld(l.w)
	co.SetHome(l)
	l.Schedule(co)
	return co
}

func (l *loop) run() {
	for {
		l.mu.Lock()
		cos, stop := l.cos, l.stop
		l.cos = nil
		l.mu.Unlock()
		for _, co := range cos {
			co.Enter()
		}
		if stop && len(cos) == 0 {
			return
		}
		if len(cos) == 0 {
			l.p.Park(sched.Forever)
		}
	}
}

func (l *loop) end() {
	l.mu.Lock()
	l.stop = true
	l.mu.Unlock()
	l.p.Unpark()
	l.t.Join()
}

// crowd runs functions as coroutines, in two loops by turns, until all have
// returned.
func crowd(w *sched.World, fs ...func(co *coro.Co)) {
	loops := []*loop{newLoop(w, "one"), newLoop(w, "two")}
	left, done := len(fs), w.NewParker().For("the crowd")
	for i, f := range fs {
		loops[i%2].spawn(fmt.Sprint("co", i), func(co *coro.Co) {
			f(co)
			if left--; left == 0 {
				done.Unpark()
			}
		})
	}
	done.Park(sched.Forever)
	for _, l := range loops {
		l.end()
	}
}

// One holds a Mutex at a time, in order of arrival, on whichever loop.
func TestSimulatedMutex(t *testing.T) {
	explore(t, func(w *sched.World) {
		var m coro.Mutex
		inside := 0
		user := func(co *coro.Co) {
			for range 2 {
				m.Lock(co)
				if inside++; inside > 1 {
					panic("two hold it")
				}
				w.Point("inside")
				inside--
				m.Unlock(co)
			}
		}
		crowd(w, user, user, user)
	})
}

// Writers are alone, and an upgrade is a writer.
func TestSimulatedRWLock(t *testing.T) {
	explore(t, func(w *sched.World) {
		var l coro.RWLock
		readers, writers := 0, 0
		check := func() {
			if writers > 1 || writers == 1 && readers > 0 {
				panic(fmt.Sprintf("%d readers, %d writers", readers, writers))
			}
			w.Point("inside")
		}
		read := func(co *coro.Co) {
			l.RLock(co)
			readers++
			check()
			readers--
			l.RUnlock(co)
		}
		write := func(co *coro.Co) {
			l.Lock(co)
			writers++
			check()
			writers--
			l.Unlock(co)
		}
		upgrade := func(co *coro.Co) {
			l.RLock(co)
			w.Point("reads")
			l.Upgrade(co)
			writers++
			check()
			writers--
			l.Downgrade(co)
			readers++
			check()
			readers--
			l.RUnlock(co)
		}
		crowd(w, read, write, upgrade, upgrade)
	})
}

// What is put into a bounded queue comes out, and nobody waits for ever.
func TestSimulatedQueue(t *testing.T) {
	explore(t, func(w *sched.World) {
		var m coro.Mutex
		var filled, emptied coro.Queue
		var items, got []int
		produce := func(co *coro.Co) {
			for i := range 3 {
				m.Lock(co)
				for len(items) == 1 {
					emptied.Wait(co, &m)
				}
				items = append(items, i)
				m.Unlock(co)
				filled.Signal()
			}
		}
		consume := func(co *coro.Co) {
			for range 3 {
				m.Lock(co)
				for len(items) == 0 {
					filled.Wait(co, &m)
				}
				got, items = append(got, items[0]), items[1:]
				m.Unlock(co)
				emptied.Signal()
			}
		}
		crowd(w, produce, consume)
		if !slices.Equal(got, []int{0, 1, 2}) {
			panic(fmt.Sprint("got ", got))
		}
	})
}

// A wake from another thread counts when it comes before the yield.
func TestSimulatedEarlyWake(t *testing.T) {
	explore(t, func(w *sched.World) {
		crowd(w, func(co *coro.Co) {
			for range 2 {
				w.Go("waker", func(*sched.Thread) { co.Wake() })
				co.Yield()
			}
		})
	})
}

// A coroutine that changes its loop is in one at a time.
func TestSimulatedYieldTo(t *testing.T) {
	explore(t, func(w *sched.World) {
		here, there := newLoop(w, "here"), newLoop(w, "there")
		done := w.NewParker().For("the traveller")
		here.spawn("traveller", func(co *coro.Co) {
			for range 2 {
				co.YieldTo(there)
				co.YieldTo(here)
			}
			done.Unpark()
		})
		done.Park(sched.Forever)
		here.end()
		there.end()
	})
}

// A wait that is granted and cancelled at the same time ends once, as one of
// the two; a permit granted is not lost.
func TestSimulatedCancel(t *testing.T) {
	explore(t, func(w *sched.World) {
		s := coro.NewSemaphore(0)
		var e coro.Event
		crowd(w, func(co *coro.Co) {
			scope := co.Begin()
			w.Go("cancels", func(*sched.Thread) { scope.Cancel(nil) })
			w.Go("grants", func(*sched.Thread) { s.Release(1) })
			err := s.AcquireCancelable(co, 1)
			scope.End()
			switch {
			case errors.Is(err, coro.ErrCancelled):
				s.Acquire(co, 1) // comes, or has come
			case err != nil:
				panic(err)
			}
			e.Set()
		}, func(co *coro.Co) { e.Wait(co) })
		if s.TryAcquire(1) {
			panic("a permit too many")
		}
	})
}

// A WaitGroup's wait ends when the last is done.
func TestSimulatedWaitGroup(t *testing.T) {
	explore(t, func(w *sched.World) {
		var g coro.WaitGroup
		g.Add(2)
		done := 0
		work := func(*coro.Co) {
			w.Point("works")
			done++
			g.Done()
		}
		crowd(w, work, work, func(co *coro.Co) {
			g.Wait(co)
			if done != 2 {
				panic("returned early")
			}
		})
	})
}
