package mem

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/backplane-vm/backplane/internal/bql"
	"github.com/backplane-vm/backplane/internal/sched"
)

// queue is a Reclaimer whose grace periods end when the test says so.
type queue struct{ fs []func() }

func (q *queue) Call(f func()) { q.fs = append(q.fs, f) }

func (q *queue) run() {
	for len(q.fs) > 0 {
		f := q.fs[0]
		q.fs = q.fs[1:]
		f()
	}
}

// rig is a map whose BQL is held by the test.
type rig struct {
	*Map
	rcu   queue
	lock  *bql.Lock
	main  *sched.Thread
	warns []string
}

func newRig(t testing.TB) *rig {
	w := sched.NewWorld()
	r := &rig{lock: bql.New(w), main: w.Adopt("main")}
	r.lock.Lock(r.main, "test")
	r.Map = NewMap(Config{BQL: r.lock, RCU: &r.rcu, Warn: func(s string) { r.warns = append(r.warns, s) }})
	t.Cleanup(r.Map.Close)
	return r
}

// device is an Owner that counts.
type device struct {
	refs  int
	guard Guard
}

func (d *device) Ref()            { d.refs++ }
func (d *device) Unref()          { d.refs-- }
func (d *device) IOGuard() *Guard { return &d.guard }

func show(as *AddressSpace) string {
	var s strings.Builder
	for _, r := range as.Flat().Ranges() {
		fmt.Fprintf(&s, "%x-%x %s@%x\n", r.First, r.Last, r.Region.Name(), r.Offset)
	}
	return s.String()
}

func expect(t *testing.T, as *AddressSpace, want ...string) {
	t.Helper()
	if got, w := show(as), strings.Join(append(want, ""), "\n"); got != w {
		t.Errorf("view of %s:\n%swant\n%s", as.Name(), got, w)
	}
}

func TestOverlap(t *testing.T) {
	m := newRig(t)
	sys := m.Container(nil, "system", Whole)
	as := m.NewAddressSpace("memory", sys)
	a := m.IO(nil, "a", 0x100, &Ops{})
	b := m.IO(nil, "b", 0x100, &Ops{})
	sys.Add(0x1000, a)
	sys.AddOverlap(0x1080, b, 1)
	expect(t, as, "1000-107f a@0", "1080-117f b@0")
	b.SetAddr(0x1040)
	expect(t, as, "1000-103f a@0", "1040-113f b@0")
	b.SetSize(0x20)
	expect(t, as, "1000-103f a@0", "1040-105f b@0", "1060-10ff a@60")
	b.SetEnabled(false)
	expect(t, as, "1000-10ff a@0")
	b.SetEnabled(true)
	sys.Remove(a)
	expect(t, as, "1040-105f b@0")
}

func TestNewestOfEqualsWins(t *testing.T) {
	m := newRig(t)
	sys := m.Container(nil, "system", Whole)
	as := m.NewAddressSpace("memory", sys)
	sys.Add(0, m.IO(nil, "old", 8, &Ops{}))
	sys.Add(0, m.IO(nil, "new", 4, &Ops{}))
	expect(t, as, "0-3 new@0", "4-7 old@4")
}

func TestAliasWindow(t *testing.T) {
	m := newRig(t)
	sys := m.Container(nil, "system", Whole)
	as := m.NewAddressSpace("memory", sys)
	pci := m.Container(nil, "pci", Whole)
	bar := m.IO(nil, "bar", 0x1000, &Ops{})
	pci.Add(0x4000_0800, bar)
	win := m.Alias(nil, "window", pci, 0x4000_0000, 0x1000)
	sys.Add(0x1_0000, win)
	expect(t, as, "10800-10fff bar@0")
	win.SetOffset(0x4000_1000)
	expect(t, as, "10000-107ff bar@800")
	bar.SetAddr(0x4000_1ff8)
	expect(t, as, "10ff8-10fff bar@0")
	pci.Remove(bar)
	expect(t, as)
}

func TestTopOfAddressSpace(t *testing.T) {
	m := newRig(t)
	sys := m.Container(nil, "system", Whole)
	as := m.NewAddressSpace("memory", sys)
	back := m.IO(nil, "back", Whole, &Ops{})
	sys.AddOverlap(0, back, -1)
	sys.Add(^uint64(0)-0xf, m.IO(nil, "top", 0x100, &Ops{}))
	expect(t, as, "0-ffffffffffffffef back@0", "fffffffffffffff0-ffffffffffffffff top@0")
}

func TestTransactionPublishesOnce(t *testing.T) {
	m := newRig(t)
	sys := m.Container(nil, "system", Whole)
	as := m.NewAddressSpace("memory", sys)
	var log []string
	as.Listen(Listener{
		Removed: func(r Range) { log = append(log, "-"+r.Region.Name()) },
		Added:   func(r Range) { log = append(log, "+"+r.Region.Name()) },
		Commit:  func() { log = append(log, ".") },
	})
	a, b := m.IO(nil, "a", 16, &Ops{}), m.IO(nil, "b", 16, &Ops{})
	before := as.Flat()
	m.Begin()
	sys.Add(0, a)
	sys.Add(0x100, b)
	m.Begin()
	sys.Remove(b)
	m.Commit()
	if as.Flat() != before {
		t.Error("an inner commit published")
	}
	m.Commit()
	a.SetAddr(0x20)
	if got, want := strings.Join(log, ""), "+a.-a+a."; got != want {
		t.Errorf("listener heard %q, want %q", got, want)
	}
	m.Begin()
	m.Commit()
	if len(log) != 5 {
		t.Errorf("an empty transaction told %v", log[5:])
	}
}

func TestBusMastersShareOneView(t *testing.T) {
	m := newRig(t)
	sys := m.Container(nil, "system", Whole)
	mem := m.NewAddressSpace("memory", sys)
	master := m.Container(nil, "bus master container", Whole)
	enable := m.Alias(nil, "bus master", sys, 0, Whole)
	enable.SetEnabled(false)
	master.Add(0, enable)
	as := m.NewAddressSpace("dev", master)
	heard := 0
	as.Listen(Listener{Added: func(Range) { heard++ }, Removed: func(Range) { heard-- }})
	sys.Add(0x1000, m.IO(nil, "a", 16, &Ops{}))
	expect(t, as)
	enable.SetEnabled(true)
	expect(t, as, "1000-100f a@0")
	if as.Flat() != mem.Flat() || heard != 1 {
		t.Errorf("not shared, or the listener heard %d", heard)
	}
	sys.Add(0x2000, m.IO(nil, "b", 16, &Ops{}))
	if as.Flat() != mem.Flat() || heard != 2 {
		t.Errorf("not shared after a change, or the listener heard %d", heard)
	}
	enable.SetEnabled(false)
	expect(t, as)
	if heard != 0 {
		t.Errorf("the listener has %d ranges left", heard)
	}
	as.Close()
	expect(t, mem, "1000-100f a@0", "2000-200f b@0")
}

// TestBusMasterRendersNothing: a device that starts to do DMA joins the view of
// system memory; nothing of the view that it leaves is rendered.
func TestBusMasterRendersNothing(t *testing.T) {
	m := newRig(t)
	sys := m.Container(nil, "system", Whole)
	m.NewAddressSpace("memory", sys)
	d := &device{}
	sys.Add(0x1000, m.IO(d, "d", 16, &Ops{}))
	master := m.Container(nil, "bus master container", Whole)
	enable := m.Alias(nil, "bus master", sys, 0, Whole)
	enable.SetEnabled(false)
	master.Add(0, enable)
	spaces := []*AddressSpace{m.NewAddressSpace("dev", master), m.NewAddressSpace("dev again", master)}
	before := d.refs
	for _, on := range []bool{true, false, true} {
		enable.SetEnabled(on)
		if d.refs != before || len(m.rcu.fs) != 0 {
			t.Errorf("bus master %v: %d ranges rendered, %d views to reclaim", on, d.refs-before, len(m.rcu.fs))
		}
	}
	for _, as := range spaces {
		expect(t, as, "1000-100f d@0")
	}
	if master.view != nil || sys.view.users != 3 {
		t.Errorf("the view left behind: %v; system memory's has %d users, want 3", master.view, sys.view.users)
	}
}

func TestOwnersLiveUntilGracePeriod(t *testing.T) {
	m := newRig(t)
	sys := m.Container(nil, "system", Whole)
	as := m.NewAddressSpace("memory", sys)
	d := &device{refs: 1}
	r := m.IO(d, "d", 0x10, &Ops{})
	over := m.IO(nil, "over", 4, &Ops{})
	sys.Add(0, r)
	sys.AddOverlap(4, over, 1)
	m.rcu.run()
	if d.refs != 3 {
		t.Errorf("%d references with two ranges, want 3", d.refs)
	}
	old := as.Flat()
	sys.Remove(r)
	if d.refs != 3 || len(old.Ranges()) != 3 {
		t.Errorf("reference dropped before the grace period: %d", d.refs)
	}
	m.rcu.run()
	if d.refs != 1 {
		t.Errorf("%d references left, want 1", d.refs)
	}
	sys.Add(0, r)
	as.Close()
	m.rcu.run()
	if d.refs != 1 {
		t.Errorf("%d references after the view is gone, want 1", d.refs)
	}
}

func TestAccessSplitting(t *testing.T) {
	type call struct {
		off, v uint64
		size   uint
	}
	for _, c := range []struct {
		name string
		ops  Ops
		off  uint64
		size uint
		res  Result
		want []call
	}{
		{"as is", Ops{}, 4, 4, OK, []call{{4, 0x55667788, 4}}},
		{"wide split in default halves", Ops{}, 8, 8, OK, []call{{8, 0x55667788, 4}, {12, 0x11223344, 4}}},
		{"wide as is", Ops{Impl: Sizes{Max: 8}}, 8, 8, OK, []call{{8, 0x1122334455667788, 8}}},
		{"bytes", Ops{Impl: Sizes{Max: 1}}, 0, 2, OK, []call{{0, 0x88, 1}, {1, 0x77, 1}}},
		{"narrow widened", Ops{Impl: Sizes{Min: 4}}, 0, 1, OK, []call{{0, 0x88, 4}}},
		{"unaligned", Ops{}, 2, 4, DecodeError, nil},
		{"unaligned allowed", Ops{Valid: Sizes{Unaligned: true}}, 2, 4, OK, []call{{2, 0x55667788, 4}}},
		{"too wide", Ops{Valid: Sizes{Max: 4}}, 0, 8, DecodeError, nil},
		{"too narrow", Ops{Valid: Sizes{Min: 4}}, 0, 2, DecodeError, nil},
		{"not accepted", Ops{Accepts: func(uint64, uint, bool) bool { return false }}, 0, 4, DecodeError, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := newRig(t)
			sys := m.Container(nil, "system", Whole)
			as := m.NewAddressSpace("memory", sys)
			var calls []call
			c.ops.Write = func(off, v uint64, size uint) Result { calls = append(calls, call{off, v, size}); return OK }
			c.ops.Read = func(off uint64, size uint) (uint64, Result) { return 0xf1f2f3f4_a1a2a3a4 + off, OK }
			sys.Add(0x1000, m.IO(nil, "io", 0x100, &c.ops))
			a := NewAccess(m.main)
			if res := as.Write(a, 0x1000+c.off, 0x1122334455667788, c.size); res != c.res || !slices.Equal(calls, c.want) {
				t.Errorf("write: %v, calls %x; want %v, %x", res, calls, c.res, c.want)
			}
			if v, res := as.Read(a, 0x1000+c.off, c.size); res != c.res || v&^mask(c.size) != 0 {
				t.Errorf("read: %x, %v", v, res)
			}
		})
	}
}

func TestWorstResultWins(t *testing.T) {
	m := newRig(t)
	sys := m.Container(nil, "system", Whole)
	as := m.NewAddressSpace("memory", sys)
	sys.Add(0, m.IO(nil, "io", 8, &Ops{Read: func(off uint64, _ uint) (uint64, Result) {
		if off == 0 {
			return 1, AccessError
		}
		return 2, OK
	}}))
	if v, res := as.Read(NewAccess(m.main), 0, 8); v != 2<<32|1 || res != AccessError {
		t.Errorf("read %x, %v", v, res)
	}
	if _, res := as.Read(NewAccess(m.main), 6, 4); res != DecodeError {
		t.Errorf("crossing into a hole: %v", res)
	}
}

func TestRAMAndROM(t *testing.T) {
	m := newRig(t)
	sys := m.Container(nil, "system", Whole)
	as := m.NewAddressSpace("memory", sys)
	ram, err := m.RAM(nil, "ram", 0x2000)
	if err != nil {
		t.Fatal(err)
	}
	rom, err := m.ROM(nil, "rom", 0x1000)
	if err != nil {
		t.Fatal(err)
	}
	copy(rom.Bytes(), "\x01\x02\x03\x04\x05\x06\x07\x08")
	sys.Add(0x8000, ram)
	sys.Add(0x7000, rom)
	a := NewAccess(m.main)
	for _, size := range []uint{1, 2, 4, 8} {
		want := uint64(0x0807060504030201) & mask(size)
		if v, res := as.Read(a, 0x7000, size); v != want || res != OK {
			t.Errorf("rom read of %d: %x, %v", size, v, res)
		}
		if res := as.Write(a, 0x8003, want, size); res != OK {
			t.Errorf("ram write of %d: %v", size, res)
		}
		if v, _ := as.Read(a, 0x8003, size); v != want {
			t.Errorf("ram read back %x, want %x", v, want)
		}
	}
	if res := as.Write(a, 0x7000, 0, 8); res != OK || rom.Bytes()[0] != 1 {
		t.Errorf("rom write by a hart: %v, first byte %d", res, rom.Bytes()[0])
	}
	if res := as.DMAWrite(0x7ffe, []byte{9, 9, 9, 9}); res != DecodeError || rom.Bytes()[0xffe] != 0 || ram.Bytes()[1] != 9 {
		t.Errorf("DMA across rom and ram: %v", res)
	}
	p := []byte{1, 1, 1, 1, 1, 1}
	if res := as.DMARead(0x9ffe, p); res != DecodeError || !slices.Equal(p, []byte{0, 0, 0, 0, 0, 0}) {
		t.Errorf("DMA past the end of ram: %v, %v", res, p)
	}
	if s, _ := as.RAMSlice(0x9ff0, 0x20, true); len(s) != 0x10 {
		t.Errorf("slice of %d bytes, want 16", len(s))
	}
	if s, _ := as.RAMSlice(0x7000, 1, true); s != nil {
		t.Error("writable slice of rom")
	}
	if s, _ := as.RAMSlice(0x7000, 1, false); len(s) != 1 {
		t.Error("no readable slice of rom")
	}
	if s, _ := as.RAMSlice(0xa000, 1, false); s != nil {
		t.Error("slice of nothing")
	}
}

func TestRAMSliceHoldsOwner(t *testing.T) {
	m := newRig(t)
	sys := m.Container(nil, "system", Whole)
	as := m.NewAddressSpace("memory", sys)
	d := &device{}
	ram, err := m.RAM(d, "ram", 0x1000)
	if err != nil {
		t.Fatal(err)
	}
	sys.Add(0, ram)
	s, hold := as.RAMSlice(8, 8, true)
	sys.Remove(ram)
	m.rcu.run()
	if d.refs != 1 {
		t.Errorf("%d references while lent", d.refs)
	}
	s[0] = 1
	hold.Release()
	ram.Free()
	m.rcu.run()
	if d.refs != 0 {
		t.Errorf("%d references left", d.refs)
	}
}

func TestReentrancyGuard(t *testing.T) {
	m := newRig(t)
	sys := m.Container(nil, "system", Whole)
	as := m.NewAddressSpace("memory", sys)
	d, other := &device{}, &device{}
	var inner []Result
	sys.Add(0x2000, m.IO(d, "second", 8, &Ops{}))
	sys.Add(0x3000, m.IO(other, "other", 8, &Ops{}))
	sys.Add(0x4000, m.IO(d, "free", 8, &Ops{Reentrant: true}))
	sys.Add(0x1000, m.IO(d, "first", 8, &Ops{Write: func(uint64, uint64, uint) Result {
		for _, at := range []uint64{0x1004, 0x2004, 0x3000, 0x4000, 0x2004} {
			inner = append(inner, as.DMAWrite(at, []byte{1, 2, 3, 4}))
		}
		return OK
	}}))
	if res := as.Write(NewAccess(m.main), 0x1000, 1, 4); res != OK {
		t.Errorf("outer access: %v", res)
	}
	if want := []Result{AccessError, AccessError, OK, OK, AccessError}; !slices.Equal(inner, want) {
		t.Errorf("inner accesses %v, want %v", inner, want)
	}
	if want := []string{"Blocked re-entrant IO on MemoryRegion: first at addr: 0x4"}; !slices.Equal(m.warns, want) {
		t.Errorf("warnings %q, want %q", m.warns, want)
	}
	if d.guard.Engaged() {
		t.Error("the guard stayed on")
	}
}

func TestDMAToRegisters(t *testing.T) {
	m := newRig(t)
	sys := m.Container(nil, "system", Whole)
	as := m.NewAddressSpace("memory", sys)
	var sizes []uint
	sys.Add(0, m.IO(nil, "io", 0x100, &Ops{
		Write: func(_, _ uint64, size uint) Result { sizes = append(sizes, size); return OK },
		Read:  func(off uint64, _ uint) (uint64, Result) { return off * 0x0101, OK },
	}))
	as.DMAWrite(1, make([]byte, 10))
	if want := []uint{1, 2, 4, 2, 1}; !slices.Equal(sizes, want) {
		t.Errorf("pieces %v, want %v", sizes, want)
	}
	p := make([]byte, 2)
	if res := as.DMARead(2, p); res != OK || p[0] != 2 || p[1] != 2 {
		t.Errorf("read %v, %v", p, res)
	}
}

func TestMtree(t *testing.T) {
	m := newRig(t)
	sys := m.Container(nil, "system", Whole)
	m.NewAddressSpace("memory", sys)
	m.NewAddressSpace("cpu-memory-0", sys)
	pci := m.Container(nil, "gpex_mmio_window", Whole)
	pci.Add(0x4000_1000, m.IO(nil, "bar", 0x1000, &Ops{}))
	sys.Add(0x4000_0000, m.Alias(nil, "pcie-mmio", pci, 0x4000_0000, 0x4000_0000))
	sys.Add(0x100, m.IO(nil, "test", 0x10, &Ops{}))
	spaces := m.Spaces()
	if len(spaces) != 2 || spaces[0].Name() != "cpu-memory-0" || spaces[1].Root() != sys {
		t.Fatalf("spaces %v", spaces)
	}
	kids := sys.Children()
	if len(kids) != 2 || kids[0].Name() != "test" || kids[0].Addr() != 0x100 || kids[0].Size() != 0x10 || kids[0].Parent() != sys {
		t.Errorf("children %v", kids)
	}
	if target, offset := kids[1].Target(); target != pci || offset != 0x4000_0000 || kids[1].Kind() != Alias || sys.Size() != Whole {
		t.Errorf("alias of %v at %x", target, offset)
	}
	flat := m.FlatViews()
	if len(flat) != 1 || len(flat[0].Spaces) != 2 || len(flat[0].Ranges) != 2 || flat[0].Ranges[1].Name != "bar" || flat[0].Root != "system" {
		t.Errorf("flat views %+v", flat)
	}
}

func TestMisuse(t *testing.T) {
	for name, f := range map[string]func(m *rig, r *Region){
		"added twice":     func(m *rig, r *Region) { m.Container(nil, "c", 8).Add(0, r); m.Container(nil, "d", 8).Add(0, r) },
		"removed unadded": func(m *rig, r *Region) { m.Container(nil, "c", 8).Remove(r) },
		"child of alias":  func(m *rig, r *Region) { m.Alias(nil, "a", r, 0, 8).Add(0, m.Container(nil, "c", 8)) },
		"empty":           func(m *rig, _ *Region) { m.Container(nil, "c", 0) },
		"without the BQL": func(m *rig, r *Region) { m.lock.Unlock(m.main); m.Begin() },
	} {
		t.Run(name, func(t *testing.T) {
			m := newRig(t)
			r := m.IO(nil, "r", 8, &Ops{})
			defer func() {
				if recover() == nil {
					t.Error("did not panic")
				}
			}()
			f(m, r)
		})
	}
}

func TestSleepingAliasWakes(t *testing.T) {
	m := newRig(t)
	sys := m.Container(nil, "system", Whole)
	master := m.Container(nil, "bus master container", Whole)
	master.Add(0, m.Alias(nil, "bus master", sys, 0, Whole))
	m.NewAddressSpace("dev", master)
	if len(sys.aliases) != 0 {
		t.Error("the bus master's alias is awake")
	}
	outer := m.Container(nil, "outer", Whole)
	as := m.NewAddressSpace("outer", outer)
	outer.Add(0, master)
	sys.Add(0x1000, m.IO(nil, "a", 16, &Ops{}))
	expect(t, as, "1000-100f a@0")
	outer.Remove(master)
	window := m.Alias(nil, "window", master, 0x1000, 0x1000)
	outer.Add(0, window)
	sys.Add(0x1100, m.IO(nil, "b", 16, &Ops{}))
	expect(t, as, "0-f a@0", "100-10f b@0")
}

func TestChainOfBusMasters(t *testing.T) {
	m := newRig(t)
	sys := m.Container(nil, "system", Whole)
	var spaces []*AddressSpace
	below := sys
	for i := range 3 {
		c := m.Container(nil, fmt.Sprint("master", i), Whole)
		c.Add(0, m.Alias(nil, "window", below, 0, Whole))
		spaces = append(spaces, m.NewAddressSpace(c.Name(), c))
		below = c
	}
	a := m.IO(nil, "a", 16, &Ops{})
	sys.Add(0x1000, a)
	for _, as := range spaces {
		expect(t, as, "1000-100f a@0")
	}
	sys.SetEnabled(false)
	for _, as := range spaces {
		expect(t, as)
	}
}
