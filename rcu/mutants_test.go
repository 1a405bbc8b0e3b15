//go:build mutants

package rcu

import (
	"os"
	"os/exec"
	"testing"
)

// Each mutant makes this package's tests fail, or hang, in seconds; without one
// they pass. The missing barrier shows on linux/amd64 with two processors only,
// and for it the litmus runs until it has shown.
func TestMutantsAreFound(t *testing.T) {
	if planted != "" {
		return // we are the one under test
	}
	run := func(m mutant, args ...string) error {
		cmd := exec.Command(os.Args[0], append(args, "-test.failfast")...)
		cmd.Env = append(os.Environ(), "BACKPLANE_MUTANT="+string(m))
		return cmd.Run()
	}
	if err := run("none", "-test.timeout=60s"); err != nil {
		t.Fatalf("without a mutant: %v", err)
	}
	for _, m := range []mutant{skipWait, drainEarly, lostWakeup, lateForce, reorder, skipBarrier} {
		args := []string{"-test.timeout=8s"}
		if m == skipBarrier {
			if !plainStores {
				continue
			}
			args = []string{"-test.timeout=60s", "-test.run=TestReaderEntry", "-rcu.litmus=50000000"}
		}
		t.Run(string(m), func(t *testing.T) {
			if run(m, args...) == nil {
				t.Error("not found")
			}
		})
	}
}
