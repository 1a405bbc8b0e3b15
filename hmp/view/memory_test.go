package view

import (
	"strings"
	"testing"

	"github.com/backplane-vm/backplane/hmp"
)

// TestPrintMemory: layouts as QEMU 7.2 prints them for the same bytes.
func TestPrintMemory(t *testing.T) {
	code := []byte{0x97, 2, 0, 0, 0x13, 0x86, 0x82, 2, 's', '%', '@', 0xf1, 0x83, 0xb5, 2, 2}
	read := func(addr uint64, p []byte) bool {
		if addr < 0x1000 {
			return false
		}
		for i := range p {
			p[i] = code[(addr-0x1000+uint64(i))%16]
		}
		return true
	}
	for _, c := range []struct {
		f    hmp.Format
		addr uint64
		want string
	}{
		{hmp.Format{Count: 4, Kind: 'x', Size: 4}, 0x1000, "0000000000001000: 0x00000297 0x02828613 0xf1402573 0x0202b583\n"},
		{hmp.Format{Count: 10, Kind: 'x', Size: 1}, 0x1000, "0000000000001000: 0x97 0x02 0x00 0x00 0x13 0x86 0x82 0x02\n0000000000001008: 0x73 0x25\n"},
		{hmp.Format{Count: 2, Kind: 'x', Size: 8}, 0x1000, "0000000000001000: 0x0282861300000297 0x0202b583f1402573\n"},
		{hmp.Format{Count: 3, Kind: 'd', Size: 4}, 0x1000, "0000000000001000:        663   42108435 4047512947\n"},
		{hmp.Format{Count: 3, Kind: 'u', Size: 2}, 0x1000, "0000000000001000:   663     0 34323\n"},
		{hmp.Format{Count: 2, Kind: 'o', Size: 1}, 0x1000, "0000000000001000: 0227  02\n"},
		{hmp.Format{Count: 2, Kind: 'c', Size: 2}, 0x1007, "0000000000001007: '\\x02' 's' '%' '@'\n"},
		{hmp.Format{Count: 1, Kind: 'x', Size: 4}, 0, "0000000000000000: Cannot access memory\n"},
		{hmp.Format{Count: 0, Kind: 'x', Size: 4}, 0x1000, ""},
	} {
		var b strings.Builder
		PrintMemory(&b, c.f, c.addr, read)
		if b.String() != c.want {
			t.Errorf("%+v:\n%swant\n%s", c.f, b.String(), c.want)
		}
	}
}

func TestPrintRegisters(t *testing.T) {
	var b strings.Builder
	PrintRegisters(&b, 1, []Register{{"pc", 0x1000}, {"mhartid", 1}}, []Register{{"x0/zero", 0}, {"x1/ra", 1}, {"x2/sp", 2}, {"x3/gp", ^uint64(0)}})
	const want = "\nCPU#1\n pc       0000000000001000\n mhartid  0000000000000001\n" +
		" x0/zero  0000000000000000 x1/ra    0000000000000001 x2/sp    0000000000000002 x3/gp    ffffffffffffffff\n"
	if b.String() != want {
		t.Errorf("%q", b.String())
	}
}

func TestPrintQomTree(t *testing.T) {
	var b strings.Builder
	PrintQomTree(&b, Object{"machine", "container", []Object{{"soc0", "riscv.hart_array", []Object{{"harts[0]", "cpu", nil}}}, {"unattached", "container", nil}}})
	const want = "/machine (container)\n  /soc0 (riscv.hart_array)\n    /harts[0] (cpu)\n  /unattached (container)\n"
	if b.String() != want {
		t.Errorf("%q", b.String())
	}
}

// TestPrintRAMBlocks: QEMU's table but for addresses of the host.
func TestPrintRAMBlocks(t *testing.T) {
	var b strings.Builder
	PrintRAMBlocks(&b, []RAMBlock{{"riscv_virt_board.mrom", 0xf000, true, new(byte)}, {"riscv_virt_board.ram", 0x4000000, false, new(byte)}})
	want := []string{
		"              Block Name    PSize              Offset               Used              Total                HVA  RO",
		"    riscv_virt_board.ram    4 KiB  0x0000000000000000 0x0000000004000000 0x0000000004000000 ",
		"   riscv_virt_board.mrom    4 KiB  0x0000000004000000 0x000000000000f000 0x000000000000f000 ",
	}
	lines := strings.Split(b.String(), "\n")
	if len(lines) != 4 || lines[0] != want[0] {
		t.Fatalf("%q", b.String())
	}
	for i, access := range []string{" rw", " ro"} {
		if line := lines[i+1]; !strings.HasPrefix(line, want[i+1]) || !strings.HasSuffix(line, access) || len(line) != len(want[0]) {
			t.Errorf("%q", line)
		}
	}
}

func TestPrintMappings(t *testing.T) {
	var b strings.Builder
	PrintMappings(&b, nil, false)
	PrintMappings(&b, []Mapping{{0xffffffff80000000, 0x80200000, 0x200000, "r-x-gad"}}, true)
	const want = "No translation or protection\n" +
		"vaddr            paddr            size             attr\n" +
		"---------------- ---------------- ---------------- -------\n" +
		"ffffffff80000000 0000000080200000 0000000000200000 r-x-gad\n"
	if b.String() != want {
		t.Errorf("%q", b.String())
	}
}
