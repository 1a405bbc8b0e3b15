package riscv

// CSR reads a control register as M-mode would; ok false means that there is
// none of that number.
func (h *Hart) CSR(n uint32) (v uint64, ok bool) { return h.readCSR(n, PrivM) }

// SetCSR writes a control register as M-mode would and reports whether that
// is possible.
func (h *Hart) SetCSR(n uint32, v uint64) bool {
	if n>>10&3 == 3 {
		return false
	}
	return h.writeCSR(n, v, PrivM)
}

// readCSR reads register n for code in mode p; ok false is an illegal
// instruction.
func (h *Hart) readCSR(n uint32, p Priv) (v uint64, ok bool) {
	if Priv(n>>8&3) > p {
		return 0, false
	}
	switch n {
	case csrCycle, csrInstret, csrTime:
		if !h.counterEnabled(n, p) {
			return 0, false
		}
		switch {
		case n == csrCycle:
			return h.instret + h.cycleOffset, true
		case n == csrInstret:
			return h.instret + h.instretOffset, true
		case h.cfg.Time != nil:
			return h.cfg.Time(), true
		}
		return 0, false

	case csrSstatus:
		return h.mstatus & sstatusReadable, true
	case csrSie:
		return h.mie & h.mideleg, true
	case csrStvec:
		return h.stvec, true
	case csrScounteren:
		return h.scounteren, true
	case csrSenvcfg:
		return h.senvcfg, true
	case csrSscratch:
		return h.sscratch, true
	case csrSepc:
		return h.sepc, true
	case csrScause:
		return h.scause, true
	case csrStval:
		return h.stval, true
	case csrSip:
		return h.readMip() & h.mideleg, true
	case csrStimecmp:
		return h.readStimecmp(), h.stimecmpEnabled(p)
	case csrSatp:
		return h.satp, !h.tvmTraps(p)

	case csrMvendorid, csrMarchid, csrMimpid, csrMconfigptr:
		return 0, true
	case csrMhartid:
		return h.cfg.ID, true
	case csrMstatus:
		return h.mstatus, true
	case csrMisa:
		return misaValue, true
	case csrMedeleg:
		return h.medeleg, true
	case csrMideleg:
		return h.mideleg, true
	case csrMie:
		return h.mie, true
	case csrMtvec:
		return h.mtvec, true
	case csrMcounteren:
		return h.mcounteren, true
	case csrMenvcfg:
		return h.menvcfg, true
	case csrMscratch:
		return h.mscratch, true
	case csrMepc:
		return h.mepc, true
	case csrMcause:
		return h.mcause, true
	case csrMtval:
		return h.mtval, true
	case csrMip:
		return h.readMip(), true
	case csrPmpcfg0, csrPmpcfg2:
		return h.pmp.readCfg(int(n-csrPmpcfg0) / 2), true
	case csrMcycle:
		return h.instret + h.cycleOffset, true
	case csrMinstret:
		return h.instret + h.instretOffset, true
	case csrMcountinhibit:
		return 0, true
	}
	switch {
	case n >= csrPmpaddr0 && n <= csrPmpaddr15:
		return h.pmp.addr[n-csrPmpaddr0], true
	case n >= csrMhpmcounter3 && n <= csrMhpmcounter31, n >= csrMhpmevent3 && n <= csrMhpmevent31:
		return 0, true // present, and counts nothing
	case n >= csrHpmcounter3 && n <= csrHpmcounter31:
		return 0, p == PrivM
	}
	return 0, false
}

// writeCSR writes register n, which is none of the read-only ones, for code
// in mode p; false is an illegal instruction.
func (h *Hart) writeCSR(n uint32, v uint64, p Priv) bool {
	if Priv(n>>8&3) > p {
		return false
	}
	h.check = true // many of these can make an interrupt deliverable
	switch n {
	case csrSstatus:
		h.writeMstatus(h.mstatus&^sstatusWritable | v&sstatusWritable)
	case csrSie:
		h.mie = h.mie&^h.mideleg | v&h.mideleg
	case csrStvec:
		h.stvec = trapVector(h.stvec, v)
	case csrScounteren:
		h.scounteren = v & counterMask
	case csrSenvcfg:
		h.senvcfg = v & envcfgFIOM
	case csrSscratch:
		h.sscratch = v
	case csrSepc:
		h.sepc = v &^ 1
	case csrScause:
		h.scause = v
	case csrStval:
		h.stval = v
	case csrSip:
		h.writeMip(v, h.mideleg&mipSSIP)
	case csrStimecmp:
		if !h.stimecmpEnabled(p) {
			return false
		}
		h.writeStimecmp(v)
	case csrSatp:
		if h.tvmTraps(p) {
			return false
		}
		h.writeSatp(v)

	case csrMstatus:
		h.writeMstatus(v)
	case csrMedeleg:
		h.medeleg = v & delegableExceptions
	case csrMideleg:
		h.mideleg = v & delegableIRQs
	case csrMie:
		h.mie = v & mipMask
	case csrMtvec:
		h.mtvec = trapVector(h.mtvec, v)
	case csrMcounteren:
		h.mcounteren = v & counterMask
	case csrMenvcfg:
		h.menvcfg = v & envcfgFIOM
		if h.cfg.ArmTimer != nil {
			h.menvcfg |= v & envcfgSTCE
		}
		h.refreshTimer()
	case csrMscratch:
		h.mscratch = v
	case csrMepc:
		h.mepc = v &^ 1
	case csrMcause:
		h.mcause = v
	case csrMtval:
		h.mtval = v
	case csrMip:
		h.writeMip(v, mipSSIP|mipSTIP|mipSEIP)
	case csrPmpcfg0, csrPmpcfg2:
		h.pmp.writeCfg(int(n-csrPmpcfg0)/2, v)
		h.flushTLB(true)
	case csrMcycle: // takes effect after this instruction has been counted
		h.cycleOffset = v - (h.instret + 1)
	case csrMinstret:
		h.instretOffset = v - (h.instret + 1)
	case csrMisa, csrMcountinhibit: // fixed
	default:
		switch {
		case n >= csrPmpaddr0 && n <= csrPmpaddr15:
			h.pmp.writeAddr(int(n-csrPmpaddr0), v)
			h.flushTLB(true)
		case n >= csrMhpmcounter3 && n <= csrMhpmcounter31, n >= csrMhpmevent3 && n <= csrMhpmevent31:
		default:
			return false
		}
	}
	return true
}
