package vring

import "encoding/binary"

// Segment is a piece of guest memory.
type Segment struct {
	Addr uint64
	Len  uint32
}

// Element is one descriptor chain: first what the device may read, then what it
// may write. It belongs to whoever popped it, who may use it again for another
// Pop after Push.
type Element struct {
	head     uint16
	slots    uint16 // descriptors of a packed ring that it takes
	readable int    // how many of segs come first and are readable
	segs     []Segment
	outLen   uint64
	inLen    uint64
}

func (e *Element) reset(head uint16) {
	*e = Element{head: head, segs: e.segs[:0]}
}

// Head is the index of the chain's first descriptor, or the buffer id in a
// packed queue, which names the chain to the driver.
func (e *Element) Head() uint16 { return e.head }

// Name returns an element without buffers that stands for e in Push.
func (e *Element) Name() Element { return Element{head: e.head, slots: e.slots} }

// OutLen is how many bytes the driver wrote for the device.
func (e *Element) OutLen() uint64 { return e.outLen }

// InLen is how many bytes the device may fill.
func (e *Element) InLen() uint64 { return e.inLen }

// Read copies from the chain's device-readable bytes, beginning off bytes into
// them, and returns how many there were, at most len(p).
func (q *Queue) Read(e *Element, off uint64, p []byte) (int, error) {
	return q.copy(e.segs[:e.readable], off, p, q.mem.Read)
}

// Write copies into the chain's device-writable bytes, beginning off bytes into
// them, and returns how many fitted, at most len(p).
func (q *Queue) Write(e *Element, off uint64, p []byte) (int, error) {
	return q.copy(e.segs[e.readable:], off, p, q.mem.Write)
}

func (q *Queue) copy(segs []Segment, off uint64, p []byte, do func(uint64, []byte) error) (int, error) {
	done := 0
	for _, s := range segs {
		if done == len(p) {
			break
		}
		n := uint64(s.Len)
		if off >= n {
			off -= n
			continue
		}
		part := p[done:]
		if uint64(len(part)) > n-off {
			part = part[:n-off]
		}
		if err := do(s.Addr+off, part); err != nil {
			return done, q.fail("buffer at 0x%x: %w", s.Addr+off, err)
		}
		done += len(part)
		off = 0
	}
	return done, nil
}

// desc is a descriptor as it stands in memory.
type desc struct {
	addr        uint64
	length      uint32
	flags, next uint16
}

func (q *Queue) loadDesc(table uint64, i uint16) (desc, error) {
	b := q.scratch[:descSize]
	addr := table + descSize*uint64(i)
	if err := q.mem.Read(addr, b); err != nil {
		return desc{}, q.fail("descriptor at 0x%x: %w", addr, err)
	}
	return desc{
		addr:   binary.LittleEndian.Uint64(b),
		length: binary.LittleEndian.Uint32(b[8:]),
		flags:  binary.LittleEndian.Uint16(b[12:]),
		next:   binary.LittleEndian.Uint16(b[14:]),
	}, nil
}

// gather walks the chain at head into e, through an indirect table if the chain
// is one. The walk ends: a chain longer than its table must have a loop.
func (q *Queue) gather(e *Element, head uint16) error {
	table, size := q.cfg.Desc, q.cfg.Size
	d, err := q.loadDesc(table, head)
	if err != nil {
		return err
	}
	if d.flags&descIndirect != 0 {
		if !q.cfg.Indirect || d.flags&descNext != 0 || d.length == 0 || d.length%descSize != 0 ||
			d.length/descSize > MaxSize || d.addr+uint64(d.length) < d.addr {
			return q.fail("indirect table of %d bytes at 0x%x is invalid", d.length, d.addr)
		}
		table, size = d.addr, uint16(d.length/descSize)
		if d, err = q.loadDesc(table, 0); err != nil {
			return err
		}
	}
	for steps := uint16(1); ; steps++ {
		if err := q.addSegment(e, d); err != nil {
			return err
		}
		if d.flags&descNext == 0 {
			return nil
		}
		if d.next >= size || steps == size {
			return q.fail("descriptor chain at %d leads to %d after %d of %d", head, d.next, steps, size)
		}
		if d, err = q.loadDesc(table, d.next); err != nil {
			return err
		}
	}
}

func (q *Queue) addSegment(e *Element, d desc) error {
	if d.flags&descIndirect != 0 {
		return q.fail("indirect descriptor inside a chain")
	}
	if d.length == 0 || d.addr+uint64(d.length)-1 < d.addr {
		return q.fail("buffer of %d bytes at 0x%x is invalid", d.length, d.addr)
	}
	writable := d.flags&descWrite != 0
	if !writable && e.inLen > 0 {
		return q.fail("readable buffer behind a writable one")
	}
	e.segs = append(e.segs, Segment{d.addr, d.length})
	if writable {
		e.inLen += uint64(d.length)
	} else {
		e.readable++
		e.outLen += uint64(d.length)
	}
	return nil
}
