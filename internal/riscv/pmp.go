package riscv

// Physical memory protection (Priv. §3.7): 16 entries at a grain of 4 bytes.

const (
	pmpEntries  = 16
	pmpAddrMask = 1<<54 - 1

	pmpR      = 1 << 0
	pmpW      = 1 << 1
	pmpX      = 1 << 2
	pmpAShift = 3
	pmpLock   = 1 << 7
	pmpFixed  = 3 << 5 // reserved bits of a configuration byte

	pmpOff   = 0
	pmpTOR   = 1
	pmpNA4   = 2
	pmpNAPOT = 3
)

type pmp struct {
	cfg  [pmpEntries]uint8
	addr [pmpEntries]uint64

	// rules are the entries that are on, as byte ranges [lo, last].
	rules []pmpRule
}

type pmpRule struct {
	lo, last uint64
	cfg      uint8
}

// allowed decides on size bytes at pa for an access with the rights of p. The
// lowest-numbered entry that matches any byte decides, and must match all.
func (m *pmp) allowed(pa, size uint64, acc access, p Priv) bool {
	last := pa + size - 1
	for i := range m.rules {
		r := &m.rules[i]
		if last < r.lo || pa > r.last {
			continue
		}
		if pa < r.lo || last > r.last {
			return false
		}
		return p == PrivM && r.cfg&pmpLock == 0 || r.cfg&acc.pmpBit() != 0
	}
	return p == PrivM
}

// uniform reports whether one decision holds for the whole page at pa.
func (m *pmp) uniform(pa uint64) bool {
	first, last := pa&^pageMask, pa|pageMask
	for i := range m.rules {
		r := &m.rules[i]
		if last < r.lo || first > r.last {
			continue
		}
		return first >= r.lo && last <= r.last
	}
	return true
}

// readCfg returns pmpcfg n (even on RV64), eight entries to a register.
func (m *pmp) readCfg(n int) (v uint64) {
	for i := range 8 {
		v |= uint64(m.cfg[n*4+i]) << (8 * i)
	}
	return v
}

func (m *pmp) writeCfg(n int, v uint64) {
	for i := range 8 {
		cfg := uint8(v>>(8*i)) &^ pmpFixed
		if m.cfg[n*4+i]&pmpLock != 0 {
			continue
		}
		if cfg&(pmpR|pmpW) == pmpW { // reserved combination
			cfg &^= pmpW
		}
		m.cfg[n*4+i] = cfg
	}
	m.rebuild()
}

func (m *pmp) writeAddr(n int, v uint64) {
	if m.cfg[n]&pmpLock != 0 {
		return
	}
	if n+1 < pmpEntries && m.cfg[n+1]&pmpLock != 0 && m.mode(n+1) == pmpTOR {
		return
	}
	m.addr[n] = v & pmpAddrMask
	m.rebuild()
}

func (m *pmp) mode(n int) uint8 { return m.cfg[n] >> pmpAShift & 3 }

func (m *pmp) rebuild() {
	m.rules = m.rules[:0]
	for i := range pmpEntries {
		a := m.addr[i]
		r := pmpRule{cfg: m.cfg[i]}
		switch m.mode(i) {
		case pmpOff:
			continue
		case pmpTOR:
			if i > 0 {
				r.lo = m.addr[i-1] << 2
			}
			if r.lo >= a<<2 {
				continue
			}
			r.last = a<<2 - 1
		case pmpNA4:
			r.lo = a << 2
			r.last = r.lo + 3
		case pmpNAPOT:
			ones := a ^ (a + 1) // trailing ones and the zero above them
			r.lo = a &^ ones << 2
			r.last = r.lo | ones<<2 | 3
		}
		m.rules = append(m.rules, r)
	}
}
