package opts

import (
	"slices"
	"testing"

	"github.com/backplane-vm/backplane/qapi/qerr"
	"github.com/backplane-vm/backplane/qapi/qobject"
)

// text is the error as QEMU prints it: description and hint.
func text(err error) string {
	if err == nil {
		return ""
	}
	e := qerr.From(err)
	if e.Hint != "" {
		return e.Desc + "\n" + e.Hint
	}
	return e.Desc
}

const idHint = "\nIdentifiers consist of letters, digits, '-', '.', '_', starting with a letter.\n"

func TestParseOpts(t *testing.T) {
	for _, c := range []struct {
		in, implied string
		want        string // the pairs as JSON, in order of the encoder
		id          string
		help        bool
		warnings    int
		err         string
	}{
		{in: "", want: "{}"},
		{in: "virtio-blk-pci,drive=d0", implied: "driver", want: `{"drive": "d0", "driver": "virtio-blk-pci"}`},
		{in: "virtio-blk-pci,id=a.b-c_1,drive=d0", implied: "driver", want: `{"drive": "d0", "driver": "virtio-blk-pci", "id": "a.b-c_1"}`, id: "a.b-c_1"},
		{in: "x,a=1,,2,b=3", implied: "driver", want: `{"a": "1,2", "b": "3", "driver": "x"}`},
		{in: "x,,y,b=3", implied: "driver", want: `{"b": "3", "driver": "x,y"}`},
		{in: "a=1,,", want: `{"a": "1,"}`},
		{in: "a=,b=", want: `{"a": "", "b": ""}`},
		{in: "a=b=c", want: `{"a": "b=c"}`},
		{in: "a=1,a=2", want: `{"a": "2"}`},
		{in: "a,nob", want: `{"a": "on", "b": "off"}`, warnings: 2},
		{in: "x,=3", implied: "driver", want: `{"": "3", "driver": "x"}`},
		{in: ",addr=3", implied: "driver", want: `{"addr": "3", "driver": ""}`},
		{in: "help", implied: "driver", want: `{"driver": "help"}`, help: true},
		{in: "null,?", implied: "backend", want: `{"?": "on", "backend": "null"}`, help: true},
		{in: "x,id=a,id=1", want: `{"id": "a", "x": "on"}`, id: "a", warnings: 1},
		{in: "x,id=1a", implied: "driver", err: "Parameter 'id' expects an identifier" + idHint},
		{in: "x,id=", implied: "driver", err: "Parameter 'id' expects an identifier" + idHint},
		{in: "x,id=a,,b", implied: "driver", err: "Parameter 'id' expects an identifier" + idHint},
	} {
		o, err := ParseOpts(c.in, c.implied)
		if text(err) != c.err {
			t.Errorf("%q: error %q, want %q", c.in, text(err), c.err)
		}
		if err != nil || c.err != "" {
			continue
		}
		if got := sorted(o.Dict()); got != c.want {
			t.Errorf("%q: %s, want %s", c.in, got, c.want)
		}
		if o.ID != c.id || o.Help != c.help || len(o.Warnings) != c.warnings {
			t.Errorf("%q: id %q help %v warnings %q", c.in, o.ID, o.Help, o.Warnings)
		}
	}
	o, _ := ParseOpts("mux,nowait", "")
	want := []string{"short-form boolean option 'mux' deprecated\nPlease use mux=on instead",
		"short-form boolean option 'nowait' deprecated\nPlease use wait=off instead"}
	if !slices.Equal(o.Warnings, want) {
		t.Errorf("warnings %q", o.Warnings)
	}
}

// sorted encodes d with its members by name.
func sorted(d *qobject.Dict) string {
	keys := d.Keys()
	keys = slices.Clone(keys)
	slices.Sort(keys)
	b := []byte("{")
	for i, k := range keys {
		if i > 0 {
			b = append(b, ", "...)
		}
		v, _ := d.Get(k)
		b = qobject.AppendString(b, k)
		b = append(b, ": "...)
		if sub, ok := v.(*qobject.Dict); ok {
			b = append(b, sorted(sub)...)
		} else {
			b = qobject.Append(b, v)
		}
	}
	return string(append(b, '}'))
}

func TestCheck(t *testing.T) {
	s := Schema{"a": Text, "n": Number, "s": Size, "b": Switch}
	for in, want := range map[string]string{
		"a=1,n=2,s=3k,b=on":      "",
		"a=1,x=2":                "Invalid parameter 'x'",
		"b=maybe":                "Parameter 'b' expects 'on' or 'off'",
		"n=abc":                  "Parameter 'n' expects a number",
		"n=0x":                   "Parameter 'n' expects a number",
		"n=99999999999999999999": "Value '99999999999999999999' is too large for parameter 'n'",
		"s=abc":                  "Parameter 's' expects a non-negative number below 2^64" + sizeHint,
		"s=16E":                  "Value '16E' is out of range for parameter 's'",
	} {
		o, err := ParseOpts(in, "")
		if err != nil {
			t.Fatal(err)
		}
		if got := text(o.Check(s)); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

const sizeHint = "\nOptional suffix k, M, G, T, P or E means kilo-, mega-, giga-, tera-, peta-\nand exabytes, respectively.\n"

func TestParseSize(t *testing.T) {
	for in, want := range map[string]uint64{
		"0": 0, "12": 12, "12b": 12, "1k": 1024, "1.5k": 1536, "1K": 1024, " 12": 12, "+5": 5, "0x10": 16, "8E": 8 << 60,
		"15.5E": 15<<60 + 1<<59, "18446744073709551615": 1<<64 - 1, "3.0": 3, "1.M": 1 << 20, "0.0001k": 0, ".5k": 512,
	} {
		if got, err := ParseSize("s", in); err != nil || got != want {
			t.Errorf("%q: %d, %v; want %d", in, got, err, want)
		}
	}
	for _, in := range []string{"", "abc", "-5", "12x", "12KB", "0.1", "1e3", "12Z", ".", "0x10M", "1 k", "1.2.3k"} {
		if got, err := ParseSize("s", in); err == nil {
			t.Errorf("%q: accepted as %d", in, got)
		}
	}
}

func TestParseNumber(t *testing.T) {
	for in, want := range map[string]uint64{"0": 0, "10": 10, "0x1F": 31, "010": 8, " 7": 7, "+7": 7, "-1": 1<<64 - 1} {
		if got, err := ParseNumber("n", in); err != nil || got != want {
			t.Errorf("%q: %d, %v; want %d", in, got, err, want)
		}
	}
	for _, in := range []string{"", "-", "0x", "1_0", "08", "1k", "++1", "0b1"} {
		if got, err := ParseNumber("n", in); err == nil {
			t.Errorf("%q: accepted as %d", in, got)
		}
	}
}
