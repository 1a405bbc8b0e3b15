package mem

import (
	"fmt"
	"testing"
)

// ports builds a machine's PCI side with n bridges, each with a device behind
// it that has two BARs and does DMA, and returns the last device's BAR.
func ports(b testing.TB, n int) (*rig, *AddressSpace, *Region) {
	m := newRig(b)
	m.Begin()
	sys := m.Container(nil, "system", Whole)
	as := m.NewAddressSpace("memory", sys)
	window := m.IO(nil, "gpex_mmio_window", Whole, &Ops{})
	sys.Add(0x4000_0000, m.Alias(nil, "pcie-mmio", window, 0x4000_0000, 0x4000_0000))
	var last *Region
	for i := range n {
		base := 0x4000_0000 + uint64(i)<<16
		bus := m.Container(nil, "pci_bridge_pci", Whole)
		window.AddOverlap(base, m.Alias(nil, "pci_bridge_mem", bus, base, 1<<16), 1)
		for bar := range uint64(2) {
			last = m.IO(nil, "bar", 0x1000, &Ops{})
			bus.AddOverlap(base+bar<<12, last, 1)
		}
		master := m.Container(nil, "bus master container", Whole)
		master.Add(0, m.Alias(nil, "bus master", sys, 0, Whole))
		m.NewAddressSpace("dev", master)
	}
	m.Commit()
	return m, as, last
}

// BenchmarkMapChange is one BAR going and coming on a machine with as many
// devices as its name says: two map changes.
func BenchmarkMapChange(b *testing.B) {
	for _, n := range []int{10, 100, 1000} {
		b.Run(fmt.Sprintf("devices=%d", n), func(b *testing.B) {
			m, _, bar := ports(b, n)
			b.ReportAllocs()
			for b.Loop() {
				bar.SetEnabled(false)
				bar.SetEnabled(true)
				m.rcu.run()
			}
		})
	}
}

// BenchmarkBusMaster is one device's DMA switched off and on: two changes of
// view.
func BenchmarkBusMaster(b *testing.B) {
	for _, n := range []int{10, 100, 1000} {
		b.Run(fmt.Sprintf("devices=%d", n), func(b *testing.B) {
			m, as, _ := ports(b, n)
			master := m.Container(nil, "bus master container", Whole)
			enable := m.Alias(nil, "bus master", as.Root(), 0, Whole)
			master.Add(0, enable)
			m.NewAddressSpace("one more", master)
			b.ReportAllocs()
			for b.Loop() {
				enable.SetEnabled(false)
				enable.SetEnabled(true)
				m.rcu.run()
			}
		})
	}
}

// BenchmarkLookup finds addresses spread over a map, so that nearly all miss
// the range found last.
func BenchmarkLookup(b *testing.B) {
	for _, n := range []int{10, 1000} {
		b.Run(fmt.Sprintf("devices=%d", n), func(b *testing.B) {
			m, as, _ := ports(b, n)
			a := NewAccess(m.main)
			b.ReportAllocs()
			i := 0
			for b.Loop() {
				i = (i + 7) % n
				if a.find(as.Flat(), 0x4000_0000+uint64(i)<<16) == nil {
					b.Fatal("hole")
				}
			}
		})
	}
}

// BenchmarkMMIO is one register read by a vCPU, the BQL included or not.
func BenchmarkMMIO(b *testing.B) {
	for _, c := range []struct {
		name           string
		held, lockless bool
	}{{"bql", false, false}, {"bql-held", true, false}, {"lockless", false, true}} {
		b.Run(c.name, func(b *testing.B) {
			m := newRig(b)
			sys := m.Container(nil, "system", Whole)
			as := m.NewAddressSpace("memory", sys)
			d := &device{}
			sys.Add(0x1000, m.IO(d, "io", 0x100, &Ops{
				Read:     func(off uint64, _ uint) (uint64, Result) { return off, OK },
				Lockless: c.lockless,
			}))
			if !c.held {
				m.lock.Unlock(m.main)
				defer m.lock.Lock(m.main, "end")
			}
			a := NewAccess(m.main)
			b.ReportAllocs()
			for b.Loop() {
				as.Read(a, 0x1010, 4)
			}
		})
	}
}

func BenchmarkDMA(b *testing.B) {
	m := newRig(b)
	sys := m.Container(nil, "system", Whole)
	as := m.NewAddressSpace("memory", sys)
	ram, err := m.RAM(nil, "ram", 1<<20)
	if err != nil {
		b.Fatal(err)
	}
	sys.Add(0x8000_0000, ram)
	p := make([]byte, 4096)
	b.SetBytes(int64(len(p)))
	b.ReportAllocs()
	for b.Loop() {
		as.DMARead(0x8000_1000, p)
	}
}

func TestHotPathsDoNotAllocate(t *testing.T) {
	m, as, _ := ports(t, 100)
	ram, err := m.RAM(nil, "ram", 1<<16)
	if err != nil {
		t.Fatal(err)
	}
	as.Root().Add(0x8000_0000, ram)
	a, p := NewAccess(m.main), make([]byte, 64)
	for name, f := range map[string]func(){
		"mmio":  func() { as.Read(a, 0x4003_0010, 4); as.Write(a, 0x4005_1010, 1, 4) },
		"ram":   func() { as.Read(a, 0x8000_0010, 8); as.Write(a, 0x8000_0010, 1, 8) },
		"dma":   func() { as.DMARead(0x8000_0010, p); as.DMAWrite(0x8000_0010, p) },
		"slice": func() { _, h := as.RAMSlice(0x8000_0000, 4096, true); h.Release() },
	} {
		if n := testing.AllocsPerRun(100, f); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}
