package virtio

import "encoding/binary"

// The common configuration structure (virtio 1.2 §4.1.4.3), offsets.
const (
	regOfferSelect  = 0x00
	regOffered      = 0x04
	regAcceptSelect = 0x08
	regAccepted     = 0x0c
	regConfigVector = 0x10
	regNumQueues    = 0x12
	regStatus       = 0x14
	regGeneration   = 0x15
	regQueueSelect  = 0x16
	regQueueSize    = 0x18
	regQueueVector  = 0x1a
	regQueueEnable  = 0x1c
	regQueueOffset  = 0x1e
	regQueueDesc    = 0x20
	regQueueAvail   = 0x28
	regQueueUsed    = 0x30
	regQueueReset   = 0x3a
)

// half returns the low or high 32 bits of v.
func half(v uint64, sel uint32) uint32 {
	switch sel {
	case 0:
		return uint32(v)
	case 1:
		return uint32(v >> 32)
	}
	return 0
}

// selected is the queue that the queue registers show, or nil.
func (c *Core) selected() *Queue {
	if int(c.queueSelect) >= len(c.queues) {
		return nil
	}
	return &c.queues[c.queueSelect]
}

// ReadCommon reads the register at off of the common configuration. What is not
// a register, or not of that size, reads as zero.
func (c *Core) ReadCommon(off uint64, size uint) uint64 {
	switch off {
	case regOfferSelect:
		return uint64(c.offerSelect)
	case regOffered:
		return uint64(half(c.offered&^legacyFeatures, c.offerSelect))
	case regAcceptSelect:
		return uint64(c.acceptSelect)
	case regAccepted:
		return uint64(half(c.accepted, c.acceptSelect))
	case regConfigVector:
		return uint64(c.configVector)
	case regNumQueues:
		return uint64(len(c.queues))
	case regStatus:
		return uint64(c.status)
	case regGeneration:
		return uint64(c.generation)
	case regQueueSelect:
		return uint64(c.queueSelect)
	}
	switch q := c.selected(); {
	case q != nil:
		return q.read(off, c.queueSelect, size)
	case off == regQueueVector:
		return NoVector
	case off == regQueueOffset:
		return uint64(c.queueSelect)
	}
	return 0
}

func (q *Queue) read(off uint64, index uint16, size uint) uint64 {
	switch off {
	case regQueueSize:
		return uint64(q.size)
	case regQueueVector:
		return uint64(q.vector)
	case regQueueEnable:
		if q.enabled {
			return 1
		}
		return 0
	case regQueueOffset:
		return uint64(index)
	case regQueueReset:
		if q.waiting {
			return 1
		}
		return 0
	}
	if p, shift := q.address(off); p != nil {
		v := *p >> shift
		if size < 8 {
			v = uint64(uint32(v))
		}
		return v
	}
	return 0
}

// address returns the ring address register at off and how far the bits at off
// are up in it.
func (q *Queue) address(off uint64) (*uint64, uint) {
	switch off {
	case regQueueDesc, regQueueDesc + 4:
		return &q.desc, 8 * uint(off-regQueueDesc)
	case regQueueAvail, regQueueAvail + 4:
		return &q.avail, 8 * uint(off-regQueueAvail)
	case regQueueUsed, regQueueUsed + 4:
		return &q.used, 8 * uint(off-regQueueUsed)
	}
	return nil, 0
}

// WriteCommon writes the register at off of the common configuration. vectors is
// how many message vectors there are; one out of range becomes NoVector. While
// a reset is under way only another is heard.
func (c *Core) WriteCommon(off, v uint64, size uint, vectors int) {
	if off == regStatus {
		c.setStatus(uint8(v))
		return
	}
	if c.resetting || c.gone {
		return
	}
	vector := vectorOf(v, vectors)
	switch off {
	case regOfferSelect:
		c.offerSelect = uint32(v)
	case regAcceptSelect:
		c.acceptSelect = uint32(v)
	case regAccepted:
		c.accept(uint32(v))
	case regConfigVector:
		c.configVector = vector
	case regQueueSelect:
		if uint16(v) < MaxQueues {
			c.queueSelect = uint16(v)
		}
	case regQueueVector:
		if q := c.selected(); q != nil {
			q.vector = vector
		}
	case regQueueEnable:
		if q := c.selected(); q != nil && v == 1 {
			c.enable(q)
		}
	case regQueueReset:
		if q := c.selected(); q != nil && v == 1 && c.Has(FeatureQueueReset) {
			c.resetQueue(q)
		}
	default:
		if q := c.selected(); q != nil && !q.enabled {
			q.write(off, v, size)
		}
	}
}

// vectorOf is the vector that a driver's write of v stands for.
func vectorOf(v uint64, vectors int) uint16 {
	if int(uint16(v)) < vectors {
		return uint16(v)
	}
	return NoVector
}

// accept takes half of the driver's features; they are fixed once it said
// FEATURES_OK.
func (c *Core) accept(v uint32) {
	if c.status&StatusFeaturesOK != 0 {
		return
	}
	switch c.acceptSelect {
	case 0:
		c.accepted = c.accepted&^0xffffffff | uint64(v)
	case 1:
		c.accepted = c.accepted&0xffffffff | uint64(v)<<32
	}
}

// write sets a register of a queue that is not enabled. A size beyond what was
// offered is ignored.
func (q *Queue) write(off, v uint64, size uint) {
	if off == regQueueSize {
		if n := uint16(v); n > 0 && n <= q.max {
			q.size = n
		}
		return
	}
	p, shift := q.address(off)
	switch {
	case p == nil:
	case size == 8:
		*p = v
	default:
		*p = *p&^(0xffffffff<<shift) | uint64(uint32(v))<<shift
	}
}

// ConfigSize is the size of the device-specific configuration.
func (c *Core) ConfigSize() int { return len(c.kind.Config()) }

// ReadConfig reads size bytes at off of the device-specific configuration; ones
// where any of them is beyond its end.
func (c *Core) ReadConfig(off uint64, size uint) uint64 {
	b := [8]byte{0: 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}
	clear(b[size:])
	if cfg := c.kind.Config(); off+uint64(size) <= uint64(len(cfg)) {
		copy(b[:size], cfg[off:])
	}
	return binary.LittleEndian.Uint64(b[:])
}

// A ConfigWriter is a Kind with configuration that its driver can write.
type ConfigWriter interface {
	// WriteConfig is a write of p at off, all of which is inside.
	WriteConfig(off int, p []byte)
}

// WriteConfig writes size bytes at off of the device-specific configuration;
// nothing if any of them is beyond its end.
func (c *Core) WriteConfig(off, v uint64, size uint) {
	w, ok := c.kind.(ConfigWriter)
	if !ok || c.gone || off+uint64(size) > uint64(c.ConfigSize()) {
		return
	}
	var b [8]byte
	binary.LittleEndian.PutUint64(b[:], v)
	w.WriteConfig(int(off), b[:size])
}
