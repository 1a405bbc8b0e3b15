package vring

import (
	"encoding/binary"
	"errors"
	"testing"
)

// ram is guest memory that starts at zero. It injects no faults other than
// those of addresses beyond its end.
type ram []byte

var errUnmapped = errors.New("nothing there")

func (r ram) Read(addr uint64, p []byte) error {
	if addr > uint64(len(r)) || uint64(len(p)) > uint64(len(r))-addr {
		return errUnmapped
	}
	copy(p, r[addr:])
	return nil
}

func (r ram) Write(addr uint64, p []byte) error {
	if addr > uint64(len(r)) || uint64(len(p)) > uint64(len(r))-addr {
		return errUnmapped
	}
	copy(r[addr:], p)
	return nil
}

// driver is the other end of a queue.
type driver struct {
	ram
	cfg   Config
	avail uint16
}

func newDriver(size uint16) *driver {
	return &driver{ram: make(ram, 0x10000), cfg: Config{
		Size: size, Desc: 0x1000, Avail: 0x8000, Used: 0x9000, Negotiated: Negotiated{Indirect: true},
	}}
}

func (d *driver) desc(table uint64, i uint16, addr uint64, n uint32, flags, next uint16) {
	b := d.ram[table+16*uint64(i):]
	binary.LittleEndian.PutUint64(b, addr)
	binary.LittleEndian.PutUint32(b[8:], n)
	binary.LittleEndian.PutUint16(b[12:], flags)
	binary.LittleEndian.PutUint16(b[14:], next)
}

func (d *driver) offer(head uint16) {
	binary.LittleEndian.PutUint16(d.ram[d.cfg.Avail+4+2*uint64(d.avail&(d.cfg.Size-1)):], head)
	d.avail++
	binary.LittleEndian.PutUint16(d.ram[d.cfg.Avail+2:], d.avail)
}

func (d *driver) word(addr uint64) uint16 { return binary.LittleEndian.Uint16(d.ram[addr:]) }

func (d *driver) start(t testing.TB) *Queue {
	t.Helper()
	q := new(Queue)
	if err := q.Start(d.ram, d.cfg); err != nil {
		t.Fatal(err)
	}
	return q
}

func TestRoundTrip(t *testing.T) {
	for _, indirect := range []bool{false, true} {
		d := newDriver(8)
		table := d.cfg.Desc
		if indirect {
			table = 0x2000
			d.desc(d.cfg.Desc, 3, table, 3*16, descIndirect, 0)
		}
		first := uint16(3)
		if indirect {
			first = 0
		}
		d.desc(table, first, 0xa000, 4, descNext, 1)
		d.desc(table, 1, 0xb000, 3, descNext, 2)
		d.desc(table, 2, 0xc000, 16, descWrite, 0)
		copy(d.ram[0xa000:], "abcd")
		copy(d.ram[0xb000:], "efg")
		d.offer(3)
		q := d.start(t)
		var e Element
		if ok, err := q.Pop(&e); !ok || err != nil {
			t.Fatalf("pop: %v %v", ok, err)
		}
		if e.OutLen() != 7 || e.InLen() != 16 || e.Head() != 3 || q.InFlight() != 1 {
			t.Errorf("element %+v, in flight %d", e, q.InFlight())
		}
		p := make([]byte, 10)
		if n, err := q.Read(&e, 2, p); err != nil || string(p[:n]) != "cdefg" {
			t.Errorf("read %q, %v", p[:n], err)
		}
		if n, err := q.Write(&e, 12, []byte("123456")); err != nil || n != 4 || string(d.ram[0xc00c:0xc010]) != "1234" {
			t.Errorf("wrote %d, %v", n, err)
		}
		if err := q.Push(&e, 16); err != nil {
			t.Fatal(err)
		}
		if d.word(0x9002) != 1 || d.word(0x9004) != 3 || d.word(0x9008) != 16 {
			t.Errorf("used ring % x", d.ram[0x9000:0x900c])
		}
		if ok, err := q.Pop(&e); ok || err != nil {
			t.Errorf("pop of an empty queue: %v %v", ok, err)
		}
	}
}

func TestBadDrivers(t *testing.T) {
	for name, prepare := range map[string]func(d *driver){
		"index runs away":   func(d *driver) { d.avail = 8; d.offer(0) },
		"head out of range": func(d *driver) { d.offer(8) },
		"next out of range": func(d *driver) { d.desc(0x1000, 0, 0xa000, 1, descNext, 8); d.offer(0) },
		"loop":              func(d *driver) { d.desc(0x1000, 0, 0xa000, 1, descNext, 0); d.offer(0) },
		"empty buffer":      func(d *driver) { d.desc(0x1000, 0, 0xa000, 0, 0, 0); d.offer(0) },
		"buffer wraps":      func(d *driver) { d.desc(0x1000, 0, ^uint64(0)-1, 16, 0, 0); d.offer(0) },
		"readable behind": func(d *driver) {
			d.desc(0x1000, 0, 1, 1, descWrite|descNext, 1)
			d.desc(0x1000, 1, 1, 1, 0, 0)
			d.offer(0)
		},
		"ragged table":         func(d *driver) { d.desc(0x1000, 0, 0xa000, 17, descIndirect, 0); d.offer(0) },
		"huge table":           func(d *driver) { d.desc(0x1000, 0, 0xa000, 16*(MaxSize+1), descIndirect, 0); d.offer(0) },
		"table in table":       func(d *driver) { d.desc(0x1000, 0, 0x1000, 16, descIndirect, 0); d.offer(0) },
		"table in nowhere":     func(d *driver) { d.desc(0x1000, 0, 1<<40, 16, descIndirect, 0); d.offer(0) },
		"table goes on":        func(d *driver) { d.desc(0x1000, 0, 0x2000, 16, descIndirect|descNext, 0); d.offer(0) },
		"descriptors nowhere":  func(d *driver) { d.cfg.Desc = 1 << 40; d.offer(0) },
		"table not negotiated": func(d *driver) { d.cfg.Indirect = false; d.desc(0x1000, 0, 0x2000, 16, descIndirect, 0); d.offer(0) },
	} {
		d := newDriver(8)
		prepare(d)
		q := d.start(t)
		var e Element
		if ok, err := q.Pop(&e); ok || err == nil {
			t.Errorf("%s: pop %v, %v", name, ok, err)
		}
		if _, err := q.Pop(&e); q.Ready() || !errors.Is(err, ErrBroken) {
			t.Errorf("%s: works on: %v", name, err)
		}
	}
}

func TestBadLayouts(t *testing.T) {
	good := newDriver(8).cfg
	for name, change := range map[string]func(c *Config){
		"no size":     func(c *Config) { c.Size = 0 },
		"odd size":    func(c *Config) { c.Size = 7 },
		"too large":   func(c *Config) { c.Size = 2048 },
		"unaligned":   func(c *Config) { c.Desc += 8 },
		"wraps":       func(c *Config) { c.Desc = ^uint64(0) &^ 15 },
		"used wraps":  func(c *Config) { c.Used = ^uint64(0) &^ 3 },
		"avail wraps": func(c *Config) { c.Avail = ^uint64(0) &^ 1 },
	} {
		cfg := good
		change(&cfg)
		q := new(Queue)
		if err := q.Start(ram{}, cfg); !errors.Is(err, ErrLayout) || q.Ready() {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestNotification(t *testing.T) {
	d := newDriver(4)
	d.cfg.EventIndex = true
	q := d.start(t)
	var e Element
	turn := func() bool {
		t.Helper()
		d.desc(0x1000, 0, 0xa000, 1, 0, 0)
		d.offer(0)
		if ok, err := q.Pop(&e); !ok || err != nil {
			t.Fatal(ok, err)
		}
		if err := q.Push(&e, 0); err != nil {
			t.Fatal(err)
		}
		n, err := q.ShouldNotify()
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	event := func(v uint16) { binary.LittleEndian.PutUint16(d.ram[d.cfg.Avail+4+8:], v) }
	if !turn() {
		t.Error("the first use is not told")
	}
	event(2) // tell me when index 2 is used, the third
	if turn() {
		t.Error("told before the event index")
	}
	if !turn() {
		t.Error("not told at the event index")
	}
	if err := q.SetNotify(true); err != nil || d.word(d.cfg.Used+4+8*4) != 3 {
		t.Errorf("avail event %d, %v", d.word(d.cfg.Used+4+8*4), err)
	}
	d = newDriver(4)
	q = d.start(t)
	if !turn() {
		t.Error("not told without suppression")
	}
	binary.LittleEndian.PutUint16(d.ram[d.cfg.Avail:], availNoInterrupt)
	if turn() {
		t.Error("told although suppressed")
	}
	if err := q.SetNotify(false); err != nil || d.word(d.cfg.Used) != usedNoNotify {
		t.Errorf("used flags %d, %v", d.word(d.cfg.Used), err)
	}
}

// FuzzVirtqueue gives a device queues full of noise: no panic, no endless walk,
// and every element within its bounds.
func FuzzVirtqueue(f *testing.F) {
	f.Add(uint8(3), []byte{0, 0xa0, 0, 0, 0, 0, 0, 0, 4, 0, 0, 0, 1, 0, 1, 0})
	f.Fuzz(func(t *testing.T, order uint8, noise []byte) {
		d := newDriver(1 << (order % 9))
		d.cfg.EventIndex = order&0x80 != 0
		d.serve(t, noise, MaxSize)
	})
}

func BenchmarkPopPush(b *testing.B) {
	d := newDriver(256)
	d.desc(0x1000, 0, 0xa000, 16, descNext, 1)
	d.desc(0x1000, 1, 0xb000, 512, descWrite|descNext, 2)
	d.desc(0x1000, 2, 0xc000, 1, descWrite, 0)
	q := d.start(b)
	var e Element
	b.ReportAllocs()
	for b.Loop() {
		d.offer(0)
		if ok, err := q.Pop(&e); !ok || err != nil {
			b.Fatal(ok, err)
		}
		if err := q.Push(&e, 513); err != nil {
			b.Fatal(err)
		}
	}
}

func TestPopPushAllocatesNothing(t *testing.T) {
	d := newDriver(8)
	d.desc(0x1000, 0, 0xa000, 16, 0, 0)
	q := d.start(t)
	var e Element
	if n := testing.AllocsPerRun(100, func() {
		d.offer(0)
		if ok, err := q.Pop(&e); !ok || err != nil {
			t.Fatal(ok, err)
		}
		if err := q.Push(&e, 0); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("%v allocations for a pop and a push", n)
	}
}

// serve fills the driver's memory with noise and does what a device does with what
// it finds there; no chain has more than longest parts.
func (d *driver) serve(t *testing.T, noise []byte, longest int) {
	for i := range d.ram {
		if len(noise) > 0 {
			d.ram[i] = noise[(i-0x1000)&0xffff%len(noise)]
		}
	}
	q := d.start(t)
	var e Element
	p := make([]byte, 64)
	for range MaxSize {
		ok, err := q.Pop(&e)
		if err != nil || !ok {
			break
		}
		if len(e.segs) > longest {
			t.Fatalf("a chain of %d", len(e.segs))
		}
		_, _ = q.Read(&e, 1, p)
		_, _ = q.Write(&e, 1, p)
		_ = q.Push(&e, 1)
		_, _ = q.ShouldNotify()
		_ = q.SetNotify(true)
	}
}
