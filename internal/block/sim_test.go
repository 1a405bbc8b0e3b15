package block_test

import (
	"fmt"
	"testing"

	"github.com/backplane-vm/backplane/aio"
	"github.com/backplane-vm/backplane/coro"
	"github.com/backplane-vm/backplane/internal/block"
	"github.com/backplane-vm/backplane/internal/bql"
	"github.com/backplane-vm/backplane/internal/sched"
)

// rig is a main loop with a graph in a simulated World: a raw node "top" over
// a slow one over memory, and a backend on it.
type rig struct {
	w    *sched.World
	lock *bql.Lock
	loop *aio.MainLoop
	pool *aio.Pool
	g    *block.Graph
	gate *block.Gate
	b    *block.Backend
	main *sched.Thread
}

func newRig(w *sched.World) *rig {
	r := &rig{w: w, lock: bql.New(w), gate: &block.Gate{DelayNS: 1000}}
	r.loop = aio.NewMainLoop(w, r.lock)
	r.pool = aio.NewPool(w, 2)
	r.locked("set-up", func() {
		r.g = block.NewGraph(r.loop.Main, r.pool, aio.NewClock(w, true))
		n, err := r.g.Add(nil, block.Options{Driver: "raw", NodeName: "top", File: &block.Options{
			Driver: "slow", NodeName: "slow", Gate: r.gate, File: &block.Options{Driver: "memory", Size: 1 << 12}}})
		must(err)
		r.b, err = r.g.Attach(n, "/d")
		must(err)
		must(r.b.Claim(false, false))
	})
	r.main = w.Go("main", r.loop.Run)
	return r
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}

// locked runs f under the BQL, as a vCPU thread in a device's emulation would.
func (r *rig) locked(who string, f func()) {
	t := r.w.Adopt(who)
	r.lock.Lock(t, who)
	defer r.lock.Unlock(t)
	f()
}

// await blocks until ctx has run all of its coroutines.
func (r *rig) await(all ...*sched.Parker) {
	for _, p := range all {
		p.Park(sched.Forever)
	}
}

// spawn runs f as a coroutine of ctx; the token comes when it has ended.
func (r *rig) spawn(ctx *aio.Context, name string, f func(co *coro.Co)) *sched.Parker {
	done := r.w.NewParker()
	ctx.Spawn(name, func(co *coro.Co) { f(co); done.Unpark() })
	return done
}

func (r *rig) close() {
	r.loop.Stop()
	r.main.Join()
	r.locked("close", func() {
		r.b.Close()
		r.loop.Close()
		r.g.Close()
	})
	r.pool.Close()
}

// idle asserts what is true in a drained section of the backend's node.
func (r *rig) idle() {
	if r.b.InFlight() != 0 || r.b.Node().File().InFlight() != 0 {
		panic(sched.Violation{Kind: sched.Broken, Text: "a request in flight in a drained section"})
	}
}

func (r *rig) request(co *coro.Co) { must(r.b.WriteAt(co, []byte{1}, 0)) }

// section is a drained section of a coroutine, in which it waits.
func (r *rig) section(co *coro.Co) {
	n := r.b.Node()
	must(n.DrainedBegin(co))
	r.idle()
	aio.Sleep(co, aio.NewClock(r.w, true), 2000)
	r.idle()
	n.DrainedEnd(co)
}

// simulations runs body under many schedules and returns the first failure.
func simulations(t *testing.T, body func(r *rig)) *sched.Failure {
	t.Helper()
	runs := 0
	try := func(c sched.Chooser) sched.Outcome {
		runs++
		return sched.Simulate(sched.Options{Chooser: c}, func(w *sched.World) {
			r := newRig(w)
			body(r)
			r.close()
		}, nil)
	}
	defer func() { t.Logf("%d runs", runs) }()
	d := &sched.DFS{Bound: 2}
	for range 500 {
		out := try(d)
		if out.Failure != nil {
			return out.Failure
		}
		if !d.Next(out.Choices) {
			break
		}
	}
	for seed := range uint64(300) {
		if out := try(sched.Random(seed, 2)); out.Failure != nil {
			return out.Failure
		}
	}
	return nil
}

func TestSimulatedDrains(t *testing.T) {
	for name, body := range map[string]func(r *rig){
		"coroutine's section against requests": func(r *rig) {
			main := r.loop.Main
			r.await(r.spawn(main, "r1", r.request), r.spawn(main, "section", r.section), r.spawn(main, "r2", r.request))
		},
		"vCPU thread's drain against requests": func(r *rig) {
			main := r.loop.Main
			one, two := r.spawn(main, "r1", r.request), r.spawn(main, "r2", r.request)
			v := r.w.Go("vcpu", func(*sched.Thread) {
				r.locked("vcpu", func() {
					r.b.Node().Quiesce()
					r.idle()
					r.b.Node().Unquiesce()
				})
			})
			r.await(one, two)
			v.Join()
		},
		"sections nest": func(r *rig) {
			main := r.loop.Main
			v := r.w.Go("vcpu", func(*sched.Thread) { r.locked("vcpu", r.g.DrainAll) })
			r.await(r.spawn(main, "r1", r.request), r.spawn(main, "s1", r.section), r.spawn(main, "s2", r.section), r.spawn(main, "r2", r.request))
			v.Join()
		},
		"resize with requests in flight, from the main context": func(r *rig) {
			main := r.loop.Main
			v := r.w.Go("vcpu", func(*sched.Thread) { r.locked("vcpu", r.b.Drain) })
			r.await(r.spawn(main, "r1", r.request), r.spawn(main, "block_resize", func(co *coro.Co) { must(r.g.Resize(co, "", "top", 1<<13)) }),
				r.spawn(main, "r2", r.request))
			v.Join()
			r.locked("look", func() {
				if r.b.Sectors() != 16 {
					panic("not resized")
				}
			})
		},
	} {
		for _, nested := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, nested %t", name, nested), func(t *testing.T) {
				if f := simulations(t, func(r *rig) { r.g.SetNested(nested); body(r) }); f != nil {
					t.Fatalf("%v\n%s", f, f.Stack)
				}
			})
		}
	}
}

// onQcow2 puts a qcow2 node, on a slow file, in the place of the rig's.
func (r *rig) onQcow2() {
	made := r.spawn(r.loop.Main, "format", func(co *coro.Co) {
		n, err := r.g.Add(nil, block.Options{Driver: "memory", NodeName: "file"})
		must(err)
		must(n.FormatQcow2(co, 1<<16))
	})
	r.await(made)
	r.await(r.spawn(r.loop.Main, "open", func(co *coro.Co) {
		_, err := r.g.Add(co, block.Options{Driver: "slow", NodeName: "slowfile", FileRef: "file", Gate: r.gate})
		must(err)
		n, err := r.g.Add(co, block.Options{Driver: "qcow2", NodeName: "q", FileRef: "slowfile"})
		must(err)
		r.b.Close()
		r.b, err = r.g.Attach(n, "/q")
		must(err)
		must(r.b.Claim(false, false))
	}))
}

// Kevin's scenario as it was: the request that a drain waits for is the update
// of a qcow2 header.
func TestSimulatedQcow2(t *testing.T) {
	body := func(ctx func(r *rig) *aio.Context) func(r *rig) {
		return func(r *rig) {
			r.onQcow2()
			v := r.w.Go("vcpu", func(*sched.Thread) { r.locked("vcpu", r.b.Drain) })
			r.await(
				r.spawn(ctx(r), "block_resize", func(co *coro.Co) { must(r.g.Resize(co, "", "q", 1<<17)) }),
				r.spawn(r.loop.Main, "request", func(co *coro.Co) { must(r.b.WriteAt(co, []byte{1}, 512)); must(r.b.Flush(co)) }))
			v.Join()
		}
	}
	if f := simulations(t, body(func(r *rig) *aio.Context { return r.loop.Main })); f != nil {
		t.Errorf("%v\n%s", f, f.Stack)
	}
	if f := simulations(t, body(func(r *rig) *aio.Context { return r.loop.IOHandler })); f == nil || f.Kind != sched.Deadlock {
		t.Errorf("%v, want a deadlock", f)
	}
}

// A resize whose coroutine lives where nested polls do not look cannot be
// waited for by them: the deadlock that the monitor's policy is about.
func TestResizeOutsideMainDeadlocks(t *testing.T) {
	f := simulations(t, func(r *rig) {
		v := r.w.Go("vcpu", func(*sched.Thread) { r.locked("vcpu", r.b.Drain) })
		r.await(r.spawn(r.loop.IOHandler, "block_resize", func(co *coro.Co) { must(r.g.Resize(co, "", "top", 1<<13)) }))
		v.Join()
	})
	if f == nil || f.Kind != sched.Deadlock {
		t.Errorf("%v, want a deadlock", f)
	}
}
