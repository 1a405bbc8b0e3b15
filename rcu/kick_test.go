package rcu_test

import (
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/backplane-vm/backplane/internal/sched"
	"github.com/backplane-vm/backplane/rcu"
)

// within fails the test if f does not return: a wake-up was lost.
func within(t *testing.T, what string, f func()) {
	t.Helper()
	done := make(chan struct{})
	go func() { defer close(done); f() }()
	select {
	case <-done:
	case <-time.After(10 * time.Second):
		t.Fatalf("%s does not return", what)
	}
}

// held waits until a grace period waits for someone.
func held(d *rcu.Domain) []string {
	for {
		if names := d.Holding(); len(names) > 0 {
			return names
		}
		runtime.Gosched()
	}
}

// busy registers a reader on a thread of its own that stays inside a section
// until it is kicked. join waits for its end.
func busy(d *rcu.Domain, kicks *atomic.Int64) (join func()) {
	leave, in := make(chan struct{}), make(chan struct{})
	th := sched.NewWorld().Go("hart0", func(*sched.Thread) {
		r := d.Register("hart0")
		defer r.Unregister()
		r.OnWait(func() {
			if kicks.Add(1) == 1 {
				close(leave)
			}
		})
		r.Lock()
		close(in)
		<-leave
		r.Unlock()
	})
	<-in
	return th.Join
}

func TestWaitersKickReaders(t *testing.T) {
	for _, c := range []struct {
		name string
		wait func(*rcu.Domain)
	}{
		{"Synchronize", func(d *rcu.Domain) { d.Synchronize() }},
		{"Wait", func(d *rcu.Domain) { d.Wait(d.Get()) }},
		{"Drain", func(d *rcu.Domain) { d.Drain(nil, nil) }},
		{"Close", func(d *rcu.Domain) { d.Call(func() {}); d.Close() }},
		{"overload", func(d *rcu.Domain) {
			for range rcu.BacklogLimit + 1 {
				d.Call(func() {})
			}
			for !d.Idle() {
				runtime.Gosched()
			}
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := rcu.New(rcu.Options{})
			defer d.Close()
			var kicks atomic.Int64
			join := busy(d, &kicks)
			within(t, c.name, func() { c.wait(d) })
			join()
			if n := kicks.Load(); n == 0 {
				t.Error("the reader was not kicked")
			}
			if s := d.Stats(); s.Kicks == 0 || s.HeldUpBy != "hart0" || s.Waited == 0 {
				t.Errorf("statistics %+v", s)
			}
		})
	}
}

// Class C of the failures that this package is to rule out: a grace period
// that nobody was in a hurry for waits for a busy reader; then a drain begins.
func TestDrainKicksWhenGracePeriodAlreadyWaits(t *testing.T) {
	d := rcu.New(rcu.Options{})
	defer d.Close()
	var kicks atomic.Int64
	join := busy(d, &kicks)
	d.Call(func() {})
	if got := held(d); !slices.Equal(got, []string{"hart0"}) {
		t.Fatalf("held by %q", got)
	}
	if kicks.Load() != 0 {
		t.Error("kicked although nobody waits")
	}
	within(t, "Drain", func() { d.Drain(nil, nil) })
	join()
	if len(d.Holding()) != 0 {
		t.Error("still held")
	}
}

// A reader may ignore a kick; the next waiter's is a new one.
func TestEachWaiterKicksAgain(t *testing.T) {
	d := rcu.New(rcu.Options{})
	defer d.Close()
	r := d.Register("stubborn")
	defer r.Unregister()
	kicked := make(chan struct{}, 8)
	r.OnWait(func() { kicked <- struct{}{} })
	r.Lock()
	w := sched.NewWorld()
	for range 3 {
		w.Go("waiter", func(*sched.Thread) { d.Synchronize() })
		within(t, "the kick", func() { <-kicked })
	}
	r.OnWait(nil)
	r.Unlock()
	within(t, "Synchronize", w.Join)
}

func TestUnlockWakesGracePeriod(t *testing.T) {
	for _, symmetric := range []bool{false, true} {
		d := rcu.New(rcu.Options{Symmetric: symmetric})
		r := d.Register("reader")
		for range 100 {
			r.Lock()
			r.Lock()
			c := d.Start()
			held(d)
			r.Unlock()
			if d.Done(c) {
				t.Fatal("the grace period did not wait")
			}
			r.Unlock()
			within(t, "Wait", func() { d.Wait(c) })
		}
		r.Unregister()
		d.Close()
	}
}

func TestCookies(t *testing.T) {
	d := rcu.New(rcu.Options{})
	defer d.Close()
	if !d.Done(0) {
		t.Error("the zero Cookie is not done")
	}
	r := d.Register("reader")
	defer r.Unregister()
	r.Lock()
	first := d.Start()
	held(d)
	second := d.Get() // the period in progress began too early for it
	if second <= first || d.Done(first) || d.Done(second) {
		t.Errorf("first %d done %v, second %d done %v", first, d.Done(first), second, d.Done(second))
	}
	r.Unlock()
	within(t, "the first", func() { d.Wait(first) })
	if d.Done(second) {
		t.Error("a grace period in progress served a later Cookie")
	}
	periods := d.Periods()
	d.Wait(second)
	d.Wait(second)
	if got := d.Periods(); got != periods+1 {
		t.Errorf("%d grace periods for one Cookie", got-periods)
	}
}

func TestOverloadIsReportedAndDoesNotBlock(t *testing.T) {
	var reports atomic.Int64
	var holding atomic.Pointer[[]string]
	d := rcu.New(rcu.Options{Overload: func(n int, by []string) {
		reports.Add(1)
		holding.Store(&by)
		if n <= rcu.BacklogLimit {
			t.Errorf("overload at %d", n)
		}
	}})
	r := d.Register("reader")
	r.Lock() // never kicked: the backlog cannot shrink
	d.Call(func() {})
	held(d)
	for range 2 * rcu.BacklogLimit {
		d.Call(func() {})
	}
	if n := reports.Load(); n != 1 {
		t.Errorf("%d reports of one overload", n)
	}
	if by := holding.Load(); by == nil || !slices.Equal(*by, []string{"reader"}) {
		t.Errorf("overload held by %v", by)
	}
	r.Unlock()
	d.Drain(nil, nil)
	r.Unregister()
	d.Close()
	s := d.Stats()
	if s.Overloads != 1 || s.Backlog != 0 || s.PeakLoad < 2*rcu.BacklogLimit || s.Callbacks < 2*rcu.BacklogLimit {
		t.Errorf("statistics %+v", s)
	}
}

func TestBrokenRulesAreNamed(t *testing.T) {
	for _, symmetric := range []bool{false, true} {
		d := rcu.New(rcu.Options{Symmetric: symmetric})
		r := d.Register("hart7")
		inside := func(f func()) func() { return func() { r.Lock(); defer r.Unlock(); f() } }
		for _, c := range []struct {
			want string
			f    func()
		}{
			{"Drain inside its own read-side critical section", inside(func() { r.Drain(nil, nil) })},
			{"Synchronize inside its own", inside(r.Synchronize)},
			{"device_add inside its own", inside(func() { r.AssertOutside("device_add") })},
			{"unregistered inside", inside(r.Unregister)},
			{"leaves a section it is not in", r.Unlock},
			{"unregistered twice", func() { x := d.Register("hart7"); x.Unregister(); x.Unregister() }},
		} {
			got := panics(c.f)
			if !strings.Contains(got, "hart7") || !strings.Contains(got, c.want) {
				t.Errorf("panic %q, want hart7 and %q", got, c.want)
			}
		}
		r.Drain(nil, nil) // outside: fine
		r.Synchronize()
		r.Unregister()
		d.Close()
		if got := panics(func() { d.Call(func() {}) }); !strings.Contains(got, "closed") {
			t.Errorf("Call after Close: %q", got)
		}
	}
}

func panics(f func()) (text string) {
	defer func() { text, _ = recover().(string) }()
	f()
	return ""
}

func TestReadersComeAndGoDuringGracePeriod(t *testing.T) {
	d := rcu.New(rcu.Options{})
	defer d.Close()
	var all []*rcu.Reader
	for range 5 {
		r := d.Register("reader")
		r.Lock()
		all = append(all, r)
	}
	c := d.Start()
	held(d)
	for i, r := range all {
		late := d.Register("late")
		late.Lock() // began after: is not waited for
		defer late.Unregister()
		defer late.Unlock()
		if d.Done(c) {
			t.Fatalf("done with %d readers inside", len(all)-i)
		}
		r.Unlock()
		r.Unregister()
	}
	within(t, "Wait", func() { d.Wait(c) })
}
