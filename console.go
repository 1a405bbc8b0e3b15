package backplane

import (
	"io"

	"github.com/backplane-vm/backplane/internal/machine"
	"github.com/backplane-vm/backplane/internal/machine/virt"
	"github.com/backplane-vm/backplane/internal/sched"
)

// consoleBuffer is how many bytes of the guest's output may wait for the
// writer: a screenful, so that a slow one is felt by the guest soon.
const consoleBuffer = 16 << 10

// console hands what the guest prints to a Writer, on a thread of its own. It
// is a [virt.Serial].
type console struct {
	w    io.Writer
	m    *machine.Machine
	port virt.Port

	mu     sched.Mutex
	more   *sched.Cond
	buf    []byte // guarded by mu
	full   bool   // the port holds bytes back; guarded by mu
	closed bool   // guarded by mu
	thread *sched.Thread
}

func newConsole(w io.Writer) *console {
	c := &console{w: w}
	c.more = sched.NewCond(&c.mu)
	return c
}

func (c *console) start(m *machine.Machine) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.m = m
	c.thread = m.World.Go("console", c.run)
}

// Connect implements [virt.Serial].
func (c *console) Connect(port virt.Port) { c.port = port }

// Resume implements [virt.Serial]; there is no input.
func (c *console) Resume() {}

// Send implements [virt.Serial].
func (c *console) Send(b byte) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return true // nobody listens any more
	}
	if len(c.buf) >= consoleBuffer {
		c.full = true
		return false
	}
	c.buf = append(c.buf, b)
	c.more.Signal()
	return true
}

func (c *console) run(*sched.Thread) {
	var spare []byte
	c.mu.Lock()
	defer c.mu.Unlock()
	for {
		for len(c.buf) == 0 && !c.closed {
			c.more.Wait()
		}
		if len(c.buf) == 0 {
			return
		}
		p := c.buf
		c.buf = spare[:0]
		if c.full {
			c.full = false
			c.m.Loop.IOHandler.OneShot("console", c.port.Writable)
		}
		c.mu.Unlock()
		_, err := c.w.Write(p)
		c.mu.Lock()
		if err != nil {
			c.closed, c.buf = true, nil
		}
		spare = p
	}
}

// close lets the thread write what it has, and end.
func (c *console) close() {
	c.mu.Lock()
	c.closed = true
	c.more.Signal()
	c.mu.Unlock()
	if c.thread != nil {
		c.thread.Join()
	}
}
