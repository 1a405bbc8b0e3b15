package pci

import (
	"encoding/binary"
	"fmt"

	"github.com/backplane-vm/backplane/internal/mem"
	"github.com/backplane-vm/backplane/internal/pci/config"
)

// MSI-X registers and layout (PCIe 5.0 §7.7.2).
const (
	msixCapSize   = 12
	msixControl   = 2
	msixTable     = 4
	msixPending   = 8
	msixEnable    = 0x8000
	msixMaskAll   = 0x4000
	msixEntry     = 16
	msixEntryData = 8
	msixEntryCtl  = 12
	msixEntryMask = 1

	// msixBARSize is the least size of the register that holds table and
	// pending bits: one page, the table in its first half.
	msixBARSize = 4096
)

// MaxVectors is how many messages a function can have (PCIe 5.0 §7.7.2.2).
const MaxVectors = 2048

// MSIX is a function's message-signalled interrupts: a table of addresses and
// data in memory space, and pending bits for masked vectors.
type MSIX struct {
	f       *Function
	offset  int // of the capability
	vectors int
	table   []byte
	pending []byte
}

// AddMSIX gives the function a base address register of its own with the table
// for vectors messages, and the capability that points there.
func (f *Function) AddMSIX(bar, vectors int) error {
	if vectors < 1 || vectors > MaxVectors {
		return fmt.Errorf("%d MSI-X vectors are not possible", vectors)
	}
	off, err := f.Space.AddCapability(config.CapMSIX, msixCapSize)
	if err != nil {
		return err
	}
	m := &MSIX{f: f, offset: off, vectors: vectors,
		table: make([]byte, vectors*msixEntry), pending: make([]byte, (vectors+63)/64*8)}
	size := msixBARSize
	for size/2 < len(m.table) {
		size *= 2
	}
	f.Space.SetWord(off+msixControl, uint16(vectors-1))
	f.Space.AllowWord(off+msixControl, msixEnable|msixMaskAll)
	f.Space.SetLong(off+msixTable, uint32(bar))
	f.Space.SetLong(off+msixPending, uint32(size/2)|uint32(bar))
	f.msix = m
	m.reset()
	return f.AddBAR(bar, 0, m.region(size))
}

func (m *MSIX) region(size int) *mem.Region {
	mp, owner := m.f.spec.Map, m.f.spec.Owner
	r := mp.Container(owner, m.f.spec.Name+"-msix", uint64(size))
	r.Add(0, mp.IO(owner, "msix-table", uint64(len(m.table)), &mem.Ops{
		Read: func(off uint64, _ uint) (uint64, mem.Result) {
			return uint64(binary.LittleEndian.Uint32(m.table[off:])), mem.OK
		},
		Write: func(off, v uint64, _ uint) mem.Result {
			m.writeTable(int(off), uint32(v))
			return mem.OK
		},
		Valid: mem.Sizes{Min: 4, Max: 8}, Impl: mem.Sizes{Min: 4, Max: 4},
	}))
	r.Add(uint64(size/2), mp.IO(owner, "msix-pba", uint64(len(m.pending)), &mem.Ops{
		Read: func(off uint64, _ uint) (uint64, mem.Result) {
			return uint64(binary.LittleEndian.Uint32(m.pending[off:])), mem.OK
		},
		Valid: mem.Sizes{Min: 4, Max: 8}, Impl: mem.Sizes{Min: 4, Max: 4},
	}))
	return r
}

// MSIX is the function's MSI-X part, or nil.
func (f *Function) MSIX() *MSIX { return f.msix }

// Vectors is the number of vectors.
func (m *MSIX) Vectors() int { return m.vectors }

// Enabled says whether the guest uses messages instead of the pin. A nil MSIX
// is not enabled.
func (m *MSIX) Enabled() bool {
	return m != nil && m.control()&msixEnable != 0
}

func (m *MSIX) control() uint16 { return m.f.Space.Word(m.offset + msixControl) }

func (m *MSIX) masked(v int) bool {
	return m.control()&msixMaskAll != 0 || m.table[v*msixEntry+msixEntryCtl]&msixEntryMask != 0
}

// Notify sends vector v, or remembers it while it is masked. Vectors out of
// range and functions without messages enabled send nothing.
func (m *MSIX) Notify(v int) {
	if !m.Enabled() || v < 0 || v >= m.vectors {
		return
	}
	if m.masked(v) {
		m.pending[v/8] |= 1 << (v % 8)
		return
	}
	m.pending[v/8] &^= 1 << (v % 8)
	e := m.table[v*msixEntry:]
	m.f.sendMessage(binary.LittleEndian.Uint64(e), binary.LittleEndian.Uint32(e[msixEntryData:]))
}

// sendMessage is a 32-bit DMA write; where it goes to nothing it is lost.
func (f *Function) sendMessage(addr uint64, data uint32) {
	if f.dma == nil {
		return
	}
	var b [4]byte
	binary.LittleEndian.PutUint32(b[:], data)
	_ = f.dma.DMAWrite(addr, b[:])
}

func (m *MSIX) writeTable(off int, v uint32) {
	vector := off / msixEntry
	was := m.masked(vector)
	binary.LittleEndian.PutUint32(m.table[off:], v)
	if was {
		m.flush(vector)
	}
}

// flush sends what was remembered for a vector, if it may go now.
func (m *MSIX) flush(v int) {
	if m.pending[v/8]&(1<<(v%8)) != 0 {
		m.Notify(v)
	}
}

// controlWritten sends what a write of the control register set free.
func (m *MSIX) controlWritten() {
	if !m.Enabled() || m.control()&msixMaskAll != 0 {
		return
	}
	for v := range m.vectors {
		m.flush(v)
	}
}

// reset masks every vector and forgets what is pending.
func (m *MSIX) reset() {
	clear(m.table)
	clear(m.pending)
	for v := range m.vectors {
		m.table[v*msixEntry+msixEntryCtl] = msixEntryMask
	}
}
