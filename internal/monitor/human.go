package monitor

import (
	"maps"

	"github.com/backplane-vm/backplane/coro"
	"github.com/backplane-vm/backplane/hmp"
	"github.com/backplane-vm/backplane/internal/opts"
	"github.com/backplane-vm/backplane/qapi/api"
	"github.com/backplane-vm/backplane/qapi/qerr"
	"github.com/backplane-vm/backplane/qmp"
)

// humanCommand runs one line of the human monitor and returns what it prints.
// It is a coroutine because the line's command may be one: a human monitor
// that nobody sits at has no prompt to come back to, so the answer waits.
func (s *Set) humanCommand(co *coro.Co, args *api.HumanMonitorCommandArgs) (string, error) {
	c, err := s.collect(args)
	if err != nil {
		return "", err
	}
	switch inv := c.Invocation; {
	case inv == nil:
	case inv.Coroutine():
		inv.RunCo(co)
		if gaveUp := co.Err(); gaveUp != nil && inv.Err() != nil {
			return "", gaveUp
		}
	default:
		s.ordinary(co, s.m.Loop.IOHandler, inv.Name(), inv.Run)
	}
	return c.Text(), nil
}

// collect parses the line of human-monitor-command.
func (s *Set) collect(args *api.HumanMonitorCommandArgs) (*hmp.Collected[*coro.Co], error) {
	cfg := s.hmpConfig()
	if args.CpuIndex != nil {
		i := *args.CpuIndex
		if i < 0 || i >= int64(len(s.m.CPUs())) {
			return nil, qerr.New("Parameter 'cpu-index' expects a CPU number")
		}
		cfg.CPU = int(i)
	}
	return hmp.Collect(cfg, args.CommandLine), nil
}

func (s *Set) hmpConfig() hmp.Config[*coro.Co] {
	return hmp.Config[*coro.Co]{
		Table: s.human(), Version: s.versionText(), CPU: hmp.NoCPU, Formats: s.formats, Owner: s,
		Registers: s.registers,
		Hooks: hmp.Hooks{
			Options: parseOptions,
			Report:  func(err error) { s.m.Warn(err.Error()) },
			Blocks:  s.driveNames,
			Files:   completeFiles,
		},
	}
}

func parseOptions(_, text string) (any, error) { return opts.ParseOpts(text, "driver") }

// driveNames are what QEMU proposes for a disk: nodes are not.
func (s *Set) driveNames() []string {
	var names []string
	for _, b := range s.m.Blocks.Backends() {
		if name := b.Name(); name != "" {
			names = append(names, name)
		}
	}
	return names
}

func (s *Set) nodeNames() []string {
	var names []string
	for _, n := range s.m.Blocks.Nodes() {
		names = append(names, n.Name())
	}
	return names
}

// humanTable binds what this machine has to the standard commands.
func (h *handlers) humanTable() (*hmp.Table[*coro.Co], error) {
	bound := hmp.Handlers[*coro.Co]{}
	for _, part := range h.humanParts() {
		maps.Copy(bound, part)
	}
	maps.Copy(bound, h.s.config.ExtraHuman)
	return hmp.StandardTable(bound)
}

// humanParts are the handlers of human commands, subject by subject.
func (h *handlers) humanParts() []hmp.Handlers[*coro.Co] {
	return []hmp.Handlers[*coro.Co]{
		h.humanRun(), h.humanDevices(), h.humanChardevs(), h.humanMemory(), h.humanObjects(), h.humanMachine(),
		h.humanQueries(), h.humanActions(), h.humanMedia(), h.humanDescriptors(), h.humanVirtio(), h.humanBoard(), h.humanPorts(),
		h.humanLog(), h.humanProfile(),
	}
}

// humanRun are the human commands that let the machine run and end.
func (h *handlers) humanRun() hmp.Handlers[*coro.Co] {
	plain := func(f func(*qmp.Call) error) hmp.Handler[*coro.Co] {
		return hmp.Handler[*coro.Co]{Run: func(*hmp.Call, *hmp.Args) error { return f(nil) }}
	}
	yields := func(f func(*coro.Co, *qmp.Call) error) hmp.Handler[*coro.Co] {
		return hmp.Handler[*coro.Co]{RunCo: func(co *coro.Co, _ *hmp.Call, _ *hmp.Args) error { return f(co, nil) }}
	}
	return hmp.Handlers[*coro.Co]{
		"quit":             plain(h.Quit),
		"cont":             yields(h.Cont),
		"stop":             yields(h.Stop),
		"system_reset":     yields(h.SystemReset),
		"system_powerdown": plain(h.SystemPowerdown),
	}
}

// humanDevices are the human commands for devices, and what info says of them.
func (h *handlers) humanDevices() hmp.Handlers[*coro.Co] {
	plain := func(f func(*hmp.Call) error) hmp.Handler[*coro.Co] {
		return hmp.Handler[*coro.Co]{Run: func(call *hmp.Call, _ *hmp.Args) error { return f(call) }}
	}
	return hmp.Handlers[*coro.Co]{
		"block_resize":          {RunCo: h.humanBlockResize},
		"block_set_io_throttle": {Run: h.humanSetThrottle},
		"device_add":            {RunCo: h.humanDeviceAdd, Complete: h.completeDeviceAdd},
		"device_del": {Run: func(_ *hmp.Call, args *hmp.Args) error {
			return h.m.Devices.Del(args.String("id"))
		}, Complete: h.completeDeviceID},
		"info version": plain(h.infoVersion),
		"info status":  plain(h.infoStatus),
		"info name":    plain(h.infoName),
		"info uuid":    plain(h.infoUUID),
		"info cpus":    plain(h.infoCPUs),
		"info pci":     plain(h.infoPCI),
		"info block":   {Run: h.infoBlock},
		"info qtree":   {Run: h.infoQTree},
		"info mtree":   {Run: h.infoMTree},
	}
}

// humanDeviceAdd is device_add; an option "help" or "?" asks what there is.
func (h *handlers) humanDeviceAdd(co *coro.Co, call *hmp.Call, args *hmp.Args) error {
	o, ok := args.Options("device").Value.(*opts.Opts)
	if !ok { // the line ended behind the command
		o = new(opts.Opts)
	}
	if text, ok, err := DeviceHelp(h.m.Devices.Registry(), o); ok {
		call.Printf("%s", text)
		return err
	}
	return h.addByPolicy(co, o.Dict())
}

func (h *handlers) completeDeviceID(args []string) []string {
	if len(args) > 1 {
		return nil
	}
	var ids []string
	for o := range h.m.QOM.Container("/machine/peripheral").Children() {
		ids = append(ids, o.Name())
	}
	return ids
}
