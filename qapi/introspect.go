package qapi

import (
	"strconv"

	"github.com/backplane-vm/backplane/qapi/qobject"
)

// Introspect returns the reply of query-qmp-schema for s: a list of
// SchemaInfo objects, commands and events first, then the types they reach in
// the order of their first use. As in QEMU, the names of types are hidden
// behind decimal numbers, since they are no part of the interface; integer
// types all appear as "int", and a union has a variant for every value of its
// tag. Conditions are not looked at: call Select first where there are any.
//
// The caller owns the result.
func (s *Schema) Introspect() []any {
	in := introspector{numbers: map[string]string{}, seen: map[Type]bool{}}
	for _, def := range s.Definitions {
		switch d := def.(type) {
		case *Command:
			in.command(d)
		case *Event:
			in.add(d.Name, "event", d.Features, "arg-type", in.object(d.Arg))
		}
	}
	for i := 0; i < len(in.used); i++ { // describing a type may add to in.used
		in.describe(in.used[i])
	}
	return in.out
}

// introspector collects descriptions and the types still to be described.
type introspector struct {
	out     []any
	numbers map[string]string // type name to its number
	used    []Type
	seen    map[Type]bool
}

// emptyType stands where a command has no arguments or no result, and where a
// union has no branch. It never changes.
var emptyType = &Object{Def: Def{Name: "q_empty"}, Implicit: true}

// intType stands for every integer type. It never changes.
var intType = &Builtin{"int", "int"}

// intArray stands for every array of integers. It never changes.
var intArray = &Array{Elem: intType}

// add appends one description; more are keys and values.
func (in *introspector) add(name, meta string, features []Feature, more ...any) {
	d := qobject.Members("name", name, "meta-type", meta)
	for i := 0; i < len(more); i += 2 {
		d.Set(more[i].(string), more[i+1])
	}
	setFeatures(d, features)
	in.out = append(in.out, d)
}

func setFeatures(d *qobject.Dict, features []Feature) {
	if len(features) == 0 {
		return
	}
	list := make([]any, len(features))
	for i, f := range features {
		list[i] = f.Name
	}
	d.Set("features", list)
}

// use notes that t is needed and returns its name in the reply.
func (in *introspector) use(t Type) string {
	switch x := t.(type) {
	case *Builtin:
		if x.JSON == "int" {
			t = intType
		}
	case *Array:
		if b, ok := x.Elem.(*Builtin); ok && b.JSON == "int" {
			t = intArray
		}
	}
	if !in.seen[t] {
		in.seen[t] = true
		in.used = append(in.used, t)
	}
	return in.name(t)
}

func (in *introspector) name(t Type) string {
	switch x := t.(type) {
	case *Builtin:
		return x.Name
	case *Array:
		return "[" + in.use(x.Elem) + "]"
	}
	name := t.TypeName()
	n, ok := in.numbers[name]
	if !ok {
		n = strconv.Itoa(len(in.numbers))
		in.numbers[name] = n
	}
	return n
}

// object is use for an object type that may be nil.
func (in *introspector) object(o *Object) string {
	if o == nil {
		return in.use(emptyType)
	}
	return in.use(o)
}

func (in *introspector) command(c *Command) {
	arg := in.object(c.Arg)
	var ret string
	if c.Ret != nil {
		ret = in.use(c.Ret)
	} else {
		ret = in.use(emptyType)
	}
	more := []any{"arg-type", arg, "ret-type", ret}
	if c.AllowOOB {
		more = append(more, "allow-oob", true)
	}
	in.add(c.Name, "command", c.Features, more...)
}

// describe appends the description of one type.
func (in *introspector) describe(t Type) {
	name := in.name(t)
	switch t := t.(type) {
	case *Builtin:
		in.add(name, "builtin", nil, "json-type", t.JSON)
	case *Array:
		in.add(name, "array", nil, "element-type", in.use(t.Elem))
	case *Enum:
		in.enum(name, t)
	case *Object:
		in.objectType(name, t)
	case *Alternate:
		members := make([]any, len(t.Members))
		for i, m := range t.Members {
			members[i] = qobject.Members("type", in.use(m.Type))
		}
		in.add(name, "alternate", t.Features, "members", members)
	}
}

func (in *introspector) enum(name string, e *Enum) {
	members, values := make([]any, len(e.Values)), make([]any, len(e.Values))
	for i, v := range e.Values {
		m := qobject.Members("name", v.Name)
		setFeatures(m, v.Features)
		members[i], values[i] = m, v.Name
	}
	in.add(name, "enum", e.Features, "members", members, "values", values)
}

func (in *introspector) objectType(name string, o *Object) {
	members := []any{}
	for _, m := range o.AllMembers() {
		d := qobject.Members("name", m.Name, "type", in.use(m.Type))
		if m.Optional {
			d.Set("default", nil)
		}
		setFeatures(d, m.Features)
		members = append(members, d)
	}
	more := []any{"members", members}
	if o.Tag != nil {
		more = append(more, "tag", o.Tag.Name, "variants", in.variants(o))
	}
	in.add(name, "object", o.Features, more...)
}

// variants lists o's branches as written, then the empty ones.
func (in *introspector) variants(o *Object) []any {
	var out []any
	written := map[string]bool{}
	for _, br := range o.Branches {
		written[br.Case] = true
		out = append(out, qobject.Members("case", br.Case, "type", in.use(br.Type)))
	}
	for _, v := range o.Tag.Type.(*Enum).Values {
		if !written[v.Name] {
			out = append(out, qobject.Members("case", v.Name, "type", in.use(emptyType)))
		}
	}
	return out
}
