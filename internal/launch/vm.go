package launch

import (
	"github.com/backplane-vm/backplane/coro"
	"github.com/backplane-vm/backplane/internal/chardev"
	"github.com/backplane-vm/backplane/internal/machine"
	"github.com/backplane-vm/backplane/internal/machine/virt"
	"github.com/backplane-vm/backplane/internal/monitor"
	"github.com/backplane-vm/backplane/internal/opts"
	"github.com/backplane-vm/backplane/internal/qdev"
	"github.com/backplane-vm/backplane/qapi/qerr"
	"github.com/backplane-vm/backplane/qapi/qobject"
	"github.com/backplane-vm/backplane/qmp"
)

// Options are what New takes from its surroundings.
type Options struct {
	// Terminal is what stdio devices are; the zero Terminal refuses them.
	Terminal chardev.Terminal
	// Warn takes messages for whoever runs the machine; nil drops them.
	Warn func(text string)
	// Console, if set, takes what the guest prints instead of -serial.
	Console virt.Serial
	// KeepProcessors forbids Start to raise GOMAXPROCS.
	KeepProcessors bool
}

// A VM is a machine with all that its command line asked for.
type VM struct {
	// Machine is the machine itself.
	Machine *machine.Machine
	// Monitors are its management plane.
	Monitors *monitor.Set

	options  Options
	plan     *plan
	registry *qdev.Registry
	console  *console     // nil if the serial port leads nowhere
	chardevs *chardev.Set // set once there is a machine
	monitors []servedMonitor
}

// New builds a machine, stopped. An error is a *qerr.Error with QEMU's words,
// or a [*Help]; nothing is left then.
func New(args []string, o Options) (vm *VM, err error) {
	registry, err := virt.NewRegistry()
	if err != nil {
		return nil, err
	}
	p, err := read(args, registry)
	if err != nil {
		return nil, err
	}
	if p.help != "" {
		return nil, &Help{p.help}
	}
	if o.Warn == nil {
		o.Warn = func(string) {}
	}
	for _, w := range p.warnings {
		o.Warn(w)
	}
	vm = &VM{options: o, plan: p, registry: registry}
	defer func() {
		if err != nil {
			vm.Close()
			vm = nil
		}
	}()
	return vm, vm.build()
}

func (vm *VM) build() error {
	p := vm.plan
	p.planTerminal()
	cfg := virt.Config{
		Config:  machine.Config{Name: p.name, UUID: p.uuid, Registry: vm.registry, Warn: vm.options.Warn},
		Objects: p.makeObjects, MemoryBackend: p.mainMemory, MaxCPUs: p.maxCPUs, Slots: p.slots, MaxRAM: p.maxRAM,
		CPUs: p.cpus, RAM: p.ram, Kernel: p.kernel, Append: p.append, Serial: vm.options.Console,
	}
	if cfg.Serial == nil && len(p.serials) > 0 {
		vm.console = new(console)
		cfg.Serial = vm.console
	}
	m, err := virt.New(cfg)
	if err != nil {
		return err
	}
	vm.Machine = m
	m.Locked("actions", func() { monitor.SetActions(m, &p.actions) })
	vm.chardevs = chardev.NewSet(m.World, chardev.SetConfig{
		Host: chardev.Host{Terminal: vm.options.Terminal, Files: m.Files, Objects: monitor.SocketObjects(m)}, Exit: vm.terminate, Inform: vm.options.Warn,
	})
	vm.Monitors, err = monitor.New(m, monitor.Config{
		Version:  qmp.Version{Major: qemuMajor, Minor: qemuMinor, Micro: qemuMicro, Package: "backplane " + Version},
		Chardevs: vm.chardevs, Options: commandLineOptions(), Policy: p.dispatch,
	})
	if err != nil {
		return err
	}
	for _, step := range []func() error{
		vm.startLog, vm.openChardevs, vm.makeMonitors, vm.connectConsole, vm.plug, vm.serveMonitors, vm.chardevs.Start,
	} {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

// plug makes disks and devices, in QEMU's order.
func (vm *VM) plug() (err error) {
	m := vm.Machine
	m.Locked("devices", func() {
		for _, n := range vm.plan.nodes {
			if err = n.flag.Wrap(monitor.AddNode(nil, m.Blocks, n.value)); err != nil {
				return
			}
		}
		for i := range vm.plan.drives {
			d := &vm.plan.drives[i]
			if err = d.flag.Wrap(vm.addDrive(&d.value)); err != nil {
				return
			}
		}
		for _, d := range vm.plan.inOrder() {
			if _, err = m.Devices.Add(d.value.args, d.value.flavour); err != nil {
				err = d.flag.Wrap(err)
				return
			}
		}
	})
	return err
}

// addDrive makes the backend of a -drive and, unless it is if=none, the device.
func (vm *VM) addDrive(d *opts.Drive) error {
	switch d.Interface {
	case "":
		d.Interface = "virtio"
	case "none", "virtio":
	default:
		return qerr.New("machine type does not support if=%s,bus=%d,unit=%d", d.Interface, max(d.Bus, 0), max(d.Unit, 0))
	}
	b, err := monitor.AddDrive(nil, vm.Machine.Blocks, d)
	if err == nil && d.Interface != "none" {
		args := qobject.Members("driver", "virtio-blk-pci", "drive", b.Name())
		_, err = vm.Machine.Devices.Add(args, qdev.KeyVal)
	}
	return err
}

// Start lets the machine run: the guest too, unless -S was given. It makes
// room for the harts among the process's goroutines ([Options].KeepProcessors).
func (vm *VM) Start() error {
	if !vm.options.KeepProcessors {
		reserveProcessors(len(vm.Machine.CPUs()))
	}
	vm.Machine.Start()
	if vm.plan.paused {
		return nil
	}
	return vm.Machine.Do("start", func(co *coro.Co) { _ = vm.Machine.Cont(co) }) // nobody cancels it
}

// Close takes everything down and blocks until it is gone.
func (vm *VM) Close() {
	if vm.Monitors != nil {
		vm.Monitors.Close()
	}
	if vm.Machine == nil {
		return
	}
	vm.Machine.StopCPUs()
	if vm.console != nil {
		vm.console.close()
	}
	vm.chardevs.Close()
	vm.Machine.Close()
}
