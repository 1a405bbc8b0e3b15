package qdev

import (
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/backplane-vm/backplane/internal/qom"
	"github.com/backplane-vm/backplane/qapi/qerr"
)

// The tag of a property is
//
//	`qdev:"name,type[,option...]"`
//
// on a field that may be unexported only if it is a part (below). Types and
// the fields they want:
//
//	bool                          bool
//	uint8 uint16 uint32 uint64    the same
//	int32 int64                   the same
//	size                          uint64, in bytes
//	str                           string
//	OnOffAuto                     string kind: "on", "off", "auto"
//	enum=TYPE                     string kind, with option values=a|b|c
//	bit=N                         uint32 or uint64, of which it is bit N (shown as bool)
//	devfn                         int32: device*8+function, -1 for automatic
//	drive                         Ref, found by Backends
//	link=TYPE                     Ref, an object of TYPE in the tree
//	child=CLASS                   a struct of a device that is part of this one;
//	                              with option alias, its properties are ours too
//
// Options: default=V; values=a|b (of an enum); set=none (only the board sets
// it, by assignment); desc=TEXT, which comes last and runs to the end.
//
// One field can have several tags' worth of bits: separate them by ';'.
const tagKey = "qdev"

// Prop is a property of a class that a field stands for.
type Prop struct {
	qom.Property
	kind   *kind
	index  []int        // of the field, for reflect
	field  reflect.Type // the same
	values []string     // of an enum
	bit    uint
	target string // type of a link
}

// part is a device contained in another.
type part struct {
	name    string
	class   *Class
	index   []int
	aliased bool // its properties are the whole's too
}

func (pt *part) of(d Device) Device {
	return reflect.ValueOf(d).Elem().FieldByIndex(pt.index).Addr().Interface().(Device)
}

// table is a class's properties; it implements [qom.Class].
type table struct {
	all    []*qom.Property
	byName map[string]*qom.Property
	fields []*Prop // of the class itself: outermost struct first
	parts  []part
	hidden int // leading entries of all that every device has

	declared []*qom.Property // those of all that are not hidden, as declared: the class's own first
	added    []*qom.Property // the same and more, in the order in which a whole's aliases are added
	given    []*qom.Property // what instances are given besides
	instance []*qom.Property // aliases and given ones, in order of addition
	aliased  map[string]bool // the names of aliases
}

// Instance implements [qom.Instancer]: aliases are added when the parts are
// there.
func (t *table) Instance() (after int, props []*qom.Property) { return len(t.parts), t.instance }

// Properties implements [qom.Class].
func (t *table) Properties() []*qom.Property { return t.all }

// Property implements [qom.Class].
func (t *table) Property(name string) *qom.Property { return t.byName[name] }

// newTable reads the tags of a class's struct type.
func (r *Registry) newTable(c *Class, typ reflect.Type) (*table, error) {
	if typ.Kind() != reflect.Pointer || typ.Elem().Kind() != reflect.Struct {
		return nil, fmt.Errorf("New returns %v and not a pointer to a struct", typ)
	}
	t := &table{byName: make(map[string]*qom.Property), all: deviceProperties(), hidden: len(deviceProperties())}
	for _, p := range t.all {
		t.byName[p.Name] = p
	}
	if err := t.scan(r, typ.Elem(), nil); err != nil {
		return nil, err
	}
	for name, text := range c.Defaults {
		if err := t.override(name, text); err != nil {
			return nil, err
		}
	}
	for _, p := range c.Extra {
		if err := t.put(p); err != nil {
			return nil, err
		}
	}
	t.declared = t.all[t.hidden:]
	t.added = t.declared
	t.addAliases()
	return t, nil
}

func (t *table) put(p *qom.Property) error {
	if t.byName[p.Name] != nil {
		return fmt.Errorf("property %q is there twice", p.Name)
	}
	t.byName[p.Name] = p
	t.all = append(t.all, p)
	return nil
}

// scan collects a struct's own tagged fields, then those of what it embeds.
func (t *table) scan(r *Registry, typ reflect.Type, index []int) error {
	var embedded []reflect.StructField
	for i := range typ.NumField() {
		f := typ.Field(i)
		at := append(slices.Clone(index), i)
		tags, ok := f.Tag.Lookup(tagKey)
		switch {
		case ok:
			for _, tag := range strings.Split(tags, ";") {
				if err := t.field(r, f, at, tag); err != nil {
					return fmt.Errorf("field %s.%s: %w", typ.Name(), f.Name, err)
				}
			}
		case f.Anonymous && f.Type.Kind() == reflect.Struct:
			f.Index = at
			embedded = append(embedded, f)
		}
	}
	for _, f := range embedded {
		if err := t.scan(r, f.Type, f.Index); err != nil {
			return err
		}
	}
	return nil
}

// field enters what one tag says.
func (t *table) field(r *Registry, f reflect.StructField, index []int, tag string) error {
	spec, err := parseTag(tag)
	if err != nil {
		return err
	}
	if !f.IsExported() {
		return fmt.Errorf("not exported")
	}
	if spec.typ == "child" {
		c := r.classes[spec.arg]
		if c == nil || c.Abstract {
			return fmt.Errorf("no class %q", spec.arg)
		}
		if reflect.TypeOf(c.New()).Elem() != f.Type {
			return fmt.Errorf("class %q is not of the field's type", spec.arg)
		}
		_, aliased := spec.options["alias"]
		t.parts = append(t.parts, part{spec.name, c, index, aliased})
		return nil
	}
	p, err := newProp(spec, f.Type, index)
	if err != nil {
		return err
	}
	t.fields = append(t.fields, p)
	return t.put(&p.Property)
}

// override gives the property called name another default.
func (t *table) override(name, text string) error {
	for _, p := range t.fields {
		if p.Name == name {
			return p.setDefault(text)
		}
	}
	return fmt.Errorf("default for %q, which it has not", name)
}

// addAliases makes the properties of parts that say so properties of the
// whole, unless it has one of that name.
func (t *table) addAliases() {
	t.unalias()
	t.instance = slices.Clone(t.given)
	for i := range t.parts {
		pt := &t.parts[i]
		if !pt.aliased {
			continue
		}
		for _, p := range slices.Concat(pt.class.table.added, pt.class.table.given) {
			if t.byName[p.Name] == nil {
				a := pt.alias(p)
				t.byName[p.Name], t.aliased[p.Name] = a, true
				t.instance = append(t.instance, a)
			}
		}
	}
}

// unalias takes the aliases out.
func (t *table) unalias() {
	for name := range t.aliased {
		delete(t.byName, name)
	}
	t.aliased = make(map[string]bool)
}

// alias returns p as a property of the device that contains pt.
func (pt *part) alias(p *qom.Property) *qom.Property {
	inner := func(o *qom.Object) *qom.Object { return &pt.of(o.Self().(Device)).Dev().Object }
	a := *p
	if p.Get != nil {
		a.Get = func(o *qom.Object) (any, error) { return p.Get(inner(o)) }
	}
	if p.Set != nil {
		a.Set = func(o *qom.Object, in qom.Input) error { return p.Set(inner(o), in) }
	}
	if p.Link != nil {
		a.Link = func(o *qom.Object) *qom.Object { return p.Link(inner(o)) }
	}
	return &a
}

// tagSpec is a tag taken apart.
type tagSpec struct {
	name, typ, arg string
	options        map[string]string
}

func parseTag(tag string) (tagSpec, error) {
	s := tagSpec{options: make(map[string]string)}
	if head, desc, ok := strings.Cut(tag, ",desc="); ok {
		tag, s.options["desc"] = head, desc
	}
	words := strings.Split(tag, ",")
	if len(words) < 2 || words[0] == "" {
		return s, fmt.Errorf("tag %q: want name,type", tag)
	}
	s.name = words[0]
	s.typ, s.arg, _ = strings.Cut(words[1], "=")
	for _, w := range words[2:] {
		key, value, ok := strings.Cut(w, "=")
		if !ok && key != "alias" {
			return s, fmt.Errorf("tag %q: option %q without value", tag, w)
		}
		if _, dup := s.options[key]; dup || !strings.Contains(" default values set alias ", " "+key+" ") {
			return s, fmt.Errorf("tag %q: bad option %q", tag, w)
		}
		s.options[key] = value
	}
	return s, nil
}

func newProp(s tagSpec, typ reflect.Type, index []int) (*Prop, error) {
	k := kinds[s.typ]
	if k == nil {
		return nil, fmt.Errorf("unknown type %q", s.typ)
	}
	if !k.takes(typ) {
		return nil, fmt.Errorf("type %s cannot be kept in %v", s.typ, typ)
	}
	p := &Prop{kind: k, index: index, field: typ, target: s.arg}
	p.Name, p.Type, p.Description = s.name, k.typeName(s), s.options["desc"]
	switch s.typ {
	case "bit":
		n, err := strconv.ParseUint(s.arg, 0, 6)
		if err != nil || int(n) >= typ.Bits() {
			return nil, fmt.Errorf("no bit %q", s.arg)
		}
		p.bit = uint(n)
	case "OnOffAuto":
		p.values = []string{"on", "off", "auto"}
	case "BlockdevOnError":
		p.values = []string{"report", "ignore", "enospc", "stop", "auto"}
	case "enum":
		p.values = strings.Split(s.options["values"], "|")
	}
	if p.Description == "" {
		p.Description = k.describe(p)
	}
	p.Get = func(o *qom.Object) (any, error) { return k.get(p, p.in(o)), nil }
	if s.options["set"] != "none" {
		p.Set = p.setFrom
	}
	if s.typ == "link" {
		p.Link = func(o *qom.Object) *qom.Object { t, _ := p.in(o).Interface().(Ref).Target.(*qom.Object); return t }
	}
	if text, ok := s.options["default"]; ok {
		return p, p.setDefault(text)
	}
	return p, nil
}

// in returns the field of o that p stands for.
func (p *Prop) in(o *qom.Object) reflect.Value {
	return reflect.ValueOf(o.Self()).Elem().FieldByIndex(p.index)
}

// setFrom is Set: a device that is alive cannot be configured any more.
func (p *Prop) setFrom(o *qom.Object, in qom.Input) error {
	b := o.Self().(Device).Dev()
	if err := b.configurable(p.Name); err != nil {
		return err
	}
	return p.kind.set(p, b, p.in(o), in)
}

// configurable refuses to have a property set once the device is alive.
func (b *Base) configurable(name string) error {
	switch {
	case !b.realized:
		return nil
	case b.id != "":
		return qerr.New("Attempt to set property '%s' on device '%s' (type '%s') after it was realized", name, b.id, b.class.Name)
	}
	return qerr.New("Attempt to set property '%s' on anonymous device (type '%s') after it was realized", name, b.class.Name)
}

// setDefault parses the default from a tag and tries it on.
func (p *Prop) setDefault(text string) error {
	if p.field == reflect.TypeFor[Ref]() {
		return fmt.Errorf("property %q: a reference has no default", p.Name)
	}
	v, err := p.kind.parse(p, text)
	if err == nil {
		trial := &Base{class: &Class{}}
		err = p.kind.set(p, trial, reflect.New(p.field).Elem(), qom.JSON(v))
	}
	if err != nil {
		return fmt.Errorf("property %q: default %q: %w", p.Name, text, err)
	}
	p.Default, p.HasDefault = v, true
	return nil
}

// setDefaults gives a new device the defaults of its class.
func (t *table) setDefaults(d Device) {
	o := &d.Dev().Object
	for _, p := range t.fields {
		if p.HasDefault {
			must(p.kind.set(p, d.Dev(), p.in(o), qom.JSON(p.Default)))
		}
	}
}
