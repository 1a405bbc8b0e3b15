package pci

import (
	"errors"
	"os"
	"testing"

	"github.com/backplane-vm/backplane/internal/pci/config"
)

// What QEMU prints for a host bridge and a port that no guest has touched, and
// for the same after Linux configured them.
func TestInfo(t *testing.T) {
	r := newRig(t)
	attach(t, r.Root(), NewFunction(Spec{Name: "gpex-root", Map: r.m, Identity: config.Identity{
		Vendor: 0x1b36, Device: 8, Class: 0x0600, SubVendor: 0x1af4, SubDevice: 0x1100}}), 0)
	port := r.bridge(t, "pcie-root-port")
	port.spec.ID = "rp0"
	attach(t, r.Root(), port, AnyDevfn)
	check := func(file string) {
		t.Helper()
		want, err := os.ReadFile("testdata/" + file)
		if err != nil {
			t.Fatal(err)
		}
		if got := FormatInfo(r.Info()); got != string(want) {
			t.Errorf("%s: got\n%s\nwant\n%s", file, got, want)
		}
	}
	check("info-pci.txt")
	blk := NewFunction(Spec{Name: "virtio-blk-pci", ID: "blk0", Map: r.m, Express: true, Identity: config.Identity{
		Vendor: 0x1af4, Device: 0x1042, Class: 0x0100, SubVendor: 0x1af4, SubDevice: 0x1100, Pin: 1}})
	if err := errors.Join(blk.AddMSIX(1, 3),
		blk.AddBAR(4, config.BARMem64|config.BARPrefetch, r.m.Container(nil, "virtio-pci", 0x4000))); err != nil {
		t.Fatal(err)
	}
	attach(t, port.Bridge().SecondaryBus(), blk, AnyDevfn)
	for reg, v := range map[int]uint32{config.RegPrimaryBus: 0x010100, config.RegIOBase: 0x1010, config.RegMemBase: 0x40104000,
		config.RegPrefBase: 0x00100000, config.RegPrefBaseHigh: 4, config.RegPrefLimitHigh: 4, config.RegBAR0: 0x40200000,
		config.RegIntLine: 0x010c, config.RegCommand: 7} {
		port.ConfigWrite(reg, v, 4)
	}
	for reg, v := range map[int]uint32{config.RegBAR0 + 4: 0x40000000, config.RegBAR0 + 16: 0, config.RegBAR0 + 20: 4,
		config.RegIntLine: 12, config.RegCommand: 6} {
		blk.ConfigWrite(reg, v, 4)
	}
	check("info-pci-guest.txt")
}
