package aio

import (
	"fmt"

	"github.com/backplane-vm/backplane/coro"
	"github.com/backplane-vm/backplane/internal/mutant"
)

// Spawn makes a coroutine that lives in this context and is first entered from
// its loop. On a closed context it is ended at once.
func (c *Context) Spawn(name string, f func(co *coro.Co)) *coro.Co {
	return c.SpawnThen(name, f, nil)
}

// SpawnThen is Spawn; ended, unless nil, is called once the coroutine has ended,
// also if that was before it began, in which case f is not called at all.
func (c *Context) SpawnThen(name string, f func(co *coro.Co), ended func()) *coro.Co {
	co := coro.New(name, f)
	co.SetWorld(c.w)
	co.SetHome(c)
	co.OnDone(forget)
	if ended != nil {
		co.OnDone(func(co *coro.Co) {
			forget(co)
			ended()
		})
	}
	co.MarkScheduled(c.name)
	c.mu.Lock()
	if c.closed.Load() {
		c.mu.Unlock()
		co.Kill()
		return co
	}
	c.live.Add(co)
	c.cos.push(co)
	c.kick()
	c.mu.Unlock()
	return co
}

// forget takes a coroutine that has ended off its home's books.
func forget(co *coro.Co) {
	if c, ok := co.Home().(*Context); ok {
		c.mu.Lock()
		c.live.Remove(co)
		c.mu.Unlock()
	}
}

// Coroutines returns how many coroutines live in the context: those spawned in
// it or moved to it that have neither ended nor moved away.
func (c *Context) Coroutines() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.live.Len()
}

// Schedule queues the coroutine to be entered from this context's loop, which
// becomes its home. It implements [coro.Home]. Scheduling a coroutine that is
// scheduled already panics, and so does scheduling one that runs into a
// context that is not its home, for the two loops could run it at once:
// [MoveTo] does that right.
func (c *Context) Schedule(co *coro.Co) {
	if c.closed.Load() {
		return // it will never run; Close ends those that live here
	}
	from, _ := co.Home().(*Context)
	if from != c && co.State() == coro.Running {
		panic(fmt.Sprintf("aio: coroutine %q is scheduled in context %q while it runs in %q: it must have yielded", co.Name(), c.name, homeName(co)))
	}
	co.MarkScheduled(c.name)
	if from != c {
		c.settle(co, from)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed.Load() {
		return
	}
	c.cos.push(co)
	c.kick()
}

// settle makes c the home of a coroutine that is waiting elsewhere. If c is
// being closed meanwhile the coroutine ends, here.
func (c *Context) settle(co *coro.Co, from *Context) {
	tracked := false
	if from != nil {
		from.mu.Lock()
		tracked = from.live.Remove(co)
		from.mu.Unlock()
	}
	co.SetHome(c)
	if !tracked {
		return
	}
	c.mu.Lock()
	closed := c.closed.Load()
	if !closed {
		c.live.Add(co)
	}
	c.mu.Unlock()
	if closed {
		co.Kill()
	}
}

func homeName(co *coro.Co) string {
	if h := co.Home(); h != nil {
		return h.Name()
	}
	return "nowhere"
}

// home returns the context that a coroutine lives in.
func home(co *coro.Co, does string) *Context {
	c, ok := co.Home().(*Context)
	if !ok {
		panic(fmt.Sprintf("aio: coroutine %q %s but lives in no context", co.Name(), does))
	}
	return c
}

// Wake queues the coroutine in its home. See [coro.Co.Wake].
func Wake(co *coro.Co) { co.Wake() }

// MoveTo makes to the home of the running coroutine and returns in to's loop
// (QEMU's aio_co_reschedule_self). The loop it leaves hands it over, so that it
// has yielded before anyone can enter it. If to is closed it stays where it is,
// for ever, until its context is closed as well.
func MoveTo(co *coro.Co, to *Context) {
	if home(co, "moves") != to {
		co.YieldTo(to)
	}
}

// Within calls f with co in to's loop, and brings co back to the context it came
// from. f may yield.
func Within(co *coro.Co, to *Context, f func()) {
	from := home(co, "moves")
	MoveTo(co, to)
	f()
	MoveTo(co, from)
}

// enter runs a coroutine until it yields.
func (c *Context) enter(co *coro.Co) {
	if h := co.Home(); h != coro.Home(c) && !mutant.Planted("aio-home-unchecked") {
		panic(fmt.Sprintf("aio: coroutine %q is about to be entered from context %q, but its home is %q: only that may enter it", co.Name(), c.name, homeName(co)))
	}
	if outer := c.loop.inside(); outer != nil {
		panic(fmt.Sprintf("aio: coroutine %q is about to be entered from context %q inside coroutine %q: only loops enter coroutines", co.Name(), c.name, outer.Name()))
	}
	c.loop.entered = append(c.loop.entered, entry{co, c.loop.poller()})
	defer c.loop.leave(co)
	co.Enter()
}
