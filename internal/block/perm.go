package block

import (
	"strings"

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

// settle tells the driver and the children what the node's users need now.
func (n *Node) settle() error {
	need, share := Perm(0), AllPerms
	for _, u := range n.users {
		need |= u.need
		share &= u.share
	}
	childNeed, childShare := need, share
	if f, ok := n.drv.(format); ok {
		childNeed, childShare = f.childPermissions(need, share)
	}
	for _, c := range n.children {
		if err := c.require(childNeed, childShare); err != nil {
			return err
		}
	}
	return n.drv.setPermissions(need, share)
}
