package riscv

import "testing"

func TestPMP(t *testing.T) {
	type cfg struct {
		cfg  uint64 // pmpcfg0
		addr []uint64
	}
	const (
		rwx   = pmpR | pmpW | pmpX
		napot = pmpNAPOT << pmpAShift
		na4   = pmpNA4 << pmpAShift
		tor   = pmpTOR << pmpAShift
		page  = (ramBase + dataOff) >> 2
	)
	at := func(off uint64) uint64 { return ramBase + dataOff + off }
	for _, c := range []struct {
		name string
		cfg  cfg
		pa   uint64
		size uint64
		acc  access
		priv Priv
		ok   bool
	}{
		{"no rules, S", cfg{}, at(0), 8, accessLoad, PrivS, false},
		{"no rules, M", cfg{}, at(0), 8, accessStore, PrivM, true},
		{"everything", cfg{rwx | napot, []uint64{^uint64(0)}}, at(0), 8, accessFetch, PrivU, true},
		{"a page", cfg{pmpR | napot, []uint64{page | 0x1ff}}, at(0xff8), 8, accessLoad, PrivU, true},
		{"its end", cfg{pmpR | napot, []uint64{page | 0x1ff}}, at(0x1000), 8, accessLoad, PrivU, false},
		{"half in", cfg{pmpR | napot, []uint64{page | 0x1ff}}, at(0xffc), 8, accessLoad, PrivM, false},
		{"read only", cfg{pmpR | napot, []uint64{page | 0x1ff}}, at(0), 8, accessStore, PrivS, false},
		{"M is not bound", cfg{pmpR | napot, []uint64{page | 0x1ff}}, at(0), 8, accessStore, PrivM, true},
		{"M is bound when locked", cfg{pmpLock | pmpR | napot, []uint64{page | 0x1ff}}, at(0), 8, accessStore, PrivM, false},
		{"four bytes", cfg{rwx | na4, []uint64{page}}, at(0), 4, accessLoad, PrivS, true},
		{"more than four", cfg{rwx | na4, []uint64{page}}, at(0), 8, accessLoad, PrivS, false},
		{"beside four", cfg{rwx | na4, []uint64{page}}, at(4), 4, accessLoad, PrivS, false},
		{"top of range from 0", cfg{rwx | tor, []uint64{page}}, at(0) - 8, 8, accessLoad, PrivS, true},
		{"top of range is outside", cfg{rwx | tor, []uint64{page}}, at(0), 8, accessLoad, PrivS, false},
		{"range", cfg{(rwx | tor) << 8, []uint64{page, page + 4}}, at(8), 8, accessStore, PrivS, true},
		{"below the range", cfg{(rwx | tor) << 8, []uint64{page, page + 4}}, at(0) - 4, 4, accessStore, PrivS, false},
		{"empty range", cfg{(rwx | tor) << 8, []uint64{page, page}}, at(0), 4, accessStore, PrivS, false},
		{"first match wins", cfg{(rwx|napot)<<8 | napot, []uint64{page | 0x1ff, ^uint64(0)}}, at(0), 4, accessLoad, PrivS, false},
		{"second match", cfg{(rwx|napot)<<8 | napot, []uint64{page | 0x1ff, ^uint64(0)}}, at(0x1000), 4, accessLoad, PrivS, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRig(t, nil)
			for i, a := range c.cfg.addr {
				r.SetCSR(csrPmpaddr0+uint32(i), a)
			}
			r.SetCSR(csrPmpcfg0, c.cfg.cfg)
			if ok := r.pmp.allowed(c.pa, c.size, c.acc, c.priv); ok != c.ok {
				t.Errorf("allowed %v, want %v (rules %x)", ok, c.ok, r.pmp.rules)
			}
		})
	}
}

func TestPMPLocks(t *testing.T) {
	r := newRig(t, nil)
	r.SetCSR(csrPmpaddr0, 1)
	r.SetCSR(csrPmpaddr0+1, 2)
	r.SetCSR(csrPmpcfg0, (pmpLock|pmpTOR<<pmpAShift)<<8|0xff<<16)
	r.SetCSR(csrPmpaddr0, 5) // below a locked TOR entry
	r.SetCSR(csrPmpaddr0+1, 5)
	r.SetCSR(csrPmpcfg0, 0)
	a0, _ := r.CSR(csrPmpaddr0)
	a1, _ := r.CSR(csrPmpaddr0 + 1)
	c0, _ := r.CSR(csrPmpcfg0)
	if a0 != 1 || a1 != 2 || c0 != (pmpLock|pmpTOR<<pmpAShift)<<8|(0xff&^pmpFixed)<<16 {
		t.Errorf("addresses %d %d, configuration %#x", a0, a1, c0)
	}
	r.SetCSR(csrPmpcfg2, pmpW)
	if v, _ := r.CSR(csrPmpcfg2); v != 0 {
		t.Errorf("W without R reads back %#x", v)
	}
}

// TestPMPDividesPage: where a rule ends inside a page, every access is judged
// by itself; none may ride on another's translation.
func TestPMPDividesPage(t *testing.T) {
	eachEngine(t, func(t *testing.T, engine func(*Config)) {
		r := newRig(t, engine)
		r.start(ld(2, 1, 0), ld(3, 1, 8), insnSelf)
		r.SetCSR(csrPmpaddr0, (ramBase+dataOff+8)>>2) // all below is allowed
		r.SetCSR(csrPmpcfg0, 7|pmpTOR<<pmpAShift)
		r.SetReg(1, ramBase+dataOff)
		r.SetPriv(PrivS)
		r.steps(2)
		if r.mcause != causeLoadAccess || r.mtval != ramBase+dataOff+8 || r.mepc != ramBase+4 {
			t.Errorf("cause %d tval %#x epc %#x", r.mcause, r.mtval, r.mepc)
		}
		// The same for fetching.
		r.put(dataOff, insnNop, insnNop, insnNop)
		r.SetPriv(PrivS)
		r.SetPC(ramBase + dataOff)
		r.steps(3)
		if r.mcause != causeFetchAccess || r.mepc != ramBase+dataOff+8 {
			t.Errorf("fetch: cause %d epc %#x", r.mcause, r.mepc)
		}
	})
}
