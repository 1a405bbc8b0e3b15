package virtio

import "github.com/backplane-vm/backplane/internal/virtio/vring"

// State is what a device and its driver have agreed on so far.
type State struct {
	Status            uint8
	ISR               uint8 // interrupt causes that the driver has not read
	Offered, Accepted uint64
	Queues            int
	QueueSelect       uint16
	Started           bool // the driver is ready
	Broken            bool // the driver broke the protocol
	Disabled          bool // the driver took its right to memory away
}

// State returns where c stands.
func (c *Core) State() State {
	s := State{Status: c.status, Offered: c.offered, Accepted: c.accepted, Queues: len(c.queues),
		QueueSelect: c.queueSelect, Started: c.status&StatusDriverOK != 0, Broken: c.broken, Disabled: c.disabled}
	if t, ok := c.transport.(interface{ ISR() uint8 }); ok {
		s.ISR = t.ISR()
	}
	return s
}

// QueueState is where a queue stands.
type QueueState struct {
	vring.State
	Max uint16 // entries offered
}

// QueueState returns where queue i stands; false means that there is none.
func (c *Core) QueueState(i int) (QueueState, bool) {
	if i >= len(c.queues) {
		return QueueState{}, false
	}
	q := &c.queues[i]
	s := QueueState{q.State(), q.max}
	s.Size = q.size
	return s, true
}

// ISR is the interrupt status, unread.
func (p *PCI) ISR() uint8 { return p.isr }
