package pci

import (
	"errors"
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

func TestMSI(t *testing.T) {
	r := newRig(t)
	f := r.plain(t, "f", 0)
	if f.AddMSI(3) == nil || f.AddMSI(64) == nil {
		t.Error("odd numbers of vectors accepted")
	}
	if err := f.AddMSI(4); err != nil {
		t.Fatal(err)
	}
	attach(t, r.Root(), f, AnyDevfn)
	f.ConfigWrite(config.RegCommand, config.CommandMaster, 2)
	c := f.Space.FindCapability(config.CapMSI)
	if got := f.ConfigRead(c+msiControl, 2); got != 0x0184 {
		t.Errorf("control %#x", got)
	}
	f.ConfigWrite(c+msiAddress, ramBase+3, 4)
	f.ConfigWrite(c+msiData, 0x1234, 2)
	f.MSI().Notify(1)
	if got := r.load32(ramBase); got != 0 {
		t.Errorf("sent %#x while disabled", got)
	}
	f.ConfigWrite(c+msiControl, msiEnable|1<<msiEnabledShift, 2)
	f.MSI().Notify(3) // two messages granted: shares the second
	if got := r.load32(ramBase); got != 0x1235 {
		t.Errorf("message %#x, want 0x1235", got)
	}
	f.ConfigWrite(c+msiMask, 1, 4)
	f.MSI().Notify(0)
	if got := f.ConfigRead(c+msiPending, 4); got != 1 || r.load32(ramBase) != 0x1235 {
		t.Errorf("pending %#x", got)
	}
	f.ConfigWrite(c+msiMask, 0, 4)
	if got := r.load32(ramBase); got != 0x1234 || f.ConfigRead(c+msiPending, 4) != 0 {
		t.Errorf("unmasking sent %#x", got)
	}
	f.MSI().Notify(9)
	f.Reset()
	if f.MSI().Enabled() {
		t.Error("enabled after reset")
	}
}
