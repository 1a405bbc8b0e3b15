package block_test

import (
	"slices"
	"testing"

	"github.com/backplane-vm/backplane/coro"
	"github.com/backplane-vm/backplane/internal/block"
	"github.com/backplane-vm/backplane/internal/block/throttle"
	"github.com/backplane-vm/backplane/internal/sched"
)

// slowly are limits under which the third request waits for as long as no test
// does: an operation an hour would be quick.
func slowly() throttle.Limits {
	l := throttle.Unlimited()
	l.Of[throttle.BytesTotal].Rate = 1
	return l
}

// limited adds a throttle node "t" over memory, with its group "g".
func (f *fixture) limited() *block.Node {
	f.Helper()
	group, err := f.g.Groups().New("g")
	if err != nil {
		f.Fatal(err)
	}
	group.SetLimits(slowly())
	return f.add(block.Options{Driver: "throttle", NodeName: "t", ThrottleGroup: "g",
		File: &block.Options{Driver: "memory", NodeName: "base", Size: 1 << 20}})
}

// reads starts n reads and returns how many have ended, when it is called.
func (f *fixture) reads(b *block.Backend, n int) (ended func() int) {
	done := 0
	for range n {
		f.spawn(func(co *coro.Co) {
			if err := b.ReadAt(co, make([]byte, 1<<16), 0); err != nil {
				f.Error(err)
			}
			done++
		})
	}
	return func() int { f.settle(); return done }
}

func TestThrottleNode(t *testing.T) {
	f := newFixture(t)
	n := f.limited()
	b, err := f.attach(f.g, n, "/d")
	if err != nil {
		t.Fatal(err)
	}
	ended := f.reads(b, 4)
	if got := ended(); got != 1 {
		t.Errorf("%d of 4 reads ended at once", got)
	}
	f.g.Groups().Lookup("g").SetLimits(throttle.Unlimited())
	if got := ended(); got != 4 {
		t.Errorf("%d of 4 reads ended without limits", got)
	}
	if got := n.Length(); got != 1<<20 {
		t.Errorf("it is %d bytes long", got)
	}
	b.Close()
	if err := f.delete("t"); err != nil {
		t.Error(err)
	}
	if g := f.g.Groups().Lookup("g"); g.Members() != 0 || f.g.Lookup("base") != nil {
		t.Errorf("%d members left, child %v", g.Members(), f.g.Lookup("base"))
	}
	_, err = f.g.Add(nil, block.Options{Driver: "throttle", NodeName: "t", ThrottleGroup: "nope", File: &block.Options{Driver: "null-co", NodeName: "x"}})
	if err == nil || err.Error() != "Throttle group 'nope' does not exist" || f.g.Lookup("x") != nil {
		t.Errorf("%v, child %v", err, f.g.Lookup("x"))
	}
}

// A drained section lets throttled requests go rather than wait for their time.
func TestDrainLetsThrottledGo(t *testing.T) {
	f := newFixture(t)
	n := f.limited()
	b, err := f.attach(f.g, n, "/d")
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	ended := f.reads(b, 3)
	n.File().Quiesce() // the filter hears of it from its child
	if got := ended(); got != 3 || b.InFlight() != 0 {
		t.Errorf("%d of 3 reads ended, %d in flight", got, b.InFlight())
	}
	parked := f.reads(b, 2)
	n.File().Unquiesce()
	if got := parked(); got != 0 || b.InFlight() != 2 {
		t.Errorf("%d reads ended after the section, %d in flight; they have to wait again", got, b.InFlight())
	}
	f.g.QuiesceAll()
	late := f.add(block.Options{Driver: "throttle", NodeName: "late", ThrottleGroup: "g", FileRef: "base"})
	f.do(func(co *coro.Co) {
		for range 3 {
			if err := late.ReadAt(co, make([]byte, 1<<16), 0); err != nil {
				t.Error(err)
			}
		}
	})
	f.g.UnquiesceAll()
	if got := parked(); got != 2 {
		t.Errorf("%d of 2 reads ended in the second section", got)
	}
}

func TestBackendLimits(t *testing.T) {
	f := newFixture(t)
	n := f.add(block.Options{Driver: "memory", NodeName: "n", Size: 1 << 20})
	b, err := f.attach(f.g, n, "/d")
	if err != nil {
		t.Fatal(err)
	}
	b.SetLimits(slowly(), "", "/d")
	if g := b.Limits(); g == nil || g.Name() != "/d" {
		t.Fatalf("group %v", g)
	}
	ended := f.reads(b, 3)
	if got := ended(); got != 1 {
		t.Errorf("%d of 3 reads ended at once", got)
	}
	b.SetLimits(slowly(), "other", "/d") // lets go, to join another group
	if got := ended(); got != 3 || b.Limits().Name() != "other" || f.g.Groups().Lookup("/d") != nil {
		t.Errorf("%d of 3 ended, group %q", got, b.Limits().Name())
	}
	again := f.reads(b, 3)
	b.SetLimits(throttle.Unlimited(), "", "")
	if got := again(); got != 3 || b.Limits() != nil {
		t.Errorf("%d of 3 ended, group %v", got, b.Limits())
	}
	b.SetLimits(slowly(), "", "/d")
	last := f.reads(b, 3)
	b.Close()
	f.settle()
	if got := last(); got != 3 || f.g.Groups().Lookup("/d") != nil {
		t.Errorf("%d of 3 ended when the backend closed", got)
	}
}

// The limits of a -drive are there before its device and after.
func TestDriveLimits(t *testing.T) {
	f := newFixture(t)
	b, err := f.g.AddDrive(nil, block.Drive{ID: "d0", Medium: block.Options{Driver: "memory", Size: 1 << 20}})
	if err != nil {
		t.Fatal(err)
	}
	b.SetLimits(slowly(), "", "d0")
	f.must(b.Occupy("/d"))
	ended := f.reads(b, 2)
	if got := ended(); got != 1 {
		t.Errorf("%d of 2 reads ended at once", got)
	}
	b.Drain()
	b.Close()
	if got := ended(); got != 2 || b.Limits() == nil {
		t.Errorf("%d of 2 ended when the backend closed; group %v", got, b.Limits())
	}
}

func TestKilledWhileThrottled(t *testing.T) {
	f := newFixture(t)
	n := f.limited()
	b, err := f.attach(f.g, n, "/d")
	if err != nil {
		t.Fatal(err)
	}
	f.reads(b, 1)
	co := f.ctx.Spawn("killed", func(co *coro.Co) { _ = b.ReadAt(co, make([]byte, 512), 0) })
	f.settle()
	co.Kill()
	if b.InFlight() != 0 || n.InFlight() != 0 {
		t.Errorf("%d and %d in flight", b.InFlight(), n.InFlight())
	}
	b.SetLimits(slowly(), "", "/d")
	f.reads(b, 1)
	co = f.ctx.Spawn("killed", func(co *coro.Co) { _ = b.ReadAt(co, make([]byte, 512), 0) })
	f.settle()
	co.Kill()
	if b.InFlight() != 1 {
		t.Errorf("%d in flight, want the one that waits at the node", b.InFlight())
	}
	b.Close()
}

func TestWriteThreshold(t *testing.T) {
	f := newFixture(t)
	var told []block.Exceeded
	f.g.OnThreshold(func(e block.Exceeded) { told = append(told, e) })
	n := f.add(block.Options{Driver: "memory", NodeName: "n", Size: 1 << 20})
	n.SetWriteThreshold(1024)
	f.do(func(co *coro.Co) {
		for _, off := range []int64{0, 512, 1024, 8192} {
			if err := n.WriteAt(co, make([]byte, 512), off); err != nil {
				t.Error(err)
			}
		}
	})
	if want := []block.Exceeded{{Node: "n", Amount: 512, Threshold: 1024}}; !slices.Equal(told, want) {
		t.Errorf("told %v, want %v", told, want)
	}
	if n.WriteThreshold() != 0 {
		t.Errorf("the threshold is still %d", n.WriteThreshold())
	}
}

func TestHistograms(t *testing.T) {
	for _, bad := range [][]uint64{{0}, {2, 1}, {1, 1}} {
		if block.NewHistogram(bad) != nil {
			t.Errorf("boundaries %v are taken", bad)
		}
	}
	f := newFixture(t)
	n := f.add(block.Options{Driver: "null-co", NodeName: "n", LatencyNS: 2_000_000})
	b, err := f.attach(f.g, n, "/d")
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	const year = 365 * 24 * 3600 * 1_000_000_000
	b.SetHistograms(block.NewHistogram([]uint64{1_000_000, year}), nil, nil, block.NewHistogram(nil))
	f.do(func(co *coro.Co) {
		for range 3 {
			if err := b.ReadAt(co, make([]byte, 512), 0); err != nil {
				t.Error(err)
			}
		}
		if err := b.WriteAt(co, make([]byte, 512), 0); err != nil {
			t.Error(err)
		}
		if err := b.Flush(co); err != nil {
			t.Error(err)
		}
	})
	s := b.Stats()
	if got := s.Reads.Latency.Bins; !slices.Equal(got, []uint64{0, 3, 0}) {
		t.Errorf("reads %v", got)
	}
	if got := s.Flushes.Latency.Bins; !slices.Equal(got, []uint64{1}) || s.Writes.Latency != nil {
		t.Errorf("flushes %v, writes %v", got, s.Writes.Latency)
	}
	b.ClearHistograms()
	if b.Stats().Reads.Latency != nil {
		t.Error("still counted")
	}
}

// onThrottle puts two throttle nodes of one group in the place of the rig's;
// the backend on the first is limited as well. One operation takes an hour.
func (r *rig) onThrottle() (other *block.Backend) {
	r.locked("open", func() {
		l := throttle.Unlimited()
		l.Of[throttle.BytesTotal] = throttle.Limit{Rate: 1, Length: 1}
		g, err := r.g.Groups().New("g")
		must(err)
		g.SetLimits(l)
		var backends [2]*block.Backend
		for i, name := range []string{"one", "two"} {
			n, err := r.g.Add(nil, block.Options{Driver: "throttle", NodeName: name, ThrottleGroup: "g", File: &block.Options{
				Driver: "memory", Size: 1 << 16}})
			must(err)
			backends[i], err = r.g.Attach(n, "/"+name)
			must(err)
			must(backends[i].Claim(false, false))
		}
		r.b.Close()
		r.b, other = backends[0], backends[1]
		r.b.SetLimits(l, "", "own")
	})
	return other
}

// hour is what a throttled request of the rig takes by far, and a drain does
// not, in nanoseconds.
const hour = 3600_000_000_000

// promptly asserts that f takes less simulated time than a throttled request.
func (r *rig) promptly(f func()) {
	began := r.w.Now()
	f()
	if took := r.w.Now() - began; took > hour {
		panic(sched.Violation{Kind: sched.Broken, Text: "waited for a throttled request's time"})
	}
}

// Draining a throttled node lets its requests go, however they, other members of
// the group and other sections come in between.
func TestSimulatedThrottledDrains(t *testing.T) {
	large := func(r *rig, b func() *block.Backend) func(co *coro.Co) {
		return func(co *coro.Co) { must(b().WriteAt(co, make([]byte, 1<<14), 0)) }
	}
	f := simulations(t, func(r *rig) {
		other := r.onThrottle()
		main := r.loop.Main
		mine := large(r, func() *block.Backend { return r.b })
		theirs := large(r, func() *block.Backend { return other })
		var all []*sched.Parker
		for range 2 {
			all = append(all, r.spawn(main, "mine", mine), r.spawn(main, "theirs", theirs))
		}
		v := r.w.Go("vcpu", func(*sched.Thread) {
			r.locked("vcpu", func() { r.promptly(r.b.Drain) })
		})
		section := r.spawn(main, "section", func(co *coro.Co) {
			r.promptly(func() { must(r.b.Node().DrainedBegin(co)) })
			if r.b.InFlight() != 0 || r.b.Node().InFlight() != 0 {
				panic(sched.Violation{Kind: sched.Broken, Text: "a request in flight in a drained section"})
			}
			r.b.Node().DrainedEnd(co)
		})
		v.Join()
		r.await(section)
		r.locked("close", func() { r.promptly(func() { other.Close(); r.b.Close() }) })
		r.await(all...)
	})
	if f != nil {
		t.Fatalf("%v\n%s", f, f.Stack)
	}
}
