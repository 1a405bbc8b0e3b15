package throttle

import (
	"slices"

	"github.com/backplane-vm/backplane/internal/mutant"
)

// A Group is disks that share limits.
type Group struct {
	set   *Set
	name  string
	owned bool // by an object, and so kept without members

	clock   Clock
	state   state
	members []*Member // newest first
	turn    [directions]*Member
	timers  [directions]Timer
	armed   [directions]*Member // whose request the timer is for; nil: it is not armed
}

// A Member is one disk of a group, or of none.
type Member struct {
	group   *Group
	exempt  int // drained sections: nothing waits
	waiting [directions][]*Request
}

// A Request is one that asks to go.
type Request struct {
	Direction Direction
	Bytes     int64
	Go        func() // called, once, if it had to wait; must not come back to the group
}

func newGroup(set *Set, name string) *Group {
	g := &Group{set: set, name: name, clock: set.clock}
	g.state.configure(Unlimited(), g.clock.Now())
	for d := range Direction(directions) {
		g.timers[d] = g.clock.Timer(func() { g.fire(d) })
	}
	return g
}

// Name returns the group's name.
func (g *Group) Name() string { return g.name }

// Members returns how many members the group has.
func (g *Group) Members() int { return len(g.members) }

// Limits returns the group's limits.
func (g *Group) Limits() Limits { return g.state.limits() }

// SetLimits changes the limits, which must be checked, and forgets what was
// counted. What waits is looked at anew.
func (g *Group) SetLimits(l Limits) {
	g.state.configure(l, g.clock.Now())
	for d := range Direction(directions) {
		m := g.disarm(d)
		if m == nil {
			m = g.turn[d]
		}
		if m != nil {
			g.goOn(m, d)
		}
	}
}

// Join makes the member, which is in no group, one of this one. It keeps its
// exemption.
func (g *Group) Join(m *Member) {
	m.group = g
	g.members = slices.Insert(g.members, 0, m)
	for d := range g.turn {
		if g.turn[d] == nil {
			g.turn[d] = m
		}
	}
}

// Leave takes the member out of its group and lets its requests go. A group
// without object and members is forgotten. Leaving no group does nothing.
func (m *Member) Leave() {
	g := m.group
	if g == nil {
		return
	}
	for d := range Direction(directions) {
		g.letGo(m, d)
		if g.turn[d] == m {
			if g.turn[d] = g.after(m); g.turn[d] == m {
				g.turn[d] = nil
			}
		}
	}
	g.members = slices.DeleteFunc(g.members, func(have *Member) bool { return have == m })
	m.group = nil
	g.set.tidy(g)
}

// Group returns the member's group, or nil.
func (m *Member) Group() *Group { return m.group }

// Waiting returns how many requests wait.
func (m *Member) Waiting() int { return len(m.waiting[Read]) + len(m.waiting[Write]) }

// Exempt lets all go that waits, and what comes, until [Member.Unexempt]. It is
// counted, and others pay. Exemptions nest.
func (m *Member) Exempt() {
	m.exempt++
	if m.group != nil && m.exempt == 1 && !mutant.Planted("throttle-drain-waits") {
		for d := range Direction(directions) {
			m.group.letGo(m, d)
		}
	}
}

// Unexempt ends what Exempt began.
func (m *Member) Unexempt() { m.exempt-- }

// Admit reports whether the request may go now. If it may not, its Go will be
// called, unless [Member.Withdraw] comes first. The member is in a group.
func (m *Member) Admit(r *Request) bool {
	g, d := m.group, r.Direction
	if m.exempt == 0 && (g.mustWait(g.next(m, d), d) || len(m.waiting[d]) > 0) {
		m.waiting[d] = append(m.waiting[d], r)
		return false
	}
	g.state.account(d, r.Bytes, g.clock.Now())
	g.goOn(m, d)
	return true
}

// Withdraw forgets a request that waits.
func (m *Member) Withdraw(r *Request) {
	q := &m.waiting[r.Direction]
	*q = slices.DeleteFunc(*q, func(have *Request) bool { return have == r })
}

// mustWait reports whether m's next request has to wait. If that is news, it
// sets the timer.
func (g *Group) mustWait(m *Member, d Direction) bool {
	if g.armed[d] != nil {
		return true
	}
	now := g.clock.Now()
	ns := g.state.wait(d, now)
	if ns == 0 {
		return false
	}
	g.armed[d], g.turn[d] = m, m
	g.timers[d].Arm(now + ns)
	return true
}

// disarm stops the timer and returns for whom it was armed, or nil.
func (g *Group) disarm(d Direction) *Member {
	m := g.armed[d]
	if m != nil {
		g.timers[d].Cancel()
		g.armed[d] = nil
	}
	return m
}

// fire is what the timers do: the time of the request that they were armed for
// has come.
func (g *Group) fire(d Direction) {
	m := g.armed[d]
	if m == nil {
		return
	}
	g.armed[d] = nil
	if len(m.waiting[d]) > 0 {
		g.release(m, d)
	}
	if mutant.Planted("throttle-one-at-a-time") {
		return
	}
	g.goOn(m, d)
}

// after returns the member that comes after m.
func (g *Group) after(m *Member) *Member {
	return g.members[(slices.Index(g.members, m)+1)%len(g.members)]
}

// next returns whose turn it is: the next in the round that waits, or m.
func (g *Group) next(m *Member, d Direction) *Member {
	start := g.turn[d]
	for t := g.after(start); ; t = g.after(t) {
		if len(t.waiting[d]) > 0 {
			return t
		}
		if t == start {
			return m
		}
	}
}

// goOn lets requests go that wait, m's first, for as long as the limits allow.
func (g *Group) goOn(m *Member, d Direction) {
	for {
		t := g.next(m, d)
		if len(t.waiting[d]) == 0 || g.mustWait(t, d) {
			return
		}
		if len(m.waiting[d]) == 0 {
			m = t
		}
		g.turn[d] = m
		g.release(m, d)
	}
}

// letGo lets all of m's requests go, and others if their turn comes by it.
func (g *Group) letGo(m *Member, d Direction) {
	if g.armed[d] == m {
		g.disarm(d)
	}
	for len(m.waiting[d]) > 0 {
		g.release(m, d)
	}
	g.goOn(m, d)
}

// release lets m's oldest request go.
func (g *Group) release(m *Member, d Direction) {
	r := m.waiting[d][0]
	m.waiting[d] = m.waiting[d][1:]
	g.state.account(d, r.Bytes, g.clock.Now())
	r.Go()
}
