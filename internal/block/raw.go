package block

import (
	"github.com/backplane-vm/backplane/coro"
	"github.com/backplane-vm/backplane/qapi/qerr"
)

// raw is the format driver that passes its child through, or a slice of it.
type raw struct {
	file   *Node
	offset int64
	size   int64 // 0: to the end of the child
}

func (n *Node) openRaw() (driver, error) {
	o := &n.opts
	child, err := n.openChild(o)
	if err != nil {
		return nil, err
	}
	u := &use{node: child, desc: "node '" + n.Name() + "'", role: "file", share: AllPerms}
	undo := func(err error) (driver, error) {
		u.drop()
		if !child.owned && len(child.users) == 0 {
			child.remove()
		}
		return nil, err
	}
	switch length := child.Length(); {
	case o.Offset < 0 || o.Size < 0 || o.Offset > length:
		return undo(qerr.New("Offset (%d) cannot be greater than size of the containing file (%d)", o.Offset, length))
	case o.Size > length-o.Offset:
		return undo(qerr.New("The sum of offset (%d) and size (%d) has to be smaller or equal to the  actual size of the containing file (%d)",
			o.Offset, o.Size, length))
	case o.Size%SectorSize != 0:
		return undo(qerr.New("Specified size is not multiple of %d", SectorSize))
	}
	n.readOnly = n.readOnly || child.readOnly
	if err := u.attach(); err != nil {
		return undo(err)
	}
	n.children = append(n.children, u)
	return &raw{file: child, offset: o.Offset, size: o.Size}, nil
}

// openChild finds or makes the node that raw sits on. A child made here takes
// over read-only from its parent.
func (n *Node) openChild(o *Options) (*Node, error) {
	switch {
	case o.FileRef != "":
		child := n.graph.nodes[o.FileRef]
		if child == nil {
			return nil, qerr.New("Cannot find device='%s' nor node-name='%s'", o.FileRef, o.FileRef)
		}
		return child, nil
	case o.File == nil:
		return nil, qerr.New("A block device must be specified for \"file\"")
	}
	c := *o.File
	c.ReadOnly = c.ReadOnly || o.ReadOnly
	c.AutoReadOnly = c.AutoReadOnly || o.AutoReadOnly
	c.Direct = c.Direct || o.Direct
	c.NoFlush = c.NoFlush || o.NoFlush
	return n.graph.open(c)
}

func (d *raw) length() int64 {
	if d.size > 0 {
		return d.size
	}
	return d.file.Length() - d.offset
}

func (d *raw) read(co *coro.Co, p []byte, off int64) error  { return d.file.read(co, p, off+d.offset) }
func (d *raw) write(co *coro.Co, p []byte, off int64) error { return d.file.write(co, p, off+d.offset) }
func (d *raw) flush(co *coro.Co) error                      { return d.file.flush(co) }
func (d *raw) setPermissions(_, _ Perm) error               { return nil }
func (d *raw) close()                                       {}
