package riscv

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
			h.fullBarrier()
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
