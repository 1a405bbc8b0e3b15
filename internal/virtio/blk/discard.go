package blk

import (
	"encoding/binary"

	"github.com/backplane-vm/backplane/coro"
)

// Discards and writes of zeroes carry one segment (virtio 1.2 §5.2.6): sector,
// number of sectors, flags.
const (
	segmentSize  = 16
	segmentUnmap = 1 // flag: the space may be given back
	segmentCount = 8
	segmentFlags = 12
)

// segment is the range that a discard or write of zeroes is about.
type segment struct {
	sector uint64
	count  uint32
	flags  uint32
}

// readSegment reads the segment. It is false for a request without one, which
// breaks the device.
func (d *Device) readSegment(r *request) (segment, bool) {
	var b [segmentSize]byte
	if r.Read(headerSize, b[:]) < segmentSize {
		d.Core().Break()
		return segment{}, false
	}
	le := binary.LittleEndian
	return segment{le.Uint64(b[:]), le.Uint32(b[segmentCount:]), le.Uint32(b[segmentFlags:])}, true
}

// serveSegment serves a discard or a write of zeroes, of at most limit sectors, and
// returns its status, or the disk's error.
func (d *Device) serveSegment(co *coro.Co, r *request, limit, flags uint32, do func(*coro.Co, *request, segment) error) (status uint8, err error) {
	if r.OutLen()-headerSize > segmentSize {
		return statusUnsupported, nil
	}
	s, ok := d.readSegment(r)
	switch {
	case !ok:
		return statusIOError, nil
	case s.count > limit || !d.inRange(s.sector, uint64(s.count)*sectorSize):
		return d.refuse(true), nil
	case s.flags&^flags != 0:
		return statusUnsupported, nil
	}
	return statusOK, do(co, r, s)
}

// zero fills a segment with zeroes, as one write of the disk.
func (d *Device) zero(co *coro.Co, r *request, s segment) (err error) {
	n, off := uint64(s.count)*sectorSize, int64(s.sector*sectorSize)
	began, err := d.disk.Begin(co, true, off, int64(n))
	if err != nil {
		return err
	}
	defer func() { d.disk.End(true, began, int64(n), err) }()
	p := r.piece(n)
	clear(p)
	for done := uint64(0); done < n; done += uint64(len(p)) {
		p = p[:min(uint64(len(p)), n-done)]
		if err := d.disk.WritePiece(co, p, off+int64(done)); err != nil {
			return err
		}
	}
	return d.through(co)
}

// discard lets go of a segment. Nodes are opened without discard=unmap, and then
// that is to do nothing.
func (d *Device) discard(*coro.Co, *request, segment) error { return nil }

// through has what was written reach stable storage if there is no cache.
func (d *Device) through(co *coro.Co) error {
	if d.cache {
		return nil
	}
	return d.disk.Flush(co)
}
