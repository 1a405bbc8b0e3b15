//go:build mutants

package rcu

import (
	"runtime"
	"testing"

	"github.com/backplane-vm/backplane/internal/mutant/mutanttest"
)

// The missing barrier shows on linux/amd64 with two processors only, and for it
// the litmus runs until it has shown.
func TestMutantsAreFound(t *testing.T) {
	list := []mutanttest.Mutant{
		{Name: "rcu-skip-wait", Breaks: "a grace period waits for readers", Test: "^TestSimulated$"},
		{Name: "rcu-drain-early", Breaks: "Drain waits for the callbacks", Test: "^TestSimulated$"},
		{Name: "rcu-lost-wakeup", Breaks: "a reader wakes who waits for it", Test: "^TestSimulated$"},
		{Name: "rcu-late-force", Breaks: "who gets in a hurry late has readers asked again", Test: "^TestSimulatedKick$"},
		{Name: "rcu-reorder", Breaks: "callbacks run in order", Test: "^TestSimulatedOrder$"},
	}
	if plainStores && runtime.GOMAXPROCS(0) > 1 {
		list = append(list, mutanttest.Mutant{
			Name: "rcu-skip-barrier", Breaks: "the writer fences for readers with plain stores", Test: "^TestReaderEntry",
			Long: []string{"-rcu.litmus=50000000", "-test.timeout=60s"},
		})
	}
	mutanttest.Check(t, list)
}
