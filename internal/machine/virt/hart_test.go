package virt_test

import (
	"testing"

	"github.com/backplane-vm/backplane/internal/machine"
	"github.com/backplane-vm/backplane/internal/machine/virt"
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
