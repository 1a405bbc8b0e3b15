package qdev

import "github.com/backplane-vm/backplane/internal/qom"

// deviceProperties returns the properties that every device has besides those
// of its class; they can be read over QMP and are not options.
func deviceProperties() []*qom.Property {
	boolean := func(name string, get func(b *Base) bool) *qom.Property {
		return &qom.Property{Name: name, Type: "bool", Get: func(o *qom.Object) (any, error) {
			return get(o.Self().(Device).Dev()), nil
		}}
	}
	return []*qom.Property{
		{Name: "parent_bus", Type: "link<bus>", Link: parentBus},
		boolean("realized", (*Base).Realized),
		boolean("hotplugged", (*Base).Hotplugged),
		boolean("hotpluggable", (*Base).Hotpluggable),
	}
}

func parentBus(o *qom.Object) *qom.Object {
	if bus := o.Self().(Device).Dev().bus; bus != nil {
		return &bus.Object
	}
	return nil
}

// busClass is the properties of buses as a type's: each bus is given them.
type busClass struct{}

// Properties implements [qom.Class].
func (busClass) Properties() []*qom.Property { return qom.TableOrder(busProperties[:]) }

// Property implements [qom.Class].
func (busClass) Property(name string) *qom.Property {
	for _, p := range busProperties {
		if p.Name == name {
			return p
		}
	}
	return nil
}

// busProperties is a table; it never changes.
var busProperties = [...]*qom.Property{
	{Name: "hotplug-handler", Type: "link<hotplug-handler>", Link: hotplugHandler},
	{Name: "realized", Type: "bool", Get: func(*qom.Object) (any, error) { return true, nil }},
}

// busOf returns the bus that o is.
func busOf(o *qom.Object) *Bus { return o.Self().(interface{ theBus() *Bus }).theBus() }

func (b *Bus) theBus() *Bus { return b }

// hotplugHandler is the device that handles a bus's hot-plug.
func hotplugHandler(o *qom.Object) *qom.Object {
	if d, ok := busOf(o).handler.(Device); ok {
		return &d.Dev().Object
	}
	return nil
}
