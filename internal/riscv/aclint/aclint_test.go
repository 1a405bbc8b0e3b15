package aclint

import (
	"math"
	"testing"
)

// bench is a device with its clock, timers and lines in hand.
type bench struct {
	*Device
	now   int64
	armed map[int]int64
	soft  map[int]bool
	timer map[int]bool
}

func newBench(harts int) *bench {
	b := &bench{now: 12345, armed: map[int]int64{}, soft: map[int]bool{}, timer: map[int]bool{}}
	b.Device = New(Config{
		Harts:       harts,
		Now:         func() int64 { return b.now },
		ArmTimer:    func(h int, at int64) { b.armed[h] = at },
		CancelTimer: func(h int) { delete(b.armed, h) },
		Software:    func(h int, l bool) { b.soft[h] = l },
		Timer:       func(h int, l bool) { b.timer[h] = l },
	})
	return b
}

// advance moves the clock and fires what has run out.
func (b *bench) advance(to int64) {
	b.now = to
	for h, at := range b.armed {
		if at <= to {
			delete(b.armed, h)
			b.Fire(h)
		}
	}
}

func (b *bench) read(t *testing.T, off uint64, size int) uint64 {
	t.Helper()
	v, ok := b.Read(off, size)
	if !ok {
		t.Fatalf("read of %d at %#x refused", size, off)
	}
	return v
}

func TestSoftware(t *testing.T) {
	b := newBench(3)
	b.Write(4, 4, 0xffff_ffff)
	if !b.soft[1] || b.soft[0] || b.read(t, 4, 4) != 1 {
		t.Errorf("lines %v, msip1 %#x; want hart 1 alone, 1", b.soft, b.read(t, 4, 4))
	}
	if v := b.read(t, 0, 8); v != 1<<32 {
		t.Errorf("both registers read %#x", v)
	}
	b.Write(4, 4, 2) // only bit 0 counts
	if b.soft[1] {
		t.Error("line still up")
	}
	b.Write(12, 4, 1) // no such hart
	if len(b.soft) != 2 && b.soft[3] {
		t.Error("a hart that is not there was interrupted")
	}
}

func TestTime(t *testing.T) {
	b := newBench(1)
	if v := b.read(t, 0xbff8, 8); v != 0 {
		t.Errorf("time starts at %d", v)
	}
	b.advance(b.now + 1_000_000_050)
	if v := b.read(t, 0xbff8, 8); v < Frequency || v > Frequency+1 {
		t.Errorf("after a second time is %d", v)
	}
	b.Write(0xbffc, 4, 7)
	if v := b.read(t, 0xbffc, 4); v != 7 {
		t.Errorf("high half %d, want 7", v)
	}
	b.Write(0xbff8, 8, 5)
	if v := b.Time(); v != 5 {
		t.Errorf("time %d, want 5", v)
	}
}

func TestTimer(t *testing.T) {
	b := newBench(2)
	start := b.now
	b.Write(0x4008, 8, 1000) // 100 us
	if b.timer[1] {
		t.Fatal("fired at once")
	}
	at, ok := b.armed[1]
	if !ok || at < start+99_900 || at > start+100_100 {
		t.Fatalf("armed for %d (%v)", at-start, ok)
	}
	b.advance(at - 100)
	if b.timer[1] {
		t.Error("fired early")
	}
	b.advance(at)
	if !b.timer[1] || b.timer[0] {
		t.Errorf("lines %v, want hart 1's alone", b.timer)
	}
	b.Write(0x400c, 4, 1) // high half: far away again
	if b.timer[1] {
		t.Error("line stays up after mtimecmp moved on")
	}
	if v := b.read(t, 0x4008, 8); v != 1<<32|1000 {
		t.Errorf("mtimecmp reads %#x", v)
	}
	b.Write(0xbff8, 8, 1<<33) // setting time past it
	if !b.timer[1] {
		t.Error("setting mtime does not fire")
	}
	b.Reset()
	if b.timer[1] || b.Time() != 0 || len(b.armed) != 0 {
		t.Error("reset leaves something behind")
	}
}

func TestFarDeadline(t *testing.T) {
	b := newBench(1)
	for _, cmp := range []uint64{math.MaxUint64, math.MaxUint64 - 1, 1 << 63, 1 << 62} {
		b.Write(0x4000, 8, cmp)
		if at, ok := b.armed[0]; ok && at < b.now {
			t.Errorf("mtimecmp %#x armed in the past: %d", cmp, at)
		}
		if b.timer[0] {
			t.Errorf("mtimecmp %#x fires", cmp)
		}
	}
}

func TestRefuses(t *testing.T) {
	b := newBench(1)
	for _, c := range []struct {
		off  uint64
		size int
	}{{0, 1}, {0, 2}, {2, 4}, {4, 8}, {0xc000, 4}, {0xbffc, 8}} {
		if _, ok := b.Read(c.off, c.size); ok {
			t.Errorf("read of %d at %#x accepted", c.size, c.off)
		}
		if b.Write(c.off, c.size, 1) {
			t.Errorf("write of %d at %#x accepted", c.size, c.off)
		}
	}
}
