package virt

import (
	"fmt"
	"strings"
)

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
