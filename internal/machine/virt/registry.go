package virt

import (
	"github.com/backplane-vm/backplane/internal/backend"
	"github.com/backplane-vm/backplane/internal/chardev"
	"github.com/backplane-vm/backplane/internal/machine"
	"github.com/backplane-vm/backplane/internal/pci"
	"github.com/backplane-vm/backplane/internal/qdev"
	"github.com/backplane-vm/backplane/internal/qom"
	"github.com/backplane-vm/backplane/internal/virtio"
	"github.com/backplane-vm/backplane/internal/virtio/blk"
	"github.com/backplane-vm/backplane/internal/virtio/rng"
)

// NewRegistry returns the classes of devices that the virt machine can have.
// The result is immutable and may serve many machines.
func NewRegistry() (*qdev.Registry, error) {
	r := qdev.NewRegistry()
	if err := r.Types.Add(
		qom.Type{Name: "machine", Parent: "object", Abstract: true},
		qom.Type{Name: "virt-machine", Parent: "machine", Class: machineClass()},
		qom.Type{Name: "cpu", Parent: "device", Abstract: true},
		qom.Type{Name: "riscv-cpu", Parent: "cpu", Abstract: true},
		qom.Type{Name: machine.CPUType, Parent: "riscv-cpu", Class: hartClass()},
		qom.Type{Name: arrayType, Parent: "sys-bus-device", Class: arrayClass()},
	); err != nil {
		return nil, err
	}
	for _, add := range []func(*qom.Types) error{backend.Register, chardev.Register} {
		if err := add(r.Types); err != nil {
			return nil, err
		}
	}
	for _, add := range []func(*qdev.Registry) error{addChips, pci.Register, virtio.Register, blk.Register, rng.Register} {
		if err := add(r); err != nil {
			return nil, err
		}
	}
	return r, r.List(listings, pci.Properties())
}

func addChips(r *qdev.Registry) error {
	internal := func(name string, make func() qdev.Device) *qdev.Class {
		return &qdev.Class{Name: name, Parent: "sys-bus-device", Internal: true, NotHotpluggable: true, New: make}
	}
	return r.Add(
		internal("riscv.sifive.plic", func() qdev.Device { return new(plicChip) }),
		internal("riscv.aclint", func() qdev.Device { return new(clintChip) }),
		internal("serial-mm", func() qdev.Device { return new(uartChip) }),
		internal("riscv.sifive.test", func() qdev.Device { return new(finisherChip) }),
	)
}
