//go:build mutants

package monitor_test

import (
	"testing"

	"github.com/backplane-vm/backplane/internal/mutant/mutanttest"
)

// Bugs in giving commands up.
func TestMutantsAreFound(t *testing.T) {
	mutanttest.Check(t, []mutanttest.Mutant{
		{Name: "machine-stays-stopped", Breaks: "a stop that is given up lets the guest go on", Test: "^TestCancelUnderAnySchedule$"},
		{Name: "block-section-stays", Breaks: "a section that is given up has ended", Test: "^TestCancelUnderAnySchedule$"},
	})
}
