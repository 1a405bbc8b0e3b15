package qdev

// A HotplugHandler is told of devices that come and go on a bus: a PCIe slot,
// a SCSI controller. It is asked for devices that are there from the start
// too; [Base.Hotplugged] tells them apart.
type HotplugHandler interface {
	// PrePlug checks whether d can be plugged, before it is realized. It must
	// change nothing.
	PrePlug(d Device) error
	// Plug shows d, which is realized, to the guest. On error it has undone
	// what it did.
	Plug(d Device) error
	// Unplug hides d from the guest, before it is unrealized.
	Unplug(d Device)
}

// An UnplugRequester is a HotplugHandler that asks the guest first. It answers
// at once; the guest's answer arrives as [Tree.GuestAcked] and [Tree.Remove],
// or [Tree.GuestRefused], perhaps before UnplugRequest returns. A bus whose
// handler is none removes devices at once.
type UnplugRequester interface {
	// UnplugRequest asks the guest to let d go. If device_del is to be refused
	// while the guest thinks, it calls [Base.AwaitGuest].
	UnplugRequest(d Device) error
}

// GuestGrace is how long, in nanoseconds of virtual time, a PCIe slot leaves
// the guest before a repeated device_del presses the button again.
const GuestGrace = 5_000_000_000

// AwaitGuest makes device_del refuse to ask again until grace nanoseconds of
// virtual time from now, and has the device's end reported.
func (b *Base) AwaitGuest(grace int64) {
	b.deletePending = true
	b.deleteExpires = b.tree.nowMS() + grace/nsPerMS
}

const nsPerMS = 1_000_000
