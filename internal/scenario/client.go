package scenario

import (
	"fmt"
	"strings"

	"github.com/backplane-vm/backplane/internal/sched"
	"github.com/backplane-vm/backplane/qapi/qobject"
)

// Client is a QMP client of the machine under test, driven by the thread that
// calls its methods. It speaks the wire's bytes to the real monitor.
type Client struct {
	l      *Lab
	name   string
	conn   *conn
	parser qobject.Parser
	lines  []*qobject.Dict // parsed and not yet taken
	Events []string        // names of events seen, with the device for DEVICE_DELETED
	buf    []byte
}

// Connect makes a client that has left negotiation mode, with out-of-band
// execution.
func (l *Lab) Connect(name string) *Client {
	ours, theirs := newConn(l.World, name)
	c := &Client{l: l, name: name, conn: ours}
	l.World.Go(name+" reader", func(*sched.Thread) { l.Set.ServeQMP(theirs, false) })
	c.next() // greeting
	c.Ask(`{"execute": "qmp_capabilities", "arguments": {"enable": ["oob"]}}`)
	l.clients = append(l.clients, c)
	return c
}

// Send sends a command without waiting for its reply.
func (c *Client) Send(command string) {
	if _, err := c.conn.Write([]byte(command + "\n")); err != nil {
		l := fmt.Sprintf("%s: %v", c.name, err)
		panic(l)
	}
}

// next returns the next message of any kind.
func (c *Client) next() *qobject.Dict {
	if c.buf == nil {
		c.buf = make([]byte, 4096)
	}
	for len(c.lines) == 0 {
		n, err := c.conn.Read(c.buf)
		c.parser.Feed(c.buf[:n], func(v any, perr error) {
			if d, ok := v.(*qobject.Dict); ok && perr == nil {
				c.lines = append(c.lines, d)
			}
		})
		if err != nil && len(c.lines) == 0 {
			panic(fmt.Sprintf("%s: the monitor hung up: %v", c.name, err))
		}
	}
	d := c.lines[0]
	c.lines = c.lines[1:]
	return d
}

// Reply waits for the next reply, noting events on the way, and returns it as
// QEMU would print it.
func (c *Client) Reply() string {
	for {
		d := c.next()
		name, isEvent := d.Get("event")
		if !isEvent {
			return qobject.Encode(d)
		}
		c.noteEvent(name.(string), d)
	}
}

func (c *Client) noteEvent(name string, d *qobject.Dict) {
	if data, _ := d.Get("data"); data != nil {
		if id, ok := data.(*qobject.Dict).Get("device"); ok {
			name += " " + id.(string)
		}
	}
	c.Events = append(c.Events, name)
}

// Ask sends a command and waits for its reply.
func (c *Client) Ask(command string) string {
	c.Send(command)
	return c.Reply()
}

// Must is Ask for a command that has to succeed.
func (c *Client) Must(command string) string {
	r := c.Ask(command)
	if strings.Contains(r, `"error"`) {
		panic(fmt.Sprintf("%s: %s answered %s", c.name, command, r))
	}
	return r
}

// Await reads until the event has come ("DEVICE_DELETED d0").
func (c *Client) Await(event string) {
	for {
		for _, e := range c.Events {
			if e == event {
				return
			}
		}
		d := c.next()
		if name, ok := d.Get("event"); ok {
			c.noteEvent(name.(string), d)
		}
	}
}

// count returns how often the event has come so far.
func (c *Client) count(event string) (n int) {
	for _, e := range c.Events {
		if e == event {
			n++
		}
	}
	return n
}

// Close hangs up.
func (c *Client) Close() { c.conn.Close() }
