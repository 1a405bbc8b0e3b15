package monitor

import (
	"encoding/hex"
	"slices"
	"strings"

	"github.com/backplane-vm/backplane/hmp"
	"github.com/backplane-vm/backplane/hmp/view"
	"github.com/backplane-vm/backplane/internal/block"
	limits "github.com/backplane-vm/backplane/internal/block/throttle"
	"github.com/backplane-vm/backplane/internal/machine"
	"github.com/backplane-vm/backplane/internal/pci"
	"github.com/backplane-vm/backplane/internal/qdev"
)

func (h *handlers) infoVersion(call *hmp.Call) error {
	v := h.s.version
	view.Version{Major: int(v.Major), Minor: int(v.Minor), Micro: int(v.Micro), Package: v.Package}.Print(call)
	return nil
}

func (h *handlers) infoStatus(call *hmp.Call) error {
	st := h.m.State()
	view.Status{Running: st == machine.Running, State: string(st)}.Print(call)
	return nil
}

func (h *handlers) infoName(call *hmp.Call) error {
	view.PrintName(call, h.m.Name)
	return nil
}

func (h *handlers) infoUUID(call *hmp.Call) error {
	var id [16]byte
	raw, err := hex.DecodeString(strings.ReplaceAll(h.uuid(), "-", ""))
	if err != nil {
		return err
	}
	copy(id[:], raw)
	view.PrintUUID(call, id)
	return nil
}

func (h *handlers) infoCPUs(call *hmp.Call) error {
	var cpus []view.CPU
	for _, c := range h.m.CPUs() {
		cpus = append(cpus, view.CPU{Index: c.Index(), ThreadID: int(c.ThreadID())})
	}
	view.PrintCPUs(call, cpus, max(call.CPU(), 0))
	return nil
}

func (h *handlers) infoChardev(call *hmp.Call) error {
	devices, err := h.QueryChardev(nil)
	list := make([]view.Chardev, 0, len(devices))
	for _, c := range devices {
		list = append(list, view.Chardev{Label: c.Label, Filename: c.Filename})
	}
	view.PrintChardevs(call, list)
	return err
}

func (h *handlers) infoPCI(call *hmp.Call) error {
	hosts := h.pciInfo()
	if len(hosts) == 0 {
		view.PrintNoPCI(call)
		return nil
	}
	for _, b := range hosts {
		view.PrintPCI(call, viewPCI(b.Devices))
	}
	return nil
}

func viewPCI(devices []pci.DeviceInfo) []view.PCIDevice {
	list := make([]view.PCIDevice, 0, len(devices))
	for _, d := range devices {
		v := view.PCIDevice{
			Bus: d.Bus, Slot: d.Slot, Function: d.Function, Class: d.ClassDesc, ClassCode: d.Class,
			Vendor: uint16(d.Vendor), Device: uint16(d.Device), ID: d.ID,
		}
		if d.HasSubsystem {
			v.Subsystem = &view.PCISubsystem{Vendor: uint16(d.SubVendor), Device: uint16(d.SubDev)}
		}
		if d.IRQ != nil {
			v.IRQ = &view.PCIInterrupt{Line: *d.IRQ, Pin: d.IRQPin}
		}
		for _, r := range d.Regions {
			v.Regions = append(v.Regions, view.PCIRegion{
				BAR: r.BAR, IO: r.IO, Prefetch: r.Prefetch, Is64: r.Is64,
				Mapped: r.Address >= 0, Address: uint64(r.Address), Size: uint64(r.Size),
			})
		}
		if b := d.Bridge; b != nil {
			v.Bridge = &view.PCIBridge{
				Primary: b.Number, Secondary: b.Secondary, Subordinate: b.Subordinate,
				IO:           view.PCIRange{Base: b.IO.Base, Limit: b.IO.Limit},
				Memory:       view.PCIRange{Base: b.Memory.Base, Limit: b.Memory.Limit},
				Prefetchable: view.PCIRange{Base: b.Prefetchable.Base, Limit: b.Prefetchable.Limit},
				Devices:      viewPCI(b.Devices),
			}
		}
		list = append(list, v)
	}
	return list
}

func (h *handlers) infoBlock(call *hmp.Call, args *hmp.Args) error {
	var devices []view.Block
	for _, b := range h.disks() {
		entry := view.Block{Device: b.Name(), Attached: b.Path(), Removable: removable(b), IOStatus: b.IOStatus()}
		if n := b.Node(); n != nil {
			entry.Inserted = medium(n)
			entry.Inserted.Throttle = viewLimits(b.Limits())
		}
		devices = append(devices, entry)
	}
	var nodes []view.Medium
	for _, n := range slices.Backward(h.m.Blocks.Nodes()) { // newest first, as QEMU
		nodes = append(nodes, *medium(n))
	}
	view.PrintBlocks(call, devices, nodes, view.BlockOptions{
		Name: args.String("device"), Nodes: args.Bool("nodes"), Verbose: args.Bool("verbose"),
	})
	return nil
}

// viewLimits is what info block shows of a disk's limits, nil without any.
func viewLimits(g *limits.Group) *view.Throttle {
	if g == nil {
		return nil
	}
	l := g.Limits()
	if !l.Enabled() {
		return nil
	}
	bps, bpsRead, bpsWrite := l.Of[limits.BytesTotal], l.Of[limits.BytesRead], l.Of[limits.BytesWrite]
	iops, iopsRead, iopsWrite := l.Of[limits.OpsTotal], l.Of[limits.OpsRead], l.Of[limits.OpsWrite]
	return &view.Throttle{
		BPS: bps.Rate, BPSRead: bpsRead.Rate, BPSWrite: bpsWrite.Rate,
		BPSMax: bps.Burst, BPSReadMax: bpsRead.Burst, BPSWriteMax: bpsWrite.Burst,
		IOPS: iops.Rate, IOPSRead: iopsRead.Rate, IOPSWrite: iopsWrite.Rate,
		IOPSMax: iops.Burst, IOPSReadMax: iopsRead.Burst, IOPSWriteMax: iopsWrite.Burst,
		IOPSSize: l.OpSize, Group: g.Name(),
	}
}

func medium(n *block.Node) *view.Medium {
	o := n.Options()
	m := &view.Medium{
		NodeName: n.Name(), File: nodeFilename(n), Driver: n.Driver(), ReadOnly: n.ReadOnly(),
		Writeback: true, Direct: o.Direct, NoFlush: o.NoFlush,
	}
	for {
		m.Images = append(m.Images, view.Image{
			File: nodeFilename(n), Format: n.Driver(),
			VirtualSize: uint64(n.Length()), DiskSize: n.ActualSize(),
		})
		if !isFilter(n) {
			return m
		}
		n = n.File()
	}
}

func (h *handlers) infoQTree(call *hmp.Call, args *hmp.Args) error {
	root := viewBus(h.m.Devices.QTree())
	view.PrintQTree(call, root, args.Bool("brief"))
	return nil
}

func viewBus(b qdev.BusInfo) *view.Bus {
	v := &view.Bus{Name: b.Name, Type: b.Type}
	for _, d := range b.Devices {
		dev := &view.Device{Type: d.Class, ID: d.ID, Details: d.Lines}
		for _, g := range d.GPIOs {
			dev.GPIOs = append(dev.GPIOs, view.GPIO(g))
		}
		for _, p := range d.Properties {
			dev.Props = append(dev.Props, view.Prop{Name: p.Name, Value: p.Value})
		}
		for _, child := range d.Buses {
			dev.Buses = append(dev.Buses, viewBus(child))
		}
		v.Devices = append(v.Devices, dev)
	}
	return v
}
