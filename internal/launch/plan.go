package launch

import (
	"regexp"
	"strings"

	"github.com/backplane-vm/backplane/internal/chardev"
	"github.com/backplane-vm/backplane/internal/machine"
	"github.com/backplane-vm/backplane/internal/monitor"
	"github.com/backplane-vm/backplane/internal/opts"
	"github.com/backplane-vm/backplane/internal/qdev"
	"github.com/backplane-vm/backplane/qapi/api"
	"github.com/backplane-vm/backplane/qapi/qerr"
	"github.com/backplane-vm/backplane/qapi/qobject"
	"github.com/backplane-vm/backplane/qapi/visit"
)

// defaultRAM is the size of memory without -m, in bytes: QEMU's for virt.
const defaultRAM = 128 << 20

// plan is a command line that has been read and checked as far as that is
// possible without a machine.
type plan struct {
	cpus, maxCPUs  int
	ram            uint64
	kernel, append string
	name, uuid     string
	paused         bool // -S
	defaults       bool // no -nodefaults
	nographic      bool
	monitorGiven   bool                          // -monitor, -mon, -qmp
	objects        []located[*api.ObjectOptions] // -object
	mainMemory     string                        // -machine memory-backend=
	slots          uint64                        // -m slots=, maxmem=
	maxRAM         uint64
	actions        api.SetActionArgs    // -action, -no-reboot, -no-shutdown
	logItems       located[string]      // -d
	logFile        located[string]      // -D
	inherited      []located[inherited] // -add-fd
	nodes          []located[*api.BlockdevOptions]
	drives         []located[opts.Drive]
	devices        []located[deviceArgs]
	chardevs       []located[string] // -chardev
	monitors       []monitorArgs
	serials        []located[string]
	dispatch       monitor.Policy // -x-dispatch; "" for ours
	help           string         // text to print instead of running
	warnings       []string
}

// located is a value with the flag it came from, for messages.
type located[T any] struct {
	flag  opts.Flag
	value T
}

type deviceArgs struct {
	args    *qobject.Dict
	flavour qdev.Flavour
}

// monitorArgs is a monitor to be made: on a chardev of its own (-qmp,
// -monitor) or on one that is named (-mon).
type monitorArgs struct {
	flag    opts.Flag
	device  string // a chardev description, or
	chardev string // the id of a -chardev
	control bool   // QMP, else HMP
	pretty  bool
	single  bool // clients of a socket one after the other, as QEMU
}

// read makes a plan of args. Messages have QEMU's words and name the flag.
func read(args []string, registry *qdev.Registry) (*plan, error) {
	flags, err := opts.ParseCommandLine(args)
	if err != nil {
		return nil, err
	}
	p := &plan{cpus: 1, ram: defaultRAM, defaults: true}
	for _, f := range flags {
		if err := p.take(f, registry); err != nil {
			return nil, err
		}
		if p.help != "" {
			return p, nil
		}
	}
	return p, nil
}

// take reads one flag.
func (p *plan) take(f opts.Flag, registry *qdev.Registry) (err error) {
	switch f.Name {
	case "":
		return qerr.New("%s: a disk image as an argument of its own is not supported; use -drive or -blockdev", f.Value)
	case "help":
		p.help = helpText
	case "version":
		p.help = versionText
	case "S":
		p.paused = true
	case "nodefaults":
		p.defaults = false
	case "nographic":
		p.nographic = true
	case "no-user-config": // there is none
	case "kernel":
		p.kernel = f.Value
	case "append":
		p.append = f.Value
	case "machine", "accel", "cpu", "display", "bios", "global":
		return f.Wrap(p.takeKind(f))
	case "smp", "m", "name", "uuid":
		return f.Wrap(p.takeSize(f))
	case "blockdev", "drive", "device":
		return f.Wrap(p.takeDevice(f, registry))
	case "add-fd":
		return f.Wrap(p.takeInherited(f))
	case "object":
		return f.Wrap(p.takeObject(f))
	case "action", "no-reboot", "no-shutdown":
		return f.Wrap(p.takeAction(f))
	case "d", "D":
		p.takeLog(f)
	case "chardev":
		if f.Value == "help" || f.Value == "?" {
			p.help = chardev.Help()
			return nil
		}
		p.chardevs = append(p.chardevs, located[string]{f, f.Value})
	case "serial":
		p.serials = append(p.serials, located[string]{f, f.Value})
	case "monitor":
		p.monitorGiven = true
		if f.Value != "none" {
			p.monitors = append(p.monitors, monitorArgs{flag: f, device: f.Value})
		}
	case "qmp", "qmp-pretty":
		p.monitorGiven = true
		p.monitors = append(p.monitors, monitorArgs{flag: f, device: f.Value, control: true, pretty: f.Name == "qmp-pretty"})
	case "x-dispatch":
		p.dispatch, err = monitor.ParsePolicy(f.Value)
		return f.Wrap(err)
	case "mon":
		p.monitorGiven = true
		return f.Wrap(p.takeMon(f))
	default:
		return qerr.New("%s: backplane does not have this option of QEMU's", f.Where)
	}
	return nil
}

// takeKind reads what kind of machine it is. There is one of each, so these
// flags only say so or are refused.
func (p *plan) takeKind(f opts.Flag) error {
	switch f.Name {
	case "machine":
		return p.takeMachine(f.Value)
	case "accel":
		return p.takeAccel(f.Value)
	case "cpu":
		switch f.Value {
		case "help":
			p.help = "Available CPUs:\n  rv64\n"
		case "rv64":
		default:
			return qerr.New("unable to find CPU model '%s'", f.Value)
		}
	case "display":
		if f.Value != "none" {
			return qerr.New("this build has no display; use -display none")
		}
	case "bios":
		if f.Value != "none" && f.Value != "default" {
			return qerr.New("this build does not load firmware; use -bios none")
		}
	case "global":
		return qerr.New("this build does not have -global; set the property where the device is made")
	}
	return nil
}

func (p *plan) takeMachine(text string) error {
	d, help, err := opts.ParseKeyval(text, "type")
	if err != nil {
		return err
	}
	for _, key := range d.Keys() {
		v, _ := d.Get(key)
		s, _ := v.(string)
		switch key {
		case "type":
			if s == "help" {
				help = true
			} else if s != "virt" {
				return qerr.New("unsupported machine type: \"%s\"", s).WithHint("Use -machine help to list supported machines\n")
			}
		case "accel":
			if err := p.takeAccel(s); err != nil {
				return err
			}
		case "memory-backend":
			p.mainMemory = s
		default:
			return qerr.New("Property 'virt-machine.%s' not found", key)
		}
	}
	if help {
		p.help = "Supported machines are:\nvirt                 RISC-V VirtIO board\n"
	}
	return nil
}

func (p *plan) takeAccel(text string) error {
	switch name, _, _ := strings.Cut(text, ","); name {
	case "help":
		p.help = "Accelerators supported by backplane:\nrv64\n"
	case "rv64", "tcg": // clients of QEMU ask for emulation by this name
	default:
		return qerr.New("invalid accelerator %s", name)
	}
	return nil
}

var uuidForm = regexp.MustCompile(`^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}$`)

func (p *plan) takeSize(f opts.Flag) error {
	switch f.Name {
	case "smp":
		t, err := opts.ParseSMP(f.Value, "virt", machine.MaxCPUs)
		if err != nil {
			return err
		}
		p.cpus, p.maxCPUs = t.CPUs, t.MaxCPUs
	case "m":
		mem, err := opts.ParseMemory(f.Value, defaultRAM)
		if err != nil {
			return err
		}
		p.ram, p.slots, p.maxRAM = mem.Size, mem.Slots, mem.MaxSize
	case "name":
		o, err := opts.ParseOpts(f.Value, "guest")
		if err != nil {
			return err
		}
		p.name = o.String("guest", "")
	case "uuid":
		if !uuidForm.MatchString(f.Value) {
			return qerr.New("failed to parse UUID string: wrong format")
		}
		p.uuid = strings.ToLower(f.Value)
	}
	return nil
}

func (p *plan) takeDevice(f opts.Flag, registry *qdev.Registry) error {
	switch f.Name {
	case "blockdev":
		d, json, _, err := opts.ParseObject(f.Value, "driver")
		if err != nil {
			return err
		}
		o, err := decodeNode(d, json)
		if err != nil {
			return err
		}
		p.nodes = append(p.nodes, located[*api.BlockdevOptions]{f, o})
	case "drive":
		d, err := opts.ParseDrive(f.Value)
		if err != nil {
			return err
		}
		p.drives = append(p.drives, located[opts.Drive]{f, d})
	case "device":
		return p.takeDeviceArgs(f, registry)
	}
	return nil
}

func decodeNode(d *qobject.Dict, json bool) (*api.BlockdevOptions, error) {
	in := visit.New(d, flavour(json))
	o := api.DecodeBlockdevOptions(in)
	return &o, in.Err()
}

func (p *plan) takeMon(f opts.Flag) error {
	o, err := opts.ParseOpts(f.Value, "chardev")
	if err != nil {
		return err
	}
	if err := o.Check(opts.Schema{"chardev": opts.Text, "mode": opts.Text, "pretty": opts.Switch, "x-single": opts.Switch}); err != nil {
		return err
	}
	m := monitorArgs{flag: f, chardev: o.String("chardev", "")}
	switch mode := o.String("mode", "readline"); mode {
	case "control":
		m.control = true
	case "readline":
	default:
		return qerr.New("Parameter 'mode' does not accept value '%s'", mode)
	}
	if m.chardev == "" {
		return qerr.New("Parameter 'chardev' is missing")
	}
	if m.pretty, err = o.Bool("pretty", false); err != nil {
		return err
	}
	if m.single, err = o.Bool("x-single", false); err != nil {
		return err
	}
	if m.pretty && !m.control {
		return qerr.New("'pretty' is not compatible with HMP monitors")
	}
	p.monitors = append(p.monitors, m)
	return nil
}
