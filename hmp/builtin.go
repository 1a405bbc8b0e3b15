package hmp

import "strconv"

// builtins are the handlers of the commands that need no machine.
func builtins[Y any]() Handlers[Y] {
	return Handlers[Y]{
		"help":         {Run: runHelp},
		"info history": {Run: runHistory},
		"print":        {Run: runPrint},
	}
}

func runHelp(call *Call, args *Args) error {
	call.Help(args.String("name"))
	return nil
}

func runHistory(call *Call, _ *Args) error {
	for i, line := range call.History() {
		call.Printf("%d: '%s'\n", i, line)
	}
	return nil
}

func runPrint(call *Call, args *Args) error {
	call.Printf("%s\n", FormatNumber(args.Format("fmt").Kind, args.Int("val")))
	return nil
}

// FormatNumber writes val as print does: octal or hexadecimal with C's prefix
// (none for 0), unsigned, as a character, else decimal.
func FormatNumber(kind byte, val int64) string {
	switch kind {
	case 'o':
		return prefixed("0", uint64(val), 8)
	case 'x':
		return prefixed("0x", uint64(val), 16)
	case 'u':
		return strconv.FormatUint(uint64(val), 10)
	case 'c':
		return quoteChar(int32(val))
	default:
		return strconv.FormatInt(val, 10)
	}
}

func prefixed(prefix string, val uint64, base int) string {
	if val == 0 {
		return "0"
	}
	return prefix + strconv.FormatUint(val, base)
}

// quoteChar writes a character constant. Values past a byte are written in
// hexadecimal as wide as they are, as QEMU does.
func quoteChar(c int32) string {
	switch {
	case c == '\'' || c == '\\':
		return `'\` + string(c) + `'`
	case c == '\n':
		return `'\n'`
	case c == '\r':
		return `'\r'`
	case c >= ' ' && c <= '~':
		return `'` + string(c) + `'`
	}
	hex := strconv.FormatUint(uint64(uint32(c)), 16)
	if len(hex) < 2 {
		hex = "0" + hex
	}
	return `'\x` + hex + `'`
}
