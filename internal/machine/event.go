package machine

import "github.com/backplane-vm/backplane/internal/block"

// An Event is something that happened to the machine and that clients are
// told. It is one of the types below.
type Event interface{ event() }

// Stopped says that the guest has stopped executing.
type Stopped struct{}

// Resumed says that the guest executes.
type Resumed struct{}

// WasReset says that the machine has been reset.
type WasReset struct{ Cause ShutdownCause }

// ShuttingDown says that the machine will end.
type ShuttingDown struct{ Cause ShutdownCause }

// PoweringDown says that the guest was asked to power down.
type PoweringDown struct{}

// DeviceDeleted says that a device is gone and its id, path and resources are
// free. ID is "" for a device without one.
type DeviceDeleted struct{ ID, Path string }

// DeviceUnplugError says that the guest refused to let a device go.
type DeviceUnplugError struct{ ID, Path string }

// WriteThreshold says that a write goes beyond the threshold of a block node.
type WriteThreshold struct{ block.Exceeded }

// IOError says that a request of a disk failed.
type IOError struct{ block.Fault }

// DumpCompleted says that the guest's memory has been written down, or why not.
type DumpCompleted struct {
	Status           string // in QEMU's words (enum DumpStatus)
	Completed, Total int64  // bytes
	Error            string // "" for none
}

func (DumpCompleted) event()     {}
func (WriteThreshold) event()    {}
func (IOError) event()           {}
func (Stopped) event()           {}
func (Resumed) event()           {}
func (WasReset) event()          {}
func (ShuttingDown) event()      {}
func (PoweringDown) event()      {}
func (DeviceDeleted) event()     {}
func (DeviceUnplugError) event() {}

// Observe has f called for every event, under the BQL and in order. f must
// not block. It is for use before Start.
func (m *Machine) Observe(f func(Event)) { m.observers = append(m.observers, f) }

// Emit tells the observers. The caller holds the BQL. It is for what monitors
// do to the machine; the machine tells of itself.
func (m *Machine) Emit(e Event) { m.emit(e) }

func (m *Machine) emit(e Event) {
	m.BQL.AssertHeld()
	for _, f := range m.observers {
		f(e)
	}
}
