package blk_test

import (
	"testing"

	"github.com/backplane-vm/backplane/internal/virtio/blk"
	"github.com/backplane-vm/backplane/internal/virtio/virtiotest"
)

func TestTransportErrors(t *testing.T) {
	b, _ := newBoard(t)
	for _, c := range []struct {
		want string
		args []any
	}{
		{"failover primary device is not an Ethernet device", []any{"drive", "n0", "failover_pair_id", "net0"}},
		{"Property 'virtio-blk-pci.x-nonesuch' not found", []any{"drive", "n0", "x-nonesuch", true}},
		{"cyls must be between 1 and 65535", []any{"drive", "n0", "cyls", int64(65536), "heads", int64(1), "secs", int64(1)}},
		{"heads must be between 1 and 255", []any{"drive", "n0", "cyls", int64(1)}},
		{"secs must be between 1 and 255", []any{"drive", "n0", "cyls", int64(1), "heads", int64(1), "secs", int64(256)}},
		{"discard_granularity must be a multiple of logical_block_size", []any{"drive", "n0", "discard_granularity", int64(77)}},
		{"invalid max-discard-sectors property (0), must be between 1 and 4194303", []any{"drive", "n0", "max-discard-sectors", int64(0)}},
		{"invalid max-write-zeroes-sectors property (4194304), must be between 1 and 4194303",
			[]any{"drive", "n0", "max-write-zeroes-sectors", int64(4194304)}},
	} {
		err := b.TryAdd("virtio-blk-pci", "d0", append([]any{"bus", "rp0"}, c.args...)...)
		if err == nil || err.Error() != c.want {
			t.Errorf("%v: %v, want %s", c.args, err, c.want)
		}
		b.Settle()
	}
}

func TestPortErrors(t *testing.T) {
	for _, c := range []struct {
		want string
		args []any
	}{
		{"Invalid aer_log_max 129. The max number of aer log is 128", []any{"aer_log_max", int64(129)}},
		{"PCI resource reserve cap: PREF32 and PREF64 conflict", []any{"pref32-reserve", int64(1), "pref64-reserve", int64(1)}},
		{"PCI resource reserve cap: mem-reserve must be less than 4G", []any{"mem-reserve", int64(1 << 32)}},
		{"PCI resource reserve cap: pref32-reserve  must be less than 4G", []any{"pref32-reserve", int64(1 << 32)}},
	} {
		b := virtiotest.New(t, nil)
		err := b.TryAdd("pcie-root-port", "rp0", c.args...)
		if err == nil || err.Error() != c.want {
			t.Errorf("%v: %v, want %s", c.args, err, c.want)
		}
		if err := b.TryAdd("pcie-root-port", "rp0"); err != nil {
			t.Errorf("after %v: %v", c.args, err)
		}
	}
}

// notifiedBy is a disk on the root bus that does what a driver asked for by this
// way of notifying.
func notifiedBy(t *testing.T, property string, notify func(*virtiotest.Board, *virtiotest.Driver)) {
	t.Helper()
	b, _, f := onRoot(t, "virtio-blk-pci", property, true)
	d := f.Probe(8)
	d.Start()
	d.Disk(0, 6, 512, true)
	notify(b, d)
	b.Settle()
	if d.DiskStatus() != 0 || b.Bytes(d.DiskData(), 1)[0] != 6 {
		t.Errorf("%s: status %d", property, d.DiskStatus())
	}
}

func TestWaysToNotify(t *testing.T) {
	notifiedBy(t, "page-per-vq", func(b *virtiotest.Board, d *virtiotest.Driver) {
		if got := d.Read(d.Capability(9, 1)+16, 4); got != 4096 {
			t.Errorf("queues are %d apart", got)
		}
		d.Notify()
	})
	notifiedBy(t, "modern-pio-notify", func(b *virtiotest.Board, d *virtiotest.Driver) {
		d.Write(0x18, 0x2000, 4)
		d.Write(0x04, 7, 2)
		b.Write(virtiotest.PIO+0x2000, 0, 2)
	})
}

// x-pcie-lnksta-dllla of what is behind a port says whether the port shows its
// link as up.
func TestPortShowsLink(t *testing.T) {
	for _, active := range []bool{true, false} {
		b, _, _ := plugged(t, "x-pcie-lnksta-dllla", active)
		if got := b.At(0, 1, 0).Read(lnkSta, 2)&0x2000 != 0; got != active {
			t.Errorf("link active %v, want %v", got, active)
		}
	}
}

func TestBootIndex(t *testing.T) {
	b := virtiotest.New(t, shelf{"n0": newDisk(), "n1": newDisk()}, blk.Register)
	b.Add("pcie-root-port", "rp0", "chassis", int64(1))
	b.Add("pcie-root-port", "rp1", "chassis", int64(2))
	b.Start()
	second := func() error {
		return b.TryAdd("virtio-blk-pci", "d1", "bus", "rp1", "drive", "n1", "bootindex", int64(3))
	}
	b.Add("virtio-blk-pci", "d0", "bus", "rp0", "drive", "n0", "bootindex", int64(3))
	const taken = "The bootindex 3 has already been used"
	if err := second(); err == nil || err.Error() != taken {
		t.Errorf("a place twice: %v", err)
	}
	b.Settle()
	if err := b.Tree.Del("d0"); err != nil {
		t.Fatal(err)
	}
	b.Settle()
	if err := second(); err != nil {
		t.Errorf("after the first has gone: %v", err)
	}
}
