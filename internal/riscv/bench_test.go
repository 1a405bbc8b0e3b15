package riscv

import "testing"

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

// BenchmarkInterrupt is how long a busy hart takes from SetIRQ to its
// handler's first device access, both goroutine hand-overs included.
func BenchmarkInterrupt(b *testing.B) {
	bus := &signaller{seen: make(chan struct{}, 1)}
	r := newRig(b, func(c *Config) { c.Bus = bus })
	bus.h = r.Hart
	r.start(addi(1, 1, 1), encJ(0, 0x1ffffc))
	r.put(handlerM, sd(0, 4, 0), insnMRET)
	r.SetReg(4, devBase)
	r.SetCSR(csrMie, mipMEIP)
	r.SetCSR(csrMstatus, mstatusMIE)
	defer running(r.Hart)()
	b.ReportAllocs()
	for b.Loop() {
		r.SetIRQ(IRQMachineExternal, true)
		<-bus.seen
	}
}

// signaller lowers the interrupt on a store and tells of it.
type signaller struct {
	nullBus
	h    *Hart
	seen chan struct{}
}

func (s *signaller) Store(uint64, int, uint64) bool {
	s.h.SetIRQ(IRQMachineExternal, false)
	s.seen <- struct{}{}
	return true
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
