package blk_test

import (
	"slices"
	"testing"
)

// Functions above 0 wait for function 0; all go together.
func TestMultifunction(t *testing.T) {
	b, _ := newBoardWithPorts(t, 2)
	port := b.At(0, 1, 0)
	port.Write(sltCtl, 0x0100, 2) // power first, so that function 0 alone decides
	port.Write(sltSta, 0x10, 2)
	b.Add("virtio-blk-pci", "f1", "bus", "p0", "drive", "n1", "addr", "0.1", "multifunction", true)
	if b.At(1, 0, 1).Present() || port.Read(sltSta, 2) != 0 {
		t.Errorf("function 1 alone: present %v, status %#x", b.At(1, 0, 1).Present(), port.Read(sltSta, 2))
	}
	b.Add("virtio-blk-pci", "f0", "bus", "p0", "drive", "n0", "multifunction", true)
	if !b.At(1, 0, 0).Present() || !b.At(1, 0, 1).Present() || port.Read(sltSta, 2) != 0x49 {
		t.Errorf("both: %v, %v, status %#x", b.At(1, 0, 0).Present(), b.At(1, 0, 1).Present(), port.Read(sltSta, 2))
	}
	if err := b.Tree.Del("f1"); err != nil || len(b.Deleted) != 0 {
		t.Errorf("device_del of function 1: %v, deleted %v", err, b.Deleted)
	}
	port.Write(sltCtl, 0x07c0, 2)
	b.Settle()
	want := []string{"/machine/peripheral/f0/virtio-backend", "/machine/peripheral/f0",
		"/machine/peripheral/f1/virtio-backend", "/machine/peripheral/f1"}
	if !slices.Equal(b.Deleted, want) {
		t.Errorf("deleted %v", b.Deleted)
	}
}

// Function 1 goes at once while function 0 is not there.
func TestUnexposedFunctionGoesAtOnce(t *testing.T) {
	b, _ := newBoardWithPorts(t, 2)
	b.Add("virtio-blk-pci", "f1", "bus", "p0", "drive", "n1", "addr", "00.1", "multifunction", true)
	b.At(0, 1, 0).Write(sltCtl, 0x0100, 2)
	if err := b.Tree.Del("f1"); err != nil {
		t.Fatal(err)
	}
	b.Settle()
	if len(b.Deleted) != 2 {
		t.Errorf("deleted %v", b.Deleted)
	}
}

// A machine that ends with a request in flight gives everything back.
func TestEndWithRequestInFlight(t *testing.T) {
	var left *disk
	t.Run("machine", func(t *testing.T) {
		b, d, drv := plugged(t)
		left, d.held = d, true
		drv.Disk(0, 3, 512, true)
		drv.Notify()
		b.Settle()
		if len(d.waiting) != 1 {
			t.Errorf("%d requests in flight", len(d.waiting))
		}
	})
	if left.inUse {
		t.Error("the drive is still in use")
	}
}

// A port behind a port takes what is behind it along.
func TestPortBehindPort(t *testing.T) {
	b, d := newBoard(t)
	b.At(0, 1, 0).Open(1, 0)
	b.At(0, 1, 0).Write(0x18, 0x020100, 4)
	powerOn(b)
	b.Add("pcie-root-port", "in", "bus", "rp0", "chassis", int64(9))
	inner := b.At(1, 0, 0)
	inner.Open(2, 0)
	inner.Write(sltCtl, 0x0100, 2)
	b.Add("virtio-blk-pci", "d0", "bus", "in", "drive", "n0")
	drv := b.At(2, 0, 0).Probe(0)
	drv.Start()
	drv.Disk(0, 3, 512, true)
	drv.Notify()
	b.Settle()
	if drv.DiskStatus() != 0 || !b.Lines[1] {
		t.Errorf("status %d, line %v", drv.DiskStatus(), b.Lines[1])
	}
	powerOff(b)
	b.Settle()
	if want := append(slices.Clone(gone), "/machine/peripheral/in"); !slices.Equal(b.Deleted, want) || d.inUse {
		t.Errorf("deleted %v, want %v", b.Deleted, want)
	}
	if b.At(2, 0, 0).Present() || b.At(1, 0, 0).Present() {
		t.Error("something still answers")
	}
}
