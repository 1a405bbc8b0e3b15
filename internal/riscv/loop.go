package riscv

import (
	"math/bits"
	"unsafe"
)

// leave says why the interpreter loop stopped.
type leave uint8

const (
	leftForBlock     leave = iota // the block at h.pc is not at hand
	leftForAttention              // the budget is used up, or attention is set
	leftForOp                     // op at of cur is not the loop's to do
)

// loop interprets from op i of b on until something comes up that it does not
// do itself, and keeps h.pc, h.instret and e.left up to date on its way out.
//
// It is one long function on purpose. It calls nothing that is not inlined, so
// the compiler has all registers for it and makes a jump table of the switch;
// a loop of calls through a table of functions runs at a third of the speed
// (BenchmarkKernels). Loads and stores that miss the soft-TLB leave the loop,
// and Hart.execute repeats them from the start: nothing is half done.
func (e *blocks) loop(b *block, i int) (why leave) {
	h := e.h
	x := &h.x
	read, write, exec := &h.data.read, &h.data.write, &h.code.exec
	done := b.n - i // instructions executed once this block is through
	var pc uint64
	var next *block
loop:
	for {
		all := b.ops
	ops:
		for {
			o := &all[i]
			switch o.code {
			case opConst:
				x[o.rd] = o.imm
			case opMove:
				x[o.rd] = x[o.rs1]
			case opADDI:
				x[o.rd] = x[o.rs1] + o.imm
			case opSLTI:
				x[o.rd] = flag(int64(x[o.rs1]) < int64(o.imm))
			case opSLTIU:
				x[o.rd] = flag(x[o.rs1] < o.imm)
			case opXORI:
				x[o.rd] = x[o.rs1] ^ o.imm
			case opORI:
				x[o.rd] = x[o.rs1] | o.imm
			case opANDI:
				x[o.rd] = x[o.rs1] & o.imm
			case opSLLI:
				x[o.rd] = x[o.rs1] << (o.imm & 63)
			case opSRLI:
				x[o.rd] = x[o.rs1] >> (o.imm & 63)
			case opSRAI:
				x[o.rd] = uint64(int64(x[o.rs1]) >> (o.imm & 63))
			case opADDIW:
				x[o.rd] = uint64(int64(int32(x[o.rs1] + o.imm)))
			case opSLLIW:
				x[o.rd] = uint64(int64(int32(uint32(x[o.rs1]) << (o.imm & 31))))
			case opSRLIW:
				x[o.rd] = uint64(int64(int32(uint32(x[o.rs1]) >> (o.imm & 31))))
			case opSRAIW:
				x[o.rd] = uint64(int64(int32(x[o.rs1]) >> (o.imm & 31)))
			case opADD:
				x[o.rd] = x[o.rs1] + x[o.rs2]
			case opSUB:
				x[o.rd] = x[o.rs1] - x[o.rs2]
			case opSLL:
				x[o.rd] = x[o.rs1] << (x[o.rs2] & 63)
			case opSLT:
				x[o.rd] = flag(int64(x[o.rs1]) < int64(x[o.rs2]))
			case opSLTU:
				x[o.rd] = flag(x[o.rs1] < x[o.rs2])
			case opXOR:
				x[o.rd] = x[o.rs1] ^ x[o.rs2]
			case opSRL:
				x[o.rd] = x[o.rs1] >> (x[o.rs2] & 63)
			case opSRA:
				x[o.rd] = uint64(int64(x[o.rs1]) >> (x[o.rs2] & 63))
			case opOR:
				x[o.rd] = x[o.rs1] | x[o.rs2]
			case opAND:
				x[o.rd] = x[o.rs1] & x[o.rs2]
			case opADDW:
				x[o.rd] = uint64(int64(int32(x[o.rs1] + x[o.rs2])))
			case opSUBW:
				x[o.rd] = uint64(int64(int32(x[o.rs1] - x[o.rs2])))
			case opSLLW:
				x[o.rd] = uint64(int64(int32(uint32(x[o.rs1]) << (x[o.rs2] & 31))))
			case opSRLW:
				x[o.rd] = uint64(int64(int32(uint32(x[o.rs1]) >> (x[o.rs2] & 31))))
			case opSRAW:
				x[o.rd] = uint64(int64(int32(x[o.rs1]) >> (x[o.rs2] & 31)))
			case opMUL:
				x[o.rd] = x[o.rs1] * x[o.rs2]
			case opMULH:
				x[o.rd] = mulh(x[o.rs1], x[o.rs2])
			case opMULHSU:
				x[o.rd] = mulhsu(x[o.rs1], x[o.rs2])
			case opMULHU:
				x[o.rd], _ = bits.Mul64(x[o.rs1], x[o.rs2])
			case opDIV:
				if d := int64(x[o.rs2]); d != 0 {
					x[o.rd] = uint64(int64(x[o.rs1]) / d)
				} else {
					x[o.rd] = ^uint64(0)
				}
			case opDIVU:
				if d := x[o.rs2]; d != 0 {
					x[o.rd] = x[o.rs1] / d
				} else {
					x[o.rd] = ^uint64(0)
				}
			case opREM:
				if d := int64(x[o.rs2]); d != 0 {
					x[o.rd] = uint64(int64(x[o.rs1]) % d)
				} else {
					x[o.rd] = x[o.rs1]
				}
			case opREMU:
				if d := x[o.rs2]; d != 0 {
					x[o.rd] = x[o.rs1] % d
				} else {
					x[o.rd] = x[o.rs1]
				}
			case opMULW:
				x[o.rd] = uint64(int64(int32(x[o.rs1] * x[o.rs2])))
			case opDIVW:
				if d := int32(x[o.rs2]); d != 0 {
					x[o.rd] = uint64(int64(int32(x[o.rs1]) / d))
				} else {
					x[o.rd] = ^uint64(0)
				}
			case opDIVUW:
				if d := uint32(x[o.rs2]); d != 0 {
					x[o.rd] = uint64(int64(int32(uint32(x[o.rs1]) / d)))
				} else {
					x[o.rd] = ^uint64(0)
				}
			case opREMW:
				if d := int32(x[o.rs2]); d != 0 {
					x[o.rd] = uint64(int64(int32(x[o.rs1]) % d))
				} else {
					x[o.rd] = sext32(x[o.rs1])
				}
			case opREMUW:
				if d := uint32(x[o.rs2]); d != 0 {
					x[o.rd] = uint64(int64(int32(uint32(x[o.rs1]) % d)))
				} else {
					x[o.rd] = sext32(x[o.rs1])
				}
			case opLB:
				va := x[o.rs1] + o.imm
				e := &read[va>>pageShift&tlbMask]
				if va&^pageMask != e.tag {
					break loop
				}
				x[o.rd] = uint64(int64(int8(load8(unsafe.Add(e.page, va&pageMask)))))
			case opLH:
				va := x[o.rs1] + o.imm
				e := &read[va>>pageShift&tlbMask]
				if (va+1)&^pageMask != e.tag {
					break loop
				}
				x[o.rd] = uint64(int64(int16(load16(unsafe.Add(e.page, va&pageMask)))))
			case opLW:
				va := x[o.rs1] + o.imm
				e := &read[va>>pageShift&tlbMask]
				if (va+3)&^pageMask != e.tag {
					break loop
				}
				x[o.rd] = uint64(int64(int32(load32(unsafe.Add(e.page, va&pageMask)))))
			case opLD:
				va := x[o.rs1] + o.imm
				e := &read[va>>pageShift&tlbMask]
				if (va+7)&^pageMask != e.tag {
					break loop
				}
				x[o.rd] = load64(unsafe.Add(e.page, va&pageMask))
			case opLBU:
				va := x[o.rs1] + o.imm
				e := &read[va>>pageShift&tlbMask]
				if va&^pageMask != e.tag {
					break loop
				}
				x[o.rd] = uint64(load8(unsafe.Add(e.page, va&pageMask)))
			case opLHU:
				va := x[o.rs1] + o.imm
				e := &read[va>>pageShift&tlbMask]
				if (va+1)&^pageMask != e.tag {
					break loop
				}
				x[o.rd] = uint64(load16(unsafe.Add(e.page, va&pageMask)))
			case opLWU:
				va := x[o.rs1] + o.imm
				e := &read[va>>pageShift&tlbMask]
				if (va+3)&^pageMask != e.tag {
					break loop
				}
				x[o.rd] = uint64(load32(unsafe.Add(e.page, va&pageMask)))
			case opSB:
				va := x[o.rs1] + o.imm
				e := &write[va>>pageShift&tlbMask]
				if va&^pageMask != e.tag {
					break loop
				}
				store8(unsafe.Add(e.page, va&pageMask), x[o.rs2])
			case opSH:
				va := x[o.rs1] + o.imm
				e := &write[va>>pageShift&tlbMask]
				if (va+1)&^pageMask != e.tag {
					break loop
				}
				store16(unsafe.Add(e.page, va&pageMask), x[o.rs2])
			case opSW:
				va := x[o.rs1] + o.imm
				e := &write[va>>pageShift&tlbMask]
				if (va+3)&^pageMask != e.tag {
					break loop
				}
				store32(unsafe.Add(e.page, va&pageMask), x[o.rs2])
			case opSD:
				va := x[o.rs1] + o.imm
				e := &write[va>>pageShift&tlbMask]
				if (va+7)&^pageMask != e.tag {
					break loop
				}
				store64(unsafe.Add(e.page, va&pageMask), x[o.rs2])
			case opFENCE:
				if fenceIsCall {
					break loop
				}
				h.fullBarrier()
				if h.attention.Load() != 0 {
					break loop
				}

			case opBEQ:
				if pc, next = b.end, b.fall; x[o.rs1] == x[o.rs2] {
					pc, next = o.imm, b.taken
				}
				break ops
			case opBNE:
				if pc, next = b.end, b.fall; x[o.rs1] != x[o.rs2] {
					pc, next = o.imm, b.taken
				}
				break ops
			case opBLT:
				if pc, next = b.end, b.fall; int64(x[o.rs1]) < int64(x[o.rs2]) {
					pc, next = o.imm, b.taken
				}
				break ops
			case opBGE:
				if pc, next = b.end, b.fall; int64(x[o.rs1]) >= int64(x[o.rs2]) {
					pc, next = o.imm, b.taken
				}
				break ops
			case opBLTU:
				if pc, next = b.end, b.fall; x[o.rs1] < x[o.rs2] {
					pc, next = o.imm, b.taken
				}
				break ops
			case opBGEU:
				if pc, next = b.end, b.fall; x[o.rs1] >= x[o.rs2] {
					pc, next = o.imm, b.taken
				}
				break ops
			case opJAL:
				x[o.rd] = b.end
				pc, next = o.imm, b.taken
				break ops
			case opJALR:
				pc, next = (x[o.rs1]+o.imm)&^1, nil
				x[o.rd] = b.end
				break ops
			case opEnd:
				pc, next = b.end, b.fall
				break ops
			default: // opSlow, opSlowEnd
				break loop
			}
			i++
		}
		if next == nil {
			next = e.jumps[pc>>1%jumpCacheSize]
			if t := &exec[pc>>pageShift&tlbMask]; next.va != pc || t.tag != pc&^pageMask || t.page != next.host {
				h.pc, e.cur = pc, b
				h.instret += uint64(done)
				e.left -= done
				return leftForBlock
			}
		}
		if done >= e.left || h.attention.Load() != 0 {
			h.pc = pc
			h.instret += uint64(done)
			e.left -= done
			return leftForAttention
		}
		b, i = next, 0
		done += b.n
	}
	done -= b.n - i
	h.pc = b.va + uint64(b.ops[i].off)
	h.instret += uint64(done)
	e.left -= done
	e.cur, e.at = b, i
	return leftForOp
}
