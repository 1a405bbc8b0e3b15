//go:build mutants

package rcu

import (
	"testing"

	"github.com/backplane-vm/backplane/internal/mutant/mutanttest"
)

func TestMutantsAreFound(t *testing.T) {
	mutanttest.Check(t, []mutanttest.Mutant{
		{Name: "rcu-skip-wait", Breaks: "a grace period waits for readers", Test: "^TestSimulated$"},
		{Name: "rcu-drain-early", Breaks: "Drain waits for the callbacks", Test: "^TestSimulated$"},
		{Name: "rcu-lost-wakeup", Breaks: "a reader wakes who waits for it", Test: "^TestSimulated$"},
		{Name: "rcu-parks-unflagged", Breaks: "a reader that publishes late wakes who waits, too", Test: "^TestSimulated$"},
		{Name: "rcu-late-force", Breaks: "who gets in a hurry late has readers asked again", Test: "^TestSimulatedKick$"},
		{Name: "rcu-reorder", Breaks: "callbacks run in order", Test: "^TestSimulatedOrder$"},
		{Name: "rcu-skip-barrier", Breaks: "the writer fences for readers with plain stores", Test: "^TestSimulated$"},
	})
}
