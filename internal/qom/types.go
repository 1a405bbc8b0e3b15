package qom

import (
	"fmt"
	"slices"
)

// Type describes a type of object. Types of devices and buses are added by
// package qdev's registry, others by the machine.
type Type struct {
	Name     string
	Parent   string // "" only for "object"
	Abstract bool
	Class    Class // the properties of its objects besides "type"; nil for none
}

// Types is a table of types. Build it before the machine runs; reading it is
// safe from any goroutine as long as nobody adds.
type Types struct {
	byName map[string]Type
	names  []string // in order of addition
}

// NewTypes returns a table with the types every tree has: "object" and
// "container".
func NewTypes() *Types {
	t := &Types{byName: make(map[string]Type)}
	t.put(Type{Name: "object", Abstract: true})
	t.put(Type{Name: "container", Parent: "object"})
	return t
}

func (t *Types) put(ty Type) {
	t.byName[ty.Name] = ty
	t.names = append(t.names, ty.Name)
}

// Add enters types, each after its parent. It is an error if the name is taken
// or the parent unknown.
func (t *Types) Add(types ...Type) error {
	for _, ty := range types {
		if _, dup := t.byName[ty.Name]; dup {
			return fmt.Errorf("qom: type %q is there already", ty.Name)
		}
		if _, ok := t.byName[ty.Parent]; !ok {
			return fmt.Errorf("qom: type %q has unknown parent %q", ty.Name, ty.Parent)
		}
		t.put(ty)
	}
	return nil
}

// Lookup returns the type called name.
func (t *Types) Lookup(name string) (Type, bool) {
	ty, ok := t.byName[name]
	return ty, ok
}

// Is tells whether the type called name is ancestor or derived from it.
func (t *Types) Is(name, ancestor string) bool {
	for name != "" && name != ancestor {
		name = t.byName[name].Parent
	}
	return name != "" && name == ancestor
}

// List returns the types derived from implements (all, if it is empty), sorted
// by name; abstract ones only if asked for.
func (t *Types) List(implements string, abstract bool) []Type {
	var out []Type
	for _, name := range t.names {
		ty := t.byName[name]
		if (abstract || !ty.Abstract) && (implements == "" || t.Is(name, implements)) {
			out = append(out, ty)
		}
	}
	slices.SortFunc(out, func(a, b Type) int {
		if a.Name < b.Name {
			return -1
		}
		return 1
	})
	return out
}
