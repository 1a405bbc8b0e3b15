//go:build unix

package riscv

import (
	"runtime"
	"syscall"
	"testing"
)

// TestMappedRAM: guest RAM is mmapped in earnest, outside Go's heap. The
// soft-TLB's pointers into it must please the garbage collector and, under
// -race, checkptr.
func TestMappedRAM(t *testing.T) {
	ram, err := syscall.Mmap(-1, 0, 1<<20, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
	if err != nil {
		t.Fatal(err)
	}
	mem, err := NewMemory(Region{Base: ramBase, Bytes: ram})
	if err != nil {
		t.Fatal(err)
	}
	h, err := New(Config{Memory: mem, Bus: nullBus{}, ResetPC: ramBase})
	if err != nil {
		t.Fatal(err)
	}
	r := &rig{Hart: h, mem: mem, ram: ram}
	r.start(sd(2, 1, 0), addi(2, 2, 1), encI(opcLoad, 3, 3, 1, 3), amoEnc(amoAdd, 3, 4, 1, 2), addi(1, 1, 8),
		encB(1, 2, 5, 0x1fec), insnSelf)
	h.SetReg(1, ramBase+dataOff)
	h.SetReg(5, 1000)
	for range 10 {
		h.Step(700)
		runtime.GC()
	}
	if h.Reg(2) != 1000 || r.word(dataOff+8*999) != 999+1000 || h.Traps() != 0 {
		t.Errorf("x2 %d, memory %d, %d traps", h.Reg(2), r.word(dataOff+8*999), h.Traps())
	}
	runtime.KeepAlive(h)
	if err := syscall.Munmap(ram); err != nil {
		t.Error(err)
	}
}
