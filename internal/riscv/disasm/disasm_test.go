package disasm

import (
	"encoding/binary"
	"strings"
	"testing"

	"github.com/backplane-vm/backplane/internal/riscv"
)

// TestLine: what QEMU prints for these, at 0x80000000 (10.0 for the first four,
// the rest 7.2, which it has in common with 10.0).
func TestLine(t *testing.T) {
	for code, want := range map[uint64]string{
		0x00000297: "00000297          auipc                   t0,0                    # 0x80000000",
		0x02828613: "02828613          addi                    a2,t0,40",
		0xf1402573: "f1402573          csrrs                   a0,mhartid,zero",
		0x0202b583: "0202b583          ld                      a1,32(t0)",
		0x00028067: "00028067          jr                      t0",
		0x00008067: "00008067          ret                     ",
		0x00000013: "00000013          nop                     ",
		0xfff34293: "fff34293          not                     t0,t1",
		0x60431293: "60431293          sext.b                  t0,t1",
		0xfffff2b7: "fffff2b7          lui                     t0,-4096",
		0xfffff297: "fffff297          auipc                   t0,-4096                # 0x7ffff000",
		0x800102a3: "800102a3          sb                      zero,-2043(sp)",
		0x7ff000ef: "7ff000ef          jal                     ra,4094                 # 0x80000ffe",
		0xfe62cfe3: "fe62cfe3          bgt                     t1,t0,-2                # 0x7ffffffe",
		0x0002d063: "0002d063          bgez                    t0,0                    # 0x80000000",
		0x460322af: "460322af          amoor.w.aq.rl           t0,zero,(t1)",
		0x140332af: "140332af          lr.d.aq                 t0,(t1)",
		0x0073028f: "0073028f          fence                   ,orw",
		0x129f8073: "129f8073          sfence.vma              t6,s1",
		0x30200073: "30200073          mret                    ",
		0xc01022f3: "c01022f3          rdtime                  t0",
		0x0020d073: "0020d073          fsrmi                   zero,1",
		0x7fffe2f3: "7fffe2f3          csrrsi                  t0,0x7ff,31",
		0x00733287: "00733287          fld                     ft5,7(t1)",
		0x407302c3: "407302c3          fmadd.s                 rne,ft5,ft6,ft7,fs0",
		0xd20312d3: "d20312d3          fcvt.d.w                rtz,ft5,t1",
		0xe20302d3: "e20302d3          fmv.x.d                 t0,ft6",
		0x227302d3: "227302d3          fsgnj.d                 ft5,ft6,ft7",
		0x227392d3: "227392d3          fneg.d                  ft5,ft7", // t0,t2 in 7.2
		0x207322b3: "207322b3          sh1add                  t0,t1,t2",
		0xffffffff: "ffff              illegal                 ",
		0x0000:     "0000              illegal                 ",
		0x9002:     "9002              ebreak                  ",
		0x8082:     "8082              ret                     ",
		0x8006:     "8006              mv                      zero,ra",
		0x9006:     "9006              add                     zero,zero,ra",
		0x4001:     "4001              nop                     ",
		0x7101:     "7101              addi                    sp,sp,-512",
		0xe005:     "e005              bnez                    s0,32                   # 0x80000020",
		0x2002:     "2002              fld                     ft0,0(sp)",
		0xa000:     "a000              fsd                     fs0,0(s0)",

		0x029f0073029f:     "029f0073029f      illegal                 ",
		0x027302bf007302bf: "027302bf007302bf  illegal                 ",
	} {
		p := binary.LittleEndian.AppendUint64(nil, code)
		if got := Line(0x80000000, p[:Length(uint16(code))]); got != want {
			t.Errorf("%#x:\n got %q\nwant %q", code, got, want)
		}
	}
}

// TestCompressed: what the hart runs of the 16-bit instructions is shown, and what
// it does not know is not, but for the loads and stores of floating point.
func TestCompressed(t *testing.T) {
	for i := range 1 << 16 {
		c := uint16(i)
		if c&3 == 3 {
			continue
		}
		runs := riscv.Expand(c)&3 == 3
		float := c&0x6001 == 0x2000
		shown := !strings.Contains(Line(0, binary.LittleEndian.AppendUint16(nil, c)), "illegal")
		if shown != (runs || float) {
			t.Errorf("%#04x: runs %v, shown %v", c, runs, shown)
		}
	}
}

// TestFormsAreReached: no form stands behind one that takes all that it matches.
func TestFormsAreReached(t *testing.T) {
	names := make(map[string]bool)
	for _, bucket := range forms {
		for _, f := range bucket {
			names[f.name] = true
			if f.value&^f.mask != 0 {
				t.Errorf("%s: bits are wanted that nobody looks at", f.name)
			}
			if got := find(f.value | ^f.mask); got.name != f.name || got.mask != f.mask {
				if got = find(f.value | ^f.mask&0x55555555); got.name != f.name || got.mask != f.mask {
					t.Errorf("%s (%#x/%#x) cannot be reached: %s", f.name, f.value, f.mask, got.name)
				}
			}
		}
	}
	if len(names) < 250 {
		t.Errorf("%d names", len(names))
	}
}

func FuzzLine(f *testing.F) {
	f.Add(uint64(0x80000000), []byte{0x97, 2, 0, 0})
	f.Add(uint64(0), []byte{0x82, 0x80})
	f.Fuzz(func(t *testing.T, addr uint64, p []byte) {
		if len(p) < 2 {
			return
		}
		n := Length(binary.LittleEndian.Uint16(p))
		if len(p) < n {
			return
		}
		line := Line(addr, p[:n])
		if len(line) < codeWidth+nameWidth || strings.TrimSpace(line[codeWidth:]) == "" {
			t.Fatalf("%x: %q", p[:n], line)
		}
	})
}
