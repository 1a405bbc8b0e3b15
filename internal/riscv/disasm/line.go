package disasm

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/backplane-vm/backplane/internal/riscv"
)

// Length is how many bytes the instruction has whose first two bytes are given:
// 2, 4, 6 or 8 (Unpriv. section 1.5; longer ones are taken as 2 bytes of nothing).
func Length(first uint16) int {
	switch {
	case first&3 != 3:
		return 2
	case first&0x1f != 0x1f:
		return 4
	case first&0x3f != 0x3f:
		return 6
	case first&0x7f != 0x7f:
		return 8
	}
	return 2
}

// The columns of a line: the code in hexadecimal, the name, the operands.
const (
	codeWidth     = 18
	nameWidth     = 24
	operandsWidth = 24
)

// Line describes the instruction code, which has Length bytes and stands at addr:
//
//	00000297          auipc                   t0,0                    # 0x1000
//
// Names without operands keep the blanks of their column, as in QEMU. Shorter code
// panics.
func Line(addr uint64, code []byte) string {
	var raw uint64
	for k := len(code) - 1; k >= 0; k-- {
		raw = raw<<8 | uint64(code[k])
	}
	name, operands, target := "illegal", "", ""
	if x, f := decode(raw, len(code)); f != nil {
		name = f.name
		operands, target = f.write(x, addr)
		if short := signOf[name]; short != "" && rs1(x) == rs2(x) {
			name, operands = short, operands[:strings.LastIndexByte(operands, ',')]
		}
	}
	line := fmt.Sprintf("%-*s%-*s%s", codeWidth, fmt.Sprintf("%0*x", 2*len(code), raw), nameWidth, name, operands)
	if target != "" {
		line = fmt.Sprintf("%-*s%s", codeWidth+nameWidth+operandsWidth, line, target)
	}
	return line
}

// decode finds what code of size bytes is, and the 32-bit instruction that it is
// or stands for. C.MV stands for ADD, but is not written so.
func decode(code uint64, size int) (uint32, *form) {
	switch size {
	case 2:
		x := expand(uint16(code))
		f := find(x)
		if code>>12 == 8 && f != nil && x&maskR == opReg { // C.MV, not a jump
			f = &form{name: "mv", operands: "d,t"}
		}
		return x, f
	case 4:
		return uint32(code), find(uint32(code))
	}
	return 0, nil
}

// expand is riscv.Expand, and knows the loads and stores of D, which the hart has not.
func expand(c uint16) uint32 {
	x := uint32(c)
	offset, sp := x>>10&7<<3|x>>5&3<<6, uint32(2)
	switch x & 0xe003 {
	case 0x2000: // C.FLD
		return offset<<20 | (x>>7&7+8)<<15 | 3<<12 | (x>>2&7+8)<<7 | opLoadFP
	case 0xa000: // C.FSD
		return offset>>5<<25 | (x>>2&7+8)<<20 | (x>>7&7+8)<<15 | 3<<12 | offset&31<<7 | opStoreFP
	case 0x2002: // C.FLDSP
		offset = x>>12&1<<5 | x>>5&3<<3 | x>>2&7<<6
		return offset<<20 | sp<<15 | 3<<12 | x>>7&31<<7 | opLoadFP
	case 0xa002: // C.FSDSP
		offset = x>>10&7<<3 | x>>7&7<<6
		return offset>>5<<25 | x>>2&31<<20 | sp<<15 | 3<<12 | offset&31<<7 | opStoreFP
	}
	return riscv.Expand(c)
}

func rd(x uint32) uint32  { return x >> 7 & 31 }
func rs1(x uint32) uint32 { return x >> 15 & 31 }
func rs2(x uint32) uint32 { return x >> 20 & 31 }

// write makes the operands' text of instruction x at addr, and for what is relative
// to its address also the address meant.
func (f *form) write(x uint32, addr uint64) (operands, target string) {
	var b strings.Builder
	relative := func(offset int64) {
		b.WriteString(strconv.FormatInt(offset, 10))
		target = fmt.Sprintf("# %#x", addr+uint64(offset))
	}
	for _, letter := range f.operands {
		switch letter {
		case 'b':
			relative(branchOffset(x))
		case 'j':
			relative(jumpOffset(x))
		case 'p':
			relative(int64(int32(x) &^ 0xfff))
		default:
			b.WriteString(operand(letter, x))
		}
	}
	return b.String(), target
}

// operand is one operand, or the character itself.
func operand(letter rune, x uint32) string {
	signed := func(v int32) string { return strconv.FormatInt(int64(v), 10) }
	unsigned := func(v uint32) string { return strconv.FormatUint(uint64(v), 10) }
	switch letter {
	case 'd':
		return intNames[rd(x)]
	case 's':
		return intNames[rs1(x)]
	case 't':
		return intNames[rs2(x)]
	case 'D':
		return floatNames[rd(x)]
	case 'S':
		return floatNames[rs1(x)]
	case 'T':
		return floatNames[rs2(x)]
	case 'R':
		return floatNames[x>>27]
	case 'i':
		return signed(int32(x) >> 20)
	case 'l':
		return signed(int32(x)>>25<<5 | int32(rd(x)))
	case 'u':
		return signed(int32(x) &^ 0xfff)
	case 'h':
		return unsigned(x >> 20 & 63)
	case 'w':
		return unsigned(rs2(x))
	case 'c':
		return controlName(x >> 20)
	case 'z':
		return unsigned(rs1(x))
	case 'm':
		return roundings[x>>12&7]
	case 'f':
		return order(x>>24) + "," + order(x>>20)
	}
	return string(letter)
}

func branchOffset(x uint32) int64 {
	return int64(int32(x)>>31<<12 | int32(x>>7&1<<11|x>>25&0x3f<<5|x>>8&15<<1))
}

func jumpOffset(x uint32) int64 {
	return int64(int32(x)>>31<<20 | int32(x>>12&0xff<<12|x>>20&1<<11|x>>21&0x3ff<<1))
}

// order names what of a fence is ordered: input, output, reads, writes.
func order(bits uint32) string {
	s := ""
	for k, c := range "iorw" {
		if bits&(8>>k) != 0 {
			s += string(c)
		}
	}
	return s
}
