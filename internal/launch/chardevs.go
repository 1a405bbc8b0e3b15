package launch

import (
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

// baseSuffix is what QEMU puts behind the label of a device that a mux shares.
const baseSuffix = "-base"

// open makes a character device, a mux over it if that is asked for, and waits
// for its first client if it was told to.
func (vm *VM) open(cfg chardev.Config) error {
	label := cfg.Label
	if vm.chardev(label) != nil || vm.mux(label) != nil {
		return qerr.New("Chardev with id '%s' already exists", label)
	}
	if cfg.Mux {
		cfg.Label += baseSuffix
	}
	d, err := chardev.Open(vm.Machine.World, cfg, vm.options.Terminal)
	if err != nil {
		return err
	}
	vm.chardevs = append(vm.chardevs, d)
	if cfg.Mux {
		vm.muxes = append(vm.muxes, chardev.NewMux(d, label, vm.terminate))
	}
	return d.WaitClient(func(filename string) { vm.options.Warn("info: QEMU waiting for connection on: " + filename) })
}

// terminate is Ctrl-A x.
func (vm *VM) terminate() {
	m := vm.Machine
	m.Loop.IOHandler.OneShot("mux-exit", func() { m.RequestShutdown(machine.HostQMPQuit) })
}

func (vm *VM) chardev(label string) *chardev.Chardev {
	for _, d := range vm.chardevs {
		if d.Label() == label {
			return d
		}
	}
	return nil
}

func (vm *VM) mux(label string) *chardev.Mux {
	for _, x := range vm.muxes {
		if x.Label() == label {
			return x
		}
	}
	return nil
}

// use returns the character device called label for a frontend: of a mux, a
// share. breaks is called when a break is sent over a mux; nil ignores it.
func (vm *VM) use(label string, breaks func()) (*chardev.Chardev, error) {
	if x := vm.mux(label); x != nil {
		return x.Add(breaks)
	}
	if d := vm.chardev(label); d != nil {
		return d, nil
	}
	return nil, qerr.New("chardev \"%s\" not found", label)
}

// frontend returns the character device that text describes or names
// ("chardev:ID"); a new one gets the label. One behind "mon:" also gets a human
// monitor.
func (vm *VM) frontend(flag opts.Flag, label, text string, breaks func()) (*chardev.Chardev, error) {
	if id, ok := strings.CutPrefix(text, "chardev:"); ok {
		return vm.use(id, breaks)
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
	return vm.use(label, breaks)
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

// startMuxes lets shared devices be read: all who share them are there.
func (vm *VM) startMuxes() error {
	for _, x := range vm.muxes {
		if err := x.Start(); err != nil {
			return err
		}
	}
	return nil
}

// describeChardevs is for query-chardev.
func (vm *VM) describeChardevs() []monitor.Chardev {
	var list []monitor.Chardev
	for _, x := range vm.muxes {
		list = append(list, monitor.Chardev{Label: x.Label(), Filename: "mux", Open: x.FrontendOpen()})
	}
	for _, d := range vm.chardevs {
		list = append(list, monitor.Chardev{Label: d.Label(), Filename: d.Filename(), Open: d.FrontendOpen()})
	}
	return list
}
