package launch

import (
	"fmt"
	"slices"
	"strings"

	"github.com/backplane-vm/backplane/internal/chardev"
	"github.com/backplane-vm/backplane/internal/machine"
	"github.com/backplane-vm/backplane/internal/machine/virt"
	"github.com/backplane-vm/backplane/internal/monitor"
	"github.com/backplane-vm/backplane/internal/opts"
	"github.com/backplane-vm/backplane/internal/qdev"
	"github.com/backplane-vm/backplane/internal/sched"
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
	console  *console           // nil if the serial port leads nowhere
	chardevs []*chardev.Chardev // in order of creation
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
	vm.planConsole()
	cfg := virt.Config{
		Config: machine.Config{Name: p.name, UUID: p.uuid, Registry: vm.registry, Warn: vm.options.Warn},
		CPUs:   p.cpus, RAM: p.ram, Kernel: p.kernel, Append: p.append, Serial: vm.options.Console,
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
	vm.Monitors, err = monitor.New(m, monitor.Config{
		Version:  qmp.Version{Major: qemuMajor, Minor: qemuMinor, Micro: qemuMicro, Package: "backplane " + Version},
		Chardevs: vm.describeChardevs, Options: commandLineOptions(),
	})
	if err != nil {
		return err
	}
	for _, step := range []func() error{vm.openChardevs, vm.connectConsole, vm.plug} {
		if err := step(); err != nil {
			return err
		}
	}
	return vm.openMonitors()
}

// planConsole settles where the serial port leads.
func (vm *VM) planConsole() {
	p := vm.plan
	if p.nographic && len(p.serials) == 0 {
		p.serials = append(p.serials, located[string]{opts.Flag{Where: "-nographic"}, "stdio"})
	}
	p.serials = slices.DeleteFunc(p.serials, func(s located[string]) bool { return s.value == "none" })
}

func (vm *VM) openChardevs() error {
	for _, c := range vm.plan.chardevs {
		cfg, err := chardev.ParseOption(c.value)
		if err == nil {
			_, err = vm.open(cfg)
		}
		if err != nil {
			return c.flag.Wrap(err)
		}
	}
	return nil
}

// open makes a character device and waits for its first client if it was told
// to.
func (vm *VM) open(cfg chardev.Config) (*chardev.Chardev, error) {
	if vm.chardev(cfg.Label) != nil {
		return nil, qerr.New("Chardev with id '%s' already exists", cfg.Label)
	}
	if cfg.Mux {
		return nil, qerr.New("backplane does not share a character device between frontends (mux) in this build")
	}
	d, err := chardev.Open(vm.Machine.World, cfg, vm.options.Terminal)
	if err != nil {
		return nil, err
	}
	vm.chardevs = append(vm.chardevs, d)
	return d, d.WaitClient(func(filename string) { vm.options.Warn("info: QEMU waiting for connection on: " + filename) })
}

func (vm *VM) chardev(label string) *chardev.Chardev {
	for _, d := range vm.chardevs {
		if d.Label() == label {
			return d
		}
	}
	return nil
}

// frontend returns the character device that text describes or names
// ("chardev:ID"); a new one gets the label.
func (vm *VM) frontend(label, text string) (*chardev.Chardev, error) {
	if id, ok := strings.CutPrefix(text, "chardev:"); ok {
		if d := vm.chardev(id); d != nil {
			return d, nil
		}
		return nil, qerr.New("chardev \"%s\" not found", id)
	}
	cfg, err := chardev.ParseLegacy(label, text)
	if err != nil {
		return nil, err
	}
	return vm.open(cfg)
}

func (vm *VM) connectConsole() (err error) {
	for i, s := range vm.plan.serials {
		if i > 0 {
			return s.flag.Wrap(qerr.New("machine 'virt' has one serial port"))
		}
		if vm.console == nil {
			return nil
		}
		if vm.console.dev, err = vm.frontend("serial0", s.value); err != nil {
			return s.flag.Wrap(err)
		}
		if err := vm.console.attach(vm.Machine.Loop.IOHandler); err != nil {
			return s.flag.Wrap(err)
		}
	}
	return nil
}

func (vm *VM) openMonitors() error {
	made := 0
	for _, mon := range vm.plan.monitors {
		d, err := vm.monitorDevice(mon, made)
		if mon.chardev == "" {
			made++
		}
		if err == nil {
			err = d.Serve(true, func(_ *sched.Thread, conn chardev.Conn) {
				if mon.control {
					vm.Monitors.ServeQMP(conn, mon.pretty)
				} else {
					vm.Monitors.ServeHMP(conn)
				}
			})
		}
		if err != nil {
			return mon.flag.Wrap(err)
		}
	}
	return nil
}

func (vm *VM) monitorDevice(mon monitorArgs, n int) (*chardev.Chardev, error) {
	if mon.chardev == "" {
		return vm.frontend(fmt.Sprintf("compat_monitor%d", n), mon.device)
	}
	if d := vm.chardev(mon.chardev); d != nil {
		return d, nil
	}
	return nil, qerr.New("chardev \"%s\" not found", mon.chardev)
}

// plug makes disks and devices, in QEMU's order.
func (vm *VM) plug() (err error) {
	m := vm.Machine
	m.Locked("devices", func() {
		for _, n := range vm.plan.nodes {
			if err = n.flag.Wrap(monitor.AddNode(m.Blocks, n.value)); err != nil {
				return
			}
		}
		for i := range vm.plan.drives {
			d := &vm.plan.drives[i]
			if err = d.flag.Wrap(vm.addDrive(&d.value, i)); err != nil {
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

// addDrive makes the node of a -drive and, unless it is if=none, the device.
func (vm *VM) addDrive(d *opts.Drive, n int) error {
	switch d.Interface {
	case "none", "virtio", "":
	default:
		return qerr.New("machine type does not support if=%s,bus=%d,unit=%d", d.Interface, max(d.Bus, 0), max(d.Unit, 0))
	}
	node, err := driveNode(d)
	if err != nil {
		return err
	}
	id := d.ID
	if id == "" {
		id = fmt.Sprintf("virtio%d", n)
	}
	if err := monitor.AddDrive(vm.Machine.Blocks, id, node); err != nil {
		return err
	}
	if d.Interface != "none" {
		args := qobject.Members("driver", "virtio-blk-pci", "drive", id)
		_, err = vm.Machine.Devices.Add(args, qdev.KeyVal)
	}
	return err
}

func (vm *VM) describeChardevs() []monitor.Chardev {
	var list []monitor.Chardev
	for _, d := range vm.chardevs {
		list = append(list, monitor.Chardev{Label: d.Label(), Filename: d.Filename(), Open: d.FrontendOpen()})
	}
	return list
}

// Start lets the machine run: the guest too, unless -S was given.
func (vm *VM) Start() error {
	vm.Machine.Start()
	if vm.plan.paused {
		return nil
	}
	return vm.Machine.Do("start", vm.Machine.Cont)
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
	for _, d := range vm.chardevs {
		d.Close()
	}
	vm.Machine.Close()
}
