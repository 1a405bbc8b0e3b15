package riscv

import (
	"encoding/binary"
	"sync"
	"testing"
)

// What the tests of this package run on: RAM at ramBase, a bus with one
// scratch device, and a few encoders beside those of compressed.go.

const (
	ramBase = 0x8000_0000
	romBase = 0x1000
	devBase = 0x1000_0000 // 256 bytes of device registers; all else faults
)

// device is a Bus: registers that remember, and a log of accesses.
type device struct {
	mu   sync.Mutex
	regs [32]uint64
	log  []access3
}

type access3 struct {
	addr  uint64
	size  int
	v     uint64
	write bool
}

func (d *device) Load(addr uint64, size int) (uint64, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if addr-devBase >= 256 {
		return 0, false
	}
	v := d.regs[(addr-devBase)/8] >> (8 * (addr % 8))
	d.log = append(d.log, access3{addr, size, v, false})
	return v, true
}

func (d *device) Store(addr uint64, size int, v uint64) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if addr-devBase >= 256 {
		return false
	}
	d.regs[(addr-devBase)/8] = v
	d.log = append(d.log, access3{addr, size, v, true})
	return true
}

// rig is a hart with its memory.
type rig struct {
	*Hart
	mem *Memory
	ram []byte
	rom []byte
	dev *device
}

func newRig(t testing.TB, change func(*Config)) *rig {
	t.Helper()
	r := &rig{ram: make([]byte, 1<<20), rom: make([]byte, pageSize), dev: &device{}}
	var err error
	r.mem, err = NewMemory(Region{Base: ramBase, Bytes: r.ram}, Region{Base: romBase, Bytes: r.rom, ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	r.Hart = r.hart(t, 0, change)
	return r
}

// hart makes another hart on the rig's memory.
func (r *rig) hart(t testing.TB, id uint64, change func(*Config)) *Hart {
	t.Helper()
	cfg := Config{ID: id, Memory: r.mem, Bus: r.dev, ResetPC: ramBase}
	if change != nil {
		change(&cfg)
	}
	h, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// put writes instructions at off in RAM; below 0x10000 and not ending in
// binary 11 they are 16-bit ones. It returns the offset after the last.
func (r *rig) put(off uint64, code ...uint32) uint64 {
	start := off
	for _, c := range code {
		if c&3 != 3 && c < 1<<16 {
			binary.LittleEndian.PutUint16(r.ram[off:], uint16(c))
			off += 2
		} else {
			binary.LittleEndian.PutUint32(r.ram[off:], c)
			off += 4
		}
	}
	r.mem.Written(ramBase+start, off-start)
	return off
}

func (r *rig) word(off uint64) uint64 { return binary.LittleEndian.Uint64(r.ram[off:]) }

func (r *rig) setWord(off, v uint64) { binary.LittleEndian.PutUint64(r.ram[off:], v) }

// allowAll opens physical memory to S and U with one PMP entry.
func (r *rig) allowAll() {
	r.SetCSR(csrPmpaddr0, ^uint64(0))
	r.SetCSR(csrPmpcfg0, pmpR|pmpW|pmpX|pmpNAPOT<<pmpAShift)
}

// steps executes n instructions one by one.
func (r *rig) steps(n int) {
	for range n {
		r.Step(1)
	}
}

// eachEngine runs a test on both engines.
func eachEngine(t *testing.T, f func(t *testing.T, engine func(*Config))) {
	t.Helper()
	for _, e := range engines {
		t.Run(e.name, func(t *testing.T) { f(t, func(c *Config) { c.Engine = e.make }) })
	}
}

var engines = []struct {
	name string
	make func(*Hart) Engine
}{{"reference", Reference}, {"blocks", Blocks}}

// More encoders.
func addi(rd, rs, imm uint32) uint32            { return encI(opcImm, 0, rd, rs, imm) }
func ld(rd, rs, imm uint32) uint32              { return encI(opcLoad, 3, rd, rs, imm) }
func sd(rs2, rs1, imm uint32) uint32            { return encS(opcStore, 3, rs1, rs2, imm) }
func csrrw(rd, csr, rs uint32) uint32           { return csr<<20 | rs<<15 | 1<<12 | rd<<7 | opcSystem }
func csrrs(rd, csr, rs uint32) uint32           { return csr<<20 | rs<<15 | 2<<12 | rd<<7 | opcSystem }
func csrrc(rd, csr, rs uint32) uint32           { return csr<<20 | rs<<15 | 3<<12 | rd<<7 | opcSystem }
func amoEnc(op, f3, rd, rs1, rs2 uint32) uint32 { return encR(opcAMO, f3, op<<2, rd, rs1, rs2) }
func sfence(rs1, rs2 uint32) uint32             { return encR(opcSystem, 0, 9, 0, rs1, rs2) }

const (
	insnFenceI = 0x0000100f
	insnFence  = 0x0ff0000f
	insnNop    = 0x00000013
	insnSelf   = opcJAL // jal x0, 0
)
