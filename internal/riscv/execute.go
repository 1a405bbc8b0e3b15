package riscv

import "math/bits"

// Major opcodes (bits 6:0; Unpriv. table 70).
const (
	opcLoad    = 0x03
	opcFence   = 0x0f
	opcImm     = 0x13
	opcAUIPC   = 0x17
	opcImm32   = 0x1b
	opcStore   = 0x23
	opcAMO     = 0x2f
	opcReg     = 0x33
	opcLUI     = 0x37
	opcReg32   = 0x3b
	opcBranch  = 0x63
	opcJALR    = 0x67
	opcJAL     = 0x6f
	opcSystem  = 0x73
	funct7Mul  = 0x01
	funct7Alt  = 0x20
	insnECALL  = 0x00000073
	insnEBREAK = 0x00100073
	insnSRET   = 0x10200073
	insnMRET   = 0x30200073
	insnWFI    = 0x10500073
)

// Fields of an instruction.
func rdOf(i uint32) uint32  { return i >> 7 & 31 }
func rs1Of(i uint32) uint32 { return i >> 15 & 31 }
func rs2Of(i uint32) uint32 { return i >> 20 & 31 }
func f3Of(i uint32) uint32  { return i >> 12 & 7 }
func f7Of(i uint32) uint32  { return i >> 25 }

// Immediates by format, sign-extended.
func immI(i uint32) uint64 { return uint64(int64(int32(i) >> 20)) }
func immU(i uint32) uint64 { return uint64(int64(int32(i &^ 0xfff))) }
func immS(i uint32) uint64 { return uint64(int64(int32(i)>>25<<5 | int32(i>>7&31))) }
func immB(i uint32) uint64 {
	return uint64(int64(int32(i)>>31<<12 | int32(i>>7&1<<11|i>>25&0x3f<<5|i>>8&15<<1)))
}
func immJ(i uint32) uint64 {
	return uint64(int64(int32(i)>>31<<20 | int32(i&0xff000|i>>20&1<<11|i>>21&0x3ff<<1)))
}

func sext32(v uint64) uint64 { return uint64(int64(int32(v))) }

// execute carries out the instruction insn, which stands at h.pc and is n
// bytes long there, and counts it; or it traps. This is the definition of
// every instruction: the reference engine has nothing else, and the block
// engine comes here for whatever it does not do itself.
func (h *Hart) execute(insn uint32, n uint64) {
	rd, a, b := rdOf(insn), h.x[uint8(rs1Of(insn))], h.x[uint8(rs2Of(insn))]
	next := h.pc + n
	switch insn & 0x7f {
	case opcLUI:
		h.set(rd, immU(insn))
	case opcAUIPC:
		h.set(rd, h.pc+immU(insn))
	case opcJAL:
		h.set(rd, next)
		next = h.pc + immJ(insn)
	case opcJALR:
		if f3Of(insn) != 0 {
			h.illegal(insn)
			return
		}
		h.set(rd, next)
		next = (a + immI(insn)) &^ 1
	case opcBranch:
		taken, ok := branch(f3Of(insn), a, b)
		if !ok {
			h.illegal(insn)
			return
		}
		if taken {
			next = h.pc + immB(insn)
		}
	case opcLoad:
		size, signed, ok := loadForm(f3Of(insn))
		if !ok {
			h.illegal(insn)
			return
		}
		v, ok := h.load(a+immI(insn), size)
		if !ok {
			return
		}
		if signed {
			shift := 64 - 8*size
			v = uint64(int64(v<<shift) >> shift)
		}
		h.set(rd, v)
	case opcStore:
		f3 := f3Of(insn)
		if f3 > 3 {
			h.illegal(insn)
			return
		}
		if !h.store(a+immS(insn), 1<<f3, b) {
			return
		}
	case opcImm:
		v, ok := aluImm(insn, a)
		if !ok {
			h.illegal(insn)
			return
		}
		h.set(rd, v)
	case opcImm32:
		v, ok := aluImm32(insn, a)
		if !ok {
			h.illegal(insn)
			return
		}
		h.set(rd, v)
	case opcReg, opcReg32:
		v, ok := aluReg(insn, a, b)
		if !ok {
			h.illegal(insn)
			return
		}
		h.set(rd, v)
	case opcFence:
		switch f3Of(insn) {
		case 0: // FENCE and PAUSE: every hart access here is in order already
			h.barrier.Add(0)
		case 1:
			h.engine.Sync()
		default:
			h.illegal(insn)
			return
		}
	case opcAMO:
		if !h.amo(insn, a, b) {
			return
		}
	case opcSystem:
		h.system(insn, next)
		return
	default:
		h.illegal(insn)
		return
	}
	h.retire(next)
}

// retire ends an instruction: it is counted and next is at pc.
func (h *Hart) retire(next uint64) {
	h.pc = next
	h.instret++
}

func branch(f3 uint32, a, b uint64) (taken, ok bool) {
	switch f3 {
	case 0:
		return a == b, true
	case 1:
		return a != b, true
	case 4:
		return int64(a) < int64(b), true
	case 5:
		return int64(a) >= int64(b), true
	case 6:
		return a < b, true
	case 7:
		return a >= b, true
	}
	return false, false
}

func loadForm(f3 uint32) (size uint64, signed, ok bool) {
	return 1 << (f3 & 3), f3 < 4, f3 != 7
}

// aluImm computes OP-IMM.
func aluImm(insn uint32, a uint64) (v uint64, ok bool) {
	imm, shamt, top := immI(insn), insn>>20&63, insn>>26
	switch f3 := f3Of(insn); {
	case f3 == 0:
		return a + imm, true
	case f3 == 1 && top == 0:
		return a << shamt, true
	case f3 == 2:
		return flag(int64(a) < int64(imm)), true
	case f3 == 3:
		return flag(a < imm), true
	case f3 == 4:
		return a ^ imm, true
	case f3 == 5 && top == 0:
		return a >> shamt, true
	case f3 == 5 && top == funct7Alt>>1:
		return uint64(int64(a) >> shamt), true
	case f3 == 6:
		return a | imm, true
	case f3 == 7:
		return a & imm, true
	}
	return 0, false
}

// aluImm32 computes OP-IMM-32.
func aluImm32(insn uint32, a uint64) (v uint64, ok bool) {
	shamt := rs2Of(insn)
	switch f3, f7 := f3Of(insn), f7Of(insn); {
	case f3 == 0:
		return sext32(a + immI(insn)), true
	case f3 == 1 && f7 == 0:
		return sext32(a << shamt), true
	case f3 == 5 && f7 == 0:
		return sext32(uint64(uint32(a) >> shamt)), true
	case f3 == 5 && f7 == funct7Alt:
		return uint64(int64(int32(a) >> shamt)), true
	}
	return 0, false
}

// aluReg computes OP and OP-32, the M extension included.
func aluReg(insn uint32, a, b uint64) (v uint64, ok bool) {
	key := f7Of(insn)<<3 | f3Of(insn)
	if insn&0x7f == opcReg32 {
		switch key {
		case 0:
			return sext32(a + b), true
		case funct7Alt << 3:
			return sext32(a - b), true
		case 1:
			return sext32(a << (b & 31)), true
		case 5:
			return sext32(uint64(uint32(a) >> (b & 31))), true
		case funct7Alt<<3 | 5:
			return uint64(int64(int32(a) >> (b & 31))), true
		case funct7Mul << 3:
			return sext32(a * b), true
		case funct7Mul<<3 | 4:
			return uint64(div(int64(int32(a)), int64(int32(b)))), true
		case funct7Mul<<3 | 5:
			return sext32(divu(uint64(uint32(a)), uint64(uint32(b)))), true
		case funct7Mul<<3 | 6:
			return uint64(rem(int64(int32(a)), int64(int32(b)))), true
		case funct7Mul<<3 | 7:
			return sext32(remu(uint64(uint32(a)), uint64(uint32(b)))), true
		}
		return 0, false
	}
	switch key {
	case 0:
		return a + b, true
	case funct7Alt << 3:
		return a - b, true
	case 1:
		return a << (b & 63), true
	case 2:
		return flag(int64(a) < int64(b)), true
	case 3:
		return flag(a < b), true
	case 4:
		return a ^ b, true
	case 5:
		return a >> (b & 63), true
	case funct7Alt<<3 | 5:
		return uint64(int64(a) >> (b & 63)), true
	case 6:
		return a | b, true
	case 7:
		return a & b, true
	case funct7Mul << 3:
		return a * b, true
	case funct7Mul<<3 | 1:
		return mulh(a, b), true
	case funct7Mul<<3 | 2:
		return mulhsu(a, b), true
	case funct7Mul<<3 | 3:
		hi, _ := bits.Mul64(a, b)
		return hi, true
	case funct7Mul<<3 | 4:
		return uint64(div(int64(a), int64(b))), true
	case funct7Mul<<3 | 5:
		return divu(a, b), true
	case funct7Mul<<3 | 6:
		return uint64(rem(int64(a), int64(b))), true
	case funct7Mul<<3 | 7:
		return remu(a, b), true
	}
	return 0, false
}

func flag(b bool) uint64 {
	if b {
		return 1
	}
	return 0
}

// mulh and mulhsu are the high half of signed×signed and signed×unsigned:
// the unsigned product less what the sign bits added to it.
func mulh(a, b uint64) uint64 {
	return mulhsu(a, b) - uint64(int64(b)>>63)&a
}

func mulhsu(a, b uint64) uint64 {
	hi, _ := bits.Mul64(a, b)
	return hi - uint64(int64(a)>>63)&b
}

// Division does not trap: by zero the quotient is all ones and the remainder
// the dividend; the one signed overflow wraps, as it does in Go.
func div(a, b int64) int64 {
	if b == 0 {
		return -1
	}
	return a / b
}

func rem(a, b int64) int64 {
	if b == 0 {
		return a
	}
	return a % b
}

func divu(a, b uint64) uint64 {
	if b == 0 {
		return ^uint64(0)
	}
	return a / b
}

func remu(a, b uint64) uint64 {
	if b == 0 {
		return a
	}
	return a % b
}
