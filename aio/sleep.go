package aio

import (
	"errors"

	"github.com/backplane-vm/backplane/coro"
)

// ErrTimeout is why [WithTimeout] cancels.
var ErrTimeout = errors.New("timed out")

// Sleep yields co until clock has advanced by ns nanoseconds. The coroutine
// must live in a Context. A timeout does not cut it short.
func Sleep(co *coro.Co, clock *Clock, ns int64) {
	t := home(co, "sleeps").Timer(clock, co.Wake)
	t.Arm(clock.Now() + ns)
	defer t.Cancel() // if it is killed
	co.Yield()
}

// SleepCancelable is Sleep, but returns an error if co is cancelled before or
// while it sleeps.
func SleepCancelable(co *coro.Co, clock *Clock, ns int64) error {
	var over coro.Event
	t := home(co, "sleeps").Timer(clock, over.Set)
	t.Arm(clock.Now() + ns)
	defer t.Cancel()
	return over.WaitCancelable(co)
}

// WithTimeout calls f and returns what it returns. When clock has advanced by
// ns nanoseconds before f is done, co is cancelled with [ErrTimeout] as long
// as it is in f: f's cancelable waits return that, and f is expected to. Time
// limits nest.
func WithTimeout(co *coro.Co, clock *Clock, ns int64, f func() error) error {
	scope := co.Begin()
	defer scope.End()
	t := home(co, "sets a time limit").Timer(clock, func() { scope.Cancel(ErrTimeout) })
	t.Arm(clock.Now() + ns)
	defer t.Cancel()
	return f()
}
