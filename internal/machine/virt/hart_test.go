package virt_test

import (
	"slices"
	"testing"

	"github.com/backplane-vm/backplane/internal/machine"
	"github.com/backplane-vm/backplane/internal/machine/virt"
	"github.com/backplane-vm/backplane/internal/qdev"
	"github.com/backplane-vm/backplane/internal/qom"
	"github.com/backplane-vm/backplane/qapi/qobject"
)

// TestHarts: the harts' objects tell what the harts have.
func TestHarts(t *testing.T) {
	registry, err := virt.NewRegistry()
	if err != nil {
		t.Fatal(err)
	}
	m, err := virt.New(virt.Config{Config: machine.Config{Registry: registry}, CPUs: 3, RAM: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	m.Locked("test", func() {
		for _, x := range []struct {
			path, property string
			want           any
		}{
			{"/machine/soc0", "num-harts", int64(3)},
			{"/machine/soc0", "cpu-type", "rv64-riscv-cpu"},
			{"/machine/soc0/harts[2]", "zicsr", true},
			{"/machine/soc0/harts[2]", "v", false},
			{"/machine/soc0/harts[2]", "realized", true},
			{"/machine/soc0/harts[2]", "parent_bus", ""},
			{"/machine/soc0/harts[2]", "resetvec", int64(0x1000)},
		} {
			if v, err := m.QOM.Get(x.path, x.property); err != nil || v != x.want {
				t.Errorf("%s %s is %v (%v), want %v", x.path, x.property, v, err, x.want)
			}
		}
		err := m.QOM.Set("/machine/soc0/harts[0]", "v", true)
		want := "Attempt to set property 'v' on anonymous device (type 'rv64-riscv-cpu') after it was realized"
		if err == nil || err.Error() != want {
			t.Errorf("%v, want %s", err, want)
		}
	})
}

// TestHartType: a hart is a device, although none can be added.
func TestHartType(t *testing.T) {
	registry, err := virt.NewRegistry()
	if err != nil {
		t.Fatal(err)
	}
	m, err := virt.New(virt.Config{Config: machine.Config{Registry: registry}, CPUs: 1, RAM: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	m.Locked("test", func() {
		for driver, want := range map[string]string{
			"rv64-riscv-cpu":   "Parameter 'driver' expects a pluggable device type",
			"riscv.hart_array": "Parameter 'driver' expects a pluggable device type",
			"riscv-cpu":        "Parameter 'driver' expects a non-abstract device type",
			"container":        "'container' is not a valid device model name",
		} {
			if _, err := m.Devices.Add(qobject.Members("driver", driver), qdev.JSON); err == nil || err.Error() != want {
				t.Errorf("device_add %s: %v, want %s", driver, err, want)
			}
		}
	})
	listed, err := registry.ListProperties("rv64-riscv-cpu")
	if err != nil {
		t.Fatal(err)
	}
	all := registry.TypeProperties("rv64-riscv-cpu")
	if every := 5; len(listed) == 0 || len(all) != len(listed)+every { // type, parent_bus, realized, hotplugged, hotpluggable
		t.Errorf("%d of %d properties can be set", len(listed), len(all))
	}
	for _, name := range []string{"zicsr", "realized"} {
		is := func(p *qom.Property) bool { return p.Name == name }
		if !slices.ContainsFunc(all, is) || slices.ContainsFunc(listed, is) != (name == "zicsr") {
			t.Errorf("%s: %v, %v", name, all, listed)
		}
	}
}
