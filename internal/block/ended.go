package block

import (
	"slices"

	"github.com/backplane-vm/backplane/coro"
)

// endings is what coroutines wait on for requests to end. It is under the BQL.
type endings struct{ waiting []*coro.Event }

// wait yields co until tell is called. An error is why co was cancelled before.
func (e *endings) wait(co *coro.Co) error {
	told := new(coro.Event)
	e.waiting = append(e.waiting, told)
	defer func() { // also if co is being ended
		e.waiting = slices.DeleteFunc(e.waiting, func(have *coro.Event) bool { return have == told })
	}()
	return told.WaitCancelable(co)
}

// tell has all who wait go on.
func (e *endings) tell() {
	for _, told := range e.waiting {
		told.Set()
	}
	e.waiting = e.waiting[:0]
}
