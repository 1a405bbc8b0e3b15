package qobject

import (
	"errors"
	"runtime"
	"strings"
	"testing"

	"github.com/backplane-vm/backplane/qapi/qerr"
)

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

// TestMalformedLines reads a million lines that are all wrong, in different
// ways: not a byte of memory may be left behind by any.
func TestMalformedLines(t *testing.T) {
	lines := []string{
		`{"execute": ` + "\xff", `[[[[[[`, `]`, `{"a": {"b": [1, 2, "c"}}`, `"unterminated`, "\x01\x02", `{'a' 'b'}`, `01`, `nul`,
		`"\ud800"`, "\"\xc3(\"", `{"a": 1, "a": 2}`, strings.Repeat(`{"k": [`, 50), `"` + strings.Repeat("x", 300),
	}
	chunk := []byte(strings.Join(lines, "\n") + "\n")
	var p Parser
	errs := 0
	emit := func(_ any, err error) bool {
		if err != nil {
			errs++
		}
		return true
	}
	read := func(n int) uint64 {
		for range n / len(lines) {
			p.FeedSome(chunk, emit)
		}
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before := read(10_000)
	after := read(1_000_000)
	if grown := int64(after) - int64(before); grown > 64<<10 {
		t.Errorf("the heap has grown by %d bytes", grown)
	}
	if errs < 500_000 {
		t.Errorf("%d errors", errs)
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
