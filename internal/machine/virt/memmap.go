package virt

// The physical memory map of QEMU's virt machine, as its device tree has it.
const (
	mromBase     = 0x1000
	mromSize     = 0xf000
	finisherBase = 0x100000
	clintBase    = 0x2000000
	pioBase      = 0x3000000
	pioSize      = 0x10000
	plicBase     = 0xc000000
	plicSize     = 0x600000
	uartBase     = 0x10000000
	ecamBase     = 0x30000000
	ecamSize     = 0x10000000
	lowMMIOBase  = 0x40000000
	lowMMIOSize  = 0x40000000
	dramBase     = 0x80000000
	highMMIOBase = 0x400000000
	highMMIOSize = 0x400000000
)

// Interrupt lines of the PLIC.
const (
	plicSources = 96 // 1 to 95
	uartIRQ     = 10
	pcieIRQ     = 32 // INTA; INTB to INTD follow
)
