package pci

import (
	"errors"

	"github.com/backplane-vm/backplane/internal/pci/config"
	"github.com/backplane-vm/backplane/internal/pci/slot"
	"github.com/backplane-vm/backplane/internal/qdev"
	"github.com/backplane-vm/backplane/qapi/qerr"
)

// RootPort is a PCI Express root port with one hot-plug slot (pcie-root-port).
// Its secondary bus has the name of its id, and it is that bus's hot-plug
// handler: package slot decides, RootPort carries out.
type RootPort struct {
	Device
	Chassis         uint8  `qdev:"chassis,uint8,default=0"`
	SlotNumber      uint16 `qdev:"slot,uint16,default=0"`
	Port            uint8  `qdev:"port,uint8,default=0"`
	Hotplug         bool   `qdev:"hotplug,bool,default=on"`
	HideHotplug     bool   `qdev:"x-do-not-expose-native-hotplug-cap,bool,default=off"`
	PowerController bool   `qdev:"power_controller_present,bool,default=on"`
	DisableACS      bool   `qdev:"disable-acs,bool,default=off"`
	Speed           string `qdev:"x-speed,enum=PCIELinkSpeed,values=2_5|5|8|16|32|64,default=16"`
	Width           string `qdev:"x-width,enum=PCIELinkWidth,values=1|2|4|8|12|16|32,default=32"`
	ErrorLogs       uint16 `qdev:"aer_log_max,uint16,default=8"`
	LatencyTimer    bool   `qdev:"x-pci-express-writeable-slt-bug,bool,default=off"`
	Reserve

	bus  busObject
	slot *slot.Slot
}

// maxSlotNumber is what the physical slot number field holds.
const maxSlotNumber = 1<<13 - 1

// hotplugVector is the message that a port sends for hot-plug events.
const hotplugVector = 0

// Realize implements qdev.Realizer.
func (p *RootPort) Realize() error {
	var undo qdev.Cleanup
	defer undo.Run()
	p.Tree().InitBus(&p.bus.Bus, &p.bus, p, "PCIE", p.ID())
	undo.Add(func() { p.Tree().DropBus(&p.bus.Bus) })
	f, err := p.NewFunction(Spec{Identity: portIdentity, Bridge: true, Express: true,
		Link: LinkOptions{Errors: true}, OnWrite: p.written})
	if err != nil {
		return err
	}
	host := p.object().host
	key := slotKey{p.Chassis, p.SlotNumber}
	p.bus.bus, p.bus.host = f.Bridge().SecondaryBus(), host
	if err := p.layOut(f); err != nil {
		return err
	}
	if err := host.takeSlot(key, p); err != nil {
		return err
	}
	undo.Add(func() { delete(host.slots, key) })
	p.slot = slot.New(slot.Config{
		Number: p.SlotNumber & maxSlotNumber, HotPlug: p.Hotplug,
		HideHotPlug: p.HideHotplug, PowerController: p.PowerController,
	})
	f.Space.SetLong(f.express+expSlotCap, p.slot.Capabilities())
	p.mirror()
	if err := p.Attach(); err != nil {
		return err
	}
	if p.Hotplug {
		p.bus.SetHotplugHandler(p)
	}
	undo.Release()
	return nil
}

// layOut adds capabilities.
func (p *RootPort) layOut(f *Function) error {
	if !p.LatencyTimer {
		f.Space.FixByte(config.RegSecLatency)
	}
	if p.ErrorLogs > maxErrorLogs {
		return qerr.New("Invalid aer_log_max %d. The max number of aer log is %d", p.ErrorLogs, maxErrorLogs)
	}
	err := errors.Join(f.addSubsystem(vendorRedHat, 0), f.AddMSIX(0, 1), f.AddExpress(RootPortType, p.Port, p.link()),
		f.AddAER(config.SizeConventional, AEROptions{Root: true, Log: p.ErrorLogs > 0, Mask: p.ErrorMask}))
	if err == nil && !p.DisableACS {
		err = f.addACS(config.SizeConventional + AERSize)
	}
	if err != nil {
		return err
	}
	if p.Hotplug && p.HideHotplug && p.IO == nothingReserved {
		p.IO = hotplugIO
	}
	return f.addReserve(p.Reserve)
}

// link is the port's link as its properties say. Both are of enumerations, so
// the tables have them.
func (p *RootPort) link() Link {
	speeds := map[string]LinkSpeed{"2_5": 1, "5": 2, "8": 3, "16": 4, "32": 5, "64": 6}
	widths := map[string]LinkWidth{"1": 1, "2": 2, "4": 4, "8": 8, "12": 12, "16": 16, "32": 32}
	return Link{Speed: speeds[p.Speed], Width: widths[p.Width]}
}

// Unrealize implements qdev.Unrealizer.
func (p *RootPort) Unrealize() {
	delete(p.object().host.slots, slotKey{p.Chassis, p.SlotNumber})
	p.Detach()
}

// Reset implements qdev.Resetter. What is behind the port was reset before. A
// slot without hot-plug is no handler and hears here of what sits in it.
func (p *RootPort) Reset() {
	p.fn.Reset()
	for f := range p.bus.bus.Functions {
		if !p.slot.Occupied(uint8(f.devfn)) {
			p.apply(p.slot.Plug(uint8(f.devfn), false))
		}
	}
	p.apply(p.slot.Reset())
	p.mirror()
}

// SecondaryBus is the bus behind the port.
func (p *RootPort) SecondaryBus() *qdev.Bus { return &p.bus.Bus }

// Slot is the state of the slot, for reading.
func (p *RootPort) Slot() *slot.Slot { return p.slot }

// written follows a guest write to the port's configuration space: slot status
// before slot control when one write reaches both.
func (p *RootPort) written(off int, val uint32, size int, _ uint32) {
	exp := p.fn.express
	if v, ok := merge(exp+expSlotStatus, 0, off, val, size); ok {
		p.apply(p.slot.WriteStatus(v))
	}
	if v, ok := merge(exp+expSlotControl, p.slot.Control(), off, val, size); ok {
		p.apply(p.slot.WriteControl(v))
	}
	p.mirror()
	p.signal(0)
}

// merge returns what a write of size bytes of val at off makes of the 16-bit
// register at reg that holds old, and whether it reaches it.
func merge(reg int, old uint16, off int, val uint32, size int) (uint16, bool) {
	hit := false
	for i := range size {
		if b := off + i - reg; b == 0 || b == 1 {
			old = old&^(0xff<<(8*b)) | uint16(byte(val>>(8*i)))<<(8*b)
			hit = true
		}
	}
	return old, hit
}

// apply does what the slot asks for.
func (p *RootPort) apply(act slot.Actions) {
	if act&slot.RemoveAll != 0 {
		for _, d := range functionsOf(&p.bus.Bus) {
			p.remove(d)
		}
	}
	if act&slot.PowerChanged != 0 {
		p.fn.Bridge().SecondaryBus().SetPower(p.slot.Powered())
	}
	if act&slot.Changed != 0 {
		p.mirror()
	}
	p.signal(act)
}

// remove takes away a device that the guest has let go, or never saw.
func (p *RootPort) remove(d qdev.Device) {
	if s := d.Dev().State(); s == qdev.Plugged || s == qdev.UnplugRequested {
		p.Tree().GuestAcked(d)
	}
	p.Tree().Remove(d)
}

// signal raises or lowers the hot-plug interrupt: by message on an edge, or by
// the pin for as long as events are pending.
func (p *RootPort) signal(act slot.Actions) {
	if !p.fn.MSIX().Enabled() {
		p.fn.SetINTx(p.slot.Pending())
		return
	}
	p.fn.SetINTx(false)
	if act&slot.Signal != 0 {
		p.fn.MSIX().Notify(hotplugVector)
	}
}

// mirror copies the slot's registers to where the guest reads them.
func (p *RootPort) mirror() {
	exp, s := p.fn.express, p.fn.Space
	s.SetWord(exp+expSlotControl, p.slot.Control())
	s.SetWord(exp+expSlotStatus, p.slot.Status())
	link, active := p.link(), false
	if end := p.fn.Bridge().SecondaryBus().At(0); end != nil && p.slot.LinkActive() {
		link, active = end.Link(), end.spec.Link.Active
	}
	p.fn.setLink(link, active)
}

// PrePlug implements qdev.HotplugHandler.
func (p *RootPort) PrePlug(d qdev.Device) error {
	return p.slot.CanPlug(p.ID(), d.Dev().Hotplugged())
}

// Plug implements qdev.HotplugHandler.
func (p *RootPort) Plug(d qdev.Device) error {
	p.apply(p.slot.Plug(uint8(pciOf(d).Addr), d.Dev().Hotplugged()))
	return nil
}

// Unplug implements qdev.HotplugHandler: the function leaves the bus, so that
// it and the guest do not reach each other any more.
func (p *RootPort) Unplug(d qdev.Device) {
	dev := pciOf(d)
	dev.Detach()
	if n := uint8(dev.Addr); p.slot.Occupied(n) {
		p.apply(p.slot.Removed(n))
	}
}

// UnplugRequest implements qdev.UnplugRequester.
func (p *RootPort) UnplugRequest(d qdev.Device) error {
	act, err := p.slot.RequestUnplug(p.ID(), uint8(pciOf(d).Addr))
	if err != nil {
		return err
	}
	d.Dev().AwaitGuest(qdev.GuestGrace)
	if act&slot.RemoveOne != 0 {
		p.remove(d)
	}
	p.apply(act &^ slot.RemoveOne)
	return nil
}
