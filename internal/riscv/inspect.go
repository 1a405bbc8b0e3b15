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
