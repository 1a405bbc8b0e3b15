package rng

import (
	"github.com/backplane-vm/backplane/internal/qdev"
	"github.com/backplane-vm/backplane/internal/virtio"
)

// base is what the models on PCI have in common.
type base struct {
	Backend Device `qdev:"virtio-backend,child=virtio-rng-device,alias"`
	virtio.PCI
}

// PCI is the device on PCI (virtio-rng-pci).
type PCI struct {
	virtio.Modes
	base
}

// Realize implements qdev.Realizer.
func (p *PCI) Realize() error { return p.RealizeBackend(&p.Backend, &p.Modes) }

// TransitionalPCI is the device on PCI with both interfaces
// (virtio-rng-pci-transitional).
type TransitionalPCI struct{ base }

// Realize implements qdev.Realizer.
func (p *TransitionalPCI) Realize() error {
	return p.RealizeBackend(&p.Backend, virtio.Transitional())
}

// NonTransitionalPCI is the device on PCI with the modern interface alone
// (virtio-rng-pci-non-transitional).
type NonTransitionalPCI struct{ base }

// Realize implements qdev.Realizer.
func (p *NonTransitionalPCI) Realize() error {
	return p.RealizeBackend(&p.Backend, virtio.NonTransitional())
}

// Register enters the classes. Package virtio's must be there.
func Register(r *qdev.Registry) error {
	onPCI := func(name, alias string, f func() qdev.Device) *qdev.Class {
		return &qdev.Class{Name: name, Parent: "virtio-rng-pci-base", Alias: alias,
			Category: qdev.CategoryMisc, New: f}
	}
	return r.Add(
		&qdev.Class{Name: "virtio-rng-device", Parent: "virtio-device", Category: qdev.CategoryMisc,
			New: func() qdev.Device { return new(Device) }},
		&qdev.Class{Name: "virtio-rng-pci-base", Parent: "virtio-pci", Abstract: true},
		onPCI("virtio-rng-pci", "virtio-rng", func() qdev.Device { return new(PCI) }),
		onPCI("virtio-rng-pci-transitional", "", func() qdev.Device { return new(TransitionalPCI) }),
		onPCI("virtio-rng-pci-non-transitional", "", func() qdev.Device { return new(NonTransitionalPCI) }),
	)
}
