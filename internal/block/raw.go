package block

import (
	"math"
	"syscall"

	"github.com/backplane-vm/backplane/coro"
	"github.com/backplane-vm/backplane/qapi/qerr"
)

// raw is the format driver that passes its child through, or a slice of it.
type raw struct {
	n      *Node
	file   *Node
	offset int64
	size   int64 // 0: to the end of the child
}

func (n *Node) openRaw(co *coro.Co) (driver, error) {
	child, err := n.adopt(co)
	if err != nil {
		return nil, err
	}
	o := &n.opts
	if err := checkSlice(o, child.Length()); err != nil {
		child.dropUnused()
		return nil, err
	}
	d := &raw{n: n, file: child, offset: o.Offset, size: o.Size}
	need, share := d.childPermissions(0, AllPerms)
	return d, n.nurse(child, need, share)
}

// checkSlice refuses a slice that is not in a child of some length.
func checkSlice(o *Options, length int64) error {
	switch {
	case o.Offset < 0 || o.Size < 0 || o.Offset > length:
		return qerr.New("Offset (%d) cannot be greater than size of the containing file (%d)", o.Offset, length)
	case o.Size > length-o.Offset:
		return qerr.New("The sum of offset (%d) and size (%d) has to be smaller or equal to the  actual size of the containing file (%d)",
			o.Offset, o.Size, length)
	case o.Size%SectorSize != 0:
		return qerr.New("Specified size is not multiple of %d", SectorSize)
	}
	return nil
}

// childPermissions implements [format]: a slice stands on a child of fixed
// size.
func (d *raw) childPermissions(need, share Perm) (Perm, Perm) {
	if d.offset != 0 || d.size != 0 {
		share &^= Resize
	}
	return need, share
}

func (d *raw) length() int64 {
	if d.size > 0 {
		return d.size
	}
	return max(d.file.Length()-d.offset, 0)
}

func (d *raw) read(co *coro.Co, p []byte, off int64) error {
	return d.file.ReadAt(co, p, off+d.offset)
}

func (d *raw) write(co *coro.Co, p []byte, off int64) error {
	if d.size > 0 && int64(len(p)) > d.size-off {
		return syscall.ENOSPC
	}
	return d.file.WriteAt(co, p, off+d.offset)
}

func (d *raw) truncate(co *coro.Co, size int64) error {
	switch {
	case d.size > 0:
		return qerr.New("Cannot resize fixed-size raw disks")
	case size > math.MaxInt64-d.offset:
		return qerr.New("Disk size too large for the chosen offset")
	}
	return d.file.Truncate(co, size+d.offset)
}

func (d *raw) flush(co *coro.Co) error        { return d.file.Flush(co) }
func (d *raw) setPermissions(_, _ Perm) error { return nil }
func (d *raw) close()                         {}
