package blk_test

import (
	"bytes"
	"encoding/binary"
	"testing"

	"github.com/backplane-vm/backplane/internal/virtio/virtiotest"
)

const typeDiscard, typeWriteZeroes = 11, 13

// segments has the driver ask for something about a range of sectors.
func segments(b *virtiotest.Board, d *virtiotest.Driver, typ uint32, sector uint64, count, flags uint32, size int) uint64 {
	p := binary.LittleEndian.AppendUint64(nil, sector)
	p = binary.LittleEndian.AppendUint32(p, count)
	p = binary.LittleEndian.AppendUint32(p, flags)
	b.Put(d.DiskData(), append(p, p...))
	d.Disk(typ, 0, size, false)
	d.Notify()
	b.Settle()
	return d.DiskStatus()
}

func TestWriteZeroes(t *testing.T) {
	b, disk, d := plugged(t, "max-write-zeroes-sectors", int64(1024))
	if most, segs, unmap := d.Config(48, 4), d.Config(52, 4), d.Config(56, 1); most != 1024 || segs != 1 || unmap != 1 {
		t.Errorf("configuration: %d sectors, %d segments, unmap %d", most, segs, unmap)
	}
	was := bytes.Clone(disk.data)
	for _, c := range []struct {
		name         string
		sector       uint64
		count, flags uint32
		size         int
		want         uint64
	}{
		{"within", 3, 600, 0, 16, 0}, {"may be unmapped", 1000, 1, 1, 16, 0}, {"the last", 2047, 1, 0, 16, 0},
		{"nothing", 5, 0, 0, 16, 0},
		{"beyond the end", 2048, 1, 0, 16, 1}, {"wraps", 1<<55 - 1, 2, 0, 16, 1}, {"too many", 0, 1025, 0, 16, 1},
		{"unknown flag", 0, 1, 2, 16, 2}, {"two segments", 0, 1, 0, 32, 2},
	} {
		if got := segments(b, d, typeWriteZeroes, c.sector, c.count, c.flags, c.size); got != c.want {
			t.Errorf("%s: status %d, want %d", c.name, got, c.want)
		}
		if c.want == 0 {
			clear(was[c.sector*512 : (c.sector+uint64(c.count))*512])
		}
	}
	if !bytes.Equal(disk.data, was) {
		t.Error("other sectors than asked for are zero")
	}
	if disk.invalid[1] != 3 {
		t.Errorf("%d counted as making no sense", disk.invalid[1])
	}
	segments(b, d, typeWriteZeroes, 0, 1, 0, 15)
	if d.Status()&0x40 == 0 {
		t.Errorf("status %#x after a short segment", d.Status())
	}
}

func TestDiscard(t *testing.T) {
	b, disk, d := plugged(t, "max-discard-sectors", int64(100), "discard_granularity", int64(4096))
	if most, segs, unit := d.Config(36, 4), d.Config(40, 4), d.Config(44, 4); most != 100 || segs != 1 || unit != 8 {
		t.Errorf("configuration: %d sectors, %d segments, granularity %d", most, segs, unit)
	}
	was := bytes.Clone(disk.data)
	for _, c := range []struct{ count, flags, want uint32 }{{8, 0, 0}, {100, 0, 0}, {101, 0, 1}, {8, 1, 2}} {
		if got := segments(b, d, typeDiscard, 8, c.count, c.flags, 16); got != uint64(c.want) {
			t.Errorf("%v: status %d", c, got)
		}
	}
	if !bytes.Equal(disk.data, was) {
		t.Error("a node without discard=unmap lost something")
	}
}

// Features and the size of the configuration follow the properties.
func TestOffers(t *testing.T) {
	const flush, configCache, discard, zeroes = 1 << 9, 1 << 11, 1 << 13, 1 << 14
	for _, c := range []struct {
		args []any
		want uint64
		end  uint64
	}{
		{nil, flush | configCache | discard | zeroes, 57},
		{[]any{"write-zeroes", false}, flush | configCache | discard, 48},
		{[]any{"write-zeroes", false, "discard", false}, flush | configCache, 36},
		{[]any{"write-cache", "off"}, flush | configCache | discard | zeroes, 57},
		{[]any{"write-cache", "off", "x-enable-wce-if-config-wce", false}, configCache | discard | zeroes, 57},
		{[]any{"write-cache", "off", "config-wce", false}, discard | zeroes, 57},
	} {
		_, _, d := plugged(t, c.args...)
		d.SetCommon(0x00, 0, 4)
		if got := d.Common(0x04, 4) & (flush | configCache | discard | zeroes); got != c.want {
			t.Errorf("%v: offers %#x, want %#x", c.args, got, c.want)
		}
		if in, out := d.Config(c.end-1, 1), d.Config(c.end, 1); out != 0xff || in == 0xff {
			t.Errorf("%v: configuration does not end at %d", c.args, c.end)
		}
	}
}

func TestCacheIsSwitched(t *testing.T) {
	b, disk, d := plugged(t)
	write := func() int {
		before := disk.flushes
		d.Disk(1, 0, 512, false)
		d.Notify()
		b.Settle()
		return disk.flushes - before
	}
	if d.Config(32, 1) != 1 || write() != 0 {
		t.Error("no cache at first")
	}
	d.SetConfig(32, 0, 1)
	if d.Config(32, 1) != 0 || write() != 1 {
		t.Error("the driver cannot switch the cache off")
	}
	d.Start()
	if d.Config(32, 1) != 1 || write() != 0 {
		t.Error("no cache after a reset")
	}
	d.Features = 0 // and so no flushes
	d.Start()
	if write() != 1 {
		t.Error("a driver that cannot flush has a cache")
	}
}

func TestGeometry(t *testing.T) {
	_, _, d := plugged(t, "cyls", int64(10), "heads", int64(5), "secs", int64(7))
	if c, h, s := d.Config(16, 2), d.Config(18, 1), d.Config(19, 1); c != 10 || h != 5 || s != 7 {
		t.Errorf("geometry %d/%d/%d", c, h, s)
	}
}
