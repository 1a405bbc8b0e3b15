package aio

import (
	"sync/atomic"

	"github.com/backplane-vm/backplane/internal/sched"
)

// An IOThread is a context with a goroutine of its own that polls it. Its
// callbacks run without the BQL.
type IOThread struct {
	*Context
	thread *sched.Thread
	stop   atomic.Bool
}

// NewIOThread starts the goroutine; [IOThread.Stop] ends it.
func NewIOThread(w *sched.World, name string) *IOThread {
	t := &IOThread{Context: NewContext(w, name, nil)}
	t.thread = w.Go(name, func(*sched.Thread) {
		for !t.stop.Load() {
			t.Poll(true)
		}
	})
	return t
}

// Stop ends the goroutine and waits for it, then ends the coroutines that are
// left. It must not be called from the IOThread's own callbacks.
func (t *IOThread) Stop() {
	t.OneShot("stop", func() { t.stop.Store(true) })
	t.thread.Join()
	t.Close()
}
