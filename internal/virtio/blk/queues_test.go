package blk_test

import (
	"testing"

	"github.com/backplane-vm/backplane/internal/virtio/virtiotest"
)

// Requests of several queues are under way at the same time; each is given back
// where it came from, with the message of its queue.
func TestQueues(t *testing.T) {
	const target = virtiotest.RAM + 0x8000
	b, disk, d := plugged(t, "num-queues", int64(3))
	if n, most := d.Common(0x12, 2), d.Config(34, 2); n != 3 || most != 3 {
		t.Fatalf("%d queues, configuration says %d", n, most)
	}
	for v := range uint64(4) {
		b.Write(virtiotest.LowMMIO+16*v, target+4*v, 8)
		b.Write(virtiotest.LowMMIO+16*v+8, 0xcafe0000+v, 4)
		b.Write(virtiotest.LowMMIO+16*v+12, 0, 4)
	}
	d.Write(d.Capability(0x11, 0)+2, 0x8000, 2)
	queues := []*virtiotest.Driver{d, d.Also(1), d.Also(2)}
	for i, q := range queues {
		if i > 0 {
			q.Enable()
		}
		d.SetCommon(0x16, uint64(i), 2)
		d.SetCommon(0x1a, uint64(3-i), 2)
	}
	disk.held = true
	for i, q := range queues {
		q.Disk(0, uint64(40+i), 512, true)
		q.Notify()
	}
	b.Settle()
	if len(disk.waiting) != 3 {
		t.Fatalf("%d requests at the disk", len(disk.waiting))
	}
	disk.release()
	b.Settle()
	for i, q := range queues {
		message := b.Read(target+4*uint64(3-i), 4)
		if q.Used() != 1 || q.DiskStatus() != 0 || b.Bytes(q.DiskData(), 1)[0] != byte(40+i) || message != 0xcafe0000+uint64(3-i) {
			t.Errorf("queue %d: %d used, status %d, message %#x", i, q.Used(), q.DiskStatus(), message)
		}
	}
	if b.Read(target, 4) != 0 {
		t.Error("a message for the configuration")
	}
}

func TestLegacyQueues(t *testing.T) {
	b, _, f := onRoot(t, "virtio-blk-pci", "num-queues", int64(2))
	d := f.ProbeLegacy(0x1000)
	d.Start()
	e := d.Also(1)
	e.Place()
	for i, q := range []*virtiotest.Driver{d, e} {
		q.Disk(0, uint64(50+i), 512, true)
		q.Notify()
		b.Settle()
		if q.Used() != 1 || b.Bytes(q.DiskData(), 1)[0] != byte(50+i) {
			t.Errorf("queue %d: %d used", i, q.Used())
		}
	}
}
