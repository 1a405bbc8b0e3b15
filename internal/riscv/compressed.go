package riscv

// Expand returns the 32-bit instruction that the 16-bit instruction c stands for, as
// the hart takes it; c itself if it stands for none. For disassemblers.
func Expand(c uint16) uint32 { return expand(c) }

// expand returns the 32-bit instruction that the 16-bit instruction c stands
// for (Unpriv. chapter 28). What is reserved, or belongs to an extension that
// the hart lacks (C.FLD and its kin), comes back as it is: its two low bits
// make it an illegal 32-bit instruction, and it is what mtval wants to show.
func expand(c uint16) uint32 {
	i := uint32(c)
	var x uint32
	switch i & 3 {
	case 0:
		x = expandQ0(i)
	case 1:
		x = expandQ1(i)
	case 2:
		x = expandQ2(i)
	}
	if x == 0 {
		return i
	}
	return x
}

// The three-bit register fields name x8 to x15.
func cRd(i uint32) uint32  { return i>>2&7 + 8 }
func cRs1(i uint32) uint32 { return i>>7&7 + 8 }

// field moves width bits of i from bit position from to position to.
func field(i uint32, from, width, to uint) uint32 {
	return i >> from & (1<<width - 1) << to
}

// signed sign-extends the low width bits of v.
func signed(v uint32, width uint) uint32 {
	return uint32(int32(v<<(32-width)) >> (32 - width))
}

// imm6 is the common signed immediate in bits 12 and 6:2.
func imm6(i uint32) uint32 { return signed(field(i, 12, 1, 5)|field(i, 2, 5, 0), 6) }

// Encoders of the 32-bit formats.
func encR(opc, f3, f7, rd, rs1, rs2 uint32) uint32 {
	return f7<<25 | rs2<<20 | rs1<<15 | f3<<12 | rd<<7 | opc
}
func encI(opc, f3, rd, rs1, imm uint32) uint32 {
	return imm<<20 | rs1<<15 | f3<<12 | rd<<7 | opc
}
func encS(opc, f3, rs1, rs2, imm uint32) uint32 {
	return imm>>5<<25 | rs2<<20 | rs1<<15 | f3<<12 | imm&31<<7 | opc
}
func encB(f3, rs1, rs2, imm uint32) uint32 {
	return imm>>12<<31 | imm>>5&0x3f<<25 | rs2<<20 | rs1<<15 | f3<<12 |
		imm>>1&15<<8 | imm>>11&1<<7 | opcBranch
}
func encJ(rd, imm uint32) uint32 {
	return imm>>20<<31 | imm>>1&0x3ff<<21 | imm>>11&1<<20 | imm>>12&0xff<<12 | rd<<7 | opcJAL
}

func expandQ0(i uint32) uint32 {
	rd, rs1 := cRd(i), cRs1(i)
	word := field(i, 10, 3, 3) | field(i, 6, 1, 2) | field(i, 5, 1, 6)
	double := field(i, 10, 3, 3) | field(i, 5, 2, 6)
	switch i >> 13 {
	case 0: // C.ADDI4SPN
		imm := field(i, 11, 2, 4) | field(i, 7, 4, 6) | field(i, 6, 1, 2) | field(i, 5, 1, 3)
		if imm != 0 {
			return encI(opcImm, 0, rd, 2, imm)
		}
	case 2: // C.LW
		return encI(opcLoad, 2, rd, rs1, word)
	case 3: // C.LD
		return encI(opcLoad, 3, rd, rs1, double)
	case 6: // C.SW
		return encS(opcStore, 2, rs1, rd, word)
	case 7: // C.SD
		return encS(opcStore, 3, rs1, rd, double)
	}
	return 0
}

func expandQ1(i uint32) uint32 {
	rd, imm := rdOf(i), imm6(i)
	switch i >> 13 {
	case 0: // C.ADDI, C.NOP
		return encI(opcImm, 0, rd, rd, imm)
	case 1: // C.ADDIW
		if rd != 0 {
			return encI(opcImm32, 0, rd, rd, imm)
		}
	case 2: // C.LI
		return encI(opcImm, 0, rd, 0, imm)
	case 3:
		if rd == 2 { // C.ADDI16SP
			imm = signed(field(i, 12, 1, 9)|field(i, 6, 1, 4)|field(i, 5, 1, 6)|
				field(i, 3, 2, 7)|field(i, 2, 1, 5), 10)
			if imm != 0 {
				return encI(opcImm, 0, 2, 2, imm)
			}
		} else if imm != 0 { // C.LUI
			return imm<<12 | rd<<7 | opcLUI
		}
	case 4:
		return expandALU(i)
	case 5: // C.J
		return encJ(0, signed(field(i, 12, 1, 11)|field(i, 11, 1, 4)|field(i, 9, 2, 8)|field(i, 8, 1, 10)|
			field(i, 7, 1, 6)|field(i, 6, 1, 7)|field(i, 3, 3, 1)|field(i, 2, 1, 5), 12))
	case 6, 7: // C.BEQZ, C.BNEZ
		return encB(i>>13&1, cRs1(i), 0, signed(field(i, 12, 1, 8)|field(i, 10, 2, 3)|
			field(i, 5, 2, 6)|field(i, 3, 2, 1)|field(i, 2, 1, 5), 9))
	}
	return 0
}

// expandALU expands the register arithmetic of quadrant 1.
func expandALU(i uint32) uint32 {
	rd, rs2 := cRs1(i), cRd(i)
	shamt := field(i, 12, 1, 5) | field(i, 2, 5, 0)
	switch i >> 10 & 3 {
	case 0: // C.SRLI
		return encI(opcImm, 5, rd, rd, shamt)
	case 1: // C.SRAI
		return encI(opcImm, 5, rd, rd, shamt|funct7Alt<<5)
	case 2: // C.ANDI
		return encI(opcImm, 7, rd, rd, imm6(i))
	}
	switch i>>12&1<<2 | i>>5&3 {
	case 0: // C.SUB
		return encR(opcReg, 0, funct7Alt, rd, rd, rs2)
	case 1: // C.XOR
		return encR(opcReg, 4, 0, rd, rd, rs2)
	case 2: // C.OR
		return encR(opcReg, 6, 0, rd, rd, rs2)
	case 3: // C.AND
		return encR(opcReg, 7, 0, rd, rd, rs2)
	case 4: // C.SUBW
		return encR(opcReg32, 0, funct7Alt, rd, rd, rs2)
	case 5: // C.ADDW
		return encR(opcReg32, 0, 0, rd, rd, rs2)
	}
	return 0
}

func expandQ2(i uint32) uint32 {
	rd, rs2 := rdOf(i), i>>2&31
	switch i >> 13 {
	case 0: // C.SLLI
		return encI(opcImm, 1, rd, rd, field(i, 12, 1, 5)|rs2)
	case 2: // C.LWSP
		if rd != 0 {
			return encI(opcLoad, 2, rd, 2, field(i, 12, 1, 5)|field(i, 4, 3, 2)|field(i, 2, 2, 6))
		}
	case 3: // C.LDSP
		if rd != 0 {
			return encI(opcLoad, 3, rd, 2, field(i, 12, 1, 5)|field(i, 5, 2, 3)|field(i, 2, 3, 6))
		}
	case 4:
		link := i >> 12 & 1
		switch {
		case rs2 == 0 && rd == 0:
			if link == 1 { // C.EBREAK
				return insnEBREAK
			}
		case rs2 == 0: // C.JR, C.JALR
			return encI(opcJALR, 0, link, rd, 0)
		case link == 0: // C.MV
			return encR(opcReg, 0, 0, rd, 0, rs2)
		default: // C.ADD
			return encR(opcReg, 0, 0, rd, rd, rs2)
		}
	case 6: // C.SWSP
		return encS(opcStore, 2, 2, rs2, field(i, 9, 4, 2)|field(i, 7, 2, 6))
	case 7: // C.SDSP
		return encS(opcStore, 3, 2, rs2, field(i, 10, 3, 3)|field(i, 7, 3, 6))
	}
	return 0
}
