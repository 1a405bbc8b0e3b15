package launch

import (
	"context"
	"slices"
	"strings"

	"github.com/backplane-vm/backplane/internal/chardev"
	"github.com/backplane-vm/backplane/internal/machine"
	"github.com/backplane-vm/backplane/internal/monitor"
	"github.com/backplane-vm/backplane/internal/opts"
	"github.com/backplane-vm/backplane/qapi/qerr"
)

// planTerminal settles what -nographic puts on the terminal: the console and a
// human monitor that share it, or what of the two no other flag has settled.
func (p *plan) planTerminal() {
	flag := opts.Flag{Where: "-nographic"}
	serial, mon := p.nographic && p.defaults && len(p.serials) == 0, p.nographic && p.defaults && !p.monitorGiven
	switch {
	case serial && mon:
		p.serials = append(p.serials, located[string]{flag, "mon:stdio"})
	case serial:
		p.serials = append(p.serials, located[string]{flag, "stdio"})
	case mon:
		p.monitors = append(p.monitors, monitorArgs{flag: flag, device: "stdio"})
	}
	p.serials = slices.DeleteFunc(p.serials, func(s located[string]) bool { return s.value == "none" })
}

func (vm *VM) openChardevs() error {
	for _, c := range vm.plan.chardevs {
		cfg, err := chardev.ParseOption(c.value)
		if err == nil {
			err = vm.open(cfg)
		}
		if err != nil {
			return c.flag.Wrap(err)
		}
	}
	return nil
}

// open makes a character device; it waits for its first client if it was told
// to. Whoever started the program learns where a pseudo terminal is.
func (vm *VM) open(cfg chardev.Config) error {
	pty, err := vm.chardevs.Add(context.Background(), cfg)
	if pty != "" {
		vm.options.Warn(monitor.Redirected(pty, cfg.Label))
	}
	return err
}

// terminate is Ctrl-A x.
func (vm *VM) terminate() {
	m := vm.Machine
	m.Loop.IOHandler.OneShot("mux-exit", func() { m.RequestShutdown(machine.HostQMPQuit) })
}

// frontend returns the character device that text describes or names
// ("chardev:ID"); a new one gets the label. One behind "mon:" also gets a human
// monitor.
func (vm *VM) frontend(flag opts.Flag, label, text string, breaks func()) (*chardev.Chardev, error) {
	if id, ok := strings.CutPrefix(text, "chardev:"); ok {
		return vm.chardevs.Use(id, breaks)
	}
	cfg, err := chardev.ParseLegacy(label, text)
	if err != nil {
		return nil, err
	}
	if err := vm.open(cfg); err != nil {
		return nil, err
	}
	if cfg.Mux {
		if err := vm.addMonitor(monitorArgs{flag: flag, chardev: label}); err != nil {
			return nil, err
		}
	}
	return vm.chardevs.Use(label, breaks)
}

func (vm *VM) connectConsole() (err error) {
	for i, s := range vm.plan.serials {
		if i > 0 {
			return s.flag.Wrap(qerr.New("machine 'virt' has one serial port"))
		}
		if vm.console == nil {
			return nil
		}
		if vm.console.dev, err = vm.frontend(s.flag, "serial0", s.value, vm.console.sendBreak); err != nil {
			return s.flag.Wrap(err)
		}
		if err := vm.console.attach(vm.Machine.Loop.IOHandler); err != nil {
			return s.flag.Wrap(err)
		}
	}
	return nil
}
