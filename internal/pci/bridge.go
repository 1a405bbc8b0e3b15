package pci

import (
	"github.com/backplane-vm/backplane/internal/mem"
	"github.com/backplane-vm/backplane/internal/pci/config"
)

// ioSpaceSize is the size of a bridge's I/O space in bytes.
const ioSpaceSize = 1 << 32

// Bridge is the part of a function that leads to another bus. What is mapped on
// the secondary bus is in address spaces of their own; three windows, aliases on
// the primary bus, let parts of them through.
type Bridge struct {
	f         *Function
	secondary *Bus
	io        window
	mem       window
	pref      window
	vga       [3]window // see vgaRanges
}

// vgaRanges are where a bridge that forwards VGA lets accesses through (PCI-to-PCI
// Bridge 1.2 §3.2.5.18): the ports, low and high, and the frame buffer.
var vgaRanges = [...]struct {
	name string
	io   bool
	at   config.Window
}{
	{"pci_bridge_vga_io_lo", true, config.Window{Base: 0x3b0, Limit: 0x3bb}},
	{"pci_bridge_vga_io_hi", true, config.Window{Base: 0x3c0, Limit: 0x3df}},
	{"pci_bridge_vga_mem", false, config.Window{Base: 0xa0000, Limit: 0xbffff}},
}

// window is a range of the secondary bus that shows on the primary one.
type window struct {
	alias *mem.Region
	in    *mem.Region // where alias is, nil while it is nowhere
}

func newBridge(f *Function) *Bridge {
	m, owner := f.spec.Map, f.spec.Owner
	b := &Bridge{f: f}
	b.secondary = &Bus{
		bridge: b,
		mem:    m.Container(owner, "pci_bridge_pci", mem.Whole),
		io:     m.Container(owner, "pci_bridge_io", ioSpaceSize),
		link:   f.spec.Express,
	}
	b.pref.alias = m.Alias(owner, "pci_bridge_pref_mem", b.secondary.mem, 0, 1)
	b.mem.alias = m.Alias(owner, "pci_bridge_mem", b.secondary.mem, 0, 1)
	b.io.alias = m.Alias(owner, "pci_bridge_io", b.secondary.io, 0, 1)
	for i, v := range vgaRanges {
		target := b.secondary.mem
		if v.io {
			target = b.secondary.io
		}
		b.vga[i].alias = m.Alias(owner, v.name, target, v.at.Base, v.at.Limit-v.at.Base+1)
	}
	return b
}

// SecondaryBus is the bus behind the bridge.
func (b *Bridge) SecondaryBus() *Bus { return b.secondary }

// Primary, Secondary and Subordinate are the bus number registers.
func (b *Bridge) Primary() int { return int(b.f.Space.Byte(config.RegPrimaryBus)) }

// Secondary is the number of the bus behind the bridge.
func (b *Bridge) Secondary() int { return int(b.f.Space.Byte(config.RegSecondaryBus)) }

// Subordinate is the highest bus number behind the bridge.
func (b *Bridge) Subordinate() int { return int(b.f.Space.Byte(config.RegSubordinateBus)) }

// written follows a guest write: touched says whether it reached a register.
// control is bridge control before, if that was what was written.
func (b *Bridge) written(touched func(reg, n int) bool, control uint16) {
	if touched(config.RegPrimaryBus, 3) && b.f.bus != nil {
		b.f.bus.host.stale = true
	}
	if touched(config.RegCommand, 2) || touched(config.RegIOBase, 2) || touched(config.RegMemBase, 16) {
		b.moveWindows()
	}
	if touched(config.RegBridgeControl, 2) {
		b.moveWindows()
		now := b.f.Space.Word(config.RegBridgeControl)
		if now&^control&config.BridgeControlReset != 0 {
			b.secondary.Reset()
		}
	}
}

// moved makes everything follow the registers after they changed as a whole.
func (b *Bridge) moved() {
	if b.f.bus != nil {
		b.f.bus.host.stale = true
		b.moveWindows()
	}
}

// moveWindows places the three windows where the registers say. A space that
// the command register disables has none.
func (b *Bridge) moveWindows() {
	bus := b.f.bus
	if bus == nil {
		return
	}
	m, s := b.f.spec.Map, b.f.Space
	cmd := s.Word(config.RegCommand)
	m.Begin()
	defer m.Commit()
	b.mem.place(bus.mem, s.MemWindow(), cmd&config.CommandMemory != 0)
	b.pref.place(bus.mem, s.PrefWindow(), cmd&config.CommandMemory != 0)
	b.io.place(bus.io, s.IOWindow(), cmd&config.CommandIO != 0)
	forward := s.Word(config.RegBridgeControl)&config.BridgeControlVGA != 0
	for i, v := range vgaRanges {
		in, space := bus.mem, uint16(config.CommandMemory)
		if v.io {
			in, space = bus.io, config.CommandIO
		}
		b.vga[i].place(in, v.at, forward && cmd&space != 0)
	}
}

// close closes the windows, before the bridge leaves its bus.
func (b *Bridge) close() {
	m := b.f.spec.Map
	m.Begin()
	defer m.Commit()
	for _, w := range []*window{&b.mem, &b.pref, &b.io, &b.vga[0], &b.vga[1], &b.vga[2]} {
		w.place(nil, config.Window{}, false)
	}
}

func (w *window) place(in *mem.Region, r config.Window, on bool) {
	if w.in != nil {
		if on && w.in == in && w.alias.Addr() == r.Base && w.alias.Size() == r.Limit-r.Base+1 {
			return
		}
		w.in.Remove(w.alias)
		w.in = nil
	}
	if !on || r.Empty() {
		return
	}
	size := r.Limit - r.Base
	if size != mem.Whole {
		size++
	}
	w.alias.SetOffset(r.Base)
	w.alias.SetSize(size)
	w.in = in
	in.AddOverlap(r.Base, w.alias, mappedPriority)
}
