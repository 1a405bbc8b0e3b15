package monitor

import (
	"github.com/backplane-vm/backplane/internal/machine"
	"github.com/backplane-vm/backplane/qapi/api"
	"github.com/backplane-vm/backplane/qmp"
)

// event tells all QMP clients what happened to the machine. It runs under the
// BQL.
func (s *Set) event(e machine.Event) {
	if _, ok := e.(machine.ShuttingDown); ok && s.m.Ending() {
		s.over.Store(true)
	}
	wall := s.m.World.Wall()
	at := qmp.Timestamp{Seconds: wall.Unix(), Microseconds: int64(wall.Nanosecond() / 1000)}
	s.events.event(stamped{wire(e), at})
}

// tell sends an event to all QMP clients.
func (s *Set) tell(e stamped) { s.each(func(c *qmpClient) { c.event(e.Event, e.at) }) }

// wire puts an event of the machine into QMP's form.
func wire(e machine.Event) qmp.Event {
	switch e := e.(type) {
	case machine.Stopped:
		return api.EventStop()
	case machine.Resumed:
		return api.EventResume()
	case machine.PoweringDown:
		return api.EventPowerdown()
	case machine.WasReset:
		return api.EventReset(api.ResetEvent{Guest: e.Cause.Guest(), Reason: api.ShutdownCause(e.Cause)})
	case machine.ShuttingDown:
		return api.EventShutdown(api.ShutdownEvent{Guest: e.Cause.Guest(), Reason: api.ShutdownCause(e.Cause)})
	case machine.DeviceDeleted:
		return api.EventDeviceDeleted(api.DeviceDeletedEvent{Device: optional(e.ID), Path: e.Path})
	case machine.DumpCompleted:
		return api.EventDumpCompleted(api.DumpCompletedEvent{
			Result: api.DumpQueryResult{Status: api.DumpStatus(e.Status), Completed: e.Completed, Total: e.Total},
			Error:  optional(e.Error),
		})
	case machine.IOError:
		return ioError(e)
	case machine.WriteThreshold:
		return api.EventBlockWriteThreshold(api.BlockWriteThresholdEvent{
			NodeName: e.Node, AmountExceeded: e.Amount, WriteThreshold: e.Threshold,
		})
	case machine.DeviceUnplugError:
		return api.EventDeviceUnplugGuestError(api.DeviceUnplugGuestErrorEvent{Device: optional(e.ID), Path: e.Path})
	}
	panic("monitor: event of unknown type")
}

// optional is nil for "".
func optional(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}
