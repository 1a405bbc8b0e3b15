package hmp

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"testing"
)

// parseLine parses line by the description spec and shows the arguments, or
// the error, as text.
func parseLine(spec, line string, formats *FormatDefaults) string {
	params, err := parseParams(spec)
	if err != nil {
		return err.Error()
	}
	p := argParser{name: "cmd|c", line: line, formats: formats}
	args, err := p.parse(params)
	if err != nil {
		return "! " + err.Error()
	}
	var shown []string
	for _, key := range slices.Sorted(maps.Keys(args.values)) {
		shown = append(shown, fmt.Sprintf("%s=%v", key, args.values[key]))
	}
	return strings.Join(shown, " ")
}

func TestParseArgs(t *testing.T) {
	extra := "! cmd|c: extraneous characters at the end of line"
	for _, c := range []struct{ spec, line, want string }{
		{"", "", ""},
		{"", " \t", ""},
		{"", "x", extra},
		{"a:s,b:s?", "one", "a=one"},
		{"a:s,b:s?", " one  two ", "a=one b=two"},
		{"a:s,b:s?", "one two three", extra},
		{"a:s", `"q \"\\\n\r\'"`, "a=q \"\\\n\r'"},
		{"a:s", `""`, "a="},
		{"a:s", `"x`, "! cmd|c: string expected"},
		{"a:s", `"x\`, "! cmd|c: string expected"},
		{"a:F", "", "! cmd|c: filename expected"},
		{"a:B", "", "! cmd|c: block device name expected"},
		{"a:S", " the rest \"of", "a=the rest \"of"},
		{"a:S", " ", "! cmd|c: string expected"},
		{"a:S?", " ", ""},
		{"a:O", "", ""},
		{"a:O", "x,y=1", "a={x,y=1 <nil>}"},
		{"a:i", "0xffffffff", "a=4294967295"},
		{"a:i", "0x100000000", "! 'cmd|c' has failed: integer is for 32-bit values"},
		{"a:i", "-1", "! 'cmd|c' has failed: integer is for 32-bit values"},
		{"a:i?", "", ""},
		{"a:l,b:l", "1 + 1 2", "a=2 b=2"},
		{"a:l,b:l.,c:i?", "1 . 2 3", "a=1 b=2 c=3"},
		{"a:l,b:l.,c:i?", "1 3", "a=1 c=3"},
		{"a:l.", "", ""},
		{"a:M", "16", "a=16777216"},
		{"a:M", "-16", "! enter a positive value"},
		{"a:o", "1", "a=1048576"},
		{"a:o", "1.5k", "a=1536"},
		{"a:o", "1.K", "a=1024"},
		{"a:o", ".5G", "a=536870912"},
		{"a:o", "0x10", "a=16777216"},
		{"a:o", "+7b", "a=7"},
		{"a:o", "7.5b", "! invalid size"},
		{"a:o", "7E", "a=8070450532247928832"},
		{"a:o", "8E", "! invalid size"},
		{"a:o", "99999999999999999999", "! invalid size"},
		{"a:o", "-1", "! invalid size"},
		{"a:o", ".", "! invalid size"},
		{"a:o", "0x1.8", "! invalid size"},
		{"a:o", "0x", "! invalid size"},
		{"a:o", "", "! invalid size"},
		{"a:o?", "", ""},
		{"a:o", "1kk", extra},
		{"a:T", "1.5", "a=1.5"},
		{"a:T", "1ms", "a=0.001"},
		{"a:T", "2us", "a=2e-06"},
		{"a:T", "3ns x", extra},
		{"a:T", "-1e3", "a=-1000"},
		{"a:T", "1e", "! Unknown unit suffix"},
		{"a:T", "1h", "! Unknown unit suffix"},
		{"a:T", "x", "! Number expected"},
		{"a:T", ".", "! Number expected"},
		{"a:T", "inf", "! Bad number"},
		{"a:T", "nan", "! Bad number"},
		{"a:T", "1e999", "! Bad number"},
		{"a:T?", "", ""},
		{"a:b", "on", "a=true"},
		{"a:b", "off", "a=false"},
		{"a:b", "of", "! Expected 'on' or 'off'"},
		{"a:b", "", "! Expected 'on' or 'off'"},
		{"a:-a,b:-b,c:s?", "-a -b", "a=true b=true"},
		{"a:-a,b:-b,c:s?", "-b x", "b=true c=x"},
		{"a:-a,b:-b,c:s?", "x -a", extra},
		{"a:-a,b:-b,c:s?", "-b -a", "b=true c=-a"},
		{"a:-a,b:-b", "-b -a", extra},
		{"a:-a,b:-b", "-z", "! cmd|c: unsupported option -z"},
		{"a:-a,b:-b", "-ab", extra},
		{"a:-as,b:s", "-a v w", "a=v b=w"},
		{"a:-as,b:s", "-av w", "a=v b=w"},
		{"a:-as,b:-b", "-b", "b=true"},
		{"a:-as,b:s", "-a", "! cmd|c: value expected for -a"},
		{"f:/", "", "f={1 120 4}"},
		{"f:/,a:l", "/3dg 7", "a=7 f={3 100 8}"},
		{"f:/", "/i", "f={1 105 -1}"},
		{"f:/", "/99999999999999999999b", "f={2147483647 120 1}"},
		{"f:/", "/xd", "f={1 100 4}"},
		{"f:/", "/3q", "! invalid char in format: 'q'"},
		{"f:/,a:l", "/x1", "! invalid char in format: '1'"},
	} {
		if got := parseLine(c.spec, c.line, NewFormatDefaults()); got != c.want {
			t.Errorf("%q %q: got %q, want %q", c.spec, c.line, got, c.want)
		}
	}
}

// TestArgsOfOtherType: asking by the wrong method is like asking for an
// argument that is not there.
func TestArgsOfOtherType(t *testing.T) {
	var a Args
	a.set("n", int64(3))
	if a.String("n") != "" || a.Bool("n") || a.Seconds("n") != 0 || a.Int("absent") != 0 {
		t.Error("a value of another type came back")
	}
	if a.Int("n") != 3 || !a.Has("n") || a.Has("absent") {
		t.Error("the value is lost")
	}
}

func TestExpr(t *testing.T) {
	register := func(name string) (int64, bool) { return 42, name == "pc" || name == "f.1_a" }
	for _, c := range []struct {
		in   string
		val  int64
		rest string
	}{
		{"1+2*3", 7, ""},
		{"1&3+1", 2, ""},
		{"2*3&1", 0, ""},
		{" 1 | 6 ^ 5 x", 2, "x"},
		{"-(1+2)*-3", 9, ""},
		{"~0 - +1", -2, ""},
		{"$pc+$f.1_a", 84, ""},
		{"'a' 'b'", 97, "'b'"},
		{"'\xff'", -1, ""},
		{"017 8", 15, "8"},
		{"08", 0, "8"},
		{"0xg", 0, "xg"},
		{"0xffffffffffffffff", -1, ""},
		{"-9223372036854775808/-1", math.MinInt64, ""},
		{"-9223372036854775808%-1", 0, ""},
		{"7%4/2", 1, ""},
	} {
		val, end, err := evalExpr(c.in, 0, register)
		if err != nil || val != c.val || c.in[end:] != c.rest {
			t.Errorf("%q: %d, rest %q, %v", c.in, val, c.in[end:], err)
		}
	}
	for in, want := range map[string]string{
		"":                       "unexpected end of expression",
		"1+":                     "unexpected end of expression",
		"(1":                     "')' expected",
		"'":                      "character constant expected",
		"'a":                     "missing terminating ' character",
		"$nope":                  "unknown register",
		"18446744073709551616":   "number too large",
		"0x10000000000000000":    "number too large",
		"@":                      "invalid char '@' in expression",
		"\xe9":                   "invalid char '\xe9' in expression",
		"1/0":                    "division by zero",
		"1%(1-1)":                "division by zero",
		strings.Repeat("(", 1e6): "expression is nested too deeply",
		strings.Repeat("-", 1e6): "expression is nested too deeply",
	} {
		if _, _, err := evalExpr(in, 0, register); err == nil || err.Error() != want {
			t.Errorf("%.20q: %v, want %s", in, err, want)
		}
	}
}

func TestFormatNumber(t *testing.T) {
	for _, c := range []struct {
		kind byte
		val  int64
		want string
	}{
		{'x', 255, "0xff"}, {'x', 0, "0"}, {'o', 8, "010"}, {'o', 0, "0"},
		{'d', -1, "-1"}, {'u', -1, "18446744073709551615"}, {'i', 5, "5"},
		{'c', 'A', "'A'"}, {'c', '\'', `'\''`}, {'c', '\\', `'\\'`},
		{'c', '\n', `'\n'`}, {'c', '\r', `'\r'`}, {'c', 1, `'\x01'`}, {'c', -1, `'\xffffffff'`},
	} {
		if got := FormatNumber(c.kind, c.val); got != c.want {
			t.Errorf("%c %d: %s", c.kind, c.val, got)
		}
	}
}

func FuzzParseArgs(f *testing.F) {
	for _, spec := range []string{
		"a:s,b:s?", "a:-a,b:-bs,c:B?", "a:O", "f:/,a:l", "a:l.,b:i?", "a:o", "a:T?", "a:b", "a:F,b:S?", "a:M",
	} {
		for _, line := range []string{"", "x", `"a\"b" c`, "-a -b v x", "/3xw 1+2", ". 5 6", "1.5k", "1ms", "on", "-", `"`} {
			f.Add(spec, line)
		}
	}
	f.Fuzz(func(t *testing.T, spec, line string) {
		params, err := parseParams(spec)
		if err != nil {
			return
		}
		p := argParser{name: "c", line: line, formats: NewFormatDefaults()}
		args, err := p.parse(params)
		if err != nil {
			if _, ok := err.(*argError); !ok || args != nil {
				t.Fatalf("%T with %v", err, args)
			}
			return
		}
		for key := range args.values {
			if !slices.ContainsFunc(params, func(p param) bool { return p.key == key }) {
				t.Fatalf("argument %q was not asked for", key)
			}
		}
	})
}

func FuzzExpr(f *testing.F) {
	for _, s := range []string{"1+2*3", "$pc", "'a'", "(1)", "0x1f&~7", "1/0", "1%-1", "((", "- - 1", "0x", "08"} {
		f.Add(s, 0)
	}
	f.Fuzz(func(t *testing.T, s string, i int) {
		if i < 0 || i > len(s) {
			return
		}
		_, end, err := evalExpr(s, i, func(name string) (int64, bool) { return int64(len(name)), name != "" })
		if end < i || end > len(s) {
			t.Fatalf("end %d outside %d..%d", end, i, len(s))
		}
		if err == nil && skipBlanks(s, i) == len(s) {
			t.Fatal("nothing has a value")
		}
	})
}

func FuzzMonitor(f *testing.F) {
	f.Add([]byte("help\rinfo \tst\t\r\x1b[A\x01x\x1b[3~\r"))
	f.Add([]byte("p '\t'\r\x9b99999999999999~\x0c\x15\x17\x10\x0e"))
	f.Add([]byte("sum 1 2\rstop\rdevice_add \"a\\n\"\r"))
	f.Fuzz(func(t *testing.T, p []byte) {
		m := New((&machine{ready: true}).config(t))
		m.Open()
		screen := feed(m, p)
		if strings.Contains(strings.ReplaceAll(screen, "\r\n", ""), "\n") {
			t.Fatalf("a bare newline in %q", screen)
		}
		if line, cursor := m.editor.Line(); cursor < 0 || cursor > len(line) || len(line) > 4095 {
			t.Fatalf("cursor %d in a line of %d", cursor, len(line))
		}
	})
}
