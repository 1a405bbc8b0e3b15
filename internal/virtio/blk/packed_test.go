package blk_test

import (
	"encoding/binary"
	"testing"
)

// A disk behind a packed queue (virtio 1.2 §2.8) of three descriptors, so that
// each request is a round.
func TestPackedQueue(t *testing.T) {
	b, _, d := plugged(t, "packed", true)
	ring, driverEvent, deviceEvent := d.Data()+0x8000, d.Data()+0x8100, d.Data()+0x8200
	d.SetCommon(0x00, 1, 4)
	if d.Common(0x04, 4)&(1<<2) == 0 {
		t.Fatal("packed queues are not offered")
	}
	d.SetCommon(0x14, 0, 1)
	d.SetCommon(0x14, 3, 1)
	d.SetCommon(0x08, 1, 4)
	d.SetCommon(0x0c, 1|1<<2, 4)
	d.SetCommon(0x14, 0xb, 1)
	d.SetCommon(0x18, 3, 2)
	d.SetCommon(0x20, ring, 8)
	d.SetCommon(0x28, driverEvent, 8)
	d.SetCommon(0x30, deviceEvent, 8)
	d.SetCommon(0x1c, 1, 2)
	d.SetCommon(0x14, 0xf, 1)
	const next, write, avail, used = 1, 2, 1 << 7, 1 << 15
	for round := range 4 {
		mine, theirs := uint16(avail), uint16(avail|used)
		if round%2 == 1 {
			mine, theirs = used, 0
		}
		b.Write(d.Data(), 0, 8) // a read
		b.Write(d.Data()+8, uint64(20+round), 8)
		b.Write(d.Data()+16, 0xff, 1)
		for i, x := range []struct {
			at, n uint64
			flags uint16
		}{{d.Data(), 16, next}, {d.DiskData(), 512, next | write}, {d.Data() + 16, 1, write}} {
			var p [16]byte
			binary.LittleEndian.PutUint64(p[0:], x.at)
			binary.LittleEndian.PutUint32(p[8:], uint32(x.n))
			binary.LittleEndian.PutUint16(p[12:], 77)
			binary.LittleEndian.PutUint16(p[14:], x.flags|mine)
			b.Put(ring+16*uint64(i), p[:])
		}
		d.Notify()
		b.Settle()
		id, n, flags := b.Read(ring+12, 2), b.Read(ring+8, 4), uint16(b.Read(ring+14, 2))
		if d.DiskStatus() != 0 || b.Bytes(d.DiskData(), 1)[0] != byte(20+round) || id != 77 || n != 513 || flags != theirs {
			t.Fatalf("round %d: status %d, id %d, %d bytes, flags %#x", round, d.DiskStatus(), id, n, flags)
		}
		if d.ISR() != 1 {
			t.Errorf("round %d: no interrupt", round)
		}
	}
	if d.Status() != 0xf {
		t.Errorf("status %#x", d.Status())
	}
}
