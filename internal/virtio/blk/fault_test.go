package blk_test

import (
	"slices"
	"syscall"
	"testing"

	"github.com/backplane-vm/backplane/qapi/qerr"
)

// retrier is what a backend tells that the machine goes on.
type retrier interface{ Retry() }

func TestFaults(t *testing.T) {
	b, disk, d := plugged(t, "werror", "ignore")
	disk.err = syscall.EIO
	for _, typ := range []uint32{0, 1, 4} {
		d.Disk(typ, 3, 512, typ == 0)
		d.Notify()
		b.Settle()
		if got := d.DiskStatus(); got != 0 {
			t.Errorf("type %d: status %d of an error to ignore", typ, got)
		}
	}
	if want := []bool{false, true, true}; !slices.Equal(disk.faults, want) {
		t.Errorf("told %v, want %v", disk.faults, want)
	}
	disk.onFault = ""
	d.Disk(0, 3, 512, true)
	d.Notify()
	b.Settle()
	if got := d.DiskStatus(); got != 1 {
		t.Errorf("status %d of an error to report", got)
	}
}

// What fails while errors stop the machine is tried again when it goes on.
func TestFaultsThatStop(t *testing.T) {
	b, disk, d := plugged(t, "rerror", "stop")
	dev := disk.device.(retrier)
	disk.err = syscall.ENOSPC
	d.Disk(0, 3, 512, true)
	d.Notify()
	b.Settle()
	dev.Retry()
	b.Settle()
	if d.Used() != 0 || len(disk.faults) != 2 {
		t.Errorf("%d answered, %d faults", d.Used(), len(disk.faults))
	}
	disk.err = nil
	dev.Retry()
	b.Settle()
	if got := b.Bytes(d.DiskData(), 1); d.Used() != 1 || d.DiskStatus() != 0 || got[0] != 3 {
		t.Errorf("%d answered, status %d, data %v", d.Used(), d.DiskStatus(), got)
	}
}

// A reset, and an unplug, give up what waits.
func TestFaultsGivenUp(t *testing.T) {
	b, disk, d := plugged(t, "rerror", "stop")
	disk.err = syscall.EIO
	d.Disk(0, 3, 512, true)
	d.Notify()
	b.Settle()
	d.SetCommon(0x14, 0, 1)
	b.Settle()
	if d.Status() != 0 || d.Used() != 0 {
		t.Errorf("status %d after a reset, %d answered", d.Status(), d.Used())
	}
	d.Start()
	d.Disk(0, 3, 512, true)
	d.Notify()
	b.Settle()
	powerOff(b)
	b.Settle()
	if !slices.Equal(b.Deleted, gone) {
		t.Errorf("deleted %v", b.Deleted)
	}
}

func TestFaultProperties(t *testing.T) {
	b, _ := newBoard(t)
	for _, name := range []string{"rerror", "werror"} {
		err := b.TryAdd("virtio-blk-pci", "a", "bus", "rp0", "drive", "n0", name, "bogus")
		if want := "Parameter '" + name + "' does not accept value 'bogus'"; err == nil || qerr.From(err).Desc != want {
			t.Errorf("%v, want %s", err, want)
		}
		b.Settle()
	}
}
