package block

import (
	"slices"

	"github.com/backplane-vm/backplane/coro"
	"github.com/backplane-vm/backplane/internal/mutant"
)

// DrainOps is what a device may offer to hear of drained sections; see
// [Backend.SetDevice]. All three are called under the BQL and must not poll.
type DrainOps interface {
	// DrainedBegin tells the device to stop submitting requests.
	DrainedBegin()
	// DrainedPoll reports whether it still has something to finish besides
	// the requests that the backend knows of.
	DrainedPoll() bool
	// DrainedEnd lets it go on.
	DrainedEnd()
}

// DrainedBegin begins a drained section: when it returns, nothing is in flight
// at the node, and nothing will be until the section ends, but for what its
// owner does. Sections nest. It yields; a bottom half of the main context does
// the work, with the node's in-flight count raised until it starts, so that no
// other section misses this one.
func (n *Node) DrainedBegin(co *coro.Co) {
	n.begin()
	n.graph.outside(co, "drained-begin", func() {
		n.end()
		n.Quiesce()
	})
}

// DrainedBeginCancelable is DrainedBegin, but returns an error, and there is no
// section, if co is cancelled before or while it waits.
func (n *Node) DrainedBeginCancelable(co *coro.Co) error {
	n.begin()
	return n.graph.outsideUntil(co, "drained-begin", func(given func() bool) (done bool) {
		n.end()
		if given() {
			return false
		}
		n.drainBegin()
		n.graph.wait(func() bool { return n.busy() && !given() })
		if n.busy() {
			if !mutant.Planted("block-section-stays") {
				n.drainEnd()
			}
			return false
		}
		return true
	})
}

// DrainedEnd ends a drained section. It yields, but waits for no request.
func (n *Node) DrainedEnd(co *coro.Co) {
	n.begin()
	n.graph.outside(co, "drained-end", func() {
		n.end()
		n.Unquiesce()
	})
}

// outside yields co until f has run in a bottom half of the main context.
func (g *Graph) outside(co *coro.Co, name string, f func()) {
	g.main.OneShot(name, func() {
		f()
		co.Wake()
	})
	co.Yield()
}

// outsideUntil is outside for what may be given up: f returns false soon after
// given reports true, having undone what it did, unless it is done already. The
// error says why co was cancelled before f was done.
func (g *Graph) outsideUntil(co *coro.Co, name string, f func(given func() bool) (done bool)) error {
	var over coro.Event
	done, given := false, false // BQL
	g.main.OneShot(name, func() {
		done = f(func() bool { return given })
		over.Set()
	})
	err := over.WaitCancelable(co)
	if err != nil {
		given = true
		g.main.Notify()
		over.Wait(co)
	}
	if done {
		return nil
	}
	return err
}

// Quiesce is [Node.DrainedBegin] for a holder of the BQL that is no coroutine:
// it polls the main context until the node is idle.
func (n *Node) Quiesce() {
	n.drainBegin()
	n.graph.wait(n.busy)
}

// Unquiesce ends what Quiesce began.
func (n *Node) Unquiesce() { n.drainEnd() }

// Drain waits, like [Node.Quiesce], until the node is idle once.
func (n *Node) Drain() {
	n.Quiesce()
	n.Unquiesce()
}

// QuiesceSubtree begins a drained section of the node and of every node below
// it, so of all that use any of them, and returns what ends it. The caller
// holds the BQL and is no coroutine.
func (n *Node) QuiesceSubtree() (end func()) {
	all := n.subtree(nil)
	for _, below := range all {
		below.drainBegin()
	}
	n.graph.wait(func() bool { return slices.ContainsFunc(all, (*Node).busy) })
	return func() {
		for _, below := range all {
			below.drainEnd()
		}
	}
}

// subtree appends the node and what is below it, each once.
func (n *Node) subtree(all []*Node) []*Node {
	if slices.Contains(all, n) {
		return all
	}
	all = append(all, n)
	for _, c := range n.children {
		all = c.node.subtree(all)
	}
	return all
}

// drainBegin implements [parent] for children: a node whose child is drained
// is drained as well.
func (n *Node) drainBegin() {
	n.quiesce++
	if n.quiesce > 1 {
		return
	}
	for _, u := range slices.Clone(n.users) { // devices may drop theirs
		u.drainBegin()
	}
	n.hurry()
}

// hurry has what waits for its time at the node or below go on: the section
// would wait for it.
func (n *Node) hurry() {
	for _, below := range n.subtree(nil) {
		if d, ok := below.drv.(drainer); ok && !mutant.Planted("block-drain-unheard") {
			d.drainBegin()
			n.hurried = append(n.hurried, d)
		}
	}
}

// unhurry ends what hurry began.
func (n *Node) unhurry() {
	for _, d := range n.hurried {
		d.drainEnd()
	}
	n.hurried = nil
}

// drainBusy implements [parent]: it reports whether a section has to wait.
func (n *Node) drainBusy() bool { return n.busy() }

func (n *Node) drainEnd() {
	n.quiesce--
	if n.quiesce > 0 {
		return
	}
	n.unhurry()
	for _, u := range slices.Clone(n.users) {
		u.drainEnd()
	}
}

// busy reports whether anything is in flight at the node or above it.
func (n *Node) busy() bool {
	if n.inFlight > 0 {
		return true
	}
	for _, u := range n.users {
		if u.parent.drainBusy() {
			return true
		}
	}
	return false
}

// QuiesceAll begins a drained section of all nodes, including those that are
// made before it ends. The caller holds the BQL and is no coroutine.
func (g *Graph) QuiesceAll() {
	g.drainAll++
	for _, n := range slices.Clone(g.order) {
		n.drainBegin()
	}
	g.wait(g.busy)
}

// UnquiesceAll ends what QuiesceAll began.
func (g *Graph) UnquiesceAll() {
	g.drainAll--
	for _, n := range slices.Clone(g.order) {
		n.drainEnd()
	}
}

// DrainAll waits, like [Graph.QuiesceAll], until all nodes are idle once.
func (g *Graph) DrainAll() {
	g.QuiesceAll()
	g.UnquiesceAll()
}

// DrainedAllBegin is [Graph.QuiesceAll] for coroutines. It yields.
func (g *Graph) DrainedAllBegin(co *coro.Co) { g.outside(co, "drained-all-begin", g.QuiesceAll) }

// DrainedAllEnd ends what DrainedAllBegin began. It yields.
func (g *Graph) DrainedAllEnd(co *coro.Co) { g.outside(co, "drained-all-end", g.UnquiesceAll) }

func (g *Graph) busy() bool { return slices.ContainsFunc(g.order, (*Node).busy) }

// FlushAll has every node write what it has in memory and flush. It yields.
// Errors of flushes are nobody's: whoever minds has flushed. The one returned is
// why co was cancelled; a flush that was begun goes on by itself, as a request
// in flight.
func (g *Graph) FlushAll(co *coro.Co) error {
	for _, n := range slices.Backward(slices.Clone(g.order)) { // a parent was made after its child
		if g.nodes[n.Name()] != n { // deleted meanwhile
			continue
		}
		if err := n.flushApart(co); err != nil {
			return err
		}
	}
	return nil
}

// flushApart flushes the node in a coroutine of its own, which does not end when
// co is cancelled meanwhile; the error says why that was.
func (n *Node) flushApart(co *coro.Co) error {
	if n.flushless() {
		return nil
	}
	over := new(coro.Event)
	n.begin() // until the flush itself counts
	n.graph.main.Spawn("flush "+n.Name(), func(own *coro.Co) {
		defer n.end()
		_ = n.Flush(own)
		over.Set()
	})
	return over.WaitCancelable(co)
}

// wait polls the main context while cond holds.
func (g *Graph) wait(cond func() bool) {
	if !cond() {
		return
	}
	g.polls++
	defer func() { g.polls-- }()
	g.main.WaitWhile(cond)
}

// kick makes those who wait look again. A request that ends in the main
// context does so anyway; one that is ended from elsewhere does not.
func (g *Graph) kick() {
	if g.polls > 0 {
		g.main.Notify()
	}
}
