package riscv

// opcode is an operation of the block engine. The set is dense and below 256,
// so that the interpreter's switch becomes a jump table.
type opcode uint8

const (
	// opSlow leaves the loop and has Hart.execute do the instruction;
	// opSlowEnd does too, and ends the block: what follows it depends on state
	// that decoded blocks assume fixed.
	opSlow opcode = iota
	opSlowEnd
	// opEnd is no instruction: the block ended where no jump was.
	opEnd

	opConst // rd = imm: LUI, AUIPC, and ADDI from x0
	opMove
	opADDI
	opSLTI
	opSLTIU
	opXORI
	opORI
	opANDI
	opSLLI
	opSRLI
	opSRAI
	opADDIW
	opSLLIW
	opSRLIW
	opSRAIW

	opADD
	opSUB
	opSLL
	opSLT
	opSLTU
	opXOR
	opSRL
	opSRA
	opOR
	opAND
	opADDW
	opSUBW
	opSLLW
	opSRLW
	opSRAW

	opMUL
	opMULH
	opMULHSU
	opMULHU
	opDIV
	opDIVU
	opREM
	opREMU
	opMULW
	opDIVW
	opDIVUW
	opREMW
	opREMUW

	opLB
	opLH
	opLW
	opLD
	opLBU
	opLHU
	opLWU
	opSB
	opSH
	opSW
	opSD

	opFENCE

	opBEQ
	opBNE
	opBLT
	opBGE
	opBLTU
	opBGEU
	opJAL
	opJALR
)

// op is a decoded instruction, 16 bytes. For branches and JAL imm is the
// target; for AUIPC the result.
type op struct {
	code         opcode
	rd, rs1, rs2 uint8
	off          uint16 // of the instruction from the block's start
	_            uint16
	imm          uint64
}

// ends reports whether the operation is the last of its block.
func (c opcode) ends() bool { return c == opSlowEnd || c >= opBEQ }

// Decode tables, by funct3.
var (
	loadOps   = [8]opcode{opLB, opLH, opLW, opLD, opLBU, opLHU, opLWU, opSlow}
	storeOps  = [8]opcode{opSB, opSH, opSW, opSD}
	branchOps = [8]opcode{opBEQ, opBNE, opSlow, opSlow, opBLT, opBGE, opBLTU, opBGEU}
	immOps    = [8]opcode{opADDI, opSLLI, opSLTI, opSLTIU, opXORI, opSRLI, opORI, opANDI}
	regOps    = [8]opcode{opADD, opSLL, opSLT, opSLTU, opXOR, opSRL, opOR, opAND}
	mulOps    = [8]opcode{opMUL, opMULH, opMULHSU, opMULHU, opDIV, opDIVU, opREM, opREMU}
	reg32Ops  = [8]opcode{0: opADDW, 1: opSLLW, 5: opSRLW}
	mul32Ops  = [8]opcode{0: opMULW, 4: opDIVW, 5: opDIVUW, 6: opREMW, 7: opREMUW}
)

// decode turns the 32-bit instruction at pc into an operation. Whatever is
// not a plain register, memory or jump instruction, valid or not, becomes
// opSlow or opSlowEnd.
func decode(insn uint32, pc uint64) op {
	f3, f7 := f3Of(insn), f7Of(insn)
	o := op{rd: uint8(rdOf(insn)), rs1: uint8(rs1Of(insn)), rs2: uint8(rs2Of(insn))}
	if o.rd == 0 {
		o.rd = regSink
	}
	switch insn & 0x7f {
	case opcLUI:
		o.code, o.imm = opConst, immU(insn)
	case opcAUIPC:
		o.code, o.imm = opConst, pc+immU(insn)
	case opcJAL:
		o.code, o.imm = opJAL, pc+immJ(insn)
	case opcJALR:
		if o.code = opSlowEnd; f3 == 0 {
			o.code, o.imm = opJALR, immI(insn)
		}
	case opcBranch:
		if o.code, o.imm = branchOps[f3], pc+immB(insn); o.code == opSlow {
			o.code = opSlowEnd
		}
	case opcLoad:
		o.code, o.imm = loadOps[f3], immI(insn)
	case opcStore:
		o.code, o.imm = storeOps[f3], immS(insn)
	case opcImm:
		o.code, o.imm = decodeImm(insn, f3, f7&^1)
	case opcImm32:
		o.code, o.imm = decodeImm32(insn, f3, f7)
	case opcReg:
		o.code = decodeReg(f3, f7)
	case opcReg32:
		switch {
		case f7 == 0:
			o.code = reg32Ops[f3]
		case f7 == funct7Mul:
			o.code = mul32Ops[f3]
		case f7 == funct7Alt && f3 == 0:
			o.code = opSUBW
		case f7 == funct7Alt && f3 == 5:
			o.code = opSRAW
		}
	case opcFence:
		if o.code = opSlowEnd; f3 == 0 {
			o.code = opFENCE
		}
	case opcAMO:
	default: // SYSTEM, and what is no instruction
		o.code = opSlowEnd
	}
	return o
}

func decodeImm(insn, f3, f7 uint32) (opcode, uint64) {
	code, shift := immOps[f3], f3&3 == 1
	switch {
	case !shift && code == opADDI && rs1Of(insn) == 0:
		return opConst, immI(insn)
	case !shift && code == opADDI && immI(insn) == 0:
		return opMove, 0
	case !shift:
		return code, immI(insn)
	case f7 == 0:
		return code, uint64(insn >> 20 & 63)
	case f7 == funct7Alt && code == opSRLI:
		return opSRAI, uint64(insn >> 20 & 63)
	}
	return opSlow, 0
}

func decodeImm32(insn, f3, f7 uint32) (opcode, uint64) {
	switch {
	case f3 == 0:
		return opADDIW, immI(insn)
	case f3 == 1 && f7 == 0:
		return opSLLIW, uint64(rs2Of(insn))
	case f3 == 5 && f7 == 0:
		return opSRLIW, uint64(rs2Of(insn))
	case f3 == 5 && f7 == funct7Alt:
		return opSRAIW, uint64(rs2Of(insn))
	}
	return opSlow, 0
}

func decodeReg(f3, f7 uint32) opcode {
	switch {
	case f7 == 0:
		return regOps[f3]
	case f7 == funct7Mul:
		return mulOps[f3]
	case f7 == funct7Alt && f3 == 0:
		return opSUB
	case f7 == funct7Alt && f3 == 5:
		return opSRA
	}
	return opSlow
}
