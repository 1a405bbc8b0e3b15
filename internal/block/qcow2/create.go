package qcow2

import (
	"encoding/binary"

	"github.com/backplane-vm/backplane/coro"
	"github.com/backplane-vm/backplane/qapi/qerr"
)

// newClusterBits is the cluster size of new images, 64 KiB as qemu-img's.
const newClusterBits = 16

// Create makes f, which is empty or reads as zeroes, an image of a disk of size
// bytes: version 3, without any data. It yields.
func Create(co *coro.Co, f File, size int64) error {
	const cluster = 1 << newClusterBits
	l1 := max(1, l1Entries(uint64(size), newClusterBits)) // check counts the table by its entries
	switch {
	case size < 0 || size%sectorSize != 0:
		return qerr.New("Image size must be a multiple of %d bytes", sectorSize)
	case l1 > maxL1/entrySize:
		return qerr.New("Image is too big")
	}
	// In this order: the header, the table of counts, their only block, L1.
	l1Clusters := (l1*entrySize + cluster - 1) >> newClusterBits
	p := make([]byte, 3*cluster)
	be := binary.BigEndian
	be.PutUint32(p, magic)
	be.PutUint32(p[4:], 3)
	be.PutUint32(p[20:], newClusterBits)
	be.PutUint64(p[offSize:], uint64(size))
	be.PutUint32(p[offL1:], uint32(l1))
	be.PutUint64(p[offL1+4:], 3*cluster)
	be.PutUint64(p[offReftable:], cluster)
	be.PutUint32(p[offReftable+8:], 1)
	be.PutUint32(p[96:], 4)
	be.PutUint32(p[100:], lengthV3)
	be.PutUint64(p[cluster:], 2*cluster)
	for i := range 3 + l1Clusters {
		be.PutUint16(p[2*cluster+2*i:], 1)
	}
	if err := f.Truncate(co, int64(3+l1Clusters)*cluster); err != nil {
		return err
	}
	if err := f.WriteAt(co, p, 0); err != nil {
		return err
	}
	return f.Flush(co)
}
