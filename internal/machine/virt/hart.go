package virt

import (
	"github.com/backplane-vm/backplane/internal/machine"
	"github.com/backplane-vm/backplane/internal/qom"
	"github.com/backplane-vm/backplane/qapi/qerr"
)

// hartClass is the properties of a hart as an object: what every device has, and
// what the model has and has not. None can be changed.
func hartClass() kindClass {
	list := soldered(machine.CPUType)
	for f := range machine.Features() {
		list = append(list, fixedOf(machine.CPUType, f.Name, "bool", func(*qom.Object) any { return f.Has }))
	}
	return append(list, fixedOf(machine.CPUType, "resetvec", "uint64", resetAddress))
}

// arrayType is the type of the object that holds the harts.
const arrayType = "riscv.hart_array"

// arrayClass is the properties of the object that holds the harts.
func arrayClass() kindClass {
	return append(soldered(arrayType),
		fixedOf(arrayType, "hartid-base", "uint32", func(*qom.Object) any { return int64(0) }),
		fixedOf(arrayType, "cpu-type", "str", func(*qom.Object) any { return machine.CPUType }),
		fixedOf(arrayType, "resetvec", "uint64", resetAddress),
		fixedOf(arrayType, "num-harts", "uint32", func(o *qom.Object) any { return int64(o.Self().(*Board).cfg.CPUs) }))
}

func resetAddress(*qom.Object) any { return int64(mromBase) }

// soldered is what devices have that are there as long as the machine and on no
// bus that objects show.
func soldered(typ string) kindClass {
	says := func(v bool) func(*qom.Object) (any, error) {
		return func(*qom.Object) (any, error) { return v, nil }
	}
	return kindClass{
		{Name: "parent_bus", Type: "link<bus>", Link: func(*qom.Object) *qom.Object { return nil }},
		{Name: "realized", Type: "bool", Get: says(true)},
		{Name: "hotplugged", Type: "bool", Get: says(false)},
		{Name: "hotpluggable", Type: "bool", Get: says(typ == machine.CPUType)},
	}
}

// fixedOf is a property that was set when the machine was built.
func fixedOf(typ, name, kind string, get func(*qom.Object) any) *qom.Property {
	return &qom.Property{Name: name, Type: kind, Fixed: true,
		Get: func(o *qom.Object) (any, error) { return get(o), nil },
		Set: func(*qom.Object, qom.Input) error {
			return qerr.New("Attempt to set property '%s' on anonymous device (type '%s') after it was realized", name, typ)
		}}
}
