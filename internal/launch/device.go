package launch

import (
	"github.com/backplane-vm/backplane/internal/monitor"
	"github.com/backplane-vm/backplane/internal/opts"
	"github.com/backplane-vm/backplane/internal/qdev"
	"github.com/backplane-vm/backplane/qapi/qerr"
	"github.com/backplane-vm/backplane/qapi/qobject"
)

// takeDeviceArgs reads -device: options, or JSON that begins with a brace.
func (p *plan) takeDeviceArgs(f opts.Flag, registry *qdev.Registry) error {
	if opts.IsJSON(f.Value) {
		v, err := qobject.ParseJSON(f.Value)
		if err != nil {
			return err
		}
		d, ok := v.(*qobject.Dict)
		if !ok {
			return qerr.New("Invalid parameter type for 'device', expected: object")
		}
		p.devices = append(p.devices, located[deviceArgs]{f, deviceArgs{d, qdev.JSON}})
		return nil
	}
	o, err := opts.ParseOpts(f.Value, "driver")
	if err != nil {
		return err
	}
	p.warnings = append(p.warnings, o.Warnings...)
	text, help, err := monitor.DeviceHelp(registry, o)
	if err != nil {
		return err
	}
	if help {
		p.help = text
		return nil
	}
	p.devices = append(p.devices, located[deviceArgs]{f, deviceArgs{o.Dict(), qdev.KeyVal}})
	return nil
}

// inOrder returns the devices in the order in which they are made: those given
// as options first, as QEMU does.
func (p *plan) inOrder() []located[deviceArgs] {
	var order []located[deviceArgs]
	for _, flavour := range []qdev.Flavour{qdev.KeyVal, qdev.JSON} {
		for _, d := range p.devices {
			if d.value.flavour == flavour {
				order = append(order, d)
			}
		}
	}
	return order
}
