package qdev

import (
	"fmt"
	"iter"
	"slices"
	"strings"

	"github.com/backplane-vm/backplane/internal/qom"
)

// A Bus is where devices sit. Packages of bus types embed it and set it up
// with [Tree.InitBus].
type Bus struct {
	qom.Object
	tree    *Tree
	name    string
	dev     *Base    // whose bus it is; nil for the system bus
	kids    []Device // in order of arrival
	max     int      // devices it can take; 0 for no limit
	handler HotplugHandler
	arrived int // devices there have been, which numbers their links
}

// InitBus makes b, embedded in self, a bus of type typ on device dev (nil for
// none). An empty name becomes the device's id and a number, or the type in
// small letters and a number.
func (t *Tree) InitBus(b *Bus, self any, dev Device, typ, name string) {
	if _, ok := t.reg.Types.Lookup(typ); !ok {
		panic(fmt.Sprintf("qdev: bus %q of unknown type %q", name, typ))
	}
	*b = Bus{tree: t}
	b.Init(typ, self, nil, nil)
	for _, p := range busProperties {
		must(b.AddProperty(p))
	}
	if dev != nil {
		b.dev = dev.Dev()
	}
	if name == "" {
		name = t.busName(b.dev, typ)
	}
	b.name = name
	t.buses[name] = append(t.buses[name], b)
	if b.dev != nil {
		b.dev.buses = append(b.dev.buses, b)
		if b.dev.AddChild(name, &b.Object) != nil { // an id can be a property's name
			must(b.dev.AddChild(name+"[*]", &b.Object))
		}
		b.Unref() // the device's reference stays
	}
}

func (t *Tree) busName(dev *Base, typ string) string {
	if dev != nil && dev.id != "" {
		return fmt.Sprintf("%s.%d", dev.id, len(dev.buses))
	}
	n := t.autoBus[typ]
	t.autoBus[typ]++
	return fmt.Sprintf("%s.%d", strings.ToLower(typ), n)
}

// BusName returns the bus's name, which need not be unique.
func (b *Bus) BusName() string { return b.name }

// Device returns the device whose bus it is, or nil for the system bus.
func (b *Bus) Device() Device {
	if b.dev == nil {
		return nil
	}
	return b.dev.self
}

// SetMax bounds the number of devices; 0 is no bound.
func (b *Bus) SetMax(n int) { b.max = n }

// Full tells whether no further device fits.
func (b *Bus) Full() bool { return b.max != 0 && len(b.kids) >= b.max }

// SetHotplugHandler makes the bus hot-pluggable; nil makes it not so.
func (b *Bus) SetHotplugHandler(h HotplugHandler) { b.handler = h }

// HotplugHandler returns the handler, or nil.
func (b *Bus) HotplugHandler() HotplugHandler { return b.handler }

// Hotpluggable tells whether devices can come and go at run time.
func (b *Bus) Hotpluggable() bool { return b.handler != nil }

// Len returns the number of devices on the bus.
func (b *Bus) Len() int { return len(b.kids) }

// Devices iterates over the devices, the newest first, which is the order in
// which QEMU lists and searches them. The loop may remove the device it is at.
func (b *Bus) Devices() iter.Seq[Device] {
	return func(yield func(Device) bool) {
		for i := len(b.kids) - 1; i >= 0; i-- {
			if i < len(b.kids) && !yield(b.kids[i]) {
				return
			}
		}
	}
}

// attach puts d on b, which takes a reference.
func (b *Bus) attach(d *Base) {
	d.Ref()
	d.bus = b
	b.kids = append(b.kids, d.self)
	d.link = fmt.Sprintf("child[%d]", b.arrived)
	b.arrived++
	must(b.AddProperty(&qom.Property{Name: d.link, Type: "link<" + d.class.Name + ">",
		Link: func(*qom.Object) *qom.Object { return &d.Object }}))
}

// detach takes d off b; b's reference goes after a grace period, because a
// reader of the list may still be looking at it.
func (b *Bus) detach(d *Base) {
	i := slices.IndexFunc(b.kids, func(k Device) bool { return k.Dev() == d })
	b.kids = slices.Delete(b.kids, i, i+1)
	b.DeleteProperty(d.link)
	d.bus = nil
	b.tree.rcu.Call(d.Unref)
}

// DropBus undoes [Tree.InitBus] for a bus without devices, when the device whose
// bus it is does not come to life.
func (t *Tree) DropBus(b *Bus) { b.drop() }

// drop takes b, which is empty, out of the tree.
func (b *Bus) drop() {
	same := b.tree.buses[b.name]
	i := slices.Index(same, b)
	if same = slices.Delete(same, i, i+1); len(same) == 0 {
		delete(b.tree.buses, b.name)
	} else {
		b.tree.buses[b.name] = same
	}
	b.dev.buses = slices.DeleteFunc(b.dev.buses, func(o *Bus) bool { return o == b })
	b.Unparent()
}
