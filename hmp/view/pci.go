package view

import (
	"fmt"
	"io"
)

// PCIDevice is a function of a PCI device as info pci shows it.
type PCIDevice struct {
	Bus, Slot, Function int
	// Class describes the class; ClassCode is shown where it is empty.
	Class          string
	ClassCode      int
	Vendor, Device uint16
	Subsystem      *PCISubsystem // nil for those that have none
	IRQ            *PCIInterrupt // nil without an interrupt pin
	Bridge         *PCIBridge    // nil unless a bridge
	Regions        []PCIRegion
	ID             string // the device's id, perhaps empty
}

// PCISubsystem holds subsystem ids.
type PCISubsystem struct{ Vendor, Device uint16 }

// PCIInterrupt is the interrupt line register and the pin, 1 for INTA.
type PCIInterrupt struct{ Line, Pin int }

// PCIBridge is what a bridge forwards, and what is behind it.
type PCIBridge struct {
	Primary, Secondary, Subordinate int
	IO, Memory, Prefetchable        PCIRange
	Devices                         []PCIDevice
}

// PCIRange is an address range of a bridge. A closed one has Base > Limit.
type PCIRange struct{ Base, Limit uint64 }

// PCIRegion is a base address register.
type PCIRegion struct {
	BAR      int
	IO       bool // ports, else memory
	Prefetch bool
	Is64     bool
	// Mapped is false while the guest has not placed the region; Address is
	// then meaningless.
	Mapped        bool
	Address, Size uint64
}

// PrintPCI writes devices in the order given, those behind a bridge after it.
func PrintPCI(w io.Writer, devices []PCIDevice) {
	for i := range devices {
		devices[i].print(w)
	}
}

// PrintNoPCI says that the machine has no PCI bus.
func PrintNoPCI(w io.Writer) { fmt.Fprint(w, "PCI devices not supported\n") }

func (d *PCIDevice) print(w io.Writer) {
	fmt.Fprintf(w, "  Bus %2d, device %3d, function %d:\n", d.Bus, d.Slot, d.Function)
	class := d.Class
	if class == "" {
		class = fmt.Sprintf("Class %04d", d.ClassCode)
	}
	fmt.Fprintf(w, "    %s: PCI device %04x:%04x\n", class, d.Vendor, d.Device)
	if s := d.Subsystem; s != nil {
		fmt.Fprintf(w, "      PCI subsystem %04x:%04x\n", s.Vendor, s.Device)
	}
	if i := d.IRQ; i != nil {
		fmt.Fprintf(w, "      IRQ %d, pin %c\n", i.Line, rune('A'+i.Pin-1))
	}
	if d.Bridge != nil {
		d.Bridge.print(w)
	}
	for _, r := range d.Regions {
		fmt.Fprintf(w, "      BAR%d: %s\n", r.BAR, r.text())
	}
	fmt.Fprintf(w, "      id \"%s\"\n", d.ID)
	if d.Bridge != nil {
		PrintPCI(w, d.Bridge.Devices)
	}
}

func (b *PCIBridge) print(w io.Writer) {
	fmt.Fprintf(w, "      BUS %d.\n", b.Primary)
	fmt.Fprintf(w, "      secondary bus %d.\n", b.Secondary)
	fmt.Fprintf(w, "      subordinate bus %d.\n", b.Subordinate)
	fmt.Fprintf(w, "      IO range [0x%04x, 0x%04x]\n", b.IO.Base, b.IO.Limit)
	fmt.Fprintf(w, "      memory range [0x%08x, 0x%08x]\n", b.Memory.Base, b.Memory.Limit)
	fmt.Fprintf(w, "      prefetchable memory range [0x%08x, 0x%08x]\n", b.Prefetchable.Base, b.Prefetchable.Limit)
}

func (r PCIRegion) text() string {
	kind, digits := "I/O", 4
	if !r.IO {
		kind, digits = "32 bit", 8
		if r.Is64 {
			kind = "64 bit"
		}
		if r.Prefetch {
			kind += " prefetchable"
		}
		kind += " memory"
	}
	if !r.Mapped {
		return kind + " (not mapped)"
	}
	return fmt.Sprintf("%s at 0x%0*x [0x%0*x]", kind, digits, r.Address, digits, r.Address+r.Size-1)
}
