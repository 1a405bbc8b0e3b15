//go:build mutants

package throttle_test

import (
	"testing"

	"github.com/backplane-vm/backplane/internal/mutant/mutanttest"
)

func TestMutantsAreFound(t *testing.T) {
	mutanttest.Check(t, []mutanttest.Mutant{
		{Name: "throttle-one-at-a-time", Breaks: "a timer that fires sees to the next", Test: "^TestRateIsKept$"},
		{Name: "throttle-drain-waits", Breaks: "an exemption lets go what waits", Test: "^TestExemptMembersWaitForNobody$"},
	})
}
