package coro_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/backplane-vm/backplane/coro"
)

// steps runs coroutines that share what a test looks at.
type steps struct {
	queue
	log []string
}

// start runs f in a coroutine until it waits.
func (s *steps) start(name string, f func(co *coro.Co)) *coro.Co {
	co := coro.New(name, f)
	co.SetHome(&s.queue)
	co.Enter()
	return co
}

func (s *steps) say(what string) { s.log = append(s.log, what) }

func (s *steps) expect(t *testing.T, want ...string) {
	t.Helper()
	if !slices.Equal(s.log, want) {
		t.Errorf("%q, want %q", s.log, want)
	}
}

// A reader does not overtake a writer that waits, and readers come in together.
func TestRWLockOrder(t *testing.T) {
	var s steps
	var l coro.RWLock
	reader := func(name string) *coro.Co {
		return s.start(name, func(co *coro.Co) { l.RLock(co); s.say(name); co.Yield(); l.RUnlock(co) })
	}
	writer := func(name string) *coro.Co {
		return s.start(name, func(co *coro.Co) { l.Lock(co); s.say(name); co.Yield(); l.Unlock(co) })
	}
	r1, r2 := reader("r1"), reader("r2")
	w1 := writer("w1")
	r3, r4 := reader("r3"), reader("r4")
	w2 := writer("w2")
	s.expect(t, "r1", "r2")
	for _, co := range []*coro.Co{r1, r2} {
		co.Enter()
	}
	s.run()
	s.expect(t, "r1", "r2", "w1")
	w1.Enter()
	s.run()
	s.expect(t, "r1", "r2", "w1", "r3", "r4")
	r3.Enter()
	r4.Enter()
	s.run()
	w2.Enter()
	s.expect(t, "r1", "r2", "w1", "r3", "r4", "w2")
}

// Upgrading waits for the other readers and not for another upgrade; a
// downgrade lets readers in; a killed upgrade leaves the lock as if released.
func TestRWLockUpgrade(t *testing.T) {
	var s steps
	var l coro.RWLock
	up := func(name string) *coro.Co {
		return s.start(name, func(co *coro.Co) {
			l.RLock(co)
			defer l.RUnlock(co)
			co.Yield()
			l.Upgrade(co)
			s.say(name + " writes")
			l.Downgrade(co)
			s.say(name + " reads")
		})
	}
	a, b, victim := up("a"), up("b"), up("victim")
	a.Enter() // give up their holds and wait
	victim.Enter()
	reader := s.start("reader", func(co *coro.Co) { l.RLock(co); s.say("reader"); l.RUnlock(co) })
	victim.Kill()
	b.Enter()
	s.run()
	s.expect(t, "a writes", "a reads", "reader", "b writes", "b reads")
	if reader.State() != coro.Done {
		t.Errorf("the reader is %v", reader.State())
	}
	alone := up("alone")
	alone.Enter()
	if alone.State() != coro.Done {
		t.Error("the only reader waits to become the writer")
	}
}

// Who wants many permits is not passed by who wants few.
func TestSemaphoreOrder(t *testing.T) {
	var s steps
	sem := coro.NewSemaphore(1)
	take := func(name string, n int64) *coro.Co {
		return s.start(name, func(co *coro.Co) { sem.Acquire(co, n); s.say(name) })
	}
	many := take("many", 3)
	take("few", 1)
	if sem.TryAcquire(1) {
		t.Error("TryAcquire passes who waits")
	}
	sem.Release(1)
	s.run()
	s.expect(t)
	many.Kill() // and whoever it stood before goes on
	s.run()
	s.expect(t, "few")
	if !sem.TryAcquire(1) || sem.TryAcquire(1) {
		t.Error("want one permit left")
	}
}

func TestMisuseOfPrimitives(t *testing.T) {
	var m coro.Mutex
	var l coro.RWLock
	cases := []struct {
		name, want string
		f          func(co *coro.Co)
	}{
		{"mutex twice", `"co" locks a Mutex that it holds`, func(co *coro.Co) { m.Lock(co); m.Lock(co) }},
		{"mutex not held", `"co" unlocks a Mutex that it does not hold`, func(co *coro.Co) { new(coro.Mutex).Unlock(co) }},
		{"end with a lock", `"co" returned with 1 locks held`, func(co *coro.Co) { new(coro.Mutex).TryLock(co) }},
		{"read what one writes", `"co" locks an RWLock that it holds for writing`, func(co *coro.Co) { l.Lock(co); l.RLock(co) }},
		{"rwlock not held", `"co" unlocks an RWLock that it does not hold`, func(co *coro.Co) { new(coro.RWLock).RUnlock(co) }},
		{"upgrade of nothing", `"co" upgrades an RWLock that it does not hold`, func(co *coro.Co) { new(coro.RWLock).Upgrade(co) }},
		{"downgrade of nothing", `"co" downgrades an RWLock that it does not hold`, func(co *coro.Co) { new(coro.RWLock).Downgrade(co) }},
		{"no permits", `"co" acquires 0 permits`, func(co *coro.Co) { coro.NewSemaphore(1).Acquire(co, 0) }},
		{"done too often", `more work is done in a WaitGroup than was added`, func(*coro.Co) { new(coro.WaitGroup).Done() }},
		{"end with a wake", `"co" returned although it is scheduled`, func(co *coro.Co) { co.Wake() }},
	}
	for _, c := range cases {
		co := coro.New("co", c.f)
		co.SetHome(new(queue))
		if got := panicText(t, func() { co.Enter() }); !strings.Contains(got, c.want) {
			t.Errorf("%s: panic %q, want %q", c.name, got, c.want)
		}
	}
}
