package virtio

import (
	"github.com/backplane-vm/backplane/internal/pci"
	"github.com/backplane-vm/backplane/internal/qdev"
)

// Device is what the inner devices of all kinds have (virtio-device): the part
// that knows the kind, sitting on the bus of a transport. Kinds embed it.
type Device struct {
	qdev.Base
	IndirectDesc   bool `qdev:"indirect_desc,bool,default=on"`
	EventIndex     bool `qdev:"event_idx,bool,default=on"`
	NotifyOnEmpty  bool `qdev:"notify_on_empty,bool,default=on"`
	AnyLayout      bool `qdev:"any_layout,bool,default=on"`
	AccessPlatform bool `qdev:"iommu_platform,bool,default=off"`
	Packed         bool `qdev:"packed,bool,default=off"`
	InOrder        bool `qdev:"in_order,bool,default=off"`
	QueueReset     bool `qdev:"queue_reset,bool,default=on"`

	core     *Core
	platform *pci.Platform
}

// Virtio returns d, for a transport that has a Backend.
func (d *Device) Virtio() *Device { return d }

// Core is the device's state towards its driver; nil before the transport has
// realized it.
func (d *Device) Core() *Core { return d.core }

// Platform is what the machine offers; set before Realize.
func (d *Device) Platform() *pci.Platform { return d.platform }

// features are those that the properties choose.
func (d *Device) features() uint64 {
	var f uint64
	for _, b := range []struct {
		on  bool
		bit uint64
	}{
		{d.IndirectDesc, FeatureIndirectDesc}, {d.EventIndex, FeatureEventIndex},
		{d.NotifyOnEmpty, FeatureNotifyOnEmpty}, {d.AnyLayout, FeatureAnyLayout},
		{d.AccessPlatform, FeatureAccessPlatform}, {d.QueueReset, FeatureQueueReset},
		{d.Packed, FeaturePacked}, {d.InOrder, FeatureInOrder},
	} {
		if b.on {
			f |= b.bit
		}
	}
	return f
}

// Description is what a kind says of itself once it is realized.
type Description struct {
	Type     uint16 // device type (virtio 1.2 §5)
	LegacyID uint16 // PCI device id with the legacy interface (virtio 1.2 §4.1.2.1)
	Name     string // as in the names of memory regions: "virtio-blk"
	Class    uint16 // PCI class code
	Features uint64 // those of the kind
	Queues   []uint16
	Vectors  int // messages by default, one for configuration among them
}

// Backend is the inner device of some kind.
type Backend interface {
	qdev.Device
	Kind
	// Virtio returns the embedded Device.
	Virtio() *Device
	// Description is called after Realize.
	Description() Description
}

// Register enters the bus types and abstract classes of virtio. Package pci's
// must be there.
func Register(r *qdev.Registry) error {
	for _, t := range [][2]string{{"virtio-bus", ""}, {"virtio-pci-bus", "virtio-bus"}} {
		if err := r.AddBusType(t[0], t[1]); err != nil {
			return err
		}
	}
	return r.Add(
		&qdev.Class{Name: "virtio-device", Abstract: true, BusType: "virtio-bus"},
		&qdev.Class{Name: "virtio-pci", Parent: "pci-device", Abstract: true},
	)
}
