package block

import "github.com/backplane-vm/backplane/coro"

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
