package virtio

import (
	"errors"

	"github.com/backplane-vm/backplane/aio"
	"github.com/backplane-vm/backplane/internal/mem"
	"github.com/backplane-vm/backplane/internal/pci"
	"github.com/backplane-vm/backplane/internal/pci/config"
	"github.com/backplane-vm/backplane/internal/qdev"
	"github.com/backplane-vm/backplane/qapi/qerr"
)

// PCI is a virtio device on PCI (virtio 1.2 §4.1): the outer device, which
// contains one of some kind. It speaks the modern protocol only, wherever it
// sits. Models embed it with their Backend and realize it with RealizeBackend.
type PCI struct {
	pci.Device
	DisableLegacy string `qdev:"disable-legacy,OnOffAuto,default=auto"`
	DisableModern bool   `qdev:"disable-modern,bool,default=off"`
	Vectors       uint32 `qdev:"vectors,uint32,default=4294967295"`
	ATS           bool   `qdev:"ats,bool,default=off"`

	bus     qdev.Bus
	backend Backend
	core    *Core
	kick    *aio.BH
	isr     uint8
	desc    Description
	window  int // offset of the configuration access capability
}

// Layout of the transport's memory: four structures of a page each.
const (
	barMSIX   = 1
	barMemory = 4

	pageSize     = 0x1000
	commonAt     = 0x0000
	isrAt        = 0x1000
	deviceAt     = 0x2000
	notifyAt     = 0x3000
	memorySize   = 0x4000
	notifyStride = 4
)

// Identity of virtio devices on PCI (virtio 1.2 §4.1.2).
const (
	vendor      = 0x1af4
	deviceBase  = 0x1040
	subsystem   = 0x1100
	revision    = 1
	autoVectors = 0xffffffff
)

// Bits of the interrupt status (virtio 1.2 §4.1.4.5).
const (
	isrQueue  = 1
	isrConfig = 2
)

// Init implements qdev.Initer: the bus for the inner device is there from the
// start.
func (p *PCI) Init() {
	p.Tree().InitBus(&p.bus, &p.bus, p.Dev().Self().(qdev.Device), "virtio-pci-bus", "virtio-bus")
	p.bus.SetMax(1)
}

// RealizeBackend brings the inner device and then the outer one to life; the
// guest sees it when this is done. If it fails, all is undone.
func (p *PCI) RealizeBackend(b Backend) error {
	if p.DisableModern || p.DisableLegacy == "off" {
		return qerr.New("device is modern-only, use disable-modern=off,disable-legacy=on")
	}
	p.backend = b
	b.Virtio().platform = p.Platform()
	var undo qdev.Cleanup
	defer undo.Run()
	f, err := p.NewFunction(pci.Spec{
		Identity: config.Identity{Vendor: vendor, Revision: revision, SubVendor: vendor, SubDevice: subsystem, Pin: 1},
		Express:  p.OnLink(), OnRead: p.windowRead, OnWrite: p.windowWrite, OnReset: p.reset,
	})
	if err != nil {
		return err
	}
	if err := p.Tree().Realize(b, &p.bus); err != nil {
		return err
	}
	undo.Add(func() { p.Tree().Unrealize(b) })
	p.describe(f)
	if err := p.layOut(f); err != nil {
		return err
	}
	p.core = NewCore(b, p, dma{f}, p.desc.Features|b.Virtio().features(), p.desc.Queues)
	b.Virtio().core = p.core
	p.kick = p.Platform().Main.BH(p.desc.Name, p.core.RunQueues)
	undo.Add(p.kick.Delete)
	if err := p.Attach(); err != nil {
		return err
	}
	undo.Release()
	return nil
}

// describe fills in what depends on the kind.
func (p *PCI) describe(f *pci.Function) {
	p.desc = p.backend.Description()
	f.Space.SetWord(config.RegDevice, deviceBase+p.desc.Type)
	f.Space.SetWord(config.RegClass, p.desc.Class)
	if p.Vectors == autoVectors {
		p.Vectors = uint32(p.desc.Vectors)
	}
}

// layOut adds base address registers and capabilities.
func (p *PCI) layOut(f *pci.Function) error {
	err := p.addStructures(f)
	if p.Vectors > 0 {
		err = errors.Join(err, f.AddMSIX(barMSIX, int(p.Vectors)))
	}
	err = errors.Join(err, f.AddBAR(barMemory, config.BARMem64|config.BARPrefetch, p.memory()))
	if !p.OnLink() {
		return err
	}
	err = errors.Join(err, f.AddPowerManagement(), f.AddExpress(pci.Endpoint, 0, pci.Link{Speed: 1, Width: 1}))
	if err != nil {
		return err
	}
	f.AllowFLR()
	if p.ATS {
		return f.AddATS(config.SizeConventional)
	}
	return nil
}

// Unrealize implements qdev.Unrealizer. Requests in flight end without the
// guest, and keep the device until then.
func (p *PCI) Unrealize() {
	p.core.Leave()
	p.kick.Delete()
	p.Detach()
}

func (p *PCI) reset() {
	if p.core != nil {
		p.core.Reset()
	}
}

// NotifyQueue implements Transport.
func (p *PCI) NotifyQueue(vector uint16) { p.interrupt(isrQueue, vector) }

// NotifyConfig implements Transport.
func (p *PCI) NotifyConfig(vector uint16) { p.interrupt(isrConfig, vector) }

func (p *PCI) interrupt(cause uint8, vector uint16) {
	f := p.Function()
	p.isr |= cause
	if f.MSIX().Enabled() {
		f.MSIX().Notify(int(vector))
		return
	}
	f.SetINTx(true)
}

// Kick implements Transport.
func (p *PCI) Kick() { p.kick.Schedule() }

// Quiet implements Transport.
func (p *PCI) Quiet() {
	p.isr = 0
	p.Function().SetINTx(false)
}

// Hold implements Transport.
func (p *PCI) Hold() {
	p.Ref()
	p.backend.Dev().Ref()
}

// Release implements Transport. The inner device goes first.
func (p *PCI) Release() {
	p.backend.Dev().Unref()
	p.Unref()
}

// dma is the guest's memory as a function reaches it: while it is on a bus and
// may be master.
type dma struct{ f *pci.Function }

var errDMA = errors.New("DMA failed")

// Read implements vring.Memory.
func (d dma) Read(addr uint64, p []byte) error {
	if as := d.f.DMA(); as == nil || as.DMARead(addr, p) != mem.OK {
		return errDMA
	}
	return nil
}

// Write implements vring.Memory.
func (d dma) Write(addr uint64, p []byte) error {
	if as := d.f.DMA(); as == nil || as.DMAWrite(addr, p) != mem.OK {
		return errDMA
	}
	return nil
}
