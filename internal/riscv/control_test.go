package riscv

import (
	"encoding/binary"
	"runtime"
	"sync/atomic"
	"testing"
)

// running starts Run on a goroutine of its own and returns what stops it and
// waits. Tests wait for conditions, never for time.
func running(h *Hart) (stop func()) {
	done := make(chan struct{})
	go func() { defer close(done); h.Run() }()
	h.SetRunning(true)
	return func() { h.Stop(); <-done }
}

// until yields to others until cond holds; the test's own deadline bounds it.
func until(cond func() bool) {
	for !cond() {
		runtime.Gosched()
	}
}

func TestPauseAndResume(t *testing.T) {
	eachEngine(t, func(t *testing.T, engine func(*Config)) {
		r := newRig(t, engine)
		r.start(addi(1, 1, 1), encJ(0, 0x1ffffc))
		defer running(r.Hart)()
		var last uint64
		for range 100 {
			r.Pause()
			if r.Running() {
				t.Fatal("running while paused")
			}
			now := r.Reg(1)
			if now < last || r.Reg(1) != now {
				t.Fatalf("count went from %d to %d", last, now)
			}
			r.SetReg(1, now+1000)
			last = now + 1000
			r.SetRunning(true)
		}
	})
}

func TestPauseBeforeRun(t *testing.T) {
	r := newRig(t, nil)
	r.start(insnSelf)
	r.Pause() // nothing runs yet, so nothing to wait for
	stop := running(r.Hart)
	stop()
	r.Pause()
	r.SetRunning(true) // Stop is final
	r.Run()
	if r.Running() {
		t.Error("running after Stop")
	}
}

func TestWaitForInterrupt(t *testing.T) {
	eachEngine(t, func(t *testing.T, engine func(*Config)) {
		r := newRig(t, engine)
		r.start(insnWFI, addi(1, 1, 1), encJ(0, 0x1ffff8))
		r.put(handlerM, addi(2, 2, 1), csrrc(0, csrMie, 3), insnMRET)
		r.SetReg(3, mipMSIP)
		r.SetCSR(csrMie, mipMTIP)
		defer running(r.Hart)()
		until(r.Halted)

		r.SetIRQ(IRQMachineExternal, true) // not enabled: sleeps on
		r.Pause()
		if !r.Halted() || r.Reg(1) != 0 {
			t.Fatalf("woken by what is not enabled: x1 = %d", r.Reg(1))
		}
		r.SetRunning(true) // still waits after a pause
		r.SetIRQ(IRQMachineTimer, true)
		until(func() bool { // WFI falls through while the interrupt is pending
			r.Pause()
			defer r.SetRunning(true)
			return r.Reg(1) > 3
		})
		if r.Reg(2) != 0 {
			t.Error("interrupt taken with MIE clear")
		}
		r.SetIRQ(IRQMachineTimer, false)
		until(r.Halted)

		r.Pause()
		r.SetCSR(csrMie, mipMSIP)
		r.SetCSR(csrMstatus, mstatusMIE)
		r.SetRunning(true)
		r.SetIRQ(IRQMachineSoftware, true)
		until(func() bool {
			r.Pause()
			defer r.SetRunning(true)
			return r.Reg(2) == 1
		})
		until(r.Halted)
		r.Pause()
		if r.mcause != causeInterrupt|IRQMachineSoftware {
			t.Errorf("cause %#x", r.mcause)
		}
	})
}

// TestSetIRQNeverLost drives an interrupt from another goroutine as fast as
// the hart takes it.
func TestSetIRQNeverLost(t *testing.T) {
	eachEngine(t, func(t *testing.T, engine func(*Config)) {
		r := newRig(t, func(c *Config) { engine(c); c.Bus = &acker{} })
		ack := r.cfg.Bus.(*acker)
		ack.h = r.Hart
		// Half of the time in WFI, half in a loop.
		r.start(insnWFI, addi(1, 1, 1), encJ(0, 0x1ffff8))
		r.put(handlerM, sd(0, 4, 0), insnMRET)
		r.SetReg(4, devBase)
		r.SetCSR(csrMie, mipMEIP)
		r.SetCSR(csrMstatus, mstatusMIE)
		defer running(r.Hart)()
		for n := range uint64(2000) {
			r.SetIRQ(IRQMachineExternal, true)
			until(func() bool { return ack.n.Load() > n })
		}
	})
}

// acker lowers the interrupt on every store, as a device does.
type acker struct {
	h *Hart
	n atomic.Uint64
}

func (a *acker) Load(uint64, int) (uint64, bool) { return 0, true }
func (a *acker) Store(uint64, int, uint64) bool {
	a.h.SetIRQ(IRQMachineExternal, false)
	a.n.Add(1)
	return true
}

func TestTimerCompare(t *testing.T) {
	var now, deadline atomic.Uint64
	r := newRig(t, func(c *Config) {
		c.Time = now.Load
		c.ArmTimer = func(d uint64) { deadline.Store(d) }
	})
	r.start(csrrw(0, csrStimecmp, 1), insnWFI, insnSelf)
	r.SetReg(1, 500)
	r.SetCSR(csrMie, mipSTIP)
	r.SetCSR(csrMenvcfg, envcfgSTCE)
	r.SetCSR(csrMip, mipSTIP) // not writable with Sstc
	defer running(r.Hart)()
	until(r.Halted)
	if deadline.Load() != 500 {
		t.Fatalf("armed for %d", deadline.Load())
	}
	now.Store(499)
	r.CheckTimer() // early
	r.Pause()
	if !r.Halted() || r.readMip() != 0 {
		t.Errorf("early timer woke it: mip %#x", r.readMip())
	}
	r.SetRunning(true)
	now.Store(500)
	r.CheckTimer()
	until(func() bool { return !r.Halted() })
	r.Pause()
	if v, _ := r.CSR(csrMip); v != mipSTIP {
		t.Errorf("mip %#x", v)
	}
	r.SetCSR(csrStimecmp, 501)
	if v, _ := r.CSR(csrMip); v != 0 {
		t.Errorf("mip %#x with stimecmp in the future", v)
	}
	now.Store(600)
	r.SetCSR(csrMenvcfg, 0)
	r.CheckTimer()
	if v, _ := r.CSR(csrMip); v != 0 {
		t.Errorf("mip %#x with Sstc off", v)
	}
}

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

func TestNoAllocations(t *testing.T) {
	r := newRig(t, func(c *Config) { c.Bus = nullBus{} })
	r.start(ld(2, 1, 0), sd(2, 1, 8), amoEnc(amoAdd, 3, 4, 5, 6), csrrs(7, csrMscratch, 0), insnECALL)
	r.put(handlerM, csrrw(0, csrMepc, 8), insnMRET)
	r.SetReg(1, devBase)
	r.SetReg(5, ramBase+dataOff)
	r.SetReg(8, ramBase)
	r.Step(1000)
	if n := testing.AllocsPerRun(100, func() { r.Step(1000) }); n != 0 {
		t.Errorf("%v allocations for device accesses, atomics and traps", n)
	}
}

type nullBus struct{}

func (nullBus) Load(uint64, int) (uint64, bool) { return 0, true }
func (nullBus) Store(uint64, int, uint64) bool  { return true }

func BenchmarkDeviceStore(b *testing.B) {
	r := newRig(b, func(c *Config) { c.Bus = nullBus{} })
	r.start(sd(2, 1, 0), encJ(0, 0x1ffffc))
	r.SetReg(1, devBase)
	r.Step(100)
	b.ReportAllocs()
	b.ResetTimer()
	r.Step(2 * b.N)
}

func BenchmarkAMO(b *testing.B) {
	r := newRig(b, nil)
	r.start(amoEnc(amoAdd, 3, 0, 1, 2), encJ(0, 0x1ffffc))
	r.SetReg(1, ramBase+dataOff)
	r.Step(100)
	b.ReportAllocs()
	b.ResetTimer()
	r.Step(2 * b.N)
}

// BenchmarkTrap is an ECALL from U to M and back.
func BenchmarkTrap(b *testing.B) {
	r := newRig(b, nil)
	r.start(insnECALL, encJ(0, 0x1ffffc))
	r.put(handlerM, csrrs(1, csrMepc, 0), addi(1, 1, 4), csrrw(0, csrMepc, 1), insnMRET)
	r.allowAll()
	r.SetPriv(PrivU)
	r.Step(100)
	b.ReportAllocs()
	b.ResetTimer()
	r.Step(6 * b.N)
}

// BenchmarkKick is how long it takes to get a busy hart out of its loop and
// back in.
func BenchmarkKick(b *testing.B) {
	r := newRig(b, nil)
	r.start(addi(1, 1, 1), encJ(0, 0x1ffffc))
	defer running(r.Hart)()
	b.ReportAllocs()
	for b.Loop() {
		r.Kick()
		for r.attention.Load() != 0 {
		}
	}
}

func BenchmarkPauseResume(b *testing.B) {
	r := newRig(b, nil)
	r.start(addi(1, 1, 1), encJ(0, 0x1ffffc))
	defer running(r.Hart)()
	b.ReportAllocs()
	for b.Loop() {
		r.Pause()
		r.SetRunning(true)
	}
}
