//go:build mutants

package block_test

import (
	"testing"

	"github.com/backplane-vm/backplane/internal/mutant/mutanttest"
)

func TestMutantsAreFound(t *testing.T) {
	mutanttest.Check(t, []mutanttest.Mutant{
		{Name: "block-drain-unheard", Breaks: "drivers hear of drained sections", Test: "^TestSimulatedThrottledDrains$"},
		{Name: "throttle-drain-waits", Breaks: "a drained section lets go what waits for its limits", Test: "^TestSimulatedThrottledDrains$"},
	})
}
