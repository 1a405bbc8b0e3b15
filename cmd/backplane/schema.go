package main

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/backplane-vm/backplane/qapi/qobject"
)

// An entity is an element of the reply to query-qmp-schema (QAPI's
// SchemaInfo): a command, an event or a type. Names of types are numbers.
type entity struct {
	Name        string
	Meta        string   `json:"meta-type"`
	JSONType    string   `json:"json-type"`    // of a builtin
	ArgType     string   `json:"arg-type"`     // of a command or an event
	RetType     string   `json:"ret-type"`     // of a command
	ElementType string   `json:"element-type"` // of an array
	Tag         string   // of an object: the member that selects the variant
	AllowOOB    bool     `json:"allow-oob"`
	Members     []member // of an object, an enum or an alternate
	Variants    []variant
	Values      []string // of an enum, before members told more
	Features    []string
}

// A member of an object, or with less of it, of an enum or an alternate.
type member struct {
	Name     string
	Type     string
	Default  json.RawMessage // there, and null, if the member is optional
	Features []string
}

type variant struct{ Case, Type string }

// enum returns the values of an enum.
func (e *entity) enum() []string {
	if e.Meta != "enum" || len(e.Members) == 0 {
		return e.Values
	}
	var values []string
	for _, m := range e.Members {
		values = append(values, m.Name)
	}
	return values
}

// A schema is what a server says of itself. It is never changed once read. The
// zero schema knows nothing, which is what a server without introspection gets.
type schema struct{ entities map[string]*entity }

// readSchema reads the reply of query-qmp-schema.
func readSchema(reply any) (*schema, error) {
	var list []*entity
	if err := qobject.Decode(reply, &list); err != nil {
		return nil, err
	}
	s := &schema{make(map[string]*entity, len(list))}
	for _, e := range list {
		if e != nil {
			s.entities[e.Name] = e
		}
	}
	return s, nil
}

// names returns the sorted names of one kind of entities.
func (s *schema) names(meta string) []string {
	var names []string
	for name, e := range s.entities {
		if e.Meta == meta {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// lookup returns the entity of that kind, or nil.
func (s *schema) lookup(meta, name string) *entity {
	if e := s.entities[name]; e != nil && e.Meta == meta {
		return e
	}
	return nil
}

// A field is a name that may be given, with the type of its value: nil if
// nothing is known.
type field struct {
	name     string
	typ      *entity
	optional bool
	note     string // a few words for people
}

// maxVariants is how many variants may lie inside one another. QAPI's unions do
// not nest deeper than two; a server that sends a ring gets no further.
const maxVariants = 8

// fields returns the members of an object, with those of the variant selected
// by the tag among the arguments given.
func (s *schema) fields(object *entity, given *argument) []field {
	return s.fieldsWithin(object, given, maxVariants)
}

func (s *schema) fieldsWithin(object *entity, given *argument, depth int) []field {
	if object == nil || depth == 0 {
		return nil
	}
	var list []field
	for _, m := range object.Members {
		f := field{name: m.Name, typ: s.entities[m.Type], optional: m.Default != nil}
		if len(m.Features) > 0 {
			f.note = strings.Join(m.Features, ", ")
		}
		list = append(list, f)
	}
	if choice, ok := given.leaf(object.Tag); ok && object.Tag != "" {
		for _, v := range object.Variants {
			if v.Case == choice {
				list = append(list, s.fieldsWithin(s.entities[v.Type], given, depth-1)...)
			}
		}
	}
	return list
}

// branchType returns the type that arguments below one of type e have as a
// whole: e itself or, for an alternate, its object or list.
func (s *schema) branchType(e *entity) *entity {
	if e == nil || e.Meta != "alternate" {
		return e
	}
	for _, m := range e.Members {
		if t := s.entities[m.Type]; t != nil && (t.Meta == "object" || t.Meta == "array") {
			return t
		}
	}
	return nil
}

// find returns the field of that name.
func find(list []field, name string) (field, bool) {
	i := slices.IndexFunc(list, func(f field) bool { return f.name == name })
	if i < 0 {
		return field{}, false
	}
	return list[i], true
}
