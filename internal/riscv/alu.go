package riscv

import "math/bits"

// What branches, loads and register instructions compute; ok is false for
// encodings that there are none of.

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
