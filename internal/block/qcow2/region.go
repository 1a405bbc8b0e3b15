package qcow2

import (
	"syscall"

	"github.com/backplane-vm/backplane/coro"
)

// A region is clusters side by side, at the end of the file, for a table, with
// those that the refcount blocks need which count them.
type region struct {
	first  int64   // of the table's clusters
	n      int64   // their number
	blocks []int64 // refcount blocks to be made; they follow the table
}

// regionTries bounds how often clusters behind the end of the file are found to be
// counted, which they are in odd images only.
const regionTries = 1000

// layOut finds room for n clusters, without changing anything.
func (im *Image) layOut(co *coro.Co, n int64) (region, error) {
	first := im.endOfFile()
	for range regionTries {
		r := region{first: first, n: n}
		for {
			missing := im.missingBlocks(r.first, n+int64(len(r.blocks)))
			if len(missing) == len(r.blocks) {
				break
			}
			r.blocks = missing
		}
		used, err := im.lastUsed(co, r)
		if err != nil || used < 0 {
			return r, err
		}
		first = used + 1
	}
	return region{}, syscall.EFBIG
}

// clusters returns how many the run is long.
func (r *region) clusters() int64 { return r.n + int64(len(r.blocks)) }

// missingBlocks lists the refcount blocks that n clusters have yet to get.
func (im *Image) missingBlocks(first, n int64) (missing []int64) {
	for b := first >> im.rbBits; b <= (first+n-1)>>im.rbBits; b++ {
		if b >= int64(len(im.reftable)) || im.reftable[b]&reftableMask == 0 {
			missing = append(missing, b)
		}
	}
	return missing
}

// lastUsed returns the last cluster in the region that is counted already, -1 if
// none is.
func (im *Image) lastUsed(co *coro.Co, r region) (int64, error) {
	for c := r.first + r.clusters() - 1; c >= r.first; c-- {
		n, err := im.count(co, c)
		if err != nil {
			return -1, err
		}
		if n != 0 {
			return c, nil
		}
	}
	return -1, nil
}

// lastBlock returns the number of the last refcount block the region needs.
func (im *Image) lastBlock(r region) int64 { return (r.first + r.clusters() - 1) >> im.rbBits }

// takeRegion gives out the region. The table of counts has entries for it.
func (im *Image) takeRegion(co *coro.Co, r region) error {
	if (r.first+r.clusters())<<im.h.clusterBits > maxOffset {
		return syscall.EFBIG
	}
	for i, b := range r.blocks { // the block that counts it may follow
		off := (r.first + r.n + int64(i)) << im.h.clusterBits
		if _, err := im.create(co, off, kindRefcounts); err != nil {
			return err
		}
		im.setBlock(b, off)
	}
	for c := r.first; c < r.first+r.clusters(); c++ {
		if err := im.take(co, c); err != nil {
			return err
		}
	}
	return nil
}

// allocateRegion gives out n clusters side by side.
func (im *Image) allocateRegion(co *coro.Co, n int64) (off int64, err error) {
	r, err := im.layOut(co, n)
	if err != nil {
		return 0, err
	}
	if last := im.lastBlock(r); last >= int64(len(im.reftable)) {
		if err := im.growReftable(co, last+2); err != nil {
			return 0, err
		}
		if r, err = im.layOut(co, n); err != nil {
			return 0, err
		}
		if im.lastBlock(r) >= int64(len(im.reftable)) {
			return 0, syscall.EFBIG
		}
	}
	return r.first << im.h.clusterBits, im.takeRegion(co, r)
}

// growReftable moves the table of counts to where it has room for at least
// want entries, and half as many again. When it fails half-way the image takes
// no more changes; the file still has the old table.
func (im *Image) growReftable(co *coro.Co, want int64) error {
	if err := im.writeBack(co); err != nil {
		return err
	}
	perCluster := im.size / entrySize
	n := (want + want/2 + perCluster - 1) / perCluster
	for {
		n = min(n, maxReftable/im.size)
		r, err := im.layOut(co, n)
		if err != nil {
			return err
		}
		if need := max(im.lastBlock(r)+1, want); need > n*perCluster {
			if n == maxReftable/im.size {
				return syscall.EFBIG
			}
			n = (need + perCluster - 1) / perCluster
			continue
		}
		err = im.moveReftable(co, r, n*perCluster)
		im.broken = im.broken || err != nil
		return err
	}
}

func (im *Image) moveReftable(co *coro.Co, r region, entries int64) error {
	oldOff, oldBytes := int64(im.h.reftableOffset), int64(len(im.reftable))*entrySize
	im.reftable = append(im.reftable, make([]uint64, entries-int64(len(im.reftable)))...)
	im.moving = true // nothing but counts has changed: all was written back
	err := im.takeRegion(co, r)
	if err == nil {
		err = im.writeBack(co)
	}
	im.moving = false
	if err != nil {
		return err
	}
	clear(im.refDirty)
	off := r.first << im.h.clusterBits
	if err := im.writeFile(co, encode(im.reftable), off); err != nil {
		return err
	}
	header := be64(uint64(off))
	header = append(header, be32(uint32(r.n))...)
	if err := im.writeHeaderBytes(co, offReftable, header); err != nil {
		return err
	}
	im.h.reftableOffset, im.h.reftableClusters = uint64(off), uint32(r.n)
	return im.releaseRegion(co, oldOff, oldBytes)
}
