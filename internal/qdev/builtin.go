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

// busClass is the properties that every bus has.
type busClass struct{}

// Properties implements [qom.Class].
func (busClass) Properties() []*qom.Property { return busProperties[:] }

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
	{Name: "hotplug-handler", Type: "link<hotplug-handler>", Link: func(*qom.Object) *qom.Object { return nil }},
	{Name: "realized", Type: "bool", Get: func(*qom.Object) (any, error) { return true, nil }},
}
