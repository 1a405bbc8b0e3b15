//go:build mutants

package aio

import "os"

// Seeded bugs, one of which the environment switches on, so that the tests can
// be tested: each must make the package's own tests fail (mutants_test.go).
// They never change while the program runs.
var (
	mutant                = os.Getenv("BACKPLANE_MUTANT")
	mutantLostNotify      = mutant == "aio-lost-notify"      // scheduling a bottom half wakes nobody
	mutantLostOnCancel    = mutant == "bh-lost-on-cancel"    // a cancelled bottom half never runs again
	mutantRunsAfterDelete = mutant == "bh-runs-after-delete" // a queued bottom half survives Delete
	mutantTimerEarly      = mutant == "timer-early"          // timers fire a nanosecond early
	mutantMoveBeforeYield = mutant == "moveto-before-yield"  // a coroutine is in its new queue before it has yielded
)
