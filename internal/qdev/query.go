package qdev

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/backplane-vm/backplane/internal/qom"
	"github.com/backplane-vm/backplane/qapi/qerr"
	"github.com/backplane-vm/backplane/qapi/qobject"
)

// ListProperties is the command device-list-properties: what can be set on
// devices of a class, and the devices that are part of them.
func (r *Registry) ListProperties(class string) ([]*qom.Property, error) {
	ty, ok := r.Types.Lookup(class)
	c := r.classes[class]
	switch {
	case !ok:
		return nil, notFound(class)
	case ty.Abstract, !r.Types.Is(class, "device"):
		return nil, qerr.New("Parameter 'typename' expects a non-abstract device type")
	case c == nil:
		return slices.DeleteFunc(built(ty), isOfAll), nil
	}
	list := c.table.listed(c.table.all[c.table.hidden:])
	return slices.DeleteFunc(list, func(p *qom.Property) bool { return strings.HasPrefix(p.Name, legacyPrefix) }), nil
}

// built returns the properties of a type of device that has no Class, because
// only the machine itself has such devices.
func built(ty qom.Type) []*qom.Property {
	if ty.Class == nil {
		return nil
	}
	return slices.Clone(ty.Class.Properties())
}

// isOfAll tells whether p is what every device has.
func isOfAll(p *qom.Property) bool {
	return slices.ContainsFunc(deviceProperties(), func(o *qom.Property) bool { return o.Name == p.Name })
}

// listed returns props and what instances are given: parts and their properties.
func (t *table) listed(props []*qom.Property) []*qom.Property {
	var own []*qom.Property
	for i := range t.parts {
		p := &t.parts[i]
		own = append(own, &qom.Property{Name: p.name, Type: "child<" + p.class.Name + ">"})
	}
	return append(slices.Clone(props), qom.TableOrder(append(own, t.instance...))...)
}

// TypeProperties returns what qom-list-properties lists of a type of device:
// "type", what every device has, the class's properties and parts.
func (r *Registry) TypeProperties(name string) []*qom.Property {
	list := []*qom.Property{qom.TypeProperty()}
	if c := r.classes[name]; c != nil && c.table != nil {
		return append(list, c.table.listed(c.table.all)...)
	}
	if ty, _ := r.Types.Lookup(name); ty.Class != nil {
		return append(list, built(ty)...)
	}
	list = append(list, deviceProperties()...)
	for _, level := range r.levels(name) {
		var props []*qom.Property
		for _, e := range level {
			if legacy := e.legacy(); legacy != nil {
				props = append(props, legacy)
			}
			props = append(props, &e.Property)
		}
		list = append(list, qom.TableOrder(props)...)
	}
	return list
}

// Help returns the text of "-device CLASS,help". It takes aliases.
func (r *Registry) Help(class string) (string, error) {
	c, err := r.creatable(class)
	if err != nil {
		return "", err
	}
	lines := make([]string, 0, len(c.table.all))
	for _, p := range slices.Concat(c.table.declared, c.table.instance) {
		if p.Set != nil {
			lines = append(lines, helpLine(p))
		}
	}
	slices.Sort(lines)
	return c.Name + " options:\n" + strings.Join(lines, ""), nil
}

func helpLine(p *qom.Property) string {
	line := fmt.Sprintf("  %s=<%s>", p.Name, p.Type)
	if p.Description != "" || p.HasDefault {
		line = fmt.Sprintf("%-24s - %s", line, p.Description)
	}
	if p.HasDefault {
		line += " (default: " + string(qobject.Append(nil, p.Default)) + ")"
	}
	return line + "\n"
}

// Creatable returns the classes that a user can create, sorted by name.
func (r *Registry) Creatable() []*Class {
	var out []*Class
	for _, c := range r.order {
		if !c.Abstract && !c.Internal {
			out = append(out, c)
		}
	}
	slices.SortFunc(out, func(a, b *Class) int { return strings.Compare(a.Name, b.Name) })
	return out
}

// BusInfo is a bus as `info qtree` shows it: plain data.
type BusInfo struct {
	Name, Type string
	Devices    []DeviceInfo
}

// DeviceInfo is a device as `info qtree` shows it.
type DeviceInfo struct {
	Class, ID  string
	GPIOs      []GPIO
	Properties []PropertyInfo
	Lines      []string // what the bus has to say of it
	Buses      []BusInfo
}

// PropertyInfo is a property and its value in words.
type PropertyInfo struct{ Name, Value string }

// GPIO is a list of a device's lines by one name: so many that come in, so many that
// go out.
type GPIO struct {
	Name    string
	In, Out int
}

// Wired is a device with lines; `info qtree` counts them.
type Wired interface{ GPIOs() []GPIO }

// Describer is a device that adds lines of its own to `info qtree`, such as
// its addresses on the bus.
type Describer interface{ Describe() []string }

// QTree returns all devices from the system bus down.
func (t *Tree) QTree() BusInfo { return t.main.info() }

func (b *Bus) info() BusInfo {
	out := BusInfo{Name: b.name, Type: b.Type()}
	for d := range b.Devices() {
		out.Devices = append(out.Devices, describe(d))
	}
	return out
}

func describe(d Device) DeviceInfo {
	b := d.Dev()
	out := DeviceInfo{Class: b.class.Name, ID: b.id}
	for _, p := range b.class.table.declared {
		if text, ok := b.class.table.text(b, p); ok {
			out.Properties = append(out.Properties, PropertyInfo{p.Name, text})
		}
	}
	if w, ok := d.(Wired); ok {
		out.GPIOs = w.GPIOs()
	}
	if s, ok := d.(Describer); ok {
		out.Lines = s.Describe()
	}
	for _, bus := range b.buses {
		out.Buses = append(out.Buses, bus.info())
	}
	return out
}

// text returns the value of p as qtree shows it; false means that it does not.
func (t *table) text(b *Base, p *qom.Property) (string, bool) {
	if strings.HasPrefix(p.Type, "link<") || p.Get == nil {
		return "", false
	}
	v, err := p.Get(&b.Object)
	if err != nil {
		return "", false
	}
	i := slices.IndexFunc(t.fields, func(f *Prop) bool { return &f.Property == p })
	switch {
	case i >= 0 && t.fields[i].kind.show != nil:
		return t.fields[i].kind.show(t.fields[i], v), true
	case p.Type == "size":
		return showSize(nil, v), true
	case p.Type == "IOThreadVirtQueueMappingList":
		return "<null>", true
	}
	switch v := v.(type) {
	case string:
		return `"` + v + `"`, true
	case int64:
		return fmt.Sprintf("%d (0x%x)", v, uint64(v)), true
	case uint64:
		return fmt.Sprintf("%d (0x%x)", v, v), true
	}
	return fmt.Sprint(v), true
}

// showSize adds a size in the largest unit of which it is at least one.
func showSize(_ *Prop, v any) string {
	var n uint64
	switch v := v.(type) {
	case int64:
		n = uint64(v)
	case uint64:
		n = v
	}
	units := []string{"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"}
	f, i := float64(n), 0
	for ; f >= 1000 && i < len(units)-1; i++ {
		f /= 1024
	}
	return fmt.Sprintf("%d (%s %s)", n, strconv.FormatFloat(f, 'g', 3, 64), units[i])
}
