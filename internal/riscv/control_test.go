package riscv

import (
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
