package pci

import (
	"slices"

	"github.com/backplane-vm/backplane/internal/mem"
	"github.com/backplane-vm/backplane/internal/pci/config"
)

// Spec is what a Function is made from.
type Spec struct {
	Name       string // model name, for messages and memory regions
	ID         string // the user's id, may be empty
	Owner      mem.Owner
	Map        *mem.Map
	Identity   config.Identity
	Bridge     bool // type 1 header with a secondary bus
	Express    bool // 4096 bytes of configuration space
	Multi      bool // sets the multi-function bit
	Hotplugged bool // arrived while the machine ran
	Link       LinkOptions

	// Hooks run under the BQL; each may be nil.

	// OnRead runs before the guest reads size bytes at off, to bring registers
	// up to date.
	OnRead func(off, size int)
	// OnWrite runs after a guest write of val; the space has the new value
	// and old the four bytes at off (aligned down) before it.
	OnWrite func(off int, val uint32, size int, old uint32)
	// OnReset runs when the function was reset, after its registers.
	OnReset func()
}

// mapping is a base address register with the region it maps.
type mapping struct {
	config.BAR
	region *mem.Region
	at     uint64      // where it is mapped, or config.Unmapped
	in     *mem.Region // in what
}

// mappedPriority puts what functions decode above what lies below a bus's
// address space.
const mappedPriority = 1

// Function is the hardware of one PCI function. All methods want the BQL.
type Function struct {
	spec  Spec
	Space *config.Space // the registers; the device may write them

	bus    *Bus
	devfn  Devfn
	bars   []*mapping
	bridge *Bridge // nil unless Spec.Bridge
	msix   *MSIX   // nil without
	msi    *MSI    // nil without
	intx   bool    // level that the device drives
	driven bool    // level that the bus was told: intx, unless disabled
	power  bool

	express int // offset of the PCI Express capability, or 0

	reach     *mem.Region // what the function's DMA can reach
	busMaster *mem.Region // all of that, enabled while the function may do DMA
	dma       *mem.AddressSpace
}

// NewFunction returns a function with a laid-out header and power, on no bus.
// Its DMA reaches nothing until it is on one.
func NewFunction(spec Spec) *Function {
	size := config.SizeConventional
	if spec.Express {
		size = config.SizeExpress
	}
	f := &Function{spec: spec, Space: config.New(size), power: true,
		reach: spec.Map.Container(spec.Owner, "bus master container", mem.Whole)}
	if spec.Bridge {
		f.Space.InitBridge(spec.Identity)
		f.bridge = newBridge(f)
	} else {
		f.Space.InitNormal(spec.Identity)
	}
	f.Space.SetMultifunction(spec.Multi)
	return f
}

// Name is the model name.
func (f *Function) Name() string { return f.spec.Name }

// ID is the user's id, or "".
func (f *Function) ID() string { return f.spec.ID }

// Bus is the bus the function is on, or nil.
func (f *Function) Bus() *Bus { return f.bus }

// Devfn is the function's number on its bus.
func (f *Function) Devfn() Devfn { return f.devfn }

// Bridge is the function's bridge part, nil if it is none.
func (f *Function) Bridge() *Bridge { return f.bridge }

// AddBAR gives the function a base address register that maps region, whose
// size is a power of two. It is for construction, before the function is put
// on a bus.
func (f *Function) AddBAR(index int, flags uint8, region *mem.Region) error {
	b := config.BAR{Index: index, Size: region.Size(), Flags: flags}
	if err := f.Space.AddBAR(b); err != nil {
		return err
	}
	f.bars = append(f.bars, &mapping{BAR: b, region: region, at: config.Unmapped})
	slices.SortFunc(f.bars, func(a, b *mapping) int { return a.Index - b.Index })
	return nil
}

// DMA is the address space in which the function is an initiator: all of the
// system while the guest enables bus mastering. It is nil while the function is
// on no bus.
func (f *Function) DMA() *mem.AddressSpace { return f.dma }

// attach makes the function part of b. The caller is Bus.Attach.
func (f *Function) attach(b *Bus, n Devfn) {
	f.bus, f.devfn = b, n
	if f.bridge != nil {
		f.bridge.secondary.host = b.host
	}
	m := f.spec.Map
	f.busMaster = m.Alias(f.spec.Owner, "bus master", b.host.system, 0, mem.Whole)
	f.busMaster.SetEnabled(false)
	f.reach.Add(0, f.busMaster)
	f.dma = m.NewAddressSpace(f.spec.Name, f.reach)
	f.Space.Seal()
	f.refresh()
}

// detach takes the function off its bus: interrupts fall, nothing is mapped and
// DMA ends.
func (f *Function) detach() {
	f.intx = false
	f.drive()
	f.unmap()
	f.reach.Remove(f.busMaster)
	f.dma.Close()
	f.bus, f.dma = nil, nil
}

// Powered says whether the function has power.
func (f *Function) Powered() bool { return f.power }

// SetPower switches the function. Without power it decodes nothing and loses
// its state.
func (f *Function) SetPower(on bool) {
	if f.power == on {
		return
	}
	f.power = on
	f.refresh()
	if !on {
		f.Reset()
	}
}

// Reset returns registers to what they were when the function was put on its
// bus.
func (f *Function) Reset() {
	f.SetINTx(false)
	f.Space.Reset()
	if f.msix != nil {
		f.msix.reset()
	}
	if f.msi != nil {
		f.msi.reset()
	}
	f.refresh()
	if f.bridge != nil {
		f.bridge.moved()
	}
	if f.spec.OnReset != nil {
		f.spec.OnReset()
	}
}

// ConfigRead is a guest read of size bytes of configuration space at off.
func (f *Function) ConfigRead(off, size int) uint32 {
	if f.spec.OnRead != nil {
		f.spec.OnRead(off, size)
	}
	return f.Space.Read(off, size)
}

// ConfigWrite is a guest write of size bytes to configuration space at off.
func (f *Function) ConfigWrite(off int, val uint32, size int) {
	old := f.Space.Read(off&^3, 4)
	f.Space.Write(off, val, size)
	touched := func(reg, n int) bool { return off < reg+n && reg < off+size }
	if touched(config.RegCommand, 2) || touched(config.RegBAR0, 24) {
		f.refresh()
	}
	if f.bridge != nil {
		f.bridge.written(touched, uint16(old>>16))
	}
	if f.msix != nil && touched(f.msix.offset, 4) {
		f.msix.controlWritten()
	}
	if f.msi != nil && touched(f.msi.offset, msiCapSize) {
		f.msi.written()
	}
	if f.spec.OnWrite != nil {
		f.spec.OnWrite(off, val, size, old)
	}
	if f.flrRequested(off, val, size) {
		f.Reset()
	}
}

// refresh makes mappings, DMA and the interrupt pin follow the command register
// and power, in one change of the memory map.
func (f *Function) refresh() {
	if f.bus == nil {
		return
	}
	m := f.spec.Map
	m.Begin()
	defer m.Commit()
	for _, b := range f.bars {
		at := config.Unmapped
		if f.power {
			at = f.Space.Address(b.BAR)
		}
		b.move(f.bus, at)
	}
	f.busMaster.SetEnabled(f.power && f.Space.Word(config.RegCommand)&config.CommandMaster != 0)
	f.drive()
}

func (f *Function) unmap() {
	m := f.spec.Map
	m.Begin()
	defer m.Commit()
	for _, b := range f.bars {
		b.move(f.bus, config.Unmapped)
	}
}

// move maps the register's region at an address of the bus, or nowhere.
func (b *mapping) move(bus *Bus, at uint64) {
	if at == b.at {
		return
	}
	if b.in != nil {
		b.in.Remove(b.region)
		b.in = nil
	}
	if b.at = at; at == config.Unmapped {
		return
	}
	b.in = bus.mem
	if b.IsIO() {
		b.in = bus.io
	}
	b.in.AddOverlap(at, b.region, mappedPriority)
}
