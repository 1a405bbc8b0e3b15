package riscv

import "testing"

func TestCountsToTen(t *testing.T) {
	eachEngine(t, func(t *testing.T, engine func(*Config)) {
		r := newRig(t, engine)
		r.put(0,
			addi(1, 0, 0),
			addi(2, 0, 10),
			addi(1, 1, 1),
			encB(1, 1, 2, 0x1ffc), // bne x1, x2, -4
			insnSelf,
		)
		r.Step(2 + 20)
		if r.Reg(1) != 10 {
			t.Errorf("x1 = %d, want 10", r.Reg(1))
		}
		if r.Instret() < 22 || r.PC() != ramBase+16 {
			t.Errorf("instret %d, pc %#x", r.Instret(), r.PC())
		}
	})
}
