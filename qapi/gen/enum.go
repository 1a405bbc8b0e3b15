package gen

import (
	"github.com/backplane-vm/backplane/qapi"
)

// enum prints an enumeration: type, constants, table of values, decoder.
func (p *printer) enum(e *qapi.Enum) {
	name := e.Name
	p.definition(name, "enum "+name, e.Doc)
	p.f("type %s string\n", name)
	p.f("// The values of %s.", name)
	p.f("const (")
	for _, v := range e.Values {
		if text := e.Doc.Arg(v.Name); text != "" {
			p.comment("", text)
		}
		p.f("%s %s = %q", enumConst(e, v.Name), name, v.Name)
	}
	p.f(")\n")
	table := "valuesOf" + name
	p.f("var %s = [...]%s{", table, name)
	for _, v := range e.Values {
		p.f("%s,", enumConst(e, v.Name))
	}
	p.f("}\n")
	p.f("// %sValues returns the values of %s in the order of the schema.", name, name)
	p.f("func %sValues() []%s { return slices.Clone(%s[:]) }\n", name, name, table)
	p.f("// Decode%s decodes a %s; see package visit for errors.", name, name)
	p.f("func Decode%s(v visit.Value) %s { return visit.Enum(v, %s[:]) }\n", name, name, table)
}
