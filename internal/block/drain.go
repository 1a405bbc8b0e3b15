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
// owner does. Sections nest. It yields, and nobody else waits with it, unless
// [Graph.SetNested] says so. If co is cancelled before or meanwhile there is an
// error and no section.
func (n *Node) DrainedBegin(co *coro.Co) error {
	if n.graph.nested {
		return n.nestedBegin(co)
	}
	if err := co.Err(); err != nil {
		return err
	}
	n.drainBegin()
	err := n.graph.await(co, n.busy)
	if err != nil && !mutant.Planted("block-section-stays") {
		n.drainEnd()
	}
	return err
}

// DrainedEnd ends a drained section. It does not yield, unless sections are
// nested polls.
func (n *Node) DrainedEnd(co *coro.Co) {
	if n.graph.nested {
		n.nestedEnd(co)
		return
	}
	n.drainEnd()
}

// await yields co while cond holds, which it looks at whenever a request ends.
// An error is why co was cancelled before cond ceased to hold.
func (g *Graph) await(co *coro.Co, cond func() bool) error {
	for cond() {
		if err := g.ended.wait(co); err != nil {
			return err
		}
	}
	return nil
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

func (g *Graph) quiesceAll() {
	g.drainAll++
	for _, n := range slices.Clone(g.order) {
		n.drainBegin()
	}
}

// UnquiesceAll ends what [Graph.DrainedAllBegin] or QuiesceAll began.
func (g *Graph) UnquiesceAll() {
	g.drainAll--
	for _, n := range slices.Clone(g.order) {
		n.drainEnd()
	}
}

// DrainedAllBegin begins a drained section of all nodes, including those that are
// made before it ends, as [Node.DrainedBegin] does of one.
func (g *Graph) DrainedAllBegin(co *coro.Co) error {
	if err := co.Err(); err != nil {
		return err
	}
	g.quiesceAll()
	err := g.await(co, g.busy)
	if err != nil {
		g.UnquiesceAll()
	}
	return err
}

// AwaitIdle yields until nothing is in flight at any node. It keeps nobody from
// submitting more. An error is why co was cancelled before.
func (g *Graph) AwaitIdle(co *coro.Co) error {
	return g.await(co, func() bool {
		return slices.ContainsFunc(g.order, func(n *Node) bool { return n.inFlight > 0 })
	})
}

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

// flushApart flushes the node; the flush does not end when co is cancelled
// meanwhile. The error says why that was.
func (n *Node) flushApart(co *coro.Co) error {
	if n.flushless() {
		return nil
	}
	n.begin() // until the flush itself counts
	return n.graph.apart(co, "flush "+n.Name(), func(own *coro.Co) error {
		defer n.end()
		_ = n.Flush(own)
		return nil
	}, nil)
}

// kick makes those who wait look again. A request that ends in the main
// context does so anyway; one that is ended from elsewhere does not.
func (g *Graph) kick() {
	if g.polls > 0 {
		g.main.Notify()
	}
	g.ended.tell()
}
