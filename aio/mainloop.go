package aio

import (
	"sync/atomic"

	"github.com/backplane-vm/backplane/internal/bql"
	"github.com/backplane-vm/backplane/internal/sched"
)

// A MainLoop serves a machine's two contexts from one thread. It holds the BQL
// whenever it runs anything and gives it up once in every round, also when
// there is more to do, so that vCPUs get their turn.
type MainLoop struct {
	// Main is the context that nested polls serve as well.
	Main *Context
	// IOHandler is served by this loop only.
	IOHandler *Context

	lock   *bql.Lock
	parker *sched.Parker
	stop   atomic.Bool
}

// NewMainLoop returns the loop and its two contexts.
func NewMainLoop(w *sched.World, lock *bql.Lock) *MainLoop {
	held := func() bool { return lock.Owner() != nil }
	l := &MainLoop{
		Main:      NewContext(w, "main", held),
		IOHandler: NewContext(w, "iohandler", held),
		lock:      lock,
		parker:    w.NewParker().For("something to do"),
	}
	l.Main.loop.owner = lock.Owner
	l.IOHandler.loop = l.Main.loop
	return l
}

// Run serves both contexts on thread t until [MainLoop.Stop]. The caller does
// not hold the BQL.
func (l *MainLoop) Run(t *sched.Thread) {
	for rested := false; !l.stop.Load(); {
		seenMain, seenIO := l.Main.seq.Load(), l.IOHandler.seq.Load()
		l.lock.Lock(t, "main loop")
		progress, _ := l.Main.dispatch(rested)
		more, _ := l.IOHandler.dispatch(rested)
		l.lock.Unlock(t)
		rested = !progress && !more
		if rested {
			l.wait(seenMain, seenIO)
		}
	}
}

// wait blocks until one of the contexts may have something to do.
func (l *MainLoop) wait(seenMain, seenIO uint64) {
	p, first := l.Main.enlist(l.parker, seenMain)
	if p == nil {
		return
	}
	defer l.Main.delist(p, false)
	p, second := l.IOHandler.enlist(l.parker, seenIO)
	if p == nil {
		return
	}
	defer l.IOHandler.delist(p, false)
	p.Park(min(first, second))
}

// Stop makes Run return after the round it is in. Any goroutine may call it.
func (l *MainLoop) Stop() {
	l.stop.Store(true)
	l.parker.Unpark()
}

// Close ends what is left in both contexts. Run has returned; the caller holds
// the BQL, under which deferred functions of coroutines run.
func (l *MainLoop) Close() {
	l.Main.Close()
	l.IOHandler.Close()
}
