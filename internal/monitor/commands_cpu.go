package monitor

import (
	"strings"

	"github.com/backplane-vm/backplane/internal/machine"
	"github.com/backplane-vm/backplane/qapi/api"
	"github.com/backplane-vm/backplane/qapi/qerr"
	"github.com/backplane-vm/backplane/qapi/qobject"
	"github.com/backplane-vm/backplane/qmp"
)

func (h *handlers) QueryCpuDefinitions(*qmp.Call) ([]api.CpuDefinitionInfo, error) {
	return []api.CpuDefinitionInfo{{Name: machine.CPUModel, Typename: machine.CPUType}}, nil
}

// QueryCpuModelExpansion lists what the harts have. They cannot be had with
// more or less than that, so a property that is asked for can only confirm it.
func (h *handlers) QueryCpuModelExpansion(_ *qmp.Call, args *api.QueryCpuModelExpansionArgs) (*api.CpuModelExpansionInfo, error) {
	if args.Type != api.CpuModelExpansionTypeFull {
		return nil, qerr.New("The requested expansion type is not supported")
	}
	name := args.Model.Name
	if model, _, _ := strings.Cut(name, ","); model != machine.CPUModel {
		return nil, qerr.New("The CPU type '%s' is not a known RISC-V CPU type", name)
	}
	if args.Model.Props != nil {
		if err := confirmFeatures(*args.Model.Props); err != nil {
			return nil, err
		}
	}
	props := qobject.NewDict()
	for f := range machine.Features() {
		if !f.Letter {
			props.Set(f.Name, f.Has)
		}
	}
	var all any = props
	return &api.CpuModelExpansionInfo{Model: api.CpuModelInfo{Name: name, Props: &all}}, nil
}

// confirmFeatures refuses properties of the CPU model that it has not, or has
// with another value.
func confirmFeatures(asked any) error {
	const where = "model.props"
	wrongType := func(name, want string) error {
		return qerr.New("Invalid parameter type for '%s', expected: %s", name, want)
	}
	props, ok := asked.(*qobject.Dict)
	if !ok {
		return wrongType(where, "object")
	}
	has := map[string]bool{}
	for f := range machine.Features() {
		has[f.Name] = f.Has
	}
	for _, name := range props.Keys() {
		v, _ := props.Get(name)
		want, isBool := v.(bool)
		have, known := has[name]
		switch {
		case !known:
			return qerr.New("Property '%s.%s' not found", machine.CPUType, name)
		case !isBool:
			return wrongType(where+"."+name, "boolean")
		case want != have:
			return qerr.New("CPU '%s' does not allow changing the value of '%s'", machine.CPUModel, name)
		}
	}
	return nil
}
