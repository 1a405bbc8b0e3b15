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
// contains one of some kind. Models embed it with their Backend and realize it
// with RealizeBackend.
type PCI struct {
	Options
	pci.Device

	bus            qdev.Bus
	backend        Backend
	core           *Core
	kick           *aio.BH
	isr            uint8
	desc           Description
	legacy, modern bool   // interfaces
	class          uint16 // that the user wants instead of the kind's, or 0
	window         int    // offset of the configuration access capability, or 0
}

// Base address registers.
const (
	barLegacy = 0
	barMSIX   = 1
	barPorts  = 2
	barMemory = 4
)

// Identity of virtio devices on PCI (virtio 1.2 §4.1.2). A device with the
// legacy interface has a device id of its kind and the kind's number as
// subsystem, revision 0; one without has the number in its device id.
const (
	vendor         = 0x1af4
	deviceBase     = 0x1040
	subsystem      = 0x1100
	modernRevision = 1
	autoVectors    = 0xffffffff
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
// guest sees it when this is done. If it fails, all is undone. modes.DisableLegacy
// becomes what "auto" stands for: "on" behind a port.
func (p *PCI) RealizeBackend(b Backend, modes *Modes) error {
	if err := p.choose(modes); err != nil {
		return err
	}
	p.backend = b
	b.Virtio().platform = p.Platform()
	var undo qdev.Cleanup
	defer undo.Run()
	f, err := p.NewFunction(pci.Spec{
		Identity: config.Identity{Vendor: vendor, SubVendor: vendor, Pin: 1},
		Express:  p.express(), Link: pci.LinkOptions{Errors: p.DeviceErrors, Control: p.LinkControl},
		OnRead: p.windowRead, OnWrite: p.written, OnReset: p.reset,
	})
	if err != nil {
		return err
	}
	if err := p.addExpress(f); err != nil {
		return err
	}
	if err := p.Tree().Realize(b, &p.bus); err != nil {
		return err
	}
	undo.Add(func() { p.Tree().Unrealize(b) })
	if p.legacy && b.Virtio().AccessPlatform {
		return qerr.New("VIRTIO_F_IOMMU_PLATFORM was supported by neither legacy nor transitional device")
	}
	p.describe(f)
	p.core = NewCore(b, p, dma{f}, p.features(), p.desc.Queues)
	b.Virtio().core = p.core
	if err := p.layOut(f); err != nil {
		return err
	}
	p.kick = p.Platform().Main.BH(p.desc.Name, p.core.RunQueues)
	undo.Add(p.kick.Delete)
	if err := p.Attach(); err != nil {
		return err
	}
	undo.Release()
	return nil
}

// choose settles which interfaces there are.
func (p *PCI) choose(m *Modes) error {
	if m.DisableLegacy == "auto" {
		m.DisableLegacy = "off"
		if p.OnLink() {
			m.DisableLegacy = "on"
		}
	}
	p.legacy, p.modern = m.DisableLegacy == "off", !m.DisableModern
	if !p.legacy && !p.modern {
		return &qerr.Error{Class: qerr.GenericError,
			Desc: "device cannot work as neither modern nor legacy mode is enabled",
			Hint: "Set either disable-modern or disable-legacy to off"}
	}
	return nil
}

// SetClass has the function say another class code than its kind's; 0 is none.
// It is for models, before RealizeBackend.
func (p *PCI) SetClass(class uint16) { p.class = class }

// express says whether the device is one of PCI Express.
func (p *PCI) express() bool { return p.OnLink() && p.modern && !p.DisablePCIe }

// features are what the device offers.
func (p *PCI) features() uint64 {
	f := p.desc.Features | p.backend.Virtio().features() | featureUnused
	if p.modern {
		f |= FeatureVersion1
	}
	return f
}

// describe fills in what depends on the kind.
func (p *PCI) describe(f *pci.Function) {
	p.desc = p.backend.Description()
	f.Space.SetWord(config.RegClass, p.desc.Class)
	if p.class != 0 {
		f.Space.SetWord(config.RegClass, p.class)
	}
	if p.legacy {
		f.Space.SetWord(config.RegDevice, p.desc.LegacyID)
		f.Space.SetWord(config.RegSubDevice, p.desc.Type)
	} else {
		f.Space.SetWord(config.RegDevice, deviceBase+p.desc.Type)
		f.Space.SetWord(config.RegSubDevice, subsystem)
		f.Space.SetByte(config.RegRevision, modernRevision)
	}
	if p.Vectors == autoVectors {
		p.Vectors = uint32(p.desc.Vectors)
	}
}

// addExpress adds what makes the function one of PCI Express, if it is.
func (p *PCI) addExpress(f *pci.Function) error {
	if !p.express() {
		return nil
	}
	err := errors.Join(f.AddExpress(pci.Endpoint, 0, pci.Link{Speed: 1, Width: 1}),
		f.AddPowerManagement(p.PowerStates, p.NoSoftReset))
	free := config.SizeConventional // of extended space
	if p.AER {
		err = errors.Join(err, f.AddAER(free, pci.AEROptions{Mask: p.ErrorMask}))
		free += pci.AERSize
	}
	if p.ATS {
		err = errors.Join(err, f.AddATS(free, p.ATSAligned))
	}
	if p.FLR {
		f.AllowFLR()
	}
	return err
}

// layOut adds the registers of the interfaces, and messages.
func (p *PCI) layOut(f *pci.Function) error {
	if p.modern {
		if err := p.addStructures(f); err != nil {
			return err
		}
	}
	if p.Vectors > pci.MaxVectors {
		p.Vectors = 0
	}
	if p.Vectors > 0 {
		if err := f.AddMSIX(barMSIX, int(p.Vectors)); err != nil {
			return err
		}
	}
	if p.legacy {
		return f.AddBAR(barLegacy, config.BARIO, p.legacyRegion())
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

// written follows a guest write to configuration space.
func (p *PCI) written(off int, _ uint32, size int, _ uint32) {
	if p.core == nil {
		return
	}
	if off <= config.RegCommand && config.RegCommand < off+size {
		p.core.SetMaster(p.Function().Space.Word(config.RegCommand)&config.CommandMaster != 0)
	}
	p.windowWrite(off, size)
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

// readISR returns the interrupt status and clears it.
func (p *PCI) readISR() uint8 {
	isr := p.isr
	p.Quiet()
	return isr
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
