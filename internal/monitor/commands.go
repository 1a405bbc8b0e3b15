package monitor

import (
	"fmt"
	"sync"

	"github.com/backplane-vm/backplane/coro"
	"github.com/backplane-vm/backplane/hmp"
	"github.com/backplane-vm/backplane/internal/machine"
	"github.com/backplane-vm/backplane/qapi/api"
	"github.com/backplane-vm/backplane/qapi/qerr"
	"github.com/backplane-vm/backplane/qapi/qobject"
	"github.com/backplane-vm/backplane/qmp"
)

// handlers implements api.Commands over a machine. Its methods run under the
// BQL in the context that Set chose; see the package comment.
type handlers struct {
	s *Set
	m *machine.Machine

	migrationEvents bool // the capability; BQL, as the next
	dump            dump // the latest
}

// bindCommands makes the table of QMP commands, and that of the human ones as
// soon as somebody asks: a tenth of what a machine takes to start.
func (s *Set) bindCommands() error {
	s.commands = qmp.NewRegistry[*coro.Co]()
	h := &handlers{s: s, m: s.m}
	for _, c := range append(h.commandTable(), s.config.Extra...) {
		if err := s.commands.Add(c); err != nil {
			return fmt.Errorf("monitor: %w", err)
		}
	}
	s.human = sync.OnceValue(func() *hmp.Table[*coro.Co] {
		table, err := h.humanTable()
		if err != nil {
			panic(fmt.Sprintf("monitor: the human commands: %v", err)) // its tests make one
		}
		return table
	})
	return nil
}

// QmpCapabilities is answered by the session, which has the state; it comes
// here only if it is sent where there is none.
func (h *handlers) QmpCapabilities(*qmp.Call, *api.QmpCapabilitiesArgs) error {
	return qerr.Newc(qerr.CommandNotFound, "Capabilities negotiation is already complete, command ignored")
}

func (h *handlers) QueryVersion(*qmp.Call) (*api.VersionInfo, error) {
	v := h.s.version
	return &api.VersionInfo{
		Qemu:    api.VersionTriple{Major: v.Major, Minor: v.Minor, Micro: v.Micro},
		Package: v.Package,
	}, nil
}

func (h *handlers) QueryCommands(*qmp.Call) ([]api.CommandInfo, error) {
	names := h.s.commands.Names()
	list := make([]api.CommandInfo, 0, len(names))
	for i := len(names) - 1; i >= 0; i-- { // newest first, as QEMU
		if h.s.commands.Enabled(names[i]) {
			list = append(list, api.CommandInfo{Name: names[i]})
		}
	}
	return list, nil
}

func (h *handlers) QueryQmpSchema(*qmp.Call, *qobject.Dict) (any, error) {
	return qobject.Encoded(api.IntrospectionJSON), nil
}

func (h *handlers) QueryCommandLineOptions(_ *qmp.Call, args *api.QueryCommandLineOptionsArgs) ([]api.CommandLineOptionInfo, error) {
	if args.Option == nil {
		return h.s.config.Options, nil
	}
	for _, o := range h.s.config.Options {
		if o.Option == *args.Option {
			return []api.CommandLineOptionInfo{o}, nil
		}
	}
	return nil, qerr.New("invalid option name: %s", *args.Option)
}

func (h *handlers) Quit(*qmp.Call) error {
	h.m.RequestShutdown(machine.HostQMPQuit)
	return nil
}

func (h *handlers) HumanMonitorCommand(co *coro.Co, _ *qmp.Call, args *api.HumanMonitorCommandArgs) (string, error) {
	return h.s.humanCommand(co, args)
}
