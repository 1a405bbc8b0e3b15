package view

import (
	"fmt"
	"io"
	"strings"
)

// Bus is a bus of the device tree that info qtree shows.
type Bus struct {
	Name, Type string
	Devices    []*Device
}

// Device is a device on a bus.
type Device struct {
	Type, ID string
	GPIOs    []GPIO
	Props    []Prop
	// Details are lines of the bus's own: see MMIODetail and PCIDetails.
	Details []string
	Buses   []*Bus
}

// GPIO is a list of a device's input or output lines. A count of 0 is not
// shown.
type GPIO struct {
	Name    string
	In, Out int
}

// Prop is a property and its value as text; see the Value functions. A value
// of "" is shown as "<null>".
type Prop struct{ Name, Value string }

// PrintQTree writes the tree below root; brief leaves out all but the names.
func PrintQTree(w io.Writer, root *Bus, brief bool) { root.print(w, 0, brief) }

func (b *Bus) print(w io.Writer, indent int, brief bool) {
	line(w, indent, "bus: %s", b.Name)
	line(w, indent+2, "type %s", b.Type)
	for _, d := range b.Devices {
		line(w, indent+2, "dev: %s, id \"%s\"", d.Type, d.ID)
		if !brief {
			d.print(w, indent+4)
		}
		for _, child := range d.Buses {
			child.print(w, indent+4, brief)
		}
	}
}

func (d *Device) print(w io.Writer, indent int) {
	for _, g := range d.GPIOs {
		if g.In > 0 {
			line(w, indent, "gpio-in \"%s\" %d", g.Name, g.In)
		}
		if g.Out > 0 {
			line(w, indent, "gpio-out \"%s\" %d", g.Name, g.Out)
		}
	}
	for _, p := range d.Props {
		if p.Value == "" {
			p.Value = "<null>"
		}
		line(w, indent, "%s = %s", p.Name, p.Value)
	}
	for _, detail := range d.Details {
		line(w, indent, "%s", detail)
	}
}

func line(w io.Writer, indent int, format string, a ...any) {
	fmt.Fprintf(w, "%s%s\n", strings.Repeat(" ", indent), fmt.Sprintf(format, a...))
}

// ValueInt is a signed number as a property shows it.
func ValueInt(v int64) string { return fmt.Sprintf("%d (0x%x)", v, uint64(v)) }

// ValueUint is an unsigned number as a property shows it.
func ValueUint(v uint64) string { return fmt.Sprintf("%d (0x%x)", v, v) }

// ValueSize is a number of bytes as a property shows it.
func ValueSize(v uint64) string { return fmt.Sprintf("%d (%s)", v, Size(v)) }

// ValueString is a string, or the name of an enumeration's member, as a
// property shows it.
func ValueString(s string) string { return `"` + s + `"` }

// ValueBool is a switch as a property shows it.
func ValueBool(b bool) string { return fmt.Sprint(b) }

// Unmapped is the address of a region that is not placed.
const Unmapped = ^uint64(0)

// MMIODetail describes a region of a device on the system bus. The address is
// Unmapped for one that is not placed there.
func MMIODetail(addr, size uint64) string { return fmt.Sprintf("mmio %016x/%016x", addr, size) }

// PCIFunction is what the details of a device on a PCI bus say.
type PCIFunction struct {
	Class                string // its description
	Bus, Slot, Function  int
	Vendor, Device       uint16
	SubVendor, SubDevice uint16 // configuration space at 0x2c, whatever it means there
	Regions              []PCIRegion
}

// PCIDetails describes a device on a PCI bus. A region that is not mapped
// shows at Unmapped.
func PCIDetails(f PCIFunction) []string {
	details := []string{fmt.Sprintf("class %s, addr %02x:%02x.%x, pci id %04x:%04x (sub %04x:%04x)",
		f.Class, f.Bus, f.Slot, f.Function, f.Vendor, f.Device, f.SubVendor, f.SubDevice)}
	for _, r := range f.Regions {
		kind, addr := "mem", r.Address
		if r.IO {
			kind = "i/o"
		}
		if !r.Mapped {
			addr = Unmapped
		}
		details = append(details, fmt.Sprintf("bar %d: %s at 0x%x [0x%x]", r.BAR, kind, addr, addr+r.Size-1))
	}
	return details
}
