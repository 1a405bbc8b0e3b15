package riscv

import (
	"strconv"
	"sync/atomic"
)

// Translate turns a virtual address into the physical one that a load in the
// present mode would read, for debuggers: nothing is marked accessed, and
// physical memory protection is not asked. ok is false where a load would fault.
// The hart must be paused.
func (h *Hart) Translate(va uint64) (pa uint64, ok bool) {
	priv := h.dataPriv()
	if priv == PrivM || h.satp>>satpModeShift == 0 {
		return va, true
	}
	if int64(va<<25)>>25 != int64(va) {
		return 0, false
	}
	table := h.satp & satpPPNMask << pageShift
	for level := 2; level >= 0; level-- {
		shift := uint(pageShift + 9*level)
		at := table + va>>shift&511*8
		r := h.mem.find(at)
		if r == nil {
			return 0, false
		}
		pte := atomic.LoadUint64((*uint64)(r.at(at - r.base)))
		if pte&pteV == 0 || pte&(pteR|pteW) == pteW || pte&pteReserved != 0 {
			return 0, false
		}
		ppn := pte >> ptePPNShift << pageShift
		if pte&(pteR|pteX) == 0 {
			table = ppn
			continue
		}
		inPage := uint64(1)<<shift - 1
		if ppn&inPage != 0 || !h.permits(pte, accessLoad, priv) {
			return 0, false
		}
		return ppn | va&inPage, true
	}
	return 0, false
}

// A Register is a register by its name, as debuggers know it.
type Register struct {
	Name  string
	Value uint64
}

// shownCSRs are the control registers that Registers lists.
var shownCSRs = [...]struct {
	name string
	n    uint32
}{
	{"mhartid", csrMhartid}, {"mstatus", csrMstatus}, {"mip", csrMip}, {"mie", csrMie},
	{"mideleg", csrMideleg}, {"medeleg", csrMedeleg}, {"mtvec", csrMtvec}, {"stvec", csrStvec},
	{"mepc", csrMepc}, {"sepc", csrSepc}, {"mcause", csrMcause}, {"scause", csrScause},
	{"mtval", csrMtval}, {"stval", csrStval}, {"mscratch", csrMscratch}, {"sscratch", csrSscratch},
	{"satp", csrSatp},
}

// abiNames are the general registers' names in the calling convention.
var abiNames = [...]string{
	"zero", "ra", "sp", "gp", "tp", "t0", "t1", "t2", "s0", "s1", "a0", "a1", "a2", "a3", "a4", "a5",
	"a6", "a7", "s2", "s3", "s4", "s5", "s6", "s7", "s8", "s9", "s10", "s11", "t3", "t4", "t5", "t6",
}

// Registers returns the program counter, the control registers that debuggers
// show, in their usual order, and the general registers as "x5/t0". The hart must
// be paused.
func (h *Hart) Registers() (control, general []Register) {
	control = append(control, Register{"pc", h.pc})
	for _, c := range shownCSRs {
		v, _ := h.CSR(c.n) // M-mode may read all of them
		control = append(control, Register{c.name, v})
	}
	for i, abi := range abiNames {
		general = append(general, Register{"x" + strconv.Itoa(i) + "/" + abi, h.Reg(i)})
	}
	return control, general
}

// A Mapping is a range of virtual addresses that leads to one of physical ones.
type Mapping struct {
	Virtual, Physical, Size uint64
	// Rights are the R, W, X, U, G, A and D of the entries, all the same, as
	// characters with '-' for what is not set.
	Rights string
}

// maxEntries bounds how many page table entries Mappings looks at: tables that a
// guest has put into one another would keep it busy for hours.
const maxEntries = 1 << 20

// Mappings lists what satp maps, neighbours of equal rights as one, by address.
// paged is false if nothing is translated; all is false if that was too much to
// look at. The hart must be paused.
func (h *Hart) Mappings() (list []Mapping, paged, all bool) {
	if h.satp>>satpModeShift == 0 {
		return nil, false, true
	}
	w := mapper{h: h, left: maxEntries}
	w.table(h.satp&satpPPNMask<<pageShift, 0, 2)
	return w.list, true, w.left > 0
}

type mapper struct {
	h    *Hart
	list []Mapping
	left int
}

// table looks at the 512 entries at pa, the first of which maps va.
func (w *mapper) table(pa, va uint64, level int) {
	shift := uint(pageShift + 9*level)
	for i := uint64(0); i < 512 && w.left > 0; i++ {
		w.left--
		r := w.h.mem.find(pa + 8*i)
		if r == nil {
			return
		}
		pte := atomic.LoadUint64((*uint64)(r.at(pa + 8*i - r.base)))
		at, to := va|i<<shift, pte>>ptePPNShift<<pageShift&(1<<56-1)
		switch {
		case pte&pteV == 0:
		case pte&(pteR|pteW|pteX) != 0:
			w.add(Mapping{uint64(int64(at<<25) >> 25), to, 1 << shift, rights(pte)})
		case level > 0:
			w.table(to, at, level-1)
		}
	}
}

// add appends m, to the last mapping if that goes on in it.
func (w *mapper) add(m Mapping) {
	if n := len(w.list); n > 0 {
		last := &w.list[n-1]
		if last.Rights == m.Rights && last.Virtual+last.Size == m.Virtual && last.Physical+last.Size == m.Physical {
			last.Size += m.Size
			return
		}
	}
	w.list = append(w.list, m)
}

// pteG marks what all address spaces share; nothing here is the faster for it.
const pteG = 1 << 5

func rights(pte uint64) string {
	var b [7]byte
	for i, bit := range [...]uint64{pteR, pteW, pteX, pteU, pteG, pteA, pteD} {
		b[i] = '-'
		if pte&bit != 0 {
			b[i] = "rwxugad"[i]
		}
	}
	return string(b[:])
}
