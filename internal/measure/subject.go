package measure

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/backplane-vm/backplane/guest/demo"
	"github.com/backplane-vm/backplane/qapi/qerr"
	"github.com/backplane-vm/backplane/qapi/qobject"
	"github.com/backplane-vm/backplane/qmp"
)

// A Subject is a machine under measurement: somebody else owns what its fields
// point to. Its methods are for one goroutine at a time.
type Subject struct {
	QMP   *qmp.Client
	Log   *Log // the guest's console; nil is allowed where no guest is waited for
	Clock Clock
	// Watch, if set, is told what is being waited for.
	Watch func(step string)
}

// A Port is a root port to plug into: its bus and its physical slot number, by
// which the guest's log knows it.
type Port struct {
	Bus  string
	Slot uint64
}

func (p Port) flag(address string) []string {
	return []string{"-device", fmt.Sprintf("pcie-root-port,id=%s,chassis=1,slot=%d%s", p.Bus, p.Slot, address)}
}

// about matches a line of the log about p's slot; event "" is any.
func (p Port) about(event string) func(demo.Line) bool {
	return func(l demo.Line) bool {
		slot, ok := l.Uint("slot")
		return ok && slot == p.Slot && l.Get("port") != "none" && (event == "" || l.Event == event)
	}
}

// A Span is when a command was sent and when its reply came.
type Span struct{ Asked, Answered int64 }

// Took is the length of the span in nanoseconds.
func (s Span) Took() int64 { return s.Answered - s.Asked }

func (s *Subject) watch(step string) {
	if s.Watch != nil {
		s.Watch(step)
	}
}

// Execute runs a command and says when.
func (s *Subject) Execute(ctx context.Context, command string, args *qobject.Dict) (span Span, err error) {
	s.watch(command)
	var given any
	if args != nil {
		given = args
	}
	span.Asked = s.Clock()
	err = s.QMP.Execute(ctx, command, given, nil)
	span.Answered = s.Clock()
	return span, err
}

// QueryStatus is one round trip of the least command.
func (s *Subject) QueryStatus(ctx context.Context) (Span, error) {
	return s.Execute(ctx, "query-status", nil)
}

// AddRNG plugs a virtio-rng-pci.
func (s *Subject) AddRNG(ctx context.Context, id, bus string) (Span, error) {
	return s.Execute(ctx, "device_add", qobject.Members("driver", "virtio-rng-pci", "id", id, "bus", bus))
}

// FailToAdd asks for a disk whose drive there is none of.
func (s *Subject) FailToAdd(ctx context.Context, bus string) (Span, error) {
	args := qobject.Members("driver", "virtio-blk-pci", "id", "never", "bus", bus, "drive", "none")
	span, err := s.Execute(ctx, "device_add", args)
	var e *qerr.Error
	switch {
	case err == nil:
		return span, errors.New("device_add without a drive was answered with success")
	case !errors.As(err, &e):
		return span, err
	}
	return span, nil
}

// A Removal is what became of a device_del.
type Removal struct {
	Span          // the request that was accepted
	Deleted int64 // when DEVICE_DELETED came
	Refused int   // requests before that were refused because the guest was busy
}

// Remove asks for a device back and waits until the machine says it has gone.
// While the guest is busy with the slot it asks again.
func (s *Subject) Remove(ctx context.Context, id string) (r Removal, err error) {
	cursor := s.QMP.Events().Cursor()
	for {
		r.Span, err = s.Execute(ctx, "device_del", qobject.Members("id", id))
		if err == nil {
			break
		}
		if !busy(err) {
			return r, err
		}
		r.Refused++
	}
	s.watch("DEVICE_DELETED")
	_, err = s.QMP.WaitEvent(ctx, cursor, func(e qmp.Received) bool {
		if e.Name != "DEVICE_DELETED" {
			return false
		}
		device, _ := e.Data.Get("device")
		return device == id
	})
	r.Deleted = s.Clock()
	if err != nil {
		return r, fmt.Errorf("waiting for DEVICE_DELETED of %s: %w", id, err)
	}
	return r, nil
}

// busy tells whether device_del was refused because the guest is bringing the
// device up.
func busy(err error) bool {
	var e *qerr.Error
	return errors.As(err, &e) && strings.HasPrefix(e.Desc, "Hot-unplug failed: guest is busy")
}

// await waits for a line about a port.
func (s *Subject) await(ctx context.Context, cursor int, port Port, event string) (Entry, error) {
	s.watch("the guest to say " + event)
	e, err := s.Log.Wait(ctx, cursor, port.about(event))
	if err != nil {
		return e, fmt.Errorf("waiting for the guest to say %q about slot %d: %w", event, port.Slot, err)
	}
	return e, nil
}
