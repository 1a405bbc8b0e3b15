package machine

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"io"

	"github.com/backplane-vm/backplane/internal/mem"
)

// A Core is a picture of the guest as a core file of a process: an ELF file
// with the registers of each CPU as a thread's (NT_PRSTATUS) and memory at its
// physical addresses. It is made and written while no CPU executes.
type Core struct {
	m     *Machine
	parts []corePart
}

type corePart struct {
	addr  uint64
	bytes []byte
}

// Sizes of what a core file is made of.
const (
	elfHeaderSize  = 64
	elfProgramSize = 56
	prstatusSize   = 376
	prstatusPid    = 32  // offset of the thread's number
	prstatusRegs   = 112 // offset of pc and x1 to x31
	noteName       = "CORE\x00\x00\x00\x00"
)

// NewCore returns a picture of the RAM and ROM that lie between first and last,
// both included. The caller holds the BQL.
func (m *Machine) NewCore(first, last uint64) *Core {
	c := &Core{m: m}
	for _, r := range m.System.Flat().Ranges() {
		if r.Last < first || r.First > last || r.Region.Kind() != mem.RAM && r.Region.Kind() != mem.ROM {
			continue
		}
		from, to := max(r.First, first), min(r.Last, last)
		off := r.Offset + from - r.First
		c.parts = append(c.parts, corePart{from, r.Region.Bytes()[off:][:to-from+1]})
	}
	return c
}

// Size returns how many bytes of memory there are in the picture.
func (c *Core) Size() (n int64) {
	for _, p := range c.parts {
		n += int64(len(p.bytes))
	}
	return n
}

// notes are the CPUs' registers.
func (m *Machine) notes() []byte {
	var b bytes.Buffer
	for _, cpu := range m.cpus {
		status := make([]byte, prstatusSize)
		binary.LittleEndian.PutUint32(status[prstatusPid:], uint32(cpu.index+1))
		for i := range 32 {
			v := cpu.hart.Reg(i)
			if i == 0 {
				v = cpu.hart.PC()
			}
			binary.LittleEndian.PutUint64(status[prstatusRegs+8*i:], v)
		}
		put(&b, uint32(len("CORE")+1), uint32(prstatusSize), uint32(elf.NT_PRSTATUS))
		b.WriteString(noteName)
		b.Write(status)
	}
	return b.Bytes()
}

// put appends values as a RISC-V core has them.
func put(b *bytes.Buffer, values ...any) {
	for _, v := range values {
		_ = binary.Write(b, binary.LittleEndian, v) // to memory, of fixed size
	}
}

// header is what stands before memory: ELF header, program headers, notes.
func (c *Core) header(notes []byte) []byte {
	var b bytes.Buffer
	programs := 1 + len(c.parts)
	ident := [elf.EI_NIDENT]byte{0x7f, 'E', 'L', 'F', byte(elf.ELFCLASS64), byte(elf.ELFDATA2LSB), byte(elf.EV_CURRENT)}
	put(&b, elf.Header64{
		Ident: ident, Type: uint16(elf.ET_CORE), Machine: uint16(elf.EM_RISCV), Version: uint32(elf.EV_CURRENT),
		Phoff: elfHeaderSize, Ehsize: elfHeaderSize, Phentsize: elfProgramSize, Phnum: uint16(programs),
	})
	off := uint64(elfHeaderSize + elfProgramSize*programs)
	put(&b, elf.Prog64{Type: uint32(elf.PT_NOTE), Off: off, Filesz: uint64(len(notes)), Memsz: uint64(len(notes))})
	off += uint64(len(notes))
	for _, p := range c.parts {
		n := uint64(len(p.bytes))
		put(&b, elf.Prog64{Type: uint32(elf.PT_LOAD), Off: off, Vaddr: p.addr, Paddr: p.addr, Filesz: n, Memsz: n})
		off += n
	}
	b.Write(notes)
	return b.Bytes()
}

// writePiece is how much of a core is written between two looks at progress.
const writePiece = 1 << 20

// HeaderError is the error of a [Core] of which not even the beginning could be
// written.
type HeaderError struct{ Reason error }

// Error implements error.
func (e *HeaderError) Error() string { return "header: " + e.Reason.Error() }

// Unwrap returns the reason.
func (e *HeaderError) Unwrap() error { return e.Reason }

// Write writes the core to w and calls progress with the number of bytes of
// memory written so far. No CPU executes meanwhile. It needs no lock and may
// block; progress runs on the caller's goroutine.
func (c *Core) Write(w io.Writer, progress func(done int64)) error {
	if _, err := w.Write(c.header(c.m.notes())); err != nil {
		return &HeaderError{err}
	}
	done := int64(0)
	for _, p := range c.parts {
		for rest := p.bytes; len(rest) > 0; {
			n := min(len(rest), writePiece)
			if _, err := w.Write(rest[:n]); err != nil {
				return err
			}
			rest, done = rest[n:], done+int64(n)
			progress(done)
		}
	}
	return nil
}
