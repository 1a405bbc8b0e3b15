package virtio

import "github.com/backplane-vm/backplane/internal/virtio/vring"

// Request is the part of a request in flight that ties it to a device: which
// queue it came from, and whether the guest still waits for it.
type Request struct {
	vring.Element
	core  *Core
	queue int
	epoch uint64
	turn  uint64 // of the queue
	n     uint64 // in order of coming
}

// Pop takes the next chain of queue i into r and counts it as in flight, until
// Done. It returns false when there is none or the device broke.
func (c *Core) Pop(i int, r *Request) bool {
	if !c.Working() || c.queues[i].waiting {
		return false
	}
	ok, err := c.queues[i].Pop(&r.Element)
	if err != nil {
		c.Break()
	}
	if !ok {
		return false
	}
	r.core, r.queue, r.epoch, r.turn = c, i, c.epoch, c.queues[i].turn
	c.inFlight++
	r.n = c.queues[i].order.in()
	c.queues[i].open++
	c.transport.Hold()
	return true
}

// InFlight is how many requests were popped and are not done.
func (c *Core) InFlight() int { return c.inFlight }

// Live says whether the guest still waits for the request: no reset and no
// unplug came in between.
func (r *Request) Live() bool {
	c := r.core
	return c != nil && r.epoch == c.epoch && r.turn == c.queues[r.queue].turn && !c.broken && !c.disabled
}

// Read copies device-readable bytes from off on into p, and returns how many
// there were. A request that is not live has none.
func (r *Request) Read(off uint64, p []byte) int {
	if !r.Live() {
		return 0
	}
	n, err := r.core.queues[r.queue].Read(&r.Element, off, p)
	if err != nil {
		r.core.Break()
	}
	return n
}

// Write copies p to device-writable bytes from off on, and returns how many
// fitted; none if the request is not live.
func (r *Request) Write(off uint64, p []byte) int {
	if !r.Live() {
		return 0
	}
	n, err := r.core.queues[r.queue].Write(&r.Element, off, p)
	if err != nil {
		r.core.Break()
	}
	return n
}

// Done ends the request: the driver gets its buffers back with written bytes
// filled, and an interrupt if it wants one. What is not live ends silently. The
// caller may use r again.
func (r *Request) Done(written uint32) {
	if r.Live() {
		r.core.push(r, written)
	}
	r.Drop()
}

// Drop ends the request without giving its buffers back, for one whose driver
// is not to be told: the device broke, or the machine ends.
func (r *Request) Drop() {
	c := r.core
	r.core = nil
	c.inFlight--
	q := &c.queues[r.queue]
	q.open--
	if q.waiting && q.open == 0 {
		q.waiting = false
		c.kickAll()
	}
	if c.resetting && c.inFlight == 0 {
		c.resetDone()
	}
	c.transport.Release()
}

// resetDone ends a reset. A legacy driver did not wait for it: what it set up
// meanwhile begins to work.
func (c *Core) resetDone() {
	c.resetting = false
	if !c.legacy {
		c.status = 0
		return
	}
	c.kickAll()
}

func (c *Core) push(r *Request, written uint32) {
	q := &c.queues[r.queue]
	given, err := c.giveBack(q, r, written)
	if err != nil {
		c.Break()
	}
	if !given || err != nil {
		return
	}
	tell, err := q.ShouldNotify()
	if err != nil {
		c.Break()
		return
	}
	if tell {
		c.transport.NotifyQueue(q.vector)
	}
}

// giveBack pushes the request and those that waited for it, or has it wait for
// those that came before it. It says whether any was pushed.
func (c *Core) giveBack(q *Queue, r *Request, written uint32) (bool, error) {
	if !c.Has(FeatureInOrder) {
		return true, q.Push(&r.Element, written)
	}
	before := q.order.gone
	err := q.order.out(r.n, ended{r.Element.Name(), written}, func(e *ended) error {
		return q.Push(&e.Element, e.written)
	})
	return q.order.gone > before, err
}
