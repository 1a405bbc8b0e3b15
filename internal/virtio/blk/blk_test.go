package blk_test

import (
	"bytes"
	"slices"
	"syscall"
	"testing"

	"github.com/backplane-vm/backplane/internal/block"
	"github.com/backplane-vm/backplane/internal/pci"
	"github.com/backplane-vm/backplane/internal/virtio/blk"
	"github.com/backplane-vm/backplane/internal/virtio/virtiotest"
	"github.com/backplane-vm/backplane/qapi/qerr"
)

func TestIdentity(t *testing.T) {
	b, _ := newBoard(t)
	b.At(0, 1, 0).Open(1, 0)
	b.Add("virtio-blk-pci", "d0", "bus", "rp0", "drive", "n0", "serial", "0123456789012345678901234567890")
	f := b.At(1, 0, 0)
	if f.Present() {
		t.Error("a function without power answers")
	}
	powerOn(b)
	if id, class, sub := f.Read(0, 4), f.Read(8, 4), f.Read(0x2c, 4); id != 0x10421af4 || class != 0x01000001 || sub != 0x11001af4 {
		t.Errorf("identity %#x, class %#x, subsystem %#x", id, class, sub)
	}
	d := f.Probe(0)
	d.Start()
	if n, q, blk, seg := d.Config(0, 8), d.Config(34, 2), d.Config(20, 4), d.Config(12, 4); n != 2048 || q != 2 || blk != 512 || seg != 254 {
		t.Errorf("capacity %d, queues %d, block size %d, segments %d", n, q, blk, seg)
	}
	if n := f.Read(f.Capability(0x11, 0)+2, 2); n != 2 {
		t.Errorf("%d+1 vectors, want one a queue and one", n)
	}
	d.Disk(8, 0, 20, true)
	d.Notify()
	b.Settle()
	if got := b.Bytes(d.DiskData(), 20); string(got) != "01234567890123456789" || d.DiskStatus() != 0 {
		t.Errorf("serial %q, status %d", got, d.DiskStatus())
	}
}

func TestReadWriteFlush(t *testing.T) {
	b, disk, d := plugged(t)
	d.Disk(0, 3, 1024, true)
	d.Notify()
	if d.DiskStatus() != 0xff {
		t.Error("the hart did the disk's work")
	}
	b.Settle()
	if got := b.Bytes(d.DiskData(), 1024); got[0] != 3 || got[1023] != 4 || d.DiskStatus() != 0 || d.UsedLen(0) != 1025 {
		t.Errorf("read %d..%d, status %d, used %d", got[0], got[1023], d.DiskStatus(), d.UsedLen(0))
	}
	if !b.Lines[1] || d.ISR() != 1 || b.Lines[1] {
		t.Errorf("line %v after reading the interrupt status", b.Lines[1])
	}
	want := bytes.Repeat([]byte("wxyz"), 40<<10)
	b.Put(d.DiskData(), want)
	d.Disk(1, 100, len(want), false)
	d.Notify()
	b.Settle()
	if !bytes.Equal(disk.data[51200:51200+len(want)], want) || d.DiskStatus() != 0 {
		t.Errorf("written wrongly, status %d", d.DiskStatus())
	}
	if disk.begun != 2 || disk.ended != 2 {
		t.Errorf("%d requests begun, %d ended, want one each of the guest's", disk.begun, disk.ended)
	}
	d.Disk(4, 0, 0, false)
	d.Notify()
	b.Settle()
	if disk.flushes != 1 || d.DiskStatus() != 0 || d.Used() != 3 {
		t.Errorf("%d flushes, status %d, %d used", disk.flushes, d.DiskStatus(), d.Used())
	}
}

// Without a write cache a write is stable when it is answered.
func TestWriteThrough(t *testing.T) {
	b, disk, d := plugged(t, "write-cache", "off", "config-wce", false)
	d.Disk(1, 0, 512, false)
	d.Notify()
	b.Settle()
	if d.DiskStatus() != 0 || disk.flushes != 1 {
		t.Errorf("status %d, %d flushes", d.DiskStatus(), disk.flushes)
	}
}

func TestBadRequests(t *testing.T) {
	b, disk, d := plugged(t)
	for name, c := range map[string]struct {
		typ    uint32
		sector uint64
		n      int
		err    error
		want   uint64
	}{
		"beyond the end":    {0, 2048, 512, nil, 1},
		"across the end":    {0, 2047, 1024, nil, 1},
		"wraps":             {0, 1<<55 - 1, 1024, nil, 1},
		"odd length":        {0, 0, 511, nil, 1},
		"unknown":           {77, 0, 512, nil, 2},
		"the disk is bad":   {0, 0, 512, syscall.EIO, 1},
		"nothing to read":   {0, 0, 0, nil, 0},
		"last sector alone": {0, 2047, 512, nil, 0},
	} {
		disk.err = c.err
		d.Disk(c.typ, c.sector, c.n, true)
		d.Notify()
		b.Settle()
		if got := d.DiskStatus(); got != c.want {
			t.Errorf("%s: status %d, want %d", name, got, c.want)
		}
	}
	disk.err, disk.readOnly = nil, true
	d.Disk(1, 0, 512, false)
	d.Notify()
	b.Settle()
	if d.DiskStatus() != 1 {
		t.Errorf("writing a read-only disk: status %d", d.DiskStatus())
	}
	if disk.invalid[0] == 0 || disk.invalid[1] != 1 {
		t.Errorf("counted as making no sense: %v", disk.invalid)
	}
	d.Offer(0, virtiotest.Buffer{At: d.Data(), Len: 15}, virtiotest.Buffer{At: d.Data() + 16, Len: 1, Writable: true})
	d.Notify()
	b.Settle()
	if d.Status()&0x40 == 0 {
		t.Errorf("status %#x after a short header", d.Status())
	}
}

func TestResetWithRequestInFlight(t *testing.T) {
	b, disk, d := plugged(t)
	disk.held = true
	d.Disk(0, 3, 512, true)
	d.Notify()
	b.Settle()
	d.SetCommon(0x14, 0, 1)
	b.Settle()
	if d.Status() == 0 {
		t.Error("the reset is over while a request is in flight")
	}
	disk.release()
	b.Settle()
	if d.Status() != 0 || b.Bytes(d.DiskData(), 1)[0] != 0 || d.DiskStatus() != 0xff {
		t.Errorf("status %d; a request of before the reset reached the guest", d.Status())
	}
	d.Start()
	d.Disk(0, 7, 512, true)
	d.Notify()
	b.Settle()
	if b.Bytes(d.DiskData(), 1)[0] != 7 {
		t.Error("does not work after the reset")
	}
}

func TestUnplugByGuest(t *testing.T) {
	b, disk, d := plugged(t)
	port := b.At(0, 1, 0)
	if err := b.Tree.Del("d0"); err != nil {
		t.Fatal(err)
	}
	if port.Read(sltSta, 2) != 0x41 || !b.Lines[1] || len(b.Deleted) != 0 {
		t.Errorf("after device_del: status %#x, line %v, deleted %v", port.Read(sltSta, 2), b.Lines[1], b.Deleted)
	}
	const again = "Device d0 is already in the process of unplug"
	if err := b.Tree.Del("d0"); err == nil || err.Error() != again {
		t.Errorf("a second device_del: %v", err)
	}
	disk.held = true
	d.Disk(0, 3, 512, true)
	d.Notify()
	b.Settle()
	powerOff(b)
	if b.At(1, 0, 0).Present() || port.Read(sltSta, 2) != 0x19 || port.Read(lnkSta, 2)&0x2000 != 0 {
		t.Errorf("after power off: status %#x, link %#x", port.Read(sltSta, 2), port.Read(lnkSta, 2))
	}
	b.Settle()
	if len(b.Deleted) != 0 || !disk.inUse {
		t.Errorf("finalised with a request in flight: %v", b.Deleted)
	}
	disk.release()
	b.Settle()
	if !slices.Equal(b.Deleted, gone) {
		t.Errorf("deleted %v", b.Deleted)
	}
}

func TestFinalisedAfterLastRequest(t *testing.T) {
	b, disk, d := plugged(t)
	disk.held = true
	d.Disk(0, 3, 512, true)
	d.Notify()
	b.Settle()
	powerOff(b)
	b.Settle()
	if err := b.TryAdd("virtio-blk-pci", "d1", "bus", "rp0", "drive", "n0"); err == nil {
		t.Error("the drive is free while a request is in flight")
	}
	disk.release()
	b.Settle()
	if !slices.Equal(b.Deleted[len(b.Deleted)-2:], gone) || disk.inUse {
		t.Errorf("deleted %v, drive in use %v", b.Deleted, disk.inUse)
	}
	if b.Bytes(d.DiskData(), 1)[0] != 0 {
		t.Error("a device that was unplugged wrote to the guest")
	}
	b.Add("virtio-blk-pci", "d0", "bus", "rp0", "drive", "n0")
	powerOn(b)
	again := b.At(1, 0, 0).Probe(0)
	again.Start()
	again.Disk(0, 9, 512, true)
	again.Notify()
	b.Settle()
	if b.Bytes(again.DiskData(), 1)[0] != 9 {
		t.Error("the same id does not work again")
	}
}

func TestDeleteWithoutPower(t *testing.T) {
	b, disk := newBoard(t)
	for range 3 {
		b.Deleted = nil
		b.Add("virtio-blk-pci", "d0", "bus", "rp0", "drive", "n0")
		if err := b.Tree.Del("d0"); err != nil {
			t.Fatal(err)
		}
		b.Settle()
		if !slices.Equal(b.Deleted, gone) || disk.inUse {
			t.Fatalf("deleted %v, in use %v", b.Deleted, disk.inUse)
		}
	}
}

func TestErrors(t *testing.T) {
	b, disk := newBoard(t)
	for _, c := range []struct {
		want string
		args []any
	}{
		{"drive property not set", nil},
		{"Property 'virtio-blk-device.drive' can't find value 'nonesuch'", []any{"drive", "nonesuch"}},
		{"parameter logical_block_size must be a power of 2 between 512 and 2097152", []any{"drive", "n0", "logical_block_size", int64(513)}},
		{"logical_block_size > physical_block_size not supported", []any{"drive", "n0", "logical_block_size", int64(4096), "physical_block_size", int64(512)}},
		{"num-queues property must be larger than 0", []any{"drive", "n0", "num-queues", int64(0)}},
		{"invalid queue-size property (3), must be a power of 2 (max 1024)", []any{"drive", "n0", "queue-size", int64(3)}},
		{"Property 'virtio-blk-pci.nonesuch' not found", []any{"drive", "n0", "nonesuch", int64(3)}},
		{"Invalid parameter type for 'multifunction', expected: boolean", []any{"drive", "n0", "multifunction", "perhaps"}},
		{"Parameter 'disable-legacy' does not accept value 'maybe'", []any{"disable-legacy", "maybe"}},
	} {
		err := b.TryAdd("virtio-blk-pci", "a", append([]any{"bus", "rp0"}, c.args...)...)
		if err == nil || err.Error() != c.want || qerr.From(err).Class != qerr.GenericError {
			t.Errorf("%v: %v, want %s", c.args, err, c.want)
		}
		b.Settle()
		if disk.inUse {
			t.Fatalf("%v: the drive is still in use", c.args)
		}
	}
	b.Add("virtio-blk-pci", "a", "bus", "rp0", "drive", "n0")
	const inUse = "Property 'virtio-blk-device.drive' can't take value 'n0', it's in use"
	if err := b.TryAdd("virtio-blk-pci", "b", "bus", "rp1", "drive", "n0"); err == nil || err.Error() != inUse {
		t.Errorf("a drive twice: %v", err)
	}
	const occupied = "PCI: slot 0 function 0 already occupied by virtio-blk-pci, new func virtio-blk-pci cannot be exposed to guest."
	if err := b.TryAdd("virtio-blk-pci", "b", "bus", "rp0"); err == nil || err.Error() != occupied {
		t.Errorf("an occupied slot: %v", err)
	}
	const root = "Bus 'pcie.0' does not support hotplugging"
	if err := b.TryAdd("virtio-blk-pci", "b"); err == nil || err.Error() != root {
		t.Errorf("the root bus: %v", err)
	}
}

// A failed plug of a device whose inner part was alive tells of that part's end.
func TestFailedPlugLeavesNothing(t *testing.T) {
	b, disk := newBoard(t)
	err := b.TryAdd("virtio-blk-pci-transitional", "d0", "bus", "rp0", "drive", "n0", "iommu_platform", true)
	if err == nil {
		t.Fatal("translated addresses for a legacy driver")
	}
	b.Settle()
	if !slices.Equal(b.Deleted, gone[:1]) || disk.inUse {
		t.Errorf("deleted %v, in use %v", b.Deleted, disk.inUse)
	}
	b.Add("virtio-blk-pci", "d0", "bus", "rp0", "drive", "n0")
}

// A guest may offer as much as its queue holds; a bounded number is under way.
func TestInFlightIsBounded(t *testing.T) {
	const offered, most = 100, 64
	b, disk, d := plugged(t)
	disk.held = true
	b.Write(d.Data(), 4, 8) // a flush: header and status are enough
	for i := range offered {
		status := d.Data() + 0x100 + uint64(i)
		b.Write(status, 0xff, 1)
		d.Offer(0, virtiotest.Buffer{At: d.Data(), Len: 16}, virtiotest.Buffer{At: status, Len: 1, Writable: true})
		d.Notify()
		b.Settle()
	}
	if disk.flushes != most || d.Used() != 0 {
		t.Errorf("%d requests under way, %d used, want %d and none", disk.flushes, d.Used(), most)
	}
	disk.release()
	b.Settle()
	if disk.flushes != offered || d.Used() != offered {
		t.Errorf("%d requests done, %d used, want %d", disk.flushes, d.Used(), offered)
	}
}

func TestPorts(t *testing.T) {
	b, _ := newBoard(t)
	port := b.At(0, 2, 0)
	if cap, ctl, sta := port.Read(expCap+0x14, 4), port.Read(sltCtl, 2), port.Read(sltSta, 2); cap != 0x0002007b || ctl != 0x07c0 || sta != 0 {
		t.Errorf("empty slot: capabilities %#x, control %#x, status %#x", cap, ctl, sta)
	}
	const busy = "Can't add chassis slot, error -16"
	p := virtiotest.New(t, nil)
	p.Add("pcie-root-port", "rp0", "chassis", int64(1))
	if err := p.TryAdd("pcie-root-port", "rp1", "chassis", int64(1)); err == nil || err.Error() != busy {
		t.Errorf("a slot twice: %v", err)
	}
	p.Add("pcie-root-port", "rp2", "chassis", int64(2), "hotplug", false)
	p.Start()
	const off = "Bus 'rp2' does not support hotplugging"
	if err := p.TryAdd("pcie-root-port", "x", "bus", "rp2"); err == nil || err.Error() != off {
		t.Errorf("hotplug=off: %v", err)
	}
}

func TestColdPlug(t *testing.T) {
	d := &disk{data: make([]byte, 1<<20)}
	b := virtiotest.New(t, shelf{"n0": d}, blk.Register)
	b.Add("pcie-root-port", "rp0", "chassis", int64(1))
	b.Add("virtio-blk-pci", "d0", "bus", "rp0", "drive", "n0")
	b.Start()
	port := b.At(0, 1, 0)
	port.Open(1, 0)
	if ctl, sta := port.Read(sltCtl, 2), port.Read(sltSta, 2); ctl != 0x03c0 || sta != 0x40 || !b.At(1, 0, 0).Present() {
		t.Errorf("at boot: control %#x, status %#x", ctl, sta)
	}
	if err := b.Tree.Del("d0"); err != nil || port.Read(sltSta, 2) != 0x41 {
		t.Errorf("device_del: %v, status %#x", err, port.Read(sltSta, 2))
	}
	b.Tree.Reset()
	if port.Read(sltSta, 2) != 0x40 || len(b.Deleted) != 0 {
		t.Errorf("after reset: status %#x, deleted %v", port.Read(sltSta, 2), b.Deleted)
	}
	port.Open(1, 0)
	if info := pci.FormatInfo(b.Host.Host().Info()); !bytes.Contains([]byte(info), []byte(`id "d0"`)) {
		t.Errorf("info pci does not show the disk:\n%s", info)
	}
}

func BenchmarkRead4K(b *testing.B) {
	board, _, d := plugged(b)
	b.ReportAllocs()
	for b.Loop() {
		d.Disk(0, 3, 4096, true)
		d.Notify()
		board.Settle()
	}
	if d.DiskStatus() != 0 {
		b.Fatalf("status %d", d.DiskStatus())
	}
}

func BenchmarkPlugUnplug(b *testing.B) {
	board, _ := newBoard(b)
	b.ReportAllocs()
	for b.Loop() {
		board.Add("virtio-blk-pci", "d0", "bus", "rp0", "drive", "n0")
		if err := board.Tree.Del("d0"); err != nil {
			b.Fatal(err)
		}
		board.Settle()
	}
}

// A disk that grows or shrinks under a running driver: the configuration says
// so, and an interrupt tells the driver to look.
func TestResized(t *testing.T) {
	b, disk, d := plugged(t)
	dev := disk.device.(interface{ Resized() })
	before := d.Common(0x15, 1)
	for _, sectors := range []int{4096, 8} {
		disk.data = make([]byte, 512*sectors)
		dev.Resized()
		if isr := d.ISR(); isr != 2 {
			t.Errorf("interrupt status %d, want a change of the configuration", isr)
		}
		if n := d.Config(0, 8); n != uint64(sectors) {
			t.Errorf("capacity %d, want %d", n, sectors)
		}
		if now := d.Common(0x15, 1); now == before {
			t.Errorf("configuration generation is still %d", now)
		} else {
			before = now
		}
	}
	d.Disk(0, 8, 512, true) // past the end now
	d.Notify()
	b.Settle()
	if d.DiskStatus() != 1 {
		t.Errorf("status %d, want an I/O error", d.DiskStatus())
	}
	d.SetCommon(0x14, 0, 1)
	dev.Resized()
	if isr := d.ISR(); isr != 0 {
		t.Errorf("interrupt status %d from a device that no driver runs", isr)
	}
}

// A drained section leaves the queue unread; its end takes up what came.
func TestDrainedSection(t *testing.T) {
	b, disk, d := plugged(t)
	dev := disk.device.(block.DrainOps)
	dev.DrainedBegin()
	d.Disk(0, 3, 512, true)
	d.Notify()
	b.Settle()
	if d.Used() != 0 || dev.DrainedPoll() {
		t.Errorf("%d requests answered in a drained section", d.Used())
	}
	dev.DrainedEnd()
	b.Settle()
	if d.Used() != 1 || d.DiskStatus() != 0 {
		t.Errorf("%d requests answered after it, status %d", d.Used(), d.DiskStatus())
	}
}
