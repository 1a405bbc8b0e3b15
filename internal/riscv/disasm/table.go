package disasm

// forms are all that is known, by major opcode without its two low bits. Where
// several match, the first is meant.
var forms = byOpcode(integerForms, multiplyForms, bitForms, atomicForms(),
	floatForms("s", 0), floatForms("d", 1), betweenForms, systemForms)

func byOpcode(extensions ...[]form) (table [32][]form) {
	for _, all := range extensions {
		for _, f := range all {
			op := f.value & maskOpcode >> 2
			table[op] = append(table[op], f)
		}
	}
	return table
}

// find returns the form of an instruction, nil if it has none.
func find(x uint32) *form {
	bucket := forms[x&maskOpcode>>2]
	for k := range bucket {
		if f := &bucket[k]; x&f.mask == f.value {
			return f
		}
	}
	return nil
}

// integerForms are RV64I (Unpriv. chapters 2 and 4).
var integerForms = []form{
	i("lb", opLoad, 0, "d,i(s)"), i("lh", opLoad, 1, "d,i(s)"), i("lw", opLoad, 2, "d,i(s)"), i("ld", opLoad, 3, "d,i(s)"),
	i("lbu", opLoad, 4, "d,i(s)"), i("lhu", opLoad, 5, "d,i(s)"), i("lwu", opLoad, 6, "d,i(s)"),
	i("sb", opStore, 0, "t,l(s)"), i("sh", opStore, 1, "t,l(s)"), i("sw", opStore, 2, "t,l(s)"), i("sd", opStore, 3, "t,l(s)"),
	i("flw", opLoadFP, 2, "D,i(s)"), i("fld", opLoadFP, 3, "D,i(s)"),
	i("fsw", opStoreFP, 2, "T,l(s)"), i("fsd", opStoreFP, 3, "T,l(s)"),
	i("fence", opFence, 0, "f"), i("fence.i", opFence, 1, ""),
	{maskOpcode, opLUI, "lui", "d,u"}, {maskOpcode, opAUIPC, "auipc", "d,p"},

	exact("nop", opImm),
	i("", opImm, 0, "").with(maskImm, 0, "mv", "d,s"),
	i("addi", opImm, 0, "d,s,i"), i("slti", opImm, 2, "d,s,i"),
	i("", opImm, 3, "").with(maskImm, 1<<20, "seqz", "d,s"),
	i("sltiu", opImm, 3, "d,s,i"),
	i("", opImm, 4, "").with(maskImm, maskImm, "not", "d,s"),
	i("xori", opImm, 4, "d,s,i"), i("ori", opImm, 6, "d,s,i"), i("andi", opImm, 7, "d,s,i"),
	sh("slli", 1, 0), sh("srli", 5, 0), sh("srai", 5, 0x10),

	i("", opImm32, 0, "").with(maskImm, 0, "sext.w", "d,s"),
	i("addiw", opImm32, 0, "d,s,i"),
	r("slliw", opImm32, 1, 0, "d,s,w"), r("srliw", opImm32, 5, 0, "d,s,w"), r("sraiw", opImm32, 5, 0x20, "d,s,w"),

	r("", opReg, 0, 0x20, "").with(maskRs1, 0, "neg", "d,t"),
	r("", opReg, 2, 0, "").with(maskRs2, 0, "sltz", "d,s"),
	r("", opReg, 2, 0, "").with(maskRs1, 0, "sgtz", "d,t"),
	r("", opReg, 3, 0, "").with(maskRs1, 0, "snez", "d,t"),
	r("add", opReg, 0, 0, "d,s,t"), r("sub", opReg, 0, 0x20, "d,s,t"), r("sll", opReg, 1, 0, "d,s,t"),
	r("slt", opReg, 2, 0, "d,s,t"), r("sltu", opReg, 3, 0, "d,s,t"), r("xor", opReg, 4, 0, "d,s,t"),
	r("srl", opReg, 5, 0, "d,s,t"), r("sra", opReg, 5, 0x20, "d,s,t"), r("or", opReg, 6, 0, "d,s,t"), r("and", opReg, 7, 0, "d,s,t"),
	r("", opReg32, 0, 0x20, "").with(maskRs1, 0, "negw", "d,t"),
	r("addw", opReg32, 0, 0, "d,s,t"), r("subw", opReg32, 0, 0x20, "d,s,t"), r("sllw", opReg32, 1, 0, "d,s,t"),
	r("srlw", opReg32, 5, 0, "d,s,t"), r("sraw", opReg32, 5, 0x20, "d,s,t"),

	// A branch on less, or not, is always written with its operands exchanged.
	i("", opBranch, 0, "").with(maskRs2, 0, "beqz", "s,b"), i("beq", opBranch, 0, "s,t,b"),
	i("", opBranch, 1, "").with(maskRs2, 0, "bnez", "s,b"), i("bne", opBranch, 1, "s,t,b"),
	i("", opBranch, 4, "").with(maskRs2, 0, "bltz", "s,b"),
	i("", opBranch, 4, "").with(maskRs1, 0, "bgtz", "t,b"), i("bgt", opBranch, 4, "t,s,b"),
	i("", opBranch, 5, "").with(maskRs1, 0, "blez", "t,b"),
	i("", opBranch, 5, "").with(maskRs2, 0, "bgez", "s,b"), i("ble", opBranch, 5, "t,s,b"),
	i("bgtu", opBranch, 6, "t,s,b"), i("bleu", opBranch, 7, "t,s,b"),
	{maskOpcode | maskRd, opJAL, "j", "j"}, {maskOpcode, opJAL, "jal", "d,j"},
	i("", opJALR, 0, "").with(maskRd|maskRs1, 1<<15, "ret", ""),
	i("", opJALR, 0, "").with(maskRd|maskImm, 0, "jr", "s"), i("jalr", opJALR, 0, "d,s,i"),
}

// multiplyForms are the M extension (Unpriv. chapter 12).
var multiplyForms = []form{
	r("mul", opReg, 0, 1, "d,s,t"), r("mulh", opReg, 1, 1, "d,s,t"), r("mulhsu", opReg, 2, 1, "d,s,t"), r("mulhu", opReg, 3, 1, "d,s,t"),
	r("div", opReg, 4, 1, "d,s,t"), r("divu", opReg, 5, 1, "d,s,t"), r("rem", opReg, 6, 1, "d,s,t"), r("remu", opReg, 7, 1, "d,s,t"),
	r("mulw", opReg32, 0, 1, "d,s,t"), r("divw", opReg32, 4, 1, "d,s,t"), r("divuw", opReg32, 5, 1, "d,s,t"),
	r("remw", opReg32, 6, 1, "d,s,t"), r("remuw", opReg32, 7, 1, "d,s,t"),
}

// bitForms are Zba, Zbb, Zbc and Zbs (Unpriv. chapter 30).
var bitForms = []form{
	r("sh1add", opReg, 2, 0x10, "d,s,t"), r("sh2add", opReg, 4, 0x10, "d,s,t"), r("sh3add", opReg, 6, 0x10, "d,s,t"),
	r("add.uw", opReg32, 0, 4, "d,s,t"), r("sh1add.uw", opReg32, 2, 0x10, "d,s,t"),
	r("sh2add.uw", opReg32, 4, 0x10, "d,s,t"), r("sh3add.uw", opReg32, 6, 0x10, "d,s,t"),
	{maskI | maskSh64, 2<<26 | 1<<12 | opImm32, "slli.uw", "d,s,h"},

	r("andn", opReg, 7, 0x20, "d,s,t"), r("orn", opReg, 6, 0x20, "d,s,t"), r("xnor", opReg, 4, 0x20, "d,s,t"),
	r("min", opReg, 4, 5, "d,s,t"), r("minu", opReg, 5, 5, "d,s,t"), r("max", opReg, 6, 5, "d,s,t"), r("maxu", opReg, 7, 5, "d,s,t"),
	r("rol", opReg, 1, 0x30, "d,s,t"), r("ror", opReg, 5, 0x30, "d,s,t"), r("rolw", opReg32, 1, 0x30, "d,s,t"),
	r("rorw", opReg32, 5, 0x30, "d,s,t"), sh("rori", 5, 0x18), r("roriw", opImm32, 5, 0x30, "d,s,w"),
	unary("clz", opImm, 1, 0x30, 0), unary("ctz", opImm, 1, 0x30, 1), unary("cpop", opImm, 1, 0x30, 2),
	unary("sext.b", opImm, 1, 0x30, 4), unary("sext.h", opImm, 1, 0x30, 5),
	unary("clzw", opImm32, 1, 0x30, 0), unary("ctzw", opImm32, 1, 0x30, 1), unary("cpopw", opImm32, 1, 0x30, 2),
	unary("zext.h", opReg32, 4, 4, 0), unary("orc.b", opImm, 5, 0x14, 7), unary("rev8", opImm, 5, 0x35, 0x18),

	r("clmul", opReg, 1, 5, "d,s,t"), r("clmulr", opReg, 2, 5, "d,s,t"), r("clmulh", opReg, 3, 5, "d,s,t"),

	r("bset", opReg, 1, 0x14, "d,s,t"), r("bclr", opReg, 1, 0x24, "d,s,t"), r("binv", opReg, 1, 0x34, "d,s,t"),
	r("bext", opReg, 5, 0x24, "d,s,t"), sh("bseti", 1, 0xa), sh("bclri", 1, 0x12), sh("binvi", 1, 0x1a), sh("bexti", 5, 0x12),
}

// atomicForms are the A extension (Unpriv. chapter 13): each for words and double
// words, and with its four orders.
func atomicForms() (all []form) {
	for f5, name := range map[uint32]string{
		0: "amoadd", 1: "amoswap", 2: "lr", 3: "sc", 4: "amoxor", 8: "amoor", 12: "amoand",
		16: "amomin", 20: "amomax", 24: "amominu", 28: "amomaxu",
	} {
		for width, suffix := range map[uint32]string{2: ".w", 3: ".d"} {
			for order, word := range [...]string{"", ".rl", ".aq", ".aq.rl"} {
				f := r(name+suffix+word, opAMO, width, f5<<2|uint32(order), "d,t,(s)")
				if name == "lr" {
					f = f.with(maskRs2, 0, f.name, "d,(s)")
				}
				all = append(all, f)
			}
		}
	}
	return all
}

// systemForms are the privileged instructions (Priv. chapters 3 and 12) and Zicsr
// (Unpriv. chapter 6), with the abbreviations for counters and the
// floating-point state.
var systemForms = []form{
	exact("ecall", opSystem), exact("ebreak", 1<<20|opSystem), exact("uret", 0x002<<20|opSystem), exact("sret", 0x102<<20|opSystem),
	exact("wfi", 0x105<<20|opSystem), exact("mret", 0x302<<20|opSystem), exact("dret", 0x7b2<<20|opSystem),
	{maskR | maskRd, 9<<25 | opSystem, "sfence.vma", "s,t"},

	i("", opSystem, 1, "").with(maskImm, 1<<20, "fsflags", "d,s"), i("", opSystem, 1, "").with(maskImm, 2<<20, "fsrm", "d,s"),
	i("", opSystem, 1, "").with(maskImm, 3<<20, "fscsr", "d,s"),
	i("", opSystem, 2, "").with(maskImm|maskRs1, 1<<20, "frflags", "d"), i("", opSystem, 2, "").with(maskImm|maskRs1, 2<<20, "frrm", "d"),
	i("", opSystem, 2, "").with(maskImm|maskRs1, 3<<20, "frcsr", "d"), i("", opSystem, 2, "").with(maskImm|maskRs1, 0xc00<<20, "rdcycle", "d"),
	i("", opSystem, 2, "").with(maskImm|maskRs1, 0xc01<<20, "rdtime", "d"), i("", opSystem, 2, "").with(maskImm|maskRs1, 0xc02<<20, "rdinstret", "d"),
	i("", opSystem, 5, "").with(maskImm, 1<<20, "fsflagsi", "d,z"), i("", opSystem, 5, "").with(maskImm, 2<<20, "fsrmi", "d,z"),
	i("csrrw", opSystem, 1, "d,c,s"), i("csrrs", opSystem, 2, "d,c,s"), i("csrrc", opSystem, 3, "d,c,s"),
	i("csrrwi", opSystem, 5, "d,c,z"), i("csrrsi", opSystem, 6, "d,c,z"), i("csrrci", opSystem, 7, "d,c,z"),
}
