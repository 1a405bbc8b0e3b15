package backplane

import (
	"context"
	"fmt"

	"github.com/backplane-vm/backplane/coro"
	"github.com/backplane-vm/backplane/internal/qdev"
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
