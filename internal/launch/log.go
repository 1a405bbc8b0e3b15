package launch

import (
	"github.com/backplane-vm/backplane/internal/opts"
	"github.com/backplane-vm/backplane/internal/trace"
	"github.com/backplane-vm/backplane/qapi/qerr"
)

// takeLog reads -d and -D; the last of each counts.
func (p *plan) takeLog(f opts.Flag) {
	switch {
	case f.Name == "D":
		p.logFile = located[string]{f, f.Value}
	case f.Value == "help" || f.Value == "?":
		p.help = trace.Help()
	default:
		p.logItems = located[string]{f, f.Value}
	}
}

// startLog switches the log on as -d and -D say.
func (vm *VM) startLog() error {
	p := vm.plan
	if file := p.logFile; file.value != "" {
		if err := vm.Machine.Log.SetFile(file.value); err != nil {
			return file.flag.Wrap(err)
		}
	}
	items := p.logItems
	if items.value == "" {
		return nil
	}
	known, err := vm.Machine.Log.Select(items.value)
	if err == nil && !known {
		err = qerr.New("there is no such log item").WithHint("%s", trace.Help())
	}
	return items.flag.Wrap(err)
}
