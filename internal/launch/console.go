package launch

import (
	"github.com/backplane-vm/backplane/aio"
	"github.com/backplane-vm/backplane/internal/chardev"
	"github.com/backplane-vm/backplane/internal/machine/virt"
)

// console joins the guest's serial port to a character device. Bytes cross
// under the BQL; the character device's threads only schedule the bottom half
// that moves them.
type console struct {
	dev  *chardev.Chardev
	port *chardev.Port // set by attach
	uart virt.Port     // set by Connect
	work *aio.BH
	full bool // a byte was refused; BQL
	brk  *aio.BH
}

// Connect implements [virt.Serial].
func (c *console) Connect(uart virt.Port) { c.uart = uart }

// attach begins to move bytes, in bottom halves of ctx. The machine does not
// run yet.
func (c *console) attach(ctx *aio.Context) (err error) {
	c.work = ctx.BH("serial", c.move)
	c.brk = ctx.BH("serial-break", c.uart.Break)
	c.port, err = chardev.NewPort(c.dev, c.work.Schedule)
	return err
}

// Send implements [virt.Serial].
func (c *console) Send(b byte) bool {
	if c.port == nil || c.port.Write([]byte{b}) == 1 {
		return true
	}
	c.full = true
	return false
}

// Resume implements [virt.Serial].
func (c *console) Resume() { c.work.Schedule() }

// move takes what came in and tells the port that there is room.
func (c *console) move() {
	if c.full {
		c.full = false
		c.uart.Writable()
	}
	for n := c.uart.CanReceive(); n > 0; n = c.uart.CanReceive() {
		buf := make([]byte, n)
		got := c.port.Read(buf)
		if got == 0 {
			return
		}
		c.uart.Receive(buf[:got])
	}
}

// sendBreak lets the guest see a break, on any goroutine.
func (c *console) sendBreak() { c.brk.Schedule() }

func (c *console) close() {
	if c.port != nil {
		c.port.Close()
	}
}
