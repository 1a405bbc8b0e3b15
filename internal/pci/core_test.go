package pci

import (
	"errors"
	"os"
	"testing"

	"github.com/backplane-vm/backplane/internal/bql"
	"github.com/backplane-vm/backplane/internal/mem"
	"github.com/backplane-vm/backplane/internal/pci/config"
	"github.com/backplane-vm/backplane/internal/sched"
)

// now is a reclaimer without readers: a grace period is over at once.
type now struct{}

func (now) Call(f func()) { f() }

// rig is a hierarchy on a memory map of its own: RAM at 2 GiB, memory space of
// the root bus everywhere below it.
type rig struct {
	*Host
	m      *mem.Map
	system *mem.Region
	as     *mem.AddressSpace
	lines  [Pins]bool
	edges  int
}

const ramBase = 0x80000000

func newRig(t testing.TB) *rig {
	t.Helper()
	w := sched.NewWorld()
	lock := bql.New(w)
	thread := w.Adopt("test")
	lock.Lock(thread, "test")
	r := &rig{m: mem.NewMap(mem.Config{BQL: lock, RCU: now{}})}
	r.system = r.m.Container(nil, "system", mem.Whole)
	window := r.m.Container(nil, "mmio", mem.Whole)
	ports := r.m.Container(nil, "io", 0x10000)
	ram, err := r.m.RAM(nil, "ram", 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	r.system.AddOverlap(0, window, -1)
	r.system.Add(0x3000000, ports)
	r.system.Add(ramBase, ram)
	r.as = r.m.NewAddressSpace("memory", r.system)
	r.Host = NewHost(window, ports, r.system, func(line int, level bool) {
		if r.lines[line] == level {
			t.Errorf("line %d told of %v twice", line, level)
		}
		r.lines[line] = level
		r.edges++
	})
	t.Cleanup(func() { r.m.Close(); lock.Unlock(thread) })
	return r
}

func (r *rig) cfg(bus, slot, fn, reg int) uint64 {
	return uint64(bus)<<20 | uint64(slot)<<15 | uint64(fn)<<12 | uint64(reg)
}

// plain makes a function with a 4 KiB memory register 0, whose first word reads
// as value, and two MSI-X vectors.
func (r *rig) plain(t testing.TB, name string, value uint64) *Function {
	t.Helper()
	f := NewFunction(Spec{Name: name, Map: r.m, Express: true,
		Identity: config.Identity{Vendor: 0x1af4, Device: 0x10ff, Class: 0x00ff, Pin: 1}})
	region := r.m.IO(nil, name, 4096, &mem.Ops{Read: func(uint64, uint) (uint64, mem.Result) { return value, mem.OK }})
	if err := errors.Join(f.AddBAR(0, 0, region), f.AddMSIX(1, 2), f.AddExpress(Endpoint, 0, slowest)); err != nil {
		t.Fatal(err)
	}
	return f
}

func (r *rig) bridge(t testing.TB, name string) *Function {
	t.Helper()
	f := NewFunction(Spec{Name: name, Map: r.m, Express: true, Bridge: true,
		Identity: config.Identity{Vendor: 0x1b36, Device: 0x000c, Class: 0x0604, Pin: 1}})
	if err := f.AddMSIX(0, 1); err != nil {
		t.Fatal(err)
	}
	return f
}

func attach(t testing.TB, b *Bus, f *Function, n int) {
	t.Helper()
	if err := b.Attach(f, n); err != nil {
		t.Fatal(err)
	}
}

func (r *rig) load32(addr uint64) uint32 {
	var b [4]byte
	if r.as.DMARead(addr, b[:]) != mem.OK {
		return ^uint32(0)
	}
	return uint32(b[0]) | uint32(b[1])<<8 | uint32(b[2])<<16 | uint32(b[3])<<24
}

func (r *rig) store32(addr uint64, v uint32) {
	r.as.DMAWrite(addr, []byte{byte(v), byte(v >> 8), byte(v >> 16), byte(v >> 24)})
}

func TestEnumeration(t *testing.T) {
	r := newRig(t)
	attach(t, r.Root(), r.plain(t, "a", 1), 0)
	attach(t, r.Root(), r.bridge(t, "port"), AnyDevfn)
	port := r.Root().At(MakeDevfn(1, 0))
	attach(t, port.Bridge().SecondaryBus(), r.plain(t, "b", 2), AnyDevfn)
	if got := r.ConfigRead(r.cfg(0, 1, 0, 0), 4); got != 0x000c1b36 {
		t.Errorf("port reads %#x", got)
	}
	for _, c := range []struct{ bus, slot, fn int }{{0, 2, 0}, {0, 0, 1}, {1, 0, 0}, {255, 31, 7}} {
		if got := r.ConfigRead(r.cfg(c.bus, c.slot, c.fn, 0), 4); got != ^uint32(0) {
			t.Errorf("%v reads %#x before it can", c, got)
		}
	}
	r.ConfigWrite(r.cfg(0, 1, 0, config.RegPrimaryBus), 0x050500, 4)
	if got := r.ConfigRead(r.cfg(5, 0, 0, 0), 2); got != 0x1af4 {
		t.Errorf("behind the port at bus 5: %#x", got)
	}
	if port.Bridge().SecondaryBus().Number() != 5 || r.BusAt(5) != port.Bridge().SecondaryBus() {
		t.Error("bus 5 is not behind the port")
	}
	r.Root().Detach(port)
	if got := r.ConfigRead(r.cfg(5, 0, 0, 0), 2); got != 0xffff {
		t.Errorf("without the port bus 5 reads %#x", got)
	}
}

func TestWindowsGateWhatIsBehind(t *testing.T) {
	r := newRig(t)
	port, dev := r.bridge(t, "port"), r.plain(t, "dev", 0x1234)
	attach(t, r.Root(), port, AnyDevfn)
	attach(t, port.Bridge().SecondaryBus(), dev, AnyDevfn)
	dev.ConfigWrite(config.RegBAR0, 0x40000000, 4)
	dev.ConfigWrite(config.RegCommand, config.CommandMemory, 2)
	const nothing = ^uint32(0)
	step := func(name string, want uint32) {
		t.Helper()
		if got := r.load32(0x40000000); got != want {
			t.Errorf("%s: %#x, want %#x", name, got, want)
		}
	}
	step("window closed", nothing)
	port.ConfigWrite(config.RegMemBase, 0x40004000, 4)
	step("window without decoding", nothing)
	port.ConfigWrite(config.RegCommand, config.CommandMemory, 2)
	step("open", 0x1234)
	port.ConfigWrite(config.RegMemBase, 0x40104010, 4)
	step("moved away", nothing)
	port.ConfigWrite(config.RegMemBase, 0x40104000, 4)
	step("open again", 0x1234)
	dev.SetPower(false)
	step("no power", nothing)
	dev.SetPower(true)
	step("power returns without state", nothing)
	dev.ConfigWrite(config.RegBAR0, 0x40001000, 4)
	dev.ConfigWrite(config.RegCommand, config.CommandMemory, 2)
	if got := r.load32(0x40001000); got != 0x1234 {
		t.Errorf("after power-up %#x", got)
	}
	port.ConfigWrite(config.RegBridgeControl, config.BridgeControlReset, 2)
	if dev.Space.Word(config.RegCommand) != 0 {
		t.Error("a secondary bus reset leaves the command register")
	}
	port.Bridge().SecondaryBus().Detach(dev)
	r.Root().Detach(port)
	if got := r.load32(0x40001000); got != nothing {
		t.Errorf("after everything left %#x", got)
	}
}

func TestPinsSwizzle(t *testing.T) {
	r := newRig(t)
	port := r.bridge(t, "port")
	attach(t, r.Root(), port, int(MakeDevfn(3, 0)))
	bus := port.Bridge().SecondaryBus()
	a, b := r.plain(t, "a", 0), r.plain(t, "b", 0)
	attach(t, bus, a, int(MakeDevfn(0, 0)))
	attach(t, bus, b, int(MakeDevfn(2, 0)))
	a.SetINTx(true)
	if want := [Pins]bool{3: true}; r.lines != want {
		t.Errorf("lines %v, want %v", r.lines, want)
	}
	port.SetINTx(true)
	a.SetINTx(false)
	if !r.lines[3] {
		t.Error("a shared line fell with one of its drivers")
	}
	b.SetINTx(true)
	if !r.lines[1] {
		t.Errorf("lines %v, device 2 of slot 3 belongs to line 1", r.lines)
	}
	b.ConfigWrite(config.RegCommand, config.CommandINTxDisable, 2)
	if r.lines[1] || b.Space.Word(config.RegStatus)&config.StatusInterrupt == 0 {
		t.Error("interrupt disable does not gate the line, or hides the status")
	}
	b.ConfigWrite(config.RegCommand, 0, 2)
	if !r.lines[1] {
		t.Error("enabling does not drive again")
	}
	bus.Detach(b)
	port.Reset()
	if r.lines != [Pins]bool{} {
		t.Errorf("lines %v at the end", r.lines)
	}
}

func TestMessages(t *testing.T) {
	r := newRig(t)
	f := r.plain(t, "f", 0)
	attach(t, r.Root(), f, AnyDevfn)
	f.ConfigWrite(config.RegBAR0+4, 0x50000000, 4)
	f.ConfigWrite(config.RegCommand, config.CommandMemory|config.CommandMaster, 2)
	entry := func(v int, addr, data, ctl uint32) {
		base := uint64(0x50000000 + 16*v)
		r.store32(base, addr)
		r.store32(base+4, 0)
		r.store32(base+8, data)
		r.store32(base+12, ctl)
	}
	entry(0, ramBase, 0xaa, 0)
	entry(1, ramBase+4, 0xbb, 1)
	f.MSIX().Notify(0)
	if r.load32(ramBase) != 0 {
		t.Error("sent while disabled")
	}
	control := f.Space.FindCapability(config.CapMSIX) + msixControl
	f.ConfigWrite(control, msixEnable, 2)
	f.MSIX().Notify(0)
	f.MSIX().Notify(1)
	f.MSIX().Notify(7)
	if a, b := r.load32(ramBase), r.load32(ramBase+4); a != 0xaa || b != 0 {
		t.Errorf("memory %#x %#x after a sent and a masked vector", a, b)
	}
	if got := r.load32(0x50000800); got != 2 {
		t.Errorf("pending bits %#x, want 2", got)
	}
	r.store32(0x50000000+16+12, 0)
	if got := r.load32(ramBase + 4); got != 0xbb {
		t.Errorf("unmasking sent %#x", got)
	}
	f.ConfigWrite(control, msixEnable|msixMaskAll, 2)
	r.store32(ramBase, 0)
	f.MSIX().Notify(0)
	f.ConfigWrite(control, msixEnable, 2)
	if got := r.load32(ramBase); got != 0xaa {
		t.Errorf("unmasking the function sent %#x", got)
	}
}

func TestDeviceNumbers(t *testing.T) {
	r := newRig(t)
	bus := r.Root()
	hot := func(name string, multi bool) *Function {
		return NewFunction(Spec{Name: name, ID: "i-" + name, Map: r.m, Multi: multi, Hotplugged: true})
	}
	cold := func(name string, multi bool) *Function {
		return NewFunction(Spec{Name: name, Map: r.m, Multi: multi})
	}
	attach(t, bus, cold("root", false), 0)
	attach(t, bus, hot("d1", false), AnyDevfn)
	attach(t, bus, cold("d2f1", true), int(MakeDevfn(2, 1)))
	attach(t, bus, cold("d3f0", true), int(MakeDevfn(3, 0)))
	for _, c := range []struct {
		f    *Function
		n    int
		want string
	}{
		{cold("x", false), 0, "PCI: slot 0 function 0 not available for x, in use by root,id=(null)"},
		{cold("x", false), 8, "PCI: slot 1 function 0 not available for x, in use by d1,id=i-d1"},
		{cold("x", false), 1, "PCI: single function device can't be populated in function 0.1"},
		{cold("x", false), 16, "PCI: 2.0 indicates single function, but 2.1 is already populated."},
		{hot("x", false), 25, "PCI: slot 3 function 0 already occupied by d3f0, new func x cannot be exposed to guest."},
		{cold("x", false), 25, ""},
		{cold("x", true), 16, ""},
	} {
		err := bus.Attach(c.f, c.n)
		if got := errText(err); got != c.want {
			t.Errorf("%s at %d: %q, want %q", c.f.Name(), c.n, got, c.want)
		}
	}
	for n := 4; n < 32; n++ {
		attach(t, bus, cold("fill", false), AnyDevfn)
	}
	const full = "PCI: no slot/function available for x, all in use or reserved"
	if got := errText(bus.Attach(cold("x", false), AnyDevfn)); got != full {
		t.Errorf("full bus: %q", got)
	}
}

func errText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// What QEMU prints for a host bridge and a port that no guest has touched, and
// for the same after Linux configured them.
func TestInfo(t *testing.T) {
	r := newRig(t)
	attach(t, r.Root(), NewFunction(Spec{Name: "gpex-root", Map: r.m, Identity: config.Identity{
		Vendor: 0x1b36, Device: 8, Class: 0x0600, SubVendor: 0x1af4, SubDevice: 0x1100}}), 0)
	port := r.bridge(t, "pcie-root-port")
	port.spec.ID = "rp0"
	attach(t, r.Root(), port, AnyDevfn)
	check := func(file string) {
		t.Helper()
		want, err := os.ReadFile("testdata/" + file)
		if err != nil {
			t.Fatal(err)
		}
		if got := FormatInfo(r.Info()); got != string(want) {
			t.Errorf("%s: got\n%s\nwant\n%s", file, got, want)
		}
	}
	check("info-pci.txt")
	blk := NewFunction(Spec{Name: "virtio-blk-pci", ID: "blk0", Map: r.m, Express: true, Identity: config.Identity{
		Vendor: 0x1af4, Device: 0x1042, Class: 0x0100, SubVendor: 0x1af4, SubDevice: 0x1100, Pin: 1}})
	if err := errors.Join(blk.AddMSIX(1, 3),
		blk.AddBAR(4, config.BARMem64|config.BARPrefetch, r.m.Container(nil, "virtio-pci", 0x4000))); err != nil {
		t.Fatal(err)
	}
	attach(t, port.Bridge().SecondaryBus(), blk, AnyDevfn)
	for reg, v := range map[int]uint32{config.RegPrimaryBus: 0x010100, config.RegIOBase: 0x1010, config.RegMemBase: 0x40104000,
		config.RegPrefBase: 0x00100000, config.RegPrefBaseHigh: 4, config.RegPrefLimitHigh: 4, config.RegBAR0: 0x40200000,
		config.RegIntLine: 0x010c, config.RegCommand: 7} {
		port.ConfigWrite(reg, v, 4)
	}
	for reg, v := range map[int]uint32{config.RegBAR0 + 4: 0x40000000, config.RegBAR0 + 16: 0, config.RegBAR0 + 20: 4,
		config.RegIntLine: 12, config.RegCommand: 6} {
		blk.ConfigWrite(reg, v, 4)
	}
	check("info-pci-guest.txt")
}

// FuzzConfigSpace lets a guest write anything to three functions: nothing may
// panic, and what is mapped must be where the registers say.
func FuzzConfigSpace(f *testing.F) {
	f.Add([]byte{0x08, 0x18, 0, 1, 1, 4, 0x08, 0x04, 7, 0, 0, 2, 0x10, 0x10, 0, 0x40, 0, 4})
	f.Fuzz(func(t *testing.T, in []byte) {
		r := newRig(t)
		port, dev, far := r.bridge(t, "port"), r.plain(t, "dev", 1), r.plain(t, "far", 2)
		attach(t, r.Root(), dev, AnyDevfn)
		attach(t, r.Root(), port, AnyDevfn)
		attach(t, port.Bridge().SecondaryBus(), far, AnyDevfn)
		all := []*Function{port, dev, far}
		for ; len(in) >= 6; in = in[6:] {
			fn := all[in[0]%3]
			off := int(in[1]) | int(in[0]>>4)<<8
			v := uint32(in[2]) | uint32(in[3])<<8 | uint32(in[4])<<16 | uint32(in[3])<<24
			fn.ConfigWrite(off, v, 1<<(in[5]%3))
			fn.SetINTx(in[5]&0x80 != 0)
			r.ConfigRead(uint64(in[2])<<20|uint64(in[3])<<12, 4)
		}
		for _, fn := range all {
			for _, b := range fn.bars {
				if want := fn.Space.Address(b.BAR); b.at != want {
					t.Fatalf("%s BAR %d is at %#x, registers say %#x", fn.Name(), b.Index, b.at, want)
				}
			}
		}
		_ = FormatInfo(r.Info())
		port.Bridge().SecondaryBus().Detach(far)
		r.Root().Detach(port)
		r.Root().Detach(dev)
		if r.lines != [Pins]bool{} {
			t.Fatalf("lines %v although nothing is left", r.lines)
		}
	})
}

func BenchmarkConfigRead(b *testing.B) {
	r := newRig(b)
	port := r.bridge(b, "port")
	attach(b, r.Root(), port, AnyDevfn)
	attach(b, port.Bridge().SecondaryBus(), r.plain(b, "far", 2), AnyDevfn)
	r.ConfigWrite(config.RegPrimaryBus, 0x010100, 4)
	b.ReportAllocs()
	for b.Loop() {
		r.ConfigRead(1<<20, 4)
	}
}

func BenchmarkConfigWriteCommand(b *testing.B) {
	r := newRig(b)
	f := r.plain(b, "f", 0)
	attach(b, r.Root(), f, AnyDevfn)
	b.ReportAllocs()
	for b.Loop() {
		f.ConfigWrite(config.RegCommand, config.CommandINTxDisable, 2)
	}
}
