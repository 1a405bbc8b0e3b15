package visit

import (
	"math"
	"reflect"
	"testing"

	"github.com/backplane-vm/backplane/qapi/qerr"
	"github.com/backplane-vm/backplane/qapi/qobject"
)

// parse turns JSON text into a value.
func parse(t *testing.T, text string) any {
	t.Helper()
	v, err := qobject.ParseJSON(text)
	if err != nil {
		t.Fatalf("test input %s: %v", text, err)
	}
	return v
}

type colour string

var colours = []colour{"red", "green"}

// decoders decode a member of the root by a short name of its type.
var decoders = map[string]func(Value) any{
	"str":     func(v Value) any { return v.Str() },
	"bool":    func(v Value) any { return v.Bool() },
	"int":     func(v Value) any { return v.Int64() },
	"int8":    func(v Value) any { return v.Int8() },
	"int16":   func(v Value) any { return v.Int16() },
	"int32":   func(v Value) any { return v.Int32() },
	"uint8":   func(v Value) any { return v.Uint8() },
	"uint16":  func(v Value) any { return v.Uint16() },
	"uint32":  func(v Value) any { return v.Uint32() },
	"uint64":  func(v Value) any { return v.Uint64() },
	"size":    func(v Value) any { return v.Size() },
	"number":  func(v Value) any { return v.Number() },
	"null":    func(v Value) any { return v.Null() },
	"any":     func(v Value) any { return v.Any() },
	"colour":  func(v Value) any { return Enum(v, colours) },
	"object":  func(v Value) any { v.Object().Close(); return nil },
	"strs":    func(v Value) any { return List(v, Value.Str) },
	"colours": func(v Value) any { return List(v, func(v Value) colour { return Enum(v, colours) }) },
	"bytes":   func(v Value) any { return List(v, Value.Uint8) },
	"choice": func(v Value) any {
		if v.Kind() != qobject.Bool {
			v.NoAlternative("Choice")
		}
		return nil
	},
	"nested": func(v Value) any { // {"b": [{"c": str}]}
		o := v.Object()
		defer o.Close()
		return List(o.Need("b"), func(v Value) string {
			in := v.Object()
			defer in.Close()
			return in.Need("c").Str()
		})
	},
}

// decodeP decodes {"p": <typ>} and returns the member and the error's text.
func decodeP(input any, flavour Flavour, typ string) (any, string) {
	in := New(input, flavour)
	o := in.Object()
	x := decoders[typ](o.Need("p"))
	o.Close()
	if err := in.Err(); err != nil {
		return x, err.Error()
	}
	return x, ""
}

func TestErrors(t *testing.T) {
	for _, c := range []struct {
		flavour          Flavour
		typ, input, want string
	}{
		{JSON, "str", `{}`, "Parameter 'p' is missing"},
		{JSON, "str", `{"p": "a", "q": 1}`, "Parameter 'q' is unexpected"},
		{JSON, "str", `{"p": 1, "q": 1}`, "Invalid parameter type for 'p', expected: string"},
		{JSON, "str", `[]`, "Invalid parameter type for '<anonymous>', expected: object"},
		{JSON, "bool", `{"p": "on"}`, "Invalid parameter type for 'p', expected: boolean"},
		{JSON, "int", `{"p": "1"}`, "Invalid parameter type for 'p', expected: integer"},
		{JSON, "int", `{"p": 1.0}`, "Invalid parameter type for 'p', expected: integer"},
		{JSON, "int", `{"p": 9223372036854775808}`, "Invalid parameter type for 'p', expected: integer"},
		{JSON, "uint64", `{"p": "many"}`, "Parameter 'p' expects uint64"},
		{JSON, "size", `{"p": "1M"}`, "Parameter 'p' expects uint64"},
		{JSON, "int8", `{"p": 128}`, "Parameter 'p' expects int8_t"},
		{JSON, "int16", `{"p": -32769}`, "Parameter 'p' expects int16_t"},
		{JSON, "int32", `{"p": 2147483648}`, "Parameter 'p' expects int32_t"},
		{JSON, "uint8", `{"p": 256}`, "Parameter 'p' expects uint8_t"},
		{JSON, "uint16", `{"p": -1}`, "Parameter 'p' expects uint16_t"},
		{JSON, "uint32", `{"p": 4294967296}`, "Parameter 'p' expects uint32_t"},
		{JSON, "bytes", `{"p": [1, 256]}`, "Parameter 'null' expects uint8_t"},
		{JSON, "number", `{"p": null}`, "Invalid parameter type for 'p', expected: number"},
		{JSON, "null", `{"p": 0}`, "Invalid parameter type for 'p', expected: null"},
		{JSON, "object", `{"p": "x"}`, "Invalid parameter type for 'p', expected: object"},
		{JSON, "object", `{"p": {"x": 1}}`, "Parameter 'p.x' is unexpected"},
		{JSON, "strs", `{"p": "x"}`, "Invalid parameter type for 'p', expected: array"},
		{JSON, "strs", `{"p": ["a", 1]}`, "Invalid parameter type for 'p[1]', expected: string"},
		{JSON, "colour", `{"p": "blue"}`, "Parameter 'p' does not accept value 'blue'"},
		{JSON, "colour", `{"p": 1}`, "Invalid parameter type for 'p', expected: string"},
		{JSON, "colours", `{"p": ["red", "zz"]}`, "Parameter 'null' does not accept value 'zz'"},
		{JSON, "choice", `{"p": 1}`, "Invalid parameter type for 'p', expected: Choice"},
		{JSON, "nested", `{"p": {"b": [{}]}}`, "Parameter 'p.b[0].c' is missing"},
		{JSON, "nested", `{"p": {"b": [{"c": "x", "d": 1}]}}`, "Parameter 'p.b[0].d' is unexpected"},

		{Keyval, "str", `{"p": {"x": "1"}}`, "Parameters 'p.*' are unexpected"},
		{Keyval, "int", `{"p": ["1"]}`, "Parameters 'p.*' are unexpected"},
		{Keyval, "str", `{"p": 1}`, "Internal error: parameter p invalid"},
		{Keyval, "bool", `{"p": "maybe"}`, "Parameter 'p' expects 'on' or 'off'"},
		{Keyval, "int", `{"p": "1x"}`, "Parameter 'p' expects integer"},
		{Keyval, "int", `{"p": ""}`, "Parameter 'p' expects integer"},
		{Keyval, "int", `{"p": "9223372036854775808"}`, "Parameter 'p' expects integer"},
		{Keyval, "uint64", `{"p": "0b1"}`, "Parameter 'p' expects integer"},
		{Keyval, "uint64", `{"p": "1_0"}`, "Parameter 'p' expects integer"},
		{Keyval, "uint64", `{"p": "--1"}`, "Parameter 'p' expects integer"},
		{Keyval, "uint8", `{"p": "300"}`, "Parameter 'p' expects uint8_t"},
		{Keyval, "size", `{"p": "1.5"}`, "Parameter 'p' expects size"},
		{Keyval, "size", `{"p": "16E"}`, "Parameter 'p' expects size"},
		{Keyval, "size", `{"p": "-1"}`, "Parameter 'p' expects size"},
		{Keyval, "size", `{"p": "1KB"}`, "Parameter 'p' expects size"},
		{Keyval, "size", `{"p": "."}`, "Parameter 'p' expects size"},
		{Keyval, "size", `{"p": ""}`, "Parameter 'p' expects size"},
		{Keyval, "size", `{"p": "0x1M"}`, "Parameter 'p' expects size"},
		{Keyval, "number", `{"p": "inf"}`, "Invalid parameter type for 'p', expected: number"},
		{Keyval, "null", `{"p": "x"}`, "Invalid parameter type for 'p', expected: null"},
		{Keyval, "colour", `{"p": "blue"}`, "Parameter 'p' does not accept value 'blue'"},
		{Keyval, "object", `{"p": "x"}`, "Invalid parameter type for 'p', expected: object"},
		{Keyval, "strs", `{"p": "x"}`, "Invalid parameter type for 'p', expected: array"},
		{Keyval, "nested", `{"p": {"b": [{}]}}`, "Parameter 'p.b.0.c' is missing"},
		{Keyval, "nested", `{"p": {"b": [{"c": {}}]}}`, "Parameters 'p.b.0.c.*' are unexpected"},
	} {
		_, got := decodeP(parse(t, c.input), c.flavour, c.typ)
		if got != c.want {
			t.Errorf("%s as %s: got %q, want %q", c.input, c.typ, got, c.want)
		}
	}
}

func TestValues(t *testing.T) {
	for _, c := range []struct {
		flavour    Flavour
		typ, input string
		want       any
	}{
		{JSON, "str", `{"p": "a"}`, "a"},
		{JSON, "bool", `{"p": true}`, true},
		{JSON, "int", `{"p": -9223372036854775808}`, int64(math.MinInt64)},
		{JSON, "uint64", `{"p": 18446744073709551615}`, uint64(math.MaxUint64)},
		{JSON, "uint64", `{"p": -1}`, uint64(math.MaxUint64)},
		{JSON, "size", `{"p": 7}`, uint64(7)},
		{JSON, "number", `{"p": 18446744073709551615}`, float64(math.MaxUint64)},
		{JSON, "number", `{"p": -3}`, -3.0},
		{JSON, "number", `{"p": 0.5}`, 0.5},
		{JSON, "null", `{"p": null}`, Null{}},
		{JSON, "any", `{"p": [1]}`, []any{int64(1)}},
		{JSON, "strs", `{"p": []}`, []string{}},
		{JSON, "bytes", `{"p": [1, 255]}`, []uint8{1, 255}},
		{JSON, "nested", `{"p": {"b": [{"c": "x"}]}}`, []string{"x"}},
		{Keyval, "str", `{"p": ""}`, ""},
		{Keyval, "bool", `{"p": "on"}`, true},
		{Keyval, "bool", `{"p": "n"}`, false},
		{Keyval, "int", `{"p": " -0x10"}`, int64(-16)},
		{Keyval, "int", `{"p": "+5"}`, int64(5)},
		{Keyval, "int8", `{"p": "010"}`, int8(8)},
		{Keyval, "uint64", `{"p": "-1"}`, uint64(math.MaxUint64)},
		{Keyval, "uint64", `{"p": "0xB0"}`, uint64(0xb0)},
		{Keyval, "size", `{"p": "1.5K"}`, uint64(1536)},
		{Keyval, "size", `{"p": "1.0"}`, uint64(1)},
		{Keyval, "size", `{"p": ".5k"}`, uint64(512)},
		{Keyval, "size", `{"p": "15E"}`, uint64(15 << 60)},
		{Keyval, "size", `{"p": "0x1b"}`, uint64(27)},
		{Keyval, "size", `{"p": "512B"}`, uint64(512)},
		{Keyval, "size", `{"p": "18446744073709551615"}`, uint64(math.MaxUint64)},
		{Keyval, "number", `{"p": "1e3"}`, 1000.0},
		{Keyval, "null", `{"p": ""}`, Null{}},
		{Keyval, "colour", `{"p": "red"}`, colour("red")},
	} {
		got, msg := decodeP(parse(t, c.input), c.flavour, c.typ)
		if msg != "" || !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s as %s: got %#v %q, want %#v", c.input, c.typ, got, msg, c.want)
		}
	}
}

func TestErrorIsFirstAndGeneric(t *testing.T) {
	in := New(parse(t, `{"a": 1, "b": 2}`), JSON)
	o := in.Object()
	o.Need("a").Str()
	first := in.Err()
	o.Need("b").Bool()
	o.Need("c")
	if x := Optional(o, "b", Value.Int64); x != nil {
		t.Error("an optional member was looked at after an error")
	}
	if OptionalList(o, "b", Value.Int64) != nil || List(o.Need("b"), Value.Any) != nil {
		t.Error("a list was looked at after an error")
	}
	o.Close()
	if in.Err() != first || o.Err() != first {
		t.Errorf("the first error was %v, now %v", first, in.Err())
	}
	if e := qerr.From(first); e.Class != qerr.GenericError {
		t.Errorf("class %q", e.Class)
	}
}

func TestOptional(t *testing.T) {
	in := New(parse(t, `{"there": "x", "list": []}`), JSON)
	o := in.Object()
	there, absent := Optional(o, "there", Value.Str), Optional(o, "absent", Value.Str)
	list, none := OptionalList(o, "list", Value.Str), OptionalList(o, "none", Value.Str)
	o.Close()
	if in.Err() != nil || there == nil || *there != "x" || absent != nil || list == nil || none != nil {
		t.Errorf("got %v %v %v %v, %v", there, absent, list, none, in.Err())
	}
}

func TestEncode(t *testing.T) {
	if Uint(5) != any(int64(5)) || Uint(math.MaxUint64) != any(uint64(math.MaxUint64)) {
		t.Error("Uint does not keep to int64 where it can")
	}
	got := EncodeList([]string(nil), func(s *string) any { return *s })
	if got == nil || len(got) != 0 {
		t.Errorf("a nil list is encoded as %#v", got)
	}
	if err := NoMembers(nil); err != nil {
		t.Errorf("no arguments at all: %v", err)
	}
	if err := NoMembers(qobject.Members("foo", nil)); err == nil || err.Error() != "Parameter 'foo' is unexpected" {
		t.Errorf("an argument too many: %v", err)
	}
}

// FuzzDecode decodes arbitrary JSON in both flavours as every type.
func FuzzDecode(f *testing.F) {
	for _, seed := range []string{`{}`, `{"p": "1.5K"}`, `{"p": [1, {"c": []}]}`, `{"p": {"b": [{"c": "x"}]}}`, `null`, `{"p": -1, "q": 1e400}`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		v, err := qobject.ParseJSON(text)
		if err != nil {
			return
		}
		for typ := range decoders {
			for _, flavour := range []Flavour{JSON, Keyval} {
				decodeP(v, flavour, typ)
			}
		}
	})
}

func BenchmarkDecode(b *testing.B) {
	v, err := qobject.ParseJSON(`{"p": {"b": [{"c": "x"}, {"c": "y"}]}}`)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, msg := decodeP(v, JSON, "nested"); msg != "" {
			b.Fatal(msg)
		}
	}
}
