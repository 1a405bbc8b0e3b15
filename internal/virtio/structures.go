package virtio

import (
	"github.com/backplane-vm/backplane/internal/mem"
	"github.com/backplane-vm/backplane/internal/pci"
	"github.com/backplane-vm/backplane/internal/pci/config"
)

// The capabilities that say where structures are (virtio 1.2 §4.1.4), offsets
// in them.
const (
	capSize       = 16
	capNotifySize = 20
	capWindowSize = 20

	capLen      = 2
	capType     = 3
	capBAR      = 4
	capOffset   = 8
	capLength   = 12
	capMultiply = 16 // notification capability
	capData     = 16 // configuration access capability

	typeCommon = 1
	typeNotify = 2
	typeISR    = 3
	typeDevice = 4
	typeWindow = 5
)

// Layout of the memory that capabilities point at: four structures of a page
// each.
const (
	pageSize     = 0x1000
	commonAt     = 0x0000
	isrAt        = 0x1000
	deviceAt     = 0x2000
	notifyAt     = 0x3000
	memorySize   = 0x4000
	notifyStride = 4
)

// addStructures adds the structures of the modern interface and the
// capabilities that lead there.
func (p *PCI) addStructures(f *pci.Function) error {
	for _, c := range []struct {
		typ, size int
		at        uint32
	}{
		{typeCommon, capSize, commonAt},
		{typeISR, capSize, isrAt},
		{typeDevice, capSize, deviceAt},
		{typeNotify, capNotifySize, notifyAt},
		{typeWindow, capWindowSize, 0},
	} {
		s := f.Space
		o, err := s.AddCapability(config.CapVendor, c.size)
		if err != nil {
			return err
		}
		s.SetByte(o+capLen, uint8(c.size))
		s.SetByte(o+capType, uint8(c.typ))
		switch c.typ {
		case typeWindow:
			p.window = o
			s.AllowByte(o+capBAR, 0xff)
			s.AllowLong(o+capOffset, ^uint32(0))
			s.AllowLong(o+capLength, ^uint32(0))
			s.AllowLong(o+capData, ^uint32(0))
			continue
		case typeNotify:
			s.SetLong(o+capMultiply, notifyStride)
		}
		s.SetByte(o+capBAR, barMemory)
		s.SetLong(o+capOffset, c.at)
		s.SetLong(o+capLength, pageSize)
	}
	return f.AddBAR(barMemory, config.BARMem64|config.BARPrefetch, p.memory())
}

// memory is the region with the four structures.
func (p *PCI) memory() *mem.Region {
	m, owner := p.Platform().Map, p.Dev()
	all := m.Container(owner, "virtio-pci", memorySize)
	for _, s := range []struct {
		name string
		at   uint64
	}{
		{"common", commonAt}, {"isr", isrAt}, {"device", deviceAt}, {"notify", notifyAt},
	} {
		all.Add(s.at, m.IO(owner, "virtio-pci-"+s.name+"-"+p.desc.Name, pageSize, &mem.Ops{
			Read: func(off uint64, size uint) (uint64, mem.Result) {
				return p.read(s.at+off, size), mem.OK
			},
			Write: func(off, v uint64, size uint) mem.Result {
				p.write(s.at+off, v, size)
				return mem.OK
			},
			Impl: mem.Sizes{Min: 1, Max: 4},
		}))
	}
	return all
}

// read reads the transport's memory. Reading the interrupt status clears it.
func (p *PCI) read(off uint64, size uint) uint64 {
	in := off % pageSize
	switch off - in {
	case commonAt:
		return p.core.ReadCommon(in, size)
	case isrAt:
		if in != 0 {
			return 0
		}
		return uint64(p.readISR())
	case deviceAt:
		return p.core.ReadConfig(in, size)
	}
	return 0
}

// write writes the transport's memory.
func (p *PCI) write(off, v uint64, size uint) {
	in := off % pageSize
	switch off - in {
	case commonAt:
		p.core.WriteCommon(in, v, size, int(p.Vectors))
	case deviceAt:
		p.core.WriteConfig(in, v, size)
	case notifyAt:
		p.core.Notify(int(in / notifyStride))
	}
}

// windowAccess returns what the configuration access capability points at, if
// an access to size bytes at off uses its data register and it points at
// something (virtio 1.2 §4.1.4.9).
func (p *PCI) windowAccess(off, size int) (at uint64, n uint, ok bool) {
	data := p.window + capData
	if p.window == 0 || p.core == nil || off >= data+4 || off+size <= data {
		return 0, 0, false
	}
	s := p.Function().Space
	at, n = uint64(s.Long(p.window+capOffset)), uint(s.Long(p.window+capLength))
	valid := (n == 1 || n == 2 || n == 4) && at%uint64(n) == 0 && at+uint64(n) <= memorySize
	return at, n, valid && s.Byte(p.window+capBAR) == barMemory
}

func (p *PCI) windowRead(off, size int) {
	if at, n, ok := p.windowAccess(off, size); ok {
		p.Function().Space.SetLong(p.window+capData, uint32(p.read(at, n)))
	}
}

func (p *PCI) windowWrite(off, size int) {
	if at, n, ok := p.windowAccess(off, size); ok {
		v := uint64(p.Function().Space.Long(p.window + capData))
		p.write(at, v&(1<<(8*n)-1), n)
	}
}
