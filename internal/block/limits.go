package block

import (
	"github.com/backplane-vm/backplane/aio"
	"github.com/backplane-vm/backplane/coro"
	"github.com/backplane-vm/backplane/internal/block/throttle"
	"github.com/backplane-vm/backplane/qapi/qerr"
)

// limitClock is the clock of a graph's throttle groups. Their timers fire in
// the main context, where nested polls serve them.
type limitClock struct {
	main  *aio.Context
	clock *aio.Clock
}

func (c limitClock) Now() int64                            { return c.clock.Now() }
func (c limitClock) Timer(f func()) throttle.Timer         { return c.main.Timer(c.clock, f) }
func newGroups(m *aio.Context, c *aio.Clock) *throttle.Set { return throttle.NewSet(limitClock{m, c}) }

// Groups returns the throttle groups of the graph, to be used under the BQL.
func (g *Graph) Groups() *throttle.Set { return g.groups }

// admit lets a request of n bytes go once its member's limits allow. It yields
// while they do not; a drained section lets it go.
func admit(co *coro.Co, m *throttle.Member, d throttle.Direction, n int64) {
	if m.Group() == nil {
		return
	}
	r := &throttle.Request{Direction: d, Bytes: n, Go: co.Wake}
	if m.Admit(r) {
		return
	}
	defer m.Withdraw(r) // of use only if co is being ended while it waits
	co.Yield()
}

// direction is that of a write or a read.
func direction(write bool) throttle.Direction {
	if write {
		return throttle.Write
	}
	return throttle.Read
}

// Limits returns the throttle group that the backend is in, or nil.
func (b *Backend) Limits() *throttle.Group { return b.limits.Group() }

// SetLimits has the backend's requests keep to limits, which must be checked,
// together with those of the others in the group called name. Where it is
// empty the backend stays in the group it is in, or comes into one called
// fallback. Without limits it leaves its group.
func (b *Backend) SetLimits(l throttle.Limits, name, fallback string) {
	m := b.limits
	if !l.Enabled() {
		m.Leave()
		return
	}
	if have := m.Group(); have != nil && (name == "" || name == have.Name()) {
		have.SetLimits(l)
		return
	}
	if name == "" {
		name = fallback
	}
	m.Leave()
	group := b.graph.groups.Find(name)
	group.Join(m)
	group.SetLimits(l)
}

// throttled is the filter "throttle": its requests keep to a group's limits
// before they reach its child.
type throttled struct {
	n      *Node
	file   *Node
	member *throttle.Member
}

func (n *Node) openThrottle(co *coro.Co) (driver, error) {
	child, err := n.adopt(co)
	if err != nil {
		return nil, err
	}
	group := n.graph.groups.Lookup(n.opts.ThrottleGroup)
	if group == nil {
		child.dropUnused()
		return nil, noGroup(n.opts.ThrottleGroup)
	}
	if err := n.nurse(child, 0, AllPerms); err != nil {
		return nil, err
	}
	d := &throttled{n: n, file: child, member: new(throttle.Member)}
	group.Join(d.member)
	return d, nil
}

func noGroup(name string) error { return qerr.New("Throttle group '%s' does not exist", name) }

// drainBegin implements [drainer]: what waits is let go, or the section would
// wait for it.
func (d *throttled) drainBegin() { d.member.Exempt() }

// drainEnd implements [drainer].
func (d *throttled) drainEnd() { d.member.Unexempt() }

func (d *throttled) read(co *coro.Co, p []byte, off int64) error {
	admit(co, d.member, throttle.Read, int64(len(p)))
	return d.file.ReadAt(co, p, off)
}

func (d *throttled) write(co *coro.Co, p []byte, off int64) error {
	admit(co, d.member, throttle.Write, int64(len(p)))
	return d.file.WriteAt(co, p, off)
}

func (d *throttled) length() int64                          { return d.file.drv.length() }
func (d *throttled) flush(co *coro.Co) error                { return d.file.Flush(co) }
func (d *throttled) truncate(co *coro.Co, size int64) error { return d.file.Truncate(co, size) }
func (d *throttled) setPermissions(_, _ Perm) error         { return nil }
func (d *throttled) close()                                 { d.member.Leave() }
