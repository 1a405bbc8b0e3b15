package qobject

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/backplane-vm/backplane/qapi/qerr"
)

// outcomes collects what a Parser emits, in the notation of dialect.txt.
type outcomes []string

func (o *outcomes) add(v any, err error) {
	switch {
	case err != nil && v != nil:
		*o = append(*o, fmt.Sprintf("both %v and %v", v, err))
	case err != nil:
		*o = append(*o, "! "+err.Error())
	default:
		*o = append(*o, "= "+Encode(v))
	}
}

func (o *outcomes) feed(p *Parser, input string, chunk int) {
	for ; len(input) > 0; input = input[min(chunk, len(input)):] {
		p.Feed([]byte(input[:min(chunk, len(input))]), o.add)
	}
}

// TestDialect reads testdata/dialect.txt in pieces of every size.
func TestDialect(t *testing.T) {
	for _, c := range readDialect(t) {
		for chunk := 1; chunk <= max(1, len(c.input)); chunk++ {
			var p Parser
			var got outcomes
			got.feed(&p, c.input, chunk)
			if c.flush >= 0 {
				got = append(got, "...")
			}
			p.Flush(got.add)
			if g, w := strings.Join(got, "\n"), strings.Join(c.want, "\n"); g != w {
				t.Fatalf("%q in pieces of %d gives\n%s\nwant\n%s", c.input, chunk, g, w)
			}
			if p.Partial() {
				t.Errorf("%q: something is left after Flush", c.input)
			}
		}
	}
}

type dialectCase struct {
	input string
	want  []string
	flush int // where "..." stands, or -1
}

func readDialect(t testing.TB) []dialectCase {
	text, err := os.ReadFile("testdata/dialect.txt")
	if err != nil {
		t.Fatal(err)
	}
	var cases []dialectCase
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSuffix(line, "\n")
		switch {
		case line == "" || line[0] == '#':
		case line[0] == '"':
			input, err := strconv.Unquote(line)
			if err != nil {
				t.Fatalf("%s: %v", line, err)
			}
			cases = append(cases, dialectCase{input: input, flush: -1})
		default:
			c := &cases[len(cases)-1]
			if line == "..." {
				c.flush = len(c.want)
			}
			if strings.HasPrefix(line, "! ") && strings.Contains(line, "stray") {
				line = unescapeStray(line)
			}
			c.want = append(c.want, line)
		}
	}
	return cases
}

// unescapeStray undoes the escapes that keep dialect.txt readable.
func unescapeStray(line string) string {
	return strings.NewReplacer(`\n`, "\n", `\\`, `\`, `\xff`, "\xff", `\xfe`, "\xfe", `\x80`, "\x80", `\x1b`, "\x1b").Replace(line)
}

// TestLimits shrinks the limits and walks up to each and past it.
func TestLimits(t *testing.T) {
	const (
		size    = "! JSON token size limit exceeded"
		count   = "! JSON token count limit exceeded"
		nesting = "! JSON nesting depth limit exceeded"
		value   = "! JSON parse error, expecting value"
	)
	tests := []struct {
		name, input string
		limits      Limits
		want        outcomes
	}{
		{"nesting reached", "[[[]]]", Limits{100, 100, 3}, outcomes{"= [[[]]]"}},
		{"nesting passed", "[[[[]]]]", Limits{100, 100, 3}, outcomes{nesting, value, value, value, value}},
		{"braces and brackets count together", `[{"a":[{}]}]`, Limits{100, 100, 3},
			outcomes{nesting, value, value, value, value}},
		{"count reached", "[1,2]", Limits{100, 5, 3}, outcomes{"= [1, 2]"}},
		{"count passed", "[1,2]", Limits{100, 4, 3}, outcomes{count}},
		{"count passed early", "[1,2,3]", Limits{100, 4, 3}, outcomes{count, "= 3", value}},
		{"size reached", `["abcd"]`, Limits{9, 100, 3}, outcomes{`= ["abcd"]`}},
		{"size passed", `["abcd"]`, Limits{8, 100, 3}, outcomes{size}},
		{"token too long", `"abcdefgh"`, Limits{5, 100, 3},
			outcomes{size, "! JSON parse error, invalid keyword 'fgh'"}},
		{"token too long in a message", `["abcdef",1]`, Limits{5, 100, 3},
			outcomes{size, "! JSON parse error, invalid keyword 'f'"}},
	}
	for _, test := range tests {
		for chunk := 1; chunk <= len(test.input); chunk++ {
			p := Parser{Limits: test.limits}
			var got outcomes
			got.feed(&p, test.input, chunk)
			if len(got) < len(test.want) || strings.Join(got[:len(test.want)], "\n") != strings.Join(test.want, "\n") {
				t.Fatalf("%s, pieces of %d: got %q, want %q", test.name, chunk, got, test.want)
			}
		}
	}
}

// TestNesting uses the real limit: 1024 levels are a value, 1025 are not.
func TestNesting(t *testing.T) {
	for _, depth := range []int{MaxNesting, MaxNesting + 1} {
		var p Parser
		var got outcomes
		got.feed(&p, strings.Repeat("[", depth)+strings.Repeat("]", depth), 4096)
		switch {
		case depth == MaxNesting && (len(got) != 1 || !strings.HasPrefix(got[0], "= [[")):
			t.Errorf("%d levels: %d outcomes, first %.40s", depth, len(got), got[0])
		case depth > MaxNesting && (len(got) != depth+1 || got[0] != "! JSON nesting depth limit exceeded"):
			t.Errorf("%d levels: %d outcomes, first %.40s", depth, len(got), got[0])
		}
	}
}

func TestErrorTextIsBounded(t *testing.T) {
	_, err := ParseJSON(strings.Repeat("x", 5000))
	var e *qerr.Error
	if !errors.As(err, &e) || e.Class != qerr.GenericError {
		t.Fatalf("got %v", err)
	}
	want := "JSON parse error, invalid keyword '" + strings.Repeat("x", maxErrorText-len("invalid keyword '"))
	if e.Desc != want {
		t.Errorf("got %d bytes, want %d", len(e.Desc), len(want))
	}
}

func TestParseJSON(t *testing.T) {
	tests := []struct{ input, want string }{
		{"1", "= 1"},
		{" {'a': [null]} ", `= {"a": [null]}`},
		{"", "! Expecting a JSON value"},
		{" \n", "! Expecting a JSON value"},
		{"1 2", "! Expecting at most one JSON value"},
		{"1 2 3", "! Expecting at most one JSON value"},
		{"[1", "! JSON parse error, premature EOI"},
		{"x 1", "! JSON parse error, invalid keyword 'x'"},
	}
	for _, test := range tests {
		var got outcomes
		got.add(ParseJSON(test.input))
		if got[0] != test.want {
			t.Errorf("ParseJSON(%q): %s, want %s", test.input, got[0], test.want)
		}
	}
}

func TestReset(t *testing.T) {
	for _, begun := range []string{`{"a": [1, "x`, `"\u12`, `[`, `T rest`} {
		var p Parser
		var got outcomes
		p.Feed([]byte(begun), func(any, error) {})
		if !p.Partial() {
			t.Errorf("%q: nothing partial", begun)
		}
		p.Reset()
		if p.Partial() {
			t.Errorf("%q: still partial after Reset", begun)
		}
		p.Feed([]byte("[2]"), got.add)
		if len(got) != 1 || got[0] != "= [2]" {
			t.Errorf("%q, Reset, [2]: %q", begun, got)
		}
	}
}

// TestFeedSome stops after each value and takes up the rest later.
func TestFeedSome(t *testing.T) {
	const input = `{"a":1} 12 {} x [T {} "s"`
	var whole outcomes
	whole.feed(new(Parser), input, len(input))
	var (
		p     Parser
		got   outcomes
		rest  = []byte(input)
		stops []int
	)
	for len(rest) > 0 {
		n := p.FeedSome(rest, func(v any, err error) bool {
			got.add(v, err)
			return false
		})
		rest = rest[n:]
		stops = append(stops, n)
	}
	if strings.Join(got, "\n") != strings.Join(whole, "\n") {
		t.Errorf("stopping gives %q, not stopping %q", got, whole)
	}
	if len(stops) != len(whole) {
		t.Errorf("%d stops for %d outcomes: %v", len(stops), len(whole), stops)
	}
}

// TestMemoryIsGivenBack checks that one long string does not stay for the life
// of a connection.
func TestMemoryIsGivenBack(t *testing.T) {
	var p Parser
	long := `"` + strings.Repeat("x", 1<<20) + `"`
	var got outcomes
	got.feed(&p, long, 4096)
	if len(got) != 1 || len(got[0]) != len(long)+2 {
		t.Fatalf("%d outcomes", len(got))
	}
	if cap(p.lex.carry) > keepCarry {
		t.Errorf("%d bytes are kept", cap(p.lex.carry))
	}
}

// TestLongArgument counts what a long argument costs, cut as finely as can be:
// its bytes are gathered in one growing buffer and copied out once.
func TestLongArgument(t *testing.T) {
	input := []byte(`{"execute": "x", "arguments": {"data": "` + strings.Repeat("x", 100_000) + `"}}`)
	var p Parser
	values := 0
	emit := func(v any, err error) bool {
		if err == nil {
			values++
		}
		return true
	}
	n := testing.AllocsPerRun(3, func() {
		for i := range input {
			p.FeedSome(input[i:i+1], emit)
		}
	})
	if values == 0 || n > 60 {
		t.Errorf("%d values, %v allocations each", values, n)
	}
}

// FuzzParser: nothing panics, the cuts between pieces do not matter, and what
// is read comes back the same when written and read again.
func FuzzParser(f *testing.F) {
	for _, c := range readDialect(f) {
		f.Add([]byte(c.input), uint8(3))
	}
	f.Fuzz(func(t *testing.T, data []byte, chunk uint8) {
		var whole, pieces, single outcomes
		var values []any
		small := Limits{64, 24, 5}
		for _, lim := range []Limits{{}, small} {
			p := Parser{Limits: lim}
			p.Feed(data, func(v any, err error) {
				whole.add(v, err)
				if err == nil {
					values = append(values, v)
				}
			})
			p.Flush(whole.add)
			p = Parser{Limits: lim}
			pieces.feed(&p, string(data), 1+int(chunk))
			p.Flush(pieces.add)
			p = Parser{Limits: lim}
			single.feed(&p, string(data), 1)
			p.Flush(single.add)
		}
		if w := strings.Join(whole, "\n"); w != strings.Join(pieces, "\n") || w != strings.Join(single, "\n") {
			t.Fatalf("whole %q\npieces of %d %q\nbytes %q", whole, 1+int(chunk), pieces, single)
		}
		for _, v := range values {
			checkRoundTrip(t, v)
		}
	})
}

func BenchmarkFeed(b *testing.B) {
	inputs := map[string]string{
		"command":    `{"execute": "query-status", "id": "libvirt-17"}` + "\n",
		"device_add": `{"execute": "device_add", "arguments": {"driver": "virtio-blk-pci", "id": "disk0", "bus": "rp0", "drive": "d0", "addr": "0x0"}, "id": 7}` + "\n",
		"string100K": `{"execute": "x", "arguments": {"data": "` + strings.Repeat("x", 100_000) + `"}}`,
	}
	for name, input := range inputs {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(input)))
			var p Parser
			n := 0
			emit := func(_ any, err error) bool {
				if err == nil {
					n++
				}
				return true
			}
			for b.Loop() {
				p.FeedSome([]byte(input), emit)
			}
			if n == 0 {
				b.Fatal("nothing was read")
			}
		})
	}
}
