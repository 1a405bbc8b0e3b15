package bql_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/backplane-vm/backplane/internal/bql"
	"github.com/backplane-vm/backplane/internal/sched"
	"github.com/backplane-vm/backplane/internal/sched/schedtest"
)

func TestMutualExclusion(t *testing.T) {
	w := sched.NewWorld()
	l := bql.New(w)
	const threads, rounds = 4, 2000
	n := 0 // unsynchronised but for the lock: the race detector watches
	var all []*sched.Thread
	for range threads {
		all = append(all, w.Go("t", func(t *sched.Thread) {
			for range rounds {
				l.Lock(t, "count")
				n++
				l.Unlock(t)
			}
		}))
	}
	for _, th := range all {
		th.Join()
	}
	if n != threads*rounds {
		t.Errorf("counted %d, want %d", n, threads*rounds)
	}
	if s := l.Stats(); s.Acquired != threads*rounds {
		t.Errorf("acquired %d times, want %d", s.Acquired, threads*rounds)
	}
	if l.Owner() != nil {
		t.Errorf("owner %q after all left", l.Owner().Name())
	}
}

func TestOwner(t *testing.T) {
	w := sched.NewWorld()
	l := bql.New(w)
	a, b := w.Adopt("a"), w.Adopt("b")
	l.Lock(a, "test")
	if !l.HeldBy(a) || l.HeldBy(b) || l.HeldBy(nil) || l.Owner() != a {
		t.Errorf("held by a %v, b %v; owner %v", l.HeldBy(a), l.HeldBy(b), l.Owner())
	}
	l.AssertHeld()
	mustPanic(t, `"b" unlocks the BQL, which is held by "a"`, func() { l.Unlock(b) })
	mustPanic(t, `"a" locks the BQL that it holds`, func() { l.Lock(a, "again") })
	l.Unlock(a)
	mustPanic(t, `"a" unlocks the BQL, which is held by nobody`, func() { l.Unlock(a) })
	mustPanic(t, "nobody holds it", l.AssertHeld)
}

// A thread that takes the lock again at once, for ever, must not keep out one
// that waits: the lock is handed over.
func TestHammerDoesNotStarve(t *testing.T) {
	w := sched.NewWorld()
	l := bql.New(w)
	stop := make(chan struct{})
	hammer := w.Go("hammer", func(t *sched.Thread) {
		for {
			select {
			case <-stop:
				return
			default:
			}
			l.Lock(t, "hammer")
			l.Unlock(t)
		}
	})
	me := w.Adopt("me")
	for range 200 {
		l.Lock(me, "me")
		l.Unlock(me)
	}
	close(stop)
	hammer.Join()
	if l.Stats().Acquired < 200 {
		t.Errorf("acquired %d", l.Stats().Acquired)
	}
}

func TestStatsNameTheLongestHold(t *testing.T) {
	simulated(t, func(w *sched.World) {
		l := bql.New(w)
		me := w.Adopt("me")
		p := w.NewParker()
		l.Lock(me, "short")
		l.Unlock(me)
		l.Lock(me, "long")
		p.Park(w.Now() + 1_000_000)
		l.Unlock(me)
		if s := l.Stats(); s.LongestWho != "long" || s.LongestHold < 1_000_000 {
			t.Errorf("longest %q %d ns, want long, at least 1 ms", s.LongestWho, s.LongestHold)
		}
		l.ResetStats()
		if s := l.Stats(); s != (bql.Stats{}) {
			t.Errorf("after reset %+v", s)
		}
	})
}

func TestLabelsSplitAHold(t *testing.T) {
	simulated(t, func(w *sched.World) {
		l := bql.New(w)
		me, p := w.Adopt("me"), w.NewParker()
		l.Lock(me, "main loop")
		if before := l.Label("device_add"); before != "main loop" {
			t.Errorf("label before: %q", before)
		}
		p.Park(w.Now() + 2_000_000)
		l.Label("main loop")
		l.Unlock(me)
		usage := map[string]bql.Usage{}
		for _, u := range l.Usage() {
			usage[u.Who] = u
		}
		add, loop := usage["device_add"], usage["main loop"]
		if add.Total < 2_000_000 || add.Holds.Count() != 1 || loop.Holds.Count() != 2 {
			t.Errorf("device_add %+v, main loop %+v", add, loop)
		}
		if q := add.Holds.Quantile(0.5); q < 2_000_000 {
			t.Errorf("median bound %d", q)
		}
		if s := l.Stats(); s.LongestWho != "device_add" {
			t.Errorf("longest by %q", s.LongestWho)
		}
	})
}

// simulated runs f where a hold takes as long as f says, and not as long as the
// host keeps its thread from running.
func simulated(t *testing.T, f func(w *sched.World)) {
	t.Helper()
	if out := sched.Simulate(sched.Options{}, f, nil); out.Failure != nil {
		t.Fatal(out.Failure)
	}
}

func TestDroppedInsideADeviceBreaksTheRule(t *testing.T) {
	w := sched.NewWorld()
	l := bql.New(w)
	me := w.Adopt("vcpu0")
	l.Lock(me, "mmio")
	l.EnterDevice("virtio-blk")
	mustPanic(t, `"vcpu0" drops the BQL in the middle of the emulation of virtio-blk`, func() { l.Dropped(func() {}) })
	l.SetStrict(false)
	l.Dropped(func() {
		if l.Owner() != nil {
			t.Error("still held")
		}
	})
	if l.Emulating() != "virtio-blk" || !l.HeldBy(me) {
		t.Error("not as before")
	}
	l.LeaveDevice()
	l.SetStrict(true)
	l.Dropped(func() {}) // outside it is allowed
	l.Unlock(me)
}

func TestWatchNamesTheHolder(t *testing.T) {
	w := sched.NewWorld()
	l := bql.New(w)
	me := w.Adopt("main")
	got := make(chan bql.Holder, 8)
	stop := l.Watch(1_000_000, func(h bql.Holder) { got <- h })
	defer stop()
	l.Lock(me, "blockdev-add")
	h := <-got // no hold, no report: this would wait for ever
	l.Unlock(me)
	if h.Thread != "main" || h.Who != "blockdev-add" || h.Held < 1_000_000 {
		t.Errorf("reported %+v", h)
	}
	if _, ok := l.Holder(); ok {
		t.Error("a free lock has a holder")
	}
}

// Mutual exclusion, no lost wake-up, no thread left waiting.
func TestSimulated(t *testing.T) {
	schedtest.Explore(t, 20_000, func(w *sched.World) {
		l := bql.New(w)
		inside := 0
		var all []*sched.Thread
		for range 3 {
			all = append(all, w.Go("t", func(t *sched.Thread) {
				for range 2 {
					l.Lock(t, "test")
					inside++
					w.Point("inside")
					if inside != 1 {
						panic("two owners")
					}
					inside--
					l.Unlock(t)
				}
			}))
		}
		for _, th := range all {
			th.Join()
		}
	})
}

// While a thread waits, another that comes and goes passes it for BypassLimit
// and no longer, whatever the schedule: then the lock is handed over.
func TestSimulatedFairness(t *testing.T) {
	const (
		rounds = 200
		limit  = bql.BypassLimit/sched.Step/2 + 2 // a round is two scheduling points at least
	)
	schedtest.Explore(t, 400, func(w *sched.World) {
		l := bql.New(w)
		queued, served, passed := false, false, 0
		hammer := w.Go("hammer", func(t *sched.Thread) {
			for range rounds {
				l.Lock(t, "hammer")
				if h, _ := l.Holder(); len(h.Queue) > 0 {
					queued = true
				}
				if queued && !served {
					passed++
				}
				l.Unlock(t)
			}
		})
		me := w.Go("me", func(t *sched.Thread) {
			l.Lock(t, "me")
			served = true
			l.Unlock(t)
		})
		hammer.Join()
		me.Join()
		if passed > limit {
			panic(fmt.Sprintf("a waiter was passed %d times, want at most %d", passed, limit))
		}
	})
}

func mustPanic(t *testing.T, want string, f func()) {
	t.Helper()
	defer func() {
		if s, _ := recover().(string); !strings.Contains(s, want) {
			t.Errorf("panic %q, want %q", s, want)
		}
	}()
	f()
}

// BenchmarkUncontended takes and releases the lock under as many labels in
// turn as its name says.
func BenchmarkUncontended(b *testing.B) {
	labels := []string{
		"pcie-mmcfg-mmio", "serial", "virtio-pci-notify", "virtio-pci-common", "virtio-pci-isr", "main loop",
		"riscv.sifive.plic", "riscv.aclint.mtimer", "device_add", "call_rcu", "msix-table", "query-status",
	}
	for _, n := range []int{1, len(labels)} {
		b.Run(fmt.Sprintf("labels=%d", n), func(b *testing.B) {
			b.ReportAllocs()
			w := sched.NewWorld()
			l, t := bql.New(w), w.Adopt("bench")
			i := 0
			for b.Loop() {
				if i++; i >= n {
					i = 0
				}
				l.Lock(t, labels[i])
				l.Unlock(t)
			}
		})
	}
}

// TestManyLabels counts more purposes than are told apart: none is lost, and
// the table stays bounded.
func TestManyLabels(t *testing.T) {
	w := sched.NewWorld()
	l, me := bql.New(w), w.Adopt("me")
	const labels, rounds = 400, 3
	for range rounds {
		for i := range labels {
			l.Lock(me, fmt.Sprint("label ", i))
			l.Unlock(me)
		}
	}
	var total uint64
	seen := make(map[string]uint64)
	for _, u := range l.Usage() {
		if seen[u.Who] != 0 {
			t.Errorf("%q is listed twice", u.Who)
		}
		seen[u.Who] = u.Holds.Count()
		total += u.Holds.Count()
	}
	if total != labels*rounds {
		t.Errorf("%d holds are counted, want %d", total, labels*rounds)
	}
	if seen["label 0"] != rounds || seen["other"] == 0 || len(seen) > 257 {
		t.Errorf("the first label has %d holds, others %d, %d labels", seen["label 0"], seen["other"], len(seen))
	}
	l.ResetStats()
	l.Lock(me, "label 0")
	l.Unlock(me)
	if u := l.Usage(); len(u) != 1 || u[0].Holds.Count() != 1 {
		t.Errorf("after ResetStats: %v", u)
	}
}
