package riscv

import "testing"

func TestMisalignedInPage(t *testing.T) {
	eachEngine(t, func(t *testing.T, engine func(*Config)) {
		r := newRig(t, engine)
		r.start(sd(3, 1, 3), ld(2, 1, 3), encI(opcLoad, 1, 4, 1, 5), encI(opcLoad, 6, 5, 1, 7), insnSelf)
		r.SetReg(1, ramBase+dataOff)
		r.SetReg(3, 0x8877665544332211)
		r.Step(4)
		if r.Reg(2) != 0x8877665544332211 || r.Reg(4) != 0x4433 || r.Reg(5) != 0x88776655 || r.Traps() != 0 {
			t.Errorf("%#x %#x %#x, %d traps", r.Reg(2), r.Reg(4), r.Reg(5), r.Traps())
		}
	})
}

func TestLoadsExtend(t *testing.T) {
	eachEngine(t, func(t *testing.T, engine func(*Config)) {
		for _, c := range []struct {
			f3   uint32
			want uint64
		}{
			{0, 0xffff_ffff_ffff_ff88}, {1, 0xffff_ffff_ffff_9988}, {2, 0xffff_ffff_bbaa_9988}, {3, 0xffee_ddcc_bbaa_9988},
			{4, 0x88}, {5, 0x9988}, {6, 0xbbaa_9988},
		} {
			for _, base := range []uint64{ramBase + dataOff, devBase} {
				r := newRig(t, engine)
				r.setWord(dataOff, 0xffee_ddcc_bbaa_9988)
				r.dev.regs[0] = 0xffee_ddcc_bbaa_9988
				r.start(encI(opcLoad, c.f3, 2, 1, 0), encI(opcLoad, c.f3, 0, 1, 0), addi(3, 0, 0), insnSelf)
				r.SetReg(1, base)
				r.Step(3)
				if r.Reg(2) != c.want || r.Reg(3) != 0 {
					t.Errorf("form %d at %#x: %#x, want %#x; x0 %#x", c.f3, base, r.Reg(2), c.want, r.Reg(3))
				}
			}
		}
	})
}

func TestDeviceAccesses(t *testing.T) {
	eachEngine(t, func(t *testing.T, engine func(*Config)) {
		r := newRig(t, engine)
		r.start(
			encS(opcStore, 0, 1, 2, 0), encS(opcStore, 1, 1, 2, 8), encS(opcStore, 2, 1, 2, 16), sd(2, 1, 24),
			amoEnc(amoAdd, 3, 4, 3, 2), insnSelf)
		r.SetReg(1, devBase)
		r.SetReg(2, 0xffee_ddcc_bbaa_9988)
		r.SetReg(3, devBase+24)
		r.Step(5)
		want := []access3{
			{devBase, 1, 0x88, true}, {devBase + 8, 2, 0x9988, true}, {devBase + 16, 4, 0xbbaa9988, true},
			{devBase + 24, 8, 0xffeeddccbbaa9988, true},
			{devBase + 24, 8, 0xffeeddccbbaa9988, false}, {devBase + 24, 8, 0xffddbb9977553310, true},
		}
		for i, w := range want {
			if i >= len(r.dev.log) || r.dev.log[i] != w {
				t.Fatalf("accesses %+v, want %+v", r.dev.log, want)
			}
		}
		if r.Reg(4) != 0xffeeddccbbaa9988 {
			t.Errorf("amo returned %#x", r.Reg(4))
		}
	})
}

func TestROM(t *testing.T) {
	eachEngine(t, func(t *testing.T, engine func(*Config)) {
		r := newRig(t, engine)
		r.rom[0x13] = 0x5a
		r.start(sd(2, 1, 0x10), ld(3, 1, 0x10), amoEnc(amoSwap, 3, 4, 5, 2), ld(6, 1, 0x10), insnSelf)
		r.SetReg(1, romBase)
		r.SetReg(2, 7)
		r.SetReg(5, romBase+0x10)
		r.Step(4)
		if r.Reg(3) != 0x5a000000 || r.Reg(4) != 0x5a000000 || r.Reg(6) != 0x5a000000 || r.Traps() != 0 {
			t.Errorf("%#x %#x %#x, %d traps", r.Reg(3), r.Reg(4), r.Reg(6), r.Traps())
		}
	})
}

func TestAtomics(t *testing.T) {
	const old64, b64 = 0x8000_0000_0000_0005, 3
	for _, c := range []struct {
		name          string
		op, f3        uint32
		old, b        uint64
		want, returns uint64
	}{
		{"swap.d", amoSwap, 3, old64, b64, b64, old64},
		{"add.d", amoAdd, 3, old64, b64, old64 + b64, old64},
		{"xor.d", amoXor, 3, old64, b64, old64 ^ b64, old64},
		{"and.d", amoAnd, 3, old64, b64, 1, old64},
		{"or.d", amoOr, 3, old64, b64, 0x8000_0000_0000_0007, old64},
		{"min.d", amoMin, 3, old64, b64, old64, old64},
		{"max.d", amoMax, 3, old64, b64, b64, old64},
		{"minu.d", amoMinu, 3, old64, b64, b64, old64},
		{"maxu.d", amoMaxu, 3, old64, b64, old64, old64},
		{"add.w wraps and leaves the neighbour", amoAdd, 2, 0x1111_1111_ffff_ffff, 2, 0x1111_1111_0000_0001, ^uint64(0)},
		{"swap.w sign-extends", amoSwap, 2, 0x8000_0000, 0xabcd_0000_0001, 1, 0xffff_ffff_8000_0000},
		{"min.w", amoMin, 2, 0x8000_0000, 1, 0x8000_0000, 0xffff_ffff_8000_0000},
		{"max.w", amoMax, 2, 0x8000_0000, 1, 1, 0xffff_ffff_8000_0000},
		{"minu.w", amoMinu, 2, 0x8000_0000, 0xf_0000_0001, 1, 0xffff_ffff_8000_0000},
		{"maxu.w", amoMaxu, 2, 0x8000_0000, 0xf_0000_0001, 0x8000_0000, 0xffff_ffff_8000_0000},
	} {
		eachEngine(t, func(t *testing.T, engine func(*Config)) {
			r := newRig(t, engine)
			r.setWord(dataOff, c.old)
			r.start(amoEnc(c.op, c.f3, 4, 1, 2), insnSelf)
			r.SetReg(1, ramBase+dataOff)
			r.SetReg(2, c.b)
			r.Step(1)
			if r.word(dataOff) != c.want || r.Reg(4) != c.returns {
				t.Errorf("%s: memory %#x, rd %#x; want %#x, %#x", c.name, r.word(dataOff), r.Reg(4), c.want, c.returns)
			}
		})
	}
}

func TestReservations(t *testing.T) {
	const lr, sc = amoLR, amoSC
	at := func(op, rd, rs2 uint32) uint32 { return amoEnc(op, 3, rd, 1, rs2) }
	for _, c := range []struct {
		name string
		code []uint32
		rd   uint64 // of the last SC, in x4
		mem  uint64
	}{
		{"pair", []uint32{at(lr, 3, 0), at(sc, 4, 2)}, 0, 7},
		{"no reservation", []uint32{at(sc, 4, 2)}, 1, 1},
		{"used up", []uint32{at(lr, 3, 0), at(sc, 5, 2), at(sc, 4, 0)}, 1, 7},
		{"a store between", []uint32{at(lr, 3, 0), sd(6, 1, 0), at(sc, 4, 2)}, 1, 9},
		{"another address", []uint32{at(lr, 3, 0), amoEnc(sc, 3, 4, 8, 2)}, 1, 1},
	} {
		eachEngine(t, func(t *testing.T, engine func(*Config)) {
			r := newRig(t, engine)
			r.setWord(dataOff, 1)
			r.start(append(c.code, insnSelf)...)
			r.SetReg(1, ramBase+dataOff)
			r.SetReg(2, 7)
			r.SetReg(4, 99)
			r.SetReg(6, 9)
			r.SetReg(8, ramBase+dataOff+64)
			r.Step(len(c.code))
			if r.Reg(4) != c.rd || r.word(dataOff) != c.mem {
				t.Errorf("%s: rd %d, memory %d; want %d, %d", c.name, r.Reg(4), r.word(dataOff), c.rd, c.mem)
			}
		})
	}
}
