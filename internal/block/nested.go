package block

import "github.com/backplane-vm/backplane/coro"

// Nested polls, QEMU's way to wait in the middle of something: for those who study
// what comes of it, and for tests. The machine waits otherwise; internal/lint has
// the list of who may poll.

// SetNested says that drained sections of coroutines wait as QEMU's do: a bottom
// half polls the main context, with the BQL held, until the node is idle. It is
// for those who study what comes of that.
func (g *Graph) SetNested(on bool) { g.nested = on }

// nestedBegin is [Node.DrainedBegin] by a nested poll. The node's in-flight count
// is raised until that starts, so that no other section misses this one.
func (n *Node) nestedBegin(co *coro.Co) error {
	n.begin()
	var over coro.Event
	begun, given := false, false // BQL
	n.graph.main.OneShot("drained-begin", func() {
		defer over.Set()
		n.end()
		if given {
			return
		}
		n.drainBegin()
		n.graph.wait(func() bool { return n.busy() && !given })
		if begun = !n.busy(); !begun {
			n.drainEnd()
		}
	})
	err := over.WaitCancelable(co)
	if err != nil {
		given = true
		n.graph.main.Notify()
		over.Wait(co)
	}
	if begun {
		return nil
	}
	return err
}

func (n *Node) nestedEnd(co *coro.Co) {
	n.begin()
	n.graph.main.OneShot("drained-end", func() {
		n.end()
		n.drainEnd()
		co.Wake()
	})
	co.Yield()
}

// Quiesce is [Node.DrainedBegin] for a holder of the BQL that is no coroutine:
// it polls the main context until the node is idle, and all else waits.
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

// QuiesceAll is [Graph.DrainedAllBegin] for a holder of the BQL that is no
// coroutine: it polls as [Node.Quiesce] does.
func (g *Graph) QuiesceAll() {
	g.quiesceAll()
	g.wait(g.busy)
}

// DrainAll waits, like [Graph.QuiesceAll], until all nodes are idle once.
func (g *Graph) DrainAll() {
	g.QuiesceAll()
	g.UnquiesceAll()
}

// Drain waits until none of the backend's requests is in flight: a drained
// section of its node, begun and ended. The caller holds the BQL and is no
// coroutine.
func (b *Backend) Drain() {
	if n := b.Node(); n != nil {
		n.Quiesce()
		b.graph.wait(b.busy)
		n.Unquiesce()
	}
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
