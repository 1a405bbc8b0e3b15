package riscv

import (
	"encoding/binary"
	"hash/fnv"
	"os"
	"testing"
)

// TestVectors: register instructions compute what qemu-system-riscv64
// computes; testdata/vectors.py made the file.
func TestVectors(t *testing.T) {
	file, err := os.ReadFile("testdata/alu.vec")
	if err != nil {
		t.Fatal(err)
	}
	if len(file) < 1000*32 {
		t.Fatalf("only %d bytes of vectors", len(file))
	}
	eachEngine(t, func(t *testing.T, engine func(*Config)) {
		r := newRig(t, engine)
		at := uint64(0)
		for ; uint64(len(file)) > at*32; at++ {
			var rec [4]uint64
			for i := range rec {
				rec[i] = binary.LittleEndian.Uint64(file[at*32+8*uint64(i):])
			}
			// A new place each time: the block engine is to decode it.
			off := at % 0x1000 * 8
			r.put(off, uint32(rec[0]), insnSelf)
			r.engine.Sync()
			r.SetPC(ramBase + off)
			r.SetReg(10, rec[1])
			r.SetReg(12, rec[1])
			r.SetReg(11, rec[2])
			r.Step(1)
			if r.Reg(12) != rec[3] || r.Traps() != 0 {
				t.Fatalf("%#x with %#x, %#x: %#x, want %#x", rec[0], rec[1], rec[2], r.Reg(12), rec[3])
			}
		}
	})
}

// TestExpand pins the expansion of compressed instructions: a few of each
// format as the GNU assembler has them, and all 65536 by a checksum that was
// taken when every one agreed with what objdump prints for it.
func TestExpand(t *testing.T) {
	for _, c := range []struct {
		asm     string
		c       uint16
		want    uint32
		illegal bool
	}{
		{"c.nop", 0x0001, 0x00000013, false},
		{"c.ebreak", 0x9002, 0x00100073, false},
		{"c.jr ra", 0x8082, 0x00008067, false},
		{"all zeros", 0x0000, 0, true},
		{"c.addi4spn, zero", 0x0004, 0x0004, true},
		{"c.addiw to x0", 0x2001, 0x2001, true},
		{"c.lui, zero", 0x6081, 0x6081, true},
		{"c.lwsp to x0", 0x4002, 0x4002, true},
		{"c.ldsp to x0", 0x6002, 0x6002, true},
		{"c.jr x0", 0x8002, 0x8002, true},
		{"c.fld", 0x2000, 0x2000, true},
		{"c.fsd", 0xa000, 0xa000, true},
		{"c.fldsp", 0x2002, 0x2002, true},
		{"c.fsdsp", 0xa002, 0xa002, true},
		{"quadrant 0, reserved", 0x8000, 0x8000, true},
		{"c.subw, reserved", 0x9c41, 0x9c41, true},
	} {
		if got := expand(c.c); got != c.want || (got&3 != 3) != c.illegal {
			t.Errorf("%s: %#04x is %#08x, want %#08x", c.asm, c.c, got, c.want)
		}
	}
	sum := fnv.New64a()
	for i := range 1 << 16 {
		if i&3 != 3 {
			sum.Write(binary.LittleEndian.AppendUint32(nil, expand(uint16(i))))
		}
	}
	if got := sum.Sum64(); got != 0x321ab323de97febd {
		t.Errorf("checksum of all expansions %#x", got)
	}
}
