package virtio

import (
	"errors"
	"math/bits"

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

// Layout of the memory that capabilities point at: three structures of a page
// each, and the notification area.
const (
	pageSize = 0x1000
	commonAt = 0x0000
	isrAt    = 0x1000
	deviceAt = 0x2000
	notifyAt = 0x3000

	// notifyStride is how far the notification addresses of queues are apart,
	// unless each has a page of its own.
	notifyStride = 4
	// portSize is the size of the notification area in I/O space, which all
	// queues share.
	portSize = 4
)

// structure is a piece of the transport that a capability points at.
type structure struct {
	name     string // of its region
	typ      int
	at, size uint64
}

// stride is how far the notification addresses of queues are apart.
func (p *PCI) stride() uint64 {
	if p.PagePerQueue {
		return pageSize
	}
	return notifyStride
}

// structures are those in memory.
func (p *PCI) structures() []structure {
	return []structure{
		{"common", typeCommon, commonAt, pageSize},
		{"isr", typeISR, isrAt, pageSize},
		{"device", typeDevice, deviceAt, pageSize},
		{"notify", typeNotify, notifyAt, p.stride() * MaxQueues},
	}
}

// memorySize is the size of the memory that they are in.
func (p *PCI) memorySize() uint64 { return 1 << bits.Len64(notifyAt+p.stride()*MaxQueues-1) }

// addStructures adds the structures of the modern interface and the
// capabilities that lead there.
func (p *PCI) addStructures(f *pci.Function) error {
	var errs error
	for _, s := range p.structures() {
		errs = errors.Join(errs, addPointer(f, s, barMemory, uint32(p.stride())))
	}
	if p.PortNotify {
		errs = errors.Join(errs, addPointer(f, structure{typ: typeNotify, size: portSize}, barPorts, 0),
			f.AddBAR(barPorts, config.BARIO, p.notifyPort()))
	}
	o, err := addStructureCapability(f, typeWindow, capWindowSize)
	if errs = errors.Join(errs, err); errs != nil {
		return errs
	}
	p.window = o
	f.Space.AllowByte(o+capBAR, 0xff)
	f.Space.AllowLong(o+capOffset, ^uint32(0))
	f.Space.AllowLong(o+capLength, ^uint32(0))
	f.Space.AllowLong(o+capData, ^uint32(0))
	return f.AddBAR(barMemory, config.BARMem64|config.BARPrefetch, p.memory())
}

// addPointer adds the capability that says where s is.
func addPointer(f *pci.Function, s structure, bar int, stride uint32) error {
	size := capSize
	if s.typ == typeNotify {
		size = capNotifySize
	}
	o, err := addStructureCapability(f, s.typ, size)
	if err != nil {
		return err
	}
	f.Space.SetByte(o+capBAR, uint8(bar))
	f.Space.SetLong(o+capOffset, uint32(s.at))
	f.Space.SetLong(o+capLength, uint32(s.size))
	if s.typ == typeNotify {
		f.Space.SetLong(o+capMultiply, stride)
	}
	return nil
}

func addStructureCapability(f *pci.Function, typ, size int) (int, error) {
	o, err := f.Space.AddCapability(config.CapVendor, size)
	if err == nil {
		f.Space.SetByte(o+capLen, uint8(size))
		f.Space.SetByte(o+capType, uint8(typ))
	}
	return o, err
}

// memory is the region with the structures.
func (p *PCI) memory() *mem.Region {
	m, owner := p.Platform().Map, p.Dev()
	all := m.Container(owner, "virtio-pci", p.memorySize())
	for _, s := range p.structures() {
		all.Add(s.at, m.IO(owner, "virtio-pci-"+s.name+"-"+p.desc.Name, s.size, &mem.Ops{
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

// notifyPort is the notification area in I/O space: what is written is the
// number of the queue.
func (p *PCI) notifyPort() *mem.Region {
	return p.Platform().Map.IO(p.Dev(), "virtio-pci-io", portSize, &mem.Ops{
		Read: func(uint64, uint) (uint64, mem.Result) { return 0, mem.OK },
		Write: func(_, v uint64, _ uint) mem.Result {
			p.core.Notify(int(uint32(v)))
			return mem.OK
		},
		Impl: mem.Sizes{Min: 1, Max: 4},
	})
}

// read reads the transport's memory. Reading the interrupt status clears it.
func (p *PCI) read(off uint64, size uint) uint64 {
	switch {
	case off < isrAt:
		return p.core.ReadCommon(off, size)
	case off == isrAt:
		return uint64(p.readISR())
	case off >= deviceAt && off < notifyAt:
		return p.core.ReadConfig(off-deviceAt, size)
	}
	return 0
}

// write writes the transport's memory.
func (p *PCI) write(off, v uint64, size uint) {
	switch {
	case off < isrAt:
		p.core.WriteCommon(off, v, size, int(p.Vectors))
	case off >= notifyAt:
		p.core.Notify(int((off - notifyAt) / p.stride()))
	case off >= deviceAt:
		p.core.WriteConfig(off-deviceAt, v, size)
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
	valid := (n == 1 || n == 2 || n == 4) && at%uint64(n) == 0 && at+uint64(n) <= p.memorySize()
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
