package virtio

import (
	"encoding/binary"
	"errors"
	"testing"
)

// ram is guest memory at address 0 that fails beyond its end.
type ram []byte

func (r ram) Read(addr uint64, p []byte) error {
	if addr > uint64(len(r)) || uint64(len(p)) > uint64(len(r))-addr {
		return errors.New("no memory there")
	}
	copy(p, r[addr:])
	return nil
}

func (r ram) Write(addr uint64, p []byte) error {
	if addr > uint64(len(r)) || uint64(len(p)) > uint64(len(r))-addr {
		return errors.New("no memory there")
	}
	copy(r[addr:], p)
	return nil
}

// bench is a Core with its kind, transport and driver in one.
type bench struct {
	*Core
	ram
	queues, configs int
	kicks, holds    int
	handled         []int
	resets          int
	avail           uint16
}

func (b *bench) NotifyQueue(uint16)  { b.queues++ }
func (b *bench) NotifyConfig(uint16) { b.configs++ }
func (b *bench) Hold()               { b.holds++ }
func (b *bench) Release()            { b.holds-- }
func (b *bench) Quiet()              {}
func (b *bench) Kick()               { b.kicks++ }
func (b *bench) HandleQueue(i int)   { b.handled = append(b.handled, i) }
func (b *bench) Config() []byte      { return []byte{1, 2, 3} }
func (b *bench) Reset()              { b.resets++ }

const (
	descAt, availAt, usedAt, bufAt = 0x1000, 0x2000, 0x3000, 0x4000
)

func newBench() *bench {
	b := &bench{ram: make(ram, 0x8000)}
	b.Core = NewCore(b, b, b.ram, FeatureVersion1|FeatureEventIndex|1, []uint16{8, 16})
	return b
}

func (b *bench) w(off, v uint64, size uint) { b.WriteCommon(off, v, size, 2) }

// start is a driver's initialisation (virtio 1.2 §3.1.1) with queue 0.
func (b *bench) start(t *testing.T) {
	t.Helper()
	b.startAs(t, false)
}

// startAs is start; the driver may have accepted its high features before.
func (b *bench) startAs(t *testing.T, accepted bool) {
	t.Helper()
	b.w(regStatus, StatusAcknowledge|StatusDriver, 1)
	if !accepted {
		b.w(regAcceptSelect, 1, 4)
		b.w(regAccepted, 1, 4)
	}
	b.w(regStatus, StatusAcknowledge|StatusDriver|StatusFeaturesOK, 1)
	if b.Status()&StatusFeaturesOK == 0 {
		t.Fatal("features refused")
	}
	b.w(regQueueSelect, 0, 2)
	b.w(regQueueSize, 4, 2)
	b.w(regQueueDesc, descAt, 4)
	b.w(regQueueDesc+4, 0, 4)
	b.w(regQueueAvail, availAt, 8)
	b.w(regQueueUsed, usedAt, 8)
	b.w(regQueueEnable, 1, 2)
	b.w(regStatus, uint64(b.Status()|StatusDriverOK), 1)
	if !b.Working() {
		t.Fatalf("not working, status %#x", b.Status())
	}
}

func (b *bench) offer(n uint32, flags uint16) {
	d := b.ram[descAt:]
	binary.LittleEndian.PutUint64(d, bufAt)
	binary.LittleEndian.PutUint32(d[8:], n)
	binary.LittleEndian.PutUint16(d[12:], flags)
	b.avail++
	binary.LittleEndian.PutUint16(b.ram[availAt+2:], b.avail)
}

func TestNegotiation(t *testing.T) {
	b := newBench()
	b.w(regOfferSelect, 1, 4)
	if v := b.ReadCommon(regOffered, 4); v != 1 {
		t.Errorf("high features %#x, want VERSION_1", v)
	}
	for name, c := range map[string]struct {
		low, high uint64
		ok        bool
	}{"legacy": {1, 0, false}, "not offered": {3, 1, false}, "modern": {1, 1, true}} {
		b := newBench()
		b.w(regAcceptSelect, 0, 4)
		b.w(regAccepted, c.low, 4)
		b.w(regAcceptSelect, 1, 4)
		b.w(regAccepted, c.high, 4)
		b.w(regStatus, StatusAcknowledge|StatusDriver|StatusFeaturesOK, 1)
		if got := b.Status()&StatusFeaturesOK != 0; got != c.ok {
			t.Errorf("%s: FEATURES_OK %v", name, got)
		}
		b.w(regAccepted, 0, 4)
		if c.ok && !b.Has(FeatureVersion1) {
			t.Errorf("%s: features changed after FEATURES_OK", name)
		}
	}
}

func TestRegisters(t *testing.T) {
	b := newBench()
	b.w(regQueueSelect, 1, 2)
	b.w(regQueueSize, 17, 2)
	b.w(regQueueUsed, 0x1122334455667788, 8)
	b.w(regQueueUsed+4, 0xaabbccdd, 4)
	b.w(regQueueVector, 1, 2)
	b.w(regConfigVector, 2, 2)
	for _, c := range []struct {
		off  uint64
		size uint
		want uint64
	}{
		{regNumQueues, 2, 2}, {regQueueSelect, 2, 1}, {regQueueSize, 2, 16}, {regQueueOffset, 2, 1},
		{regQueueUsed, 8, 0xaabbccdd55667788}, {regQueueUsed, 4, 0x55667788}, {regQueueUsed + 4, 4, 0xaabbccdd},
		{regQueueVector, 2, 1}, {regConfigVector, 2, NoVector}, {regQueueEnable, 2, 0}, {0x100, 4, 0},
	} {
		if got := b.ReadCommon(c.off, c.size); got != c.want {
			t.Errorf("register %#x: %#x, want %#x", c.off, got, c.want)
		}
	}
	b.w(regQueueSelect, 2, 2)
	b.w(regQueueSelect, MaxQueues, 2)
	size, vector, offset := b.ReadCommon(regQueueSize, 2), b.ReadCommon(regQueueVector, 2), b.ReadCommon(regQueueOffset, 2)
	if size != 0 || vector != NoVector || offset != 2 {
		t.Errorf("a queue that is not there has size %d, vector %#x, offset %d", size, vector, offset)
	}
	if got, beyond := b.ReadConfig(1, 2), b.ReadConfig(1, 4); got != 0x0302 || beyond != 0xffffffff {
		t.Errorf("configuration %#x, beyond its end %#x", got, beyond)
	}
}

func TestRequest(t *testing.T) {
	b := newBench()
	b.start(t)
	b.RunQueues() // the kick of DRIVER_OK
	b.handled = nil
	b.offer(16, 2)
	b.Notify(0)
	b.Notify(9)
	b.RunQueues()
	if len(b.handled) != 1 || b.handled[0] != 0 {
		t.Fatalf("handled %v", b.handled)
	}
	var r Request
	if !b.Pop(0, &r) || !r.Live() || b.InFlight() != 1 {
		t.Fatal("nothing popped")
	}
	if r.Write(14, []byte("abc")) != 2 || string(b.ram[bufAt+14:bufAt+16]) != "ab" {
		t.Error("write into the chain")
	}
	r.Done(16)
	if b.queues != 1 || binary.LittleEndian.Uint16(b.ram[usedAt+2:]) != 1 || b.InFlight() != 0 {
		t.Errorf("interrupts %d, used ring % x", b.queues, b.ram[usedAt:usedAt+12])
	}
}

func TestInOrder(t *testing.T) {
	for _, inOrder := range []bool{true, false} {
		b := newBench()
		b.offered |= FeatureInOrder
		if inOrder {
			b.w(regAcceptSelect, 1, 4)
			b.w(regAccepted, 1|FeatureInOrder>>32, 4)
		}
		b.startAs(t, inOrder)
		for range 3 {
			b.offer(16, 2)
		}
		var r [3]Request
		for i := range r {
			if !b.Pop(0, &r[i]) {
				t.Fatal("nothing popped")
			}
		}
		var used []uint16
		for _, i := range []int{2, 0, 1} {
			r[i].Done(uint32(i))
			if inOrder && i == 2 && b.queues != 0 {
				t.Error("the driver was told of nothing")
			}
			used = append(used, binary.LittleEndian.Uint16(b.ram[usedAt+2:]))
		}
		first := binary.LittleEndian.Uint32(b.ram[usedAt+8:])
		if inOrder && (used[0] != 0 || used[1] != 1 || used[2] != 3 || first != 0) ||
			!inOrder && (used[0] != 1 || used[1] != 2 || first != 2) {
			t.Errorf("in order %v: used %v, first %d", inOrder, used, first)
		}
	}
}

func TestResetWaitsInTheRegister(t *testing.T) {
	b := newBench()
	b.start(t)
	b.offer(16, 2)
	var r Request
	if !b.Pop(0, &r) {
		t.Fatal("nothing popped")
	}
	b.w(regStatus, 0, 1)
	if b.Status() == 0 || b.Working() || b.resets != 1 {
		t.Errorf("status %#x with a request in flight, %d resets", b.Status(), b.resets)
	}
	b.w(regStatus, StatusAcknowledge, 1)
	b.w(regQueueSelect, 1, 2)
	if r.Live() || r.Write(0, []byte("x")) != 0 {
		t.Error("a request of before the reset reaches the guest")
	}
	r.Done(16)
	if b.Status() != 0 || b.ReadCommon(regQueueSelect, 2) != 0 || b.queues != 0 {
		t.Errorf("after the reset: status %#x, interrupts %d", b.Status(), b.queues)
	}
	b.avail = 0
	clear(b.ram)
	b.start(t)
}

func TestBreakAndLeave(t *testing.T) {
	b := newBench()
	b.start(t)
	b.offer(0, 2) // an empty buffer is not allowed
	var r Request
	if b.Pop(0, &r) || b.Status()&StatusNeedsReset == 0 || b.configs != 1 || b.Working() {
		t.Errorf("status %#x, config interrupts %d", b.Status(), b.configs)
	}
	b.w(regStatus, StatusDriverOK, 1)
	if b.Status()&StatusNeedsReset == 0 {
		t.Error("NEEDS_RESET went without a reset")
	}
	b.w(regStatus, 0, 1)
	if b.Status() != 0 {
		t.Errorf("status %#x after reset", b.Status())
	}
	clear(b.ram)
	b.avail = 0
	b.start(t)
	b.offer(1, 2)
	if !b.Pop(0, &r) {
		t.Fatal("nothing popped")
	}
	b.Leave()
	if r.Live() || b.Working() {
		t.Error("works on after leaving")
	}
	r.Done(1)
	b.w(regStatus, StatusDriverOK, 1)
	if b.Working() || b.InFlight() != 0 {
		t.Error("restarted after leaving")
	}
}

// FuzzCore writes registers and rings at random: no panic, and a device that is
// broken says so.
func FuzzCore(f *testing.F) {
	f.Add([]byte{0x14, 3, 0, 1, 0x08, 1, 0, 4, 0x0c, 1, 0, 4, 0x14, 11, 0, 1, 0x20, 0, 0x10, 8, 0x1c, 1, 0, 2, 0x14, 15, 0, 1, 0xff, 0, 0, 0})
	f.Add([]byte{0xfa, 0x08, 1, 0, 0xfc, 2, 0x10, 1, 0xfa, 0x10, 0, 0, 0xfe, 0, 0, 0, 0xfa, 0x12, 0, 0, 0xfd, 0, 0, 0, 0xfa, 0x08, 2, 0})
	f.Fuzz(func(t *testing.T, in []byte) {
		b := newBench()
		var open []*Request
		for ; len(in) >= 4; in = in[4:] {
			v := uint64(in[1]) | uint64(in[2])<<8
			switch in[0] {
			case 0xff:
				b.Notify(int(in[1]) % 3)
				b.RunQueues()
			case 0xfe:
				if r := new(Request); b.Pop(int(in[1])%2, r) {
					open = append(open, r)
				}
			case 0xfd:
				if len(open) > 0 {
					open[0].Done(uint32(v))
					open = open[1:]
				}
			case 0xfc:
				b.ram[v%0x8000] = in[3]
			case 0xfb:
				b.SetMaster(v&1 != 0)
			case 0xfa:
				b.WriteLegacy(uint64(in[1])%0x20, uint64(in[2]), 2)
				b.ReadLegacy(uint64(in[1]) % 0x20)
			default:
				b.w(uint64(in[0]), v, 1<<(in[3]%4))
				b.ReadCommon(uint64(in[0]), 1<<(in[3]%4))
			}
		}
		for _, r := range open {
			r.Done(0)
		}
		if b.InFlight() != 0 || b.holds != 0 {
			t.Fatalf("%d in flight, %d held at the end", b.InFlight(), b.holds)
		}
	})
}
