package disasm

// floatForms are F or D (Unpriv. chapters 20 and 21): all that the two have alike
// but loads and stores. format is the precision's number in the encoding.
func floatForms(precision string, format uint32) []form {
	p := "." + precision
	fused := func(name string, op uint32) form {
		return form{maskOpcode | maskFmt, format<<25 | op, name + p, "m,D,S,T,R"}
	}
	return []form{
		fused("fmadd", opMADD), fused("fmsub", opMSUB), fused("fnmsub", opNMSUB), fused("fnmadd", opNMADD),
		fr("fadd"+p, format, "D,S,T"), fr("fsub"+p, 4|format, "D,S,T"), fr("fmul"+p, 8|format, "D,S,T"), fr("fdiv"+p, 12|format, "D,S,T"),
		fc("fsqrt"+p, 0x2c|format, 0, "D,S"),
		r("fsgnj"+p, opFP, 0, 0x10|format, "D,S,T"), r("fsgnjn"+p, opFP, 1, 0x10|format, "D,S,T"), r("fsgnjx"+p, opFP, 2, 0x10|format, "D,S,T"),
		r("fmin"+p, opFP, 0, 0x14|format, "D,S,T"), r("fmax"+p, opFP, 1, 0x14|format, "D,S,T"),
		r("fle"+p, opFP, 0, 0x50|format, "d,S,T"), r("flt"+p, opFP, 1, 0x50|format, "d,S,T"), r("feq"+p, opFP, 2, 0x50|format, "d,S,T"),
		fc("fcvt.w"+p, 0x60|format, 0, "d,S"), fc("fcvt.wu"+p, 0x60|format, 1, "d,S"),
		fc("fcvt.l"+p, 0x60|format, 2, "d,S"), fc("fcvt.lu"+p, 0x60|format, 3, "d,S"),
		fc("fcvt"+p+".w", 0x68|format, 0, "D,s"), fc("fcvt"+p+".wu", 0x68|format, 1, "D,s"),
		fc("fcvt"+p+".l", 0x68|format, 2, "D,s"), fc("fcvt"+p+".lu", 0x68|format, 3, "D,s"),
		fx("fmv.x"+p, 0, 0x70|format, "d,S"), fx("fclass"+p, 1, 0x70|format, "d,S"), fx("fmv"+p+".x", 0, 0x78|format, "D,s"),
	}
}

// betweenForms convert from one precision to the other.
var betweenForms = []form{fc("fcvt.s.d", 0x20, 1, "D,S"), fc("fcvt.d.s", 0x21, 0, "D,S")}

// signOf are the abbreviations for a sign injection from the same register.
var signOf = map[string]string{
	"fsgnj.s": "fmv.s", "fsgnjn.s": "fneg.s", "fsgnjx.s": "fabs.s",
	"fsgnj.d": "fmv.d", "fsgnjn.d": "fneg.d", "fsgnjx.d": "fabs.d",
}
