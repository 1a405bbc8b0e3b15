package qdev

import (
	"fmt"

	"github.com/backplane-vm/backplane/internal/qom"
	"github.com/backplane-vm/backplane/qapi/qerr"
	"github.com/backplane-vm/backplane/qapi/qobject"
)

// Flavour says where the arguments of device_add come from, and so how strict
// they are.
type Flavour uint8

// The flavours.
const (
	JSON   Flavour = iota // QMP, or -device with a JSON object: values have types, any id will do
	KeyVal                // HMP or key=value options: values are strings, ids are checked
)

// Add is the command device_add: it makes, configures, realizes and plugs a
// device. args holds driver, and optionally id, bus and properties. The device
// returned is held by the tree.
//
// If Add fails, all it did is undone; but what the device held is free only
// after a grace period, for which the caller waits before it answers.
func (t *Tree) Add(args *qobject.Dict, f Flavour) (Device, error) {
	id, hasID, err := t.checkID(args, f)
	if err != nil {
		return nil, err
	}
	driver, ok := stringArg(args, "driver")
	if !ok {
		return nil, qerr.New("Parameter 'driver' is missing")
	}
	class, err := t.reg.creatable(driver)
	if err != nil {
		return nil, err
	}
	if err := t.checkSysbus(class); err != nil {
		return nil, err
	}
	bus, err := t.busFor(class, driver, args)
	if err != nil {
		return nil, err
	}
	if t.cfg.Refuse != nil {
		if err := t.cfg.Refuse("device_add"); err != nil {
			return nil, err
		}
	}
	d := t.newDevice(class)
	b := d.Dev()
	defer b.Unref()
	var undo Cleanup
	defer undo.Run()
	undo.Add(func() { t.Unparent(d) })
	if t.ready && bus == nil && t.handler(b) == nil {
		return nil, qerr.New("Device '%s' can not be hotplugged on this machine", class.Name)
	}
	if err := t.place(b, id, hasID, f); err != nil {
		return nil, err
	}
	if err := t.configure(b, args, f); err != nil {
		return nil, err
	}
	if err := t.Realize(d, bus); err != nil {
		return nil, err
	}
	undo.Release()
	return d, nil
}

// stringArg returns a member of args that is a string; any other is as good as
// none.
func stringArg(args *qobject.Dict, name string) (string, bool) {
	v, _ := args.Get(name)
	s, ok := v.(string)
	return s, ok
}

// checkID returns the id in args. Options come with more checks than JSON,
// and keep their ids until the device is finalised.
func (t *Tree) checkID(args *qobject.Dict, f Flavour) (id string, has bool, err error) {
	id, has = stringArg(args, "id")
	if f == JSON || !has {
		return id, has, nil
	}
	if !wellFormed(id) {
		return "", false, qerr.New("Parameter 'id' expects an identifier").
			WithHint("Identifiers consist of letters, digits, '-', '.', '_', starting with a letter.\n")
	}
	if _, dup := t.keyvalIDs[id]; dup {
		return "", false, qerr.New("Duplicate ID '%s' for device", id)
	}
	return id, true, nil
}

// wellFormed tells whether id is one that options take.
func wellFormed(id string) bool {
	for i := range len(id) {
		c := id[i]
		letter := 'a' <= c|0x20 && c|0x20 <= 'z'
		other := '0' <= c && c <= '9' || c == '-' || c == '.' || c == '_'
		if !letter && (i == 0 || !other) {
			return false
		}
	}
	return id != ""
}

func (t *Tree) checkSysbus(c *Class) error {
	if !t.reg.Types.Is(c.Name, "sys-bus-device") {
		return nil
	}
	if !c.DynamicSysbus || t.cfg.AllowSysbus == nil || !t.cfg.AllowSysbus(c.Name) {
		return qerr.New("Parameter 'driver' expects a dynamic sysbus device type for the machine")
	}
	return nil
}

// busFor returns the bus that the new device goes on; nil if its class needs
// none.
func (t *Tree) busFor(c *Class, driver string, args *qobject.Dict) (*Bus, error) {
	var bus *Bus
	if path, ok := stringArg(args, "bus"); ok {
		var err error
		if bus, err = t.FindBus(path); err != nil {
			return nil, err
		}
		if c.BusType == "" || !t.reg.Types.Is(bus.Type(), c.BusType) {
			return nil, qerr.New("Device '%s' can't go on %s bus", driver, bus.Type())
		}
	} else if c.BusType != "" {
		bus = t.busOfType(t.main, c.BusType)
		if bus == nil || bus.Full() {
			return nil, qerr.New("No '%s' bus found for device '%s'", c.BusType, driver)
		}
	}
	if bus != nil && t.ready && !bus.Hotpluggable() {
		return nil, errBus(bus)
	}
	return bus, nil
}

// place gives b its id and its place in the object tree.
func (t *Tree) place(b *Base, id string, hasID bool, f Flavour) error {
	if !hasID {
		name := fmt.Sprintf("device[%d]", t.anonCount)
		t.anonCount++
		return t.anon.AddChild(name, &b.Object)
	}
	if err := t.peripheral.AddChild(id, &b.Object); err != nil {
		return qerr.New("Duplicate device ID '%s'", id)
	}
	b.id = id
	if f == KeyVal {
		b.keyvalID = true
		t.keyvalIDs[id] = struct{}{}
	}
	return nil
}

// configure sets the properties in args.
func (t *Tree) configure(b *Base, args *qobject.Dict, f Flavour) error {
	for name, v := range args.All() {
		switch name {
		case "driver", "bus", "id":
			continue
		}
		if err := b.Set(name, qom.Input{Value: v, Text: f == KeyVal}); err != nil {
			return err
		}
	}
	return nil
}
