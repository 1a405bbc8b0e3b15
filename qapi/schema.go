// Package qapi reads QEMU's schema language: the files that define the
// commands, events and types of a JSON monitor protocol.
//
// Load parses a root file and what it includes, checks all of it and resolves
// names; what it returns is ready for a code generator (qapi/gen) and for the
// reply of query-qmp-schema (Schema.Introspect). The language is the one of
// QEMU's manual, "How to use the QAPI code generator", as of QEMU 10.0. A
// schema that breaks a rule is refused with an *Error that names file, line
// and rule; the first error ends the work.
//
// The package starts no goroutines and takes no locks. A *Schema is immutable
// once Load returned it and may be shared.
package qapi

import "slices"

// Schema is a checked schema.
type Schema struct {
	// Definitions holds what the files define, in the order in which a
	// reader meets it who reads every include where it stands.
	Definitions []Definition
	// Modules holds the names of the files, in the order of their first
	// mention; the root comes first.
	Modules []string

	source *source
	types  map[string]Type
	arrays map[Type]*Array
}

// Definition is one of *Enum, *Object, *Alternate, *Command, *Event.
type Definition interface {
	Head() *Def
	// Meta is the word that introduces the definition: "enum", "struct",
	// "union", "alternate", "command" or "event".
	Meta() string
}

// Def is what all definitions have.
type Def struct {
	Name     string
	Module   string // the file that defines it
	Pos      Pos
	If       *Cond
	Features []Feature
	Doc      *Doc // nil when undocumented
}

// Head returns d itself.
func (d *Def) Head() *Def { return d }

// HasFeature reports whether the definition has the feature name.
func (d *Def) HasFeature(name string) bool { return hasFeature(d.Features, name) }

// Feature marks a definition, member or value; "deprecated" and "unstable"
// have a meaning to the generator, others only to clients.
type Feature struct {
	Name string
	If   *Cond
	Pos  Pos
}

func hasFeature(list []Feature, name string) bool {
	for _, f := range list {
		if f.Name == name {
			return true
		}
	}
	return false
}

// Type is one of *Builtin, *Enum, *Object, *Alternate, *Array.
type Type interface {
	// TypeName is the name by which definitions refer to the type; for an
	// array it is its element's name in brackets.
	TypeName() string
}

// Ref is the use of a type.
type Ref struct {
	Type Type // resolved by Load, never nil afterwards
	Pos  Pos

	name  string
	array bool
}

// Builtin is a type the language brings along.
type Builtin struct {
	Name string
	// JSON is its type on the wire: "string", "int", "number", "boolean",
	// "null" or "value" (anything).
	JSON string
}

// TypeName returns the built-in's name.
func (b *Builtin) TypeName() string { return b.Name }

// builtins lists the built-in types: name, wire type.
var builtins = [...]Builtin{
	{"str", "string"}, {"number", "number"}, {"bool", "boolean"}, {"null", "null"}, {"any", "value"},
	{"int", "int"}, {"int8", "int"}, {"int16", "int"}, {"int32", "int"}, {"int64", "int"},
	{"uint8", "int"}, {"uint16", "int"}, {"uint32", "int"}, {"uint64", "int"}, {"size", "int"},
}

// Array is a list of Elem. One schema has one *Array an element type.
type Array struct{ Elem Type }

// TypeName returns "[ELEM]".
func (a *Array) TypeName() string { return "[" + a.Elem.TypeName() + "]" }

// Enum is an enumeration.
type Enum struct {
	Def
	Prefix string
	Values []*Value
}

// Value is one value of an enumeration.
type Value struct {
	Name     string
	If       *Cond
	Features []Feature
	Pos      Pos
}

// Meta returns "enum".
func (e *Enum) Meta() string { return "enum" }

// TypeName returns the enumeration's name.
func (e *Enum) TypeName() string { return e.Name }

// Has reports whether name is a value of e.
func (e *Enum) Has(name string) bool {
	for _, v := range e.Values {
		if v.Name == name {
			return true
		}
	}
	return false
}

// Object is a struct or, when Tag is set, a union. The members given in place
// of a type's name (arguments, a union's base) form an implicit Object, whose
// name begins with "q_obj_".
type Object struct {
	Def
	Implicit bool
	Base     *Object   // nil when there is none
	Members  []*Member // without those of Base
	Tag      *Member   // the discriminator, a member of Base
	Branches []*Branch // sorted as written; values without one have no members

	base    Ref
	tagName string
}

// Meta returns "struct" or "union".
func (o *Object) Meta() string {
	if o.IsUnion() {
		return "union"
	}
	return "struct"
}

// TypeName returns the object type's name.
func (o *Object) TypeName() string { return o.Name }

// IsUnion reports whether o has a discriminator.
func (o *Object) IsUnion() bool { return o.tagName != "" }

// AllMembers returns the members that are there in every variant, those of
// the base first.
func (o *Object) AllMembers() []*Member {
	if o.Base == nil {
		return o.Members
	}
	return slices.Concat(o.Base.AllMembers(), o.Members)
}

// Empty reports whether o can have no members at all.
func (o *Object) Empty() bool { return !o.IsUnion() && len(o.AllMembers()) == 0 }

// Member is a member of an Object or an alternative of an Alternate.
type Member struct {
	Name     string
	Optional bool
	Ref
	If       *Cond
	Features []Feature
}

// Branch is what a union adds when its discriminator has the value Case.
type Branch struct {
	Case string
	Ref
	If *Cond
}

// Object returns the type of the branch.
func (b *Branch) Object() *Object { return b.Type.(*Object) }

// Alternate is a choice between types that are told apart on the wire.
type Alternate struct {
	Def
	Members []*Member
}

// Meta returns "alternate".
func (a *Alternate) Meta() string { return "alternate" }

// TypeName returns the alternate's name.
func (a *Alternate) TypeName() string { return a.Name }

// Command is a command.
type Command struct {
	Def
	Arg *Object // nil: no arguments
	Ret Type    // nil: answers the empty object

	Boxed           bool // the argument is handed on as one value
	Gen             bool // arguments are decoded; false: the handler does it
	SuccessResponse bool // success is answered
	AllowOOB        bool
	AllowPreconfig  bool
	Coroutine       bool // the handler may yield

	arg, ret Ref
}

// Meta returns "command".
func (c *Command) Meta() string { return "command" }

// Event is an event.
type Event struct {
	Def
	Arg   *Object // nil: no data
	Boxed bool

	arg Ref
}

// Meta returns "event".
func (e *Event) Meta() string { return "event" }
