package virt

import (
	"github.com/backplane-vm/backplane/aio"
	"github.com/backplane-vm/backplane/internal/machine"
	"github.com/backplane-vm/backplane/internal/mem"
	"github.com/backplane-vm/backplane/internal/qdev"
	"github.com/backplane-vm/backplane/internal/riscv"
	"github.com/backplane-vm/backplane/internal/riscv/aclint"
	"github.com/backplane-vm/backplane/internal/riscv/finisher"
	"github.com/backplane-vm/backplane/internal/riscv/plic"
	"github.com/backplane-vm/backplane/internal/riscv/uart16550"
)

// chip is what the board's own devices share: a core without I/O behind one
// memory region on the system bus.
type chip struct {
	qdev.Base
	m      *machine.Machine
	region *mem.Region
	base   uint64
}

// place makes the chip's region and puts it at base.
func (c *chip) place(m *machine.Machine, name string, base, size uint64, ops *mem.Ops) {
	c.m, c.base = m, base
	c.region = m.Map.IO(c.Dev(), name, size, ops)
	m.Memory.Add(base, c.region)
}

// Describe implements [qdev.Describer].
func (c *chip) Describe() []string {
	if c.region == nil {
		return nil
	}
	return []string{mmioDetail(c.base, c.region.Size())}
}

// result is what a core's ok means on the bus.
func result(ok bool) mem.Result {
	if !ok {
		return mem.DecodeError
	}
	return mem.OK
}

// plicChip is the platform-level interrupt controller (riscv.sifive.plic).
type plicChip struct {
	chip
	core *plic.Device
}

func (c *plicChip) connect(m *machine.Machine, harts int) {
	c.core = plic.New(plic.Config{Sources: plicSources, Contexts: 2 * harts, Output: func(context int, level bool) {
		cause := uint(riscv.IRQMachineExternal)
		if context%2 == 1 {
			cause = riscv.IRQSupervisorExternal
		}
		m.CPUs()[context/2].Hart().SetIRQ(cause, level)
	}})
	c.place(m, "riscv.sifive.plic", plicBase, plicSize, &mem.Ops{
		Read: func(off uint64, size uint) (uint64, mem.Result) {
			v, ok := c.core.Read(off, int(size))
			return v, result(ok)
		},
		Write: func(off, v uint64, size uint) mem.Result { return result(c.core.Write(off, int(size), v)) },
		Valid: mem.Sizes{Min: 4, Max: 4}, Impl: mem.Sizes{Min: 4, Max: 4},
	})
}

// Reset implements [qdev.Resetter].
func (c *plicChip) Reset() { c.core.Reset() }

// clintChip is the core-local interruptor (riscv.aclint: swi and mtimer).
type clintChip struct {
	chip
	core   *aclint.Device
	timers []*aio.Timer
}

func (c *clintChip) connect(m *machine.Machine, harts int) {
	drive := func(cause uint) func(int, bool) {
		return func(hart int, level bool) { m.CPUs()[hart].Hart().SetIRQ(cause, level) }
	}
	for hart := range harts {
		c.timers = append(c.timers, m.Loop.Main.Timer(m.Virtual, func() { c.core.Fire(hart) }))
	}
	c.core = aclint.New(aclint.Config{
		Harts: harts, Now: m.Virtual.Now,
		ArmTimer:    func(hart int, deadline int64) { c.timers[hart].Arm(deadline) },
		CancelTimer: func(hart int) { c.timers[hart].Cancel() },
		Software:    drive(riscv.IRQMachineSoftware),
		Timer:       drive(riscv.IRQMachineTimer),
	})
	c.place(m, "riscv.aclint", clintBase, aclint.Size, &mem.Ops{
		Read: func(off uint64, size uint) (uint64, mem.Result) {
			v, ok := c.core.Read(off, int(size))
			return v, result(ok)
		},
		Write: func(off, v uint64, size uint) mem.Result { return result(c.core.Write(off, int(size), v)) },
		Valid: mem.Sizes{Min: 4, Max: 8}, Impl: mem.Sizes{Min: 4, Max: 8},
	})
}

// Reset implements [qdev.Resetter].
func (c *clintChip) Reset() { c.core.Reset() }

// uartChip is the console (serial-mm).
type uartChip struct {
	chip
	core *uart16550.Device
	// Regshift and Endianness are QEMU's; one byte a register is what there is.
	Regshift   uint8 `qdev:"regshift,uint8,default=0"`
	Endianness uint8 `qdev:"endianness,uint8,default=2"`
}

func (c *uartChip) connect(m *machine.Machine, p *plicChip, serial Serial) {
	cfg := uart16550.Config{IRQ: func(level bool) { p.core.SetIRQ(uartIRQ, level) }}
	if serial != nil {
		cfg.Send = serial.Send
		cfg.ReceiveReady = serial.Resume
	}
	c.core = uart16550.New(cfg)
	c.place(m, "serial", uartBase, uart16550.Size, &mem.Ops{
		Read: func(off uint64, size uint) (uint64, mem.Result) {
			v, ok := c.core.Read(off, int(size))
			return v, result(ok)
		},
		Write: func(off, v uint64, size uint) mem.Result { return result(c.core.Write(off, int(size), v)) },
		Impl:  mem.Sizes{Min: 1, Max: 1},
	})
}

// Reset implements [qdev.Resetter].
func (c *uartChip) Reset() { c.core.Reset() }

// finisherChip ends the machine (riscv.sifive.test).
type finisherChip struct {
	chip
	core *finisher.Device
}

func (c *finisherChip) connect(m *machine.Machine) {
	c.core = finisher.New(func(a finisher.Action, code uint16) {
		switch a {
		case finisher.Reset:
			m.RequestReset(machine.GuestReset)
		case finisher.Fail:
			m.SetExitCode(int(code))
			m.RequestShutdown(machine.GuestPanic)
		default:
			m.RequestShutdown(machine.GuestShutdown)
		}
	})
	c.place(m, "riscv.sifive.test", finisherBase, finisher.Size, &mem.Ops{
		Read:  func(off uint64, size uint) (uint64, mem.Result) { return c.core.Read(off, int(size)), mem.OK },
		Write: func(off, v uint64, size uint) mem.Result { c.core.Write(off, int(size), v); return mem.OK },
		Valid: mem.Sizes{Min: 2, Max: 4}, Impl: mem.Sizes{Min: 2, Max: 4},
	})
}
