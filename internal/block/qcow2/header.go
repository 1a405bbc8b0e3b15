package qcow2

import (
	"encoding/binary"
	"fmt"
	"math"
	"strings"

	"github.com/backplane-vm/backplane/coro"
	"github.com/backplane-vm/backplane/qapi/qerr"
)

// Sizes in bytes.
const (
	sectorSize = 512
	entrySize  = 8 // of L1, L2 and refcount tables

	lengthV2      = 72
	lengthV3      = 104
	headerMaximum = 112 // with all fields there are

	// What tables may take (QEMU's limits).
	maxL1       = 32 << 20
	maxReftable = 8 << 20

	minClusterBits = 9
	maxClusterBits = 21
)

// Offsets of header fields that change.
const (
	offSize         = 24
	offL1           = 36 // 4 bytes of size, 8 of offset
	offReftable     = 48 // 8 bytes of offset, 4 of size
	offIncompatible = 72
	offAutoclear    = 88
)

// Feature bits.
const (
	incompatDirty    = 1 << 0
	incompatCorrupt  = 1 << 1
	incompatDataFile = 1 << 2
	incompatKnown    = incompatDirty | incompatCorrupt | incompatDataFile

	compatLazyRefcounts = 1 << 0
	autoclearBitmaps    = 1 << 0
)

const (
	magic           = 'Q'<<24 | 'F'<<16 | 'I'<<8 | 0xfb
	extFeatureTable = 0x6803f857
)

// header is an image's header, without what only images have that are refused.
type header struct {
	version          uint32
	backingOffset    uint64
	clusterBits      uint
	size             uint64
	crypt            uint32
	l1Size           uint32 // entries
	l1Offset         uint64
	reftableOffset   uint64
	reftableClusters uint32
	snapshots        uint32
	incompatible     uint64
	compatible       uint64
	autoclear        uint64
	refcountOrder    uint
	length           uint32
}

// readHeader reads and checks the header. Its errors are in QEMU's words
// where QEMU refuses as well.
func readHeader(co *coro.Co, f File, o Options) (h header, err error) {
	p := make([]byte, headerMaximum)
	if err := f.ReadAt(co, p, 0); err != nil {
		return h, describe("Could not read qcow2 header", err)
	}
	if h, err = parseHeader(p); err != nil {
		return h, err
	}
	if unknown := h.incompatible &^ incompatKnown; unknown != 0 {
		p := make([]byte, 1<<h.clusterBits)
		if err := f.ReadAt(co, p, 0); err != nil {
			return h, describe("Could not read qcow2 header", err)
		}
		return h, qerr.New("Unsupported qcow2 feature(s): %s", featureNames(&h, p, unknown))
	}
	if err := h.check(o); err != nil {
		return h, err
	}
	return h, h.checkTables()
}

// parseHeader decodes the header and checks what the rest hangs on.
func parseHeader(p []byte) (h header, err error) {
	be := binary.BigEndian
	h = header{
		version: be.Uint32(p[4:]), backingOffset: be.Uint64(p[8:]), size: be.Uint64(p[offSize:]), crypt: be.Uint32(p[32:]),
		l1Size: be.Uint32(p[offL1:]), l1Offset: be.Uint64(p[offL1+4:]),
		reftableOffset: be.Uint64(p[offReftable:]), reftableClusters: be.Uint32(p[offReftable+8:]),
		snapshots: be.Uint32(p[60:]), refcountOrder: 4, length: lengthV2,
	}
	clusterBits := be.Uint32(p[20:])
	switch {
	case be.Uint32(p) != magic:
		return h, qerr.New("Image is not in qcow2 format")
	case h.version != 2 && h.version != 3:
		return h, qerr.New("Unsupported qcow2 version %d", h.version)
	case clusterBits < minClusterBits || clusterBits > maxClusterBits:
		return h, qerr.New("Unsupported cluster size: 2^%d", clusterBits)
	}
	h.clusterBits = uint(clusterBits)
	refcountOrder := uint32(4)
	if h.version == 3 {
		h.incompatible, h.compatible, h.autoclear = be.Uint64(p[offIncompatible:]), be.Uint64(p[80:]), be.Uint64(p[offAutoclear:])
		refcountOrder, h.length = be.Uint32(p[96:]), be.Uint32(p[100:])
	}
	switch size := uint32(1) << clusterBits; {
	case h.version == 3 && h.length < lengthV3:
		return h, qerr.New("qcow2 header too short")
	case h.length > size:
		return h, qerr.New("qcow2 header exceeds cluster size")
	case h.backingOffset > uint64(size):
		return h, qerr.New("Invalid backing file offset")
	case refcountOrder > 6 && h.incompatible&^incompatKnown == 0:
		return h, qerr.New("Reference count entry width too large; may not exceed 64 bits")
	}
	h.refcountOrder = uint(refcountOrder)
	return h, nil
}

// check refuses what the image needs and cannot have.
func (h *header) check(o Options) error {
	switch {
	case h.incompatible&incompatCorrupt != 0 && !o.ReadOnly:
		return qerr.New("qcow2: Image is corrupt; cannot be opened read/write")
	case h.crypt > 2:
		return qerr.New("Unsupported encryption method %d", h.crypt)
	case h.crypt != 0:
		return qerr.New("Encrypted images are not supported by this build")
	case h.incompatible&incompatDataFile != 0:
		return qerr.New("'data-file' is required for this image")
	case h.snapshots != 0:
		return qerr.New("Images with internal snapshots are not supported by this build")
	case h.backingOffset != 0 && !o.NoBacking:
		return qerr.New("Backing files are not supported by this build")
	case o.ReadOnly:
		return nil
	case h.incompatible&incompatDirty != 0:
		return qerr.New("Could not repair dirty image: repairs are not supported by this build")
	case h.autoclear&autoclearBitmaps != 0:
		return qerr.New("Writing to images with persistent bitmaps is not supported by this build")
	}
	return nil
}

func (h *header) checkTables() error {
	if h.reftableClusters == 0 {
		return qerr.New("Image does not contain a reference count table")
	}
	entries := uint64(h.reftableClusters) << (h.clusterBits - 3)
	if err := h.checkTable("Reference count table", h.reftableOffset, entries, maxReftable); err != nil {
		return err
	}
	if err := h.checkTable("Active L1 table", h.l1Offset, uint64(h.l1Size), maxL1); err != nil {
		return err
	}
	need := l1Entries(h.size, h.clusterBits)
	switch {
	case need > math.MaxInt32:
		return qerr.New("Image is too big")
	case uint64(h.l1Size) < need:
		return qerr.New("L1 table is too small")
	}
	return nil
}

func (h *header) checkTable(name string, off, entries, limit uint64) error {
	switch {
	case entries > limit/entrySize:
		return qerr.New("%s too large", name)
	case off > math.MaxInt64-entries*entrySize || off&(1<<h.clusterBits-1) != 0:
		return qerr.New("%s offset invalid", name)
	}
	return nil
}

// l1Entries returns how many L1 entries a disk of size bytes needs.
func l1Entries(size uint64, clusterBits uint) uint64 {
	shift := 2*clusterBits - 3
	n := size >> shift
	if size&(1<<shift-1) != 0 {
		n++
	}
	return n
}

// featureNames lists incompatible features, by the names that the image's own
// table gives them. p is the first cluster.
func featureNames(h *header, p []byte, features uint64) string {
	var names []string
	for _, f := range featureTable(h, p) {
		if bit := uint64(1) << (f.bit & 63); f.typ == 0 && f.bit < 64 && features&bit != 0 {
			names = append(names, f.name)
			features &^= bit
		}
	}
	if features != 0 {
		names = append(names, fmt.Sprintf("Unknown incompatible feature: %x", features))
	}
	return strings.Join(names, ", ")
}

type feature struct {
	typ, bit uint8
	name     string
}

// featureTable returns the entries of the header extension that names
// features, if there is one and it is whole.
func featureTable(h *header, p []byte) (all []feature) {
	end := uint64(len(p))
	if h.backingOffset != 0 {
		end = min(end, h.backingOffset)
	}
	for at := uint64(h.length); at+8 <= end; {
		typ, n := binary.BigEndian.Uint32(p[at:]), uint64(binary.BigEndian.Uint32(p[at+4:]))
		at += 8
		if typ == 0 || n > end-at {
			break
		}
		if typ == extFeatureTable {
			for e := p[at : at+n]; len(e) >= 48; e = e[48:] {
				name, _, _ := strings.Cut(string(e[2:48]), "\x00")
				all = append(all, feature{e[0], e[1], name})
			}
		}
		at += (n + 7) &^ 7
	}
	return all
}

// writeHeader changes n bytes of the header, 4 or 8, and has them on disk when
// it returns; what was written before is on disk before they are.
func (im *Image) writeHeader(co *coro.Co, off int64, v uint64, n int) error {
	var p [8]byte
	binary.BigEndian.PutUint64(p[:], v)
	return im.writeHeaderBytes(co, off, p[8-n:])
}

func (im *Image) writeHeaderBytes(co *coro.Co, off int64, p []byte) error {
	if err := im.flushFile(co); err != nil {
		return err
	}
	if err := im.writeFile(co, p, off); err != nil {
		return err
	}
	return im.flushFile(co)
}
