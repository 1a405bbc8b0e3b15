package config

import "testing"

func newBridge() *Space {
	s := New(SizeExpress)
	s.InitBridge(Identity{Vendor: 0x1b36, Device: 0x000c, Class: 0x0604, Pin: 1})
	return s
}

func newNormal() *Space {
	s := New(SizeExpress)
	s.InitNormal(Identity{Vendor: 0x1af4, Device: 0x1042, Revision: 1, Class: 0x0100, SubVendor: 0x1af4, SubDevice: 0x1100, Pin: 1})
	return s
}

func TestMasks(t *testing.T) {
	s := New(SizeConventional)
	s.Write(0x44, 0xcafe0001, 4)
	if got := s.Read(0x44, 4); got != 0xcafe0001 {
		t.Errorf("where nothing is the guest finds %#x", got)
	}
	s.FixLong(0x40)
	s.SetWord(0x40, 0x1234)
	s.AllowByte(0x40, 0x0f)
	s.ClearableWord(0x42, 0xff00)
	s.SetWord(0x42, 0xa5a5)
	s.Write(0x40, 0x81ffffff, 4)
	if got := s.Read(0x40, 4); got != 0x24a5123f {
		t.Errorf("after the write %#x, want 0x24a5123f", got)
	}
	for _, c := range []struct {
		off, size int
		want      uint32
	}{{0xff, 4, 0xffffff00}, {0x100, 2, 0xffff}, {-1, 1, 0xff}, {0x41, 1, 0x12}, {0x40, 2, 0x123f}} {
		if got := s.Read(c.off, c.size); got != c.want {
			t.Errorf("read %d at %#x: %#x, want %#x", c.size, c.off, got, c.want)
		}
	}
	s.Write(0xff, ^uint32(0), 4) // past the end: dropped
}

func TestReset(t *testing.T) {
	s := newBridge()
	s.Seal()
	s.Write(RegPrimaryBus, 0x00020100, 4)
	s.Write(RegMemBase, 0x40204000, 4)
	s.AssignWord(RegStatus, StatusInterrupt, true)
	s.Reset()
	if got := s.Long(RegPrimaryBus); got != 0 {
		t.Errorf("bus numbers %#x after reset", got)
	}
	if w := s.MemWindow(); w != (Window{0xfff00000, 0xfffff}) || !w.Empty() {
		t.Errorf("memory window %+v after reset", w)
	}
	if s.Word(RegStatus)&StatusInterrupt == 0 {
		t.Error("reset changed a bit that only the device changes")
	}
}

func TestWindows(t *testing.T) {
	s := newBridge()
	if w := s.IOWindow(); w != (Window{0xf000, 0x0fff}) {
		t.Errorf("closed I/O window %+v", w)
	}
	s.Write(RegIOBase, 0x1010, 2)
	s.Write(RegMemBase, 0x40104000, 4)
	s.Write(RegPrefBase, 0x00100000, 4)
	s.Write(RegPrefBaseHigh, 4, 4)
	s.Write(RegPrefLimitHigh, 4, 4)
	for _, c := range []struct {
		name      string
		got, want Window
	}{
		{"I/O", s.IOWindow(), Window{0x1000, 0x1fff}},
		{"memory", s.MemWindow(), Window{0x40000000, 0x401fffff}},
		{"prefetchable", s.PrefWindow(), Window{0x400000000, 0x4001fffff}},
	} {
		if c.got != c.want {
			t.Errorf("%s window %+v, want %+v", c.name, c.got, c.want)
		}
	}
}

func TestBARs(t *testing.T) {
	s := newNormal()
	b32 := BAR{Index: 1, Size: 4096}
	b64 := BAR{Index: 4, Size: 16384, Flags: BARMem64 | BARPrefetch}
	for _, b := range []BAR{b32, b64} {
		if err := s.AddBAR(b); err != nil {
			t.Fatal(err)
		}
	}
	s.Write(0x14, ^uint32(0), 4)
	s.Write(0x20, ^uint32(0), 4)
	s.Write(0x24, ^uint32(0), 4)
	if a, b, c := s.Long(0x14), s.Long(0x20), s.Long(0x24); a != 0xfffff000 || b != 0xffffc00c || c != 0xffffffff {
		t.Errorf("sizing reads %#x %#x %#x", a, b, c)
	}
	s.Write(RegCommand, CommandMemory, 2)
	if s.Address(b32) != Unmapped || s.Address(b64) != Unmapped {
		t.Error("a register being sized decodes")
	}
	s.Write(0x14, 0x40000000, 4)
	s.Write(0x20, 0x00004000, 4)
	s.Write(0x24, 4, 4)
	if a, b := s.Address(b32), s.Address(b64); a != 0x40000000 || b != 0x400004000 {
		t.Errorf("decode at %#x and %#x", a, b)
	}
	s.Write(RegCommand, 0, 2)
	if s.Address(b32) != Unmapped {
		t.Error("decodes with memory decoding off")
	}
	for _, bad := range []BAR{{Index: 6, Size: 16}, {Index: 5, Size: 16, Flags: BARMem64}, {Size: 24}, {Size: 8}, {Size: 1 << 32}} {
		if s.AddBAR(bad) == nil {
			t.Errorf("%+v accepted", bad)
		}
	}
}

func TestCapabilityLists(t *testing.T) {
	s := newNormal()
	if s.FindCapability(CapMSIX) != 0 {
		t.Error("found a capability in an empty list")
	}
	for _, c := range []struct {
		id   uint8
		size int
		want int
	}{{CapSSVID, 8, 0x40}, {CapMSIX, 11, 0x48}, {CapExpress, 0x3c, 0x54}} {
		if off, err := s.AddCapability(c.id, c.size); err != nil || off != c.want || s.FindCapability(c.id) != c.want {
			t.Errorf("capability %#x at %#x (%v), want %#x", c.id, off, err, c.want)
		}
	}
	if _, err := s.AddCapability(CapVendor, 200); err == nil {
		t.Error("a capability beyond the end fits")
	}
	if s.Word(RegStatus)&StatusCapabilities == 0 {
		t.Error("status does not announce the list")
	}
	if _, err := s.AddExtended(ExtCapACS, 1, 0x104, 8); err == nil {
		t.Error("the extended list starts off its place")
	}
	if _, err := s.AddExtended(ExtCapACS, 1, 0x100, 8); err != nil || s.Long(0x100) != 0x1000d {
		t.Errorf("extended header %#x, %v", s.Long(0x100), err)
	}
	s.SetByte(0x41, 0x40) // a list that bites its tail
	if s.FindCapability(0x77) != 0 {
		t.Error("found what is not there")
	}
}

// FuzzConfigSpace lets a guest write anywhere: read-only bits must hold, and
// windows and registers must decode without a panic.
func FuzzConfigSpace(f *testing.F) {
	f.Add(true, []byte{0x04, 0x00, 0x07, 0x04, 2, 0x18, 0x00, 0x00, 0x01, 4})
	f.Add(false, []byte{0x20, 0x00, 0xff, 0xff, 4})
	f.Fuzz(func(t *testing.T, bridge bool, in []byte) {
		s, bars := newNormal(), []BAR{{Index: 0, Size: 128, Flags: BARIO}, {Index: 1, Size: 4096}, {Index: 4, Size: 16384, Flags: BARMem64}}
		if bridge {
			s, bars = newBridge(), []BAR{{Index: 0, Size: 4096}}
		}
		for _, b := range bars {
			if err := s.AddBAR(b); err != nil {
				t.Fatal(err)
			}
		}
		before := append([]byte(nil), s.data...)
		for ; len(in) >= 5; in = in[5:] {
			v := uint32(in[2]) | uint32(in[3])<<8 | uint32(in[2])<<16 | uint32(in[3])<<24
			s.Write(int(in[0])|int(in[1])<<8, v, int(in[4]))
			for _, b := range bars {
				if a := s.Address(b); a != Unmapped && (a%b.Size != 0 || a+b.Size < a) {
					t.Fatalf("%+v decodes at %#x", b, a)
				}
			}
			_, _, _ = s.IOWindow(), s.MemWindow(), s.PrefWindow()
		}
		for i := range s.data {
			if fixed := ^(s.wmask[i] | s.w1c[i]); s.data[i]&fixed != before[i]&fixed {
				t.Fatalf("read-only bits of byte %#x changed from %#x to %#x", i, before[i], s.data[i])
			}
		}
	})
}

func BenchmarkRead(b *testing.B) {
	b.ReportAllocs()
	s := newNormal()
	var sum uint32
	for b.Loop() {
		sum += s.Read(0x10, 4)
	}
	_ = sum
}

func BenchmarkWrite(b *testing.B) {
	b.ReportAllocs()
	s := newNormal()
	for b.Loop() {
		s.Write(RegCommand, 7, 2)
	}
}
