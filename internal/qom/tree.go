package qom

import (
	"strings"

	"github.com/backplane-vm/backplane/qapi/qerr"
)

// A Tree is the objects of one machine under their root, and their types.
type Tree struct {
	Root  *Object
	Types *Types
}

// NewTree returns a tree with an empty root.
func NewTree(types *Types) *Tree { return &Tree{Root: NewContainer(), Types: types} }

// Container returns the object at an absolute path; what is missing on the way
// is made, as containers.
func (t *Tree) Container(path string) *Object {
	o := t.Root
	for _, name := range split(path) {
		c := o.Child(name)
		if c == nil {
			c = NewContainer()
			if err := o.AddChild(name, c); err != nil {
				panic("qom: container " + path + ": " + err.Error())
			}
			c.Unref() // the tree's reference stays
		}
		o = c
	}
	return o
}

// Resolve returns the object at path. A path with a leading slash is absolute;
// any other matches each object whose path ends so, and is ambiguous if there
// is more than one. A path may go through links.
func (t *Tree) Resolve(path string) (o *Object, ambiguous bool) {
	parts := split(path)
	if strings.HasPrefix(path, "/") {
		return t.Root.descend(parts), false
	}
	s := search{parts: parts}
	s.visit(t.Root)
	if s.ambiguous {
		return nil, true
	}
	return s.found, false
}

// ResolveFrom returns the object at path, which is taken as relative to o
// unless it is absolute.
func (t *Tree) ResolveFrom(o *Object, path string) *Object {
	if strings.HasPrefix(path, "/") {
		o = t.Root
	}
	return o.descend(split(path))
}

// split returns the components of a path; empty ones do not count.
func split(path string) []string {
	return strings.FieldsFunc(path, func(r rune) bool { return r == '/' })
}

func (o *Object) descend(parts []string) *Object {
	for _, name := range parts {
		p := o.Property(name)
		switch {
		case p == nil:
			return nil
		case p.child != nil:
			o = p.child
		case p.Link != nil:
			o = p.Link(o)
		default:
			return nil
		}
		if o == nil {
			return nil
		}
	}
	return o
}

// search looks below every object for a partial path.
type search struct {
	parts     []string
	found     *Object
	ambiguous bool
}

func (s *search) visit(o *Object) {
	if hit := o.descend(s.parts); hit != nil {
		s.ambiguous = s.ambiguous || (s.found != nil && s.found != hit)
		s.found = hit
	}
	for c := range o.Children() {
		if s.ambiguous {
			return
		}
		s.visit(c)
	}
}

func notFound(path string) error {
	return qerr.Newc(qerr.DeviceNotFound, "Device '%s' not found", path)
}
