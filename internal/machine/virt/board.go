// Package virt is the riscv64 machine of QEMU's name: harts, CLINT, PLIC, a
// 16550 console, the test finisher and a PCI Express hierarchy, at QEMU's
// addresses.
//
// [New] builds it; everything that is done to it afterwards is
// internal/machine's business. The package starts no goroutines of its own and
// has no locks.
package virt

import (
	"crypto/rand"
	"fmt"

	"github.com/backplane-vm/backplane/internal/backend"
	"github.com/backplane-vm/backplane/internal/machine"
	"github.com/backplane-vm/backplane/internal/mem"
	"github.com/backplane-vm/backplane/internal/pci"
	"github.com/backplane-vm/backplane/internal/qdev"
	"github.com/backplane-vm/backplane/internal/qom"
	"github.com/backplane-vm/backplane/internal/riscv"
	"github.com/backplane-vm/backplane/internal/riscv/loader"
	"github.com/backplane-vm/backplane/qapi/qerr"
)

// Config says what machine to build.
type Config struct {
	machine.Config
	CPUs   int    // 1 to machine.MaxCPUs
	RAM    uint64 // bytes
	Kernel string // a file, or "builtin:demo"; "" for none
	Append string // the kernel's command line
	// MaxCPUs, Slots and MaxRAM are what was said of CPUs and memory to come,
	// of which there can be none; 0 for nothing.
	MaxCPUs       int
	Slots, MaxRAM uint64
	Serial        Serial // what the console is connected to; nil for nothing

	// Objects, if set, makes objects before the board is built. It runs under
	// the BQL.
	Objects func(*machine.Machine) error
	// MemoryBackend is the id of the object that is main memory; "" has the
	// board make one.
	MemoryBackend string
}

// Serial is the other end of the console. Its methods are called under the BQL
// and must not block.
type Serial interface {
	// Connect hands over what the other end drives; it is called once, before
	// the others.
	Connect(port Port)
	// Send takes a byte from the guest; false means not now, and Port.Writable
	// is called when there is room.
	Send(b byte) bool
	// Resume says that the guest has made room after CanReceive was 0.
	Resume()
}

// Port is the guest's end of the console. The caller holds the BQL.
type Port interface {
	CanReceive() int
	Receive(p []byte)
	Writable()
	Break()
}

// Board is the machine's board. It implements [machine.Board].
type Board struct {
	cfg      Config
	object   qom.Object // /machine
	m        *machine.Machine
	main     *backend.Memory // main memory, whose region is ram
	ram, rom *mem.Region
	gpex     *pci.GPEXHost
	memory   *riscv.Memory
	image    *loader.Image
	clint    *clintChip
	tree     []byte // the device tree that the guest was given last
}

// Type implements [machine.Board].
func (b *Board) Type() string { return "virt" }

// RAMSize implements [machine.Board].
func (b *Board) RAMSize() uint64 { return b.cfg.RAM }

// DeviceTree implements [machine.Board].
func (b *Board) DeviceTree() []byte { return b.tree }

// PCI implements [machine.Board].
func (b *Board) PCI() []*pci.Host { return []*pci.Host{b.gpex.Host()} }

// New builds a machine of this kind, stopped. On error nothing is left.
func New(c Config) (m *machine.Machine, err error) {
	if c.CPUs < 1 || c.CPUs > machine.MaxCPUs {
		return nil, qerr.New("Invalid SMP CPUs %d. The max CPUs supported by machine 'virt' is %d", c.CPUs, machine.MaxCPUs)
	}
	if c.RAM == 0 || c.RAM%pageSize != 0 || c.RAM > highMMIOBase-dramBase {
		return nil, qerr.New("memory size must be a multiple of 4 KiB, and at most 14 GiB on this machine")
	}
	b := &Board{cfg: c}
	if b.image, err = loadImage(c); err != nil {
		return nil, err
	}
	b.object.Init("virt-machine", b, machineClass(), nil)
	c.Object = &b.object
	m = machine.New(c.Config)
	m.Board, b.m = b, m
	m.Locked("board", func() { err = b.build() })
	if err != nil {
		m.Close()
		return nil, err
	}
	return m, nil
}

// pageSize is what the size of memory is a multiple of.
const pageSize = 4096

// loadImage reads and checks the kernel, before anything is built.
func loadImage(c Config) (*loader.Image, error) {
	if c.Kernel == "" {
		return nil, nil
	}
	raw, err := readKernel(c.Kernel)
	if err != nil {
		return nil, err
	}
	image, err := loader.ParseELF(raw)
	if err != nil {
		return nil, qerr.New("could not load kernel '%s'", c.Kernel).WithHint("%v\n", err)
	}
	return image, nil
}

func (b *Board) build() error {
	if b.cfg.Objects != nil {
		if err := b.cfg.Objects(b.m); err != nil {
			return err
		}
	}
	if err := b.addMemory(); err != nil {
		return err
	}
	if err := b.addHarts(); err != nil {
		return err
	}
	if err := b.addChips(); err != nil {
		return err
	}
	b.m.OnReset(b.reset)
	return nil
}

// addMemory makes RAM and the boot ROM.
func (b *Board) addMemory() (err error) {
	m := b.m
	main, err := b.mainMemory()
	if err != nil {
		return err
	}
	b.main, b.ram = main, main.Region()
	if b.rom, err = m.Map.ROM(nil, "riscv_virt_board.mrom", mromSize); err != nil {
		return err
	}
	qdev.AddRegion(m.QOM.Container("/machine/unattached"), b.rom)
	b.ram.OnWrite(func(off, n uint64) { b.memory.Written(dramBase+off, n) })
	m.Memory.Add(dramBase, b.ram)
	m.Memory.Add(mromBase, b.rom)
	b.memory, err = riscv.NewMemory(
		riscv.Region{Base: mromBase, Bytes: b.rom.Bytes(), ReadOnly: true},
		riscv.Region{Base: dramBase, Bytes: b.ram.Bytes()},
	)
	if err != nil {
		return err
	}
	return b.loadAll()
}

// DefaultRAM is the id of main memory that the board makes itself.
const DefaultRAM = "riscv_virt_board.ram"

// mainMemory returns the object that is main memory, taken into use.
func (b *Board) mainMemory() (*backend.Memory, error) {
	objects := b.m.QOM.Container("/objects")
	if id := b.cfg.MemoryBackend; id != "" {
		o := objects.Child(id)
		if o == nil {
			return nil, qerr.New("Memory backend '%s' not found", id)
		}
		main, ok := o.Self().(*backend.Memory)
		switch {
		case !ok:
			return nil, qerr.New("Invalid parameter type for 'memory-backend', expected: memory-backend")
		case main.Region().Size() != b.cfg.RAM:
			return nil, qerr.New("Machine memory size does not match the size of the memory backend")
		}
		return main, main.Use()
	}
	main, err := backend.NewMemory(b.m.World, b.m.Map, DefaultRAM, backend.DefaultMemory(b.cfg.RAM))
	if err != nil {
		return nil, err
	}
	defer main.Unref()
	qdev.AddRegion(&main.Object, main.Region())
	if err := objects.AddChild(DefaultRAM, &main.Object); err != nil {
		return nil, err
	}
	return main, main.Use()
}

// addHarts makes the CPUs and their objects, /machine/soc0/harts[N].
func (b *Board) addHarts() error {
	soc := new(qom.Object)
	soc.Init(arrayType, b, arrayClass(), nil)
	if err := b.m.QOM.Container("/machine").AddChild("soc0", soc); err != nil {
		return err
	}
	class := hartClass()
	for i := range b.cfg.CPUs {
		cpu, err := b.m.AddCPU(riscv.Config{ID: uint64(i), Memory: b.memory, ResetPC: mromBase, Time: b.time})
		if err != nil {
			return err
		}
		o := new(qom.Object)
		o.Init(machine.CPUType, cpu, class, nil)
		if err := soc.AddChild(fmt.Sprintf("harts[%d]", i), o); err != nil {
			return err
		}
	}
	return nil
}

// addChips makes the devices on the system bus and wires them up.
func (b *Board) addChips() error {
	m := b.m
	irqs, err := create[*plicChip](m, "riscv.sifive.plic")
	if err != nil {
		return err
	}
	irqs.connect(m, b.cfg.CPUs)
	clint, err := create[*clintChip](m, "riscv.aclint")
	if err != nil {
		return err
	}
	clint.connect(m, b.cfg.CPUs)
	b.clint = clint
	end, err := create[*finisherChip](m, "riscv.sifive.test")
	if err != nil {
		return err
	}
	end.connect(m)
	uart, err := create[*uartChip](m, "serial-mm")
	if err != nil {
		return err
	}
	uart.connect(m, irqs, b.cfg.Serial)
	if b.cfg.Serial != nil {
		b.cfg.Serial.Connect(uart.core)
	}
	if b.gpex, err = create[*pci.GPEXHost](m, "gpex-pcihost"); err != nil {
		return err
	}
	b.setPCI(irqs)
	for _, d := range []qdev.Device{irqs, clint, end, uart, b.gpex} {
		if err := m.Devices.Realize(d, m.Devices.SystemBus()); err != nil {
			return err
		}
		d.Dev().Unref()
	}
	b.gpex.MapInto(m.Memory)
	return nil
}

// create makes a device of the board's own.
func create[D qdev.Device](m *machine.Machine, class string) (d D, err error) {
	dev, err := m.Devices.Create(class)
	if err != nil {
		return d, err
	}
	return dev.(D), nil
}

// setPCI says where the PCI Express hierarchy is and what it is part of.
func (b *Board) setPCI(irqs *plicChip) {
	m, g := b.m, b.gpex
	g.Connect(pci.Platform{
		Map: m.Map, System: m.Memory, Main: m.Loop.Main, Clock: m.Virtual, Random: rand.Reader, CPUs: b.cfg.CPUs,
	}, func(line int, level bool) { irqs.core.SetIRQ(pcieIRQ+line, level) })
	g.ECAMBase, g.ECAMSize = ecamBase, ecamSize
	g.PIOBase, g.PIOSize = pioBase, pioSize
	g.LowBase, g.LowSize = lowMMIOBase, lowMMIOSize
	g.HighBase, g.HighSize = highMMIOBase, highMMIOSize
}

// time reads the harts' time register. Any hart may call it, without a lock.
func (b *Board) time() uint64 { return b.clint.core.Time() }

// reset puts boot code, kernel and device tree back into memory; the harts are
// stopped.
func (b *Board) reset() {
	if err := b.loadAll(); err != nil { // it went well when the board was built
		b.m.Warn(err.Error())
	}
}

// loadAll writes what a guest finds when it starts.
func (b *Board) loadAll() error {
	entry, end, next := uint64(dramBase), uint64(0), uint64(0)
	if b.image != nil {
		if err := b.image.Load(b); err != nil {
			return qerr.New("could not load kernel '%s'", b.cfg.Kernel).WithHint("%v\n", err)
		}
		entry, end, next = b.image.Entry, b.image.End(), b.image.Entry
	}
	tree, err := deviceTree(b.cfg, riscv.ISA, rand.Reader)
	if err != nil {
		return err
	}
	at, ok := treeAddress(b.cfg.RAM, end, len(tree))
	if !ok {
		return qerr.New("No enough memory to place DTB after kernel/initrd")
	}
	copy(b.Slice(at, uint64(len(tree))), tree)
	b.tree = tree
	copy(b.rom.Bytes(), bootROM(entry, at, next))
	b.memory.Written(mromBase, b.rom.Size())
	return nil
}

// Slice implements [loader.RAM], for what is about to be written.
func (b *Board) Slice(addr, n uint64) []byte {
	ram := b.ram.Bytes()
	if addr < dramBase || addr-dramBase > uint64(len(ram)) || n > uint64(len(ram))-(addr-dramBase) {
		return nil
	}
	b.memory.Written(addr, n)
	return ram[addr-dramBase:][:n]
}

// mmioDetail describes a region on the system bus for info qtree.
func mmioDetail(addr, size uint64) string { return fmt.Sprintf("mmio %016x/%016x", addr, size) }
