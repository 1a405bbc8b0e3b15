package coro_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/backplane-vm/backplane/coro"
)

// queue is a Home that enters what is scheduled, in order, when told to.
type queue struct{ cos []*coro.Co }

func (q *queue) Name() string         { return "queue" }
func (q *queue) Schedule(co *coro.Co) { co.MarkScheduled("queue"); q.cos = append(q.cos, co) }
func (q *queue) spawn(co *coro.Co)    { co.SetHome(q); q.Schedule(co) }
func (q *queue) run() {
	for len(q.cos) > 0 {
		co := q.cos[0]
		q.cos = q.cos[1:]
		co.Enter()
	}
}

func panicText(t *testing.T, f func()) (text string) {
	t.Helper()
	defer func() {
		r := recover()
		if r == nil {
			t.Fatal("no panic")
		}
		text, _ = r.(string)
	}()
	f()
	return ""
}

func TestYieldInterleaves(t *testing.T) {
	var q queue
	var log []string
	for _, name := range []string{"a", "b"} {
		q.spawn(coro.New(name, func(co *coro.Co) {
			for _, step := range []string{"1", "2", "3"} {
				log = append(log, co.Name()+step)
				co.Wake()
				co.Yield()
			}
		}))
	}
	q.run()
	want := []string{"a1", "b1", "a2", "b2", "a3", "b3"}
	if !slices.Equal(log, want) {
		t.Errorf("order %v, want %v", log, want)
	}
}

func TestStates(t *testing.T) {
	co := coro.New("c", func(co *coro.Co) {
		if co.State() != coro.Running {
			t.Errorf("inside: %v, want running", co.State())
		}
		co.Yield()
	})
	if co.State() != coro.Created {
		t.Errorf("new: %v, want created", co.State())
	}
	if more := co.Enter(); !more || co.State() != coro.Waiting {
		t.Errorf("yielded: more=%v state=%v, want true, waiting", more, co.State())
	}
	if more := co.Enter(); more || co.State() != coro.Done {
		t.Errorf("ended: more=%v state=%v, want false, done", more, co.State())
	}
}

func TestMisuseNamesWhoAndWhat(t *testing.T) {
	var q queue
	done := coro.New("done", func(*coro.Co) {})
	done.Enter()
	twice := coro.New("twice", func(*coro.Co) {})
	q.spawn(twice)
	for _, c := range []struct {
		name, want string
		f          func()
	}{
		{"enter after end", `coro: "done" entered while done`, func() { done.Enter() }},
		{"scheduled twice", `coro: "twice" was already scheduled in "queue"`, func() { q.Schedule(twice) }},
		{"yield from outside", "coro: a coroutine yields that was never entered", func() { twice.Yield() }},
		{"wake without home", `coro: "done" is woken but has no home`, func() { done.Wake() }},
	} {
		if got := panicText(t, c.f); !strings.HasPrefix(got, c.want) {
			t.Errorf("%s: panic %q, want %q", c.name, got, c.want)
		}
	}
}

func TestRecursiveEnter(t *testing.T) {
	var self *coro.Co
	self = coro.New("self", func(*coro.Co) { self.Enter() })
	if got := panicText(t, func() { self.Enter() }); got != `coro: "self" entered while running` {
		t.Errorf("panic %q", got)
	}
}

func TestKillRunsDeferred(t *testing.T) {
	var log []string
	co := coro.New("victim", func(co *coro.Co) {
		defer func() { log = append(log, "outer") }()
		func() {
			defer func() { log = append(log, "inner") }()
			co.Yield()
			log = append(log, "must not run")
		}()
	})
	co.OnDone(func(*coro.Co) { log = append(log, "done") })
	co.Enter()
	co.Kill()
	co.Kill() // again: nothing
	if want := []string{"inner", "outer", "done"}; !slices.Equal(log, want) {
		t.Errorf("log %v, want %v", log, want)
	}
}

func TestKillBeforeFirstEntry(t *testing.T) {
	ran, done := false, false
	co := coro.New("unborn", func(*coro.Co) { ran = true })
	co.OnDone(func(*coro.Co) { done = true })
	co.Kill()
	if ran || !done || co.State() != coro.Done {
		t.Errorf("ran=%v done=%v state=%v, want false true done", ran, done, co.State())
	}
}

func TestPanicReachesEnterer(t *testing.T) {
	co := coro.New("boom", func(*coro.Co) { panic("boom") })
	if got := panicText(t, func() { co.Enter() }); got != "boom" {
		t.Errorf("panic %q, want boom", got)
	}
}
