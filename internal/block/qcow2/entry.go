package qcow2

import (
	"encoding/binary"
	"math"

	"github.com/backplane-vm/backplane/coro"
)

// Bits of L1 and L2 entries.
const (
	copied     = 1 << 63 // what is referred to is counted once
	compressed = 1 << 62
	zeroFlag   = 1 << 0 // L2: reads as zeroes, whatever is there

	offsetMask   = 1<<56 - 1<<9 // of L1 and L2 entries
	reftableMask = math.MaxUint64 - (1<<9 - 1)

	// maxOffset bounds where clusters are put: entries can say no more.
	maxOffset = 1<<55 - 1
)

// kind is what an L2 entry says of a cluster.
type kind uint8

const (
	unallocated   kind = iota
	zeroes             // says that it has no data, and has no place
	zeroAllocated      // likewise, and has one
	normal
	packed // compressed
)

// classify returns the entry's kind, and where the cluster is.
func classify(e uint64) (kind, int64) {
	off := int64(e & offsetMask)
	switch {
	case e&compressed != 0:
		return packed, 0
	case e&zeroFlag != 0 && off != 0:
		return zeroAllocated, off
	case e&zeroFlag != 0:
		return zeroes, 0
	case off != 0:
		return normal, off
	}
	return unallocated, 0
}

func decode(p []byte) []uint64 {
	t := make([]uint64, len(p)/entrySize)
	for i := range t {
		t[i] = binary.BigEndian.Uint64(p[i*entrySize:])
	}
	return t
}

func encode(t []uint64) []byte {
	p := make([]byte, 0, len(t)*entrySize)
	for _, e := range t {
		p = binary.BigEndian.AppendUint64(p, e)
	}
	return p
}

func (t *table) entry(i int) uint64 { return binary.BigEndian.Uint64(t.data[i*entrySize:]) }

func (t *table) setEntry(i int, e uint64) {
	binary.BigEndian.PutUint64(t.data[i*entrySize:], e)
	t.dirty = true
}

// place splits a cluster's index on the disk into those of its entries.
func (im *Image) place(cluster int64) (l1, l2 int) {
	return int(cluster >> im.l2Bits), int(cluster & (1<<im.l2Bits - 1))
}

// l2 returns the L2 table of an L1 entry, nil if there is none.
func (im *Image) l2(co *coro.Co, i int) (*table, error) {
	off := int64(im.l1[i] & offsetMask)
	switch {
	case off == 0:
		return nil, nil
	case off&(im.size-1) != 0:
		return nil, im.corrupt(co, "qcow2: Marking image as corrupt: L2 table offset %#x unaligned (L1 index: %#x)", off, i)
	}
	return im.load(co, off, kindL2)
}

// checkEntry asserts what must be true of an L2 entry, whatever it is for.
func (im *Image) checkEntry(co *coro.Co, e uint64, cluster int64) error {
	k, off := classify(e)
	switch {
	case (k == zeroes || k == zeroAllocated) && im.h.version < 3:
		return im.corrupt(co, "qcow2: Marking image as corrupt: Zero cluster entry found in pre-v3 image (guest cluster: %#x)", cluster)
	case off&(im.size-1) != 0:
		return im.corrupt(co, "qcow2: Marking image as corrupt: Cluster allocation offset %#x unaligned (guest cluster: %#x)", off, cluster)
	}
	return nil
}

// metadata names what of the image's own lies in the n bytes at off, "" for
// nothing. L2 tables count if the caller wants.
func (im *Image) metadata(off, n int64, l2s bool) string {
	inside := func(at, size int64) bool { return at < off+n && off < at+size }
	switch {
	case inside(0, im.size):
		return "qcow2_header"
	case inside(int64(im.h.l1Offset), int64(len(im.l1))*entrySize):
		return "active L1 table"
	case inside(int64(im.h.reftableOffset), int64(len(im.reftable))*entrySize):
		return "refcount table"
	}
	for _, e := range im.reftable[:im.lastRef] {
		if at := int64(e & reftableMask); at != 0 && inside(at, im.size) {
			return "refcount block"
		}
	}
	if l2s {
		for _, e := range im.l1 {
			if at := int64(e & offsetMask); at != 0 && inside(at, im.size) {
				return "active L2 table"
			}
		}
	}
	return ""
}

// protect refuses to write where metadata is.
func (im *Image) protect(co *coro.Co, off, n int64, l2s bool) error {
	if what := im.metadata(off, n, l2s); what != "" {
		return im.corrupt(co, "qcow2: Marking image as corrupt: Preventing invalid write on metadata (overlaps with %s)", what)
	}
	return nil
}
