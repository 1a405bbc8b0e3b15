package e2e

import (
	"bytes"
	"debug/elf"
	le "encoding/binary"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// codeBase is where the code to disassemble stands: the beginning of memory.
const codeBase = 0x80000000

// notShown are what QEMU 7.2 disassembles and this build takes as illegal: names, or
// beginnings of names that end in '*'.
var notShown = strings.Fields("v* sha* sm3* sm4* aes* xperm* pack* brev8 zext.h hret sfence.vm " +
	"lq sq ldu flq fsq *.q *.q.* addid sllid srlid sraid addd subd slld srld srad muld divd divud remd remud " + // 128 bits
	"c.* rdcycleh rdtimeh rdinstreth") // and of 32

// mended are what QEMU 7.2 writes wrongly (a missing operand, x for f registers, one
// name for two instructions) and QEMU 10.0 does not.
var mended = strings.Fields("andn orn xnor slli.uw clzw illegal fmv.s fneg.s fabs.s fmv.d fneg.d fabs.d")

// reserved16 are compressed instructions that the hart refuses and QEMU shows.
var reserved16 = strings.Fields("addiw sext.w lw ld jr lui addi illegal")

// TestDisassemblyLikeQEMU shows all 16-bit instructions and many of 32 bits to both.
func TestDisassemblyLikeQEMU(t *testing.T) {
	if _, err := exec.LookPath(qemuProgram); err != nil {
		t.Fatal(qemuProgram + " is not installed; .ci/run installs it")
	}
	var short, long []byte
	for i := range 1 << 16 {
		if i&3 != 3 {
			short = le.LittleEndian.AppendUint16(short, uint16(i))
		}
	}
	r := rand.New(rand.NewPCG(1, 2))
	for range 40000 {
		x := r.Uint32()&^0x1f | uint32(r.IntN(8))<<2 | 3 | uint32(r.IntN(4))<<5
		if x&0x1c == 0x1c { // longer
			x &^= 0x10
		}
		if r.IntN(2) == 0 { // functions that there are rather than any
			x = x&^(0x7f<<25) | [...]uint32{0, 1, 4, 5, 8, 0x10, 0x14, 0x20, 0x30, 0x60, 0x68, 0x70, 0x78}[r.IntN(13)]<<25
		}
		long = le.LittleEndian.AppendUint32(long, x)
	}
	compareDisassembly(t, short, 2, reserved16)
	compareDisassembly(t, long, 4, nil)
}

// compareDisassembly has code, instructions of size bytes, disassembled by both.
// What QEMU calls one of extra may differ.
func compareDisassembly(t *testing.T, code []byte, size int, extra []string) {
	t.Helper()
	kernel := filepath.Join(t.TempDir(), "code.elf")
	if err := os.WriteFile(kernel, elfAt(codeBase, code), 0o666); err != nil {
		t.Fatal(err)
	}
	const piece = 16384
	var lines []string
	for at := 0; at < len(code)/size; at += piece {
		lines = append(lines, fmt.Sprintf("xp /%di %#x", min(piece, len(code)/size-at), codeBase+at*size))
	}
	theirs := disassembled(t, sayHuman(t, lines, qemuProgram, "-bios", "none", "-kernel", kernel))
	ours := disassembled(t, sayHuman(t, lines, binary, "-kernel", kernel))
	if len(ours) != len(theirs) || len(ours) != len(code)/size {
		t.Fatalf("%d lines, QEMU has %d, of %d", len(ours), len(theirs), len(code)/size)
	}
	same := 0
	for i := range ours {
		if ours[i] == theirs[i] {
			same++
			continue
		}
		name := strings.Fields(theirs[i])[2]
		illegal := strings.Contains(ours[i], " illegal")
		switch {
		case illegal && named(name, notShown), named(name, mended), named(name, extra):
		case strings.HasPrefix(name, "csr") && named(strings.Fields(ours[i])[2], []string{name}): // names of control registers
		case illegal && reservedShift(theirs[i]):
		default:
			t.Errorf("%s\nQEMU says\n%s", ours[i], theirs[i])
		}
	}
	t.Logf("%d of %d alike", same, len(ours))
	if same < len(ours)*2/3 {
		t.Errorf("only %d of %d alike", same, len(ours))
	}
}

// address is how the versions write where an instruction stands.
var address = regexp.MustCompile(`(?m)^0x0*([0-9a-f]+):`)

// disassembled is the answers, line by line.
func disassembled(t *testing.T, answers []string) (lines []string) {
	t.Helper()
	for _, a := range answers {
		if strings.HasPrefix(a, "error: ") {
			t.Fatal(a)
		}
		for line := range strings.Lines(strings.ReplaceAll(a, "\r\n", "\n")) {
			lines = append(lines, address.ReplaceAllString(strings.TrimSuffix(line, "\n"), "0x$1:"))
		}
	}
	return lines
}

func named(name string, patterns []string) bool {
	for _, p := range patterns {
		if ok, _ := filepath.Match(p, name); ok {
			return true
		}
	}
	return false
}

// reservedShift reports whether a line is of a shift by 64 bits and more.
func reservedShift(line string) bool {
	f := strings.Fields(line)
	code := f[1]
	return len(code) == 8 && strings.Contains(" slli srli srai rori bseti bclri binvi bexti orc.b rev8 ", " "+f[2]+" ")
}

// elfAt makes a program of which code stands, and begins, at addr.
func elfAt(addr uint64, code []byte) []byte {
	const header, program = 64, 56
	var b bytes.Buffer
	put := func(v any) {
		if err := le.Write(&b, le.LittleEndian, v); err != nil {
			panic(err) // a Buffer takes everything
		}
	}
	put(elf.Header64{
		Ident: [16]byte{0x7f, 'E', 'L', 'F', byte(elf.ELFCLASS64), byte(elf.ELFDATA2LSB), byte(elf.EV_CURRENT)},
		Type:  uint16(elf.ET_EXEC), Machine: uint16(elf.EM_RISCV), Version: uint32(elf.EV_CURRENT), Entry: addr,
		Phoff: header, Ehsize: header, Phentsize: program, Phnum: 1,
	})
	put(elf.Prog64{
		Type: uint32(elf.PT_LOAD), Flags: uint32(elf.PF_R | elf.PF_X), Off: header + program, Vaddr: addr, Paddr: addr,
		Filesz: uint64(len(code)), Memsz: uint64(len(code)), Align: 4096,
	})
	b.Write(code)
	return b.Bytes()
}
