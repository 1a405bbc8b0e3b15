package qdev

import (
	"fmt"
	"slices"
	"strings"

	"github.com/backplane-vm/backplane/internal/qom"
	"github.com/backplane-vm/backplane/qapi/qerr"
)

// A listing says which properties a class has in QEMU and in which order it
// declares them. Those that no field stands for are there as well, but cannot be
// changed: they say what is so.

// entry is a property of a listing.
type entry struct {
	qom.Property
	parse string // the type of property whose values it takes
	fixed any    // its value
	// given is set if instances are given the property and the class has it not.
	given bool
}

// List reads listings, one class after the other:
//
//	[CLASS]
//	NAME TYPE DEFAULT [=VALUE] [DESCRIPTION]
//
// A + before NAME says that not the class has it, but that each instance is given
// it. DEFAULT is - for none; VALUE, the default if absent, is what the property has
// where no field stands for it. provided has properties that are neither fields
// nor fixed, by name. List is called once, after all classes were added.
func (r *Registry) List(text string, provided map[string]*qom.Property) error {
	listings := make(map[string][]*entry)
	class := ""
	for line := range strings.Lines(text) {
		words := strings.Fields(line)
		switch {
		case len(words) == 0:
		case words[0][0] == '[':
			if class = strings.Trim(words[0], "[]"); !r.Types.Is(class, "device") {
				return fmt.Errorf("qdev: listing of %q, which is no device", class)
			}
			listings[class] = []*entry{}
		case len(words) < 3:
			return fmt.Errorf("qdev: listing of %q: %q", class, line)
		default:
			e, err := readEntry(words, provided)
			if err != nil {
				return fmt.Errorf("qdev: listing of %q: %w", class, err)
			}
			listings[class] = append(listings[class], e)
		}
	}
	r.listings = listings
	for _, c := range r.order {
		if c.table != nil {
			c.table.arrange(r.levels(c.Name))
		}
	}
	return nil
}

// levels returns the listings of a class and what it derives from, beginning
// with the most general one.
func (r *Registry) levels(class string) [][]*entry {
	var list [][]*entry
	for class != "device" && class != "" {
		list = append([][]*entry{r.listings[class]}, list...)
		ty, _ := r.Types.Lookup(class)
		class = ty.Parent
	}
	return list
}

func readEntry(words []string, provided map[string]*qom.Property) (*entry, error) {
	e := &entry{parse: words[1]}
	e.Name, e.given = strings.CutPrefix(words[0], "+")
	e.Type, words = words[1], words[2:]
	if p := provided[e.Name]; p != nil {
		e.Property = *p
		return e, nil
	}
	value := words[0]
	if e.HasDefault = value != "-"; !e.HasDefault {
		value = ""
	}
	var err error
	if e.Default, err = fixedValue(e.parse, e.Name, value); err != nil {
		return nil, err
	}
	e.fixed, words = e.Default, words[1:]
	if len(words) > 0 && words[0][0] == '=' {
		if e.fixed, err = fixedValue(e.parse, e.Name, words[0][1:]); err != nil {
			return nil, err
		}
		words = words[1:]
	}
	if e.Description = strings.Join(words, " "); e.parse == "bool" {
		e.Description = "on/off"
	}
	if k := kinds[e.parse]; k != nil {
		e.Type = k.name
	}
	e.Fixed = true
	e.Get = func(*qom.Object) (any, error) { return e.fixed, nil }
	e.Set = e.confirm
	if strings.HasPrefix(e.Type, "link<") {
		e.Link = func(*qom.Object) *qom.Object { return nil }
	}
	return e, nil
}

// fixedValue reads a value of a type; that of no text is what the type has then.
func fixedValue(typ, name, text string) (any, error) {
	k := kinds[typ]
	if k == nil {
		return text, nil
	}
	if text == "" && k.name != "str" && typ != "OnOffAuto" {
		text = map[bool]string{true: "off", false: "0"}[typ == "bool"]
	}
	return k.parse(&Prop{Property: qom.Property{Name: name}}, text)
}

// confirm is Set of a property that does not change: it takes the value that
// the property has.
func (e *entry) confirm(o *qom.Object, in qom.Input) error {
	b := o.Self().(Device).Dev()
	if err := b.configurable(e.Name); err != nil {
		return err
	}
	v, err := e.read(in)
	if err == nil && v != e.fixed {
		err = qerr.New("Property '%s.%s' is not supported by this build", b.class.Name, e.Name)
	}
	return err
}

// read returns what in has for a property of e's type.
func (e *entry) read(in qom.Input) (any, error) {
	switch e.parse {
	case "bool":
		return in.Bool(e.Name)
	case "size":
		v, err := in.Size(e.Name)
		return qom.Value64(v), err
	case "uint8", "uint16", "uint32", "uint64":
		var bits int
		_, _ = fmt.Sscanf(e.parse, "uint%d", &bits) // one of the above
		v, err := in.Uint(e.Name, bits)
		return qom.Value64(v), err
	case "int32":
		return in.Int(e.Name, 32)
	}
	return in.Str(e.Name)
}

// arrange puts the table's properties into QEMU's order, with those of levels
// that it does not have. levels begins with the most general class.
func (t *table) arrange(levels [][]*entry) {
	rest := t.all[t.hidden:]
	t.all, t.declared, t.added = t.all[:t.hidden:t.hidden], nil, nil
	listed := make(map[string]bool)
	t.unalias()
	for _, level := range levels {
		var props, declared []*qom.Property
		for _, e := range level {
			p := t.byName[e.Name]
			if p == nil {
				p = &e.Property
				t.byName[e.Name] = p
			}
			listed[e.Name] = true
			if e.given {
				t.given = append(t.given, p)
				continue
			}
			if legacy := e.legacy(); legacy != nil {
				props = append(props, legacy)
				t.byName[legacy.Name] = legacy
			}
			props, declared = append(props, p), append(declared, p)
		}
		order := qom.TableOrder(props)
		t.all = append(t.all, order...)
		t.declared = append(declared, t.declared...)
		t.added = append(reversed(order), t.added...)
	}
	for _, p := range rest {
		if !listed[p.Name] {
			t.all, t.declared, t.added = append(t.all, p), append(t.declared, p), append(t.added, p)
		}
	}
	t.addAliases()
}

func reversed[T any](list []T) []T {
	list = slices.Clone(list)
	slices.Reverse(list)
	return list
}

// legacy returns the property that shows e in words, if there is one. That of a
// link cannot be read.
func (e *entry) legacy() *qom.Property {
	p := &qom.Property{Name: legacyPrefix + e.Name, Type: "str"}
	switch k := kinds[e.parse]; {
	case k != nil && k == kinds["devfn"]:
		p.Get = func(o *qom.Object) (any, error) {
			v, err := o.Get(e.Name)
			if err != nil {
				return nil, err
			}
			return k.show(nil, v), nil
		}
	case !strings.HasPrefix(e.parse, "link<"):
		return nil
	}
	return p
}

// legacyPrefix begins the names of properties that show others in words.
const legacyPrefix = "legacy-"
