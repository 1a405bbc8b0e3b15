// Package finisher is SiFive's test device as the virt machine has it: a
// register that ends the machine.
//
// It starts no goroutines and takes no locks; the caller serialises accesses
// (in the machine, under the BQL). The callback runs inside Write.
package finisher

// Action is what the guest asked for.
type Action uint8

// The actions.
const (
	PowerOff Action = iota // with success
	Fail                   // power off with an exit code
	Reset
)

// Size is how many bytes of address space the device takes.
const Size = 0x1000

const (
	cmdFail  = 0x3333
	cmdPass  = 0x5555
	cmdReset = 0x7777
)

// Device is the test finisher. It holds no state.
type Device struct {
	act func(a Action, code uint16)
}

// New returns a device that calls act for each command. code is the guest's
// for Fail and 0 otherwise. act must not wait for the hart that writes.
func New(act func(a Action, code uint16)) *Device { return &Device{act: act} }

// Read returns 0, whatever the register.
func (d *Device) Read(off uint64, size int) uint64 { return 0 }

// Write carries out a command written to register 0; others are ignored.
func (d *Device) Write(off uint64, size int, v uint64) {
	if off != 0 {
		return
	}
	switch v & 0xffff {
	case cmdPass:
		d.act(PowerOff, 0)
	case cmdFail:
		d.act(Fail, uint16(v>>16))
	case cmdReset:
		d.act(Reset, 0)
	}
}
