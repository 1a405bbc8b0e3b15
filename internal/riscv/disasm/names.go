package disasm

import (
	"fmt"
	"strconv"
	"strings"
)

// intNames and floatNames are the registers by the calling convention.
var (
	intNames = strings.Fields("zero ra sp gp tp t0 t1 t2 s0 s1 a0 a1 a2 a3 a4 a5 " +
		"a6 a7 s2 s3 s4 s5 s6 s7 s8 s9 s10 s11 t3 t4 t5 t6")
	floatNames = strings.Fields("ft0 ft1 ft2 ft3 ft4 ft5 ft6 ft7 fs0 fs1 fa0 fa1 fa2 fa3 fa4 fa5 " +
		"fa6 fa7 fs2 fs3 fs4 fs5 fs6 fs7 fs8 fs9 fs10 fs11 ft8 ft9 ft10 ft11")
)

// roundings are the rounding modes; 5 and 6 are reserved.
var roundings = [8]string{"rne", "rtz", "rdn", "rup", "rmm", "inv", "inv", "dyn"}

// controlNames are control registers that are not one of many (Priv. chapter 2).
var controlNames = map[uint32]string{
	0x001: "fflags", 0x002: "frm", 0x003: "fcsr", 0x015: "seed",
	0x008: "vstart", 0x009: "vxsat", 0x00a: "vxrm", 0x00f: "vcsr", 0xc20: "vl", 0xc21: "vtype", 0xc22: "vlenb",
	0xc00: "cycle", 0xc01: "time", 0xc02: "instret",

	0x100: "sstatus", 0x104: "sie", 0x105: "stvec", 0x106: "scounteren", 0x10a: "senvcfg",
	0x140: "sscratch", 0x141: "sepc", 0x142: "scause", 0x143: "stval", 0x144: "sip", 0x14d: "stimecmp", 0x180: "satp",

	0x200: "vsstatus", 0x204: "vsie", 0x205: "vstvec", 0x240: "vsscratch", 0x241: "vsepc", 0x242: "vscause",
	0x243: "vstval", 0x244: "vsip", 0x280: "vsatp",
	0x600: "hstatus", 0x602: "hedeleg", 0x603: "hideleg", 0x604: "hie", 0x605: "htimedelta", 0x606: "hcounteren",
	0x607: "hgeie", 0x60a: "henvcfg", 0x643: "htval", 0x644: "hip", 0x645: "hvip", 0x64a: "htinst", 0x680: "hgatp", 0xe12: "hgeip",

	0xf11: "mvendorid", 0xf12: "marchid", 0xf13: "mimpid", 0xf14: "mhartid", 0xf15: "mconfigptr",
	0x300: "mstatus", 0x301: "misa", 0x302: "medeleg", 0x303: "mideleg", 0x304: "mie", 0x305: "mtvec", 0x306: "mcounteren",
	0x30a: "menvcfg", 0x320: "mcountinhibit", 0x747: "mseccfg",
	0x340: "mscratch", 0x341: "mepc", 0x342: "mcause", 0x343: "mtval", 0x344: "mip", 0x34a: "mtinst", 0x34b: "mtval2",
	0xb00: "mcycle", 0xb02: "minstret",
	0x7a0: "tselect", 0x7a1: "tdata1", 0x7a2: "tdata2", 0x7a3: "tdata3", 0x7b0: "dcsr", 0x7b1: "dpc", 0x7b2: "dscratch",
}

// controlRanges are the ones that are numbered.
var controlRanges = []struct {
	name        string
	first, last uint32
	number      uint32 // of the first
}{
	{"pmpcfg", 0x3a0, 0x3af, 0}, {"pmpaddr", 0x3b0, 0x3ef, 0}, {"mhpmevent", 0x323, 0x33f, 3},
	{"mhpmcounter", 0xb03, 0xb1f, 3}, {"hpmcounter", 0xc03, 0xc1f, 3},
}

// controlName names a control register; one without a name is a number.
func controlName(n uint32) string {
	if name := controlNames[n]; name != "" {
		return name
	}
	for _, r := range controlRanges {
		if n >= r.first && n <= r.last {
			return r.name + strconv.FormatUint(uint64(n-r.first+r.number), 10)
		}
	}
	return fmt.Sprintf("0x%03x", n)
}
