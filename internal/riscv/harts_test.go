package riscv

import (
	"encoding/binary"
	"testing"
)

// Several harts on one memory, and code that changes.

// TestContendedCounter: two harts increment one counter by LR/SC and another
// by AMOADD.
func TestContendedCounter(t *testing.T) {
	eachEngine(t, func(t *testing.T, engine func(*Config)) {
		r := newRig(t, engine)
		const times = 20000
		r.put(0,
			amoEnc(amoLR, 3, 2, 1, 0), // x1: counter
			addi(2, 2, 1),
			amoEnc(amoSC, 3, 3, 1, 2),
			encB(1, 3, 0, 0x1ff4), // bnez x3, -12
			addi(4, 1, 8),
			amoEnc(amoAdd, 2, 0, 4, 6), // x6: 1
			addi(5, 5, 0xfff),
			encB(1, 5, 0, 0x1fe4), // bnez x5, -28
			insnWFI,
		)
		harts := []*Hart{r.Hart, r.hart(t, 1, engine)}
		for _, h := range harts {
			h.SetReg(1, ramBase+dataOff)
			h.SetReg(5, times)
			h.SetReg(6, 1)
		}
		for _, h := range harts {
			defer running(h)()
		}
		for _, h := range harts {
			until(h.Halted)
			h.Pause()
		}
		if r.word(dataOff) != 2*times || uint32(r.word(dataOff+8)) != 2*times {
			t.Errorf("counters %d, %d; want %d", r.word(dataOff), uint32(r.word(dataOff+8)), 2*times)
		}
	})
}

// TestPlainRaces: guests may race; Go's race detector is not to mind.
func TestPlainRaces(t *testing.T) {
	r := newRig(t, nil)
	r.put(0, ld(2, 1, 0), addi(2, 2, 1), sd(2, 1, 0), encJ(0, 0x1ffff4))
	other := r.hart(t, 1, nil)
	for _, h := range []*Hart{r.Hart, other} {
		h.SetReg(1, ramBase+dataOff)
		defer running(h)()
	}
	until(func() bool {
		r.Pause()
		defer r.SetRunning(true)
		return r.Reg(2) > 1000
	})
}

func TestSelfModifyingCode(t *testing.T) {
	eachEngine(t, func(t *testing.T, engine func(*Config)) {
		r := newRig(t, engine)
		// A subroutine is called, patched and called again, twice; the second
		// patch comes after the page had been translated anew.
		r.start(
			encJ(5, 0x80),              // call
			encS(opcStore, 2, 6, 7, 0), // sw x7, 0(x6)
			insnFenceI,
			encJ(5, 0x74),
			encS(opcStore, 2, 6, 8, 0),
			insnFenceI,
			encJ(5, 0x68),
			insnSelf,
		)
		r.put(0x80, addi(10, 10, 1), encI(opcJALR, 0, 0, 5, 0))
		r.SetReg(6, ramBase+0x80)
		r.SetReg(7, uint64(addi(10, 10, 16)))
		r.SetReg(8, uint64(addi(10, 10, 256)))
		r.Step(100)
		if r.Reg(10) != 1+16+256 {
			t.Errorf("x10 = %#x, want 0x111", r.Reg(10))
		}
	})
}

// TestCodeAndDataInOnePage: a program that keeps its data beside its code
// does not lose its translations over it.
func TestCodeAndDataInOnePage(t *testing.T) {
	r := newRig(t, nil)
	r.start(sd(1, 2, 0), addi(1, 1, 1), encJ(0, 0x1ffff8))
	r.SetReg(2, ramBase+0x800)
	r.Step(1000)
	e := r.engine.(*blocks)
	if r.word(0x800) == 0 || e.count > 4 {
		t.Errorf("%d blocks translated; last store %d", e.count, r.word(0x800))
	}
}

// TestRemoteCode: one hart patches what the other executes, tells it, and it
// fences. The writer's soft-TLB may hold the page from before it was code.
func TestRemoteCode(t *testing.T) {
	eachEngine(t, func(t *testing.T, engine func(*Config)) {
		r := newRig(t, engine)
		const (
			flag  = dataOff // writer's round, then reader's answer
			patch = 0x3000  // page of its own
			stop  = 500
		)
		// Reader: wait for a new round; fence.i; call the patched code; answer.
		r.put(0,
			ld(2, 1, 0),
			encB(0, 2, 3, 0x1ffc), // beq x2, x3, -4
			insnFence,
			insnFenceI,
			encI(opcJALR, 0, 5, 6, 0),
			addi(3, 2, 0),
			insnFence,
			sd(10, 1, 8),
			encJ(0, 0x1fffe0),
		)
		// Writer: patch `addi x10, x0, imm`; fence; new round; wait for the answer.
		w := r.put(0x1000,
			addi(2, 2, 1),
			encI(opcImm, 1, 7, 2, 20),                 // slli x7, x2, 20
			encI(opcImm, 6, 7, 7, opcImm|10<<7&0x780), // ori: addi x10, x0, x2
			encS(opcStore, 2, 6, 7, 0),
			insnFence,
			sd(2, 1, 0),
			ld(10, 1, 8),
			encB(1, 10, 2, 0x1ffc), // bne x10, x2, -4
			encB(1, 2, 11, 0x1fe0), // bne x2, x11, -32
			insnWFI,
		)
		_ = w
		r.put(patch, addi(10, 0, 0), encI(opcJALR, 0, 0, 5, 0))
		writer := r.hart(t, 1, engine)
		for _, h := range []*Hart{r.Hart, writer} {
			h.SetReg(1, ramBase+flag)
			h.SetReg(6, ramBase+patch)
		}
		writer.SetReg(11, stop)
		writer.SetPC(ramBase + 0x1000)
		defer running(r.Hart)()
		defer running(writer)()
		until(writer.Halted)
		writer.Pause()
		if writer.Reg(2) != stop {
			t.Errorf("writer stopped in round %d", writer.Reg(2))
		}
	})
}

func TestDeviceWritesCode(t *testing.T) {
	eachEngine(t, func(t *testing.T, engine func(*Config)) {
		r := newRig(t, engine)
		r.start(addi(1, 0, 1), insnFenceI, encJ(0, 0x1ffff8))
		r.Step(10)
		binary.LittleEndian.PutUint32(r.mem.Slice(ramBase, 4), addi(1, 0, 2))
		r.mem.Written(ramBase, 4)
		r.Step(10)
		if r.Reg(1) != 2 {
			t.Errorf("x1 = %d: still the old code", r.Reg(1))
		}
	})
}
