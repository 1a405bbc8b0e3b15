package virtio

import (
	"github.com/backplane-vm/backplane/internal/virtio/vring"
)

// Bits of the device status (virtio 1.2 §2.1).
const (
	StatusAcknowledge = 0x01
	StatusDriver      = 0x02
	StatusDriverOK    = 0x04
	StatusFeaturesOK  = 0x08
	StatusNeedsReset  = 0x40
	StatusFailed      = 0x80
)

// Features that belong to no kind (virtio 1.2 §6).
const (
	FeatureNotifyOnEmpty  = 1 << 24 // legacy interface only
	FeatureAnyLayout      = 1 << 27 // legacy interface only
	FeatureIndirectDesc   = 1 << 28
	FeatureEventIndex     = 1 << 29
	FeatureVersion1       = 1 << 32
	FeatureAccessPlatform = 1 << 33 // addresses go through whatever translates; here nothing does
	FeaturePacked         = 1 << 34
	FeatureInOrder        = 1 << 35
	FeatureQueueReset     = 1 << 40
)

// featureUnused is offered to legacy drivers and must not be taken: one that
// does takes whatever it is offered, and gets nothing (virtio 0.9.5, appendix B).
const featureUnused = 1 << 30

// legacyFeatures are shown through the legacy interface only.
const legacyFeatures = FeatureNotifyOnEmpty | FeatureAnyLayout | featureUnused

// NoVector is a message vector that stands for none.
const NoVector = 0xffff

// MaxQueues is the largest number of queues: the notification area of the PCI
// transport has room for 4096/4.
const MaxQueues = 1024

// A Kind is what a device of one type does with its queues. All methods run
// under the BQL.
type Kind interface {
	// HandleQueue runs in the main context after the driver notified queue
	// i of a device that works. It takes what it can and does not block.
	HandleQueue(i int)
	// Config returns the device-specific configuration, little-endian; the
	// caller reads it before the next call.
	Config() []byte
	// Reset forgets the state that the driver set up. Requests in flight go
	// on, and end without the guest.
	Reset()
}

// A Starter is a Kind that wants to know when its driver is ready.
type Starter interface {
	// Started runs when the driver says DRIVER_OK, before queues are handled.
	Started()
}

// A Transport carries interrupts from a Core to its driver.
type Transport interface {
	// NotifyQueue tells the driver of used buffers: vector is the queue's.
	NotifyQueue(vector uint16)
	// NotifyConfig tells the driver that the configuration changed.
	NotifyConfig(vector uint16)
	// Kick has Core.RunQueues called soon from the main context.
	Kick()
	// Hold keeps the device from being finalised until a matching Release.
	Hold()
	Release()
	// Quiet takes back interrupts that the driver has not looked at, because
	// the device was reset.
	Quiet()
}

// Queue is a virtqueue with the registers that set it up.
type Queue struct {
	vring.Queue
	max     uint16 // size offered
	size    uint16
	vector  uint16
	enabled bool
	kicked  bool   // notified, HandleQueue has yet to run
	turn    uint64 // counts resets of the queue alone; requests of older ones are silent
	open    int    // requests popped and not done, whatever their turn
	waiting bool   // reset alone, and requests of before are open
	order   order  // of requests, if the driver cares

	desc, avail, used uint64
}

// Core is the state of one virtio device towards its driver. Make it with
// NewCore; all methods want the BQL.
type Core struct {
	kind      Kind
	transport Transport
	memory    vring.Memory
	queues    []Queue

	offered  uint64 // features
	accepted uint64 // features, as far as the driver has written them

	status       uint8
	generation   uint8 // of the configuration
	configVector uint16
	offerSelect  uint32
	acceptSelect uint32
	queueSelect  uint16

	inFlight  int
	epoch     uint64 // counts resets; a request of an older one is silent
	resetting bool   // waits for inFlight to become zero
	legacy    bool   // the driver uses the legacy interface
	broken    bool   // the driver broke the protocol
	disabled  bool   // no bus master since the driver took that away
	gone      bool   // the device left its guest for good
}

// NewCore returns a device after reset that offers these features, with queues
// of the given sizes. memory is the guest's, as the device reaches it by DMA.
func NewCore(kind Kind, transport Transport, memory vring.Memory, features uint64, sizes []uint16) *Core {
	c := &Core{kind: kind, transport: transport, memory: memory,
		offered: features, queues: make([]Queue, len(sizes))}
	for i, n := range sizes {
		c.queues[i].max = n
	}
	c.clear()
	return c
}

// Queue returns queue i.
func (c *Core) Queue(i int) *Queue { return &c.queues[i] }

// Has says whether the driver accepted all features of the set.
func (c *Core) Has(features uint64) bool { return c.accepted&features == features }

// Status is the status register.
func (c *Core) Status() uint8 { return c.status }

// Working says whether queues are to be handled: the driver is ready and
// nothing is broken. A legacy driver need not say that it is ready (virtio 1.2
// §3.1.2).
func (c *Core) Working() bool {
	return (c.legacy || c.status&StatusDriverOK != 0) && !c.broken && !c.disabled && !c.resetting && !c.gone
}

// clear puts all registers to their reset values.
func (c *Core) clear() {
	c.accepted, c.status, c.configVector = 0, 0, NoVector
	c.offerSelect, c.acceptSelect, c.queueSelect = 0, 0, 0
	c.legacy, c.broken, c.disabled = false, false, false
	for i := range c.queues {
		c.queues[i].clear()
	}
}

// clear puts the queue's registers to their reset values and forgets its rings.
func (q *Queue) clear() {
	q.Queue.Reset()
	*q = Queue{max: q.max, size: q.max, vector: NoVector, turn: q.turn, open: q.open}
}

// Reset stops the device. With requests in flight the status register reads as
// before until they have ended.
func (c *Core) Reset() {
	status := c.status
	c.restart()
	if c.resetting {
		c.status = status
	}
}

// restart returns to the state after reset. It is over when no request is in
// flight any more.
func (c *Core) restart() {
	c.epoch++
	c.clear()
	c.transport.Quiet()
	c.kind.Reset()
	c.resetting = c.inFlight > 0
}

// Leave stops the device for good: no request in flight touches the guest any
// more, and nothing restarts it.
func (c *Core) Leave() {
	c.Reset()
	c.gone = true
}

// Break says that the driver broke the protocol: the device stops until reset
// (virtio 1.2 §2.1.2).
func (c *Core) Break() {
	if c.broken || c.resetting {
		return
	}
	c.broken = true
	if c.legacy {
		return // its status has no such bit
	}
	told := c.status&StatusDriverOK != 0
	c.status |= StatusNeedsReset
	if told {
		c.ConfigChanged()
	}
}

// SetMaster follows the driver's write of the bus master bit. Without it there
// is no DMA: the device stops as if the driver took DRIVER_OK back, and what is
// in flight ends silently.
func (c *Core) SetMaster(on bool) {
	c.disabled = !on
	if !on && !c.resetting {
		c.status &^= StatusDriverOK
	}
}

// ConfigChanged tells the driver to read the configuration again.
func (c *Core) ConfigChanged() {
	c.generation++
	if c.status&StatusDriverOK != 0 && !c.resetting && !c.gone {
		c.transport.NotifyConfig(c.configVector)
	}
}

// setStatus is a guest write of the status register.
func (c *Core) setStatus(v uint8) {
	switch {
	case v == 0:
		c.Reset()
		return
	case c.resetting || c.gone:
		return
	}
	if v&StatusFeaturesOK != 0 && c.status&StatusFeaturesOK == 0 && !c.acceptable() {
		v &^= StatusFeaturesOK
	}
	started := v&^c.status&StatusDriverOK != 0
	c.status = v | c.status&StatusNeedsReset
	if started {
		c.start()
	}
}

// start begins to work with a driver that is ready.
func (c *Core) start() {
	if s, ok := c.kind.(Starter); ok {
		s.Started()
	}
	c.kickAll()
}

// kickAll has every queue looked at.
func (c *Core) kickAll() {
	if c.gone {
		return
	}
	for i := range c.queues {
		c.queues[i].kicked = c.queues[i].Ready()
	}
	c.transport.Kick()
}

// acceptable says whether the device works with the features that the driver
// wants: some of what it offered, and the modern protocol.
func (c *Core) acceptable() bool {
	return c.accepted&^(c.offered&^legacyFeatures) == 0 && c.accepted&FeatureVersion1 != 0 &&
		c.accepted&FeatureAccessPlatform == c.offered&FeatureAccessPlatform
}

// enable makes the selected queue ready with its registers.
func (c *Core) enable(q *Queue) {
	if q.enabled || q.waiting || c.resetting || c.gone {
		return
	}
	q.enabled = true
	if q.Start(c.memory, c.ring(q)) != nil {
		c.Break()
	}
}

// ring is what the driver set up for a queue.
func (c *Core) ring(q *Queue) vring.Config {
	return vring.Config{
		Size: q.size, Desc: q.desc, Avail: q.avail, Used: q.used, Negotiated: c.negotiated(),
	}
}

func (c *Core) negotiated() vring.Negotiated {
	return vring.Negotiated{
		EventIndex: c.Has(FeatureEventIndex), Indirect: c.Has(FeatureIndirectDesc),
		NotifyOnEmpty: c.Has(FeatureNotifyOnEmpty), Packed: c.Has(FeaturePacked),
	}
}

// resetQueue stops the queue alone (virtio 1.2 §2.6.1). Requests of it that are
// in flight end silently; until then the queue waits.
func (c *Core) resetQueue(q *Queue) {
	q.clear()
	q.turn++
	q.waiting = q.open > 0
}

// Notify is the driver's notification of queue i. Numbers out of range are
// ignored.
func (c *Core) Notify(i int) {
	if i < 0 || i >= len(c.queues) || !c.Working() {
		return
	}
	c.queues[i].kicked = true
	c.transport.Kick()
}

// RunQueues has the Kind handle the queues that were notified. It runs in the
// main context.
func (c *Core) RunQueues() {
	for i := range c.queues {
		if q := &c.queues[i]; q.kicked {
			q.kicked = false
			if c.Working() && q.Ready() && !q.waiting {
				c.kind.HandleQueue(i)
			}
		}
	}
}

// Idle asks the driver to notify queue i again, and says whether something came
// meanwhile, so that the caller goes on instead.
func (c *Core) Idle(i int) bool {
	if !c.Working() {
		return true
	}
	q := &c.queues[i]
	if q.SetNotify(true) != nil {
		c.Break()
		return true
	}
	empty, err := q.Empty()
	if err != nil {
		c.Break()
		return true
	}
	return empty
}

// Busy asks the driver not to notify queue i while the device looks at it
// anyway.
func (c *Core) Busy(i int) {
	if c.Working() && c.queues[i].SetNotify(false) != nil {
		c.Break()
	}
}
