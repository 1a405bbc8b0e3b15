package monitor

import "io"

// shared is a terminal that others use too, in turns: chardev's Shared. What it
// returns is in order with what was typed; focus is how it is behind that.
type shared interface {
	ReadTurn(p []byte) (n int, focus bool, err error)
}

// talk shows the banner and reads until the terminal or the client ends. A
// shared terminal's focus is asked for first: a monitor without it holds its
// banner back.
func (c *hmpClient) talk(conn io.Reader) {
	term, ok := conn.(shared)
	focus := true
	if ok {
		_, focus, _ = term.ReadTurn(nil) // an error comes again
		c.mu.Lock()
		c.turned, c.focus = !focus, focus
		c.mu.Unlock()
	}
	c.set.m.Loop.IOHandler.OneShot("hmp-open", func() { c.takeTurn(); c.mon.Open(); c.flush() })
	if ok {
		c.readTurns(term, focus)
	} else {
		c.read(conn)
	}
}

// readTurns is read for a shared terminal.
func (c *hmpClient) readTurns(term shared, focus bool) {
	buf := make([]byte, hmpReadSize)
	for {
		c.out.waitRoom()
		n, now, err := term.ReadTurn(buf)
		if now != focus {
			focus = now
			c.turn(focus)
		}
		if err != nil || n > 0 && !c.hand(buf[:n]) {
			return
		}
	}
}

// turn tells the conversation that it has the focus, or no longer. It blocks
// until the conversation knows, so that what is typed next comes behind it.
func (c *hmpClient) turn(focus bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.turned, c.focus = true, focus
	c.pump.Schedule()
	for c.turned && !c.closed {
		c.taken.Wait()
	}
}

// takeTurn carries out what turn left, in the iohandler context.
func (c *hmpClient) takeTurn() {
	c.mu.Lock()
	turned, focus := c.turned, c.focus
	c.mu.Unlock()
	switch {
	case !turned:
		return
	case focus:
		c.mon.FocusIn()
	default:
		c.mon.FocusOut()
	}
	c.flush()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.turned = false
	c.taken.Broadcast()
}
