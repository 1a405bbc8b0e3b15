package rcu_test

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"github.com/backplane-vm/backplane/aio"
	"github.com/backplane-vm/backplane/coro"
	"github.com/backplane-vm/backplane/internal/sched"
	"github.com/backplane-vm/backplane/rcu"
)

var torture = flag.Duration("rcu.torture", time.Second, "how long the torture test runs")

// An object is what readers reach. age says how many grace periods have begun
// and ended since it was taken away: a reader may see 0 and, if it entered
// before, nothing else. plain is written without atomics by the updater that
// frees it, so that the race detector judges the same thing.
type object struct {
	age   atomic.Int32
	plain int
}

// rig is the torture test's state: what all of its threads share.
type rig struct {
	w    *sched.World
	d    *rcu.Domain
	slot [4]atomic.Pointer[object]
	stop atomic.Bool

	sections, nested, joins, frees, recalls atomic.Int64
	ages                                    [3]atomic.Int64 // seen by readers
	fail                                    atomic.Pointer[string]
}

func (g *rig) failf(format string, a ...any) {
	s := fmt.Sprintf(format, a...)
	g.fail.CompareAndSwap(nil, &s)
	g.stop.Store(true)
}

// Torture, in the manner of the kernel's rcutorture.
func TestTorture(t *testing.T) {
	for _, symmetric := range []bool{false, true} {
		g := &rig{w: sched.NewWorld()}
		g.d = rcu.New(rcu.Options{World: g.w, Symmetric: symmetric})
		for i := range g.slot {
			g.slot[i].Store(new(object))
		}
		var threads []*sched.Thread
		for i := range 4 {
			threads = append(threads, g.w.Go("reader", func(*sched.Thread) { g.read(uint64(i)) }))
		}
		for i := range len(g.slot) - 1 {
			threads = append(threads, g.w.Go("updater", func(*sched.Thread) { g.update(i) }))
		}
		threads = append(threads, g.w.Go("loop", func(*sched.Thread) { g.updateCo(len(g.slot) - 1) }))
		<-time.After(*torture / 2)
		for (g.sections.Load() == 0 || g.frees.Load() == 0) && !g.stop.Load() {
			runtime.Gosched() // on a host that has other work to do they may not have begun
		}
		g.stop.Store(true)
		for _, th := range threads {
			within2(t, 20*time.Second, th.Join)
		}
		within2(t, 20*time.Second, g.d.Close)
		if s := g.fail.Load(); s != nil {
			t.Errorf("symmetric %v: %s", symmetric, *s)
		}
		if g.d.Backlog() != 0 || g.sections.Load() == 0 || g.frees.Load() == 0 {
			t.Errorf("backlog %d, sections %d, frees %d", g.d.Backlog(), g.sections.Load(), g.frees.Load())
		}
		t.Logf("symmetric %v: sections %d (nested %d), registrations %d, frees %d, callbacks of callbacks %d, ages seen %d/%d/%d, %+v",
			symmetric, g.sections.Load(), g.nested.Load(), g.joins.Load(), g.frees.Load(), g.recalls.Load(),
			g.ages[0].Load(), g.ages[1].Load(), g.ages[2].Load(), g.d.Stats())
	}
}

func within2(t *testing.T, limit time.Duration, f func()) {
	t.Helper()
	done := make(chan struct{})
	go func() { defer close(done); f() }()
	select {
	case <-done:
	case <-time.After(limit):
		t.Fatal("a thread does not end: a wake-up was lost")
	}
}

// delay is nothing, a few instructions, a yield, or many of these.
func delay(rnd *rand.Rand) {
	switch n := rnd.IntN(64); {
	case n < 40:
	case n < 60:
		for i := range n * 10 {
			runtime.KeepAlive(i)
		}
	case n < 63:
		runtime.Gosched()
	default:
		for range 20 {
			runtime.Gosched()
		}
	}
}

func (g *rig) read(seed uint64) {
	rnd := rand.New(rand.NewPCG(seed, 1))
	for !g.stop.Load() {
		r := g.d.Register(fmt.Sprintf("reader%d", seed))
		g.joins.Add(1)
		for range rnd.IntN(200) {
			g.section(r, rnd, rnd.IntN(3))
		}
		r.Unregister()
	}
}

// section looks at an object, in sections nested as deep as asked, which all
// must leave it alone until the outermost ends.
func (g *rig) section(r *rcu.Reader, rnd *rand.Rand, depth int) {
	r.Lock()
	g.sections.Add(1)
	o := g.slot[rnd.IntN(len(g.slot))].Load()
	delay(rnd)
	if depth > 0 {
		g.nested.Add(1)
		g.section(r, rnd, depth-1)
	}
	if rnd.IntN(500) == 0 {
		g.d.Call(func() {}) // from inside a section
	}
	age := o.age.Load()
	g.ages[min(age, 2)].Add(1)
	if age > 0 || o.plain != 0 {
		g.failf("%s saw an object of age %d", r.Name(), age)
	}
	r.Unlock()
	delay(rnd)
}

// free is what becomes of an object after its grace period.
func (g *rig) free(o *object) {
	o.plain++
	if o.age.Add(1) != 1 {
		g.failf("an object was freed twice")
	}
	g.frees.Add(1)
}

func (g *rig) update(slot int) {
	rnd := rand.New(rand.NewPCG(uint64(slot), 2))
	var queued, ran atomic.Int64 // this updater's callbacks, in order
	for !g.stop.Load() {
		old := g.slot[slot].Swap(new(object))
		delay(rnd)
		switch rnd.IntN(5) {
		case 0:
			g.d.Synchronize()
			g.free(old)
		case 1:
			for c := g.d.Start(); !g.d.Done(c); {
				runtime.Gosched()
			}
			g.free(old)
		case 2:
			for range 1 + rnd.IntN(3) {
				n := queued.Add(1)
				g.d.Call(func() {
					if !ran.CompareAndSwap(n-1, n) {
						g.failf("callback %d ran after %d", n, ran.Load())
					}
				})
			}
			g.d.Call(func() { g.free(old) })
		case 3:
			g.d.Call(func() {
				g.d.Call(func() { g.recalls.Add(1); g.free(old) })
			})
		case 4:
			g.d.Call(func() { g.free(old) })
			n := queued.Load()
			g.d.Drain(nil, nil)
			if old.age.Load() != 1 || ran.Load() != n {
				g.failf("Drain returned before callbacks queued before it")
			}
		}
	}
}

// updateCo updates from a coroutine of an event loop.
func (g *rig) updateCo(slot int) {
	ctx := aio.NewContext(g.w, "loop", nil)
	done := false
	ctx.Spawn("updater", func(co *coro.Co) {
		for !g.stop.Load() {
			old := g.slot[slot].Swap(new(object))
			g.d.Call(func() { g.free(old) })
			g.d.DrainCo(co)
			if old.age.Load() != 1 {
				g.failf("DrainCo returned before a callback queued before it")
			}
		}
		done = true
	})
	ctx.WaitWhile(func() bool { return !done })
}
