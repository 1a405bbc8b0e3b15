package pci

import (
	"github.com/backplane-vm/backplane/internal/mem"
	"github.com/backplane-vm/backplane/internal/qdev"
	"github.com/backplane-vm/backplane/qapi/qerr"
)

// GPEXHost is the generic PCI Express host bridge (gpex-pcihost): ECAM, windows
// for memory and I/O, four interrupt lines, and the root bus pcie.0 with the
// bridge's own function at 00:00.0. A machine creates it, calls Connect, sets
// where things are, realizes it on the system bus and calls MapInto.
type GPEXHost struct {
	qdev.Base
	AllowUnmapped bool   `qdev:"allow-unmapped-accesses,bool,default=on"`
	ECAMBase      uint64 `qdev:"x-ecam-base,uint64,default=0"`
	ECAMSize      uint64 `qdev:"x-ecam-size,size,default=0"`
	PIOBase       uint64 `qdev:"x-pio-base,uint64,default=0"`
	PIOSize       uint64 `qdev:"x-pio-size,size,default=0"`
	LowBase       uint64 `qdev:"x-below-4g-mmio-base,uint64,default=0"`
	LowSize       uint64 `qdev:"x-below-4g-mmio-size,size,default=0"`
	HighBase      uint64 `qdev:"x-above-4g-mmio-base,uint64,default=0"`
	HighSize      uint64 `qdev:"x-above-4g-mmio-size,size,default=0"`

	Root GPEXRoot `qdev:"gpex_root,child=gpex-root"`

	platform Platform
	line     func(line int, level bool)
	host     *Host
	bus      busObject
	slots    map[slotKey]*RootPort // taken chassis and slot numbers

	ecam, mmio, pio *mem.Region
}

// slotKey names a slot for people: no two ports have the same.
type slotKey struct {
	chassis uint8
	slot    uint16
}

// ioSpace is the size of the root bus's I/O space.
const ioSpace = 1 << 16

// Connect says what the bridge is part of. line is told of every edge of
// interrupt lines 0 to 3, under the BQL.
func (h *GPEXHost) Connect(p Platform, line func(line int, level bool)) {
	h.platform, h.line = p, line
}

// GPIOs implements [qdev.Wired]: INTA to INTD.
func (h *GPEXHost) GPIOs() []qdev.GPIO { return []qdev.GPIO{{Name: "sysbus-irq", Out: 4}} }

// Host is the hierarchy, for queries and configuration accesses; nil before
// Realize.
func (h *GPEXHost) Host() *Host { return h.host }

// PCIBus is the root bus, pcie.0.
func (h *GPEXHost) PCIBus() *qdev.Bus { return &h.bus.Bus }

// ECAM, MMIO and PIO are the bridge's regions: configuration space, the whole
// of memory space, and 64 KiB of I/O space. MapInto places them by the
// properties; a machine may do so itself instead.
func (h *GPEXHost) ECAM() *mem.Region { return h.ecam }

// MMIO is the memory space of the root bus.
func (h *GPEXHost) MMIO() *mem.Region { return h.mmio }

// PIO is the I/O space of the root bus.
func (h *GPEXHost) PIO() *mem.Region { return h.pio }

// Realize implements qdev.Realizer.
func (h *GPEXHost) Realize() error {
	m := h.platform.Map
	if m == nil {
		return qerr.New("gpex-pcihost is not connected to a machine")
	}
	memory := m.Container(h.Dev(), "gpex_mmio", mem.Whole)
	ports := m.Container(h.Dev(), "gpex_ioport", ioSpace)
	h.mmio = h.window("gpex_mmio_window", mem.Whole, memory)
	h.pio = h.window("gpex_ioport_window", ioSpace, ports)
	h.host = NewHost(memory, ports, h.platform.System, h.line)
	h.ecam = m.IO(h.Dev(), "pcie-mmcfg-mmio", ECAMSize, h.host.ecamOps())
	h.slots = make(map[slotKey]*RootPort)
	h.bus.bus, h.bus.host = h.host.Root(), h
	h.Tree().InitBus(&h.bus.Bus, &h.bus, h, "PCIE", "pcie.0")
	h.Root.Addr = 0
	return h.Tree().Realize(&h.Root, &h.bus.Bus)
}

// window puts inside into a region of its own, in which what nobody decodes
// reads as ones, as on a real bus, or faults if that is what the property says.
func (h *GPEXHost) window(name string, size uint64, inside *mem.Region) *mem.Region {
	m := h.platform.Map
	var w *mem.Region
	if h.AllowUnmapped {
		w = m.IO(h.Dev(), name, size, &mem.Ops{
			Read: func(uint64, uint) (uint64, mem.Result) { return ^uint64(0), mem.OK },
			Impl: mem.Sizes{Min: 1, Max: 8},
		})
	} else {
		w = m.Container(h.Dev(), name, size)
	}
	w.Add(0, inside)
	return w
}

// MapInto places the regions in system memory where the properties say; what
// has size 0 is left out.
func (h *GPEXHost) MapInto(system *mem.Region) {
	m := h.platform.Map
	m.Begin()
	defer m.Commit()
	alias := func(name string, of *mem.Region, offset, base, size uint64) {
		if size != 0 {
			system.Add(base, m.Alias(h.Dev(), name, of, offset, size))
		}
	}
	alias("pcie-ecam", h.ecam, 0, h.ECAMBase, h.ECAMSize)
	alias("pcie-mmio", h.mmio, h.LowBase, h.LowBase, h.LowSize)
	alias("pcie-mmio-high", h.mmio, h.HighBase, h.HighBase, h.HighSize)
	if h.PIOSize != 0 {
		system.Add(h.PIOBase, h.pio)
	}
}

// takeSlot claims chassis and slot number for a port, or says that they are
// taken.
func (h *GPEXHost) takeSlot(k slotKey, p *RootPort) error {
	if h.slots[k] != nil {
		return qerr.New("Can't add chassis slot, error -16") // -EBUSY
	}
	h.slots[k] = p
	return nil
}

// GPEXRoot is the host bridge's own function (gpex-root).
type GPEXRoot struct{ Device }

// Realize implements qdev.Realizer.
func (r *GPEXRoot) Realize() error {
	if _, err := r.NewFunction(Spec{Identity: hostIdentity}); err != nil {
		return err
	}
	return r.Attach()
}
