package blk_test

import (
	"bytes"
	"testing"

	"github.com/backplane-vm/backplane/internal/virtio/blk"
	"github.com/backplane-vm/backplane/internal/virtio/virtiotest"
)

// onRoot is a running board with a disk on the root bus, at 00:02.0.
func onRoot(t testing.TB, driver string, args ...any) (*virtiotest.Board, *disk, virtiotest.Function) {
	t.Helper()
	disk := newDisk()
	b := virtiotest.New(t, shelf{"n0": disk}, blk.Register)
	args = append([]any{"addr", "2", "drive", "n0"}, args...)
	b.Add(driver, "d0", args...)
	b.Start()
	return b, disk, b.At(0, 2, 0)
}

func TestModes(t *testing.T) {
	const legacy, both, modern = 0x10011af4, 0x10011af4, 0x10421af4
	for _, c := range []struct {
		driver    string
		args      []any
		id        uint32
		sub       uint32
		ports     uint32 // size of register 0 as a guest finds it
		structure bool
	}{
		{"virtio-blk-pci", nil, both, 2, 0xffffff81, true},
		{"virtio-blk-pci", []any{"disable-modern", true}, legacy, 2, 0xffffff81, false},
		{"virtio-blk-pci", []any{"disable-legacy", "on"}, modern, 0x1100, 0, true},
		{"virtio-blk-pci-transitional", nil, both, 2, 0xffffff81, true},
		{"virtio-blk-pci-non-transitional", nil, modern, 0x1100, 0, true},
	} {
		_, _, f := onRoot(t, c.driver, c.args...)
		if id, sub := f.Read(0, 4), f.Read(0x2e, 2); id != c.id || sub != c.sub {
			t.Errorf("%s %v: id %#x, subsystem %#x", c.driver, c.args, id, sub)
		}
		if rev := f.Read(8, 1); (rev == 0) != (c.ports != 0) {
			t.Errorf("%s %v: revision %d", c.driver, c.args, rev)
		}
		f.Write(0x10, 0xffffffff, 4)
		if got := f.Read(0x10, 4); got != c.ports {
			t.Errorf("%s %v: register 0 %#x, want %#x", c.driver, c.args, got, c.ports)
		}
		if got := f.Capability(9, 4) != 0; got != c.structure {
			t.Errorf("%s %v: structures %v", c.driver, c.args, got)
		}
	}
}

func TestModesThatCannotBe(t *testing.T) {
	b, _ := newBoard(t)
	for _, c := range []struct {
		driver, want string
		args         []any
	}{
		{"virtio-blk-pci", "device cannot work as neither modern nor legacy mode is enabled", []any{"disable-modern", true}},
		{"virtio-blk-pci", "VIRTIO_F_IOMMU_PLATFORM was supported by neither legacy nor transitional device",
			[]any{"disable-legacy", "off", "iommu_platform", true}},
		{"virtio-blk-pci-transitional", "Property 'virtio-blk-pci-transitional.disable-legacy' not found",
			[]any{"disable-legacy", "off"}},
	} {
		err := b.TryAdd(c.driver, "d0", append([]any{"bus", "rp0", "drive", "n0"}, c.args...)...)
		if err == nil || err.Error() != c.want {
			t.Errorf("%s %v: %v, want %s", c.driver, c.args, err, c.want)
		}
		b.Settle()
	}
}

// What is written through one interface is read through the other.
func TestBothInterfaces(t *testing.T) {
	b, disk, f := onRoot(t, "virtio-blk-pci")
	old := f.ProbeLegacy(0x1000)
	old.Start()
	if n := old.Config(0, 8); n != 2048 || f.Read(4, 2)&4 == 0 {
		t.Errorf("capacity %d, command %#x", n, f.Read(4, 2))
	}
	want := bytes.Repeat([]byte("legacy.."), 256)
	b.Put(old.DiskData(), want)
	old.Disk(1, 7, len(want), false)
	old.Notify()
	b.Settle()
	if !bytes.Equal(disk.data[7*512:7*512+len(want)], want) || old.DiskStatus() != 0 || !b.Lines[2] {
		t.Fatalf("status %d, line %v", old.DiskStatus(), b.Lines[2])
	}
	if old.ISR() != 1 || b.Lines[2] || old.ISR() != 0 {
		t.Error("reading the interrupt status does not clear it")
	}
	d := f.Probe(0)
	d.Start()
	d.Disk(0, 7, len(want), true)
	d.Notify()
	b.Settle()
	if got := b.Bytes(d.DiskData(), len(want)); !bytes.Equal(got, want) || d.DiskStatus() != 0 {
		t.Errorf("read %q, status %d", got[:16], d.DiskStatus())
	}
}

// Behind a port the guest reaches the registers through the port's window only.
func TestLegacyBehindPort(t *testing.T) {
	b, _ := newBoard(t)
	port := b.At(0, 1, 0)
	port.Open(1, 0)
	b.Add("virtio-blk-pci-transitional", "d0", "bus", "rp0", "drive", "n0")
	powerOn(b)
	f := b.At(1, 0, 0)
	if f.Read(0, 4) != 0x10011af4 || f.Capability(0x10, 0) == 0 {
		t.Fatalf("id %#x", f.Read(0, 4))
	}
	d := f.ProbeLegacy(0x2000)
	if got := d.Port(0x0c, 2); got != 0xffff {
		t.Errorf("reads %#x without a window", got)
	}
	port.OpenPorts(0x2000)
	d.Start()
	d.Disk(0, 9, 512, true)
	d.Notify()
	b.Settle()
	if d.DiskStatus() != 0 || b.Bytes(d.DiskData(), 1)[0] != 9 {
		t.Errorf("status %d", d.DiskStatus())
	}
	port.OpenPorts(0x3000)
	if got := d.Port(0x0c, 2); got != 0xffff {
		t.Errorf("reads %#x outside the window", got)
	}
}

func TestLegacyRegisters(t *testing.T) {
	b, _, f := onRoot(t, "virtio-blk-pci", "num-queues", int64(2), "write-cache", "on")
	d := f.ProbeLegacy(0x1000)
	d.SetPort(0x0e, 1, 2)
	d.SetPort(0x08, 0x80020, 4)
	d.SetPort(0x04, 1<<28|1<<7, 4)
	for _, c := range []struct {
		reg  uint64
		n    int
		want uint64
	}{
		{0x04, 4, 1 << 28}, {0x08, 4, 0x80020}, {0x0c, 2, 256}, {0x0e, 2, 1}, {0x10, 2, 0xffff}, {0x12, 1, 0},
		{0x14, 4, 2048}, {0x7c, 4, 0xffffffff},
	} {
		if got := d.Port(c.reg, c.n); got != c.want {
			t.Errorf("register %#x: %#x, want %#x", c.reg, got, c.want)
		}
	}
	d.SetPort(0x04, 1<<30|1<<28, 4) // takes whatever there is
	if got := d.Port(0x04, 4); got != 0 {
		t.Errorf("features %#x of a driver that cannot be trusted", got)
	}
	d.SetPort(0x0e, 2, 2)
	if size, page := d.Port(0x0c, 2), d.Port(0x08, 4); size != 0 || page != 0 {
		t.Errorf("a queue that is not there: size %d, page %#x", size, page)
	}
	// With messages the vectors come first and the configuration moves.
	f.Write(f.Capability(0x11, 0)+2, 0x8000, 2)
	d.SetPort(0x14, 2, 2)
	d.SetPort(0x0e, 0, 2)
	d.SetPort(0x16, 3, 2)
	if cfg, q, n := d.Port(0x14, 2), d.Port(0x16, 2), d.Port(0x18, 4); cfg != 2 || q != 0xffff || n != 2048 {
		t.Errorf("vectors %#x %#x, capacity %d", cfg, q, n)
	}
	d.SetPort(0x0e, 1, 2)
	d.SetPort(0x08, 0, 4) // no page: a reset
	if page, cfg := d.Port(0x08, 4), d.Port(0x14, 2); page != 0 || cfg != 0xffff || d.Port(0x0e, 2) != 0 {
		t.Errorf("after the reset: page %#x, vector %#x", page, cfg)
	}
	b.Settle()
}

// Old drivers use a queue before they say that they are ready, and do not wait
// for a reset.
func TestLegacyDriversAreImpatient(t *testing.T) {
	b, disk, f := onRoot(t, "virtio-blk-pci", "disable-modern", true)
	d := f.ProbeLegacy(0x1000)
	d.SetStatus(0)
	d.SetStatus(3)
	d.Place()
	d.Disk(0, 3, 512, true)
	d.Notify()
	b.Settle()
	if d.DiskStatus() != 0 || d.Status() != 3 {
		t.Errorf("before DRIVER_OK: request %d, status %#x", d.DiskStatus(), d.Status())
	}
	disk.held = true
	d.Disk(1, 5, 512, false)
	d.Notify()
	b.Settle()
	d.Start()
	if d.Status() != 7 {
		t.Fatalf("status %#x right after a reset", d.Status())
	}
	b.Put(d.DiskData(), []byte("new"))
	d.Disk(1, 5, 512, false)
	d.Notify()
	b.Settle()
	if len(disk.waiting) != 1 || d.Used() != 0 {
		t.Errorf("%d requests at the disk while that of before is there", len(disk.waiting))
	}
	disk.release()
	b.Settle()
	if string(disk.data[5*512:5*512+3]) != "new" || d.Used() != 1 || d.DiskStatus() != 0 {
		t.Errorf("disk has %q, %d used", disk.data[5*512:5*512+3], d.Used())
	}
}

// A queue can be reset alone (virtio 1.2 §2.6.1).
func TestQueueReset(t *testing.T) {
	b, disk, d := plugged(t)
	d.SetCommon(0x14, 0, 1)
	d.SetCommon(0x14, 3, 1)
	d.SetCommon(0x08, 1, 4)
	d.SetCommon(0x0c, 1|1<<8, 4)
	d.SetCommon(0x14, 0xb, 1)
	d.Enable()
	d.SetCommon(0x14, 0xf, 1)
	disk.held = true
	d.Disk(0, 3, 512, true)
	d.Notify()
	b.Settle()
	d.SetCommon(0x3a, 1, 2)
	if d.Common(0x3a, 2) != 1 || d.Common(0x1c, 2) != 0 {
		t.Errorf("reset %d, enabled %d with a request in flight", d.Common(0x3a, 2), d.Common(0x1c, 2))
	}
	disk.release()
	b.Settle()
	if d.Common(0x3a, 2) != 0 || d.Used() != 0 || d.Status() != 0xf {
		t.Errorf("reset %d, %d used, status %#x", d.Common(0x3a, 2), d.Used(), d.Status())
	}
	d.Enable()
	d.Disk(0, 4, 512, true)
	d.Notify()
	b.Settle()
	if d.DiskStatus() != 0 || b.Bytes(d.DiskData(), 1)[0] != 4 {
		t.Error("does not work after the reset")
	}
}
