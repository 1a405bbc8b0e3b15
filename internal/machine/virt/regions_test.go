package virt_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/backplane-vm/backplane/internal/machine"
	"github.com/backplane-vm/backplane/internal/machine/virt"
	"github.com/backplane-vm/backplane/internal/qdev"
	"github.com/backplane-vm/backplane/qapi/qobject"
)

// TestRegions: a device's memory regions and buses are its children, in the order
// in which QEMU 10.0 was seen to list those of a root port, and go with it.
func TestRegions(t *testing.T) {
	registry, err := virt.NewRegistry()
	if err != nil {
		t.Fatal(err)
	}
	m, err := virt.New(virt.Config{Config: machine.Config{Registry: registry}, CPUs: 1, RAM: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	want := []string{
		"bus master container[0]", "pci_bridge_pci[0]", "pci_bridge_io[1]", "bus master[0]", "pci_bridge_vga_mem[0]", "msix-pba[0]",
		"msix-table[0]", "pcie-root-port-msix[0]", "rp0", "pci_bridge_pref_mem[0]", "pci_bridge_vga_io_hi[0]", "pci_bridge_mem[0]",
		"pci_bridge_vga_io_lo[0]", "pci_bridge_io[0]",
	}
	m.Locked("test", func() {
		args := qobject.NewDict()
		args.Set("driver", "pcie-root-port")
		args.Set("id", "rp0")
		if _, err := m.Devices.Add(args, qdev.JSON); err != nil {
			t.Fatal(err)
		}
		port, _ := m.QOM.Resolve("/machine/peripheral/rp0")
		var got []string
		for _, p := range port.Properties() {
			if strings.HasPrefix(p.Type, "child<") {
				got = append(got, p.Name)
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("children %q, want %q", got, want)
		}
		for path, value := range map[string]any{
			"/machine/peripheral/rp0/msix-table[0] size":                 int64(16),
			"/machine/peripheral/rp0/msix-table[0] container":            "/machine/peripheral/rp0/pcie-root-port-msix[0]",
			"/machine/unattached/system[0] size":                         ^uint64(0),
			"/objects/riscv_virt_board.ram/riscv_virt_board.ram[0] addr": int64(0x80000000),
			"/machine/peripheral/rp0 busnr":                              int64(0),
			"/machine/peripheral/rp0 legacy-addr":                        "01.0",
		} {
			where, property, _ := strings.Cut(path, " ")
			if v, err := m.QOM.Get(where, property); err != nil || v != value {
				t.Errorf("%s is %v (%v), want %v", path, v, err, value)
			}
		}
	})
}
