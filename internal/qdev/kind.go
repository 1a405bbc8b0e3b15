package qdev

import (
	"errors"
	"fmt"
	"reflect"
	"strconv"
	"strings"

	"github.com/backplane-vm/backplane/internal/qom"
	"github.com/backplane-vm/backplane/qapi/qerr"
)

// kind is how properties of one type are kept, set and shown.
type kind struct {
	name  string // as the object model has it; "" for the tag's argument
	field func(reflect.Type) bool
	get   func(p *Prop, f reflect.Value) any
	set   func(p *Prop, b *Base, f reflect.Value, in qom.Input) error
	show  func(p *Prop, v any) string // in qtree; nil for the usual
}

// takes tells whether a field of type t can hold the property.
func (k *kind) takes(t reflect.Type) bool { return k.field(t) }

func (k *kind) typeName(s tagSpec) string {
	switch s.typ {
	case "enum":
		return s.arg
	case "link":
		return "link<" + s.arg + ">"
	}
	return k.name
}

// describe returns the description of a property that has none of its own.
func (k *kind) describe(p *Prop) string {
	switch {
	case len(p.values) > 0:
		return strings.Join(p.values, "/")
	case k.name == "bool":
		return "on/off"
	case k == kinds["devfn"]:
		return "Slot and optional function number, example: 06.0 or 06"
	}
	return ""
}

// parse returns the value that text in a tag stands for.
func (k *kind) parse(p *Prop, text string) (any, error) {
	in := qom.KeyVal(text)
	switch k.name {
	case "bool":
		return in.Bool(p.Name)
	case "uint8", "uint16", "uint32", "uint64", "size":
		v, err := in.Uint(p.Name, 64)
		return qom.Value64(v), err
	case "int32", "int64":
		v, err := in.Int(p.Name, 64)
		return v, err
	}
	if k == kinds["devfn"] {
		v, err := in.Int(p.Name, 32)
		return v, err
	}
	return text, nil
}

func ofKind(kinds ...reflect.Kind) func(reflect.Type) bool {
	return func(t reflect.Type) bool {
		for _, k := range kinds {
			if t.Kind() == k {
				return true
			}
		}
		return false
	}
}

func ofType[T any](t reflect.Type) bool { return t == reflect.TypeFor[T]() }

func getUint(_ *Prop, f reflect.Value) any { return qom.Value64(f.Uint()) }
func getInt(_ *Prop, f reflect.Value) any  { return f.Int() }
func getStr(_ *Prop, f reflect.Value) any  { return f.String() }

func uintKind(name string, bits int, k reflect.Kind) *kind {
	return &kind{name: name, field: ofKind(k), get: getUint,
		set: func(p *Prop, _ *Base, f reflect.Value, in qom.Input) error {
			v, err := in.Uint(p.Name, bits)
			if err == nil {
				f.SetUint(v)
			}
			return err
		}}
}

func intKind(name string, bits int, k reflect.Kind) *kind {
	return &kind{name: name, field: ofKind(k), get: getInt,
		set: func(p *Prop, _ *Base, f reflect.Value, in qom.Input) error {
			v, err := in.Int(p.Name, bits)
			if err == nil {
				f.SetInt(v)
			}
			return err
		}}
}

func enumKind(name string) *kind {
	return &kind{name: name, field: ofKind(reflect.String), get: getStr, set: setEnum}
}

// kinds is the table of property types. It never changes.
var kinds = map[string]*kind{
	"bool": {name: "bool", field: ofKind(reflect.Bool),
		get: func(_ *Prop, f reflect.Value) any { return f.Bool() }, set: setBool},
	"bit": {name: "bool", field: ofKind(reflect.Uint32, reflect.Uint64),
		get: func(p *Prop, f reflect.Value) any { return f.Uint()>>p.bit&1 != 0 }, set: setBit},
	"uint8":  uintKind("uint8", 8, reflect.Uint8),
	"uint16": uintKind("uint16", 16, reflect.Uint16),
	"uint32": uintKind("uint32", 32, reflect.Uint32),
	"uint64": uintKind("uint64", 64, reflect.Uint64),
	"int32":  intKind("int32", 32, reflect.Int32),
	"int64":  intKind("int64", 64, reflect.Int64),
	"size":   {name: "size", field: ofKind(reflect.Uint64), get: getUint, set: setSize, show: showSize},
	"str":    {name: "str", field: ofKind(reflect.String), get: getStr, set: setStr},

	"OnOffAuto":       enumKind("OnOffAuto"),
	"BlockdevOnError": enumKind("BlockdevOnError"),
	"enum":            enumKind(""),
	"devfn":           {name: "str", field: ofKind(reflect.Int32), get: getInt, set: setDevfn, show: showDevfn},
	"drive":           {name: "str", field: ofType[Ref], get: getRef, set: setDrive},
	"link":            {field: ofType[Ref], get: getRef, set: setLink},
}

func setBool(p *Prop, _ *Base, f reflect.Value, in qom.Input) error {
	v, err := in.Bool(p.Name)
	if err == nil {
		f.SetBool(v)
	}
	return err
}

func setBit(p *Prop, _ *Base, f reflect.Value, in qom.Input) error {
	v, err := in.Bool(p.Name)
	if err != nil {
		return err
	}
	bits := f.Uint() &^ (1 << p.bit)
	if v {
		bits |= 1 << p.bit
	}
	f.SetUint(bits)
	return nil
}

func setSize(p *Prop, _ *Base, f reflect.Value, in qom.Input) error {
	v, err := in.Size(p.Name)
	if err == nil {
		f.SetUint(v)
	}
	return err
}

func setStr(p *Prop, _ *Base, f reflect.Value, in qom.Input) error {
	v, err := in.Str(p.Name)
	if err == nil {
		f.SetString(v)
	}
	return err
}

func setEnum(p *Prop, _ *Base, f reflect.Value, in qom.Input) error {
	v, err := in.Enum(p.Name, p.values)
	if err == nil {
		f.SetString(v)
	}
	return err
}

// setDevfn takes "device.function" or "device" in hexadecimal, each with or
// without "0x", or over JSON also the number that a read gives.
func setDevfn(p *Prop, b *Base, f reflect.Value, in qom.Input) error {
	if in.IsInt() {
		v, err := in.Int(p.Name, 32)
		if err == nil && (v < -1 || v > 255) {
			err = badValue(b, p, strconv.FormatInt(v, 10))
		}
		if err == nil {
			f.SetInt(v)
		}
		return err
	}
	s, err := in.Str(p.Name)
	if err != nil {
		return err
	}
	slot, fn, dotted := strings.Cut(s, ".")
	if !dotted {
		fn = "0"
	}
	dev, ok1 := parseHex(slot)
	function, ok2 := parseHex(fn)
	if !ok1 || !ok2 || dev > 31 || function > 7 {
		return badValue(b, p, s)
	}
	f.SetInt(int64(dev<<3 | function))
	return nil
}

// parseHex reads a small hexadecimal number, with or without "0x" before it:
// libvirt writes "0x1.0x0", people write "1.0".
func parseHex(s string) (n uint64, ok bool) {
	if len(s) > 2 && s[0] == '0' && (s[1] == 'x' || s[1] == 'X') {
		s = s[2:]
	}
	n, err := strconv.ParseUint(s, 16, 8)
	return n, err == nil
}

func badValue(b *Base, p *Prop, v string) error {
	return qerr.New("Property '%s.%s' doesn't take value '%s'", b.class.Name, p.Name, v)
}

func showDevfn(_ *Prop, v any) string {
	if n := v.(int64); n >= 0 {
		return fmt.Sprintf("%02x.%x", n>>3, n&7)
	}
	return "<unset>"
}

// A Ref is what a drive or link property refers to; the zero Ref is none.
type Ref struct {
	Name   string // as given: a node name, or an object's path
	Target any    // what the resolver found; *qom.Object for a link
	// Release, if not nil, ends the use; it is called when the device is
	// finalised or the property set anew.
	Release func()
}

// Backends finds what drive properties name.
type Backends interface {
	// Drive returns what name stands for, taken into use for d. It may return
	// [ErrNotFound], [ErrInUse], or an error in its own words.
	Drive(d Device, property, name string) (Ref, error)
}

// What [Backends] may answer; the property puts it in QEMU's words.
var (
	ErrNotFound = errors.New("no such backend")
	ErrInUse    = errors.New("backend is in use")
)

func getRef(_ *Prop, f reflect.Value) any {
	ref := f.Interface().(Ref)
	if t, ok := ref.Target.(interface{ RefName() string }); ok { // whose name may change
		return t.RefName()
	}
	return ref.Name
}

func setDrive(p *Prop, b *Base, f reflect.Value, in qom.Input) error {
	name, err := in.Str(p.Name)
	if err != nil {
		return err
	}
	if name == "" || b.tree.cfg.Backends == nil {
		if name != "" {
			return driveError(b, p, name, ErrNotFound)
		}
		b.hold(p, f, Ref{})
		return nil
	}
	ref, err := b.tree.cfg.Backends.Drive(b.self, p.Name, name)
	if err != nil {
		return driveError(b, p, name, err)
	}
	b.hold(p, f, ref)
	return nil
}

func driveError(b *Base, p *Prop, name string, err error) error {
	switch {
	case errors.Is(err, ErrNotFound):
		return qerr.New("Property '%s.%s' can't find value '%s'", b.class.Name, p.Name, name)
	case errors.Is(err, ErrInUse):
		return qerr.New("Property '%s.%s' can't take value '%s', it's in use", b.class.Name, p.Name, name)
	}
	return err
}

func setLink(p *Prop, b *Base, f reflect.Value, in qom.Input) error {
	path, err := in.Str(p.Name)
	if err != nil {
		return err
	}
	if path == "" {
		b.hold(p, f, Ref{})
		return nil
	}
	o, ambiguous := b.tree.qom.Resolve(path)
	if ambiguous {
		return qerr.New("Path '%s' does not uniquely identify an object", path)
	}
	if o == nil {
		return qerr.Newc(qerr.DeviceNotFound, "Device '%s' not found", path)
	}
	if !b.tree.reg.Types.Is(o.Type(), p.target) {
		return qerr.New("Invalid parameter type for '%s', expected: %s", p.Name, p.target)
	}
	o.Ref()
	b.hold(p, f, Ref{Name: o.Path(), Target: o, Release: o.Unref})
	return nil
}

// hold puts ref in a property's field in place of what was there.
func (b *Base) hold(p *Prop, f reflect.Value, ref Ref) {
	if old := f.Interface().(Ref); old.Release != nil {
		old.Release()
	}
	f.Set(reflect.ValueOf(ref))
}

// releaseRefs ends the use of all that drive and link properties refer to.
func (b *Base) releaseRefs() {
	for _, p := range b.class.table.fields {
		if p.kind == kinds["drive"] || p.kind == kinds["link"] {
			b.hold(p, p.in(&b.Object), Ref{})
		}
	}
}
