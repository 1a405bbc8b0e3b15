package riscv

import (
	"os"
	"testing"
)

// testdata/kernels.bin is compiled C; see kernels.c there.

var kernels = []struct {
	name string
	want uint64 // checksum of one repetition, from the same C on the host
}{
	{"sieve", 0x404},
	{"xorshift", 0x1b886584d696d7f0},
	{"quicksort", 0x3359d55a5a7a31ee},
	{"crc", 0xd3b3c7bc},
	{"matrix", 0x8c080a99d4a39800},
	{"divide", 0x3c3ce36f36f90},
}

func kernelRig(t testing.TB, engine func(*Hart) Engine) *rig {
	t.Helper()
	code, err := os.ReadFile("testdata/kernels.bin")
	if err != nil {
		t.Fatal(err)
	}
	r := newRig(t, func(c *Config) { c.Engine = engine })
	copy(r.ram, code)
	return r
}

// kernel runs one kernel to its EBREAK.
func (r *rig) kernel(t testing.TB, which, times uint64) uint64 {
	r.SetCSR(csrMtvec, romBase) // zeros: illegal, traps for ever
	r.SetPC(ramBase)
	r.SetReg(10, which)
	r.SetReg(11, times)
	for traps := r.Traps(); r.Traps() == traps; {
		r.Step(10000)
	}
	return r.Reg(10)
}

func TestKernels(t *testing.T) {
	for which, k := range kernels {
		t.Run(k.name, func(t *testing.T) {
			for _, e := range engines {
				if got := kernelRig(t, e.make).kernel(t, uint64(which), 1); got != k.want {
					t.Errorf("%s: checksum %#x, want %#x", e.name, got, k.want)
				}
			}
		})
	}
}

// BenchmarkKernels is what claims about the interpreter's speed refer to.
func BenchmarkKernels(b *testing.B) {
	for _, e := range engines {
		for which, k := range kernels {
			b.Run(e.name+"/"+k.name, func(b *testing.B) {
				r := kernelRig(b, e.make)
				b.ReportAllocs()
				r.kernel(b, uint64(which), 1)
				before := r.Instret()
				b.ResetTimer()
				r.kernel(b, uint64(which), uint64(b.N))
				b.ReportMetric(float64(r.Instret()-before)/1e6/b.Elapsed().Seconds(), "MIPS")
			})
		}
	}
}
