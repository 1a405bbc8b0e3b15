package trace

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"syscall"
	"testing"
)

func TestSelect(t *testing.T) {
	l := New(nil)
	for _, c := range []struct {
		list         string
		known        bool
		err          string
		int, invalid bool
	}{
		{"int", true, "", true, false},
		{"int,invalid_mem", true, "", true, true},
		{"int,nope", false, "", true, true},
		{"in_asm", true, "log item 'in_asm' is not supported by this build", true, true},
		{"trace:nope", true, "unknown event \"nope\"", true, true},
		{"int,none", false, "", true, true},
		{"invalid_mem,trace:riscv_*", true, "", false, true},
		{"", false, "", false, true},
		{"none", true, "", false, false},
	} {
		known, err := l.Select(c.list)
		if known != c.known || err == nil != (c.err == "") || err != nil && err.Error() != c.err {
			t.Errorf("%q: %v, %v", c.list, known, err)
		}
		if l.Wants(Int) != c.int || l.Wants(InvalidMem) != c.invalid {
			t.Errorf("%q: int %v, invalid_mem %v", c.list, l.Wants(Int), l.Wants(InvalidMem))
		}
	}
	if !l.Traces(RISCVTrap) || l.Traces(RunstateSet) {
		t.Error("trace:riscv_* switched something else")
	}
	var none *Log
	if none.Wants(Int) || none.Traces(RISCVTrap) {
		t.Error("a nil log wants something")
	}
}

func TestStates(t *testing.T) {
	l := New(nil)
	if err := l.SetState("memory_*_read", true); err != nil {
		t.Fatal(err)
	}
	got, err := l.States("memory_region_ops_?*")
	want := []State{{"memory_region_ops_write", false}, {"memory_region_ops_read", true}}
	if !reflect.DeepEqual(got, want) || err != nil {
		t.Errorf("%v, %v", got, err)
	}
	for _, pattern := range []string{"nope*", "[*", "*\\"} {
		if got, err := l.States(pattern); len(got) != 0 || err != nil {
			t.Errorf("%q: %v, %v", pattern, got, err)
		}
	}
	if all, err := l.States("*"); len(all) != int(events) || err != nil {
		t.Errorf("%v, %v", all, err)
	}
	if err := l.SetState("nope", true); err == nil || err.Error() != "unknown event \"nope\"" {
		t.Error(err)
	}
}

func TestFile(t *testing.T) {
	var out strings.Builder
	l := New(&out)
	l.Printf("to %s", "out")
	name := filepath.Join(t.TempDir(), "log")
	if err := l.SetFile(name); err != nil {
		t.Fatal(err)
	}
	l.Trace(RISCVTrap, "hart:%d", 3)
	if err := l.SetFile(t.TempDir() + "/no/log"); err == nil || !strings.HasSuffix(err.Error(), "/no/log: No such file or directory") {
		t.Error(err)
	}
	pipe := t.TempDir() + "/pipe"
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := l.SetFile(pipe); err == nil || !strings.HasSuffix(err.Error(), "/pipe: No such device or address") {
		t.Errorf("a pipe that nobody reads: %v", err)
	}
	if err := l.SetFile("a%d%d"); err == nil {
		t.Error("two numbers")
	}
	l.Printf("still there")
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(name)
	if string(text) != "riscv_trap hart:3\nstill there\n" || err != nil || out.String() != "to out\n" {
		t.Errorf("%q, %v; %q", text, err, out.String())
	}
}

// TestOff: what is switched off allocates nothing.
func TestOff(t *testing.T) {
	l := New(nil)
	if n := testing.AllocsPerRun(100, func() {
		if l.Wants(Int) || l.Traces(RISCVTrap) {
			l.Printf("%d", 1)
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func FuzzSelect(f *testing.F) {
	f.Add("int,invalid_mem,trace:*")
	f.Add("trace:[")
	f.Fuzz(func(t *testing.T, list string) {
		l := New(nil)
		known, err := l.Select(list)
		if (!known || err != nil) && l.items.Load() != 0 {
			t.Errorf("%q was refused and has switched something on", list)
		}
	})
}
