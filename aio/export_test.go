package aio

// Waiting returns how many pollers wait in the context.
func (c *Context) Waiting() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.waiting)
}

// SetLinger sets how long, in nanoseconds, workers wait for more.
func (p *Pool) SetLinger(ns int64) { p.linger = ns }

// ChecksHome says that it is checked which goroutine polls an iothread.
const ChecksHome = checksHome
