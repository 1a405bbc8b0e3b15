package backplane

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/backplane-vm/backplane/aio"
	"github.com/backplane-vm/backplane/coro"
	"github.com/backplane-vm/backplane/internal/qdev"
	"github.com/backplane-vm/backplane/qapi/qerr"
	"github.com/backplane-vm/backplane/qapi/qobject"
)

// A Device is something to plug in.
type Device struct {
	Driver string // such as "virtio-blk-pci"
	ID     string // how to call it later; must be free
	Bus    string // where to; "" for the first bus of the right kind
	// Properties are set before the device comes alive; values are bool,
	// integers, strings.
	Properties map[string]any
}

// Plug plugs d in and returns once the guest can see it. When it fails,
// nothing is left: the id, the bus's place and whatever the properties named
// are free again. ctx is looked at before the work begins; the work itself
// takes a moment and is not given up half-way.
func (m *Machine) Plug(ctx context.Context, d Device) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	args := qobject.Members("driver", d.Driver)
	if d.ID != "" {
		args.Set("id", d.ID)
	}
	if d.Bus != "" {
		args.Set("bus", d.Bus)
	}
	for name, v := range d.Properties {
		q, err := qobject.From(v)
		if err != nil {
			return fmt.Errorf("plug %s: property %s: %w", d.ID, name, err)
		}
		args.Set(name, q)
	}
	vm := m.vm.Machine
	var err error
	if gone := vm.Do("plug", func(co *coro.Co) {
		if _, err = vm.Devices.Add(args, qdev.JSON); err != nil {
			vm.RCU.DrainCo(co)
		}
	}); gone != nil {
		return gone
	}
	return err
}

// unplugRetry is how long Unplug lets a guest be that is busy with the slot
// before it looks again, in nanoseconds.
const unplugRetry = 1_000_000

// Unplug asks the guest to let a device go and returns once it has, and
// everything that the device held is free: its id, its drive, its slot. A
// guest that is busy with the slot (its power indicator blinks) is asked as
// soon as it is not; one that does not answer is asked again after five
// seconds, as QEMU lets one. When ctx ends first, Unplug returns its error,
// and the request stands: the device may still go later.
func (m *Machine) Unplug(ctx context.Context, id string) error {
	vm := m.vm.Machine
	var result error
	gone := vm.Do("unplug", func(co *coro.Co) {
		d, err := vm.Devices.Find(id)
		if err != nil {
			result = err
			return
		}
		base := d.Dev()
		base.Ref()
		path := base.CanonicalPath()
		base.Unref()
		result = m.unplug(ctx, co, id, path)
	})
	if gone != nil {
		return gone
	}
	return result
}

// unplug asks until the device called id, which is at path, has gone.
func (m *Machine) unplug(ctx context.Context, co *coro.Co, id, path string) error {
	vm := m.vm.Machine
	for {
		err := vm.Devices.Del(id)
		var e *qerr.Error
		switch {
		case err == nil, busy(err):
		case errors.As(err, &e) && e.Class == qerr.DeviceNotFound:
			// Taken off, but perhaps not yet free: that is when the path is.
			if o, _ := vm.QOM.Resolve(path); o == nil {
				vm.RCU.DrainCo(co)
				return nil
			}
		default:
			return err
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		aio.Sleep(co, vm.Realtime, unplugRetry)
	}
}

// busy says whether device_del was refused because the guest, or an earlier
// request, is at it.
func busy(err error) bool {
	s := err.Error()
	return strings.HasPrefix(s, "Hot-unplug failed: guest is busy") || strings.HasSuffix(s, "is already in the process of unplug")
}
