package monitor

import (
	"github.com/backplane-vm/backplane/coro"
	"github.com/backplane-vm/backplane/internal/chardev"
	"github.com/backplane-vm/backplane/internal/sched"
	"github.com/backplane-vm/backplane/qapi/api"
	"github.com/backplane-vm/backplane/qapi/qerr"
	"github.com/backplane-vm/backplane/qmp"
)

// XMonitorAdd puts a monitor on a character device.
func (h *handlers) XMonitorAdd(_ *qmp.Call, args *api.XMonitorAddArgs) error {
	is := func(p *bool) bool { return p != nil && *p }
	human := args.Mode != nil && *args.Mode == api.XMonitorModeReadline
	switch {
	case !identifier.MatchString(args.Id):
		return qerr.New("Parameter 'id' expects an identifier")
	case h.s.attached[args.Id] != nil:
		return qerr.New("Monitor with id '%s' already exists", args.Id)
	case human && is(args.Pretty):
		return qerr.New("'pretty' is not compatible with HMP monitors")
	}
	dev, err := h.s.config.Chardevs.Use(args.Chardev, nil)
	if err != nil {
		return err
	}
	err = dev.Serve(!is(args.Single), func(_ *sched.Thread, conn chardev.Conn) {
		if human {
			h.s.serveHMP(conn)
		} else {
			h.s.serveQMP(conn, is(args.Pretty), args.Id)
		}
	})
	if err == nil {
		h.s.attached[args.Id] = dev
	}
	return err
}

// XMonitorRemove waits for commands in work on the monitor's clients, so it
// cannot come from one of them. If the wait is given up, or ends with the client
// (one of those may be removing this one's monitor), the monitor is gone all the
// same, and the character device is free once they are done.
func (h *handlers) XMonitorRemove(co *coro.Co, call *qmp.Call, args *api.XMonitorRemoveArgs) error {
	dev := h.s.attached[args.Id]
	switch c, _ := call.Monitor.(*qmpClient); {
	case dev == nil:
		return qerr.New("Monitor '%s' not found", args.Id)
	case c != nil && c.monitor == args.Id:
		return qerr.New("Monitor '%s' cannot remove itself", args.Id)
	}
	if err := co.Err(); err != nil {
		return err
	}
	delete(h.s.attached, args.Id)
	return h.apart(co, call, "x-monitor-remove", dev.Detach)
}
