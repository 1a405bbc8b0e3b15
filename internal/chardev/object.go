package chardev

import (
	"github.com/backplane-vm/backplane/internal/qom"
	"github.com/backplane-vm/backplane/qapi/qobject"
)

// Register enters the types of character devices.
func Register(t *qom.Types) error {
	types := []qom.Type{
		{Name: "chardev", Parent: "object", Abstract: true},
		{Name: "chardev-fd", Parent: "chardev", Abstract: true},
		{Name: "chardev-memory", Parent: "chardev-ringbuf"},
		{Name: "chardev-socket", Parent: "chardev", Class: socketClass{}},
	}
	for _, name := range []string{"file", "pipe", "serial", "stdio"} {
		types = append(types, qom.Type{Name: "chardev-" + name, Parent: "chardev-fd"})
	}
	ring := []qom.Type{{Name: "chardev-ringbuf", Parent: "chardev"}}
	for _, name := range []string{"hub", "mux", "null", "pty", "udp"} {
		types = append(types, qom.Type{Name: "chardev-" + name, Parent: "chardev"})
	}
	return t.Add(append(types[:2:2], append(ring, types[2:]...)...)...)
}

// object is a device as the object tree shows it.
type object struct {
	qom.Object
	dev *Chardev // nil for a mux
}

// ShowIn makes the devices of the Set the children of o, which has no others.
// The caller holds the BQL.
func (s *Set) ShowIn(o *qom.Object) {
	there := make(map[string]bool)
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, m := range s.members {
		if m.dev == nil && m.mux == nil {
			continue
		}
		there[m.label] = true
		if old := o.Child(m.label); old != nil {
			if old.Self().(*object).dev == m.dev {
				continue
			}
			old.Unparent()
		}
		typ, class := "chardev-mux", qom.Class(nil)
		if m.dev != nil {
			typ = "chardev-" + m.dev.config.Backend
		}
		if typ == "chardev-socket" {
			class = socketClass{}
		}
		c := &object{dev: m.dev}
		c.Init(typ, c, class, nil)
		_ = o.AddChild(m.label, &c.Object) // the name is free, or "type"
		c.Unref()
	}
	var gone []*qom.Object
	for c := range o.Children() {
		if !there[c.Name()] {
			gone = append(gone, c)
		}
	}
	for _, c := range gone {
		c.Unparent()
	}
}

// socketClass is the properties of sockets.
type socketClass struct{}

// Properties implements [qom.Class].
func (socketClass) Properties() []*qom.Property { return socketProperties[:] }

// Property implements [qom.Class].
func (socketClass) Property(name string) *qom.Property {
	for _, p := range socketProperties {
		if p.Name == name {
			return p
		}
	}
	return nil
}

// socketProperties is a table; it never changes.
var socketProperties = [...]*qom.Property{
	{Name: "connected", Type: "bool", Get: func(o *qom.Object) (any, error) {
		return o.Self().(*object).dev.connected(), nil
	}},
	{Name: "addr", Type: "SocketAddress", Get: func(o *qom.Object) (any, error) {
		return o.Self().(*object).dev.config.Address.value(), nil
	}},
}

// connected tells whether a socket's other end is there.
func (d *Chardev) connected() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.conns) > 0 || d.first != nil
}

// value returns the address as QMP has it.
func (a *Address) value() *qobject.Dict {
	v := qobject.NewDict()
	switch {
	case a.ByFD:
		v.Set("type", "fd")
		v.Set("str", a.FDName)
	case a.Unix != "":
		v.Set("type", "unix")
		v.Set("path", a.Unix)
		if a.Abstract {
			v.Set("abstract", true)
			v.Set("tight", !a.Loose)
		}
	default:
		v.Set("type", "inet")
		v.Set("host", a.Host)
		v.Set("port", a.Port)
	}
	return v
}
