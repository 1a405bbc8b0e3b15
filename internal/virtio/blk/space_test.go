package blk_test

import (
	"fmt"
	"os"
	"testing"

	"github.com/backplane-vm/backplane/internal/virtio/blk"
	"github.com/backplane-vm/backplane/internal/virtio/virtiotest"
)

// Configuration space is that of QEMU 7.2, bit for bit. testdata/config has what
// a guest read there of each register, and what it read after it wrote ones to
// it; registers without a line read 0. What later versions added is off.
func TestConfigurationSpace(t *testing.T) {
	of72 := []any{"x-pcie-ext-tag", false, "x-pcie-err-unc-mask", false}
	for name, c := range map[string]struct{ port, disk []any }{
		"port":              {nil, nil},
		"port-reserve":      {[]any{"mem-reserve", int64(2 << 20), "io-reserve", int64(0)}, nil},
		"disk":              {nil, []any{"disable-legacy", "auto"}},
		"disk-transitional": {nil, []any{"disable-legacy", "off"}},
		"disk-conventional": {nil, []any{"x-disable-pcie", true}},
		"disk-options": {nil, []any{"aer", true, "ats", true, "x-ats-page-aligned", false, "page-per-vq", true,
			"modern-pio-notify", true, "x-pcie-pm-init", false, "x-pcie-flr-init", false, "x-pcie-lnkctl-init", false,
			"x-pcie-deverr-init", false, "class", int64(0x180)}},
	} {
		t.Run(name, func(t *testing.T) {
			b := virtiotest.New(t, shelf{"n0": newDisk()}, blk.Register)
			port := append([]any{"chassis", int64(1), "addr", "1", "x-pci-express-writeable-slt-bug", true}, of72...)
			b.Add("pcie-root-port", "rp0", append(port, c.port...)...)
			f := b.At(0, 1, 0)
			if c.disk != nil {
				disk := append([]any{"bus", "rp0", "drive", "n0", "num-queues", int64(1)}, of72...)
				b.Add("virtio-blk-pci", "d0", append(disk, c.disk...)...)
				f = b.At(1, 0, 0)
			}
			b.Start()
			b.At(0, 1, 0).Write(0x18, 0x010100, 4)
			compareSpace(t, f, "testdata/config/"+name+".txt")
		})
	}
}

// spaceSize is how much of configuration space was recorded.
const spaceSize = 0x180

func compareSpace(t *testing.T, f virtiotest.Function, path string) {
	t.Helper()
	text, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = text.Close() }()
	want := map[int][2]uint32{}
	for {
		var reg int
		var v [2]uint32
		if n, _ := fmt.Fscanf(text, "%x %x %x\n", &reg, &v[0], &v[1]); n != 3 {
			break
		}
		want[reg] = v
	}
	if len(want) < 16 {
		t.Fatalf("%s has %d registers", path, len(want))
	}
	const expansionROM, identity = 0x30, 0x10
	for reg := 0; reg < spaceSize; reg += 4 {
		was := f.Read(reg, 4)
		if w := want[reg][0]; was != w {
			t.Errorf("register %#x reads %#08x, QEMU's %#08x", reg, was, w)
		}
		if _, listed := want[reg]; !listed || reg < identity || reg == expansionROM {
			continue
		}
		f.Write(reg, ^uint32(0), 4)
		if got, w := f.Read(reg, 4), want[reg][1]; got != w {
			t.Errorf("register %#x reads %#08x after ones were written, QEMU's %#08x", reg, got, w)
		}
		f.Write(reg, was, 4)
	}
}
