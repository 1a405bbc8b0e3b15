package qdev

import (
	"math"
	"strings"
	"testing"

	"github.com/backplane-vm/backplane/internal/qom"
	"github.com/backplane-vm/backplane/qapi/qerr"
	"github.com/backplane-vm/backplane/qapi/qobject"
)

func TestSetProperty(t *testing.T) {
	json, text := qom.JSON, qom.KeyVal
	for _, c := range []struct {
		name string
		in   qom.Input
		want any    // value read back,
		err  string // or this
	}{
		{"on", json(false), false, ""},
		{"on", json("on"), nil, "Invalid parameter type for 'on', expected: boolean"},
		{"on", json(int64(1)), nil, "Invalid parameter type for 'on', expected: boolean"},
		{"on", text("no"), false, ""},
		{"on", text("1"), nil, "Parameter 'on' expects 'on' or 'off'"},
		{"u8", json(int64(255)), int64(255), ""},
		{"u8", json(int64(256)), nil, "Parameter 'u8' expects uint8_t"},
		{"u8", json(int64(-1)), nil, "Parameter 'u8' expects uint8_t"},
		{"u8", text("0xff"), int64(255), ""},
		{"u8", text("010"), int64(8), ""},
		{"u8", text("0b1"), nil, "Parameter 'u8' expects integer"},
		{"u8", text("1_0"), nil, "Parameter 'u8' expects integer"},
		{"u16", json(1.0), nil, "Parameter 'u16' expects uint64"},
		{"u32", json("x"), nil, "Parameter 'u32' expects uint64"},
		{"u32", json(nil), nil, "Parameter 'u32' expects uint64"},
		{"u64", json(int64(-1)), uint64(math.MaxUint64), ""},
		{"u64", json(uint64(math.MaxUint64)), uint64(math.MaxUint64), ""},
		{"u64", json("100"), nil, "Parameter 'u64' expects uint64"},
		{"u64", json([]any{int64(1)}), nil, "Parameter 'u64' expects uint64"},
		{"u64", text("-2"), uint64(math.MaxUint64 - 1), ""},
		{"u64", text(""), nil, "Parameter 'u64' expects integer"},
		{"i32", json(int64(-5)), int64(-5), ""},
		{"i32", json(int64(math.MaxInt32 + 1)), nil, "Parameter 'i32' expects int32_t"},
		{"i32", json("1"), nil, "Invalid parameter type for 'i32', expected: integer"},
		{"size", json(int64(10)), int64(10), ""},
		{"size", json("1k"), nil, "Parameter 'size' expects uint64"},
		{"size", text("1.5M"), int64(3 << 19), ""},
		{"size", text("0x10"), int64(16), ""},
		{"size", text("16E"), nil, "Parameter 'size' expects size"},
		{"size", text("-1"), nil, "Parameter 'size' expects size"},
		{"name", json("x"), "x", ""},
		{"name", json(int64(1)), nil, "Invalid parameter type for 'name', expected: string"},
		{"mode", json("off"), "off", ""},
		{"mode", json("maybe"), nil, "Parameter 'mode' does not accept value 'maybe'"},
		{"x-speed", text("2_5"), "2_5", ""},
		{"f40", json(true), true, ""},
		{"f0", text("off"), false, ""},
		{"addr", json("1f.7"), int64(255), ""},
		{"addr", json("6"), int64(48), ""},
		{"addr", json(int64(8)), int64(8), ""},
		{"addr", json(int64(256)), nil, "Property 'widget.addr' doesn't take value '256'"},
		{"addr", json("0x1"), int64(8), ""},
		{"addr", json("0x1.0x0"), int64(8), ""},
		{"addr", json("0X1f.0x7"), int64(255), ""},
		{"addr", json("1e.0x1"), int64(241), ""},
		{"addr", json("0x"), nil, "Property 'widget.addr' doesn't take value '0x'"},
		{"addr", json("0x0x1"), nil, "Property 'widget.addr' doesn't take value '0x0x1'"},
		{"addr", json("0x20"), nil, "Property 'widget.addr' doesn't take value '0x20'"},
		{"addr", json("1.0x8"), nil, "Property 'widget.addr' doesn't take value '1.0x8'"},
		{"addr", json("-1"), nil, "Property 'widget.addr' doesn't take value '-1'"},
		{"addr", json(""), nil, "Property 'widget.addr' doesn't take value ''"},
		{"addr", json("20.0"), nil, "Property 'widget.addr' doesn't take value '20.0'"},
		{"addr", json("1."), nil, "Property 'widget.addr' doesn't take value '1.'"},
		{"addr", json("0.8"), nil, "Property 'widget.addr' doesn't take value '0.8'"},
		{"addr", json(true), nil, "Invalid parameter type for 'addr', expected: string"},
		{"drive", json("n0"), "n0", ""},
		{"drive", json("nonesuch"), nil, "Property 'widget.drive' can't find value 'nonesuch'"},
		{"drive", json("n1"), nil, "Property 'widget.drive' can't take value 'n1', it's in use"},
		{"rng", json("nonesuch"), nil, "Device 'nonesuch' not found"},
		{"rng", json("/machine"), nil, "Invalid parameter type for 'rng', expected: rng-backend"},
		{"rng", json("/objects/r"), "/objects/r", ""},
		{"rng", json("r"), "/objects/r", ""},
	} {
		r := newRig(t, 0)
		r.used["n1"] = true
		rng := new(qom.Object)
		rng.Init("rng-builtin", rng, nil, nil)
		if err := r.qom.Container("/objects").AddChild("r", rng); err != nil {
			t.Fatal(err)
		}
		d, err := r.Create("widget")
		if err != nil {
			t.Fatal(err)
		}
		err = d.Dev().Set(c.name, c.in)
		if (err == nil) != (c.err == "") || (err != nil && err.Error() != c.err) {
			t.Errorf("%s=%v: %v, want %q", c.name, c.in, err, c.err)
		}
		if err == nil {
			if v, err := d.Dev().Get(c.name); err != nil || v != c.want {
				t.Errorf("%s=%v reads as %v (%v), want %v", c.name, c.in, v, err, c.want)
			}
		}
		d.Dev().Unref()
		if rng.Refs() != 2 || r.used["n0"] {
			t.Errorf("%s=%v: still held after the device is gone", c.name, c.in)
		}
	}
}

func TestListProperties(t *testing.T) {
	reg := testRegistry(t)
	list, err := reg.ListProperties("virtio-rng-pci")
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, p := range list {
		line := p.Name + " " + p.Type + " " + p.Description
		if p.HasDefault {
			line += " " + string(qobject.Append(nil, p.Default))
		}
		got = append(got, strings.TrimSpace(line))
	}
	want := "vectors uint32  3\nx-fail-late bool on/off\ndrive str\nvirtio-backend child<virtio-rng-device>\nmax-bytes uint64  9223372036854775807"
	if g := strings.Join(got, "\n"); g != want {
		t.Errorf("properties\n%s\nwant\n%s", g, want)
	}
	list, err = reg.ListProperties("gpex-pcihost")
	if err != nil || len(list) != 1 || list[0].Type != "child<widget>" {
		t.Errorf("properties of a part that is not aliased show: %v, %v", list, err)
	}
	_, err = reg.ListProperties("nonesuch")
	desc(t, err, qerr.DeviceNotFound, "Device 'nonesuch' not found")
	_, err = reg.ListProperties("container")
	desc(t, err, qerr.GenericError, "Parameter 'typename' expects a non-abstract device type")
	_, err = reg.ListProperties("pci-device")
	desc(t, err, qerr.GenericError, "Parameter 'typename' expects a non-abstract device type")
}

func TestHelp(t *testing.T) {
	text, err := testRegistry(t).Help("virtio-rng")
	if err != nil {
		t.Fatal(err)
	}
	want := `virtio-rng-pci options:
  drive=<str>
  max-bytes=<uint64>     -  (default: 9223372036854775807)
  vectors=<uint32>       -  (default: 3)
  x-fail-late=<bool>     - on/off
`
	if text != want {
		t.Errorf("help\n%s\nwant\n%s", text, want)
	}
}

func TestQTree(t *testing.T) {
	r := newRig(t, 1)
	r.add(t, "driver", "widget", "id", "w", "bus", "rp0", "addr", "2.1", "drive", "n0")
	port := r.QTree().Devices[0].Buses[0].Devices[0]
	if port.ID != "rp0" || port.Buses[0].Type != "PCIE" {
		t.Fatalf("port %+v", port)
	}
	var got []string
	for _, p := range port.Buses[0].Devices[0].Properties {
		got = append(got, p.Name+" = "+p.Value)
	}
	want := `on = true|u8 = 16 (0x10)|u16 = 0 (0x0)|u32 = 4294967295 (0xffffffff)|u64 = 9223372036854775807 (0x7fffffffffffffff)|` +
		`i32 = -1 (0xffffffffffffffff)|size = 4096 (4 KiB)|name = ""|mode = "auto"|x-speed = "5"|f0 = true|f40 = false|addr = 02.1|drive = "n0"|x-fail = false`
	if g := strings.Join(got, "|"); g != want {
		t.Errorf("properties\n%s\nwant\n%s", g, want)
	}
	for v, want := range map[any]string{int64(512): "512 (512 B)", uint64(math.MaxUint64): "18446744073709551615 (16 EiB)", int64(1073741824): "1073741824 (1 GiB)"} {
		if s := showSize(nil, v); s != want {
			t.Errorf("size %v is shown as %q, want %q", v, s, want)
		}
	}
}

func TestBadTags(t *testing.T) {
	for want, f := range map[string]func() Device{
		"want name,type":       func() Device { return new(struct{ noType }) },
		"unknown type":         func() Device { return new(struct{ badType }) },
		"cannot be kept":       func() Device { return new(struct{ badField }) },
		"no bit":               func() Device { return new(struct{ badBit }) },
		"twice":                func() Device { return new(struct{ twice }) },
		"not exported":         func() Device { return new(struct{ hidden }) },
		"default":              func() Device { return new(struct{ badDefault }) },
		"no class":             func() Device { return new(struct{ badChild }) },
		"bad option":           func() Device { return new(struct{ badOption }) },
		"pointer to a struct":  func() Device { return byValue{} },
		"New has to be set":    nil,
		"is there already":     func() Device { return new(widget) },
		"default for \"none\"": func() Device { return new(widget) },
	} {
		c := &Class{Name: "bad", New: f}
		switch want {
		case "is there already":
			c.Name = "widget"
		case "default for \"none\"":
			c.Defaults = map[string]string{"none": "1"}
		}
		if err := testRegistry(t).Add(c); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %q", err, want)
		}
	}
}

type (
	noType struct {
		Base
		A bool `qdev:"a"`
	}
	badType struct {
		Base
		A bool `qdev:"a,boolean"`
	}
	badField struct {
		Base
		A bool `qdev:"a,uint8"`
	}
	badBit struct {
		Base
		A uint32 `qdev:"a,bit=32"`
	}
	twice struct {
		Base
		A, B bool `qdev:"a,bool"`
	}
	hidden struct {
		Base
		_ bool `qdev:"a,bool"`
	}
	badDefault struct {
		Base
		A uint8 `qdev:"a,uint8,default=256"`
	}
	badChild struct {
		Base
		A widget `qdev:"a,child=none"`
	}
	badOption struct {
		Base
		A bool `qdev:"a,bool,colour=red"`
	}
	byValue struct{ *Base }
)

// FuzzSetProperty sets properties to whatever comes: it either fails or reads
// back as something, and never panics.
func FuzzSetProperty(f *testing.F) {
	for _, s := range []string{"u8=1", "size=1.5k", "addr=1f.7", "mode=auto", "drive=n0", "rng=/objects", "f40=on", "=", "u64=18446744073709551616", "addr=..", `u8={"a":[1]}`} {
		f.Add(s)
	}
	r := newRig(f, 0)
	f.Fuzz(func(t *testing.T, s string) {
		name, value, _ := strings.Cut(s, "=")
		for _, in := range []qom.Input{qom.KeyVal(value), jsonInput(value)} {
			d, err := r.Create("widget")
			if err != nil {
				t.Fatal(err)
			}
			if err := d.Dev().Set(name, in); err == nil {
				if _, err := d.Dev().Get(name); err != nil {
					t.Errorf("%s was set and cannot be read: %v", name, err)
				}
			} else if err.Error() == "" {
				t.Errorf("%s: an error without text", name)
			}
			describe(d)
			d.Dev().Unref()
			if len(r.used) != 0 {
				t.Errorf("%q: drives left in use: %v", s, r.used)
			}
		}
	})
}

func jsonInput(s string) qom.Input {
	v, err := qobject.ParseJSON(s)
	if err != nil {
		v = s
	}
	return qom.JSON(v)
}
