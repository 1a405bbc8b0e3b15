package riscv

import "math/bits"

// Exception causes (Priv. table 14).
const (
	causeFetchAccess     = 1
	causeIllegal         = 2
	causeBreakpoint      = 3
	causeLoadMisaligned  = 4
	causeLoadAccess      = 5
	causeStoreMisaligned = 6
	causeStoreAccess     = 7
	causeEcallU          = 8
	causeEcallS          = 9
	causeEcallM          = 11
	causeFetchPage       = 12
	causeLoadPage        = 13
	causeStorePage       = 15

	causeInterrupt = 1 << 63
)

// Interrupt numbers: bits of mip and arguments of SetIRQ.
const (
	IRQSupervisorSoftware = 1
	IRQMachineSoftware    = 3
	IRQSupervisorTimer    = 5
	IRQMachineTimer       = 7
	IRQSupervisorExternal = 9
	IRQMachineExternal    = 11
)

const (
	mipSSIP = 1 << IRQSupervisorSoftware
	mipMSIP = 1 << IRQMachineSoftware
	mipSTIP = 1 << IRQSupervisorTimer
	mipMTIP = 1 << IRQMachineTimer
	mipSEIP = 1 << IRQSupervisorExternal
	mipMEIP = 1 << IRQMachineExternal

	mipMask       = mipSSIP | mipMSIP | mipSTIP | mipMTIP | mipSEIP | mipMEIP
	delegableIRQs = mipSSIP | mipSTIP | mipSEIP

	// Every exception but ECALL from M-mode.
	delegableExceptions = 1<<0 | 1<<causeFetchAccess | 1<<causeIllegal | 1<<causeBreakpoint |
		1<<causeLoadMisaligned | 1<<causeLoadAccess | 1<<causeStoreMisaligned | 1<<causeStoreAccess |
		1<<causeEcallU | 1<<causeEcallS | 1<<causeFetchPage | 1<<causeLoadPage | 1<<causeStorePage
)

// trap takes the exception or interrupt cause at h.pc: it switches to the
// mode that handles it and sets h.pc to its handler (Priv. §3.1.6 to §3.1.16
// and the supervisor's like).
func (h *Hart) trap(cause, tval uint64) {
	h.traps++
	if h.cfg.Trapped != nil {
		h.cfg.Trapped(h, cause, tval)
	}
	deleg := h.medeleg
	if cause&causeInterrupt != 0 {
		deleg = h.mideleg
	}
	var vec uint64
	if h.priv <= PrivS && deleg>>(cause&63)&1 != 0 {
		h.scause, h.sepc, h.stval = cause, h.pc, tval
		h.mstatus = stackBit(h.mstatus, mstatusSIE, mstatusSPIE)&^mstatusSPP |
			uint64(h.priv)<<mstatusSPPShift
		h.priv, vec = PrivS, h.stvec
	} else {
		h.mcause, h.mepc, h.mtval = cause, h.pc, tval
		h.mstatus = stackBit(h.mstatus, mstatusMIE, mstatusMPIE)&^mstatusMPP |
			uint64(h.priv)<<mstatusMPPShift
		h.priv, vec = PrivM, h.mtvec
	}
	h.pc = vec &^ 3
	if vec&1 != 0 && cause&causeInterrupt != 0 {
		h.pc += 4 * (cause &^ causeInterrupt)
	}
	h.selectContext()
}

// illegal traps on the instruction bits insn.
func (h *Hart) illegal(insn uint32) { h.trap(causeIllegal, uint64(insn)) }

// stackBit copies the interrupt enable to its saved place and clears it.
func stackBit(status, enable, saved uint64) uint64 {
	status &^= saved
	if status&enable != 0 {
		status |= saved
	}
	return status &^ enable
}

// pending returns the interrupts that are pending and enabled in mie.
func (h *Hart) pending() uint64 { return h.readMip() & h.mie }

// interrupt takes the interrupt of highest priority that may be delivered, if
// there is one, and clears h.check.
func (h *Hart) interrupt() {
	h.check = false
	p := h.pending()
	if p == 0 {
		return
	}
	var due uint64
	if h.priv < PrivM || h.mstatus&mstatusMIE != 0 {
		due = p &^ h.mideleg
	}
	if due == 0 && (h.priv < PrivS || h.priv == PrivS && h.mstatus&mstatusSIE != 0) {
		due = p & h.mideleg
	}
	if due != 0 {
		h.trap(causeInterrupt|firstIRQ(due), 0)
	}
}

// firstIRQ picks by the fixed order MEI, MSI, MTI, SEI, SSI, STI.
func firstIRQ(due uint64) uint64 {
	for _, level := range [...]uint64{mipMEIP, mipMSIP, mipMTIP, mipSEIP, mipSSIP} {
		if due&level != 0 {
			return uint64(bits.TrailingZeros64(level))
		}
	}
	return IRQSupervisorTimer
}

// mret returns from a machine-mode trap.
func (h *Hart) mret() {
	prev := Priv(h.mstatus >> mstatusMPPShift & 3)
	h.mstatus = unstackBit(h.mstatus, mstatusMIE, mstatusMPIE) &^ mstatusMPP
	h.leaveTo(prev, h.mepc)
}

// sret returns from a supervisor-mode trap.
func (h *Hart) sret() {
	prev := Priv(h.mstatus >> mstatusSPPShift & 1)
	h.mstatus = unstackBit(h.mstatus, mstatusSIE, mstatusSPIE) &^ mstatusSPP
	h.leaveTo(prev, h.sepc)
}

func unstackBit(status, enable, saved uint64) uint64 {
	status &^= enable
	if status&saved != 0 {
		status |= enable
	}
	return status | saved
}

func (h *Hart) leaveTo(prev Priv, pc uint64) {
	if prev != PrivM {
		h.mstatus &^= mstatusMPRV
	}
	h.priv, h.pc, h.check = prev, pc, true
	h.selectContext()
}
