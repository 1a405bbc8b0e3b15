package riscv

import (
	"fmt"
	"testing"
)

// Page tables for the tests: root, one second and one third level. paged
// maps one 4 KiB page at virtual pageVA with the given flags to dataOff, and
// the first GiB of RAM, superpage, at its own address for S-mode code.
const (
	pageVA  = 0x0020_3000
	rootOff = tables
	l1Off   = tables + 0x1000
	l0Off   = tables + 0x2000
)

func pte(off, flags uint64) uint64 { return (ramBase+off)>>2 | flags }

func (r *rig) paged(flags uint64) {
	const rwx = pteV | pteR | pteW | pteX | pteA | pteD
	r.allowAll()
	r.setWord(rootOff+8*2, pte(0, rwx))
	r.setWord(rootOff, pte(l1Off, pteV))
	r.setWord(l1Off+8*1, pte(l0Off, pteV))
	r.setWord(l0Off+8*3, pte(dataOff, flags))
	r.SetCSR(csrSatp, satpSv39<<satpModeShift|(ramBase+rootOff)>>pageShift)
	r.SetPriv(PrivS)
}

func (r *rig) leafPTE() uint64 { return r.word(l0Off + 8*3) }

func TestSv39Rights(t *testing.T) {
	type want struct{ load, store, fetch bool }
	for _, c := range []struct {
		flags  uint64
		priv   Priv
		status uint64
		want   want
	}{
		{pteV | pteR, PrivS, 0, want{load: true}},
		{pteV | pteR | pteW, PrivS, 0, want{load: true, store: true}},
		{pteV | pteX, PrivS, 0, want{fetch: true}},
		{pteV | pteX, PrivS, mstatusMXR, want{load: true, fetch: true}},
		{pteV | pteR | pteX, PrivS, 0, want{load: true, fetch: true}},
		{pteV | pteR | pteW | pteX, PrivS, 0, want{true, true, true}},
		{pteR | pteW | pteX, PrivS, 0, want{}},        // not valid
		{pteV | pteW, PrivS, 0, want{}},               // reserved
		{pteV | pteW | pteX, PrivS, 0, want{}},        // reserved
		{pteV | pteR | pteW | pteX, PrivU, 0, want{}}, // supervisor's
		{pteV | pteU | pteR | pteW | pteX, PrivU, 0, want{true, true, true}},
		{pteV | pteU | pteR | pteW | pteX, PrivS, 0, want{}},
		{pteV | pteU | pteR | pteW | pteX, PrivS, mstatusSUM, want{load: true, store: true}},
		{pteV | pteU | pteX, PrivS, mstatusSUM | mstatusMXR, want{load: true}},
		{pteV | pteR | 1<<63, PrivS, 0, want{}}, // Svnapot
		{pteV | pteR | 1<<61, PrivS, 0, want{}}, // Svpbmt
		{pteV | pteR | 1<<54, PrivS, 0, want{}}, // reserved
		{pteV, PrivS, 0, want{}},                // a pointer at the last level
	} {
		r := newRig(t, nil)
		r.paged(c.flags)
		r.SetCSR(csrMstatus, c.status)
		r.SetPriv(c.priv)
		try := func(acc access) bool {
			_, cause := r.translate(pageVA, acc, r.priv)
			if cause != 0 && cause != acc.pageFault() {
				t.Errorf("flags %#x: cause %d for access %d", c.flags, cause, acc)
			}
			return cause == 0
		}
		got := want{try(accessLoad), try(accessStore), try(accessFetch)}
		if got != c.want {
			t.Errorf("flags %#x mode %d status %#x: %+v, want %+v", c.flags, c.priv, c.status, got, c.want)
		}
	}
}

func TestSv39AccessedAndDirty(t *testing.T) {
	eachEngine(t, func(t *testing.T, engine func(*Config)) {
		r := newRig(t, engine)
		r.start(ld(2, 1, 0), sd(1, 1, 8), ld(3, 1, 8), insnSelf)
		r.paged(pteV | pteR | pteW)
		r.SetReg(1, pageVA)
		r.setWord(dataOff, 0x1122)
		r.Step(1)
		r.steps(0)
		if r.leafPTE()&(pteA|pteD) == 0 {
			t.Error("A not set by a load")
		}
		r.Step(10)
		if r.leafPTE()&(pteA|pteD) != pteA|pteD {
			t.Errorf("PTE %#x after a store", r.leafPTE())
		}
		if r.Reg(2) != 0x1122 || r.Reg(3) != pageVA || r.word(dataOff+8) != pageVA || r.Traps() != 0 {
			t.Errorf("x2 %#x x3 %#x, %d traps", r.Reg(2), r.Reg(3), r.Traps())
		}
	})
}

func TestSv39Walks(t *testing.T) {
	for _, c := range []struct {
		name  string
		va    uint64
		setup func(r *rig)
		pa    uint64
		cause uint64
	}{
		{"page", pageVA + 0x123, nil, ramBase + dataOff + 0x123, 0},
		{"gigapage", ramBase + 0x12345, nil, ramBase + 0x12345, 0},
		{"megapage", 0x0040_1234, func(r *rig) { r.setWord(l1Off+8*2, pte(0, pteV|pteR)) }, ramBase + 0x1234, 0},
		{"misaligned megapage", 0x0040_1234, func(r *rig) { r.setWord(l1Off+8*2, pte(0x1000, pteV|pteR)) }, 0, causeLoadPage},
		{"misaligned gigapage", 0x4000_0000, func(r *rig) { r.setWord(rootOff+8, pte(0x20_0000, pteV|pteR)) }, 0, causeLoadPage},
		{"not canonical, above", 1 << 38, nil, 0, causeLoadPage},
		{"not canonical, bit 63", 1<<63 | pageVA, nil, 0, causeLoadPage},
		{"upper half", ^uint64(0) - 0xfff + 8, func(r *rig) {
			r.setWord(rootOff+8*511, pte(l1Off, pteV))
			r.setWord(l1Off+8*511, pte(l0Off, pteV))
			r.setWord(l0Off+8*511, pte(dataOff, pteV|pteR))
		}, ramBase + dataOff + 8, 0},
		{"pointer with A set", pageVA, func(r *rig) { r.setWord(rootOff, pte(l1Off, pteV|pteA)) }, 0, causeLoadPage},
		{"pointer with U set", pageVA, func(r *rig) { r.setWord(rootOff, pte(l1Off, pteV|pteU)) }, 0, causeLoadPage},
		{"table outside memory", pageVA, func(r *rig) { r.setWord(rootOff, 0x4000_0000>>2|pteV) }, 0, causeLoadAccess},
		{"table on the bus", pageVA, func(r *rig) { r.setWord(rootOff, devBase>>2|pteV) }, 0, causeLoadAccess},
		{"invalid root entry", pageVA, func(r *rig) { r.setWord(rootOff, 0) }, 0, causeLoadPage},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRig(t, nil)
			r.paged(pteV | pteR | pteW | pteX)
			if c.setup != nil {
				c.setup(r)
			}
			pa, cause := r.translate(c.va, accessLoad, PrivS)
			if pa != c.pa || cause != c.cause {
				t.Errorf("pa %#x cause %d; want %#x, %d", pa, cause, c.pa, c.cause)
			}
			if pa, cause := r.translate(c.va, accessLoad, PrivM); pa != c.va || cause != 0 {
				t.Errorf("M-mode is translated: %#x %d", pa, cause)
			}
		})
	}
}

func TestPageFaultsReport(t *testing.T) {
	eachEngine(t, func(t *testing.T, engine func(*Config)) {
		const hole = 0x0020_9ffc
		for _, c := range []struct {
			name  string
			insn  uint32
			cause uint64
			tval  uint64
		}{
			{"load", ld(2, 1, 0), causeLoadPage, hole},
			{"store", sd(2, 1, 0), causeStorePage, hole},
			{"lr", amoEnc(amoLR, 2, 2, 1, 0), causeLoadPage, hole},
			{"sc", amoEnc(amoSC, 2, 2, 1, 0), causeStorePage, hole},
			{"amo", amoEnc(amoOr, 2, 2, 1, 0), causeStorePage, hole},
			{"jump", encI(opcJALR, 0, 0, 1, 0), causeFetchPage, hole},
		} {
			r := newRig(t, engine)
			r.start(c.insn)
			r.paged(pteV | pteR | pteW)
			r.SetReg(1, hole)
			r.SetReg(2, 7)
			r.steps(2)
			if r.mcause != c.cause || r.mtval != c.tval {
				t.Errorf("%s: cause %d tval %#x", c.name, r.mcause, r.mtval)
			}
		}
	})
}

// TestAcrossPages: misaligned accesses whose halves lie in different places,
// and what happens when one half is not there.
func TestAcrossPages(t *testing.T) {
	eachEngine(t, func(t *testing.T, engine func(*Config)) {
		r := newRig(t, engine)
		r.start(ld(2, 1, 0), sd(3, 1, 0), insnSelf)
		r.paged(pteV | pteR | pteW)
		r.setWord(l0Off+8*4, pte(dataOff+0x3000, pteV|pteR|pteW)) // not the next physical page
		r.SetReg(1, pageVA+0xffd)
		r.SetReg(3, 0x8877665544332211)
		copy(r.ram[dataOff+0xffd:], []byte{1, 2, 3})
		copy(r.ram[dataOff+0x3000:], []byte{4, 5, 6, 7, 8})
		r.steps(2)
		if r.Reg(2) != 0x0807060504030201 || r.Traps() != 0 {
			t.Errorf("loaded %#x, %d traps", r.Reg(2), r.Traps())
		}
		if got := fmt.Sprintf("%x %x", r.ram[dataOff+0xffd:dataOff+0x1000], r.ram[dataOff+0x3000:dataOff+0x3005]); got != "112233 4455667788" {
			t.Errorf("stored %s", got)
		}

		r.setWord(l0Off+8*4, 0)
		r.flushTLB(true)
		before := r.ram[dataOff+0xffd]
		r.SetReg(3, 0)
		for i, want := range []uint64{causeLoadPage, causeStorePage} {
			r.SetPriv(PrivS)
			r.SetPC(ramBase + 4*uint64(i))
			r.Step(1)
			if r.mcause != want || r.mtval != pageVA+0x1000 {
				t.Errorf("cause %d tval %#x; want %d at the second page", r.mcause, r.mtval, want)
			}
		}
		if r.ram[dataOff+0xffd] != before {
			t.Error("half of a store that faults was done")
		}
	})
}

func TestFences(t *testing.T) {
	eachEngine(t, func(t *testing.T, engine func(*Config)) {
		for _, c := range []struct {
			name  string
			fence uint32
			super bool
		}{
			{"everything", sfence(0, 0), false},
			{"by address", sfence(1, 0), false},
			{"by address space", sfence(0, 5), false},
			{"inside a superpage", sfence(4, 0), true},
		} {
			r := newRig(t, engine)
			r.start(ld(2, 1, 0), c.fence, ld(3, 1, 0), insnSelf)
			r.paged(pteV | pteR | pteW)
			r.setWord(dataOff, 1)
			r.setWord(dataOff+0x1000, 2)
			va := uint64(pageVA)
			if c.super {
				va = 0x0040_0000 + dataOff
				r.setWord(l1Off+8*2, pte(0, pteV|pteR))
			}
			r.SetReg(1, va)
			r.SetReg(4, va+0x1_2000) // elsewhere in the same megapage
			r.Step(1)
			if c.super {
				r.setWord(l1Off+8*2, pte(l0Off, pteV))
				r.setWord(l0Off+8*(dataOff>>pageShift), pte(dataOff+0x1000, pteV|pteR))
			} else {
				r.setWord(l0Off+8*3, pte(dataOff+0x1000, pteV|pteR))
			}
			r.Step(3)
			if r.Reg(2) != 1 || r.Reg(3) != 2 {
				t.Errorf("%s: read %d and then %d, want 1, 2", c.name, r.Reg(2), r.Reg(3))
			}
		}
	})
}

func TestMPRV(t *testing.T) {
	eachEngine(t, func(t *testing.T, engine func(*Config)) {
		r := newRig(t, engine)
		r.start(ld(2, 1, 0), insnSelf)
		r.paged(pteV | pteR)
		r.setWord(dataOff, 99)
		r.SetPriv(PrivM)
		r.SetCSR(csrMstatus, mstatusMPRV|uint64(PrivS)<<mstatusMPPShift)
		r.SetReg(1, pageVA)
		r.Step(1)
		if r.Reg(2) != 99 {
			t.Errorf("x2 %d cause %d", r.Reg(2), r.mcause)
		}
		r.SetCSR(csrMstatus, mstatusMPRV|uint64(PrivU)<<mstatusMPPShift)
		r.SetPC(ramBase)
		r.Step(1)
		if r.mcause != causeLoadPage || r.mepc != ramBase {
			t.Errorf("as U: cause %d", r.mcause)
		}
	})
}
