package aio

import (
	"fmt"
	"sync/atomic"

	"github.com/backplane-vm/backplane/coro"
	"github.com/backplane-vm/backplane/internal/sched"
)

// An IOThread is a context with a goroutine of its own that polls it. Its
// callbacks run without the BQL. An object moves to it by running its
// coroutines there ([MoveTo]) and by making its bottom halves, timers and
// sources anew.
type IOThread struct {
	*Context
	thread *sched.Thread
	stop   atomic.Bool
}

// NewIOThread starts the goroutine; [IOThread.Stop] ends it.
func NewIOThread(w *sched.World, name string) *IOThread {
	t := &IOThread{Context: NewContext(w, name, nil)}
	t.thread = w.Go(name, func(*sched.Thread) {
		if checksHome {
			t.home.Store(goroutine())
		}
		for !t.stop.Load() {
			t.Poll(true)
		}
	})
	return t
}

// ThreadID returns a number that tells the goroutine from others of its World.
func (t *IOThread) ThreadID() uint64 { return t.thread.ID() }

// Stop runs what has been scheduled, ends the goroutine and waits for it, then
// ends the coroutines that are left, on the caller's goroutine. It must not be
// called from the IOThread's own callbacks.
func (t *IOThread) Stop() {
	if checksHome && t.home.Load() == goroutine() {
		panic(fmt.Sprintf("aio: iothread %q is stopped from its own callback, which would wait for itself", t.name))
	}
	t.OneShot("stop", func() { t.stop.Store(true) })
	t.thread.Join()
	t.Close()
}

// RunIn has f called from to's loop, as a bottom half, and yields co until it
// has returned. to may be the coroutine's own context.
func RunIn(co *coro.Co, to *Context, f func()) {
	to.mustBeOpen("RunIn")
	to.OneShot("run-in", func() {
		f()
		co.Wake()
	})
	co.Yield()
}

// RunIn has f called from to's loop, as a bottom half, and polls c until it
// has returned (QEMU's aio_wait_bh_oneshot). It is for callers that may poll c,
// which is the main context for all but an iothread's own code, and that are no
// coroutines. to may be c.
func (c *Context) RunIn(to *Context, f func()) {
	c.checkPoller()
	to.mustBeOpen("RunIn")
	var done atomic.Bool
	to.OneShot("run-in", func() {
		f()
		done.Store(true)
		c.Notify()
	})
	c.WaitWhile(func() bool { return !done.Load() })
}

func (c *Context) mustBeOpen(what string) {
	if c.closed.Load() {
		panic(fmt.Sprintf("aio: %s on context %q, which is closed: nobody polls it", what, c.name))
	}
}
