package virt

import "github.com/backplane-vm/backplane/internal/qdev"

// sysbusIRQ is the name of a device's interrupt lines on the system bus.
const sysbusIRQ = "sysbus-irq"

// GPIOs implements [qdev.Wired]: sources in, contexts out.
func (c *plicChip) GPIOs() []qdev.GPIO {
	return []qdev.GPIO{{In: plicSources, Out: c.core.Contexts()}}
}

// GPIOs implements [qdev.Wired]: a software and a timer interrupt for each hart.
func (c *clintChip) GPIOs() []qdev.GPIO { return []qdev.GPIO{{Out: 2 * len(c.timers)}} }

// GPIOs implements [qdev.Wired].
func (c *uartChip) GPIOs() []qdev.GPIO { return []qdev.GPIO{{Name: sysbusIRQ, Out: 1}} }
