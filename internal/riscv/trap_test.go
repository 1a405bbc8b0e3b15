package riscv

import "testing"

// start puts code at RAM's beginning and a trap handler that loops at
// handlerM and handlerS.
func (r *rig) start(code ...uint32) {
	r.put(0, code...)
	r.put(handlerM, insnSelf)
	r.put(handlerS, insnSelf)
	r.SetCSR(csrMtvec, ramBase+handlerM)
	r.SetCSR(csrStvec, ramBase+handlerS)
	r.SetPC(ramBase)
}

func TestExceptions(t *testing.T) {
	const unmapped = 0x4000_0000
	for _, c := range []struct {
		name        string
		code        []uint32
		x1          uint64
		cause, tval uint64
		epc         uint64 // offset
	}{
		{"all zeros", []uint32{0}, 0, causeIllegal, 0, 0},
		{"all ones", []uint32{0xffffffff}, 0, causeIllegal, 0xffffffff, 0},
		{"reserved compressed", []uint32{0x8002}, 0, causeIllegal, 0x8002, 0},
		{"c.fld without D", []uint32{0x2000}, 0, causeIllegal, 0x2000, 0},
		{"c.fsdsp without D", []uint32{0xa002}, 0, causeIllegal, 0xa002, 0},
		{"fadd.s without F", []uint32{0x00000053}, 0, causeIllegal, 0x53, 0},
		{"flw without F", []uint32{0x0000a007}, 0, causeIllegal, 0xa007, 0},
		{"slliw with bit 5 of the amount", []uint32{0x0200101b}, 0, causeIllegal, 0x0200101b, 0},
		{"slli with a stray bit", []uint32{0x04001013 | 0x40000000}, 0, causeIllegal, 0x44001013, 0},
		{"branch of no kind", []uint32{encB(2, 0, 0, 8)}, 0, causeIllegal, uint64(encB(2, 0, 0, 8)), 0},
		{"jalr of no kind", []uint32{encI(opcJALR, 1, 0, 1, 0)}, 0, causeIllegal, uint64(encI(opcJALR, 1, 0, 1, 0)), 0},
		{"load of no kind", []uint32{encI(opcLoad, 7, 1, 1, 0)}, ramBase, causeIllegal, uint64(encI(opcLoad, 7, 1, 1, 0)), 0},
		{"store of no kind", []uint32{encS(opcStore, 4, 1, 1, 0)}, ramBase, causeIllegal, uint64(encS(opcStore, 4, 1, 1, 0)), 0},
		{"unknown CSR", []uint32{csrrs(1, 0x800, 0)}, 0, causeIllegal, uint64(csrrs(1, 0x800, 0)), 0},
		{"write to a read-only CSR", []uint32{csrrw(0, csrMhartid, 0)}, 0, causeIllegal, uint64(csrrw(0, csrMhartid, 0)), 0},
		{"lr with rs2", []uint32{amoEnc(amoLR, 3, 1, 1, 2)}, ramBase, causeIllegal, uint64(amoEnc(amoLR, 3, 1, 1, 2)), 0},
		{"amo of a halfword", []uint32{amoEnc(amoAdd, 1, 1, 1, 2)}, ramBase, causeIllegal, uint64(amoEnc(amoAdd, 1, 1, 1, 2)), 0},
		{"second instruction", []uint32{insnNop, 0x0001, insnEBREAK}, 0, causeBreakpoint, ramBase + 6, 6},
		{"c.ebreak", []uint32{0x9002}, 0, causeBreakpoint, ramBase, 0},
		{"ecall", []uint32{insnNop, insnECALL}, 0, causeEcallM, 0, 4},
		{"load from nowhere", []uint32{ld(2, 1, 8)}, unmapped, causeLoadAccess, unmapped + 8, 0},
		{"store to nowhere", []uint32{sd(2, 1, 8)}, unmapped, causeStoreAccess, unmapped + 8, 0},
		{"amo on nothing", []uint32{amoEnc(amoAdd, 3, 1, 1, 2)}, unmapped, causeStoreAccess, unmapped, 0},
		{"lr from nothing", []uint32{amoEnc(amoLR, 3, 1, 1, 0)}, unmapped, causeLoadAccess, unmapped, 0},
		{"lr misaligned", []uint32{amoEnc(amoLR, 2, 1, 1, 0)}, ramBase + 2, causeLoadMisaligned, ramBase + 2, 0},
		{"sc misaligned", []uint32{amoEnc(amoSC, 3, 1, 1, 0)}, ramBase + 4, causeStoreMisaligned, ramBase + 4, 0},
		{"amo misaligned", []uint32{amoEnc(amoSwap, 2, 1, 1, 0)}, ramBase + 1, causeStoreMisaligned, ramBase + 1, 0},
		{"device misaligned", []uint32{ld(2, 1, 0)}, devBase + 4, causeLoadAccess, devBase + 4, 0},
		{"device store misaligned", []uint32{sd(2, 1, 0)}, devBase + 1, causeStoreAccess, devBase + 1, 0},
		{"load across the end of RAM", []uint32{ld(2, 1, 0)}, ramBase + 1<<20 - 4, causeLoadAccess, ramBase + 1<<20 - 4, 0},
		{"store across the end of RAM", []uint32{sd(2, 1, 0)}, ramBase + 1<<20 - 4, causeStoreAccess, ramBase + 1<<20 - 4, 0},
		{"fence of no kind", []uint32{0x0000200f}, 0, causeIllegal, 0x200f, 0},
		{"sfence with rd", []uint32{sfence(0, 0) | 1<<7}, 0, causeIllegal, uint64(sfence(0, 0) | 1<<7), 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			eachEngine(t, func(t *testing.T, engine func(*Config)) {
				r := newRig(t, engine)
				r.start(c.code...)
				r.SetReg(1, c.x1)
				for range 5 {
					r.Step(1)
				}
				if r.mcause != c.cause || r.mtval != c.tval || r.mepc != ramBase+c.epc {
					t.Errorf("cause %d tval %#x epc %#x; want %d %#x %#x", r.mcause, r.mtval, r.mepc, c.cause, c.tval, ramBase+c.epc)
				}
				if r.PC() != ramBase+handlerM || r.Traps() != 1 {
					t.Errorf("pc %#x after %d traps", r.PC(), r.Traps())
				}
			})
		})
	}
}

func TestFetchFaults(t *testing.T) {
	eachEngine(t, func(t *testing.T, engine func(*Config)) {
		for _, pc := range []uint64{devBase, 0x4000_0000, ^uint64(1)} {
			r := newRig(t, engine)
			r.start()
			r.SetPC(pc)
			r.Step(1)
			if r.mcause != causeFetchAccess || r.mepc != pc || r.mtval != pc {
				t.Errorf("pc %#x: cause %d epc %#x tval %#x", pc, r.mcause, r.mepc, r.mtval)
			}
		}
		r := newRig(t, engine) // an instruction half inside RAM
		r.start()
		r.SetPC(ramBase + 1<<20 - 2)
		r.ram[1<<20-2] = 0x03 // 32 bits long
		r.Step(1)
		if r.mcause != causeFetchAccess || r.mepc != ramBase+1<<20-2 || r.mtval != ramBase+1<<20 {
			t.Errorf("straddling: cause %d epc %#x tval %#x", r.mcause, r.mepc, r.mtval)
		}
	})
}

func TestTrapAndReturn(t *testing.T) {
	eachEngine(t, func(t *testing.T, engine func(*Config)) {
		r := newRig(t, engine)
		r.start(insnECALL)
		r.put(handlerM, insnMRET)
		r.put(handlerS, insnSRET)
		r.allowAll()
		r.SetCSR(csrMstatus, mstatusSIE|mstatusMIE|mstatusMPRV)

		r.SetPriv(PrivU)
		r.Step(1)
		if r.mcause != causeEcallU || r.Priv() != PrivM {
			t.Fatalf("cause %d priv %d", r.mcause, r.Priv())
		}
		if r.mstatus&(mstatusMIE|mstatusMPIE|mstatusMPP) != mstatusMPIE {
			t.Errorf("mstatus %#x in the handler", r.mstatus)
		}
		r.Step(1)
		if r.Priv() != PrivU || r.PC() != ramBase || r.mstatus&(mstatusMIE|mstatusMPRV|mstatusMPP) != mstatusMIE {
			t.Errorf("priv %d pc %#x mstatus %#x after mret", r.Priv(), r.PC(), r.mstatus)
		}

		r.SetCSR(csrMedeleg, 1<<causeEcallU|1<<causeEcallS)
		r.Step(1)
		if r.scause != causeEcallU || r.Priv() != PrivS || r.PC() != ramBase+handlerS || r.sepc != ramBase {
			t.Fatalf("delegated: cause %d priv %d pc %#x", r.scause, r.Priv(), r.PC())
		}
		if r.mstatus&(mstatusSIE|mstatusSPIE|mstatusSPP) != mstatusSPIE {
			t.Errorf("sstatus %#x in the handler", r.mstatus)
		}
		r.Step(1)
		if r.Priv() != PrivU || r.mstatus&mstatusSIE == 0 {
			t.Errorf("priv %d mstatus %#x after sret", r.Priv(), r.mstatus)
		}

		r.SetPriv(PrivS)
		r.Step(1)
		if r.scause != causeEcallS || r.mstatus&mstatusSPP == 0 {
			t.Errorf("from S: cause %d mstatus %#x", r.scause, r.mstatus)
		}
		r.SetPC(ramBase)
		r.SetPriv(PrivM) // never delegated from M
		r.Step(1)
		if r.mcause != causeEcallM || r.mstatus&mstatusMPP != mstatusMPP {
			t.Errorf("from M: cause %d mstatus %#x", r.mcause, r.mstatus)
		}
	})
}

func TestPrivilegedInstructions(t *testing.T) {
	for _, c := range []struct {
		name   string
		insn   uint32
		priv   Priv
		status uint64
		legal  bool
	}{
		{"mret in M", insnMRET, PrivM, 0, true},
		{"mret in S", insnMRET, PrivS, 0, false},
		{"sret in M", insnSRET, PrivM, mstatusTSR, true},
		{"sret in S", insnSRET, PrivS, 0, true},
		{"sret in S, TSR", insnSRET, PrivS, mstatusTSR, false},
		{"sret in U", insnSRET, PrivU, 0, false},
		{"wfi in M, TW", insnWFI, PrivM, mstatusTW, true},
		{"wfi in S", insnWFI, PrivS, 0, true},
		{"wfi in S, TW", insnWFI, PrivS, mstatusTW, false},
		{"wfi in U", insnWFI, PrivU, 0, false},
		{"sfence in M, TVM", sfence(0, 0), PrivM, mstatusTVM, true},
		{"sfence in S", sfence(1, 2), PrivS, 0, true},
		{"sfence in S, TVM", sfence(0, 0), PrivS, mstatusTVM, false},
		{"sfence in U", sfence(0, 0), PrivU, 0, false},
		{"satp in M, TVM", csrrs(1, csrSatp, 0), PrivM, mstatusTVM, true},
		{"satp in S", csrrs(1, csrSatp, 0), PrivS, 0, true},
		{"satp in S, TVM", csrrs(1, csrSatp, 0), PrivS, mstatusTVM, false},
		{"satp write in S, TVM", csrrw(0, csrSatp, 0), PrivS, mstatusTVM, false},
		{"sstatus in U", csrrs(1, csrSstatus, 0), PrivU, 0, false},
		{"mstatus in S", csrrs(1, csrMstatus, 0), PrivS, 0, false},
		{"cycle in S, not enabled", csrrs(1, csrCycle, 0), PrivS, 0, false},
		{"stimecmp without a timer", csrrs(1, csrStimecmp, 0), PrivM, 0, false},
		{"time without a clock", csrrs(1, csrTime, 0), PrivM, 0, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			eachEngine(t, func(t *testing.T, engine func(*Config)) {
				r := newRig(t, engine)
				r.start(c.insn)
				r.allowAll()
				r.SetCSR(csrMstatus, c.status)
				r.SetPriv(c.priv)
				r.Step(1)
				legal := r.Traps() == 0
				if legal != c.legal || !legal && (r.mcause != causeIllegal || r.mtval != uint64(c.insn)) {
					t.Errorf("legal %v, want %v; cause %d tval %#x", legal, c.legal, r.mcause, r.mtval)
				}
			})
		})
	}
}

func TestInterruptPriority(t *testing.T) {
	eachEngine(t, func(t *testing.T, engine func(*Config)) {
		r := newRig(t, engine)
		r.start(insnSelf)
		r.allowAll()
		r.SetCSR(csrMie, mipMask)
		all := []uint{IRQMachineExternal, IRQMachineSoftware, IRQMachineTimer,
			IRQSupervisorExternal, IRQSupervisorSoftware, IRQSupervisorTimer}
		for _, irq := range all {
			r.SetIRQ(irq, true)
		}
		r.Step(1)
		if r.Traps() != 0 {
			t.Fatal("interrupted with MIE clear in M-mode")
		}
		for _, want := range all {
			r.SetCSR(csrMstatus, mstatusMIE)
			r.SetPC(ramBase)
			r.Step(1)
			if r.mcause != causeInterrupt|uint64(want) || r.mepc != ramBase || r.mtval != 0 {
				t.Errorf("cause %#x epc %#x, want interrupt %d", r.mcause, r.mepc, want)
			}
			r.SetIRQ(want, false)
		}
	})
}

func TestInterruptDelegation(t *testing.T) {
	for _, c := range []struct {
		name   string
		irq    uint
		deleg  uint64
		status uint64
		priv   Priv
		taken  bool
		to     Priv
	}{
		{"machine interrupt preempts S without MIE", IRQMachineTimer, 0, 0, PrivS, true, PrivM},
		{"not delegated goes to M", IRQSupervisorTimer, 0, mstatusSIE, PrivS, true, PrivM},
		{"delegated, SIE", IRQSupervisorTimer, mipSTIP, mstatusSIE, PrivS, true, PrivS},
		{"delegated, no SIE", IRQSupervisorTimer, mipSTIP, 0, PrivS, false, PrivS},
		{"delegated preempts U", IRQSupervisorExternal, mipSEIP, 0, PrivU, true, PrivS},
		{"delegated never reaches M", IRQSupervisorExternal, mipSEIP, mstatusMIE | mstatusSIE, PrivM, false, PrivM},
	} {
		t.Run(c.name, func(t *testing.T) {
			eachEngine(t, func(t *testing.T, engine func(*Config)) {
				r := newRig(t, engine)
				r.start(insnSelf)
				r.allowAll()
				r.SetCSR(csrMie, mipMask)
				r.SetCSR(csrMideleg, c.deleg)
				r.SetCSR(csrMstatus, c.status)
				r.SetPriv(c.priv)
				r.SetIRQ(c.irq, true)
				r.Step(3)
				if taken := r.Traps() != 0; taken != c.taken || r.Priv() != c.to {
					t.Errorf("taken %v to mode %d; want %v, %d", taken, r.Priv(), c.taken, c.to)
				}
			})
		})
	}
}

func TestVectoredInterrupts(t *testing.T) {
	eachEngine(t, func(t *testing.T, engine func(*Config)) {
		r := newRig(t, engine)
		r.start(0)
		r.SetCSR(csrMtvec, ramBase+0x100|1)
		r.steps(1)
		if r.PC() != ramBase+0x100 {
			t.Errorf("exception goes to %#x", r.PC())
		}
		r.SetCSR(csrMie, mipMask)
		r.SetCSR(csrMstatus, mstatusMIE)
		r.SetIRQ(IRQMachineTimer, true)
		r.put(0x100+4*IRQMachineTimer, insnSelf)
		r.Step(1)
		if r.PC() != ramBase+0x100+4*IRQMachineTimer {
			t.Errorf("interrupt goes to %#x", r.PC())
		}
	})
}

// TestUnmaskTakesInterruptAtOnce: an instruction that makes an interrupt
// deliverable is the last one before it.
func TestUnmaskTakesInterruptAtOnce(t *testing.T) {
	eachEngine(t, func(t *testing.T, engine func(*Config)) {
		r := newRig(t, engine)
		r.start(csrrs(0, csrMstatus, 1), addi(2, 2, 1), addi(2, 2, 1), insnSelf)
		r.SetReg(1, mstatusMIE)
		r.SetCSR(csrMie, mipMTIP)
		r.SetIRQ(IRQMachineTimer, true)
		r.Step(10)
		if r.mepc != ramBase+4 || r.Reg(2) != 0 {
			t.Errorf("epc %#x, x2 %d", r.mepc, r.Reg(2))
		}
	})
}
