// Package qemutest runs QEMU's tools in tests: what they say of an image counts.
package qemutest

import (
	"errors"
	"os"
	"os/exec"
	"testing"
)

// Need skips a test where one of the programs is not installed; in CI, which
// installs them, the test fails.
func Need(t testing.TB, programs ...string) {
	t.Helper()
	for _, name := range programs {
		if _, err := exec.LookPath(name); err != nil {
			if os.Getenv("CI") != "" {
				t.Fatal(err)
			}
			t.Skip(err)
		}
	}
}

// Run runs a program and returns its output and exit status.
func Run(t testing.TB, program string, args ...string) (output string, status int) {
	t.Helper()
	out, err := exec.Command(program, args...).CombinedOutput()
	var exit *exec.ExitError
	switch {
	case err == nil:
		return string(out), 0
	case !errors.As(err, &exit):
		t.Fatal(err)
	}
	return string(out), exit.ExitCode()
}

// Img runs qemu-img, if it is there, for what must not fail.
func Img(t testing.TB, args ...string) {
	t.Helper()
	Need(t, "qemu-img")
	if out, status := Run(t, "qemu-img", args...); status != 0 {
		t.Fatalf("qemu-img %v: %d\n%s", args, status, out)
	}
}
