package riscv

// Control and status registers (Priv. chapter 2).
const (
	csrCycle, csrTime, csrInstret = 0xc00, 0xc01, 0xc02
	csrHpmcounter3                = 0xc03
	csrHpmcounter31               = 0xc1f

	csrSstatus, csrSie, csrStvec, csrScounteren       = 0x100, 0x104, 0x105, 0x106
	csrSenvcfg                                        = 0x10a
	csrSscratch, csrSepc, csrScause, csrStval, csrSip = 0x140, 0x141, 0x142, 0x143, 0x144
	csrStimecmp                                       = 0x14d
	csrSatp                                           = 0x180

	csrMvendorid, csrMarchid, csrMimpid, csrMhartid, csrMconfigptr = 0xf11, 0xf12, 0xf13, 0xf14, 0xf15

	csrMstatus, csrMisa, csrMedeleg, csrMideleg, csrMie = 0x300, 0x301, 0x302, 0x303, 0x304
	csrMtvec, csrMcounteren, csrMenvcfg                 = 0x305, 0x306, 0x30a
	csrMcountinhibit, csrMhpmevent3, csrMhpmevent31     = 0x320, 0x323, 0x33f
	csrMscratch, csrMepc, csrMcause, csrMtval, csrMip   = 0x340, 0x341, 0x342, 0x343, 0x344
	csrPmpcfg0, csrPmpcfg2, csrPmpaddr0, csrPmpaddr15   = 0x3a0, 0x3a2, 0x3b0, 0x3bf

	csrMcycle, csrMinstret, csrMhpmcounter3, csrMhpmcounter31 = 0xb00, 0xb02, 0xb03, 0xb1f
)

const (
	mstatusSIE  = 1 << 1
	mstatusMIE  = 1 << 3
	mstatusSPIE = 1 << 5
	mstatusMPIE = 1 << 7
	mstatusSPP  = 1 << mstatusSPPShift
	mstatusMPP  = 3 << mstatusMPPShift
	mstatusMPRV = 1 << 17
	mstatusSUM  = 1 << 18
	mstatusMXR  = 1 << 19
	mstatusTVM  = 1 << 20
	mstatusTW   = 1 << 21
	mstatusTSR  = 1 << 22
	mstatusXL   = 2<<32 | 2<<34 // UXL and SXL: 64 bits, fixed

	mstatusSPPShift = 8
	mstatusMPPShift = 11

	sstatusWritable = mstatusSIE | mstatusSPIE | mstatusSPP | mstatusSUM | mstatusMXR
	sstatusReadable = sstatusWritable | 2<<32
	mstatusWritable = sstatusWritable | mstatusMIE | mstatusMPIE | mstatusMPP | mstatusMPRV |
		mstatusTVM | mstatusTW | mstatusTSR

	// RV64, extensions A (bit 0), C, I, M, S, U; fixed.
	misaValue = 2<<62 | 1 | 1<<('C'-'A') | 1<<('I'-'A') | 1<<('M'-'A') | 1<<('S'-'A') | 1<<('U'-'A')

	envcfgFIOM  = 1 << 0
	envcfgSTCE  = 1 << 63
	counterMask = 7 // CY, TM, IR

	satpModeShift = 60
	satpSv39      = 8
	satpPPNMask   = 1<<44 - 1
)

// csrs are the registers without a better home. mip is apart, being shared.
type csrs struct {
	mstatus, medeleg, mideleg, mie   uint64
	mtvec, mscratch, mepc, mcause    uint64
	mtval, mcounteren, menvcfg       uint64
	stvec, sscratch, sepc, scause    uint64
	stval, scounteren, senvcfg, satp uint64
	softSEIP                         bool   // the writable half of mip.SEIP
	cycleOffset, instretOffset       uint64 // counter = instret + offset
}

func resetCSRs(instret uint64) csrs {
	return csrs{mstatus: mstatusXL, cycleOffset: -instret, instretOffset: -instret}
}

// trapVector is the value of xtvec after v is written to it: the reserved
// modes leave it as it is.
func trapVector(old, v uint64) uint64 {
	if v&3 > 1 {
		return old
	}
	return v
}

func (h *Hart) writeMstatus(v uint64) {
	if v>>mstatusMPPShift&3 == 2 { // no such mode: keep
		v = v&^mstatusMPP | h.mstatus&mstatusMPP
	}
	changed := h.mstatus
	h.mstatus = h.mstatus&^mstatusWritable | v&mstatusWritable
	if changed ^= h.mstatus; changed&mstatusMXR != 0 {
		h.flushTLB(true) // M-mode too, for MPRV
	}
	h.selectContext()
}

func (h *Hart) writeSatp(v uint64) {
	if mode := v >> satpModeShift; v == h.satp || mode != 0 && mode != satpSv39 {
		return // an unsupported mode leaves the register as it is
	}
	h.satp = v
	h.flushTLB(false)
}

// tvmTraps reports whether mstatus.TVM keeps mode p from the page tables.
func (h *Hart) tvmTraps(p Priv) bool { return p == PrivS && h.mstatus&mstatusTVM != 0 }

// counterEnabled applies mcounteren and scounteren to a counter.
func (h *Hart) counterEnabled(n uint32, p Priv) bool {
	bit := uint64(1) << (n & 31)
	return (p == PrivM || h.mcounteren&bit != 0) && (p != PrivU || h.scounteren&bit != 0)
}

// readMip returns mip with both halves of SEIP.
func (h *Hart) readMip() uint64 {
	v := h.mip.Load()
	if h.softSEIP {
		v |= mipSEIP
	}
	return v
}

// writeMip sets the software-writable bits in mask.
func (h *Hart) writeMip(v, mask uint64) {
	if mask&mipSEIP != 0 {
		h.softSEIP = v&mipSEIP != 0
		mask &^= mipSEIP
	}
	if h.menvcfg&envcfgSTCE != 0 {
		mask &^= mipSTIP // Sstc drives it
	}
	h.mip.Or(v & mask)
	h.mip.And(v | ^mask)
}
