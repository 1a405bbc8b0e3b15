//go:build mutants

package coro

import "os"

// Seeded bugs, one of which the environment switches on, so that the tests can
// be tested: each must make the package's own tests fail (mutants_test.go).
// They never change while the program runs.
var (
	mutant               = os.Getenv("BACKPLANE_MUTANT")
	mutantDoubleEnter    = mutant == "co-double-enter"       // a running or ended coroutine may be entered
	mutantUnfairHandover = mutant == "mutex-unfair-handover" // the lock is free until the next in line runs
	mutantWakeLost       = mutant == "co-wake-lost"          // Wake does nothing
)
