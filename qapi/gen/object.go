package gen

import (
	"fmt"
	"strconv"

	"github.com/backplane-vm/backplane/qapi"
)

// object prints a struct or union under a Go name: type, decoder, encoder.
func (p *printer) object(o *qapi.Object, name string, doc *qapi.Doc) error {
	if err := fieldNames(o, name); err != nil {
		return err
	}
	p.definition(name, o.Meta()+" "+o.Name, doc)
	p.objectType(o, name, doc)
	return nil
}

// objectType prints what follows the type's comment.
func (p *printer) objectType(o *qapi.Object, name string, doc *qapi.Doc) {
	p.f("type %s struct {", name)
	for _, m := range o.AllMembers() {
		p.field(camel(m.Name), memberType(m), memberText(o, m, doc))
	}
	for _, br := range o.Branches {
		p.field(camel(br.Case), "*"+goType(br.Type), "set iff "+camel(o.Tag.Name)+" is "+strconv.Quote(br.Case))
	}
	p.f("}\n")
	if o.Base != nil && !o.Base.Implicit && len(o.Branches) == 0 {
		p.objectBase(o, name)
	}
	p.objectDecoder(o, name)
	p.objectEncoder(o, name)
}

// objectBase prints the method that returns what an object has of its base.
func (p *printer) objectBase(o *qapi.Object, name string) {
	base := camel(o.Base.Name)
	p.f("// As%s returns the members that x has of its base.", base)
	p.f("func (x *%s) As%s() *%s {\nreturn &%s{", name, base, base, base)
	for _, m := range o.Base.AllMembers() {
		p.f("%s: x.%s,", camel(m.Name), camel(m.Name))
	}
	p.f("}\n}\n")
}

// fieldNames refuses members that become one name in Go.
func fieldNames(o *qapi.Object, name string) error {
	fields := names{"QObject": "the generator", "FromQObject": "the generator"}
	for _, m := range o.AllMembers() {
		if err := fields.claim(camel(m.Name), fmt.Sprintf("member '%s' of %s", m.Name, name)); err != nil {
			return err
		}
	}
	for _, br := range o.Branches {
		if err := fields.claim(camel(br.Case), fmt.Sprintf("branch '%s' of %s", br.Case, name)); err != nil {
			return err
		}
	}
	return nil
}

// memberText finds the text on a member: with the type, or with its base.
func memberText(o *qapi.Object, m *qapi.Member, doc *qapi.Doc) string {
	for ; o != nil; o = o.Base {
		if text := doc.Arg(m.Name); text != "" {
			return text
		}
		if o.Base != nil && !o.Base.Implicit {
			doc = o.Base.Doc
		}
	}
	return ""
}

func (p *printer) field(name, typ, text string) {
	if text != "" {
		p.comment("", text)
	}
	p.f("%s %s", name, typ)
}

func (p *printer) objectDecoder(o *qapi.Object, name string) {
	p.f("// Decode%s decodes a %s; see package visit for errors.", name, name)
	p.f("func Decode%s(v visit.Value) (x %s) {", name, name)
	p.f("o := v.Object()\nx.take(o)\no.Close()\nreturn x\n}\n")
	p.f("// FromQObject sets x from JSON input; it implements qobject.Unmarshaler.")
	p.f("func (x *%s) FromQObject(v any) error {", name)
	p.f("in := visit.New(v, visit.JSON)\n*x = Decode%s(in)\nreturn in.Err()\n}\n", name)

	params := "o"
	if o.Empty() {
		params = "_"
	}
	p.f("func (x *%s) take(%s *visit.Object) {", name, params)
	for _, m := range o.AllMembers() {
		p.f("x.%s = %s", camel(m.Name), take(m))
	}
	p.eachBranch(o, func(br *qapi.Branch) {
		field := "x." + camel(br.Case)
		p.f("%s = new(%s)\n%s.take(o)", field, goType(br.Type), field)
	})
	p.f("}\n")
}

func (p *printer) objectEncoder(o *qapi.Object, name string) {
	if o.IsUnion() {
		p.f("// QObject returns x as a *qobject.Dict. The branch that %s selects must be set.", camel(o.Tag.Name))
	} else {
		p.f("// QObject returns x as a *qobject.Dict.")
	}
	p.f("func (x *%s) QObject() any {\nd := qobject.NewDict()\nx.put(d)\nreturn d\n}\n", name)
	params := "d"
	if o.Empty() {
		params = "_"
	}
	p.f("func (x *%s) put(%s *qobject.Dict) {", name, params)
	for _, m := range o.AllMembers() {
		field := "x." + camel(m.Name)
		if m.Optional {
			p.f("if %s != nil {\nd.Set(%q, %s)\n}", field, m.Name, encodeOptional(m.Type, field))
		} else {
			p.f("d.Set(%q, %s)", m.Name, encode(m.Type, field))
		}
	}
	p.eachBranch(o, func(br *qapi.Branch) { p.f("x.%s.put(d)", camel(br.Case)) })
	p.f("}\n")
}

// eachBranch prints a switch over the discriminator.
func (p *printer) eachBranch(o *qapi.Object, body func(*qapi.Branch)) {
	if !o.IsUnion() {
		return
	}
	p.f("switch x.%s {", camel(o.Tag.Name))
	for _, br := range o.Branches {
		p.f("case %s:", enumConst(o.Tag.Type.(*qapi.Enum), br.Case))
		body(br)
	}
	p.f("}")
}
