package qom

import "github.com/backplane-vm/backplane/qapi/qerr"

// A Property is a named, typed value of an object. One Property serves all
// instances of a class; the functions get the instance.
type Property struct {
	Name        string
	Type        string // QEMU's word: "uint32", "str", "link<bus>", …
	Description string
	Default     any // shown by device-list-properties if HasDefault
	HasDefault  bool
	Fixed       bool // says what is so; setting it can only confirm that

	// Get returns the value as a qobject value; nil if it cannot be read.
	Get func(o *Object) (any, error)
	// Set sets it; nil if it cannot be written.
	Set func(o *Object, in Input) error
	// Link returns what a link<T> points at, or nil; it is nil for others.
	Link func(o *Object) *Object

	child *Object
}

// Child returns the object of a child<T> property, or nil.
func (p *Property) Child() *Object { return p.child }

// typeProperty is what every object has; it never changes.
var typeProperty = &Property{
	Name: "type", Type: "string",
	Get: func(o *Object) (any, error) { return o.typ, nil },
}

// TypeProperty returns the property that every object has first.
func TypeProperty() *Property { return typeProperty }

// Get returns the value of the property called name.
func (o *Object) Get(name string) (any, error) {
	p := o.Property(name)
	switch {
	case p == nil:
		return nil, o.errProperty(name, "not found")
	case p.child != nil:
		return p.child.Path(), nil
	case p.Link != nil:
		if t := p.Link(o); t != nil {
			return t.Path(), nil
		}
		return "", nil
	case p.Get == nil:
		return nil, o.errProperty(name, "is not readable")
	}
	return p.Get(o)
}

// Set sets the property called name.
func (o *Object) Set(name string, in Input) error {
	p := o.Property(name)
	switch {
	case p == nil:
		return o.errProperty(name, "not found")
	case p.Set == nil:
		return o.errProperty(name, "is not writable")
	}
	return p.Set(o, in)
}

func (o *Object) errProperty(name, what string) error {
	return qerr.New("Property '%s.%s' %s", o.typ, name, what)
}
