package block

import (
	"slices"
	"strings"

	"github.com/backplane-vm/backplane/coro"
	"github.com/backplane-vm/backplane/qapi/qerr"
)

// Perm is a set of things that a user may want to do with a node.
type Perm uint8

// The permissions, with QEMU's bit numbers (they are also lock offsets in
// image files).
const (
	ConsistentRead Perm = 1 << iota
	Write
	WriteUnchanged
	Resize

	permBits = iota
	// AllPerms is every permission.
	AllPerms Perm = 1<<permBits - 1
)

var permNames = [permBits]string{"consistent read", "write", "write unchanged", "resize"}

// String lists the permissions in QEMU's words.
func (p Perm) String() string {
	var names []string
	for i, name := range permNames {
		if p&(1<<i) != 0 {
			names = append(names, name)
		}
	}
	return strings.Join(names, ", ")
}

// use is one user of a node: another node or a backend.
type use struct {
	node  *Node
	desc  string // "block device 'x'" or "node 'x'"
	role  string // "root" or "file"
	need  Perm
	share Perm
	owner *Backend // set if it is one
}

// attach adds u to its node's users and settles permissions down the graph,
// or changes nothing.
func (u *use) attach() error {
	n := u.node
	if u.need&(Write|Resize) != 0 && n.readOnly {
		return qerr.New("Block node is read-only")
	}
	for _, other := range n.users {
		if err := conflict(u, other); err != nil {
			return err
		}
	}
	n.users = append(n.users, u)
	if err := n.settle(); err != nil {
		u.drop()
		return err
	}
	return nil
}

// conflict reports what one user needs and another does not share.
func conflict(newer, older *use) error {
	needs, denies := older, newer
	bad := older.need &^ newer.share
	if bad == 0 {
		needs, denies = newer, older
		bad = newer.need &^ older.share
	}
	if bad == 0 {
		return nil
	}
	name := newer.node.Name()
	return qerr.New("Permission conflict on node '%s': permissions '%v' are both required by %s "+
		"(uses node '%s' as '%s' child) and unshared by %s (uses node '%s' as '%s' child).",
		name, bad, needs.desc, name, needs.role, denies.desc, name, denies.role)
}

// drop takes u off its node. Needing less cannot fail.
func (u *use) drop() {
	n := u.node
	n.users = slices.DeleteFunc(n.users, func(have *use) bool { return have == u })
	_ = n.settle() // only ever loosens; a failed unlock ends with the file
}

// settle tells the driver and the children what the node's users need now.
func (n *Node) settle() error {
	need, share := Perm(0), AllPerms
	for _, u := range n.users {
		need |= u.need
		share &= u.share
	}
	for _, c := range n.children {
		wasNeed, wasShare := c.need, c.share
		c.need, c.share = need, share
		err := error(nil)
		for _, other := range c.node.users {
			if other != c && err == nil {
				err = conflict(c, other)
			}
		}
		if err == nil {
			err = c.node.settle()
		}
		if err != nil {
			c.need, c.share = wasNeed, wasShare
			return err
		}
	}
	return n.drv.setPermissions(need, share)
}

// A Backend is a device's (or an export's) handle on a node: QEMU's
// BlockBackend. It is used under the BQL; its requests yield.
type Backend struct {
	use  use
	path string
	open bool
}

// Attach makes a backend on node for the device with the given QOM path. It
// keeps the node from being deleted and does not restrict anybody; what the
// device will do it says with [Backend.Claim].
func (g *Graph) Attach(node *Node, path string) (*Backend, error) {
	b := &Backend{path: path, open: true}
	b.use = use{node: node, desc: "block device '" + path + "'", role: "root", share: AllPerms, owner: b}
	if err := b.use.attach(); err != nil {
		return nil, err
	}
	return b, nil
}

// Claim states that the device reads and, unless the node or readOnly forbids
// it, writes, and that others may write at the same time only if shareRW is
// set. On error nothing has changed.
func (b *Backend) Claim(readOnly, shareRW bool) error {
	u := use{
		node: b.use.node, desc: b.use.desc, role: b.use.role, owner: b,
		need: ConsistentRead, share: ConsistentRead | WriteUnchanged | Resize,
	}
	if !readOnly && !b.use.node.readOnly {
		u.need |= Write
	}
	if shareRW {
		u.share |= Write
	}
	was := b.use
	b.use.drop()
	b.use = u
	if err := b.use.attach(); err != nil {
		b.use = was
		_ = b.use.attach() // what was allowed before is allowed again
		return err
	}
	return nil
}

// Node returns what the backend is attached to.
func (b *Backend) Node() *Node { return b.use.node }

// Path returns the QOM path of the device that the backend belongs to.
func (b *Backend) Path() string { return b.path }

// Close gives the node back. None of the backend's requests is in flight.
// Closing again does nothing.
func (b *Backend) Close() {
	if b.open {
		b.open = false
		b.use.drop()
	}
}

// Backends returns the backends of all nodes, in order of the nodes.
func (g *Graph) Backends() []*Backend {
	var all []*Backend
	for _, n := range g.order {
		for _, u := range n.users {
			if u.owner != nil {
				all = append(all, u.owner)
			}
		}
	}
	return all
}

// Sectors returns the capacity in units of SectorSize.
func (b *Backend) Sectors() uint64 { return uint64(b.use.node.Length() / SectorSize) }

// ReadOnly reports whether writes are refused.
func (b *Backend) ReadOnly() bool { return b.use.node.readOnly }

// ReadAt fills p from offset off, in bytes. It yields. Errors are errno
// values (syscall.Errno) or wrap one.
func (b *Backend) ReadAt(co *coro.Co, p []byte, off int64) error {
	return b.use.node.read(co, p, off)
}

// WriteAt writes p at offset off, in bytes. It yields.
func (b *Backend) WriteAt(co *coro.Co, p []byte, off int64) error {
	return b.use.node.write(co, p, off)
}

// Flush returns once what was written before is on stable storage. It yields.
func (b *Backend) Flush(co *coro.Co) error { return b.use.node.flush(co) }
