package bql

import (
	"maps"
	"math/bits"
	"slices"

	"github.com/backplane-vm/backplane/internal/sched"
)

// Buckets is how many classes of durations a [Histogram] has.
const Buckets = 32

// A Histogram counts durations in powers of two: bucket i those from 2^(i-1)
// up to 2^i nanoseconds, the last one all that are longer.
type Histogram [Buckets]uint64

func (h *Histogram) add(ns int64) { h[min(bits.Len64(uint64(max(ns, 0))), Buckets-1)]++ }

// Count returns how many durations were counted.
func (h *Histogram) Count() (n uint64) {
	for _, c := range h {
		n += c
	}
	return n
}

// Quantile returns a bound, in nanoseconds, below which at least the share q
// (0 to 1) of the durations lie; 0 if there are none.
func (h *Histogram) Quantile(q float64) int64 {
	want := uint64(q * float64(h.Count()))
	var n uint64
	for i, c := range h {
		if n += c; c > 0 && n >= want {
			return 1 << i
		}
	}
	return 0
}

// Usage is how the lock was used for one purpose.
type Usage struct {
	Who   string
	Total int64 // nanoseconds held
	Max   int64 // the longest, nanoseconds
	Holds Histogram
	Waits Histogram // of those that had to queue
}

// Stats tells how the lock has been used since it was made, or since
// ResetStats. Times are in nanoseconds.
type Stats struct {
	Acquired    uint64 // times taken
	Contended   uint64 // times a thread had to queue
	LongestHold int64  // from taking to releasing
	LongestWho  string // what most of that was for
	LongestWait int64  // of those that queued
}

// maxLabels bounds how many purposes are told apart; what comes later counts
// as "other". Labels are commands and devices, some dozens.
const maxLabels = 256

type account struct {
	stats Stats
	usage map[string]*Usage
}

func (a *account) reset() { *a = account{usage: make(map[string]*Usage)} }

func (a *account) of(who string) *Usage {
	if u := a.usage[who]; u != nil {
		return u
	}
	if len(a.usage) >= maxLabels && who != "other" {
		return a.of("other")
	}
	u := &Usage{Who: who}
	a.usage[who] = u
	return u
}

func (a *account) labelled(who string, ns int64) {
	u := a.of(who)
	u.Holds.add(ns)
	u.Total += ns
	u.Max = max(u.Max, ns)
}

func (a *account) held(h *hold, now int64) {
	a.stats.Acquired++
	if d := now - h.since; d > a.stats.LongestHold {
		a.stats.LongestHold, a.stats.LongestWho = d, h.longWho
	}
}

func (a *account) waited(who string, ns int64) {
	a.stats.Contended++
	a.stats.LongestWait = max(a.stats.LongestWait, ns)
	a.of(who).Waits.add(ns)
}

// Stats returns the lock's statistics. It takes only the leaf mutex, so it
// answers while the BQL is held.
func (l *Lock) Stats() Stats {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.account.stats
}

// Usage returns the use of the lock by purpose, the longest total first. Like
// Stats it answers while the BQL is held.
func (l *Lock) Usage() []Usage {
	l.mu.Lock()
	defer l.mu.Unlock()
	list := make([]Usage, 0, len(l.account.usage))
	for _, name := range slices.Sorted(maps.Keys(l.account.usage)) {
		list = append(list, *l.account.usage[name])
	}
	slices.SortStableFunc(list, func(a, b Usage) int {
		if a.Total != b.Total {
			return int(max(-1, min(1, b.Total-a.Total)))
		}
		return 0
	})
	return list
}

// ResetStats starts the statistics anew.
func (l *Lock) ResetStats() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.account.reset()
}

// A Holder is who holds the lock at the moment.
type Holder struct {
	Thread string
	Who    string // what for
	Device string // the device being emulated, "" if none
	Held   int64  // for how long, in nanoseconds
	Queue  []string
}

// Holder returns who holds the lock, and the threads that queue for it; ok is
// false if it is free. It does not wait for the lock. The device may be out of
// date.
func (l *Lock) Holder() (h Holder, ok bool) {
	now := l.w.Now()
	l.mu.Lock()
	defer l.mu.Unlock()
	t := l.owner.Load()
	if t == nil {
		return h, false
	}
	h = Holder{Thread: t.Name(), Who: l.hold.who, Held: now - l.hold.since}
	for _, w := range l.waiters {
		h.Queue = append(h.Queue, w.t.Name()+" ("+w.who+")")
	}
	return h, true
}

// Watch has report called, on a thread of its own, when the lock has been held
// for limit nanoseconds without a break, once a hold. The function returned
// ends that.
func (l *Lock) Watch(limit int64, report func(Holder)) (stop func()) {
	var mu sched.Mutex
	stopped := false
	var reported int64 = -1 // when the hold began that was last reported
	var timer *sched.Timer
	timer = l.w.NewTimer(func() {
		mu.Lock()
		defer mu.Unlock()
		if stopped {
			return
		}
		now := l.w.Now()
		l.mu.Lock()
		since, held := l.hold.since, l.owner.Load() != nil
		l.mu.Unlock()
		if held && now-since >= limit && since != reported {
			reported = since
			if h, ok := l.Holder(); ok {
				report(h)
			}
		}
		timer.Arm(now + limit/2)
	})
	mu.Lock()
	timer.Arm(l.w.Now() + limit/2)
	mu.Unlock()
	return func() {
		mu.Lock()
		stopped = true
		mu.Unlock()
		timer.Stop()
	}
}
