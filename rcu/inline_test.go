package rcu_test

import (
	"os/exec"
	"strings"
	"testing"
)

// Lock and Unlock must stay inlinable: a call costs more than they do.
func TestInlined(t *testing.T) {
	out, err := exec.Command("go", "build", "-gcflags=-m", ".").CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, f := range []string{"can inline (*Reader).Lock\n", "can inline (*Reader).Unlock\n"} {
		if !strings.Contains(string(out), f) {
			t.Errorf("the compiler does not say %q", f)
		}
	}
}
