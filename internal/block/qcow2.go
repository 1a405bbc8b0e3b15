package block

import (
	"github.com/backplane-vm/backplane/coro"
	"github.com/backplane-vm/backplane/internal/block/qcow2"
)

// qcow2Format is the format driver over [qcow2.Image].
type qcow2Format struct {
	n     *Node
	image *qcow2.Image
}

func (n *Node) openQcow2(co *coro.Co) (driver, error) {
	child, err := n.adopt(co)
	if err != nil {
		return nil, err
	}
	d := &qcow2Format{n: n}
	need, share := d.childPermissions(0, AllPerms)
	if err := n.nurse(child, need, share); err != nil {
		return nil, err
	}
	err = n.graph.apart(co, "open "+n.Name(), func(own *coro.Co) error {
		image, err := qcow2.Open(own, child, qcow2.Options{ReadOnly: n.readOnly, NoBacking: n.opts.NoBacking})
		if err != nil {
			n.orphan()
		}
		d.image = image
		return err
	}, n.orphan)
	if err != nil {
		return nil, err
	}
	return d, nil
}

// childPermissions implements [format]: a format writes for itself, and nobody
// else must while it has the image open.
func (d *qcow2Format) childPermissions(need, share Perm) (Perm, Perm) {
	need |= ConsistentRead
	if !d.n.readOnly {
		need |= Write | Resize
	}
	return need, share &^ (Write | Resize)
}

func (d *qcow2Format) length() int64 { return d.image.Length() }

func (d *qcow2Format) read(co *coro.Co, p []byte, off int64) error {
	return d.image.ReadAt(co, p, off)
}

func (d *qcow2Format) write(co *coro.Co, p []byte, off int64) error {
	return d.image.WriteAt(co, p, off)
}

func (d *qcow2Format) flush(co *coro.Co) error { return d.image.Flush(co) }

func (d *qcow2Format) truncate(co *coro.Co, size int64) error { return d.image.Truncate(co, size) }

func (d *qcow2Format) setPermissions(_, _ Perm) error { return nil }

func (d *qcow2Format) close() {}

// FormatQcow2 makes the node's content an empty qcow2 image of a disk of size
// bytes. The node is empty, or reads as zeroes, and nobody uses it. It yields.
func (n *Node) FormatQcow2(co *coro.Co, size int64) error { return qcow2.Create(co, n, size) }

// Qcow2 returns what tools show of a qcow2 node's image; ok is false for other
// nodes.
func (n *Node) Qcow2() (info qcow2.Info, ok bool) {
	d, ok := n.drv.(*qcow2Format)
	if !ok {
		return info, false
	}
	return d.image.Info(), true
}
