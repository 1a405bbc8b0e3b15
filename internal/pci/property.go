package pci

import (
	"github.com/backplane-vm/backplane/internal/qdev"
	"github.com/backplane-vm/backplane/internal/qom"
)

// Properties returns the properties of PCI devices that no field stands for, by
// name.
func Properties() map[string]*qom.Property {
	return map[string]*qom.Property{"busnr": {Name: "busnr", Type: "busnr", Get: busNumber}}
}

// busNumber is the number of the bus that a device is on.
func busNumber(o *qom.Object) (any, error) {
	d, ok := o.Self().(interface{ PCIDevice() *Device })
	if !ok || o.Self().(qdev.Device).Dev().Bus() == nil {
		return int64(0), nil
	}
	return int64(d.PCIDevice().object().bus.Number()), nil
}
