package vring

import (
	"encoding/binary"
	"slices"
	"testing"
)

// packed is a driver of a packed queue.
type packed struct {
	*driver
	next  uint16
	round bool
}

func newPacked(size uint16, eventIndex bool) *packed {
	d := newDriver(size)
	d.cfg.Packed, d.cfg.EventIndex = true, eventIndex
	return &packed{driver: d, round: true}
}

// put writes the next descriptor of the ring; the flags last make it offered.
func (d *packed) put(addr uint64, n uint32, id, flags uint16) {
	if d.round {
		flags |= packedAvail
	} else {
		flags |= packedUsed
	}
	d.desc(d.cfg.Desc, d.next, addr, n, id, flags)
	if d.next++; d.next == d.cfg.Size {
		d.next, d.round = 0, !d.round
	}
}

// used returns what the device gave back in a slot of the ring.
func (d *packed) used(slot uint16) (id uint16, n uint32, flags uint16) {
	at := d.cfg.Desc + 16*uint64(slot)
	return d.word(at + packedID), binary.LittleEndian.Uint32(d.ram[at+packedLen:]), d.word(at + packedFlags)
}

func (d *packed) event(index, flags uint16) {
	binary.LittleEndian.PutUint16(d.ram[d.cfg.Avail:], index)
	binary.LittleEndian.PutUint16(d.ram[d.cfg.Avail+2:], flags)
}

// Chains of two go round a ring of five: they wrap in their middle.
func TestPackedRounds(t *testing.T) {
	d := newPacked(5, false)
	q := d.start(t)
	copy(d.ram[0xa000:], "abcd")
	var e Element
	round, slot := true, uint16(0)
	for i := range uint16(12) {
		d.put(0xa000, 4, 9, descNext)
		d.put(0xb000, 8, 100+i, descWrite)
		if empty, err := q.Empty(); empty || err != nil {
			t.Fatalf("chain %d: empty %v, %v", i, empty, err)
		}
		if ok, err := q.Pop(&e); !ok || err != nil {
			t.Fatalf("chain %d: %v %v", i, ok, err)
		}
		if e.Head() != 100+i || e.OutLen() != 4 || e.InLen() != 8 {
			t.Fatalf("chain %d: %+v", i, e)
		}
		if ok, err := q.Pop(&e); ok || err != nil {
			t.Fatalf("chain %d twice: %v", i, err)
		}
		if err := q.Push(&e, uint32(i)); err != nil {
			t.Fatal(err)
		}
		id, n, flags := d.used(slot)
		if id != 100+i || n != uint32(i) || (flags&packedUsed != 0) != round || (flags&packedAvail != 0) != round {
			t.Fatalf("chain %d: given back %d, %d bytes, flags %#x", i, id, n, flags)
		}
		if slot += 2; slot >= 5 {
			slot, round = slot-5, !round
		}
	}
	if q.InFlight() != 0 {
		t.Errorf("%d in flight", q.InFlight())
	}
}

func TestPackedTable(t *testing.T) {
	d := newPacked(4, false)
	d.desc(0x2000, 0, 0xa000, 4, 0, 0)
	d.desc(0x2000, 1, 0xb000, 8, 0, descWrite)
	d.desc(0x2000, 2, 0xc000, 1, 0, descWrite)
	d.put(0x2000, 3*16, 7, descIndirect)
	q := d.start(t)
	var e Element
	if ok, err := q.Pop(&e); !ok || err != nil || e.Head() != 7 || e.OutLen() != 4 || e.InLen() != 9 {
		t.Errorf("%v %v: %+v", ok, err, e)
	}
}

func TestPackedBadDrivers(t *testing.T) {
	for name, prepare := range map[string]func(d *packed){
		"no end": func(d *packed) {
			for range d.cfg.Size {
				d.put(0xa000, 1, 0, descNext)
			}
		},
		"empty buffer":    func(d *packed) { d.put(0xa000, 0, 0, 0) },
		"readable behind": func(d *packed) { d.put(1, 1, 0, descWrite|descNext); d.put(1, 1, 0, 0) },
		"ragged table":    func(d *packed) { d.put(0xa000, 17, 0, descIndirect) },
		"huge table":      func(d *packed) { d.put(0xa000, 16*(MaxSize+1), 0, descIndirect) },
		"table behind":    func(d *packed) { d.put(0xa000, 1, 0, descNext); d.put(0x2000, 16, 0, descIndirect) },
		"table in nowhere": func(d *packed) {
			d.put(1<<40, 16, 0, descIndirect)
		},
	} {
		d := newPacked(4, false)
		prepare(d)
		q := d.start(t)
		var e Element
		if ok, err := q.Pop(&e); ok || err == nil || q.Ready() {
			t.Errorf("%s: popped %v, %v", name, ok, err)
		}
	}
}

// The driver is told when it wants to be, also around the end of the ring.
func TestPackedNotification(t *testing.T) {
	for _, c := range []struct {
		name         string
		index, flags uint16
		want         []bool // after each of five chains in a ring of four
	}{
		{"always", 0, 0, []bool{true, true, true, true, true}},
		{"never", 0, eventDisable, []bool{false, false, false, false, false}},
		{"at 2", 2 | eventRound, eventAt, []bool{true, false, true, true, false}},
		{"at 0 of the next round", 0, eventAt, []bool{true, false, false, true, true}},
	} {
		d := newPacked(4, true)
		q := d.start(t)
		d.event(c.index, c.flags)
		var e Element
		var got []bool
		for range 5 {
			d.put(0xa000, 1, 0, 0)
			if ok, err := q.Pop(&e); !ok || err != nil {
				t.Fatal(ok, err)
			}
			if err := q.Push(&e, 0); err != nil {
				t.Fatal(err)
			}
			tell, err := q.ShouldNotify()
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, tell)
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: told %v, want %v", c.name, got, c.want)
		}
	}
	d := newPacked(4, true)
	q := d.start(t)
	if err := q.SetNotify(true); err != nil || d.word(0x9000) != eventRound || d.word(0x9002) != eventAt {
		t.Errorf("asks for %#x, flags %d: %v", d.word(0x9000), d.word(0x9002), err)
	}
	if err := q.SetNotify(false); err != nil || d.word(0x9002) != eventDisable {
		t.Errorf("flags %d: %v", d.word(0x9002), err)
	}
}

func TestPackedLayout(t *testing.T) {
	for _, c := range []struct {
		cfg Config
		ok  bool
	}{
		{Config{Size: 3, Desc: 0x1000, Avail: 0x8000, Used: 0x9000}, true},
		{Config{Size: MaxSize + 1, Desc: 0x1000, Avail: 0x8000, Used: 0x9000}, false},
		{Config{Size: 4, Desc: 0x1008, Avail: 0x8000, Used: 0x9000}, false},
		{Config{Size: 4, Desc: 0x1000, Avail: 0x8002, Used: 0x9000}, false},
		{Config{Size: 4, Desc: ^uint64(15), Avail: 0x8000, Used: 0x9000}, false},
	} {
		c.cfg.Packed = true
		if err := new(Queue).Start(make(ram, 0x10000), c.cfg); (err == nil) != c.ok {
			t.Errorf("%+v: %v", c.cfg, err)
		}
	}
}

// FuzzPacked: whatever the ring has, every operation ends.
func FuzzPacked(f *testing.F) {
	f.Add(uint8(3), []byte{0, 0xa0, 0, 0, 0, 0, 0, 0, 4, 0, 0, 0, 1, 0, 0x81, 0})
	f.Fuzz(func(t *testing.T, order uint8, noise []byte) {
		d := newPacked(uint16(order&0x7f)+1, order&0x80 != 0)
		d.serve(t, noise, MaxSize+int(d.cfg.Size))
	})
}
