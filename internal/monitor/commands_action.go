package monitor

import (
	"github.com/backplane-vm/backplane/internal/machine"
	"github.com/backplane-vm/backplane/qapi/api"
	"github.com/backplane-vm/backplane/qapi/qerr"
	"github.com/backplane-vm/backplane/qmp"
)

// SetAction implements api.Commands.
func (h *handlers) SetAction(_ *qmp.Call, args *api.SetActionArgs) error {
	SetActions(h.m, args)
	return nil
}

// SetActions says what happens when something ends; what args does not mention
// stays. The caller holds the BQL.
func SetActions(m *machine.Machine, args *api.SetActionArgs) {
	a := m.Actions()
	if args.Reboot != nil {
		a.Reboot = string(*args.Reboot)
	}
	if args.Panic != nil {
		a.Panic = string(*args.Panic)
	}
	if args.Shutdown != nil {
		a.Shutdown = string(*args.Shutdown)
	}
	if args.Watchdog != nil {
		a.Watchdog = string(*args.Watchdog)
	}
}

// WatchdogSetAction implements api.Commands.
func (h *handlers) WatchdogSetAction(_ *qmp.Call, args *api.WatchdogSetActionArgs) error {
	h.m.Actions().Watchdog = string(args.Action)
	return nil
}

func (h *handlers) QueryCurrentMachine(*qmp.Call) (*api.CurrentMachineParams, error) {
	return &api.CurrentMachineParams{}, nil
}

func (h *handlers) SystemWakeup(*qmp.Call) error {
	return qerr.New("wake-up from suspend is not supported by this guest")
}

func (h *handlers) InjectNmi(*qmp.Call) error {
	return qerr.New("machine does not provide NMIs")
}

func (h *handlers) XExitPreconfig(*qmp.Call) error {
	return qerr.New("The command is permitted only before machine initialization")
}
