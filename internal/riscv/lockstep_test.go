package riscv

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"
)

// Lockstep: the same random program on both engines, compared after every
// block. The reference engine decodes anew each time, so this finds errors in
// decoding, in the loop, in block lookup and linking, and in invalidation.

const (
	handlerM = 0x8000 // offsets in RAM
	handlerS = 0x9000
	tables   = 0x10000
	dataOff  = 0x4000
)

func lockstepRig(t testing.TB, make func(*Hart) Engine) *rig {
	ticks := uint64(0)
	return newRig(t, func(c *Config) {
		c.Engine = make
		c.Time = func() uint64 { ticks++; return ticks }
		c.ArmTimer = func(uint64) {}
	})
}

// random is a program and a state to start it in.
func (r *rig) random(rng *rand.Rand) {
	for off := uint64(0); off < 0x4000; off += 4 {
		r.put(off, randomInsn(rng))
	}
	for off := uint64(dataOff); off < handlerM; off += 8 {
		r.setWord(off, randomValue(rng))
	}
	// The handlers step over what trapped and go on.
	r.put(handlerM, csrrw(0, csrMscratch, 31), csrrs(31, csrMepc, 0), addi(31, 31, 4), csrrw(0, csrMepc, 31),
		csrrs(31, csrMscratch, 0), insnMRET)
	r.put(handlerS, csrrw(0, csrSscratch, 31), csrrs(31, csrSepc, 0), addi(31, 31, 4), csrrw(0, csrSepc, 31),
		csrrs(31, csrSscratch, 0), insnSRET)
	r.allowAll()
	if rng.IntN(4) == 0 { // a page that PMP divides
		r.SetCSR(csrPmpaddr0+1, ^uint64(0))
		r.SetCSR(csrPmpaddr0, (ramBase+0x5000)>>2|uint64(rng.IntN(512)))
		r.SetCSR(csrPmpcfg0, pmpNAPOT<<pmpAShift<<8|7<<8|pmpNAPOT<<pmpAShift|uint64(rng.IntN(8)))
	}
	// Page tables: the first GiB of RAM at its own address and again at 0, the
	// latter with 4 KiB pages of mixed rights.
	root, l1, l0 := uint64(tables), uint64(tables+0x1000), uint64(tables+0x2000)
	leaf := uint64(pteV | pteR | pteW | pteX)
	user := uint64(rng.IntN(2) * pteU)
	r.setWord(root+2*8, ramBase>>2|leaf|user)
	r.setWord(root+0, (ramBase+l1)>>2|pteV)
	r.setWord(l1+0, (ramBase+l0)>>2|pteV)
	for i := range uint64(32) {
		r.setWord(l0+i*8, (ramBase+i*pageSize)>>2|pteV|uint64(rng.IntN(256))|user)
	}
	if rng.IntN(2) == 0 {
		r.SetCSR(csrSatp, satpSv39<<satpModeShift|(ramBase+root)>>pageShift)
	}
	r.SetCSR(csrMtvec, ramBase+handlerM)
	r.SetCSR(csrStvec, ramBase+handlerS)
	r.SetCSR(csrMedeleg, rng.Uint64()&rng.Uint64())
	r.SetCSR(csrMideleg, rng.Uint64())
	r.SetCSR(csrMie, rng.Uint64())
	r.SetCSR(csrMcounteren, rng.Uint64())
	r.SetCSR(csrScounteren, rng.Uint64())
	r.SetCSR(csrMstatus, rng.Uint64()&(mstatusSUM|mstatusMXR|mstatusSIE|mstatusMIE|mstatusMPRV|mstatusMPP))
	r.SetPriv([]Priv{PrivM, PrivS, PrivU}[rng.IntN(3)])
	for i := 1; i < 32; i++ {
		r.SetReg(i, randomValue(rng))
	}
	r.SetPC(ramBase + uint64(rng.IntN(0x1000))&^3)
}

// restart sends a program that lost its way, or waits, back into its code.
func (r *rig) restart(rng *rand.Rand, hard bool) {
	for range 1 + rng.IntN(31) {
		r.SetReg(1+rng.IntN(31), randomValue(rng))
	}
	r.SetPC(ramBase + uint64(rng.IntN(0x4000))&^3)
	if hard && r.priv != PrivM && rng.IntN(2) == 0 {
		r.SetPriv(PrivM)
	}
	if rng.IntN(4) == 0 {
		r.SetCSR(csrMtvec, ramBase+handlerM)
		r.SetCSR(csrStvec, ramBase+handlerS)
		r.SetPriv([]Priv{PrivM, PrivS, PrivU}[rng.IntN(3)])
	}
}

// randomValue prefers edges, and addresses of data and code.
func randomValue(rng *rand.Rand) uint64 {
	switch rng.IntN(10) {
	case 0:
		return []uint64{0, 1, 2, ^uint64(0), 1 << 63, 1<<63 - 1, 1 << 31, 1<<31 - 1, 0xffff_ffff_8000_0000}[rng.IntN(9)]
	case 1:
		return rng.Uint64()
	case 2:
		return uint64(rng.IntN(256))
	case 3:
		return uint64(rng.IntN(0x8000)) // the low mapping
	case 4:
		return devBase + uint64(rng.IntN(272))
	case 5:
		return ramBase + uint64(rng.IntN(0x4000))&^1
	default:
		return ramBase + dataOff + uint64(rng.IntN(0x4000))&^7
	}
}

func randomInsn(rng *rand.Rand) uint32 {
	reg := func() uint32 { return uint32(rng.IntN(32)) }
	w := rng.Uint32()
	opc := func(o uint32) uint32 { return w&^0x7f | o }
	smallImm := func() uint32 { return uint32(rng.IntN(256)-128) & 0xfff }
	switch rng.IntN(24) {
	case 0, 1, 2, 3:
		return opc(opcImm)
	case 4, 5:
		f7 := []uint32{0, 0, funct7Mul, funct7Mul, funct7Alt, 3}[rng.IntN(6)]
		return opc([]uint32{opcReg, opcReg32}[rng.IntN(2)])&^(0x7f<<25) | f7<<25
	case 6:
		f7 := []uint32{0, 0, 0, funct7Alt, 0x10, 1}[rng.IntN(6)]
		return opc(opcImm32)&^(0x7f<<25) | f7<<25
	case 7, 8, 9:
		return encI(opcLoad, uint32(rng.IntN(8)), reg(), reg(), smallImm())
	case 10, 11:
		return encS(opcStore, uint32(rng.IntN(5)), reg(), reg(), smallImm())
	case 12, 13:
		return encB(uint32(rng.IntN(8)), reg(), reg(), uint32(rng.IntN(64)-16)*4&0x1ffe)
	case 14:
		return encJ(reg(), uint32(rng.IntN(512)-256)*4&0x1ffffe)
	case 15:
		return encI(opcJALR, 0, reg(), reg(), smallImm())
	case 16:
		return opc([]uint32{opcLUI, opcAUIPC}[rng.IntN(2)])
	case 17:
		return amoEnc(uint32(rng.IntN(32)), 2+uint32(rng.IntN(2)), reg(), reg(), reg())
	case 18:
		csr := lockstepCSRs[rng.IntN(len(lockstepCSRs))]
		return csr<<20 | reg()<<15 | uint32(rng.IntN(8))<<12 | reg()<<7 | opcSystem
	case 19:
		return []uint32{insnECALL, insnEBREAK, insnFence, insnFenceI, insnMRET, insnSRET, insnNop,
			sfence(0, 0), sfence(reg(), 0), insnWFI}[rng.IntN(10)]
	case 20:
		return w
	default: // a pair of 16-bit ones
		return w&^0x30003 | uint32(rng.IntN(3))<<16 | uint32(rng.IntN(3))
	}
}

var lockstepCSRs = []uint32{
	csrMstatus, csrSstatus, csrMie, csrSie, csrMip, csrSip, csrMedeleg, csrMideleg, csrMscratch, csrSscratch,
	csrMepc, csrSepc, csrMcause, csrScause, csrMtval, csrStval, csrMcycle, csrMinstret, csrCycle, csrTime, csrInstret,
	csrStimecmp, csrMenvcfg, csrMcounteren, csrScounteren, csrMisa, csrMhartid, csrPmpcfg0, csrPmpaddr0, csrSatp, 0x800,
}

// state is everything that must agree.
func (r *rig) state() string {
	h := r.Hart
	s := fmt.Sprintf("pc %#x priv %d instret %d traps %d waiting %v reserved %v mip %#x stimecmp %#x\n%#x\n%+v\n%+v\n",
		h.pc, h.priv, h.instret, h.traps, h.waiting, h.reservation.at != nil, h.readMip(), h.readStimecmp(), h.x[:32], h.csrs, h.pmp)
	return s
}

func lockstep(t testing.TB, seed uint64, rounds int) {
	a, b := lockstepRig(t, Reference), lockstepRig(t, Blocks)
	a.random(rand.New(rand.NewPCG(seed, 1)))
	b.random(rand.New(rand.NewPCG(seed, 1)))
	rng := rand.New(rand.NewPCG(seed, 2))
	for round := range rounds {
		if rng.IntN(8) == 0 {
			cause, level := uint(rng.IntN(12)), rng.IntN(2) == 0
			a.SetIRQ(cause, level)
			b.SetIRQ(cause, level)
		}
		before := a.state()
		b.Step(1 + rng.IntN(100))
		for tries := 0; a.instret+a.traps < b.instret+b.traps && tries < 100000; tries++ {
			a.Step(1)
		}
		if b.waiting && !a.waiting {
			a.Step(1)
		}
		if x, y := a.state(), b.state(); x != y {
			t.Fatalf("seed %d round %d (go test -run 'TestLockstep' with it)\nbefore    %s\nreference %s\nblocks    %s", seed, round, before, x, y)
		}
		if lost := a.pc-ramBase >= 0xa000; lost || a.waiting || rng.IntN(8) == 0 {
			restart := rng.Uint64()
			a.restart(rand.New(rand.NewPCG(restart, 3)), lost)
			b.restart(rand.New(rand.NewPCG(restart, 3)), lost)
		}
	}
	if !bytes.Equal(a.ram, b.ram) {
		for i := range a.ram {
			if a.ram[i] != b.ram[i] {
				t.Fatalf("seed %d: RAM differs at %#x: %#x and %#x", seed, i, a.ram[i], b.ram[i])
			}
		}
	}
	if fmt.Sprint(a.dev.log) != fmt.Sprint(b.dev.log) {
		t.Fatalf("seed %d: device accesses differ", seed)
	}
}

func TestLockstep(t *testing.T) {
	n := 120
	if testing.Short() {
		n = 50
	}
	for seed := range n {
		lockstep(t, uint64(seed), 150)
	}
}

func FuzzLockstep(f *testing.F) {
	f.Add(uint64(1))
	f.Fuzz(func(t *testing.T, seed uint64) { lockstep(t, seed, 100) })
}
