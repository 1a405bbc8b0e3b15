package blk_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/backplane-vm/backplane/internal/qdev"
	"github.com/backplane-vm/backplane/internal/virtio/virtiotest"
)

// The configuration access capability reaches the same registers without any
// base address register mapped.
func TestWindow(t *testing.T) {
	b, _ := newBoard(t)
	b.At(0, 1, 0).Open(1, 0)
	b.Add("virtio-blk-pci", "d0", "bus", "rp0", "drive", "n0")
	powerOn(b)
	f := b.At(1, 0, 0)
	w := 0
	for i := 0; ; i++ {
		c := f.Capability(9, i)
		if c == 0 {
			t.Fatal("no window")
		}
		if f.Read(c+3, 1) == 5 {
			w = c
			break
		}
	}
	point := func(at, n uint32) {
		f.Write(w+4, 4, 1)
		f.Write(w+8, at, 4)
		f.Write(w+12, n, 4)
	}
	point(0x14, 1)
	f.Write(w+16, 3, 1)
	if got := f.Read(w+16, 1); got != 3 {
		t.Errorf("status through the window %#x", got)
	}
	point(0x2000, 4)
	if got := f.Read(w+16, 4); got != 2048 {
		t.Errorf("capacity through the window %d", got)
	}
	for _, bad := range [][2]uint32{{0x4000, 4}, {0x3ffe, 4}, {0x15, 2}, {0, 8}, {0xfffffffc, 4}} {
		point(bad[0], bad[1])
		f.Write(w+16, 0, 4)
		f.Read(w+16, 4)
	}
	point(0x14, 1)
	if got := f.Read(w+16, 1); got != 3 {
		t.Errorf("status %#x after windows onto nothing", got)
	}
}

func TestMessages(t *testing.T) {
	b, _, d := plugged(t)
	const target = virtiotest.RAM + 0x8000
	msix := d.Capability(0x11, 0)
	table := uint64(virtiotest.LowMMIO)
	b.Write(table+16, target, 8)
	b.Write(table+24, 0xcafe, 4)
	b.Write(table+28, 0, 4)
	d.Write(msix+2, 0x8000, 2)
	d.SetCommon(0x16, 0, 2)
	d.SetCommon(0x1a, 1, 2)
	d.Disk(0, 0, 512, true)
	d.Notify()
	b.Settle()
	if got := b.Read(target, 4); got != 0xcafe || b.Lines[1] {
		t.Errorf("message %#x, line %v", got, b.Lines[1])
	}
	d.SetCommon(0x1a, 7, 2)
	if got := d.Common(0x1a, 2); got != 0xffff {
		t.Errorf("vector 7 of 3 reads back as %#x", got)
	}
}

func TestNoDMAWithoutBusMaster(t *testing.T) {
	b, _, d := plugged(t)
	d.Write(0x04, 2, 2)
	d.Disk(0, 0, 512, true)
	d.Notify()
	b.Settle()
	if d.DiskStatus() != 0xff || d.Status() != 0xb {
		t.Errorf("status %#x, request %#x", d.Status(), d.DiskStatus())
	}
	d.Write(0x04, 6, 2)
	d.Start()
	d.Disk(0, 0, 512, true)
	d.Notify()
	b.Settle()
	if d.DiskStatus() != 0 {
		t.Error("does not work again")
	}
}

func TestFunctionLevelReset(t *testing.T) {
	b, _, d := plugged(t)
	exp := d.Capability(0x10, 0)
	d.Write(exp+9, 0x80, 1)
	if d.Read(0x04, 2) != 0 || d.Read(exp+8, 2)&0x8000 != 0 {
		t.Errorf("command %#x after the reset", d.Read(0x04, 2))
	}
	d = d.Probe(0)
	if d.Status() != 0 {
		t.Errorf("status %#x after the reset", d.Status())
	}
	d.Start()
	d.Disk(0, 5, 512, true)
	d.Notify()
	b.Settle()
	if d.DiskStatus() != 0 {
		t.Error("does not work after the reset")
	}
}

func TestQTree(t *testing.T) {
	b, _ := newBoard(t)
	b.Add("virtio-blk-pci", "d0", "bus", "rp0", "drive", "n0")
	lines := map[string][]string{}
	var walk func(bus qdev.BusInfo)
	walk = func(bus qdev.BusInfo) {
		for _, d := range bus.Devices {
			lines[d.Class] = d.Lines
			for _, k := range d.Buses {
				walk(k)
			}
		}
	}
	walk(b.Tree.QTree())
	for class, want := range map[string][]string{
		"gpex-root":      {"class Host bridge, addr 00:00.0, pci id 1b36:0008 (sub 1af4:1100)"},
		"pcie-root-port": {"class PCI bridge, addr 00:01.0, pci id 1b36:000c (sub 0000:0000)", "bar 0: mem at 0xffffffffffffffff [0xffe]"},
		"virtio-blk-pci": {"class SCSI controller, addr 00:00.0, pci id 1af4:1042 (sub 1af4:1100)",
			"bar 1: mem at 0xffffffffffffffff [0xffe]", "bar 4: mem at 0xffffffffffffffff [0x3ffe]"},
	} {
		if !slices.Equal(lines[class], want) {
			t.Errorf("%s: %q, want %q", class, lines[class], want)
		}
	}
}

// Hot-adding a device costs the same on a machine with two hundred of them.
func BenchmarkHundredsOfDevices(b *testing.B) {
	const ports = 200
	for b.Loop() {
		board, _ := newBoardWithPorts(b, ports)
		var first, last time.Duration
		for i := range ports {
			start := time.Now()
			board.Add("virtio-blk-pci", fmt.Sprint("d", i), "bus", fmt.Sprint("p", i), "drive", fmt.Sprint("n", i))
			switch d := time.Since(start); {
			case i < ports/10:
				first += d
			case i >= ports-ports/10:
				last += d
			}
		}
		b.ReportMetric(float64(first.Microseconds())/(ports/10), "first-µs/add")
		b.ReportMetric(float64(last.Microseconds())/(ports/10), "last-µs/add")
	}
}
