package riscv

import (
	"sync/atomic"
	"unsafe"
)

// reservation is what LR leaves for SC: an address and the value seen there.
// SC compares values, so a location changed and changed back passes; programs
// cannot tell on a machine where nothing else orders the two.
type reservation struct {
	at    unsafe.Pointer // host address; nil: none
	value uint64
}

// Upper five bits of funct7 in an AMO (Unpriv. chapter 14).
const (
	amoAdd  = 0x00
	amoSwap = 0x01
	amoLR   = 0x02
	amoSC   = 0x03
	amoXor  = 0x04
	amoOr   = 0x08
	amoAnd  = 0x0c
	amoMin  = 0x10
	amoMax  = 0x14
	amoMinu = 0x18
	amoMaxu = 0x1c
)

// amo carries out LR, SC and the AMOs at address a; aq and rl ask for less
// than the sequential consistency that all of them have. It reports false if
// it trapped.
func (h *Hart) amo(insn uint32, a, b uint64) bool {
	op, size := f7Of(insn)>>2, uint64(1)<<f3Of(insn)
	if size != 4 && size != 8 || !amoExists(op) || op == amoLR && rs2Of(insn) != 0 {
		h.illegal(insn)
		return false
	}
	acc, tags := accessStore, &h.data.write
	if op == amoLR {
		acc, tags = accessLoad, &h.data.read
	}
	if a&(size-1) != 0 {
		h.trap(acc.misaligned(), a)
		return false
	}
	if p := tags.lookup(a, size); p != nil {
		h.set(rdOf(insn), h.atomically(op, size, p, b))
		return true
	}
	pa, r, ok := h.resolve(a, size, acc)
	switch {
	case !ok:
		return false
	case r == nil:
		return h.amoDevice(insn, pa, a, b)
	}
	p := r.at(pa - r.base)
	if r.readOnly && op != amoLR { // stores are dropped
		result := uint64(0)
		if op != amoSC {
			result = sextSize(atomicLoad(p, size), size)
		}
		h.set(rdOf(insn), result)
		return true
	}
	h.set(rdOf(insn), h.atomically(op, size, p, b))
	if op != amoLR {
		h.wroteCode(r, pa-r.base, size)
	}
	return true
}

// atomically carries out op on memory and returns what goes to rd.
func (h *Hart) atomically(op uint32, size uint64, p unsafe.Pointer, b uint64) uint64 {
	switch op {
	case amoLR:
		h.reservation = reservation{p, atomicLoad(p, size)}
		return sextSize(h.reservation.value, size)
	case amoSC:
		res := h.reservation
		h.reservation.at = nil
		return flag(res.at != p || !atomicCAS(p, size, res.value, b))
	}
	for {
		old := sextSize(atomicLoad(p, size), size)
		if atomicCAS(p, size, old, amoResult(op, size, old, b)) {
			return old
		}
	}
}

func amoExists(op uint32) bool {
	switch op {
	case amoAdd, amoSwap, amoLR, amoSC, amoXor, amoOr, amoAnd, amoMin, amoMax, amoMinu, amoMaxu:
		return true
	}
	return false
}

// amoDevice does on a device register what can be done there: the AMOs, one
// access after the other. Reservations are for memory.
func (h *Hart) amoDevice(insn uint32, pa, va, b uint64) bool {
	op, size := f7Of(insn)>>2, uint64(1)<<f3Of(insn)
	cause := uint64(causeStoreAccess)
	switch op {
	case amoLR:
		cause = causeLoadAccess
	case amoSC:
	default:
		old, ok := h.bus.Load(pa, int(size))
		old = sextSize(old, size)
		if ok && h.bus.Store(pa, int(size), amoResult(op, size, old, b)&(^uint64(0)>>(64-8*size))) {
			h.set(rdOf(insn), old)
			return true
		}
	}
	h.trap(cause, va)
	return false
}

// amoResult is what an AMO stores; old is sign-extended.
func amoResult(op uint32, size, old, b uint64) uint64 {
	b = sextSize(b, size)
	var keep bool
	switch op {
	case amoSwap:
		return b
	case amoAdd:
		return old + b
	case amoXor:
		return old ^ b
	case amoOr:
		return old | b
	case amoAnd:
		return old & b
	case amoMin:
		keep = int64(old) <= int64(b)
	case amoMax:
		keep = int64(old) >= int64(b)
	case amoMinu: // sign extension keeps the order of unsigned words
		keep = old <= b
	case amoMaxu:
		keep = old >= b
	}
	if keep {
		return old
	}
	return b
}

// sextSize sign-extends a word; a doubleword stays.
func sextSize(v, size uint64) uint64 {
	if size == 4 {
		return sext32(v)
	}
	return v
}

func atomicLoad(p unsafe.Pointer, size uint64) uint64 {
	if size == 4 {
		return uint64(atomic.LoadUint32((*uint32)(p)))
	}
	return atomic.LoadUint64((*uint64)(p))
}

func atomicCAS(p unsafe.Pointer, size, old, v uint64) bool {
	if size == 4 {
		return atomic.CompareAndSwapUint32((*uint32)(p), uint32(old), uint32(v))
	}
	return atomic.CompareAndSwapUint64((*uint64)(p), old, v)
}
