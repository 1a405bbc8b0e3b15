package coro_test

import (
	"slices"
	"testing"

	"github.com/backplane-vm/backplane/coro"
)

func TestMutexIsFairAndExclusive(t *testing.T) {
	var q queue
	var m coro.Mutex
	var log []string
	for _, name := range []string{"a", "b", "c"} {
		q.spawn(coro.New(name, func(co *coro.Co) {
			for range 2 {
				m.Lock(co)
				log = append(log, name+"{")
				co.Wake()
				co.Yield()
				log = append(log, "}")
				m.Unlock(co)
			}
		}))
	}
	q.run()
	want := []string{"a{", "}", "b{", "}", "c{", "}", "a{", "}", "b{", "}", "c{", "}"}
	if !slices.Equal(log, want) {
		t.Errorf("order %v, want %v", log, want)
	}
}

func TestMutexWaiterKilled(t *testing.T) {
	var q queue
	var m coro.Mutex
	holder := coro.New("holder", func(co *coro.Co) { m.Lock(co); co.Yield(); m.Unlock(co) })
	victim := coro.New("victim", func(co *coro.Co) { m.Lock(co); t.Error("victim got the lock") })
	got := false
	last := coro.New("last", func(co *coro.Co) { m.Lock(co); got = true; m.Unlock(co) })
	for _, co := range []*coro.Co{holder, victim, last} {
		co.SetHome(&q)
		co.Enter()
	}
	victim.Kill()
	holder.Enter()
	q.run()
	if !got {
		t.Error("the lock was lost with the waiter that was killed")
	}
}
