package pci

import (
	"io"
	"slices"

	"github.com/backplane-vm/backplane/aio"
	"github.com/backplane-vm/backplane/internal/mem"
	"github.com/backplane-vm/backplane/internal/pci/config"
	"github.com/backplane-vm/backplane/internal/qdev"
	"github.com/backplane-vm/backplane/qapi/qerr"
)

// Platform is what a machine offers the devices on a PCI hierarchy. It is set
// before the host bridge is realized and does not change.
type Platform struct {
	Map    *mem.Map
	System *mem.Region  // what devices reach by DMA
	Main   *aio.Context // where devices do their work
	Clock  *aio.Clock   // the guest's time
	Random io.Reader    // entropy for guests; must not block
	CPUs   int          // harts, at least 1; how many queues a device has by default

	boot map[int32]bool // places in the order of booting that are taken
}

// TakeBootIndex takes a place in the order in which firmware tries devices, or
// says that it is taken. Negative ones are no places. There is no firmware yet
// that would ask for the order.
func (p *Platform) TakeBootIndex(i int32) error {
	if i < 0 {
		return nil
	}
	if p.boot[i] {
		return qerr.New("The bootindex %d has already been used", i)
	}
	if p.boot == nil {
		p.boot = make(map[int32]bool)
	}
	p.boot[i] = true
	return nil
}

// FreeBootIndex gives a place back.
func (p *Platform) FreeBootIndex(i int32) { delete(p.boot, i) }

// busObject is a Bus in the device tree.
type busObject struct {
	qdev.Bus
	bus  *Bus
	host *GPEXHost
}

// Device is a PCI function as a device: its qdev part and common properties.
// Models embed it, build their Function in Realize and end that with Attach.
type Device struct {
	qdev.Base
	Addr          int32  `qdev:"addr,devfn,default=-1"`
	Multifunction bool   `qdev:"multifunction,bool,default=off"`
	LinkActive    bool   `qdev:"x-pcie-lnksta-dllla,bool,default=on"`
	ExtCapInit    bool   `qdev:"x-pcie-extcap-init,bool,default=on"`
	FailoverPair  string `qdev:"failover_pair_id,str"`
	ACPIIndex     uint32 `qdev:"acpi-index,uint32,default=0"` // for ACPI tables, of which there are none
	ErrorMask     bool   `qdev:"x-pcie-err-unc-mask,bool,default=on"`
	ExtendedTags  bool   `qdev:"x-pcie-ext-tag,bool,default=on"`
	// Of no consequence to functions that have no option ROM and are not found
	// by alternative routing-ids, as all of these.
	ROMBar int32 `qdev:"rombar,int32,default=-1"`
	NextFn bool  `qdev:"x-pcie-ari-nextfn-1,bool,default=off"`

	fn *Function
}

// PCIDevice returns d, for whoever has a qdev.Device and asks whether it is one of
// these.
func (d *Device) PCIDevice() *Device { return d }

// Function is the device's hardware, nil before Realize.
func (d *Device) Function() *Function { return d.fn }

// object is the bus object that the device is on.
func (d *Device) object() *busObject { return d.Dev().Bus().Self().(*busObject) }

// Platform is what the machine offers. The device is on a bus.
func (d *Device) Platform() *Platform { return &d.object().host.platform }

// OnLink says whether the device is behind a PCI Express port, so that it is an
// endpoint rather than integrated in the root complex.
func (d *Device) OnLink() bool { return d.object().bus.link }

// NewFunction makes the device's Function from a spec, whose name, id, owner,
// map and flags it fills in, after it has made sure that the bus has a place
// for it.
func (d *Device) NewFunction(spec Spec) (*Function, error) {
	b := d.Dev()
	spec.Name, spec.ID, spec.Owner = b.Class().Name, b.ID(), b
	spec.Map, spec.Multi, spec.Hotplugged = d.Platform().Map, d.Multifunction, b.Hotplugged()
	spec.Link.ExtendedTags, spec.Link.Active, spec.Link.ScratchHead = d.ExtendedTags, d.LinkActive, !d.ExtCapInit
	f := NewFunction(spec)
	n, err := d.object().bus.Choose(f, int(d.Addr))
	if err != nil {
		return nil, err
	}
	d.Addr = int32(n)
	d.fn = f
	return f, nil
}

// Attach puts the finished Function on the bus, as the last step of Realize.
func (d *Device) Attach() error {
	if d.FailoverPair != "" && d.fn.Space.Word(config.RegClass) != classEthernet {
		return qerr.New("failover primary device is not an Ethernet device")
	}
	return d.object().bus.Attach(d.fn, int(d.Addr))
}

// Detach takes the Function off its bus, if it is on one: from then on it and
// the guest do not reach each other.
func (d *Device) Detach() {
	if d.fn != nil && d.fn.bus != nil {
		d.fn.bus.Detach(d.fn)
	}
}

// Unrealize implements qdev.Unrealizer for models that have nothing more to
// undo.
func (d *Device) Unrealize() { d.Detach() }

// Reset implements qdev.Resetter.
func (d *Device) Reset() { d.fn.Reset() }

// functionsOf returns the PCI devices on a bus by device-function number.
func functionsOf(b *qdev.Bus) []qdev.Device {
	var list []qdev.Device
	for d := range b.Devices() {
		if _, ok := d.(interface{ PCIDevice() *Device }); ok {
			list = append(list, d)
		}
	}
	slices.SortFunc(list, func(a, b qdev.Device) int { return int(pciOf(a).Addr) - int(pciOf(b).Addr) })
	return list
}

// pciOf returns the PCI part of a device that has one.
func pciOf(d qdev.Device) *Device { return d.(interface{ PCIDevice() *Device }).PCIDevice() }

// Register enters PCI's bus types and classes.
func Register(r *qdev.Registry) error {
	for _, t := range [][2]string{{"PCI", ""}, {"PCIE", "PCI"}} {
		if err := r.AddBusType(t[0], t[1]); err != nil {
			return err
		}
	}
	abstract := func(name, parent string) *qdev.Class {
		return &qdev.Class{Name: name, Parent: parent, Abstract: true}
	}
	return r.Add(
		&qdev.Class{Name: "pci-device", Abstract: true, BusType: "PCI"},
		abstract("base-pci-bridge", "pci-device"),
		abstract("pcie-port", "base-pci-bridge"),
		abstract("pcie-slot", "pcie-port"),
		abstract("pcie-root-port-base", "pcie-slot"),
		&qdev.Class{Name: "pcie-root-port", Parent: "pcie-root-port-base", Desc: "PCI Express Root Port",
			Category: qdev.CategoryBridge, New: func() qdev.Device { return new(RootPort) }},
		&qdev.Class{Name: "gpex-root", Parent: "pci-device", Internal: true, Category: qdev.CategoryBridge,
			Desc: "QEMU generic PCIe host bridge", New: func() qdev.Device { return new(GPEXRoot) }},
		abstract("pci-host-bridge", "sys-bus-device"),
		abstract("pcie-host-bridge", "pci-host-bridge"),
		&qdev.Class{Name: "gpex-pcihost", Parent: "pcie-host-bridge", Internal: true, Category: qdev.CategoryBridge,
			New: func() qdev.Device { return new(GPEXHost) }},
	)
}

// classEthernet is the class code of network cards, the devices that can stand
// in for each other.
const classEthernet = 0x0200

// The identity of what QEMU made up for its own devices.
const (
	vendorRedHat    = 0x1b36
	vendorQumranet  = 0x1af4
	subsystemQumran = 0x1100
)

// hostIdentity is the host bridge as a function.
var hostIdentity = config.Identity{
	Vendor: vendorRedHat, Device: 0x0008, Class: 0x0600,
	SubVendor: vendorQumranet, SubDevice: subsystemQumran,
}

// portIdentity is the root port.
var portIdentity = config.Identity{Vendor: vendorRedHat, Device: 0x000c, Class: 0x0604, Pin: 1}
