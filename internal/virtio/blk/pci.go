package blk

import (
	"github.com/backplane-vm/backplane/internal/qdev"
	"github.com/backplane-vm/backplane/internal/virtio"
)

// base is what the models on PCI have in common.
type base struct {
	Class   uint32 `qdev:"class,uint32,default=0"`
	Backend Device `qdev:"virtio-backend,child=virtio-blk-device,alias"`
	virtio.PCI
}

// realize realizes the device with these interfaces.
func (b *base) realize(m *virtio.Modes) error {
	b.SetClass(uint16(b.Class))
	return b.RealizeBackend(&b.Backend, m)
}

// PCI is the device on PCI (virtio-blk-pci).
type PCI struct {
	virtio.Modes
	base
}

// Realize implements qdev.Realizer.
func (p *PCI) Realize() error { return p.realize(&p.Modes) }

// TransitionalPCI is the device on PCI with both interfaces
// (virtio-blk-pci-transitional).
type TransitionalPCI struct{ base }

// Realize implements qdev.Realizer.
func (p *TransitionalPCI) Realize() error {
	return p.realize(virtio.Transitional())
}

// NonTransitionalPCI is the device on PCI with the modern interface alone
// (virtio-blk-pci-non-transitional).
type NonTransitionalPCI struct{ base }

// Realize implements qdev.Realizer.
func (p *NonTransitionalPCI) Realize() error {
	return p.realize(virtio.NonTransitional())
}

// Register enters the classes. Package virtio's must be there.
func Register(r *qdev.Registry) error {
	onPCI := func(name, alias string, f func() qdev.Device) *qdev.Class {
		return &qdev.Class{Name: name, Parent: "virtio-blk-pci-base", Alias: alias,
			Category: qdev.CategoryStorage, New: f}
	}
	return r.Add(
		&qdev.Class{Name: "virtio-blk-device", Parent: "virtio-device", Category: qdev.CategoryStorage,
			New: func() qdev.Device { return new(Device) }},
		&qdev.Class{Name: "virtio-blk-pci-base", Parent: "virtio-pci", Abstract: true},
		onPCI("virtio-blk-pci", "virtio-blk", func() qdev.Device { return new(PCI) }),
		onPCI("virtio-blk-pci-transitional", "", func() qdev.Device { return new(TransitionalPCI) }),
		onPCI("virtio-blk-pci-non-transitional", "", func() qdev.Device { return new(NonTransitionalPCI) }),
	)
}
