package riscv

import "testing"

func TestCSRWriteMasks(t *testing.T) {
	const all = ^uint64(0)
	for _, c := range []struct {
		name        string
		csr         uint32
		write, read uint64
	}{
		{"mstatus", csrMstatus, all, mstatusXL | mstatusWritable},
		{"mstatus, MPP of no mode keeps", csrMstatus, 2 << mstatusMPPShift, mstatusXL},
		{"sstatus", csrSstatus, all, 2<<32 | sstatusWritable},
		{"misa is fixed", csrMisa, 0, 2<<62 | 0x141105},
		{"medeleg", csrMedeleg, all, 0xb3ff},
		{"mideleg", csrMideleg, all, 0x222},
		{"mie", csrMie, all, 0xaaa},
		{"sie without delegation", csrSie, all, 0},
		{"mtvec, vectored", csrMtvec, 0x1001, 0x1001},
		{"mtvec, reserved mode", csrMtvec, 0x1002, 0},
		{"stvec, reserved mode", csrStvec, 0x1003, 0},
		{"mepc is even", csrMepc, all, all &^ 1},
		{"sepc is even", csrSepc, all, all &^ 1},
		{"mscratch", csrMscratch, all, all},
		{"mcause", csrMcause, all, all},
		{"stval", csrStval, all, all},
		{"mip, software's bits", csrMip, all, mipSSIP | mipSTIP | mipSEIP},
		{"mcounteren", csrMcounteren, all, 7},
		{"scounteren", csrScounteren, all, 7},
		{"menvcfg without timer", csrMenvcfg, all, envcfgFIOM},
		{"senvcfg", csrSenvcfg, all, envcfgFIOM},
		{"satp, Sv39", csrSatp, 8<<60 | 0x1234, 8<<60 | 0x1234},
		{"satp, Sv48 is not there", csrSatp, 9<<60 | 0x1234, 0},
		{"pmpaddr", csrPmpaddr0 + 15, all, 1<<54 - 1},
		{"hpm counters count nothing", csrMhpmcounter3, all, 0},
		{"hpm events", csrMhpmevent31, all, 0},
		{"mcountinhibit", csrMcountinhibit, all, 0},
	} {
		r := newRig(t, nil)
		if !r.SetCSR(c.csr, c.write) {
			t.Errorf("%s: not writable", c.name)
		}
		if v, ok := r.CSR(c.csr); !ok || v != c.read {
			t.Errorf("%s: reads %#x, want %#x", c.name, v, c.read)
		}
	}
	r := newRig(t, nil)
	if r.SetCSR(csrMhartid, 1) || r.SetCSR(csrTime, 1) || r.SetCSR(0x800, 1) {
		t.Error("a read-only or missing CSR is writable")
	}
}

func TestSupervisorViews(t *testing.T) {
	r := newRig(t, nil)
	r.SetCSR(csrMideleg, mipSSIP|mipSEIP)
	r.SetCSR(csrMie, mipMask)
	r.SetIRQ(IRQSupervisorExternal, true)
	r.SetIRQ(IRQSupervisorTimer, true)
	r.SetIRQ(IRQSupervisorSoftware, true)
	if v, _ := r.CSR(csrSie); v != mipSSIP|mipSEIP {
		t.Errorf("sie %#x", v)
	}
	if v, _ := r.CSR(csrSip); v != mipSSIP|mipSEIP {
		t.Errorf("sip %#x", v)
	}
	r.SetCSR(csrSip, 0) // SSIP is software's to clear, SEIP is not
	if v, _ := r.CSR(csrMip); v != mipSEIP|mipSTIP {
		t.Errorf("mip %#x", v)
	}
	r.SetCSR(csrSie, 0)
	if v, _ := r.CSR(csrMie); v != mipMask&^(mipSSIP|mipSEIP) {
		t.Errorf("mie %#x", v)
	}
}

// TestExternalLineAndBit: mip.SEIP is a line and a bit; reading shows either,
// and modifying must not copy the line to the bit.
func TestExternalLineAndBit(t *testing.T) {
	eachEngine(t, func(t *testing.T, engine func(*Config)) {
		r := newRig(t, engine)
		r.start(csrrs(2, csrMip, 1), insnSelf)
		r.SetReg(1, mipSSIP)
		r.SetIRQ(IRQSupervisorExternal, true)
		r.Step(1)
		if r.Reg(2) != mipSEIP {
			t.Errorf("read %#x", r.Reg(2))
		}
		r.SetIRQ(IRQSupervisorExternal, false)
		if v, _ := r.CSR(csrMip); v != mipSSIP {
			t.Errorf("mip %#x after the line fell", v)
		}
		r.SetCSR(csrMip, mipSEIP)
		if v, _ := r.CSR(csrMip); v != mipSEIP {
			t.Errorf("mip %#x with the bit set", v)
		}
	})
}

// TestCSRInstructionForms: which of the six forms read, write and trap.
func TestCSRInstructionForms(t *testing.T) {
	const n = csrMscratch
	imm := func(f3, rd, z uint32) uint32 { return n<<20 | z<<15 | f3<<12 | rd<<7 | opcSystem }
	for _, c := range []struct {
		name      string
		insn      uint32
		rd, after uint64
	}{
		{"csrrw", csrrw(2, n, 1), 0xf0, 0x3c},
		{"csrrs", csrrs(2, n, 1), 0xf0, 0xfc},
		{"csrrc", csrrc(2, n, 1), 0xf0, 0xc0},
		{"csrrs x0", csrrs(2, n, 0), 0xf0, 0xf0},
		{"csrrw of rd itself", csrrw(1, n, 1), 0, 0x3c},
		{"csrrwi", imm(5, 2, 31), 0xf0, 31},
		{"csrrsi", imm(6, 2, 3), 0xf0, 0xf3},
		{"csrrci", imm(7, 2, 0x10), 0xf0, 0xe0},
	} {
		eachEngine(t, func(t *testing.T, engine func(*Config)) {
			r := newRig(t, engine)
			r.start(c.insn, insnSelf)
			r.SetCSR(n, 0xf0)
			r.SetReg(1, 0x3c)
			r.Step(1)
			if r.Reg(2) != c.rd || r.mscratch != c.after {
				t.Errorf("%s: rd %#x, CSR %#x; want %#x, %#x", c.name, r.Reg(2), r.mscratch, c.rd, c.after)
			}
		})
	}
}

func TestCounters(t *testing.T) {
	eachEngine(t, func(t *testing.T, engine func(*Config)) {
		r := newRig(t, engine)
		r.start(
			insnNop, insnNop,
			csrrs(2, csrMinstret, 0), // 2 before it
			csrrw(0, csrMinstret, 1), // 100
			csrrs(3, csrInstret, 0),  // reads what was written
			insnNop,
			csrrs(4, csrMinstret, 0),
			csrrs(5, csrCycle, 0),
			insnSelf,
		)
		r.SetReg(1, 100)
		r.Step(8)
		if r.Reg(2) != 2 || r.Reg(3) != 100 || r.Reg(4) != 102 || r.Reg(5) != 7 {
			t.Errorf("read %d, %d, %d, cycle %d", r.Reg(2), r.Reg(3), r.Reg(4), r.Reg(5))
		}
		before := r.Instret()
		r.Reset()
		if v, _ := r.CSR(csrMinstret); v != 0 || r.Instret() != before {
			t.Errorf("minstret %d after reset", v)
		}
	})
}

func TestCounterEnables(t *testing.T) {
	for _, c := range []struct {
		m, s uint64
		priv Priv
		ok   bool
	}{
		{0, 0, PrivM, true}, {0, 7, PrivS, false}, {4, 0, PrivS, true}, {4, 0, PrivU, false},
		{4, 4, PrivU, true}, {0, 4, PrivU, false}, {3, 3, PrivU, false},
	} {
		r := newRig(t, nil)
		r.SetCSR(csrMcounteren, c.m)
		r.SetCSR(csrScounteren, c.s)
		if _, ok := r.readCSR(csrInstret, c.priv); ok != c.ok {
			t.Errorf("mcounteren %d scounteren %d mode %d: %v", c.m, c.s, c.priv, ok)
		}
	}
}

func TestEcallToFirmwareOutside(t *testing.T) {
	eachEngine(t, func(t *testing.T, engine func(*Config)) {
		r := newRig(t, func(c *Config) {
			engine(c)
			c.Ecall = func(h *Hart) bool {
				if h.Reg(17) != 16 {
					return false
				}
				h.SetReg(10, h.Reg(10)*2)
				return true
			}
		})
		r.start(insnECALL, addi(11, 10, 1), addi(17, 0, 1), insnECALL)
		r.allowAll()
		r.SetPriv(PrivS)
		r.SetReg(10, 21)
		r.SetReg(17, 16)
		r.Step(4)
		if r.Reg(11) != 43 || r.mcause != causeEcallS || r.mepc != ramBase+12 || r.Traps() != 1 {
			t.Errorf("x11 %d, cause %d at %#x, %d traps", r.Reg(11), r.mcause, r.mepc, r.Traps())
		}
	})
}

func TestNewRefuses(t *testing.T) {
	if _, err := New(Config{}); err == nil {
		t.Error("a hart without memory")
	}
	page := make([]byte, 2*pageSize)
	for name, layout := range map[string][]Region{
		"part of a page": {{Base: 0, Bytes: page[:100]}},
		"odd base":       {{Base: 8, Bytes: page}},
		"overlap":        {{Base: 0, Bytes: page}, {Base: pageSize, Bytes: page}},
		"wraps":          {{Base: ^uint64(0) &^ pageMask, Bytes: page}},
		"empty":          {{}},
	} {
		if _, err := NewMemory(layout...); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	m, err := NewMemory(Region{Base: pageSize, Bytes: page})
	if err != nil {
		t.Fatal(err)
	}
	if m.Slice(pageSize, 2*pageSize) == nil || m.Slice(pageSize, 2*pageSize+1) != nil || m.Slice(0, 1) != nil ||
		m.Slice(pageSize+1, ^uint64(0)) != nil {
		t.Error("Slice does not keep to its region")
	}
}
