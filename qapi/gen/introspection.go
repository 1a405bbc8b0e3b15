package gen

import (
	"strconv"
	"strings"

	"github.com/backplane-vm/backplane/qapi/qobject"
)

// introspection prints the reply of query-qmp-schema, an entry a line.
func (g *generator) introspection() error {
	p := &printer{}
	p.f("// IntrospectionJSON is the reply of query-qmp-schema as QEMU would write it:")
	p.f("// one line of JSON, an array of SchemaInfo.")
	p.f("const IntrospectionJSON = `[` +")
	list := g.schema.Introspect()
	for i, info := range list {
		text := qobject.Encode(info)
		if i < len(list)-1 {
			text += ", "
		}
		p.f("%s +", rawString(text))
	}
	p.f("`]`\n")
	p.f("// Introspection parses IntrospectionJSON, which takes milliseconds: a server")
	p.f("// calls it once and keeps the result. The caller owns it.")
	p.f("func Introspection() any {\nv, err := qobject.ParseJSON(IntrospectionJSON)")
	p.f("if err != nil {\npanic(\"generated introspection is no JSON: \" + err.Error())\n}")
	p.f("return v\n}")
	return g.emit("introspection.go", p)
}

// rawString quotes s with backquotes where Go can.
func rawString(s string) string {
	if strings.Contains(s, "`") {
		return strconv.Quote(s)
	}
	return "`" + s + "`"
}
