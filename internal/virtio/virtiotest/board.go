// Package virtiotest is a machine without harts, and a guest's driver for it,
// for tests of PCI and virtio devices: RAM, a host bridge where the virt machine
// has it, and a main context that the test itself polls.
//
// It is a test double: one goroutine, which holds the BQL throughout, a clock
// that the test moves through real time only, and grace periods that end when
// Settle is called. It injects no faults; a test's backends may.
package virtiotest

import (
	"testing"

	"github.com/backplane-vm/backplane/aio"
	"github.com/backplane-vm/backplane/internal/bql"
	"github.com/backplane-vm/backplane/internal/mem"
	"github.com/backplane-vm/backplane/internal/pci"
	"github.com/backplane-vm/backplane/internal/qdev"
	"github.com/backplane-vm/backplane/internal/qom"
	"github.com/backplane-vm/backplane/internal/sched"
	"github.com/backplane-vm/backplane/internal/virtio"
	"github.com/backplane-vm/backplane/qapi/qobject"
)

// Where things are, as on the virt machine.
const (
	ECAM     = 0x30000000
	PIO      = 0x3000000
	LowMMIO  = 0x40000000
	HighMMIO = 0x400000000
	RAM      = 0x80000000
	RAMSize  = 4 << 20
)

// Board is the machine.
type Board struct {
	T       testing.TB
	Tree    *qdev.Tree
	Host    *pci.GPEXHost
	Main    *aio.Context
	Clock   *aio.Clock
	Memory  *mem.AddressSpace
	Lines   [pci.Pins]bool
	Deleted []string // paths of DEVICE_DELETED, in order
	Now     int64    // virtual time of the device tree, ns

	grace []func()
}

// Call implements mem.Reclaimer: f runs in Settle.
func (b *Board) Call(f func()) { b.grace = append(b.grace, f) }

// source is an endless source of a byte that is easy to recognise.
type source struct{}

func (source) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = 0xa5
	}
	return len(p), nil
}

// New returns a board that knows PCI, virtio and what register adds. backends
// resolves drives; it may be nil.
func New(t testing.TB, backends qdev.Backends, register ...func(*qdev.Registry) error) *Board {
	t.Helper()
	w := sched.NewWorld()
	lock, thread := bql.New(w), w.Adopt("test")
	lock.Lock(thread, "test")
	b := &Board{T: t, Main: aio.NewContext(w, "main", nil), Clock: aio.NewClock(w, true)}
	reg := qdev.NewRegistry()
	for _, r := range append([]func(*qdev.Registry) error{pci.Register, virtio.Register}, register...) {
		b.must(r(reg))
	}
	b.Tree = qdev.New(qdev.Config{Registry: reg, QOM: qom.NewTree(reg.Types), RCU: b, Backends: backends,
		Clock:   func() int64 { return b.Now },
		Deleted: func(_, path string) { b.Deleted = append(b.Deleted, path) },
	})
	m := mem.NewMap(mem.Config{BQL: lock, RCU: b})
	system := m.Container(nil, "system", mem.Whole)
	ram, err := m.RAM(nil, "ram", RAMSize)
	b.must(err)
	system.Add(RAM, ram)
	b.Memory = m.NewAddressSpace("memory", system)
	b.plugHost(pci.Platform{Map: m, System: system, Main: b.Main, Clock: b.Clock, Random: source{}, CPUs: 2}, system)
	t.Cleanup(func() {
		b.Tree.Close()
		b.Settle()
		b.Main.Close()
		for len(b.grace) > 0 { // what its coroutines gave up
			b.pass()
		}
		m.Close()
		lock.Unlock(thread)
	})
	return b
}

func (b *Board) plugHost(p pci.Platform, system *mem.Region) {
	d, err := b.Tree.Create("gpex-pcihost")
	b.must(err)
	h := d.(*pci.GPEXHost)
	h.ECAMBase, h.ECAMSize, h.PIOBase, h.PIOSize = ECAM, 256<<20, PIO, 64<<10
	h.LowBase, h.LowSize, h.HighBase, h.HighSize = LowMMIO, 1<<30, HighMMIO, 16<<30
	h.Connect(p, func(line int, level bool) { b.Lines[line] = level })
	b.must(b.Tree.Realize(h, b.Tree.SystemBus()))
	h.MapInto(system)
	h.Unref()
	b.Host = h
}

func (b *Board) must(err error) {
	b.T.Helper()
	if err != nil {
		b.T.Fatal(err)
	}
}

// Start ends the building of the machine: what comes now is hot-plugged.
func (b *Board) Start() {
	b.Tree.SetReady()
	b.Tree.Reset()
}

// Settle runs the main context and grace periods until nothing is left to do.
func (b *Board) Settle() {
	for b.Main.Poll(false) || len(b.grace) > 0 {
		b.pass()
	}
}

// pass ends a grace period.
func (b *Board) pass() {
	calls := b.grace
	b.grace = nil
	for _, f := range calls {
		f()
	}
}

// TryAdd is device_add with args as name, value pairs.
func (b *Board) TryAdd(driver, id string, args ...any) error {
	d := qobject.NewDict()
	d.Set("driver", driver)
	d.Set("id", id)
	for i := 0; i+1 < len(args); i += 2 {
		d.Set(args[i].(string), args[i+1])
	}
	_, err := b.Tree.Add(d, qdev.JSON)
	return err
}

// Add is TryAdd that must succeed; it returns the device.
func (b *Board) Add(driver, id string, args ...any) qdev.Device {
	b.T.Helper()
	b.must(b.TryAdd(driver, id, args...))
	d, err := b.Tree.Find(id)
	b.must(err)
	return d
}

// Read reads n bytes of guest-physical memory, as a hart would; ones where
// nothing is.
func (b *Board) Read(addr uint64, n int) uint64 {
	var p [8]byte
	if b.Memory.DMARead(addr, p[:n]) != mem.OK {
		return 1<<(8*n) - 1
	}
	v := uint64(0)
	for i := range n {
		v |= uint64(p[i]) << (8 * i)
	}
	return v
}

// Write writes n bytes of guest-physical memory.
func (b *Board) Write(addr, v uint64, n int) {
	var p [8]byte
	for i := range n {
		p[i] = byte(v >> (8 * i))
	}
	b.Memory.DMAWrite(addr, p[:n])
}

// Bytes returns n bytes of guest-physical memory.
func (b *Board) Bytes(addr uint64, n int) []byte {
	p := make([]byte, n)
	b.Memory.DMARead(addr, p)
	return p
}

// Put copies p to guest-physical memory.
func (b *Board) Put(addr uint64, p []byte) { b.Memory.DMAWrite(addr, p) }

// Function is a place in PCI's configuration space.
type Function struct {
	b    *Board
	base uint64
}

// At returns the function at a place.
func (b *Board) At(bus, slot, fn int) Function {
	return Function{b, ECAM + uint64(bus<<20|slot<<15|fn<<12)}
}

// Read reads n bytes of configuration space.
func (f Function) Read(reg, n int) uint32 { return uint32(f.b.Read(f.base+uint64(reg), n)) }

// Write writes n bytes of configuration space.
func (f Function) Write(reg int, v uint32, n int) { f.b.Write(f.base+uint64(reg), uint64(v), n) }

// Present says whether something answers.
func (f Function) Present() bool { return f.Read(0, 2) != 0xffff }

// Capability returns the offset of the nth capability with that id, or 0.
func (f Function) Capability(id uint8, nth int) int {
	for off := int(f.Read(0x34, 1)); off != 0; off = int(f.Read(off+1, 1)) {
		if uint8(f.Read(off, 1)) == id {
			if nth == 0 {
				return off
			}
			nth--
		}
	}
	return 0
}

// Open gives the port at a function bus numbers and windows for one device, at
// the n-th MiB of each memory space.
func (f Function) Open(bus, n int) {
	f.Write(0x18, uint32(bus<<16|bus<<8), 4)
	low := uint32(LowMMIO>>16 + n*16)
	f.Write(0x20, low|low<<16, 4)
	f.Write(0x24, uint32(n*16|n*16<<16), 4)
	f.Write(0x28, HighMMIO>>32, 4)
	f.Write(0x2c, HighMMIO>>32, 4)
	f.Write(0x04, 7, 2)
}
