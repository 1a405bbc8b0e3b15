package throttle_test

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/backplane-vm/backplane/internal/block/throttle"
)

// clock is a time that a test sets.
type clock struct {
	now    int64
	timers []*timer
}

type timer struct {
	c     *clock
	f     func()
	at    int64
	armed bool
}

func (c *clock) Now() int64 { return c.now }

func (c *clock) Timer(f func()) throttle.Timer {
	t := &timer{c: c, f: f}
	c.timers = append(c.timers, t)
	return t
}

func (t *timer) Arm(at int64) { t.at, t.armed = at, true }
func (t *timer) Cancel()      { t.armed = false }

// run lets the time pass until then, timers in their order included.
func (c *clock) run(until int64) {
	for {
		var next *timer
		for _, t := range c.timers {
			if t.armed && t.at <= until && (next == nil || t.at < next.at) {
				next = t
			}
		}
		if next == nil {
			c.now = max(c.now, until)
			return
		}
		c.now = max(c.now, next.at)
		next.armed = false
		next.f()
	}
}

func (c *clock) armed() (n int) {
	for _, t := range c.timers {
		if t.armed {
			n++
		}
	}
	return n
}

// gone is a request that went.
type gone struct {
	member    int
	direction throttle.Direction
	bytes, at int64
}

// rig is a group with members.
type rig struct {
	clock   *clock
	set     *throttle.Set
	group   *throttle.Group
	members []*throttle.Member
	gone    []gone
}

func newRig(tb testing.TB, l throttle.Limits, members int) *rig {
	tb.Helper()
	if err := l.Check(); err != nil {
		tb.Fatal(err)
	}
	r := &rig{clock: &clock{now: 1_000_000}}
	r.set = throttle.NewSet(r.clock)
	g, err := r.set.New("g")
	if err != nil {
		tb.Fatal(err)
	}
	g.SetLimits(l)
	r.group = g
	for range members {
		m := new(throttle.Member)
		g.Join(m)
		r.members = append(r.members, m)
	}
	return r
}

// submit makes a request of a member.
func (r *rig) submit(member int, d throttle.Direction, bytes int64) *throttle.Request {
	went := func() { r.gone = append(r.gone, gone{member, d, bytes, r.clock.now}) }
	q := &throttle.Request{Direction: d, Bytes: bytes, Go: went}
	if r.members[member].Admit(q) {
		went()
	}
	return q
}

func limits(set func(l *throttle.Limits)) throttle.Limits {
	l := throttle.Unlimited()
	set(&l)
	return l
}

const second = int64(1e9)

func TestRateIsKept(t *testing.T) {
	r := newRig(t, limits(func(l *throttle.Limits) { l.Of[throttle.OpsTotal].Rate = 10 }), 1)
	start := r.clock.now
	for range 32 {
		r.submit(0, throttle.Read, 4096)
	}
	if len(r.gone) != 2 { // the bucket takes one, and overflows with the second
		t.Fatalf("%d requests went at once", len(r.gone))
	}
	for i := 1; i <= 3; i++ {
		r.clock.run(start + int64(i)*second)
		if want := 10*i + 2; len(r.gone) != want {
			t.Errorf("%d requests after %d s, want %d", len(r.gone), i, want)
		}
	}
	if n := r.members[0].Waiting(); n != 0 || r.clock.armed() != 0 {
		t.Errorf("%d wait, %d timers are armed", n, r.clock.armed())
	}
}

func TestDirectionsAreApart(t *testing.T) {
	r := newRig(t, limits(func(l *throttle.Limits) { l.Of[throttle.BytesWrite].Rate = 1000 }), 1)
	for range 3 {
		r.submit(0, throttle.Write, 1000)
		r.submit(0, throttle.Read, 1_000_000)
	}
	reads := 0
	for _, g := range r.gone {
		if g.direction == throttle.Read {
			reads++
		}
	}
	if reads != 3 || r.members[0].Waiting() != 2 {
		t.Errorf("%d reads went, %d writes wait", reads, r.members[0].Waiting())
	}
}

func TestLargeRequestsCountForMore(t *testing.T) {
	r := newRig(t, limits(func(l *throttle.Limits) { l.Of[throttle.OpsTotal].Rate, l.OpSize = 10, 4096 }), 1)
	start := r.clock.now
	r.submit(0, throttle.Read, 11*4096) // 11 operations: ten more than the bucket takes
	r.submit(0, throttle.Read, 1)
	r.clock.run(start + second - 1000)
	if len(r.gone) != 1 {
		t.Fatalf("%d went", len(r.gone))
	}
	r.clock.run(start + second)
	if len(r.gone) != 2 {
		t.Errorf("the next waits for longer than its share: %d went", len(r.gone))
	}
}

func TestBursts(t *testing.T) {
	r := newRig(t, limits(func(l *throttle.Limits) {
		l.Of[throttle.OpsTotal] = throttle.Limit{Rate: 10, Burst: 100, Length: 5}
	}), 1)
	start := r.clock.now
	for range 2000 {
		r.submit(0, throttle.Read, 512)
	}
	at := func(seconds int64) int {
		r.clock.run(start + seconds*second)
		return len(r.gone)
	}
	four, ten := at(4), at(10)
	if four < 400 || four > 412 {
		t.Errorf("%d in the first 4 s of a burst, want about 400", four)
	}
	if later := at(20); later-ten > 101 || later-ten < 99 {
		t.Errorf("%d in 10 s after the burst, want about 100", later-ten)
	}
}

func TestMembersTakeTurns(t *testing.T) {
	r := newRig(t, limits(func(l *throttle.Limits) { l.Of[throttle.OpsTotal].Rate = 30 }), 3)
	for i := range 300 {
		r.submit(i/100, throttle.Write, 512) // all of the first before all of the second
	}
	r.clock.run(3 * second)
	var n [3]int
	for _, g := range r.gone {
		n[g.member]++
	}
	if slices.Max(n[:])-slices.Min(n[:]) > 5 {
		t.Errorf("shares are %v", n)
	}
}

func TestExemptMembersWaitForNobody(t *testing.T) {
	r := newRig(t, limits(func(l *throttle.Limits) { l.Of[throttle.BytesTotal].Rate = 10 }), 2)
	for i := range 8 {
		r.submit(i%2, throttle.Direction(i/2%2), 1000)
	}
	before := r.members[1].Waiting()
	r.members[0].Exempt()
	r.members[0].Exempt()
	if n := r.members[0].Waiting(); n != 0 {
		t.Errorf("%d wait of an exempt member", n)
	}
	r.submit(0, throttle.Read, 1000)
	r.members[0].Unexempt()
	r.submit(0, throttle.Read, 1000)
	if n := r.members[0].Waiting(); n != 0 {
		t.Errorf("%d wait though one exemption is left", n)
	}
	if n := r.members[1].Waiting(); n != before {
		t.Errorf("%d of %d wait of the other", n, before)
	}
	r.members[0].Unexempt()
	r.submit(0, throttle.Read, 1000)
	if n := r.members[0].Waiting(); n != 1 {
		t.Errorf("%d wait after the exemptions, want 1", n)
	}
	r.clock.run(10_000 * second)
	if len(r.gone) != 11 {
		t.Errorf("%d of 11 went in the end", len(r.gone))
	}
}

func TestNewLimitsHoldForWhatWaits(t *testing.T) {
	r := newRig(t, limits(func(l *throttle.Limits) { l.Of[throttle.BytesTotal].Rate = 1 }), 1)
	for range 3 {
		r.submit(0, throttle.Read, 1_000_000)
	}
	r.group.SetLimits(limits(func(l *throttle.Limits) { l.Of[throttle.BytesTotal].Rate = 1_000_000 }))
	r.clock.run(r.clock.now + 2*second)
	if len(r.gone) != 3 {
		t.Errorf("%d of 3 went at a million bytes a second", len(r.gone))
	}
	r.submit(0, throttle.Read, 1_000_000)
	r.submit(0, throttle.Read, 1_000_000)
	r.group.SetLimits(throttle.Unlimited())
	if len(r.gone) != 5 || r.clock.armed() != 0 {
		t.Errorf("%d of 5 went without limits; %d timers", len(r.gone), r.clock.armed())
	}
}

func TestLeavingLetsGo(t *testing.T) {
	r := newRig(t, limits(func(l *throttle.Limits) { l.Of[throttle.OpsTotal].Rate = 1 }), 2)
	for i := range 8 {
		r.submit(i%2, throttle.Read, 512)
	}
	r.members[0].Leave()
	r.members[0].Leave()
	if r.members[0].Waiting() != 0 || r.members[0].Group() != nil || r.group.Members() != 1 {
		t.Fatal("the member is not out")
	}
	r.clock.run(100 * second)
	if len(r.gone) != 8 {
		t.Errorf("%d of 8 went", len(r.gone))
	}
	r.members[1].Leave()
	if r.set.Lookup("g") == nil {
		t.Error("the group is gone though an object stands for it")
	}
	r.group.Disown()
	if r.set.Lookup("g") != nil {
		t.Error("the group is still there")
	}
}

func TestWithdrawn(t *testing.T) {
	r := newRig(t, limits(func(l *throttle.Limits) { l.Of[throttle.OpsTotal].Rate = 1 }), 2)
	for range 2 {
		r.submit(0, throttle.Read, 512)
	}
	q := r.submit(0, throttle.Read, 512)
	r.submit(1, throttle.Read, 512)
	r.members[0].Withdraw(q)
	r.members[0].Withdraw(q)
	r.clock.run(100 * second)
	if len(r.gone) != 3 {
		t.Errorf("%d went, want all but the one withdrawn", len(r.gone))
	}
}

func TestGroupsComeAndGo(t *testing.T) {
	s := throttle.NewSet(new(clock))
	m := new(throttle.Member)
	g := s.Find("a")
	g.Join(m)
	if s.Find("a") != g || s.Lookup("a") != g {
		t.Error("two groups of one name")
	}
	if _, err := s.New("a"); err == nil || err.Error() != "A group with this name already exists" {
		t.Error(err)
	}
	m.Leave()
	if s.Lookup("a") != nil {
		t.Error("a group without members stays")
	}
}

func TestCheck(t *testing.T) {
	const both = "bps/iops/max total values and read/write values cannot be used at the same time"
	for _, c := range []struct {
		set  func(of *[throttle.Kinds]throttle.Limit)
		size uint64
		want string
	}{
		{set: func(of *[throttle.Kinds]throttle.Limit) {}},
		{set: func(of *[throttle.Kinds]throttle.Limit) {
			of[throttle.BytesTotal].Rate, of[throttle.BytesRead].Rate = 1, 1
		}, want: both},
		{set: func(of *[throttle.Kinds]throttle.Limit) {
			of[throttle.OpsTotal].Rate, of[throttle.OpsWrite].Rate = 1, 1
		}, want: both},
		{set: func(of *[throttle.Kinds]throttle.Limit) {
			of[throttle.OpsTotal].Burst, of[throttle.OpsRead].Burst = 1, 1
		}, want: both},
		{size: 1, set: func(of *[throttle.Kinds]throttle.Limit) { of[throttle.BytesTotal].Rate = 1 }, want: "iops size requires an iops value to be set"},
		{size: 1, set: func(of *[throttle.Kinds]throttle.Limit) { of[throttle.OpsRead].Rate = 1 }},
		{set: func(of *[throttle.Kinds]throttle.Limit) { of[throttle.OpsRead].Rate = throttle.MaxRate }},
		{set: func(of *[throttle.Kinds]throttle.Limit) { of[throttle.OpsRead].Rate = throttle.MaxRate + 1 }, want: "bps/iops/max values must be within [0, 1000000000000000]"},
		{set: func(of *[throttle.Kinds]throttle.Limit) { of[throttle.OpsRead].Length = 0 }, want: "the burst length cannot be 0"},
		{set: func(of *[throttle.Kinds]throttle.Limit) { of[throttle.OpsRead].Length = 2 }, want: "burst length set without burst rate"},
		{set: func(of *[throttle.Kinds]throttle.Limit) {
			of[throttle.OpsRead] = throttle.Limit{Rate: 1, Burst: 1 << 40, Length: 1 << 40}
		}, want: "burst length too high for this burst rate"},
		{set: func(of *[throttle.Kinds]throttle.Limit) { of[throttle.OpsRead].Burst = 1 }, want: "bps_max/iops_max require corresponding bps/iops values"},
		{set: func(of *[throttle.Kinds]throttle.Limit) {
			of[throttle.OpsRead] = throttle.Limit{Rate: 2, Burst: 1, Length: 1}
		}, want: "bps_max/iops_max cannot be lower than bps/iops"},
		{set: func(of *[throttle.Kinds]throttle.Limit) {
			of[throttle.OpsRead] = throttle.Limit{Rate: 2, Burst: 3, Length: 60}
		}},
	} {
		l := throttle.Unlimited()
		l.OpSize = c.size
		c.set(&l.Of)
		got := ""
		if err := l.Check(); err != nil {
			got = err.Error()
		}
		if got != c.want {
			t.Errorf("%v: %q, want %q", l, got, c.want)
		}
	}
}

// TestRateOverAnyWindow: whatever is submitted when, in no window more goes than
// the limits allow; and what may go goes: somebody who waits has a full bucket.
func TestRateOverAnyWindow(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l := drawLimits(t)
		if l.Check() != nil {
			t.Skip("no limits")
		}
		r := newRig(new(testing.T), l, rapid.IntRange(1, 3).Draw(t, "members"))
		for range rapid.IntRange(1, 120).Draw(t, "requests") {
			if rapid.Bool().Draw(t, "pause") {
				r.clock.run(r.clock.now + rapid.Int64Range(0, second/2).Draw(t, "ns"))
			}
			r.submit(rapid.IntRange(0, len(r.members)-1).Draw(t, "member"),
				throttle.Direction(rapid.IntRange(0, 1).Draw(t, "direction")), rapid.Int64Range(1, 1<<20).Draw(t, "bytes"))
			for d := range 2 {
				checkTimer(t, r, d)
			}
		}
		submitted := len(r.gone)
		for _, m := range r.members {
			submitted += m.Waiting()
		}
		r.clock.run(math.MaxInt64 / 4)
		if len(r.gone) != submitted {
			t.Fatalf("%d of %d went", len(r.gone), submitted)
		}
		for k := range l.Of {
			checkWindows(t, r.gone, throttle.Kind(k), l)
		}
	})
}

// checkTimer holds that nothing waits without a timer.
func checkTimer(t *rapid.T, r *rig, d int) {
	waiting := 0
	for _, m := range r.members {
		waiting += m.Waiting()
	}
	if waiting > 0 && r.clock.armed() == 0 {
		t.Fatalf("direction %d: %d wait and no timer is armed", d, waiting)
	}
}

func drawLimits(t *rapid.T) throttle.Limits {
	l := throttle.Unlimited()
	for k := range l.Of {
		if !rapid.Bool().Draw(t, "limited") {
			continue
		}
		x := &l.Of[k]
		x.Rate = rapid.Uint64Range(1, 10_000_000).Draw(t, "rate")
		if rapid.Bool().Draw(t, "burst") {
			x.Burst = x.Rate * rapid.Uint64Range(1, 20).Draw(t, "times")
			x.Length = rapid.Uint64Range(1, 10).Draw(t, "length")
		}
	}
	if rapid.Bool().Draw(t, "sized") {
		l.OpSize = rapid.Uint64Range(512, 1<<20).Draw(t, "size")
	}
	return l
}

// checkWindows holds the requests that went between any two to the limit: what
// leaks in the meantime, what the bucket takes, and what made it overflow: a
// read, and for a total also a write, since their timers do not know of each
// other.
func checkWindows(t *rapid.T, all []gone, k throttle.Kind, l throttle.Limits) {
	x := l.Of[k]
	if x.Rate == 0 {
		return
	}
	size, burst := float64(x.Rate)/10, math.Inf(1)
	if x.Burst > 0 {
		size = float64(x.Burst * x.Length)
	}
	if x.Length > 1 {
		burst = float64(x.Burst) / 10
	}
	over := 1.0
	if k == throttle.BytesTotal || k == throttle.OpsTotal {
		over = 2
	}
	for i := range all {
		sum, most := 0.0, 0.0
		for _, g := range all[i:] {
			n := amount(g, k, l.OpSize)
			sum, most = sum+n, max(most, n)
			dt := float64(g.at-all[i].at+2) / 1e9 // and what rounding a timer gains
			for _, allowed := range []float64{float64(x.Rate)*dt + size, float64(x.Burst)*dt + burst} {
				if sum > (allowed+over*most)*(1+1e-9) {
					t.Fatalf("limit %v of kind %d: %v in %v s", x, k, sum, dt)
				}
			}
		}
	}
}

// amount is what a request counts for.
func amount(g gone, k throttle.Kind, opSize uint64) float64 {
	if k == throttle.BytesRead || k == throttle.OpsRead {
		if g.direction == throttle.Write {
			return 0
		}
	}
	if k == throttle.BytesWrite || k == throttle.OpsWrite {
		if g.direction == throttle.Read {
			return 0
		}
	}
	switch {
	case k <= throttle.BytesWrite:
		return float64(g.bytes)
	case opSize > 0 && uint64(g.bytes) > opSize:
		return float64(g.bytes) / float64(opSize)
	}
	return 1
}

func ExampleLimits_Check() {
	l := throttle.Unlimited()
	l.Of[throttle.BytesTotal] = throttle.Limit{Rate: 1000, Burst: 100, Length: 1}
	fmt.Println(l.Check())
	// Output: bps_max/iops_max cannot be lower than bps/iops
}
