package sched

import (
	"fmt"
	"iter"
	"runtime"
	"slices"
	"strings"
	"testing"
)

// plain is the chooser that never deviates.
var plain = Replay(nil)

// explore runs body under DFS until it fails or all is tried.
func explore(t *testing.T, bound, limit int, body func(*World)) (runs int, out Outcome) {
	t.Helper()
	d := &DFS{Bound: bound}
	for runs < limit {
		out = Simulate(Options{Chooser: d}, body, nil)
		runs++
		if out.Failure != nil || !d.Next(out.Choices) {
			return runs, out
		}
	}
	return runs, out
}

// A counter without a lock loses an increment in some interleaving, with a
// point between load and store; with a lock in none.
func TestFindsLostUpdate(t *testing.T) {
	body := func(locked bool) func(w *World) {
		return func(w *World) {
			var mu Mutex
			mu.Init(w, "counter")
			n := 0
			var ts []*Thread
			for i := range 2 {
				ts = append(ts, w.Go(fmt.Sprint("t", i), func(*Thread) {
					if locked {
						mu.Lock()
						defer mu.Unlock()
					}
					v := n
					w.Point("between load and store")
					n = v + 1
				}))
			}
			for _, th := range ts {
				th.Join()
			}
			if n != 2 {
				panic(fmt.Sprintf("lost update: %d", n))
			}
		}
	}
	runs, out := explore(t, 2, 10_000, body(false))
	if out.Failure == nil || out.Failure.Kind != Broken || out.Failure.Text != "lost update: 1" {
		t.Fatalf("after %d runs: %v", runs, out.Failure)
	}
	s := ScheduleOf(out.Choices)
	again := Simulate(Options{Chooser: Replay(s), Log: true}, body(false), nil)
	if again.Failure == nil || again.Failure.Text != out.Failure.Text {
		t.Errorf("schedule %v does not replay: %v", s, again.Failure)
	}
	if !strings.Contains(strings.Join(again.Log, "\n"), "between load and store") {
		t.Errorf("log:\n%s", strings.Join(again.Log, "\n"))
	}
	if runs, out := explore(t, 2, 10_000, body(true)); out.Failure != nil || runs < 3 {
		t.Errorf("locked: %d runs, %v", runs, out.Failure)
	}
}

func TestFindsDeadlock(t *testing.T) {
	_, out := explore(t, 1, 1000, func(w *World) {
		var a, b Mutex
		a.Init(w, "a")
		b.Init(w, "b")
		th := w.Go("other", func(*Thread) { b.Lock(); defer b.Unlock(); a.Lock(); defer a.Unlock() })
		a.Lock()
		b.Lock()
		w.Point("with both")
		b.Unlock()
		a.Unlock()
		th.Join()
	})
	if out.Failure == nil || out.Failure.Kind != Deadlock || !strings.Contains(out.Failure.Text, "mutex b, held by other") {
		t.Errorf("%v", out.Failure)
	}
}

// A waker that sets the flag but not the token is found, one that does both is
// fine; Park with a deadline ends when nothing else can happen.
func TestLostWakeUp(t *testing.T) {
	body := func(wake bool) func(w *World) {
		return func(w *World) {
			p := w.NewParker()
			flag := false
			th := w.Go("waiter", func(*Thread) {
				for !flag {
					p.Park(Forever)
				}
			})
			flag = true
			if wake {
				p.Unpark()
			}
			th.Join()
		}
	}
	if _, out := explore(t, 2, 1000, body(true)); out.Failure != nil {
		t.Errorf("with a wake-up: %v", out.Failure)
	}
	if _, out := explore(t, 2, 1000, body(false)); out.Failure == nil || out.Failure.Kind != Deadlock {
		t.Errorf("without: %v", out.Failure)
	}
	out := Simulate(Options{Chooser: plain}, func(w *World) {
		if w.NewParker().Park(5_000_000_000) || w.Now() < 5_000_000_000 {
			panic(fmt.Sprint("now ", w.Now()))
		}
	}, nil)
	if out.Failure != nil {
		t.Error(out.Failure)
	}
}

func TestFindsLeaksAndEndlessness(t *testing.T) {
	for _, c := range []struct {
		name string
		want Kind
		body func(w *World)
	}{
		{"thread", Leak, func(w *World) { w.Go("left", func(*Thread) { w.NewParker().Park(Forever) }) }},
		{"lock", Leak, func(w *World) { var m Mutex; m.Init(w, "m"); m.Lock() }},
		{"endless", Livelock, func(w *World) {
			for {
				w.Point("")
			}
		}},
		{"unlock", Broken, func(w *World) { var m Mutex; m.Init(w, "m"); m.Unlock() }},
	} {
		out := Simulate(Options{Chooser: plain}, c.body, nil)
		if out.Failure == nil || out.Failure.Kind != c.want {
			t.Errorf("%s: %v, want %s", c.name, out.Failure, c.want)
		}
	}
}

// A thread may be switched away from inside a coroutine that it has entered,
// and a run that ends there leaves no goroutine behind.
func TestSwitchInsideNestedCoroutine(t *testing.T) {
	before := runtime.NumGoroutine()
	var log []string
	body := func(w *World) {
		log = nil
		a := w.Go("a", func(*Thread) {
			next, stop := iter.Pull(func(yield func(int) bool) {
				for i := 0; ; i++ {
					w.Point("inside")
					log = append(log, fmt.Sprint("a", i))
					if !yield(i) {
						return
					}
				}
			})
			defer stop()
			for range 3 {
				next()
			}
		})
		b := w.Go("b", func(*Thread) {
			for i := range 3 {
				w.Point("b")
				log = append(log, fmt.Sprint("b", i))
			}
		})
		a.Join()
		b.Join()
	}
	seen := map[string]bool{}
	d := &DFS{Bound: 6}
	for {
		out := Simulate(Options{Chooser: d}, body, nil)
		if out.Failure != nil {
			t.Fatal(out.Failure)
		}
		seen[strings.Join(log, " ")] = true
		if !d.Next(out.Choices) {
			break
		}
	}
	if len(seen) != 20 { // all ways to merge three and three
		t.Errorf("%d orders, want 20", len(seen))
	}
	out := Simulate(Options{Chooser: plain}, func(w *World) {
		w.Go("stuck", func(*Thread) {
			next, stop := iter.Pull(func(func(int) bool) { w.NewParker().Park(Forever) })
			defer stop()
			next()
		})
	}, nil)
	if out.Failure == nil || out.Failure.Kind != Leak {
		t.Errorf("stuck inside a coroutine: %v", out.Failure)
	}
	if after := runtime.NumGoroutine(); after > before {
		t.Errorf("%d goroutines before, %d after", before, after)
	}
}

func TestTimersFireInVirtualTime(t *testing.T) {
	var at []int64
	out := Simulate(Options{Chooser: plain}, func(w *World) {
		p := w.NewParker()
		for _, ms := range []int64{20, 10} {
			w.NewTimer(func() { at = append(at, w.Now()/1e6); p.Unpark() }).Arm(ms * 1e6)
		}
		w.NewTimer(func() { at = append(at, -1) }).Stop()
		for len(at) < 2 {
			p.Park(Forever)
		}
	}, nil)
	if out.Failure != nil || !slices.Equal(at, []int64{10, 20}) {
		t.Errorf("%v %v", at, out.Failure)
	}
}

func TestShrink(t *testing.T) {
	s := Schedule{{1, 1}, {5, 2}, {9, 1}, {12, 1}, {40, 3}}
	got := Shrink(s, 100, func(try Schedule) (Schedule, bool) {
		return try, slices.Contains(try, Deviation{5, 2}) && slices.Contains(try, Deviation{40, 3})
	})
	if want := (Schedule{{5, 2}, {40, 3}}); !slices.Equal(got, want) {
		t.Errorf("shrunk to %v, want %v", got, want)
	}
	for _, text := range []string{"-", "1:1,5:2"} {
		p, err := ParseSchedule(text)
		if err != nil || p.String() != text {
			t.Errorf("ParseSchedule(%q) = %v, %v", text, p, err)
		}
	}
	for _, text := range []string{"1", "a:b", "1:-1", "1:1,"} {
		if _, err := ParseSchedule(text); err == nil {
			t.Errorf("ParseSchedule(%q) accepted", text)
		}
	}
}

func BenchmarkSwitch(b *testing.B) {
	b.ReportAllocs()
	n := b.N
	Simulate(Options{Chooser: Random(1, 1), MaxSteps: 1 << 60}, func(w *World) {
		other := w.Go("other", func(*Thread) {
			for range n {
				w.Point("")
			}
		})
		for range n {
			w.Point("")
		}
		other.Join()
	}, nil)
}

// PCT finds what even picks hardly find: a thread that does nothing until
// another one has gone through all of its steps.
func TestPCT(t *testing.T) {
	const steps = 60
	body := func(w *World) {
		done, looked := false, 0
		w.Go("slow", func(*Thread) {
			for range steps {
				w.Point("works")
			}
			done = true
		})
		w.Go("looks", func(*Thread) {
			w.Point("looks")
			if done {
				panic("late")
			}
			looked++
		})
	}
	found := func(chooser func(seed uint64) Chooser) (n int) {
		for seed := range uint64(200) {
			if out := Simulate(Options{Chooser: chooser(seed)}, body, nil); out.Failure != nil {
				n++
				again := Simulate(Options{Chooser: Replay(ScheduleOf(out.Choices))}, body, nil)
				if again.Failure == nil || again.Failure.Kind != out.Failure.Kind {
					t.Errorf("seed %d: the replay ends with %v", seed, again.Failure)
				}
			}
		}
		return n
	}
	even := found(func(seed uint64) Chooser { return Random(seed, 2) })
	ranked := found(func(seed uint64) Chooser { return PCT(seed, 1, steps) })
	if even > 0 || ranked < 20 {
		t.Errorf("found by %d even runs and %d ranked ones of 200", even, ranked)
	}
}

// Runs with equal arguments are equal.
func TestPCTRepeats(t *testing.T) {
	body := func(w *World) {
		for range 4 {
			w.Go("t", func(*Thread) { w.Point("a"); w.Point("b") })
		}
	}
	seen := make(map[uint64]bool)
	for seed := range uint64(50) {
		one := Simulate(Options{Chooser: PCT(seed, 3, 20)}, body, nil)
		two := Simulate(Options{Chooser: PCT(seed, 3, 20)}, body, nil)
		if !slices.Equal(one.Choices, two.Choices) {
			t.Errorf("seed %d: %v, then %v", seed, one.Choices, two.Choices)
		}
		seen[Hash(one.Choices)] = true
	}
	if len(seen) < 20 {
		t.Errorf("%d interleavings of 50 seeds", len(seen))
	}
}
