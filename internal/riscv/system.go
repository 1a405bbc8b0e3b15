package riscv

// system carries out a SYSTEM instruction: environment calls, returns from
// traps, waiting, translation fences and control registers.
func (h *Hart) system(insn uint32, next uint64) {
	if f3Of(insn) != 0 {
		h.csrInsn(insn, next)
		return
	}
	switch {
	case insn == insnECALL:
		h.ecall(next)
	case insn == insnEBREAK:
		h.trap(causeBreakpoint, h.pc)
	case insn == insnMRET && h.priv == PrivM:
		h.mret()
		h.instret++
	case insn == insnSRET && h.allowed(mstatusTSR):
		h.sret()
		h.instret++
	case insn == insnWFI && h.allowed(mstatusTW):
		h.retire(next)
		h.waiting = h.pending() == 0
		h.check = true
	case f7Of(insn) == 0x09 && rdOf(insn) == 0 && h.allowed(mstatusTVM): // SFENCE.VMA
		if rs1Of(insn) == 0 {
			h.flushTLB(false)
		} else {
			h.flushPage(h.x[uint8(rs1Of(insn))])
		}
		h.retire(next)
	default:
		h.illegal(insn)
	}
}

// allowed reports whether the mode may execute a supervisor instruction that
// the mstatus bit trap guards.
func (h *Hart) allowed(trap uint64) bool {
	return h.priv == PrivM || h.priv == PrivS && h.mstatus&trap == 0
}

func (h *Hart) ecall(next uint64) {
	switch h.priv {
	case PrivU:
		h.trap(causeEcallU, 0)
	case PrivM:
		h.trap(causeEcallM, 0)
	default:
		if h.cfg.Ecall != nil {
			pc := h.pc
			if h.cfg.Ecall(h) {
				if h.pc == pc { // else it has been sent elsewhere
					h.pc = next
				}
				h.instret++
				h.check = true
				return
			}
		}
		h.trap(causeEcallS, 0)
	}
}

// csrInsn carries out the six Zicsr instructions (Unpriv. chapter 6): whether
// they read or write at all depends on which registers they name.
func (h *Hart) csrInsn(insn uint32, next uint64) {
	n, f3, rd, rs1 := insn>>20, f3Of(insn), rdOf(insn), rs1Of(insn)
	src := h.x[uint8(rs1)]
	if f3 >= 5 {
		src = uint64(rs1)
	}
	write := f3&3 == 1 || rs1 != 0
	if f3&3 == 0 || write && n>>10 == 3 {
		h.illegal(insn)
		return
	}
	var old uint64
	if f3&3 != 1 || rd != 0 {
		var ok bool
		if old, ok = h.readCSR(n, h.priv); !ok {
			h.illegal(insn)
			return
		}
	}
	if write {
		v := old
		if n == csrMip && !h.softSEIP {
			v &^= mipSEIP // the line is not part of what is modified
		}
		switch f3 & 3 {
		case 1:
			v = src
		case 2:
			v |= src
		case 3:
			v &^= src
		}
		if !h.writeCSR(n, v, h.priv) {
			h.illegal(insn)
			return
		}
	}
	h.set(rd, old)
	h.retire(next)
}
