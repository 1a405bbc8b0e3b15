package qobject

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
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
