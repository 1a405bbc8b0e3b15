package qcow2

import (
	"encoding/binary"
	"math"
	"syscall"

	"github.com/backplane-vm/backplane/coro"
)

// scanLimit is how many counted clusters are passed in search of a free one
// before the search goes on at the end of the file: images that count far more
// clusters than they have must not keep the context busy.
const scanLimit = 1 << 20

// count returns entry i of a refcount block.
func (t *table) count(i int64, order uint) uint64 {
	switch order {
	case 3:
		return uint64(t.data[i])
	case 4:
		return uint64(binary.BigEndian.Uint16(t.data[2*i:]))
	case 5:
		return uint64(binary.BigEndian.Uint32(t.data[4*i:]))
	case 6:
		return binary.BigEndian.Uint64(t.data[8*i:])
	}
	bits := uint(1) << order // the first entry is in the low bits
	at := uint(i) << order
	return uint64(t.data[at/8]>>(at%8)) & (1<<bits - 1)
}

func (t *table) setCount(i int64, order uint, v uint64) {
	t.dirty = true
	switch order {
	case 3:
		t.data[i] = byte(v)
	case 4:
		binary.BigEndian.PutUint16(t.data[2*i:], uint16(v))
	case 5:
		binary.BigEndian.PutUint32(t.data[4*i:], uint32(v))
	case 6:
		binary.BigEndian.PutUint64(t.data[8*i:], v)
	default:
		bits, at := uint(1)<<order, uint(i)<<order
		mask := byte(1<<bits-1) << (at % 8)
		t.data[at/8] = t.data[at/8]&^mask | byte(v)<<(at%8)&mask
	}
}

// block returns the refcount block that counts a cluster, nil if there is
// none, so that it is free, and the cluster's entry in it.
func (im *Image) block(co *coro.Co, cluster int64) (t *table, i int64, err error) {
	b := cluster >> im.rbBits
	i = cluster & (1<<im.rbBits - 1)
	if b >= int64(len(im.reftable)) || im.reftable[b]&reftableMask == 0 {
		return nil, i, nil
	}
	off := im.reftable[b] & reftableMask
	if off&uint64(im.size-1) != 0 || off > math.MaxInt64-uint64(im.size) {
		return nil, i, im.corrupt(co, "qcow2: Marking image as corrupt: Refblock offset %#x unaligned (reftable index: %#x)", off, b)
	}
	t, err = im.load(co, int64(off), kindRefcounts)
	return t, i, err
}

// count returns how often a cluster is used.
func (im *Image) count(co *coro.Co, cluster int64) (uint64, error) {
	t, i, err := im.block(co, cluster)
	if t == nil || err != nil {
		return 0, err
	}
	return t.count(i, im.h.refcountOrder), nil
}

// take counts a free cluster, which has a refcount block, as used.
func (im *Image) take(co *coro.Co, cluster int64) error {
	t, i, err := im.block(co, cluster)
	if err != nil {
		return err
	}
	t.setCount(i, im.h.refcountOrder, 1)
	im.end = max(im.end, cluster+1)
	return nil
}

// release counts a use of a cluster less. What referred to it on disk does not
// any more.
func (im *Image) release(co *coro.Co, cluster int64) error {
	t, i, err := im.block(co, cluster)
	if err != nil {
		return err
	}
	var n uint64
	if t != nil {
		n = t.count(i, im.h.refcountOrder)
	}
	if n == 0 {
		return im.corrupt(co, "qcow2: Marking image as corrupt: cluster %#x is used and not counted", cluster)
	}
	t.setCount(i, im.h.refcountOrder, n-1)
	if n == 1 {
		im.free = min(im.free, cluster)
		im.cache.drop(cluster << im.h.clusterBits)
	}
	return nil
}

// releaseRegion releases the clusters of a table that lay at off.
func (im *Image) releaseRegion(co *coro.Co, off, bytes int64) error {
	first, last := off>>im.h.clusterBits, (off+bytes-1)>>im.h.clusterBits
	for c := first; c <= last; c++ {
		if err := im.release(co, c); err != nil {
			return err
		}
	}
	return nil
}

// sole asserts that a cluster that is about to be changed in place is used
// once; its entry may say so.
func (im *Image) sole(co *coro.Co, entry uint64, off int64) error {
	if entry&copied != 0 {
		return nil
	}
	n, err := im.count(co, off>>im.h.clusterBits)
	if err == nil && n != 1 {
		err = im.corrupt(co, "qcow2: Marking image as corrupt: the cluster at %#x is used %d times in an image without snapshots", off, n)
	}
	return err
}

// allocate gives out a cluster and returns its place in the file.
func (im *Image) allocate(co *coro.Co) (off int64, err error) {
	for passed := 0; ; {
		at := im.free
		if off, err = im.allocateAt(co, at); off != 0 || err != nil {
			return off, err
		}
		if im.free == at { // and nothing before it was given back
			im.free++
		}
		switch passed++; {
		case passed == scanLimit:
			im.free = max(im.free, im.endOfFile())
		case passed > 2*scanLimit:
			return 0, syscall.EFBIG
		}
	}
}

// allocateAt gives out one cluster, unless it is used: then it returns 0.
func (im *Image) allocateAt(co *coro.Co, cluster int64) (off int64, err error) {
	if cluster > maxOffset>>im.h.clusterBits {
		return 0, syscall.EFBIG
	}
	if err := im.addBlock(co, cluster>>im.rbBits); err != nil {
		return 0, err
	}
	n, err := im.count(co, cluster)
	if n != 0 || err != nil {
		return 0, err
	}
	off = cluster << im.h.clusterBits
	if err := im.protect(co, off, im.size, true); err != nil {
		return 0, err
	}
	if err := im.take(co, cluster); err != nil {
		return 0, err
	}
	if im.free == cluster {
		im.free++
	}
	return off, nil
}

// addBlock makes refcount block b if there is none. It lies in the first of
// the clusters that it counts.
func (im *Image) addBlock(co *coro.Co, b int64) error {
	if b >= int64(len(im.reftable)) {
		if err := im.growReftable(co, b+1); err != nil {
			return err
		}
	}
	if im.reftable[b]&reftableMask != 0 {
		return nil
	}
	first := b << im.rbBits
	off := first << im.h.clusterBits
	if err := im.protect(co, off, im.size, true); err != nil {
		return err
	}
	return im.linkBlock(co, b, off, first)
}

// linkBlock makes refcount block b at off and takes the cluster it is in.
func (im *Image) linkBlock(co *coro.Co, b, off, cluster int64) error {
	if _, err := im.create(co, off, kindRefcounts); err != nil {
		return err
	}
	im.setBlock(b, off)
	return im.take(co, cluster)
}

// setBlock enters where refcount block b is, 0 for nowhere.
func (im *Image) setBlock(b, off int64) {
	im.reftable[b] = uint64(off)
	im.refDirty[int(b)] = true
	im.lastRef = max(im.lastRef, int(b)+1)
}

// endOfFile returns the first cluster that the file does not reach and that
// was not given out.
func (im *Image) endOfFile() int64 {
	return max(im.clusters(im.file.Length()), im.end)
}
