package pci

import (
	"github.com/backplane-vm/backplane/internal/mem"
	"github.com/backplane-vm/backplane/internal/pci/config"
)

// ECAM is the layout of the enhanced configuration access mechanism
// (PCIe 5.0 §7.2.2): 4096 bytes a function, 8 functions a device, 32 devices a
// bus.
const (
	ecamBusShift = 20
	ecamFnShift  = 12
	ecamRegMask  = 1<<ecamFnShift - 1
	// ECAMSize is how much address space all 256 buses take.
	ECAMSize = 256 << ecamBusShift
)

// Host is the root of a PCI hierarchy: the root bus, the way from bus numbers to
// buses, and the interrupt lines. All methods want the BQL.
type Host struct {
	root   Bus
	system *mem.Region // what functions reach by DMA
	line   func(line int, level bool)

	// routes is where configuration accesses for each bus number go. It is
	// rebuilt when used after bus numbers or bridges changed, so an access
	// costs no walk.
	routes [256]*Bus
	stale  bool
}

// NewHost returns a hierarchy with an empty root bus whose memory and I/O
// spaces are memory and io. DMA of its functions goes to system. line is told
// of every edge of the four interrupt lines.
func NewHost(memory, io, system *mem.Region, line func(line int, level bool)) *Host {
	h := &Host{system: system, line: line, stale: true}
	h.root = Bus{host: h, mem: memory, io: io}
	return h
}

// Root is the root bus, number 0.
func (h *Host) Root() *Bus { return &h.root }

func (h *Host) setLine(line int, level bool) {
	if h.line != nil {
		h.line(line, level)
	}
}

// BusAt is the bus that configuration accesses for that number reach, or nil.
func (h *Host) BusAt(number uint8) *Bus {
	if h.stale {
		h.stale = false
		clear(h.routes[:])
		h.routes[0] = &h.root
		h.route(&h.root, 1, len(h.routes)-1)
	}
	return h.routes[number]
}

// route fills in what is behind b's bridges. Bridges claim numbers from lo to hi
// only, which is what the way to b forwards; the first to claim one has it.
// Each level takes at least one number from the range, so this ends.
func (h *Host) route(b *Bus, lo, hi int) {
	for _, br := range b.bridges {
		sec, sub := br.Secondary(), min(br.Subordinate(), hi)
		if sec < lo || sec > sub || h.routes[sec] != nil {
			continue
		}
		h.routes[sec] = br.secondary
		h.route(br.secondary, sec+1, sub)
	}
}

// Function returns what answers at that place, or nil.
func (h *Host) Function(bus uint8, n Devfn) *Function {
	b := h.BusAt(bus)
	if b == nil {
		return nil
	}
	return b.visible(n)
}

// ConfigRead reads size bytes at an ECAM offset; all ones where nothing is.
func (h *Host) ConfigRead(off uint64, size int) uint32 {
	f := h.Function(uint8(off>>ecamBusShift), Devfn(off>>ecamFnShift))
	if f == nil {
		return config.AllOnes(size)
	}
	return f.ConfigRead(int(off&ecamRegMask), size)
}

// ConfigWrite writes size bytes at an ECAM offset.
func (h *Host) ConfigWrite(off uint64, val uint32, size int) {
	if f := h.Function(uint8(off>>ecamBusShift), Devfn(off>>ecamFnShift)); f != nil {
		f.ConfigWrite(int(off&ecamRegMask), val, size)
	}
}

// ecamOps is the region through which a guest reaches configuration space.
func (h *Host) ecamOps() *mem.Ops {
	return &mem.Ops{
		Read: func(off uint64, size uint) (uint64, mem.Result) {
			return uint64(h.ConfigRead(off, int(size))), mem.OK
		},
		Write: func(off, v uint64, size uint) mem.Result {
			h.ConfigWrite(off, uint32(v), int(size))
			return mem.OK
		},
		Impl: mem.Sizes{Min: 1, Max: 4},
	}
}
