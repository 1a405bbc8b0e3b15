package scenario

import (
	"fmt"

	"github.com/backplane-vm/backplane/internal/mem"
	"github.com/backplane-vm/backplane/internal/sched"
)

// Device is a device of a scenario's own: one page of registers whose writes
// call a function. It counts who is inside its callbacks. Like QEMU's devices
// of the time it has no re-entrancy guard, so that two threads in it are seen
// rather than refused.
type Device struct {
	l       *Lab
	name    string
	Addr    uint64
	inside  int
	OnWrite func(value uint64)
}

// AddDevice puts a device at the n'th page of the devices' range.
func (l *Lab) AddDevice(name string, n int, onWrite func(value uint64)) *Device {
	d := &Device{l: l, name: name, Addr: deviceBase + uint64(n)*0x1000, OnWrite: onWrite}
	l.Machine.Locked("board", func() {
		region := l.Machine.Map.IO(nil, name, 0x1000, &mem.Ops{
			Write: func(_, v uint64, _ uint) mem.Result {
				d.enter()
				defer d.leave()
				if d.OnWrite != nil {
					d.OnWrite(v)
				}
				return mem.OK
			},
			Reentrant: true,
		})
		l.Machine.Memory.Add(d.Addr, region)
	})
	return d
}

func (d *Device) enter() {
	d.inside++
	d.l.World.Note(sched.VerbEnters, d.name)
	if d.inside > 1 {
		panic(sched.Violation{Kind: ReEntered, Text: fmt.Sprintf("two threads are inside the emulation of %s", d.name)})
	}
}

func (d *Device) leave() {
	d.inside--
	d.l.World.Note(sched.VerbLeaves, d.name)
}
