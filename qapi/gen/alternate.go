package gen

import (
	"fmt"

	"github.com/backplane-vm/backplane/qapi"
)

// alternate prints an alternate: a struct of which one pointer is set.
func (p *printer) alternate(a *qapi.Alternate) error {
	name := camel(a.Name)
	fields := names{"QObject": "the generator", "FromQObject": "the generator"}
	for _, m := range a.Members {
		if err := fields.claim(camel(m.Name), fmt.Sprintf("alternative '%s' of %s", m.Name, name)); err != nil {
			return err
		}
	}
	p.definition(name, "alternate "+name, a.Doc)
	p.f("//\n// Exactly one field is set.")
	p.f("type %s struct {", name)
	for _, m := range a.Members {
		p.field(camel(m.Name), alternativeType(m), a.Doc.Arg(m.Name))
	}
	p.f("}\n")

	p.f("// Decode%s decodes a %s; see package visit for errors.", name, name)
	p.f("func Decode%s(v visit.Value) (x %s) {\nswitch v.Kind() {", name, name)
	for _, m := range a.Members {
		p.f("case qobject.%s:", kindOf(m.Type))
		if _, list := m.Type.(*qapi.Array); list {
			p.f("x.%s = %s", camel(m.Name), decode(m.Type, "v"))
		} else {
			p.f("y := %s\nx.%s = &y", decode(m.Type, "v"), camel(m.Name))
		}
	}
	p.f("default:\nv.NoAlternative(%q)\n}\nreturn x\n}\n", a.Name)
	p.f("// FromQObject sets x from JSON input; it implements qobject.Unmarshaler.")
	p.f("func (x *%s) FromQObject(v any) error {", name)
	p.f("in := visit.New(v, visit.JSON)\n*x = Decode%s(in)\nreturn in.Err()\n}\n", name)

	p.f("// QObject returns the alternative that is set, nil if there is none.")
	p.f("func (x *%s) QObject() any {\nswitch {", name)
	for _, m := range a.Members {
		field := "x." + camel(m.Name)
		p.f("case %s != nil:\nreturn %s", field, encodeOptional(m.Type, field))
	}
	p.f("}\nreturn nil\n}\n")
	return nil
}

func alternativeType(m *qapi.Member) string {
	if _, list := m.Type.(*qapi.Array); list {
		return goType(m.Type)
	}
	return "*" + goType(m.Type)
}

// kindOf returns the name of the qobject.Kind by which t is recognised.
func kindOf(t qapi.Type) string {
	switch t := t.(type) {
	case *qapi.Builtin:
		switch t.JSON {
		case "boolean":
			return "Bool"
		case "int", "number":
			return "Number"
		case "null":
			return "Null"
		}
		return "String"
	case *qapi.Enum:
		return "String"
	case *qapi.Array:
		return "Array"
	}
	return "Object"
}
