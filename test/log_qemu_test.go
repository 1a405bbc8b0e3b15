package e2e

import (
	le "encoding/binary"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// trapping is a program that takes an exception, whose handler takes another, without
// end: it loads from where nothing is.
var trapping = []uint32{
	0x00000297, // auipc t0, 0
	0x02028293, // addi  t0, t0, 32
	0x30529073, // csrw  mtvec, t0
	0x00000073, // ecall
	0x0000006f, 0x0000006f, 0x0000006f, 0x0000006f,
	0x00003503, // ld a0, 0(zero)
}

// TestLogLikeQEMU: both log the same of the same program. What is invalid_mem in 10.0
// is guest_errors in 7.2.
func TestLogLikeQEMU(t *testing.T) {
	var code []byte
	for _, x := range trapping {
		code = le.LittleEndian.AppendUint32(code, x)
	}
	kernel := filepath.Join(t.TempDir(), "trap.elf")
	if err := os.WriteFile(kernel, elfAt(codeBase, code), 0o666); err != nil {
		t.Fatal(err)
	}
	const enough = 50
	logged := func(program, items string, args ...string) []string {
		name := filepath.Join(t.TempDir(), "log")
		say := newHumanSide(t, program, append(args, "-kernel", kernel)...)
		tell := func(line string) {
			t.Helper()
			if answer := say(line); answer != "" {
				t.Fatalf("%s says %q to %q", program, answer, line)
			}
		}
		read := func() string {
			text, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			return string(text)
		}
		tell("logfile " + name)
		tell("log " + items)
		tell("cont")
		for end := time.Now().Add(patience); strings.Count(read(), "\n") < enough && time.Now().Before(end); {
			say("info status")
		}
		tell("stop")
		tell("log none")
		text := read()
		lines := strings.Split(text, "\n")
		if len(lines) < enough {
			t.Fatalf("%s logs %d lines", program, len(lines))
		}
		return lines[:enough]
	}
	theirs := logged(qemuProgram, "int,guest_errors", "-bios", "none", "-smp", "1")
	ours := logged(binary, "int,invalid_mem", "-smp", "1")
	if !slices.Equal(ours, theirs) {
		t.Errorf("\n%s\nQEMU logs\n%s", strings.Join(ours[:6], "\n"), strings.Join(theirs[:6], "\n"))
	}
}
