package demo

import (
	"bytes"
	"debug/elf"
	"testing"
)

func TestELF(t *testing.T) {
	f, err := elf.NewFile(bytes.NewReader(ELF()))
	if err != nil {
		t.Fatal(err)
	}
	if f.Machine != elf.EM_RISCV || f.Class != elf.ELFCLASS64 || f.Type != elf.ET_EXEC || f.Entry != 0x80000000 {
		t.Errorf("%v %v %v, entry %#x", f.Machine, f.Class, f.Type, f.Entry)
	}
	const ram, small = 0x80000000, 16 << 20 // it must fit the smallest machine we test with
	for _, p := range f.Progs {
		if p.Type != elf.PT_LOAD {
			continue
		}
		if p.Paddr < ram || p.Paddr+p.Memsz > ram+small || p.Paddr != p.Vaddr {
			t.Errorf("segment at %#x, %#x bytes", p.Paddr, p.Memsz)
		}
		if p.Flags&elf.PF_W != 0 && p.Filesz != 0 {
			t.Errorf("initialised writable data at %#x would survive a reset", p.Paddr)
		}
	}
}

func TestELFIsACopy(t *testing.T) {
	ELF()[0] = 0
	if ELF()[0] != 0x7f {
		t.Error("writing to one copy changed the next")
	}
}
