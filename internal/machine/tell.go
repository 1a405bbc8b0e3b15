package machine

import (
	"github.com/backplane-vm/backplane/internal/mem"
	"github.com/backplane-vm/backplane/internal/riscv"
	"github.com/backplane-vm/backplane/internal/trace"
)

// warnWriter writes lines of the log to who takes warnings.
type warnWriter struct{ warn func(string) }

// Write implements io.Writer: p is one line.
func (w warnWriter) Write(p []byte) (int, error) {
	if w.warn != nil && len(p) > 0 {
		w.warn(string(p[:len(p)-1]))
	}
	return len(p), nil
}

// trapNames are the causes of exceptions and of interrupts, as QEMU names them.
var trapNames = [2][16]string{
	{
		"misaligned_fetch", "fault_fetch", "illegal_instruction", "breakpoint", "misaligned_load", "fault_load",
		"misaligned_store", "fault_store", "user_ecall", "supervisor_ecall", "hypervisor_ecall", "machine_ecall",
		"exec_page_fault", "load_page_fault", "reserved", "store_page_fault",
	},
	{
		"u_software", "s_software", "vs_software", "m_software", "u_timer", "s_timer", "vs_timer", "m_timer",
		"u_external", "s_external", "vs_external", "m_external", "reserved", "reserved", "reserved", "reserved",
	},
}

// trapped tells of a trap that c's hart takes.
func (c *CPU) trapped(h *riscv.Hart, cause, tval uint64) {
	log := c.m.Log
	logs, traces := log.Wants(trace.Int), log.Traces(trace.RISCVTrap)
	if !logs && !traces {
		return
	}
	async, number, name := cause>>63, cause<<1>>1, "unknown"
	if number < 16 {
		name = trapNames[async][number]
	}
	if traces {
		log.Trace(trace.RISCVTrap, "hart:%d, async:%d, cause:%d, epc:%#x, tval:%#x, desc=%s", c.index, async, number, h.PC(), tval, name)
	}
	if logs {
		log.Printf("riscv_cpu_do_interrupt: hart:%d, async:%d, cause:%016x, epc:0x%016x, tval:0x%016x, desc=%s",
			c.index, async, number, h.PC(), tval, name)
	}
}

// accessed tells of an access that c's hart has made to something that is no memory.
func (c *CPU) accessed(write bool, addr, value uint64, size int, res mem.Result) {
	log, event, word := c.m.Log, trace.MemoryRegionOpsRead, "read"
	if write {
		event, word = trace.MemoryRegionOpsWrite, "write"
	}
	logs, traces := res != mem.OK && log.Wants(trace.InvalidMem), log.Traces(event)
	if !logs && !traces {
		return
	}
	name, offset := "(null)", addr
	r := c.m.System.Flat().Find(addr)
	if r != nil {
		name, offset = r.Region.Name(), addr-r.First+r.Offset
	}
	if traces && r != nil {
		log.Trace(event, "cpu %d mr %p addr %#x value %#x size %d name '%s'", c.index, r.Region, addr, value, size, name)
	}
	if logs {
		log.Printf("Invalid %s at addr 0x%X, size %d, region '%s', reason: rejected", word, offset, size, name)
	}
}

// enter makes s the machine's state.
func (m *Machine) enter(s RunState) {
	if m.Log.Traces(trace.RunstateSet) {
		m.Log.Trace(trace.RunstateSet, "current_run_state (%s) new_state (%s)", m.state, s)
	}
	if m.Log.Traces(trace.VMStateNotify) && (m.state == Running) != (s == Running) {
		running := 0
		if s == Running {
			running = 1
		}
		m.Log.Trace(trace.VMStateNotify, "running %d reason (%s)", running, s)
	}
	m.state = s
}
