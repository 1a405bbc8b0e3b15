package monitor

import (
	"github.com/backplane-vm/backplane/internal/pci"
	"github.com/backplane-vm/backplane/internal/pci/config"
	"github.com/backplane-vm/backplane/qapi/api"
	"github.com/backplane-vm/backplane/qmp"
)

func (h *handlers) pciInfo() []pci.BusInfo {
	var all []pci.BusInfo
	for _, host := range h.m.Board.PCI() {
		all = append(all, host.Info()...)
	}
	return all
}

func (h *handlers) QueryPci(*qmp.Call) ([]api.PciInfo, error) {
	list := []api.PciInfo{}
	for _, b := range h.pciInfo() {
		list = append(list, api.PciInfo{Bus: int64(b.Bus), Devices: pciDevices(b.Devices)})
	}
	return list, nil
}

func pciDevices(devices []pci.DeviceInfo) []api.PciDeviceInfo {
	list := make([]api.PciDeviceInfo, 0, len(devices))
	for i := range devices {
		list = append(list, pciDevice(&devices[i]))
	}
	return list
}

func pciDevice(d *pci.DeviceInfo) api.PciDeviceInfo {
	info := api.PciDeviceInfo{
		Bus: int64(d.Bus), Slot: int64(d.Slot), Function: int64(d.Function),
		ClassInfo: api.PciDeviceClass{Class: int64(d.Class), Desc: optional(d.ClassDesc)},
		Id:        api.PciDeviceId{Device: int64(d.Device), Vendor: int64(d.Vendor)},
		IrqPin:    int64(d.IRQPin), QdevId: d.ID, Regions: []api.PciMemoryRegion{},
	}
	if d.HasSubsystem {
		sub, vendor := int64(d.SubDev), int64(d.SubVendor)
		info.Id.Subsystem, info.Id.SubsystemVendor = &sub, &vendor
	}
	if d.IRQ != nil {
		irq := int64(*d.IRQ)
		info.Irq = &irq
	}
	for _, r := range d.Regions {
		info.Regions = append(info.Regions, pciRegion(r))
	}
	if d.Bridge != nil {
		info.PciBridge = pciBridge(d.Bridge)
	}
	return info
}

func pciRegion(r pci.RegionInfo) api.PciMemoryRegion {
	info := api.PciMemoryRegion{Bar: int64(r.BAR), Type: "io", Address: r.Address, Size: r.Size}
	if !r.IO {
		info.Type, info.Prefetch, info.MemType64 = "memory", &r.Prefetch, &r.Is64
	}
	return info
}

func pciBridge(b *pci.BridgeInfo) *api.PciBridgeInfo {
	span := func(w config.Window) api.PciMemoryRange {
		return api.PciMemoryRange{Base: int64(w.Base), Limit: int64(w.Limit)}
	}
	info := &api.PciBridgeInfo{Bus: api.PciBusInfo{
		Number: int64(b.Number), Secondary: int64(b.Secondary), Subordinate: int64(b.Subordinate),
		IoRange: span(b.IO), MemoryRange: span(b.Memory), PrefetchableRange: span(b.Prefetchable),
	}}
	if b.HasDevices {
		info.Devices = pciDevices(b.Devices)
	}
	return info
}
