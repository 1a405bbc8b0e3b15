//go:build !mutants

package aio

// Seeded bugs, absent from this build. See mutant.go.
const (
	mutantLostNotify      = false
	mutantLostOnCancel    = false
	mutantRunsAfterDelete = false
	mutantTimerEarly      = false
	mutantMoveBeforeYield = false
)
