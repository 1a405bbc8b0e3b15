package blk

import (
	"encoding/binary"

	"github.com/backplane-vm/backplane/coro"
	"github.com/backplane-vm/backplane/internal/virtio"
)

// maxInFlight bounds the coroutines and buffers that one guest device can cost
// its host, at what keeps a fast disk busy.
const maxInFlight = 64

// pieceSize is how much of a request is in the host's memory at a time.
const pieceSize = 128 << 10

// Request types and results (virtio 1.2 §5.2.6).
const (
	typeIn    = 0
	typeOut   = 1
	typeFlush = 4
	typeGetID = 8

	typeDiscard     = 11
	typeWriteZeroes = 13

	statusOK          = 0
	statusIOError     = 1
	statusUnsupported = 2

	headerSize = 16
	statusSize = 1
	idSize     = 20
)

// request is one request in flight. It is used again for others.
type request struct {
	virtio.Request
	queue  int
	typ    uint32
	sector uint64
	status uint8
	served bool // to its end, and not killed with its coroutine
	buf    []byte
}

// take returns an unused request.
func (d *Device) take() *request {
	if n := len(d.free); n > 0 {
		r := d.free[n-1]
		d.free = d.free[:n-1]
		return r
	}
	return new(request)
}

// HandleQueue implements virtio.Kind.
func (d *Device) HandleQueue(i int) {
	c := d.Core()
	if d.drained {
		d.stalled[i] = true
		return
	}
	for {
		c.Busy(i)
		for d.inFlight < maxInFlight {
			r := d.take()
			if !c.Pop(i, &r.Request) {
				d.free = append(d.free, r)
				break
			}
			d.start(r, i)
		}
		if d.inFlight >= maxInFlight {
			d.stalled[i] = true
			return
		}
		if c.Idle(i) {
			return
		}
	}
}

// start reads the header and has the request served. A chain that has no room
// for header and status breaks the device.
func (d *Device) start(r *request, queue int) {
	var header [headerSize]byte
	if r.InLen() < statusSize || r.Read(0, header[:]) < headerSize {
		d.Core().Break()
		r.Drop()
		d.free = append(d.free, r)
		return
	}
	r.queue, r.served = queue, false
	r.typ = binary.LittleEndian.Uint32(header[0:])
	r.sector = binary.LittleEndian.Uint64(header[8:])
	d.inFlight++
	d.Platform().Main.Spawn("virtio-blk request", func(co *coro.Co) {
		defer d.finish(r)
		r.status = d.serve(co, r)
		r.served = true
	})
}

// finish answers the request, and goes on with a queue that waited for it.
func (d *Device) finish(r *request) {
	if r.served {
		r.Write(r.InLen()-statusSize, []byte{r.status})
		r.Done(uint32(min(r.InLen(), 0xffffffff)))
	} else {
		r.Drop()
	}
	d.inFlight--
	d.free = append(d.free, r)
	d.unstall()
}

// unstall goes on with the queues that were left unread.
func (d *Device) unstall() {
	if d.drained {
		return
	}
	for i, waits := range d.stalled {
		if waits {
			d.stalled[i] = false
			d.Core().Notify(i)
		}
	}
}

// DrainedBegin implements block's DrainOps: the queues stay unread while the
// backend is in a drained section.
func (d *Device) DrainedBegin() { d.drained = true }

// DrainedPoll implements block's DrainOps. The backend knows of all requests.
func (d *Device) DrainedPoll() bool { return false }

// DrainedEnd implements block's DrainOps.
func (d *Device) DrainedEnd() {
	d.drained = false
	d.unstall()
}

// attempt does what the request asks for and returns its status, or the disk's
// error.
func (d *Device) attempt(co *coro.Co, r *request) (status uint8, err error) {
	switch r.typ {
	case typeIn:
		n := r.InLen() - statusSize
		if !d.inRange(r.sector, n) {
			return d.refuse(false), nil
		}
		err = d.move(co, r, false, n)
	case typeOut:
		n := r.OutLen() - headerSize
		if !d.inRange(r.sector, n) || d.disk.ReadOnly() {
			return d.refuse(true), nil
		}
		if err = d.move(co, r, true, n); err == nil {
			err = d.through(co)
		}
	case typeFlush:
		err = d.disk.Flush(co)
	case typeGetID:
		var id [idSize]byte
		copy(id[:], d.Serial)
		r.Write(0, id[:min(r.InLen()-statusSize, idSize)])
	case typeDiscard:
		return d.serveSegment(co, r, d.MaxDiscard, 0, d.discard)
	case typeWriteZeroes:
		return d.serveSegment(co, r, d.MaxZeroes, segmentUnmap, d.zero)
	default:
		return statusUnsupported, nil
	}
	return statusOK, err
}

// refuse is the answer to a request that makes no sense.
func (d *Device) refuse(write bool) uint8 {
	if c, ok := d.disk.(invalidCounter); ok && d.AccountInvalid != "off" {
		c.CountInvalid(write)
	}
	return statusIOError
}

// inRange says whether n bytes at a sector are whole blocks on the disk.
func (d *Device) inRange(sector, n uint64) bool {
	total := d.disk.Sectors()
	return n%d.LogicalBlock == 0 && sector%(d.LogicalBlock/sectorSize) == 0 &&
		sector <= total && n/sectorSize <= total-sector
}

// piece returns the request's buffer for n bytes at most.
func (r *request) piece(n uint64) []byte {
	n = min(n, pieceSize)
	if uint64(cap(r.buf)) < n {
		r.buf = make([]byte, n)
	}
	return r.buf[:n]
}

// move moves n bytes between disk and guest, as one request of the disk.
func (d *Device) move(co *coro.Co, r *request, write bool, n uint64) (err error) {
	began, err := d.disk.Begin(co, write, int64(r.sector*sectorSize), int64(n))
	if err != nil {
		return err
	}
	defer func() { d.disk.End(write, began, int64(n), err) }()
	if write {
		return d.write(co, r, n)
	}
	return d.read(co, r, n)
}

// read moves n bytes from the disk to the guest. It stops early when nobody
// waits for them any more.
func (d *Device) read(co *coro.Co, r *request, n uint64) error {
	for done := uint64(0); done < n && r.Live(); {
		p := r.piece(n - done)
		if err := d.disk.ReadPiece(co, p, int64(r.sector*sectorSize+done)); err != nil {
			return err
		}
		r.Write(done, p)
		done += uint64(len(p))
	}
	return nil
}

// write moves n bytes from the guest to the disk. When the guest is gone, what
// it had not handed over yet cannot be written.
func (d *Device) write(co *coro.Co, r *request, n uint64) error {
	for done := uint64(0); done < n; {
		p := r.piece(n - done)
		if r.Read(headerSize+done, p) < len(p) {
			return nil // not live: nobody hears of it
		}
		if err := d.disk.WritePiece(co, p, int64(r.sector*sectorSize+done)); err != nil {
			return err
		}
		done += uint64(len(p))
	}
	return nil
}
