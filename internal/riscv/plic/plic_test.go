package plic

import (
	"testing"

	"pgregory.net/rapid"
)

type bench struct {
	*Device
	lines map[int]bool
}

func newBench() *bench {
	b := &bench{lines: map[int]bool{}}
	b.Device = New(Config{Sources: 96, Contexts: 4, Output: func(c int, l bool) { b.lines[c] = l }})
	return b
}

func (b *bench) setPriority(s int, p uint64)  { b.Write(uint64(4*s), 4, p) }
func (b *bench) setThreshold(c int, p uint64) { b.Write(0x200000+uint64(c)*0x1000, 4, p) }
func (b *bench) take(c int) uint64 {
	v, _ := b.Read(0x200004+uint64(c)*0x1000, 4)
	return v
}
func (b *bench) done(c int, s uint64) { b.Write(0x200004+uint64(c)*0x1000, 4, s) }
func (b *bench) enable(c, s int) {
	off := 0x2000 + uint64(c)*0x80 + uint64(s/32)*4
	v, _ := b.Read(off, 4)
	b.Write(off, 4, v|1<<(s%32))
}

func TestClaimAndComplete(t *testing.T) {
	b := newBench()
	b.setPriority(10, 1)
	b.enable(1, 10)
	b.SetIRQ(10, true)
	if !b.lines[1] || b.lines[0] || b.lines[3] {
		t.Fatalf("lines %v, want context 1's alone", b.lines)
	}
	if v, _ := b.Read(0x1000, 4); v != 1<<10 {
		t.Errorf("pending %#x", v)
	}
	if s := b.take(1); s != 10 {
		t.Fatalf("claimed %d, want 10", s)
	}
	if b.lines[1] || b.take(1) != 0 {
		t.Error("still there after the claim")
	}
	b.SetIRQ(10, true) // gateway is shut
	if b.lines[1] {
		t.Error("forwarded before completion")
	}
	b.done(1, 10)
	if !b.lines[1] {
		t.Error("a line still high is not pending again after completion")
	}
	b.take(1)
	b.SetIRQ(10, false)
	b.done(1, 10)
	if b.lines[1] {
		t.Error("pending after completion with the line low")
	}
}

func TestOrder(t *testing.T) {
	b := newBench()
	for s, p := range map[int]uint64{5: 2, 6: 7, 40: 7, 95: 1, 50: 0} {
		b.setPriority(s, p)
		b.enable(0, s)
		b.SetIRQ(s, true)
	}
	for _, want := range []uint64{6, 40, 5, 95, 0} {
		if got := b.take(0); got != want {
			t.Errorf("claimed %d, want %d", got, want)
		}
	}
}

func TestThreshold(t *testing.T) {
	b := newBench()
	b.setPriority(3, 4)
	b.enable(2, 3)
	b.setThreshold(2, 4)
	b.SetIRQ(3, true)
	if b.lines[2] {
		t.Error("priority equal to the threshold interrupts")
	}
	b.setThreshold(2, 3)
	if !b.lines[2] {
		t.Error("priority above the threshold does not interrupt")
	}
	b.setThreshold(2, 0xff)
	if v, _ := b.Read(0x202000, 4); v != 7 || b.lines[2] {
		t.Errorf("threshold reads %#x", v)
	}
	if s := b.take(2); s != 3 { // claiming disregards it
		t.Errorf("claimed %d", s)
	}
}

func TestCompleteNeedsEnable(t *testing.T) {
	b := newBench()
	b.setPriority(7, 1)
	b.enable(0, 7)
	b.SetIRQ(7, true)
	b.take(0)
	b.done(1, 7) // not context 1's to complete
	b.done(0, 96)
	b.done(0, 1<<31)
	if b.lines[0] {
		t.Error("completed by somebody else")
	}
	b.done(0, 7)
	if !b.lines[0] {
		t.Error("not completed")
	}
}

func TestRegisters(t *testing.T) {
	b := newBench()
	for _, c := range []struct {
		name     string
		off      uint64
		v, reads uint64
	}{
		{"source 0 has no priority", 0, 7, 0},
		{"priority has three bits", 4, 0xff, 7},
		{"last source", 4 * 95, 3, 3},
		{"no source 96", 4 * 96, 3, 0},
		{"source 0 cannot be enabled", 0x2000, 0xffff_ffff, 0xffff_fffe},
		{"last enable word", 0x2008, 0xffff_ffff, 0xffff_ffff},
		{"beyond it", 0x200c, 0xffff_ffff, 0},
		{"no context 4", 0x2200, 0xffff_ffff, 0},
		{"threshold of no context", 0x204000, 1, 0},
		{"pending is read-only", 0x1000, 0xffff_ffff, 0},
	} {
		if !b.Write(c.off, 4, c.v) {
			t.Errorf("%s: write refused", c.name)
		}
		if v, ok := b.Read(c.off, 4); !ok || v != c.reads {
			t.Errorf("%s: reads %#x, %v; want %#x", c.name, v, ok, c.reads)
		}
	}
	if _, ok := b.Read(0, 8); ok || b.Write(2, 4, 0) || b.Write(0, 1, 0) {
		t.Error("an access that is not an aligned word is accepted")
	}
}

func TestReset(t *testing.T) {
	b := newBench()
	b.setPriority(9, 1)
	b.enable(0, 9)
	b.SetIRQ(9, true)
	b.take(0)
	b.Reset()
	b.setPriority(9, 1)
	b.enable(0, 9)
	if !b.lines[0] || b.take(0) != 9 {
		t.Error("a line high over reset is not pending after it")
	}
}

// TestNeverLost: however a guest behaves, a source whose line is high can
// always be claimed again after it has been completed, and a context's line
// is up exactly if something above its threshold can be claimed.
func TestNeverLost(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := newBench()
		source := rapid.IntRange(0, 97)
		ctx := rapid.IntRange(0, 4)
		t.Repeat(map[string]func(*rapid.T){
			"line":     func(t *rapid.T) { b.SetIRQ(source.Draw(t, "s"), rapid.Bool().Draw(t, "l")) },
			"priority": func(t *rapid.T) { b.setPriority(source.Draw(t, "s"), rapid.Uint64().Draw(t, "p")) },
			"enable":   func(t *rapid.T) { b.enable(ctx.Draw(t, "c"), source.Draw(t, "s")) },
			"claim":    func(t *rapid.T) { b.take(ctx.Draw(t, "c")) },
			"complete": func(t *rapid.T) { b.done(ctx.Draw(t, "c"), uint64(source.Draw(t, "s"))) },
			"write": func(t *rapid.T) {
				b.Write(rapid.Uint64Range(0, 0x205000).Draw(t, "o")&^3, 4, rapid.Uint64().Draw(t, "v"))
			},
			"": func(t *rapid.T) {
				for i := range b.contexts {
					_, p := b.best(&b.contexts[i])
					if b.lines[i] != (p > b.contexts[i].threshold) {
						t.Fatalf("context %d: line %v, best priority %d, threshold %d", i, b.lines[i], p, b.contexts[i].threshold)
					}
				}
				for w := range b.words {
					if lost := b.level[w] &^ b.pending[w] &^ b.claimed[w]; lost != 0 {
						t.Fatalf("word %d: high and neither pending nor claimed: %#x", w, lost)
					}
				}
			},
		})
	})
}
