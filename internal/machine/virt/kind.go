package virt

import (
	"github.com/backplane-vm/backplane/internal/qom"
	"github.com/backplane-vm/backplane/qapi/qobject"
)

// kindClass is the properties of the machine itself, /machine. They are set on
// the command line and can be read.
type kindClass []*qom.Property

// Properties implements [qom.Class].
func (c kindClass) Properties() []*qom.Property { return c }

// Property implements [qom.Class].
func (c kindClass) Property(name string) *qom.Property {
	for _, p := range c {
		if p.Name == name {
			return p
		}
	}
	return nil
}

// machineClass returns them in QEMU's order.
func machineClass() kindClass {
	prop := func(name, typ, description string, get func(*Board) any) *qom.Property {
		return &qom.Property{Name: name, Type: typ, Description: description,
			Get: func(o *qom.Object) (any, error) { return get(o.Self().(*Board)), nil }}
	}
	return kindClass{
		prop("kernel", "string", "Linux kernel image file", func(b *Board) any { return b.cfg.Kernel }),
		prop("memory", "MemorySizeConfiguration", "Memory size configuration", (*Board).memorySize),
		prop("smp", "SMPConfiguration", "CPU topology", (*Board).topology),
		{Name: "memory-backend", Type: "link<memory-backend>",
			Description: "Set RAM backendValid value is ID of hostmem based backend",
			Link:        func(o *qom.Object) *qom.Object { return &o.Self().(*Board).main.Object }},
		prop("append", "string", "Linux kernel command line", func(b *Board) any { return b.cfg.Append }),
	}
}

// topology is the property smp: cores of one socket.
func (b *Board) topology() any {
	n, one := int64(b.cfg.CPUs), int64(1)
	most := max(n, int64(b.cfg.MaxCPUs))
	return qobject.Members("cpus", n, "drawers", one, "books", one, "sockets", one, "dies", one, "clusters", one,
		"modules", one, "cores", most, "threads", one, "maxcpus", most)
}

// memorySize is the property memory.
func (b *Board) memorySize() any {
	d := qobject.Members("size", qom.Value64(b.cfg.RAM))
	if b.cfg.Slots > 0 {
		d.Set("slots", qom.Value64(b.cfg.Slots))
	}
	if b.cfg.MaxRAM > b.cfg.RAM {
		d.Set("max-size", qom.Value64(b.cfg.MaxRAM))
	}
	return d
}
