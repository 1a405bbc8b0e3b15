package disasm

// A form is how one instruction, or one abbreviation of it, is encoded and
// written. The operands are a string of letters, each an operand, and of
// characters that stand for themselves:
//
//	d s t    rd, rs1, rs2           D S T R  the same of the floating-point file, and rs3
//	i        I-type immediate       l        S-type immediate
//	b j      offset of a branch, of a jump; with the address behind it
//	u p      U-type immediate; the same with the address that AUIPC makes
//	h w      shift amount, of 64 and of 32 bits
//	c z      control register; the five bits of an immediate that goes there
//	m f      rounding mode; what a fence orders
type form struct {
	mask, value uint32
	name        string
	operands    string
}

// Where the fields of an instruction are, as masks.
const (
	maskOpcode = 0x7f
	maskRd     = 0x1f << 7
	maskF3     = 7 << 12
	maskRs1    = 0x1f << 15
	maskRs2    = 0x1f << 20
	maskF7     = 0x7f << 25
	maskImm    = 0xfff << 20
	maskFmt    = 3 << 25
	maskSh64   = 0x3f << 26 // what is above a 6-bit shift amount

	maskI = maskOpcode | maskF3
	maskR = maskOpcode | maskF3 | maskF7
	// maskFR is for floating-point operations with a rounding mode.
	maskFR = maskOpcode | maskF7
)

// Major opcodes (Unpriv. chapter 37), with their two low bits.
const (
	opLoad    = 0x03
	opLoadFP  = 0x07
	opFence   = 0x0f
	opImm     = 0x13
	opAUIPC   = 0x17
	opImm32   = 0x1b
	opStore   = 0x23
	opStoreFP = 0x27
	opAMO     = 0x2f
	opReg     = 0x33
	opLUI     = 0x37
	opReg32   = 0x3b
	opMADD    = 0x43
	opMSUB    = 0x47
	opNMSUB   = 0x4b
	opNMADD   = 0x4f
	opFP      = 0x53
	opBranch  = 0x63
	opJALR    = 0x67
	opJAL     = 0x6f
	opSystem  = 0x73
)

// i is a form that opcode and funct3 tell; an operand of "" takes none.
func i(name string, op, f3 uint32, operands string) form {
	return form{maskI, f3<<12 | op, name, operands}
}

// r is a form that opcode, funct3 and funct7 tell.
func r(name string, op, f3, f7 uint32, operands string) form {
	return form{maskR, f7<<25 | f3<<12 | op, name, operands}
}

// sh is a shift of 64 bits by a constant; f6 is what is above the amount.
func sh(name string, f3, f6 uint32) form {
	return form{maskI | maskSh64, f6<<26 | f3<<12 | opImm, name, "d,s,h"}
}

// unary is a form whose rs2 field tells it, too.
func unary(name string, op, f3, f7, rs2 uint32) form {
	return form{maskR | maskRs2, f7<<25 | rs2<<20 | f3<<12 | op, name, "d,s"}
}

// fr is a floating-point form with a rounding mode in funct3.
func fr(name string, f7 uint32, operands string) form {
	return form{maskFR, f7<<25 | opFP, name, "m," + operands}
}

// fc is a conversion or a root: rs2 tells it, funct3 is the rounding mode.
func fc(name string, f7, rs2 uint32, operands string) form {
	return form{maskFR | maskRs2, f7<<25 | rs2<<20 | opFP, name, "m," + operands}
}

// fx is a move or a classification: rs2 is 0 and funct3 tells it.
func fx(name string, f3, f7 uint32, operands string) form {
	return form{maskR | maskRs2, f7<<25 | f3<<12 | opFP, name, operands}
}

// exact is an instruction without operands.
func exact(name string, value uint32) form { return form{0xffffffff, value, name, ""} }

// with returns f for fields of a given value only: an abbreviation.
func (f form) with(mask, value uint32, name, operands string) form {
	return form{f.mask | mask, f.value | value, name, operands}
}
