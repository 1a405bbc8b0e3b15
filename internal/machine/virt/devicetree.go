package virt

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/backplane-vm/backplane/internal/fdt"
	"github.com/backplane-vm/backplane/internal/riscv"
	"github.com/backplane-vm/backplane/internal/riscv/aclint"
	"github.com/backplane-vm/backplane/internal/riscv/finisher"
)

// What only the device tree says about the devices.
const (
	uartPath    = "/soc/serial@10000000"
	uartClock   = 3686400 // Hz; the baud rate's source
	uartRange   = 0x100   // bytes; the registers take the first eight
	pciDevices  = 4       // the pattern of interrupts repeats after so many
	pciPins     = 4       // INTA to INTD
	seedSize    = 32      // bytes
	powerOffCmd = 0x5555  // commands of the finisher
	rebootCmd   = 0x7777
)

// deviceTree returns the flattened device tree of the machine that c
// describes: QEMU's, without what this machine does not have. isa is what the
// harts implement, in the notation of riscv.ISA. The seed that it gives the
// guest's random number generator is read from random; QEMU has a new one
// after each reset.
func deviceTree(c Config, isa string, random io.Reader) ([]byte, error) {
	if strings.IndexByte(c.Append, 0) >= 0 {
		return nil, errors.New("the kernel's command line has a NUL in it")
	}
	seed := make([]byte, seedSize)
	if _, err := io.ReadFull(random, seed); err != nil {
		return nil, fmt.Errorf("no seed for the guest's random numbers: %w", err)
	}
	h := handles{cpus: c.CPUs}
	t := fdt.New()
	root := t.Root
	root.Cells("#address-cells", 2)
	root.Cells("#size-cells", 2)
	root.Strings("compatible", "riscv-virtio")
	root.Strings("model", "riscv-virtio,qemu")
	describeSyscon(root.Add("poweroff"), "syscon-poweroff", powerOffCmd, h)
	describeSyscon(root.Add("reboot"), "syscon-reboot", rebootCmd, h)
	memory := root.Add(fmt.Sprintf("memory@%x", dramBase))
	memory.Strings("device_type", "memory")
	memory.Pairs("reg", dramBase, c.RAM)
	describeCPUs(root.Add("cpus"), isa, h)
	root.Add("aliases").Strings("serial0", uartPath)
	chosen := root.Add("chosen")
	if c.Append != "" {
		chosen.Strings("bootargs", c.Append)
	}
	chosen.Strings("stdout-path", uartPath)
	chosen.Bytes("rng-seed", seed...)
	soc := root.Add("soc")
	soc.Cells("#address-cells", 2)
	soc.Cells("#size-cells", 2)
	soc.Strings("compatible", "simple-bus")
	soc.Bytes("ranges")
	describeUART(soc, h)
	describeFinisher(soc, h)
	describePLIC(soc, h)
	describeCLINT(soc, h)
	describePCI(soc, h)
	return t.Bytes()
}

// treeAddress returns where in RAM a device tree of size bytes goes: as near to
// RAM's end as a multiple of 2 MiB allows, which is what Linux maps at a time.
// ok is false if that is not after loaded, where what is loaded at the start of
// RAM ends (0 for nothing), or if RAM is too small.
func treeAddress(ram, loaded uint64, size int) (addr uint64, ok bool) {
	const align = 2 << 20
	if uint64(size) > ram {
		return 0, false
	}
	addr = (dramBase + ram - uint64(size)) &^ (align - 1)
	return addr, addr >= loaded
}

// handles are the phandles, in QEMU's order: the CPUs from the last to the
// first, each with its interrupt controller, then what there is one of.
type handles struct{ cpus int }

func (h handles) cpu(i int) uint32  { return uint32(2*(h.cpus-1-i) + 1) }
func (h handles) intc(i int) uint32 { return h.cpu(i) + 1 }
func (h handles) plic() uint32      { return uint32(2*h.cpus + 1) }
func (h handles) finisher() uint32  { return h.plic() + 1 }

// causes returns a value of interrupts-extended: those causes, of each hart.
func (h handles) causes(list ...uint32) (cells []uint32) {
	for i := range h.cpus {
		for _, cause := range list {
			cells = append(cells, h.intc(i), cause)
		}
	}
	return cells
}

func describeSyscon(n *fdt.Node, compatible string, command uint32, h handles) {
	n.Cells("value", command)
	n.Cells("offset", 0)
	n.Cells("regmap", h.finisher())
	n.Strings("compatible", compatible)
}

func describeCPUs(n *fdt.Node, isa string, h handles) {
	n.Cells("#address-cells", 1)
	n.Cells("#size-cells", 0)
	n.Cells("timebase-frequency", aclint.Frequency)
	base, extensions := splitISA(isa)
	for i := range h.cpus {
		cpu := n.Add(fmt.Sprintf("cpu@%d", i)) // decimal, as QEMU has it
		cpu.Cells("phandle", h.cpu(i))
		cpu.Strings("device_type", "cpu")
		cpu.Cells("reg", uint32(i))
		cpu.Strings("status", "okay")
		cpu.Strings("compatible", "riscv")
		cpu.Strings("riscv,isa-extensions", extensions...)
		cpu.Strings("riscv,isa-base", base)
		cpu.Strings("riscv,isa", isa)
		cpu.Strings("mmu-type", "riscv,sv39")
		intc := cpu.Add("interrupt-controller")
		intc.Cells("#interrupt-cells", 1)
		intc.Bytes("interrupt-controller")
		intc.Strings("compatible", "riscv,cpu-intc")
		intc.Cells("phandle", h.intc(i))
	}
	cluster := n.Add("cpu-map").Add("cluster0")
	for i := range h.cpus {
		cluster.Add(fmt.Sprintf("core%d", i)).Cells("cpu", h.cpu(i))
	}
}

// splitISA takes an ISA string apart: rv64imac_zicsr is rv64i with the
// extensions i, m, a, c and zicsr.
func splitISA(isa string) (base string, extensions []string) {
	const width = len("rv64")
	letters, rest, more := strings.Cut(isa, "_")
	extensions = strings.Split(letters[width:], "")
	if more {
		extensions = append(extensions, strings.Split(rest, "_")...)
	}
	return isa[:width+1], extensions
}

func describeUART(soc *fdt.Node, h handles) {
	n := soc.Add(fmt.Sprintf("serial@%x", uartBase))
	n.Cells("interrupts", uartIRQ)
	n.Cells("interrupt-parent", h.plic())
	n.Cells("clock-frequency", uartClock)
	n.Pairs("reg", uartBase, uartRange)
	n.Strings("compatible", "ns16550a")
}

func describeFinisher(soc *fdt.Node, h handles) {
	n := soc.Add(fmt.Sprintf("test@%x", finisherBase))
	n.Cells("phandle", h.finisher())
	n.Pairs("reg", finisherBase, finisher.Size)
	n.Strings("compatible", "sifive,test1", "sifive,test0", "syscon")
}

func describePLIC(soc *fdt.Node, h handles) {
	n := soc.Add(fmt.Sprintf("plic@%x", plicBase))
	n.Cells("phandle", h.plic())
	n.Cells("riscv,ndev", plicSources-1)
	n.Pairs("reg", plicBase, plicSize)
	n.Cells("interrupts-extended", h.causes(riscv.IRQMachineExternal, riscv.IRQSupervisorExternal)...)
	n.Bytes("interrupt-controller")
	n.Strings("compatible", "sifive,plic-1.0.0", "riscv,plic0")
	n.Cells("#address-cells", 0)
	n.Cells("#interrupt-cells", 1)
}

func describeCLINT(soc *fdt.Node, h handles) {
	n := soc.Add(fmt.Sprintf("clint@%x", clintBase))
	n.Cells("interrupts-extended", h.causes(riscv.IRQMachineSoftware, riscv.IRQMachineTimer)...)
	n.Pairs("reg", clintBase, aclint.Size)
	n.Strings("compatible", "sifive,clint0", "riscv,clint0")
}

// Parts of PCI addresses in device trees (IEEE 1275 PCI Bus Binding §2.2.1.1,
// the first of three cells).
const (
	pciSpaceIO     = 0x1000000
	pciSpaceMem32  = 0x2000000
	pciSpaceMem64  = 0x3000000
	pciDeviceShift = 11
)

func describePCI(soc *fdt.Node, h handles) {
	n := soc.Add(fmt.Sprintf("pci@%x", ecamBase))
	n.Cells("interrupt-map-mask", (pciDevices-1)<<pciDeviceShift, 0, 0, 7)
	n.Cells("interrupt-map", interruptMap(h)...)
	var ranges []byte
	for _, r := range []struct {
		space          uint32
		pci, cpu, size uint64
	}{
		{pciSpaceIO, 0, pioBase, pioSize},
		{pciSpaceMem32, lowMMIOBase, lowMMIOBase, lowMMIOSize},
		{pciSpaceMem64, highMMIOBase, highMMIOBase, highMMIOSize},
	} {
		ranges = binary.BigEndian.AppendUint32(ranges, r.space)
		for _, v := range []uint64{r.pci, r.cpu, r.size} {
			ranges = binary.BigEndian.AppendUint64(ranges, v)
		}
	}
	n.Bytes("ranges", ranges...)
	n.Pairs("reg", ecamBase, ecamSize)
	n.Bytes("dma-coherent")
	n.Cells("bus-range", 0, ecamSize>>20-1) // a bus takes 1 MiB of configuration space
	n.Cells("linux,pci-domain", 0)
	n.Strings("device_type", "pci")
	n.Strings("compatible", "pci-host-ecam-generic")
	n.Cells("#size-cells", 2)
	n.Cells("#interrupt-cells", 1)
	n.Cells("#address-cells", 3)
}

// interruptMap says which line of the PLIC each pin of each device of the root
// bus drives: they rotate, so that single-function devices share them evenly.
func interruptMap(h handles) (cells []uint32) {
	for device := range uint32(pciDevices) {
		for pin := range uint32(pciPins) {
			cells = append(cells, device<<pciDeviceShift, 0, 0, pin+1, h.plic(), pcieIRQ+(device+pin)%pciPins)
		}
	}
	return cells
}
