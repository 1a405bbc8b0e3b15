package riscv

import (
	"sync/atomic"
	"unsafe"
)

// access is what a translation is for.
type access uint8

const (
	accessLoad access = iota
	accessStore
	accessFetch
)

func (a access) pmpBit() uint8 { return [...]uint8{pmpR, pmpW, pmpX}[a] }

func (a access) pageFault() uint64 {
	return [...]uint64{causeLoadPage, causeStorePage, causeFetchPage}[a]
}

func (a access) accessFault() uint64 {
	return [...]uint64{causeLoadAccess, causeStoreAccess, causeFetchAccess}[a]
}

func (a access) misaligned() uint64 {
	return [...]uint64{causeLoadMisaligned, causeStoreMisaligned, 0}[a]
}

const (
	pteV = 1 << 0
	pteR = 1 << 1
	pteW = 1 << 2
	pteX = 1 << 3
	pteU = 1 << 4
	pteA = 1 << 6
	pteD = 1 << 7

	ptePPNShift = 10
	pteReserved = 0x3ff << 54 // Svnapot, Svpbmt and beyond: not ours
)

// resolve translates size bytes at va, all in one page, checks the right to
// access them and enters the page in the soft-TLB if it may be. r is nil for
// what lies on the bus. ok false means that it trapped.
func (h *Hart) resolve(va, size uint64, acc access) (pa uint64, r *region, ok bool) {
	priv, t := h.priv, h.code
	if acc != accessFetch {
		priv, t = h.dataPriv(), h.data
	}
	pa, cause := h.translate(va, acc, priv)
	if cause == 0 && !h.pmp.allowed(pa, size, acc, priv) {
		cause = acc.accessFault()
	}
	if cause != 0 {
		h.trap(cause, va)
		return 0, nil, false
	}
	r = h.mem.find(pa)
	if r != nil && h.pmp.uniform(pa) {
		h.enter(t, va, pa, r, acc)
	}
	return pa, r, true
}

// enter puts a translation into t, unless accesses to the page are to stay
// slow: stores to ROM and to pages with translated code.
func (h *Hart) enter(t *tlb, va, pa uint64, r *region, acc access) {
	off := pa - r.base
	var e *tlbEntry
	switch acc {
	case accessLoad:
		e = t.read.slot(va)
	case accessFetch:
		e = t.exec.slot(va)
	case accessStore:
		if r.readOnly || r.lines[off>>pageShift].Load() != 0 {
			return
		}
		e = t.write.slot(va)
	}
	*e = tlbEntry{tag: va &^ pageMask, page: r.page(off)}
	t.used = true
}

// translate turns a virtual address into a physical one for mode priv. A
// cause other than 0 is the exception instead.
func (h *Hart) translate(va uint64, acc access, priv Priv) (pa, cause uint64) {
	if priv == PrivM || h.satp>>satpModeShift == 0 {
		return va, 0
	}
	if int64(va<<25)>>25 != int64(va) {
		return 0, acc.pageFault()
	}
	for { // again when a PTE changes under us
		pa, cause, again := h.walk(va, acc, priv)
		if !again {
			return pa, cause
		}
	}
}

// walk is the Sv39 algorithm (Priv. §10.3.2). Accessed and dirty bits are set
// by hardware, as in extension Svadu; again means that another hart changed
// the entry meanwhile.
func (h *Hart) walk(va uint64, acc access, priv Priv) (pa, cause uint64, again bool) {
	table := h.satp & satpPPNMask << pageShift
	for level := 2; level >= 0; level-- {
		shift := uint(pageShift + 9*level)
		at := table + va>>shift&511*8
		r := h.mem.find(at)
		if r == nil || !h.pmp.allowed(at, 8, accessLoad, PrivS) {
			return 0, acc.accessFault(), false
		}
		p := (*uint64)(r.at(at - r.base))
		pte := atomic.LoadUint64(p)
		if pte&pteV == 0 || pte&(pteR|pteW) == pteW || pte&pteReserved != 0 {
			return 0, acc.pageFault(), false
		}
		ppn := pte >> ptePPNShift << pageShift
		if pte&(pteR|pteX) == 0 { // pointer to the next level
			if pte&(pteA|pteD|pteU) != 0 {
				return 0, acc.pageFault(), false
			}
			table = ppn
			continue
		}
		inPage := uint64(1)<<shift - 1
		if !h.permits(pte, acc, priv) || ppn&inPage != 0 {
			return 0, acc.pageFault(), false
		}
		if !h.setAccessed(r, p, pte, acc) {
			if r.readOnly {
				return 0, acc.accessFault(), false
			}
			return 0, 0, true
		}
		if level > 0 {
			h.large |= largeBit(va)
		}
		return ppn | va&inPage, 0, false
	}
	return 0, acc.pageFault(), false
}

// permits checks a leaf entry against the mode and mstatus.
func (h *Hart) permits(pte uint64, acc access, priv Priv) bool {
	if pte&pteU != 0 {
		if priv == PrivS && (acc == accessFetch || h.mstatus&mstatusSUM == 0) {
			return false
		}
	} else if priv == PrivU {
		return false
	}
	switch acc {
	case accessFetch:
		return pte&pteX != 0
	case accessStore:
		return pte&pteW != 0
	default:
		return pte&pteR != 0 || pte&pteX != 0 && h.mstatus&mstatusMXR != 0
	}
}

// setAccessed sets A, and D for a store, in the entry at p. It fails if the
// entry is no longer pte or cannot be written.
func (h *Hart) setAccessed(r *region, p *uint64, pte uint64, acc access) bool {
	want := pte | pteA
	if acc == accessStore {
		want |= pteD
	}
	if want == pte {
		return true
	}
	if r.readOnly || !atomic.CompareAndSwapUint64(p, pte, want) {
		return false
	}
	h.wroteCode(r, uint64(uintptr(unsafe.Pointer(p))-uintptr(unsafe.Pointer(&r.bytes[0]))), 8)
	return true
}

// wroteCode is called after every store that did not go through a write tag.
func (h *Hart) wroteCode(r *region, off, n uint64) {
	if h.mem.wrote(r, off, n) {
		h.engine.Sync()
	}
}
