package virt

import (
	"fmt"
	"strings"

	"github.com/backplane-vm/backplane/internal/qdev"
)

// sysbusIRQ is the name of a device's interrupt lines on the system bus.
const sysbusIRQ = "sysbus-irq"

// GPIOs implements [qdev.Wired]: sources in, contexts out.
func (c *plicChip) GPIOs() []qdev.GPIO {
	return []qdev.GPIO{{In: plicSources, Out: len(c.core.State().Contexts)}}
}

// GPIOs implements [qdev.Wired]: a software and a timer interrupt for each hart.
func (c *clintChip) GPIOs() []qdev.GPIO { return []qdev.GPIO{{Out: 2 * len(c.timers)}} }

// GPIOs implements [qdev.Wired].
func (c *uartChip) GPIOs() []qdev.GPIO { return []qdev.GPIO{{Name: sysbusIRQ, Out: 1}} }

// Interrupts implements [machine.InterruptController].
func (c *plicChip) Interrupts() []string {
	s := c.core.State()
	lines := []string{"pending:" + numbers(s.Pending), "claimed:" + numbers(s.Claimed)}
	for i, ctx := range s.Contexts {
		lines = append(lines, fmt.Sprintf("hart %d %c: line %d, threshold %d, enabled:%s",
			i/2, "MS"[i%2], bit(ctx.Line), ctx.Threshold, numbers(ctx.Enabled)))
	}
	return lines
}

// Interrupts implements [machine.InterruptController].
func (c *clintChip) Interrupts() []string {
	lines := []string{fmt.Sprintf("mtime %016x", c.core.Time())}
	for hart := range c.timers {
		msip, mtimecmp := c.core.State(hart)
		lines = append(lines, fmt.Sprintf("hart %d: msip %d, mtimecmp %016x", hart, bit(msip), mtimecmp))
	}
	return lines
}

func bit(on bool) int {
	if on {
		return 1
	}
	return 0
}

// numbers writes a list with a blank before each; an empty one is none.
func numbers(list []int) string {
	if len(list) == 0 {
		return " none"
	}
	var b strings.Builder
	for _, n := range list {
		fmt.Fprintf(&b, " %d", n)
	}
	return b.String()
}
