package gen

import (
	"strconv"

	"github.com/backplane-vm/backplane/qapi"
)

// builtin says how a built-in type looks in Go.
type builtin struct {
	goType string
	decode string // method of visit.Value
	encode string // format for an expression
}

var builtins = map[string]builtin{
	"str":    {"string", "Str", "%s"},
	"bool":   {"bool", "Bool", "%s"},
	"number": {"float64", "Number", "%s"},
	"int":    {"int64", "Int64", "%s"},
	"int8":   {"int8", "Int8", "int64(%s)"},
	"int16":  {"int16", "Int16", "int64(%s)"},
	"int32":  {"int32", "Int32", "int64(%s)"},
	"int64":  {"int64", "Int64", "%s"},
	"uint8":  {"uint8", "Uint8", "int64(%s)"},
	"uint16": {"uint16", "Uint16", "int64(%s)"},
	"uint32": {"uint32", "Uint32", "int64(%s)"},
	"uint64": {"uint64", "Uint64", "visit.Uint(%s)"},
	"size":   {"uint64", "Size", "visit.Uint(%s)"},
	"any":    {"any", "Any", "%s"},
	"null":   {"visit.Null", "Null", "nil"},
}

// goType returns the Go type of a mandatory member of type t.
func goType(t qapi.Type) string {
	switch t := t.(type) {
	case *qapi.Builtin:
		return builtins[t.Name].goType
	case *qapi.Array:
		return "[]" + goType(t.Elem)
	}
	return camel(t.TypeName())
}

// memberType returns the Go type of a member: optional ones are pointers,
// except lists, which are nil when absent.
func memberType(m *qapi.Member) string {
	if _, list := m.Type.(*qapi.Array); m.Optional && !list {
		return "*" + goType(m.Type)
	}
	return goType(m.Type)
}

// decoder returns an expression of type func(visit.Value) T.
func decoder(t qapi.Type) string {
	switch t := t.(type) {
	case *qapi.Builtin:
		return "visit.Value." + builtins[t.Name].decode
	}
	return "Decode" + camel(t.TypeName())
}

// decode returns an expression that decodes the visit.Value v.
func decode(t qapi.Type, v string) string {
	switch t := t.(type) {
	case *qapi.Builtin:
		return v + "." + builtins[t.Name].decode + "()"
	case *qapi.Array:
		return "visit.List(" + v + ", " + decoder(t.Elem) + ")"
	}
	return decoder(t) + "(" + v + ")"
}

// take returns an expression that takes member m from the visit.Object o.
func take(m *qapi.Member) string {
	name := strconv.Quote(m.Name)
	if !m.Optional {
		return decode(m.Type, "o.Need("+name+")")
	}
	if a, ok := m.Type.(*qapi.Array); ok {
		return "visit.OptionalList(o, " + name + ", " + decoder(a.Elem) + ")"
	}
	return "visit.Optional(o, " + name + ", " + decoder(m.Type) + ")"
}

// encode returns an expression for the value of the addressable expression x.
// For objects and alternates x may as well be a pointer.
func encode(t qapi.Type, x string) string {
	switch t := t.(type) {
	case *qapi.Builtin:
		if f := builtins[t.Name].encode; f != "%s" {
			return replace(f, x)
		}
		return x
	case *qapi.Enum:
		return "string(" + x + ")"
	case *qapi.Array:
		return "visit.EncodeList(" + x + ", " + encoder(t.Elem) + ")"
	}
	return x + ".QObject()"
}

// encoder returns an expression of type func(*T) any.
func encoder(t qapi.Type) string {
	switch t.(type) {
	case *qapi.Object, *qapi.Alternate:
		return "(*" + goType(t) + ").QObject"
	}
	return "func(x *" + goType(t) + ") any { return " + encode(t, "*x") + " }"
}

// encodeOptional is encode for the pointer x of an optional member.
func encodeOptional(t qapi.Type, x string) string {
	switch t.(type) {
	case *qapi.Object, *qapi.Alternate, *qapi.Array:
		return encode(t, x)
	}
	return encode(t, "*"+x)
}
