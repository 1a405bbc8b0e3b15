package chardev

import (
	"io"
	"sync"

	"github.com/backplane-vm/backplane/internal/opts"
	"github.com/backplane-vm/backplane/qapi/qerr"
)

// maxHub is how many devices a hub joins: QEMU's number.
const maxHub = 4

// A hub joins devices behind one frontend: output goes to all of them that are
// connected, at the pace of the slowest, and the input of any comes in. It is
// connected while one of them is.
//
// Each device has a [Port], whose threads and bounds are all that the hub needs.
// Its lock comes before those of its ports.
type hub struct {
	ports   []*Port
	changed func() // called without locks, after any port has called wake

	writing sync.Mutex // one Write at a time; before mu

	mu   sync.Mutex
	cond *sync.Cond // a port has called wake, or a connection was closed
	turn int        // which port is read first
}

// hub reads the options of the hub backend.
func (c *Config) hub(o *opts.Opts) {
	for _, key := range hubKeys {
		label, ok := o.Get(key)
		if !ok {
			return
		}
		c.Members = append(c.Members, label)
	}
}

// hubKeys never changes.
var hubKeys = [maxHub]string{"chardevs.0", "chardevs.1", "chardevs.2", "chardevs.3"}

// openHub takes the devices that d joins.
func (d *Chardev) openHub() (*hub, error) {
	if len(d.config.Members) == 0 {
		return nil, qerr.New("hub: 'chardevs' list is not defined")
	}
	h := &hub{changed: d.retry.Unpark}
	h.cond = sync.NewCond(&h.mu)
	for _, label := range d.config.Members {
		if err := h.join(d, label); err != nil {
			h.close()
			return nil, err
		}
	}
	return h, nil
}

// join takes one more device for d, whose hub it is.
func (h *hub) join(d *Chardev, label string) error {
	member, err := d.host.find(label)
	switch {
	case err != nil:
		return err
	case len(h.ports) == maxHub:
		return qerr.New("hub: too many uses of chardevs '%s' (maximum is %d)", d.config.Label, maxHub)
	}
	port, err := newFixedPort(member, h.wake)
	if err != nil {
		return err
	}
	member.OnBreak(d.SendBreak)
	h.ports = append(h.ports, port)
	return nil
}

// wake is what ports tell when anything has changed.
func (h *hub) wake() {
	h.mu.Lock()
	h.cond.Broadcast()
	h.mu.Unlock()
	h.changed()
}

func (h *hub) connected() bool {
	for _, p := range h.ports {
		if p.Connected() {
			return true
		}
	}
	return false
}

// conn is the frontend's connection, nil while no device is connected. The one
// before it must be closed.
func (h *hub) conn() Conn {
	if !h.connected() {
		return nil
	}
	return &hubConn{hub: h}
}

// close gives the devices back.
func (h *hub) close() {
	for _, p := range h.ports {
		p.detach()
	}
}

// readLocked takes input of the first port that has any, in turns.
func (h *hub) readLocked(p []byte) int {
	for range h.ports {
		port := h.ports[h.turn]
		h.turn = (h.turn + 1) % len(h.ports)
		if n := port.Read(p); n > 0 {
			return n
		}
	}
	return 0
}

// A hubConn is the connection of a hub's frontend. It ends when no device is
// connected any more; the hub's next one begins when one is again.
type hubConn struct {
	hub    *hub
	closed bool // guarded by hub.mu
}

func (c *hubConn) Peer() string { return "hub" }

func (c *hubConn) Read(p []byte) (int, error) {
	h := c.hub
	h.mu.Lock()
	defer h.mu.Unlock()
	for !c.closed {
		up := h.connected() // asked first: what a device says before it goes is read
		if n := h.readLocked(p); n > 0 || len(p) == 0 {
			return n, nil
		}
		if !up {
			break
		}
		h.cond.Wait()
	}
	return 0, io.EOF
}

// Write returns when every device that is connected has taken p into its buffer.
func (c *hubConn) Write(p []byte) (int, error) {
	h := c.hub
	h.writing.Lock()
	defer h.writing.Unlock()
	h.mu.Lock()
	defer h.mu.Unlock()
	var sent [maxHub]int
	for !c.closed {
		least := len(p)
		for i, port := range h.ports {
			if sent[i] < len(p) {
				sent[i] += port.Write(p[sent[i]:])
			}
			least = min(least, sent[i])
		}
		if least == len(p) {
			return least, nil
		}
		h.cond.Wait()
	}
	return 0, io.ErrClosedPipe
}

// Close interrupts Read and Write. The devices stay connected.
func (c *hubConn) Close() error {
	h := c.hub
	h.mu.Lock()
	defer h.mu.Unlock()
	c.closed = true
	h.cond.Broadcast()
	return nil
}
