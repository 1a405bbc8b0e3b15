package pci

import (
	"fmt"
	"strings"

	"github.com/backplane-vm/backplane/internal/pci/config"
)

// BusInfo is a bus as query-pci shows it: plain data, taken under the BQL.
type BusInfo struct {
	Bus     int
	Devices []DeviceInfo
}

// DeviceInfo is one function of a BusInfo.
type DeviceInfo struct {
	Bus, Slot, Function int
	Class               int
	ClassDesc           string // "" for a class without a name
	Vendor, Device      int
	HasSubsystem        bool // a bridge has none
	SubVendor, SubDev   int
	IRQ                 *int // interrupt line register; nil without a pin
	IRQPin              int  // 0 none
	ID                  string
	Bridge              *BridgeInfo // nil unless it is one
	Regions             []RegionInfo
}

// BridgeInfo is what a bridge forwards.
type BridgeInfo struct {
	Number, Secondary, Subordinate int
	IO, Memory, Prefetchable       config.Window
	HasDevices                     bool // the secondary bus is reachable, so Devices says what is there
	Devices                        []DeviceInfo
}

// RegionInfo is a base address register. Address is -1 while it decodes nothing.
type RegionInfo struct {
	BAR      int
	IO       bool
	Address  int64
	Size     int64
	Prefetch bool
	Is64     bool
}

// Info describes the hierarchy, as far as the guest has given buses numbers.
func (h *Host) Info() []BusInfo {
	return []BusInfo{{Bus: 0, Devices: h.root.info(0)}}
}

func (b *Bus) info(number int) []DeviceInfo {
	list := []DeviceInfo{}
	for f := range b.Functions {
		list = append(list, f.info(number))
	}
	return list
}

func (f *Function) info(bus int) DeviceInfo {
	s := f.Space
	d := DeviceInfo{
		Bus: bus, Slot: f.devfn.Slot(), Function: f.devfn.Func(),
		Class: int(s.Word(config.RegClass)), ClassDesc: className(s.Word(config.RegClass)),
		Vendor: int(s.Word(config.RegVendor)), Device: int(s.Word(config.RegDevice)),
		IRQPin: int(s.Byte(config.RegIntPin)), ID: f.ID(), Regions: f.regions(),
	}
	if d.IRQPin != 0 {
		irq := int(s.Byte(config.RegIntLine))
		d.IRQ = &irq
	}
	if f.bridge != nil {
		d.Bridge = f.bridge.info()
		return d
	}
	d.HasSubsystem = true
	d.SubVendor, d.SubDev = int(s.Word(config.RegSubVendor)), int(s.Word(config.RegSubDevice))
	return d
}

func (b *Bridge) info() *BridgeInfo {
	s := b.f.Space
	i := &BridgeInfo{
		Number: b.Primary(), Secondary: b.Secondary(), Subordinate: b.Subordinate(),
		IO: s.IOWindow(), Memory: s.MemWindow(), Prefetchable: s.PrefWindow(),
	}
	if i.Secondary != 0 {
		if bus := b.f.bus.host.BusAt(uint8(i.Secondary)); bus == b.secondary {
			i.HasDevices, i.Devices = true, bus.info(i.Secondary)
		}
	}
	return i
}

func (f *Function) regions() []RegionInfo {
	list := []RegionInfo{}
	for _, b := range f.bars {
		list = append(list, RegionInfo{
			BAR: b.Index, IO: b.IsIO(), Address: int64(b.at), Size: int64(b.Size),
			Prefetch: b.Prefetchable(), Is64: b.Is64(),
		})
	}
	return list
}

// className is the name of a class code, "" if it has none here.
func className(class uint16) string {
	switch class {
	case 0x0100:
		return "SCSI controller"
	case 0x0108:
		return "NVMe controller"
	case 0x0180:
		return "Storage controller"
	case 0x0200:
		return "Ethernet controller"
	case 0x0300:
		return "VGA controller"
	case 0x0380:
		return "Display controller"
	case 0x0480:
		return "Multimedia controller"
	case 0x0600:
		return "Host bridge"
	case 0x0604:
		return "PCI bridge"
	case 0x0c03:
		return "USB controller"
	}
	return ""
}

// FormatInfo is the text of "info pci" for what Host.Info returned.
func FormatInfo(buses []BusInfo) string {
	var w strings.Builder
	for _, b := range buses {
		for i := range b.Devices {
			b.Devices[i].format(&w)
		}
	}
	return w.String()
}

func (d *DeviceInfo) format(w *strings.Builder) {
	fmt.Fprintf(w, "  Bus %2d, device %3d, function %d:\n", d.Bus, d.Slot, d.Function)
	desc := d.ClassDesc
	if desc == "" {
		desc = fmt.Sprintf("Class %04d", d.Class)
	}
	fmt.Fprintf(w, "    %s: PCI device %04x:%04x\n", desc, d.Vendor, d.Device)
	if d.HasSubsystem {
		fmt.Fprintf(w, "      PCI subsystem %04x:%04x\n", d.SubVendor, d.SubDev)
	}
	if d.IRQ != nil {
		fmt.Fprintf(w, "      IRQ %d, pin %c\n", *d.IRQ, 'A'+d.IRQPin-1)
	}
	if d.Bridge != nil {
		d.Bridge.format(w)
	}
	for _, r := range d.Regions {
		r.format(w)
	}
	fmt.Fprintf(w, "      id \"%s\"\n", d.ID)
	if d.Bridge != nil {
		for i := range d.Bridge.Devices {
			d.Bridge.Devices[i].format(w)
		}
	}
}

func (b *BridgeInfo) format(w *strings.Builder) {
	fmt.Fprintf(w, "      BUS %d.\n", b.Number)
	fmt.Fprintf(w, "      secondary bus %d.\n", b.Secondary)
	fmt.Fprintf(w, "      subordinate bus %d.\n", b.Subordinate)
	fmt.Fprintf(w, "      IO range [0x%04x, 0x%04x]\n", b.IO.Base, b.IO.Limit)
	fmt.Fprintf(w, "      memory range [0x%08x, 0x%08x]\n", b.Memory.Base, b.Memory.Limit)
	fmt.Fprintf(w, "      prefetchable memory range [0x%08x, 0x%08x]\n", b.Prefetchable.Base, b.Prefetchable.Limit)
}

func (r RegionInfo) format(w *strings.Builder) {
	kind := "32 bit memory"
	switch {
	case r.IO:
		kind = "I/O"
	case r.Is64 && r.Prefetch:
		kind = "64 bit prefetchable memory"
	case r.Is64:
		kind = "64 bit memory"
	case r.Prefetch:
		kind = "32 bit prefetchable memory"
	}
	width := 0
	if r.IO {
		width = 4
	}
	if r.Address == -1 {
		fmt.Fprintf(w, "      BAR%d: %s (not mapped)\n", r.BAR, kind)
		return
	}
	fmt.Fprintf(w, "      BAR%d: %s at 0x%0*x [0x%0*x]\n", r.BAR, kind, width, r.Address, width, r.Address+r.Size-1)
}

// Describe implements qdev.Describer: what info qtree says of a PCI device.
func (d *Device) Describe() []string {
	f := d.fn
	if f == nil || f.bus == nil {
		return nil
	}
	s := f.Space
	class := className(s.Word(config.RegClass))
	if class == "" {
		class = fmt.Sprintf("Class %04x", s.Word(config.RegClass))
	}
	lines := []string{fmt.Sprintf("class %s, addr %02x:%02x.%x, pci id %04x:%04x (sub %04x:%04x)",
		class, f.bus.Number(), f.devfn.Slot(), f.devfn.Func(),
		s.Word(config.RegVendor), s.Word(config.RegDevice), s.Word(config.RegSubVendor), s.Word(config.RegSubDevice))}
	for _, b := range f.bars {
		kind := "mem"
		if b.IsIO() {
			kind = "i/o"
		}
		lines = append(lines, fmt.Sprintf("bar %d: %s at 0x%x [0x%x]", b.Index, kind, b.at, b.at+b.Size-1))
	}
	return lines
}
