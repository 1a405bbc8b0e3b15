package backplane

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/backplane-vm/backplane/aio"
	"github.com/backplane-vm/backplane/coro"
	"github.com/backplane-vm/backplane/internal/machine"
	"github.com/backplane-vm/backplane/internal/qdev"
	"github.com/backplane-vm/backplane/qapi/qerr"
)

// unplugRetry is how long Unplug lets a guest be that is busy with the slot
// before it asks again, in nanoseconds.
const unplugRetry = 1_000_000

// Unplug asks the guest to let a device go and returns once it has, and
// everything that the device held is free: its id, its drive, its slot. A
// guest that is busy with the slot (its power indicator blinks) is asked as
// soon as it is not; one that does not answer is asked again after five
// seconds of its time, as QEMU lets one. When ctx ends first, Unplug returns
// its error at once, and the request stands: the device may still go later.
// With a ctx that has ended already nothing is asked.
//
// A slot that the guest has not powered up yet is emptied without asking. The
// guest, which is about to look at the card, finds another one there or none,
// and may then switch the slot off: who plugs again at once may lose the new
// card, as in a real slot.
func (m *Machine) Unplug(ctx context.Context, id string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	var result error
	gone := m.vm.Machine.Do("unplug", func(co *coro.Co) { result = m.unplug(ctx, co, id) })
	if gone != nil {
		return gone
	}
	return result
}

// unplug is Unplug in the main context.
func (m *Machine) unplug(ctx context.Context, co *coro.Co, id string) error {
	vm := m.vm.Machine
	d, err := vm.Devices.Find(id)
	if err != nil {
		return err
	}
	r := m.removals.await(d.Dev().CanonicalPath())
	defer m.removals.forget(r)
	scope := co.Begin()
	defer scope.End()
	defer context.AfterFunc(ctx, func() { scope.Cancel(ctx.Err()) })()
	for {
		clock, patience, err := vm.Virtual, int64(qdev.GuestGrace), vm.Devices.Del(id)
		var e *qerr.Error
		switch {
		case err == nil, strings.HasSuffix(err.Error(), "is already in the process of unplug"):
		case strings.HasPrefix(err.Error(), "Hot-unplug failed: guest is busy"):
			clock, patience = vm.Realtime, unplugRetry
		case errors.As(err, &e) && e.Class == qerr.DeviceNotFound: // taken off, and soon free
		default:
			return err
		}
		if err := r.wait(co, vm.Loop.Main.Timer(clock, r.event.Set), clock.Now()+patience); r.deleted || err != nil {
			return err
		}
	}
}

// A removal is one caller's wait for the end of the device at a path. Guarded
// by the BQL.
type removal struct {
	path    string
	deleted bool
	event   coro.Event // deleted, or time to ask again
}

// wait yields co until the device is gone, t fires, or co is cancelled, which
// is an error unless the device went first.
func (r *removal) wait(co *coro.Co, t *aio.Timer, deadline int64) error {
	t.Arm(deadline)
	defer t.Cancel()
	err := r.event.WaitCancelable(co)
	r.event.Reset()
	if r.deleted {
		return nil
	}
	return err
}

// removals are the waits of one machine, in order of arrival; as many as there
// are callers of Unplug. Guarded by the BQL.
type removals struct{ waiting []*removal }

func (rs *removals) await(path string) *removal {
	r := &removal{path: path}
	rs.waiting = append(rs.waiting, r)
	return r
}

func (rs *removals) forget(r *removal) {
	if i := slices.Index(rs.waiting, r); i >= 0 {
		rs.waiting = slices.Delete(rs.waiting, i, i+1)
	}
}

// observe hears the machine's events.
func (rs *removals) observe(e machine.Event) {
	gone, ok := e.(machine.DeviceDeleted)
	if !ok {
		return
	}
	for _, r := range rs.waiting {
		if r.path == gone.Path {
			r.deleted = true
			r.event.Set()
		}
	}
}
