//go:build mutants

package bql_test

import (
	"testing"

	"github.com/backplane-vm/backplane/internal/mutant/mutanttest"
)

func TestMutantsAreFound(t *testing.T) {
	mutanttest.Check(t, []mutanttest.Mutant{
		{Name: "bql-lost-wakeup", Breaks: "a release wakes who waits", Test: "^TestSimulated$"},
		{Name: "bql-wrong-waiter", Breaks: "a release wakes who came first", Test: "^TestSimulated$"},
		{Name: "bql-two-owners", Breaks: "a newcomer waits while the lock is held", Test: "^TestSimulated$"},
		{Name: "bql-unfair", Breaks: "who waits is served in the end", Test: "^TestSimulatedFairness$"},
		{Name: "bql-drop-in-device", Breaks: "the lock is kept inside a device's emulation", Test: "^TestDropped"},
		{Name: "bql-forget-device", Breaks: "a lock dropped and retaken is in the same emulation", Test: "^TestDropped"},
	})
}
