package qdev

import (
	"strings"

	"github.com/backplane-vm/backplane/qapi/qerr"
)

// FindBus returns the bus that bus= means by path: a bus's name, or elements
// that are a device (its id, else its type, else its alias) and a bus in turn,
// from the system bus on if the path begins with a slash, else from the bus of
// that name. A path may end in a device that has just one bus.
func (t *Tree) FindBus(path string) (*Bus, error) {
	bus, rest := t.main, path
	if !strings.HasPrefix(path, "/") {
		var name string
		name, rest = element(path)
		if bus = t.busNamed(name); bus == nil {
			return nil, errNoBus(name)
		}
	}
	for {
		var name string
		if name, rest = element(rest); name == "" {
			break
		}
		d := t.deviceOn(bus, name)
		if d == nil {
			return nil, notFound(name)
		}
		buses := d.Dev().buses
		busName, after := element(rest)
		if busName == "" {
			switch len(buses) {
			case 0:
				return nil, qerr.New("Device '%s' has no child bus", name)
			case 1:
				bus = buses[0]
			default:
				return nil, qerr.New("Device '%s' has multiple child buses", name)
			}
			break
		}
		if bus, rest = busIn(buses, busName), after; bus == nil {
			return nil, errNoBus(busName)
		}
	}
	if bus.Full() {
		return nil, qerr.New("Bus '%s' is full", path)
	}
	return bus, nil
}

func errNoBus(name string) error { return qerr.New("Bus '%s' not found", name) }

// element splits off the first element of a path.
func element(path string) (first, rest string) {
	first, rest, _ = strings.Cut(strings.TrimLeft(path, "/"), "/")
	return first, rest
}

// busNamed returns the bus called name, of several the first in a walk from
// the system bus that has room. Names are nearly always unique, so the walk is
// rare, and adding the hundredth device costs no more than the first.
func (t *Tree) busNamed(name string) *Bus {
	switch same := t.buses[name]; len(same) {
	case 0:
		return nil
	case 1:
		return same[0]
	}
	return t.walk(t.main, func(b *Bus) bool { return b.name == name })
}

// busOfType returns the first bus of a type in a walk from b that has room,
// else the first.
func (t *Tree) busOfType(b *Bus, typ string) *Bus {
	return t.walk(b, func(b *Bus) bool { return t.reg.Types.Is(b.Type(), typ) })
}

// walk goes depth first, newest devices first, as QEMU does.
func (t *Tree) walk(b *Bus, match func(*Bus) bool) *Bus {
	var pick *Bus
	if match(b) {
		if pick = b; !b.Full() {
			return b
		}
	}
	for d := range b.Devices() {
		for _, child := range d.Dev().buses {
			if found := t.walk(child, match); found != nil {
				if !found.Full() {
					return found
				}
				if pick == nil {
					pick = found
				}
			}
		}
	}
	return pick
}

// deviceOn returns the device on b that name means.
func (t *Tree) deviceOn(b *Bus, name string) Device {
	for _, is := range []func(*Base) bool{
		func(d *Base) bool { return d.id == name },
		func(d *Base) bool { return d.class.Name == name },
		func(d *Base) bool { return d.class.Alias == name && name != "" },
	} {
		for d := range b.Devices() {
			if is(d.Dev()) {
				return d
			}
		}
	}
	return nil
}

func busIn(buses []*Bus, name string) *Bus {
	for _, b := range buses {
		if b.name == name {
			return b
		}
	}
	return nil
}
