// Package vring is the device's side of a virtqueue over guest memory, split
// (virtio 1.2 §2.7) or packed (§2.8).
//
// Purpose: a core that takes descriptor chains from a driver it does not trust
// and gives them back. Whatever the driver writes, an operation ends after a
// bounded number of steps, with an element or an error; an error marks the
// queue broken until Reset, for the device to say NEEDS_RESET. Goroutines:
// none. Locks: none; the owner serialises (device emulation runs under the
// BQL). Nothing blocks beyond what the Memory does, and Pop and Push do not
// allocate once an Element has grown to the size of its chains.
package vring

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// MaxSize is the largest queue, and the longest chain, of any device here: a
// chain's length is a guest's choice, and this bounds what one can cost.
const MaxSize = 1024

// Memory is the guest's memory as a device reaches it by DMA. Both methods
// transfer all of p or fail.
type Memory interface {
	Read(addr uint64, p []byte) error
	Write(addr uint64, p []byte) error
}

// Errors of a driver that breaks the protocol. They reach a log, never a guest.
var (
	ErrBroken = errors.New("virtqueue is broken until reset")
	ErrLayout = errors.New("virtqueue size or address is invalid")
)

// Layout of the rings (virtio 1.2 §2.7.5 to §2.7.8).
const (
	descSize = 16

	descNext     = 1
	descWrite    = 2
	descIndirect = 4

	ringFlags   = 0
	ringIndex   = 2
	ringEntries = 4

	availNoInterrupt = 1
	usedNoNotify     = 1
)

// Config is where the driver put a queue and what was negotiated for it.
type Config struct {
	Size              uint16 // entries, at most MaxSize; a power of two unless packed
	Desc, Avail, Used uint64 // guest addresses, aligned to 16, 2 and 4; 16, 4 and 4 if packed
	Negotiated
}

// Negotiated is which features of queues the driver accepted.
type Negotiated struct {
	EventIndex    bool // VIRTIO_F_EVENT_IDX
	Indirect      bool // VIRTIO_F_INDIRECT_DESC
	NotifyOnEmpty bool // VIRTIO_F_NOTIFY_ON_EMPTY
	Packed        bool // VIRTIO_F_RING_PACKED; not to be changed later
}

func (c Config) valid() bool {
	n := uint64(c.Size)
	if c.Packed {
		return n > 0 && n <= MaxSize && c.Desc%descSize == 0 && c.Avail%4 == 0 && c.Used%4 == 0 &&
			c.Desc+descSize*n > c.Desc
	}
	return n > 0 && n <= MaxSize && n&(n-1) == 0 &&
		c.Desc%descSize == 0 && c.Avail%2 == 0 && c.Used%4 == 0 &&
		c.Desc+descSize*n > c.Desc && c.Avail+2*n+6 > c.Avail && c.Used+8*n+6 > c.Used
}

// Queue is one virtqueue. Its zero value is not ready; Start makes it so.
type Queue struct {
	mem Memory
	cfg Config

	ready  bool
	broken error
	next   uint16 // available index to take next
	used   uint16 // used index to write next
	// round and usedRound say in which rounds of a packed ring next and used
	// are: true in the first, third, and so on.
	round, usedRound bool
	inFlight         int // popped and not pushed

	told      uint16 // used index when the driver was last notified
	toldValid bool

	scratch [descSize]byte // for ring words and descriptors, so that they do not escape
}

// Start makes the queue ready with what the driver configured.
func (q *Queue) Start(mem Memory, cfg Config) error {
	*q = Queue{mem: mem, cfg: cfg, round: true, usedRound: true}
	if !cfg.valid() {
		q.broken = ErrLayout
		return ErrLayout
	}
	q.ready = true
	return nil
}

// Negotiate changes the features of a queue that is ready, for drivers that
// write them late.
func (q *Queue) Negotiate(n Negotiated) { q.cfg.Negotiated = n }

// Reset forgets everything, also what is in flight: an element popped before
// must not be pushed after.
func (q *Queue) Reset() { *q = Queue{} }

// Ready says whether the queue was started and is not broken.
func (q *Queue) Ready() bool { return q.ready && q.broken == nil }

// InFlight is the number of elements popped and not pushed.
func (q *Queue) InFlight() int { return q.inFlight }

// fail marks the queue broken.
func (q *Queue) fail(format string, a ...any) error {
	if q.broken == nil {
		q.broken = fmt.Errorf(format, a...)
	}
	return q.broken
}

func (q *Queue) load16(addr uint64) (uint16, error) {
	b := q.scratch[:2]
	if err := q.mem.Read(addr, b); err != nil {
		return 0, q.fail("ring at 0x%x: %w", addr, err)
	}
	return binary.LittleEndian.Uint16(b), nil
}

func (q *Queue) store16(addr uint64, v uint16) error {
	b := q.scratch[:2]
	binary.LittleEndian.PutUint16(b, v)
	if err := q.mem.Write(addr, b); err != nil {
		return q.fail("ring at 0x%x: %w", addr, err)
	}
	return nil
}

// waiting is how many chains the driver has made available and are not taken.
func (q *Queue) waiting() (uint16, error) {
	if !q.Ready() {
		return 0, q.state()
	}
	idx, err := q.load16(q.cfg.Avail + ringIndex)
	if err != nil {
		return 0, err
	}
	n := idx - q.next
	if n > q.cfg.Size {
		return 0, q.fail("driver moved the available index from %d to %d", q.next, idx)
	}
	return n, nil
}

func (q *Queue) state() error {
	if q.broken != nil {
		return ErrBroken
	}
	return nil
}

// Empty says whether there is nothing to pop. A queue that is not ready is
// empty.
func (q *Queue) Empty() (bool, error) {
	if q.cfg.Packed {
		ok, err := q.offered()
		return !ok, err
	}
	n, err := q.waiting()
	return n == 0, err
}

// Pop takes the next chain into e, whose former contents are dropped. It
// returns false when there is none. The error of a broken chain breaks the
// queue.
func (q *Queue) Pop(e *Element) (bool, error) {
	if q.cfg.Packed {
		return q.popPacked(e)
	}
	n, err := q.waiting()
	if n == 0 || err != nil {
		return false, err
	}
	slot := uint64(q.next & (q.cfg.Size - 1))
	head, err := q.load16(q.cfg.Avail + ringEntries + 2*slot)
	if err != nil {
		return false, err
	}
	if head >= q.cfg.Size {
		return false, q.fail("driver made descriptor %d of %d available", head, q.cfg.Size)
	}
	e.reset(head)
	if err := q.gather(e, head); err != nil {
		return false, err
	}
	q.next++
	q.inFlight++
	return true, nil
}

// Push gives e back, saying that written bytes of its device-writable part were
// filled from its start.
func (q *Queue) Push(e *Element, written uint32) error {
	if !q.Ready() {
		return q.state()
	}
	if q.inFlight == 0 {
		panic("vring: an element was pushed that was not popped")
	}
	q.inFlight--
	if q.cfg.Packed {
		return q.pushPacked(e, written)
	}
	b := q.scratch[:8]
	binary.LittleEndian.PutUint32(b, uint32(e.head))
	binary.LittleEndian.PutUint32(b[4:], written)
	entry := q.cfg.Used + ringEntries + 8*uint64(q.used&(q.cfg.Size-1))
	if err := q.mem.Write(entry, b); err != nil {
		return q.fail("used ring at 0x%x: %w", entry, err)
	}
	q.used++
	if q.used == q.told {
		q.toldValid = false // a whole turn of the index: the old mark means nothing
	}
	return q.store16(q.cfg.Used+ringIndex, q.used)
}

// ShouldNotify says whether the driver wants to be interrupted for what was
// pushed since the last time it returned true (virtio 1.2 §2.7.7).
func (q *Queue) ShouldNotify() (bool, error) {
	if !q.Ready() {
		return false, q.state()
	}
	if q.cfg.NotifyOnEmpty && q.inFlight == 0 {
		if empty, err := q.Empty(); empty || err != nil {
			return empty, err
		}
	}
	if q.cfg.Packed {
		return q.shouldNotifyPacked()
	}
	if !q.cfg.EventIndex {
		flags, err := q.load16(q.cfg.Avail + ringFlags)
		return err == nil && flags&availNoInterrupt == 0, err
	}
	event, err := q.load16(q.cfg.Avail + ringEntries + 2*uint64(q.cfg.Size))
	if err != nil {
		return false, err
	}
	need := !q.toldValid || q.used-event-1 < q.used-q.told
	q.told, q.toldValid = q.used, true
	return need, nil
}

// SetNotify asks the driver to notify for new chains, or not to bother while
// the device is looking anyway (virtio 1.2 §2.7.10). After asking for it, look
// once more: a chain may have come before the driver saw it.
func (q *Queue) SetNotify(on bool) error {
	if !q.Ready() {
		return q.state()
	}
	if q.cfg.Packed {
		return q.setNotifyPacked(on)
	}
	if q.cfg.EventIndex {
		if !on {
			return nil // a mark that is behind asks for nothing
		}
		return q.store16(q.cfg.Used+ringEntries+8*uint64(q.cfg.Size), q.next)
	}
	flags := uint16(usedNoNotify)
	if on {
		flags = 0
	}
	return q.store16(q.cfg.Used+ringFlags, flags)
}
