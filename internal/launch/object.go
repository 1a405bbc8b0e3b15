package launch

import (
	"github.com/backplane-vm/backplane/internal/machine"
	"github.com/backplane-vm/backplane/internal/monitor"
	"github.com/backplane-vm/backplane/internal/opts"
	"github.com/backplane-vm/backplane/qapi/api"
	"github.com/backplane-vm/backplane/qapi/qobject"
	"github.com/backplane-vm/backplane/qapi/visit"
)

// takeObject reads -object: options, or JSON that begins with a brace.
func (p *plan) takeObject(f opts.Flag) error {
	d, json, help, err := opts.ParseObject(f.Value, "qom-type")
	if err != nil {
		return err
	}
	if kind, _ := d.Get("qom-type"); help || kind == "help" {
		p.help = "List of user creatable objects:\n"
		for _, t := range api.ObjectTypeValues() {
			p.help += "  " + string(t) + "\n"
		}
		return nil
	}
	in := visit.New(d, flavour(json))
	o := api.DecodeObjectOptions(in)
	p.objects = append(p.objects, located[*api.ObjectOptions]{f, &o})
	return in.Err()
}

// flavour is how values of an option are written.
func flavour(json bool) visit.Flavour {
	if json {
		return visit.JSON
	}
	return visit.Keyval
}

// makeObjects makes the objects of -object, before the board.
func (p *plan) makeObjects(m *machine.Machine) error {
	if err := p.inherit(m); err != nil { // they may read sets
		return err
	}
	for _, o := range p.objects {
		if err := o.flag.Wrap(monitor.AddObject(m, o.value)); err != nil {
			return err
		}
	}
	return nil
}

// takeAction reads what is to happen when something ends.
func (p *plan) takeAction(f opts.Flag) error {
	d := qobject.NewDict()
	switch f.Name {
	case "no-reboot":
		d.Set("reboot", "shutdown")
	case "no-shutdown":
		d.Set("shutdown", "pause")
	default:
		var err error
		if d, _, err = opts.ParseKeyval(f.Value, ""); err != nil {
			return err
		}
	}
	in := visit.New(d, visit.Keyval)
	a := api.DecodeSetActionArgs(in)
	set(&p.actions.Reboot, a.Reboot)
	set(&p.actions.Shutdown, a.Shutdown)
	set(&p.actions.Panic, a.Panic)
	set(&p.actions.Watchdog, a.Watchdog)
	return in.Err()
}

// set replaces what to points at if there is something to replace it with.
func set[T any](to **T, from *T) {
	if from != nil {
		*to = from
	}
}
