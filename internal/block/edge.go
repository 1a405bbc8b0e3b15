package block

import (
	"slices"

	"github.com/backplane-vm/backplane/qapi/qerr"
)

// parent is who uses a node: a node above it or a backend.
type parent interface {
	drainBegin()
	drainBusy() bool
	drainEnd()
	resized()
}

// use is an edge of the graph: one user of a node.
type use struct {
	node    *Node
	desc    string // "block device 'x'" or "node 'x'"
	role    string // "root" or "file"
	need    Perm
	share   Perm
	parent  parent
	drained bool // the parent was told of the node's drained section
}

// attach adds u to its node's users and settles permissions down the graph,
// or changes nothing. A parent of a node in a drained section is told of it.
func (u *use) attach() error {
	n := u.node
	n.users = append(n.users, u)
	if err := u.require(u.need, u.share); err != nil {
		u.remove()
		_ = n.settle()
		return err
	}
	if n.quiesce > 0 {
		u.drainBegin()
	}
	return nil
}

// require changes what u needs and shares, or nothing.
func (u *use) require(need, share Perm) error {
	n := u.node
	if need&(Write|WriteUnchanged) != 0 && n.readOnly {
		return qerr.New("Block node is read-only")
	}
	wasNeed, wasShare := u.need, u.share
	u.need, u.share = need, share
	err := u.conflicts()
	if err == nil {
		err = n.settle()
	}
	if err != nil {
		u.need, u.share = wasNeed, wasShare
	}
	return err
}

func (u *use) conflicts() error {
	for _, other := range u.node.users {
		if other == u {
			continue
		}
		if err := conflict(u, other); err != nil {
			return err
		}
	}
	return nil
}

// drop takes u off its node; its parent's drained section, if there was one,
// ends. Needing less cannot fail.
func (u *use) drop() {
	u.remove()
	_ = u.node.settle() // only ever loosens; a failed unlock ends with the file
	u.drainEnd()
}

func (u *use) remove() {
	n := u.node
	n.users = slices.DeleteFunc(n.users, func(have *use) bool { return have == u })
}

func (u *use) drainBegin() {
	if !u.drained {
		u.drained = true
		u.parent.drainBegin()
	}
}

func (u *use) drainEnd() {
	if u.drained {
		u.drained = false
		u.parent.drainEnd()
	}
}

// Edge is one use of a node.
type Edge struct {
	Role        string // "root" or "file"
	Child       *Node
	Need, Share Perm
}

func (u *use) edge() Edge { return Edge{Role: u.role, Child: u.node, Need: u.need, Share: u.share} }

// Edge returns how the backend uses its medium; ok is false without one.
func (b *Backend) Edge() (e Edge, ok bool) {
	if b.use == nil {
		return Edge{}, false
	}
	return b.use.edge(), true
}

// Edges returns how the node uses others.
func (n *Node) Edges() []Edge {
	list := make([]Edge, 0, len(n.children))
	for _, c := range n.children {
		list = append(list, c.edge())
	}
	return list
}
