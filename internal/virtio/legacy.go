package virtio

// The legacy interface (virtio 1.2 §4.1.4.8): a header of registers, and the
// device-specific configuration right behind it. Offsets in the header.
const (
	oldOffered      = 0x00
	oldAccepted     = 0x04
	oldQueuePage    = 0x08
	oldQueueSize    = 0x0c
	oldQueueSelect  = 0x0e
	oldQueueNotify  = 0x10
	oldStatus       = 0x12
	oldISR          = 0x13
	oldConfigVector = 0x14
	oldQueueVector  = 0x16

	// oldHeader is the size of the header; with messages enabled the two vector
	// registers belong to it.
	oldHeader         = 0x14
	oldHeaderMessages = 0x18
)

// Layout of a legacy queue: the used ring starts on the next page behind the
// available ring, and the driver says where by a page number (virtio 1.2
// §2.7.2).
const (
	oldPageShift = 12
	oldAlign     = 1 << oldPageShift
)

// ReadLegacy reads the register at off of the legacy header. All sizes read the
// whole register; what is none reads as ones.
func (c *Core) ReadLegacy(off uint64) uint64 {
	q := c.selected()
	switch off {
	case oldOffered:
		return uint64(uint32(c.offered))
	case oldAccepted:
		return uint64(uint32(c.accepted))
	case oldQueueSelect:
		return uint64(c.queueSelect)
	case oldStatus:
		if c.resetting && !c.legacy {
			return 0 // this driver does not wait
		}
		return uint64(c.status)
	case oldConfigVector:
		return uint64(c.configVector)
	case oldQueuePage, oldQueueSize:
		if q == nil {
			return 0
		}
		if off == oldQueueSize {
			return uint64(q.size)
		}
		return uint64(uint32(q.desc >> oldPageShift))
	case oldQueueVector:
		if q == nil {
			return NoVector
		}
		return uint64(q.vector)
	}
	return 1<<32 - 1
}

// WriteLegacy writes the register at off of the legacy header, whatever the
// size of the access. vectors is as in WriteCommon.
//
// A legacy driver does not wait for a reset: registers work at once, and queues
// when the requests of before have ended.
func (c *Core) WriteLegacy(off, v uint64, vectors int) {
	if c.gone {
		return
	}
	if !c.legacy && c.resetting {
		c.status = 0
	}
	c.legacy = true
	switch off {
	case oldAccepted:
		c.acceptLegacy(uint32(v))
	case oldQueuePage:
		c.setPage(uint32(v))
	case oldQueueSelect:
		if v < MaxQueues {
			c.queueSelect = uint16(v)
		}
	case oldQueueNotify:
		c.Notify(int(uint16(v)))
	case oldStatus:
		if uint8(v) == 0 {
			c.restartLegacy()
			return
		}
		c.setLegacyStatus(uint8(v))
	case oldConfigVector:
		c.configVector = vectorOf(v, vectors)
	case oldQueueVector:
		if q := c.selected(); q != nil {
			q.vector = vectorOf(v, vectors)
		}
	}
}

// restartLegacy is a reset by a legacy driver.
func (c *Core) restartLegacy() {
	c.restart()
	c.legacy = true
}

// setLegacyStatus takes the status as it is: nothing is negotiated by it.
func (c *Core) setLegacyStatus(v uint8) {
	started := v&^c.status&StatusDriverOK != 0
	c.status = v
	if started {
		c.start()
	}
}

// acceptLegacy takes what the device offered of the driver's features, also
// from a driver that uses its queues already.
func (c *Core) acceptLegacy(v uint32) {
	if v&featureUnused != 0 {
		v = 0
	}
	c.accepted = uint64(v) & c.offered
	for i := range c.queues {
		c.queues[i].Negotiate(c.negotiated())
	}
}

// setPage places the selected queue at a page and makes it ready. Page 0 resets
// the device.
func (c *Core) setPage(page uint32) {
	q := c.selected()
	switch {
	case page == 0:
		c.restartLegacy()
		return
	case q == nil:
		return
	}
	vector := q.vector
	c.resetQueue(q)
	n := uint64(q.size)
	q.vector = vector
	q.desc = uint64(page) << oldPageShift
	q.avail = q.desc + 16*n
	q.used = (q.avail + 2*n + 6 + oldAlign - 1) &^ (oldAlign - 1)
	q.enabled = true
	if q.Start(c.memory, c.ring(q)) != nil {
		c.Break()
	}
}
