package block

import (
	"slices"
	"strconv"

	"github.com/backplane-vm/backplane/coro"
	"github.com/backplane-vm/backplane/qapi/qerr"
)

// Reopen changes the options of nodes to those given, all of them or, on error,
// none. What an option does not say has its default. What can be changed: read-only,
// cache.no-flush, the group of a throttle node, the slice of a raw one, and
// the child of both. It yields; the nodes are drained meanwhile.
func (g *Graph) Reopen(co *coro.Co, list []Options) error {
	for _, o := range list {
		if n := g.nodes[o.NodeName]; n != nil {
			_ = n.Flush(co) // for those that will not write any more; who minds has flushed
		}
	}
	if err := g.DrainedAllBegin(co); err != nil {
		return err
	}
	defer g.UnquiesceAll()
	return g.reopen(list)
}

func (g *Graph) reopen(list []Options) error {
	var undo []func()
	var left []*Node // children of before
	for _, o := range list {
		if n := g.nodes[o.NodeName]; n != nil && n.File() != nil {
			left = append(left, n.File())
		}
		back, err := g.reopenOne(o)
		if err != nil {
			for _, f := range slices.Backward(undo) {
				f()
			}
			return err
		}
		undo = append(undo, back)
	}
	for _, n := range left {
		if g.nodes[n.Name()] == n {
			n.dropUnused()
		}
	}
	return nil
}

// reopenOne changes one node and returns what changes it back.
func (g *Graph) reopenOne(o Options) (undo func(), err error) {
	n := g.nodes[o.NodeName]
	switch {
	case o.NodeName == "":
		return nil, qerr.New("node-name not specified")
	case n == nil:
		return nil, qerr.New("Failed to find node with node-name='%s'", o.NodeName)
	}
	if err := n.checkFixed(&o); err != nil {
		return nil, err
	}
	child, err := n.newChild(&o)
	if err != nil {
		return nil, err
	}
	was, wasChild := n.opts, n.File()
	if err := n.change(o, child); err != nil {
		return nil, err
	}
	return func() { _ = n.change(was, wasChild) }, nil // as it was, it fitted
}

// fixed lists the options of a driver that cannot be changed, with their
// values; "" stands for the default.
func (o *Options) fixed() [][2]string {
	number := func(n int64) string {
		if n == 0 {
			return ""
		}
		return strconv.FormatInt(n, 10)
	}
	flag := func(on bool) string {
		if on {
			return "on"
		}
		return ""
	}
	switch o.Driver {
	case "file":
		return [][2]string{{"filename", o.Filename}, {"locking", o.Locking}, {"cache.direct", flag(o.Direct)}}
	case "null-co":
		return [][2]string{{"size", number(o.Size)}, {"latency-ns", number(o.LatencyNS)}, {"read-zeroes", flag(o.ReadZeroes)}}
	case "throttle":
		return [][2]string{{"throttle-group", ""}} // can be changed, but is needed
	}
	return nil
}

// checkFixed refuses o if it changes what cannot be changed.
func (n *Node) checkFixed(o *Options) error {
	if o.Driver != n.opts.Driver {
		if n.opts.Driver == "throttle" {
			return qerr.New("Option 'throttle-group' cannot be reset to its default value")
		}
		return cannotChange("driver")
	}
	now := o.fixed()
	for i, old := range n.opts.fixed() {
		switch now[i][1] {
		case old[1]:
		case "":
			return qerr.New("Option '%s' cannot be reset to its default value", old[0])
		default:
			return cannotChange(old[0])
		}
	}
	if !o.ReadOnly && n.openedReadOnly && (o.Driver == "file" || o.Driver == "qcow2") {
		return cannotChange("read-only")
	}
	return nil
}

func cannotChange(option string) error { return qerr.New("Cannot change the option '%s'", option) }

// newChild returns the node that o wants under n, nil for drivers without.
func (n *Node) newChild(o *Options) (*Node, error) {
	switch old := n.File(); {
	case old == nil:
		return nil, nil
	case o.FileRef == "":
		return nil, cannotChange("file.driver")
	default:
		child := n.graph.nodes[o.FileRef]
		switch {
		case child == nil:
			return nil, qerr.New("Cannot find device='' nor node-name='%s'", o.FileRef)
		case child == old:
			return old, nil
		case slices.Contains(child.subtree(nil), n):
			return nil, qerr.New("Making '%s' a file child of '%s' would create a cycle", child.Name(), n.Name())
		}
		if _, ok := n.drv.(reopener); !ok {
			return nil, cannotChange("file")
		}
		return child, nil
	}
}

// reopener is a driver whose options and child may change. The node's options
// are the new ones already. On error the driver is as it was.
type reopener interface {
	reopen(child *Node) error
}

// change gives the node other options and another child, or leaves all as it is.
func (n *Node) change(o Options, child *Node) error {
	was, wasReadOnly, length := n.opts, n.readOnly, n.Length()
	n.opts = o
	n.readOnly = o.ReadOnly || child != nil && child.readOnly && child != n.File()
	restore := func() { n.opts, n.readOnly = was, wasReadOnly }
	if err := n.checkUsers(); err != nil {
		restore()
		return err
	}
	if d, ok := n.drv.(reopener); ok {
		if err := n.changeDriver(d, child); err != nil {
			restore()
			return err
		}
	}
	n.inherit(o)
	if err := n.settle(); err != nil {
		return err
	}
	if n.Length() != length {
		n.tellResized()
	}
	return nil
}

// inherit passes read-only on to a child that was made for the node.
func (n *Node) inherit(o Options) {
	if child := n.File(); child != nil && !child.owned && len(child.users) == 1 {
		child.readOnly = o.ReadOnly || child.opts.ReadOnly && child.openedReadOnly
	}
}

// checkUsers refuses a read-only node with users that write.
func (n *Node) checkUsers() error {
	for _, u := range n.users {
		if n.readOnly && u.need&(Write|WriteUnchanged) != 0 {
			return qerr.New("Read-only block node '%s' cannot support read-write users", n.Name())
		}
	}
	return nil
}

func (n *Node) changeDriver(d reopener, child *Node) error {
	old := n.children[0]
	if child != old.node {
		u := &use{node: child, desc: old.desc, role: old.role, need: old.need, share: old.share, parent: n}
		if err := u.attach(); err != nil {
			return err
		}
		n.children[0] = u
	}
	if err := d.reopen(child); err != nil {
		if child != old.node {
			n.children[0].drop()
			n.children[0] = old
		}
		return err
	}
	if child != old.node {
		old.drop()
	}
	return nil
}

// reopen implements [reopener].
func (d *throttled) reopen(child *Node) error {
	group := d.n.graph.groups.Lookup(d.n.opts.ThrottleGroup)
	if group == nil {
		return noGroup(d.n.opts.ThrottleGroup)
	}
	d.file = child
	if group != d.member.Group() {
		d.member.Leave()
		group.Join(d.member)
	}
	return nil
}

// reopen implements [reopener].
func (d *raw) reopen(child *Node) error {
	o := d.n.opts
	if err := checkSlice(&o, child.Length()); err != nil {
		return err
	}
	d.file, d.offset, d.size = child, o.Offset, o.Size
	return nil
}
