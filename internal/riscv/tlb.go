package riscv

import "unsafe"

// The soft-TLB: direct-mapped arrays from virtual pages to host pages, one
// for each kind of access so that a hit needs no permission check. Only RAM
// and ROM are ever entered. The write array never holds a page with
// translated code, nor ROM; no array holds a page that PMP divides.

const (
	tlbSize = 512
	tlbMask = tlbSize - 1
	noTag   = 1 // no page address
)

type tlbEntry struct {
	tag  uint64 // virtual page address, or noTag
	page unsafe.Pointer
}

type tlbArray [tlbSize]tlbEntry

// tlb is the translations of one context.
type tlb struct {
	read, write, exec tlbArray
	used              bool // anything entered since the last flush
}

// The contexts. A change of mode or of mstatus.SUM selects another one
// instead of flushing.
const (
	ctxUser = iota
	ctxSupervisor
	ctxSupervisorSUM
	ctxMachine
	numContexts
)

func (a *tlbArray) slot(va uint64) *tlbEntry { return &a[va>>pageShift&tlbMask] }

// lookup returns the host address of size bytes at va, or nil. An access that
// leaves its page compares with the following page's address, which the slot
// of the first page never holds.
func (a *tlbArray) lookup(va, size uint64) unsafe.Pointer {
	if e := a.slot(va); (va+size-1)&^pageMask == e.tag {
		return unsafe.Add(e.page, va&pageMask)
	}
	return nil
}

func (a *tlbArray) flush() {
	for i := range a {
		a[i].tag = noTag
	}
}

func (t *tlb) flush() {
	t.read.flush()
	t.write.flush()
	t.exec.flush()
	t.used = false
}

// flushTLB forgets all translations; those of M-mode, which satp does not
// reach, only if machine is set.
func (h *Hart) flushTLB(machine bool) {
	for i := range h.tlbs {
		if h.tlbs[i].used && (machine || i != ctxMachine) {
			h.tlbs[i].flush()
		}
	}
	h.large = 0
}

// flushPage forgets the translations of one virtual page. Where that page may
// be part of a superpage, all of it has to go, and that means everything.
func (h *Hart) flushPage(va uint64) {
	if h.large&largeBit(va) != 0 {
		h.flushTLB(false)
		return
	}
	for i := range h.tlbs[:ctxMachine] {
		t := &h.tlbs[i]
		for _, e := range [...]*tlbEntry{t.read.slot(va), t.write.slot(va), t.exec.slot(va)} {
			if e.tag == va&^pageMask {
				e.tag = noTag
			}
		}
	}
}

// largeBit hashes the GiB around va to one bit of the filter that remembers
// where superpages have been entered.
func largeBit(va uint64) uint64 {
	return 1 << (va >> 30 * 0x9e3779b97f4a7c15 >> 58)
}

// dropWriteTags forgets every write translation to a host page and reports
// whether there was one.
func (h *Hart) dropWriteTags(page unsafe.Pointer) (found bool) {
	for i := range h.tlbs {
		if !h.tlbs[i].used {
			continue
		}
		for j := range h.tlbs[i].write {
			if e := &h.tlbs[i].write[j]; e.page == page && e.tag != noTag {
				e.tag, found = noTag, true
			}
		}
	}
	return found
}

// selectContext points the hart at the translations that its mode and mstatus
// call for. It must follow every change of either.
func (h *Hart) selectContext() {
	h.code = &h.tlbs[contextOf(h.priv, false)]
	h.data = &h.tlbs[contextOf(h.dataPriv(), h.mstatus&mstatusSUM != 0)]
}

func contextOf(p Priv, sum bool) int {
	switch {
	case p == PrivU:
		return ctxUser
	case p == PrivM:
		return ctxMachine
	case sum:
		return ctxSupervisorSUM
	default:
		return ctxSupervisor
	}
}

// dataPriv is the mode whose rights loads and stores have (Priv. §3.1.6.3).
func (h *Hart) dataPriv() Priv {
	if h.mstatus&mstatusMPRV != 0 && h.priv == PrivM {
		return Priv(h.mstatus >> mstatusMPPShift & 3)
	}
	return h.priv
}
