package vring

import "encoding/binary"

// A packed queue (virtio 1.2 §2.8) is one ring of descriptors, in which the
// driver writes what it offers and the device what it gives back. Two bits of a
// descriptor's flags say whose it is; what they mean turns around with every
// round of the ring. Beside the ring each side has a word that says when it
// wants to be told.
const (
	packedLen   = 8 // offsets in a descriptor
	packedID    = 12
	packedFlags = 14

	eventFlags   = 2 // offset behind the ring index
	eventDisable = 1
	eventAt      = 2 // when the other side comes to that index
	eventMask    = 3
	eventRound   = 1 << 15 // of the index: which round it is of
)

// offered says whether the driver has offered the descriptor at next.
func (q *Queue) offered() (bool, error) {
	if !q.Ready() {
		return false, q.state()
	}
	flags, err := q.load16(q.cfg.Desc + descSize*uint64(q.next) + packedFlags)
	return err == nil && flags&packedAvail != 0 == q.round && flags&packedUsed != 0 != q.round, err
}

// loadPacked reads a descriptor of a packed queue, whose buffer id stands where
// desc has next.
func (q *Queue) loadPacked(table uint64, i uint16) (desc, error) {
	d, err := q.loadDesc(table, i)
	d.flags, d.next = d.next, d.flags
	return d, err
}

// popPacked is Pop of a packed queue.
func (q *Queue) popPacked(e *Element) (bool, error) {
	if ok, err := q.offered(); !ok || err != nil {
		return false, err
	}
	e.reset(0)
	for i := q.next; ; {
		d, err := q.loadPacked(q.cfg.Desc, i)
		if err != nil {
			return false, err
		}
		e.slots++
		e.head = d.next
		if d.flags&descIndirect != 0 {
			err = q.gatherPacked(e, d)
		} else {
			err = q.addSegment(e, d)
		}
		if err != nil {
			return false, err
		}
		if d.flags&descNext == 0 {
			break
		}
		if e.slots == q.cfg.Size {
			return false, q.fail("descriptor chain at %d has no end", q.next)
		}
		if i++; i == q.cfg.Size {
			i = 0
		}
	}
	if q.next += e.slots; q.next >= q.cfg.Size {
		q.next -= q.cfg.Size
		q.round = !q.round
	}
	q.inFlight++
	return true, nil
}

// gatherPacked takes the descriptors of a table: all of them, in order.
func (q *Queue) gatherPacked(e *Element, d desc) error {
	n := d.length / descSize
	if !q.cfg.Indirect || e.slots != 1 || d.flags&descNext != 0 || d.length == 0 || d.length%descSize != 0 ||
		n > MaxSize || d.addr+uint64(d.length) < d.addr {
		return q.fail("indirect table of %d bytes at 0x%x is invalid", d.length, d.addr)
	}
	for i := range uint16(n) {
		inner, err := q.loadPacked(d.addr, i)
		if err == nil {
			err = q.addSegment(e, inner)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// pushPacked is Push of a packed queue. The flags come last: they give the
// descriptor back.
func (q *Queue) pushPacked(e *Element, written uint32) error {
	b := q.scratch[:packedFlags-packedLen]
	binary.LittleEndian.PutUint32(b, written)
	binary.LittleEndian.PutUint16(b[packedID-packedLen:], e.head)
	at := q.cfg.Desc + descSize*uint64(q.used)
	if err := q.mem.Write(at+packedLen, b); err != nil {
		return q.fail("descriptor at 0x%x: %w", at, err)
	}
	flags := uint16(0)
	if q.usedRound {
		flags = packedAvail | packedUsed
	}
	if q.used += e.slots; q.used >= q.cfg.Size {
		q.used -= q.cfg.Size
		q.usedRound = !q.usedRound
		q.toldValid = false
	}
	return q.store16(at+packedFlags, flags)
}

// shouldNotifyPacked is ShouldNotify of a packed queue.
func (q *Queue) shouldNotifyPacked() (bool, error) {
	index, err := q.load16(q.cfg.Avail)
	if err != nil {
		return false, err
	}
	flags, err := q.load16(q.cfg.Avail + eventFlags)
	if err != nil {
		return false, err
	}
	valid, old := q.toldValid, q.told
	q.told, q.toldValid = q.used, true
	switch flags & eventMask {
	case eventDisable:
		return false, nil
	case eventAt:
		event := index &^ eventRound
		if index&eventRound != 0 != q.usedRound {
			event -= q.cfg.Size
		}
		return !valid || q.used-event-1 < q.used-old, nil
	}
	return true, nil
}

// setNotifyPacked is SetNotify of a packed queue.
func (q *Queue) setNotifyPacked(on bool) error {
	flags := uint16(eventDisable)
	if on {
		flags = 0
		if q.cfg.EventIndex {
			flags = eventAt
			index := q.next
			if q.round {
				index |= eventRound
			}
			if err := q.store16(q.cfg.Used, index); err != nil {
				return err
			}
		}
	}
	return q.store16(q.cfg.Used+eventFlags, flags)
}
