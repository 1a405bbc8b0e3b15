package qom

import (
	"fmt"
	"iter"
	"slices"
	"strconv"
	"strings"

	"github.com/backplane-vm/backplane/qapi/qerr"
)

// An Object is a node of the tree, embedded by what it stands for. Set it up
// with [Object.Init]; its methods want the BQL.
type Object struct {
	typ      string
	self     any
	refs     int
	parent   *Object
	name     string // in parent
	class    Class
	finalize func()

	props  []*Property          // of this instance, children among them
	byName map[string]*Property // the same
}

// Class gives the properties that all instances of a type have.
type Class interface {
	// Properties returns them in order; the caller must not change the slice.
	Properties() []*Property
	// Property returns the one called name, or nil.
	Property(name string) *Property
}

// Instancer is a Class with properties that are not of the class, because each
// instance is given them.
type Instancer interface {
	// Instance returns them in the order of addition, and how many of the
	// instance's own were added before them. The caller must not change the
	// slice.
	Instance() (after int, props []*Property)
}

// Init makes o an object of type typ with one reference, the caller's. self is
// the value that embeds it. class may be nil. finalize, if not nil, runs when
// the last reference is gone and after the object's children are.
func (o *Object) Init(typ string, self any, class Class, finalize func()) {
	*o = Object{typ: typ, self: self, refs: 1, class: class, finalize: finalize}
}

// NewContainer returns an object that only holds children.
func NewContainer() *Object {
	o := new(Object)
	o.Init("container", o, nil, nil)
	return o
}

// Type returns the name of the object's type.
func (o *Object) Type() string { return o.typ }

// Self returns what the object stands for.
func (o *Object) Self() any { return o.self }

// Name returns the object's name in its parent; "" if it has none.
func (o *Object) Name() string { return o.name }

// Parent returns the object that contains o, or nil.
func (o *Object) Parent() *Object { return o.parent }

// Refs returns the number of references, for diagnostics.
func (o *Object) Refs() int { return o.refs }

// Ref adds a reference.
func (o *Object) Ref() {
	if o.refs <= 0 {
		panic(fmt.Sprintf("qom: reference on finalised %s %q", o.typ, o.name))
	}
	o.refs++
}

// Unref drops a reference; the last one finalises the object: its children are
// taken out (and finalised, if nobody else holds them), then its hook runs.
func (o *Object) Unref() {
	if o.refs <= 0 {
		panic(fmt.Sprintf("qom: reference dropped on finalised %s %q", o.typ, o.name))
	}
	if o.refs--; o.refs > 0 {
		return
	}
	if o.parent != nil {
		panic(fmt.Sprintf("qom: %s %q finalised inside %q", o.typ, o.name, o.parent.Path()))
	}
	o.dropChildren()
	if o.finalize != nil {
		o.finalize()
	}
}

// Clear takes all children out.
func (o *Object) Clear() { o.dropChildren() }

func (o *Object) dropChildren() {
	for {
		i := slices.IndexFunc(o.props, func(p *Property) bool { return p.child != nil })
		if i < 0 {
			return
		}
		o.props[i].child.Unparent()
	}
}

// AddChild makes c a child of o, which takes a reference. A name that ends in
// "[*]" gets the lowest free number instead of the star.
func (o *Object) AddChild(name string, c *Object) error {
	if c.parent != nil {
		panic(fmt.Sprintf("qom: %s is the child of %s already", c.Path(), c.parent.Path()))
	}
	if stem, ok := strings.CutSuffix(name, "[*]"); ok {
		name = o.freeName(stem)
	}
	if err := o.AddProperty(&Property{Name: name, Type: "child<" + c.typ + ">", child: c}); err != nil {
		return err
	}
	c.Ref()
	c.parent, c.name = o, name
	return nil
}

func (o *Object) freeName(stem string) string {
	for i := 0; ; i++ {
		if name := stem + "[" + strconv.Itoa(i) + "]"; o.byName[name] == nil {
			return name
		}
	}
}

// Unparent takes o out of its parent and drops the parent's reference. It does
// nothing to an object without parent.
func (o *Object) Unparent() {
	p := o.parent
	if p == nil {
		return
	}
	p.deleteProperty(o.name)
	o.parent, o.name = nil, ""
	o.Unref()
}

// Child returns the child called name, or nil.
func (o *Object) Child(name string) *Object {
	if p := o.byName[name]; p != nil {
		return p.child
	}
	return nil
}

// Children iterates over the children in order of addition. The loop must not
// add or remove any.
func (o *Object) Children() iter.Seq[*Object] {
	return func(yield func(*Object) bool) {
		for _, p := range o.props {
			if p.child != nil && !yield(p.child) {
				return
			}
		}
	}
}

// Walk calls f for o and all that is below it.
func (o *Object) Walk(f func(*Object)) {
	f(o)
	for c := range o.Children() {
		c.Walk(f)
	}
}

// Path returns the canonical path: "/" for a root, and for an object that is
// not in a tree the path from its topmost ancestor.
func (o *Object) Path() string {
	if o.parent == nil {
		return "/"
	}
	path := ""
	for ; o.parent != nil; o = o.parent {
		path = "/" + o.name + path
	}
	return path
}

// AddProperty gives this instance a property; the name must be free.
func (o *Object) AddProperty(p *Property) error {
	if o.Property(p.Name) != nil {
		return qerr.New("attempt to add duplicate property '%s' to object (type '%s')", p.Name, o.typ)
	}
	if o.byName == nil {
		o.byName = make(map[string]*Property)
	}
	o.props = append(o.props, p)
	o.byName[p.Name] = p
	return nil
}

// DeleteProperty takes back what [Object.AddProperty] gave.
func (o *Object) DeleteProperty(name string) { o.deleteProperty(name) }

func (o *Object) deleteProperty(name string) {
	p := o.byName[name]
	delete(o.byName, name)
	i := slices.Index(o.props, p)
	o.props = slices.Delete(o.props, i, i+1)
}

// Property returns the property called name, or nil.
func (o *Object) Property(name string) *Property {
	if p := o.byName[name]; p != nil {
		return p
	}
	if o.class != nil {
		if p := o.class.Property(name); p != nil {
			return p
		}
	}
	if name == "type" {
		return typeProperty
	}
	return nil
}

// Properties returns all properties: "type", the class's, the instance's, these
// in QEMU's order.
func (o *Object) Properties() []*Property {
	out := []*Property{typeProperty}
	own := o.props
	if o.class != nil {
		out = append(out, o.class.Properties()...)
	}
	if c, ok := o.class.(Instancer); ok {
		after, more := c.Instance()
		own = slices.Concat(own[:after], more, own[after:])
	}
	return append(out, inTableOrder(own)...)
}
