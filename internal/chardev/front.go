package chardev

import (
	"io"
	"sync"
)

// A Shared is the connection of one of a [Mux]'s frontends.
type Shared interface {
	Conn
	// ReadTurn is Read for a frontend that wants to know whether it has the
	// focus. It returns without input where the focus moved, so that turns come
	// in order with what was typed before and after them; focus is how it is
	// behind what was read. With an empty p it does not block.
	ReadTurn(p []byte) (n int, focus bool, err error)
}

// What a muxConn's queue holds besides bytes: that the focus went, or came.
const (
	turnAway = 256 + iota
	turnHere
)

// A muxConn is a frontend's connection. Its lock comes after its Mux's.
type muxConn struct {
	mux     *Mux
	dev     *Chardev // whose connection it is
	onBreak func()

	mu   sync.Mutex
	cond *sync.Cond
	// in is input and turns. Turns alternate and two of them have a byte between
	// them, so that muxIn bounds both.
	in     []uint16
	bytes  int  // how many of in are bytes
	here   bool // the focus, as far as it has been read
	closed bool
}

func (c *muxConn) Peer() string { return "mux" }

// Columns implements [Screen] for the terminal that is shared.
func (c *muxConn) Columns() int { return c.mux.columns() }

func (c *muxConn) Write(p []byte) (int, error) { return c.mux.write(p) }

// put adds a byte of input, or drops it if there is too much.
func (c *muxConn) put(b byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.bytes < muxIn {
		c.in = append(c.in, uint16(b))
		c.bytes++
		c.cond.Signal()
	}
}

// turn adds a change of focus, or takes back the one before it if nothing was
// typed in between.
func (c *muxConn) turn(here bool) {
	mark := uint16(turnAway)
	if here {
		mark = turnHere
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if n := len(c.in); n > 0 && c.in[n-1] > 0xff {
		c.in = c.in[:n-1]
		return
	}
	c.in = append(c.in, mark)
	c.cond.Signal()
}

// Read implements [Conn] for frontends that do not care who else is there.
func (c *muxConn) Read(p []byte) (n int, err error) {
	for n == 0 && err == nil && len(p) > 0 {
		n, _, err = c.ReadTurn(p)
	}
	return n, err
}

// ReadTurn implements [Shared].
func (c *muxConn) ReadTurn(p []byte) (n int, focus bool, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for len(c.in) == 0 && !c.closed && len(p) > 0 {
		c.cond.Wait()
	}
	if c.closed {
		return 0, c.here, io.EOF
	}
	if len(c.in) > 0 && c.in[0] > 0xff {
		c.here = c.in[0] == turnHere
		c.drop(1)
		return 0, c.here, nil
	}
	for n < min(len(p), len(c.in)) && c.in[n] <= 0xff {
		p[n] = byte(c.in[n])
		n++
	}
	c.drop(n)
	c.bytes -= n
	return n, c.here, nil
}

// drop removes the first n of the queue.
func (c *muxConn) drop(n int) { c.in = c.in[:copy(c.in, c.in[n:])] }

// Close ends the connection and frees its place in the Mux.
func (c *muxConn) Close() error {
	c.mu.Lock()
	c.closed = true
	c.cond.Broadcast()
	c.mu.Unlock()
	c.mux.remove(c)
	return nil
}
