package qdev

import (
	"github.com/backplane-vm/backplane/internal/mem"
	"github.com/backplane-vm/backplane/internal/qom"
)

// regionObject is a memory region in the object tree.
type regionObject struct {
	qom.Object
	r *mem.Region
}

// Keep implements [mem.Keeper]: the regions of a device are its children.
func (b *Base) Keep(r *mem.Region) { AddRegion(&b.Object, r) }

// AddRegion makes r a child of o, under its name and a number.
func AddRegion(o *qom.Object, r *mem.Region) {
	child := &regionObject{r: r}
	child.Init("memory-region", child, regionClass{}, nil)
	must(o.AddChild(r.Name()+"[*]", &child.Object))
	child.Unref() // the tree's reference stays
	r.Tag = &child.Object
}

// regionClass is the properties of memory regions.
type regionClass struct{}

// Properties implements [qom.Class].
func (regionClass) Properties() []*qom.Property { return regionProperties[:] }

// Property implements [qom.Class].
func (regionClass) Property(name string) *qom.Property {
	for _, p := range regionProperties {
		if p.Name == name {
			return p
		}
	}
	return nil
}

// regionProperties is a table, in the order in which it is listed; it never
// changes.
var regionProperties = [...]*qom.Property{
	{Name: "container", Type: "link<memory-region>", Link: regionContainer},
	{Name: "addr", Type: "uint64", Get: regionValue(func(r *mem.Region) uint64 { return r.Addr() })},
	{Name: "size", Type: "uint64", Get: regionValue((*mem.Region).Size)},
	{Name: "priority", Type: "uint32", Get: regionValue(func(r *mem.Region) uint64 { return uint64(uint32(r.Priority())) })},
}

func regionValue(f func(*mem.Region) uint64) func(*qom.Object) (any, error) {
	return func(o *qom.Object) (any, error) { return qom.Value64(f(o.Self().(*regionObject).r)), nil }
}

func regionContainer(o *qom.Object) *qom.Object {
	if p := o.Self().(*regionObject).r.Parent(); p != nil {
		container, _ := p.Tag.(*qom.Object)
		return container
	}
	return nil
}
