package launch_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/backplane-vm/backplane/internal/launch"
	"github.com/backplane-vm/backplane/internal/trace"
)

// TestLog: -d and -D.
func TestLog(t *testing.T) {
	name := filepath.Join(t.TempDir(), "log")
	base := []string{"-M", "virt", "-nodefaults", "-display", "none", "-m", "64", "-kernel", "builtin:demo"}
	vm, err := launch.New(append(base, "-d", "int,trace:runstate_*", "-D", name), launch.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if log := vm.Machine.Log; !log.Wants(trace.Int) || log.Wants(trace.InvalidMem) || !log.Traces(trace.RunstateSet) {
		t.Error("something else is switched on")
	}
	if err := vm.Start(); err != nil {
		t.Error(err)
	}
	vm.Close()
	text, err := os.ReadFile(name)
	if !strings.Contains(string(text), "runstate_set current_run_state (prelaunch) new_state (running)\n") || err != nil {
		t.Errorf("%q, %v", text, err)
	}
	for _, c := range []struct{ flag, value, want string }{
		{"-d", "nonesuch", "-d nonesuch: there is no such log item"},
		{"-d", "in_asm", "-d in_asm: log item 'in_asm' is not supported by this build"},
		{"-D", "/nonesuch/x", "-D /nonesuch/x: Error opening logfile /nonesuch/x: No such file or directory"},
	} {
		if _, err := launch.New(append(base, c.flag, c.value), launch.Options{}); err == nil || err.Error() != c.want {
			t.Errorf("%s %s: %v", c.flag, c.value, err)
		}
	}
	var help *launch.Help
	if _, err := launch.New(append(base, "-d", "help"), launch.Options{}); !errors.As(err, &help) || help.Text != trace.Help() {
		t.Errorf("-d help: %v", err)
	}
}
