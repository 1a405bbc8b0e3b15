package scenario

import (
	"fmt"
	"slices"

	"github.com/backplane-vm/backplane/internal/machine"
	"github.com/backplane-vm/backplane/internal/mem"
	"github.com/backplane-vm/backplane/internal/pci"
	"github.com/backplane-vm/backplane/internal/qdev"
)

// scenarioJ never changes.
var scenarioJ = &Scenario{
	Letter: "J",
	Name:   "unplug races",
	About: "Two clients ask for one device's removal, the guest ejects it, and a watchdog resets the machine, all at " +
		"once. The device ends once and says so once, each command has an answer that QEMU could give, and id and drive are " +
		"free when DEVICE_DELETED has come.",
	Ports: 1,
	Run:   runJ,
}

// What device_del may answer while others remove the same device.
const (
	delD0   = `{"execute": "device_del", "arguments": {"id": "d0"}}`
	pending = `{"error": {"class": "GenericError", "desc": "Device d0 is already in the process of unplug"}}`
	gone    = `{"error": {"class": "DeviceNotFound", "desc": "Device 'd0' not found"}}`
	busy    = `{"error": {"class": "GenericError", "desc": "Hot-unplug failed: guest is busy (power indicator blinking)"}}`
)

// The disk that is unplugged, and that takes its place afterwards.
const (
	addN0 = `{"execute": "blockdev-add", "arguments": {"driver": "null-co", "node-name": "n0"}}`
	delN0 = `{"execute": "blockdev-del", "arguments": {"node-name": "n0"}}`
	addD0 = `{"execute": "device_add", "arguments": {"driver": "virtio-blk-pci", "id": "d0", "bus": "rp0", "drive": "n0"}}`
)

func runJ(l *Lab) {
	first, second := l.Connect("first"), l.Connect("second")
	first.Must(addN0)
	first.Must(addD0)
	var disk qdev.Device
	l.Machine.Locked("test", func() { disk, _ = l.Machine.Devices.Find("d0") })
	port := l.slot("rp0")
	powered, asked := l.NewFlag("powered"), l.NewFlag("asked")
	l.StartVCPU("CPU 0", func(v *VCPU) {
		port.power(v)
		powered.Set()
		asked.Wait()
		port.eject(v)
	})
	powered.Wait()
	first.Send(delD0)
	second.Send(delD0)
	asked.Set()
	l.Machine.Locked("watchdog", func() { l.Machine.RequestReset(machine.GuestReset) })
	answers := [2]string{first.Reply(), second.Reply()}
	for _, got := range answers {
		if !slices.Contains([]string{okReply, pending, gone, busy}, got) {
			panic("device_del answered " + got)
		}
	}
	if answers[0] == okReply && answers[1] == okReply {
		panic("two device_dels began the removal of one device")
	}
	clients := []*Client{first, second}
	for _, c := range clients {
		c.Await("DEVICE_DELETED d0")
		c.Await("RESET")
	}
	l.endedOnce(disk)
	first.Must(delN0)
	first.Must(addN0)
	first.Must(addD0)
	l.endedOnce(disk)
	for _, c := range clients {
		if n := c.count("DEVICE_DELETED d0"); n != 1 {
			panic(fmt.Sprintf("%s heard %d times that the device is gone", c.name, n))
		}
	}
}

// endedOnce checks that a device, which was called d0, has come to its end,
// once.
func (l *Lab) endedOnce(d qdev.Device) {
	l.Machine.Locked("test", func() {
		if s := d.Dev().State(); s != qdev.Finalized {
			panic(fmt.Sprintf("the device is %s after DEVICE_DELETED", s))
		}
	})
	if n := l.deleted["d0"]; n != 1 {
		panic(fmt.Sprintf("the device ended %d times", n))
	}
}

// noteDeleted counts the ends of devices that have an id.
func (l *Lab) noteDeleted(e machine.Event) {
	if d, ok := e.(machine.DeviceDeleted); ok && d.ID != "" {
		l.deleted[d.ID]++
	}
}

// hotplugSlot is a port's slot as its guest sees it.
type hotplugSlot struct {
	control uint64 // where slot control is, and slot status behind it
}

// Offsets and values of the slot's registers (PCIe 5.0 §7.5.3.10).
const (
	capabilityPointer = 0x34
	capabilityExpress = 0x10
	slotControl       = 0x18 // in the capability
	slotOn            = 0x01c0
	slotBlinking      = 0x02c0
	slotOff           = 0x07c0
)

// slot looks for the slot of a root port as a guest would, through ECAM.
func (l *Lab) slot(port string) (s hotplugSlot) {
	l.Machine.Locked("test", func() {
		dev, err := l.Machine.Devices.Find(port)
		check(err)
		base := ecamBase + uint64(dev.(*pci.RootPort).Addr)<<12
		access := mem.NewAccess(l.Machine.BQL.Owner())
		read := func(off uint64) uint64 {
			v, _ := l.Machine.System.Read(access, base+off, 1)
			return v
		}
		at := read(capabilityPointer)
		for at != 0 && read(at) != capabilityExpress {
			at = read(at + 1)
		}
		s.control = base + at + slotControl
	})
	return s
}

// power is what a guest does with a device that has come.
func (s hotplugSlot) power(v *VCPU) { v.Write(s.control, slotOn) }

// eject is what a guest does to let a device go, asked or not: it says that it
// is at work, and then that it has let go.
func (s hotplugSlot) eject(v *VCPU) {
	v.Write(s.control, slotBlinking)
	v.Write(s.control, slotOff)
}
