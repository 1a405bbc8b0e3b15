package qcow2

import (
	"encoding/binary"
	"syscall"

	"github.com/backplane-vm/backplane/coro"
	"github.com/backplane-vm/backplane/qapi/qerr"
)

func be32(v uint32) []byte { return binary.BigEndian.AppendUint32(nil, v) }
func be64(v uint64) []byte { return binary.BigEndian.AppendUint64(nil, v) }

// Truncate makes the disk size bytes long. What is added reads as zeroes; the
// place of what is cut off is given back, and the file ends where the image
// does. No other request is in flight. The header is changed by one write, so
// that the disk has the old size or the new one; on an error from then on it
// has the new one.
func (im *Image) Truncate(co *coro.Co, size int64) error {
	im.lock.Lock(co)
	defer im.lock.Unlock(co)
	switch {
	case size&(sectorSize-1) != 0:
		return qerr.New("The new size must be a multiple of %d", sectorSize)
	case im.readOnly:
		return qerr.New("Image is read-only")
	case im.broken:
		return qerr.New("qcow2: Image is corrupt; it cannot be resized")
	}
	if err := im.writeBack(co); err != nil {
		return describe("Failed to flush the image", err)
	}
	old := im.Length()
	if size >= old {
		if err := im.grow(co, old, size); err != nil {
			return err
		}
	} else if err := im.survey(co, im.clusters(size)); err != nil {
		return describe("Failed to discard cropped clusters", err)
	}
	if err := im.writeHeader(co, offSize, uint64(size), 8); err != nil {
		return describe("Failed to update the image size", err)
	}
	im.h.size = uint64(size)
	if size < old {
		return im.shrink(co, size)
	}
	if err := im.writeBack(co); err != nil {
		return describe("Failed to flush the image", err)
	}
	return nil
}

// clusters returns how many clusters hold n bytes.
func (im *Image) clusters(n int64) int64 { return (n + im.size - 1) >> im.h.clusterBits }

// grow makes room in the L1 table and zeroes what comes into view of the last
// cluster.
func (im *Image) grow(co *coro.Co, old, size int64) error {
	if err := im.growL1(co, l1Entries(uint64(size), im.h.clusterBits)); err != nil {
		return describe("Failed to grow the L1 table", err)
	}
	tail := (im.size - old&(im.size-1)) & (im.size - 1)
	if tail == 0 {
		return nil
	}
	i, j := im.place(old >> im.h.clusterBits)
	t, err := im.l2(co, i)
	if t == nil || err != nil {
		return err
	}
	if k, host := classify(t.entry(j)); k == normal {
		if err := im.protect(co, host, im.size, true); err != nil {
			return err
		}
		if err := im.writeFile(co, make([]byte, tail), host+im.size-tail); err != nil {
			return describe("Failed to zero the end of the image", err)
		}
	}
	return nil
}

// growL1 moves the L1 table to where it has room for n entries.
func (im *Image) growL1(co *coro.Co, n uint64) error {
	if n <= uint64(len(im.l1)) {
		return nil
	}
	if n > maxL1/entrySize {
		return syscall.EFBIG
	}
	oldOff, oldBytes := int64(im.h.l1Offset), int64(len(im.l1))*entrySize
	clusters := im.clusters(int64(n) * entrySize)
	off, err := im.allocateRegion(co, clusters)
	if err != nil {
		return err
	}
	l1 := append(append(make([]uint64, 0, n), im.l1...), make([]uint64, n-uint64(len(im.l1)))...)
	if err = im.writeBack(co); err == nil {
		padded := make([]byte, clusters<<im.h.clusterBits)
		copy(padded, encode(l1))
		err = im.writeFile(co, padded, off)
	}
	if err == nil {
		err = im.writeHeaderBytes(co, offL1, append(be32(uint32(n)), be64(uint64(off))...))
		im.broken = im.broken || err != nil // it may be the old table or the new one
	}
	if err != nil {
		if !im.broken {
			_ = im.releaseRegion(co, off, clusters<<im.h.clusterBits) // what stays counted is lost, no more
		}
		return err
	}
	im.l1, im.h.l1Size, im.h.l1Offset = l1, uint32(n), uint64(off)
	if oldBytes == 0 {
		return nil
	}
	return im.releaseRegion(co, oldOff, oldBytes)
}

// shrink gives back what lies behind the new end: first the entries that lead
// there go, on disk too, then the counts, then the end of the file.
func (im *Image) shrink(co *coro.Co, size int64) error {
	cut, err := im.unlink(co, im.clusters(size))
	if err == nil {
		err = im.writeBack(co)
	}
	if err == nil {
		err = im.flushFile(co)
	}
	for _, x := range cut {
		if err == nil {
			err = im.releaseRegion(co, x.first<<im.h.clusterBits, x.n<<im.h.clusterBits)
		}
	}
	if err != nil {
		return describe("Failed to discard cropped clusters", err)
	}
	if err := im.shrinkReftable(co); err != nil {
		return describe("Failed to discard unused refblocks", err)
	}
	return im.cutFile(co)
}

// extent is n clusters of the file from the first on.
type extent struct{ first, n int64 }

// join appends the cluster at off.
func (im *Image) join(all []extent, off int64) []extent {
	c := off >> im.h.clusterBits
	if n := len(all); n > 0 && all[n-1].first+all[n-1].n == c {
		all[n-1].n++
		return all
	}
	return append(all, extent{c, 1})
}

// eachBehind calls f for the L2 tables that have entries of clusters from first
// on, and the index of the first of those.
func (im *Image) eachBehind(co *coro.Co, first int64, f func(i int, t *table, j int) error) error {
	i, j := im.place(first)
	for ; i < len(im.l1); i, j = i+1, 0 {
		t, err := im.l2(co, i)
		if err == nil && t != nil {
			err = im.sole(co, im.l1[i], t.off)
		}
		if err == nil && t != nil {
			t, err = im.l2(co, i) // counting may have taken its place
		}
		if err == nil && t != nil {
			err = f(i, t, j)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// survey looks for what stands in the way of a new end before anything is
// changed for it.
func (im *Image) survey(co *coro.Co, first int64) error {
	return im.eachBehind(co, first, func(i int, t *table, j int) error {
		for ; j < 1<<im.l2Bits; j++ {
			e := t.entry(j)
			if err := im.checkEntry(co, e, int64(i)<<im.l2Bits+int64(j)); err != nil {
				return err
			}
			if k, _ := classify(e); k == packed {
				return syscall.ENOTSUP
			}
		}
		return nil
	})
}

// unlink clears the entries of all clusters from first on and returns what in
// the file they referred to, tables included.
func (im *Image) unlink(co *coro.Co, first int64) (cut []extent, err error) {
	err = im.eachBehind(co, first, func(i int, t *table, j int) error {
		whole := j == 0
		for ; j < 1<<im.l2Bits; j++ {
			if _, host := classify(t.entry(j)); host != 0 {
				cut = im.join(cut, host)
			}
			if t.entry(j) != 0 {
				t.setEntry(j, 0)
			}
		}
		if whole {
			cut = im.join(cut, t.off)
			im.l1[i] = 0
			im.l1Dirty[i] = true
			t.dirty = false // nobody will read it
		}
		return nil
	})
	return cut, err
}

// shrinkReftable gives back refcount blocks that count nothing but, maybe,
// themselves.
func (im *Image) shrinkReftable(co *coro.Co) error {
	var unused []int64
	for b := int64(len(im.reftable)) - 1; b > 0; b-- {
		t, _, err := im.block(co, b<<im.rbBits)
		if err != nil {
			return err
		}
		if t == nil {
			continue
		}
		own := t.off >> im.h.clusterBits
		if !im.countsNothingBut(t, b, own) {
			continue
		}
		unused = append(unused, own)
		if own>>im.rbBits == b {
			t.setCount(own&(1<<im.rbBits-1), im.h.refcountOrder, 0)
			unused = unused[:len(unused)-1] // its count goes with it
		}
		t.dirty = false
		im.cache.drop(t.off)
		im.setBlock(b, 0)
		im.free = min(im.free, own)
	}
	if err := im.writeBack(co); err != nil {
		return err
	}
	if err := im.flushFile(co); err != nil {
		return err
	}
	for _, c := range unused {
		if err := im.release(co, c); err != nil {
			return err
		}
	}
	return im.writeBack(co)
}

// countsNothingBut reports whether refcount block b counts no cluster but own.
func (im *Image) countsNothingBut(t *table, b, own int64) bool {
	for i := range int64(1) << im.rbBits {
		if t.count(i, im.h.refcountOrder) != 0 && b<<im.rbBits+i != own {
			return false
		}
	}
	return true
}

// cutFile ends the file behind the last cluster that is used.
func (im *Image) cutFile(co *coro.Co) error {
	last := min((im.file.Length()-1)>>im.h.clusterBits, int64(len(im.reftable))<<im.rbBits-1)
	for ; last > 0; last-- {
		t, i, err := im.block(co, last)
		if err != nil {
			return err
		}
		if t == nil {
			last -= i // none of that block's is used
		} else if t.count(i, im.h.refcountOrder) != 0 {
			break
		}
	}
	im.end = last + 1
	end := (last + 1) << im.h.clusterBits
	if end >= im.file.Length() {
		return nil
	}
	_ = im.file.Truncate(co, end) // a tail that stays is a waste of space, no more
	return nil
}
