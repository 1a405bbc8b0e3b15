// Package mutant plants bugs on purpose, to see that tests would find them.
//
// A build with the tag mutants plants the bug that the environment variable
// BACKPLANE_MUTANT names; in all others [Planted] is false at compile time and
// the places where bugs could be vanish. A place is an if:
//
//	if !mutant.Planted("bql-lost-wakeup") {
//		head.parker.Unpark()
//	}
//
// Each is listed in a mutants_test.go, which says who has to find it (package
// mutanttest); make mutants runs them all.
//
// Goroutines and locks: none.
package mutant

// Variable is the environment variable that names the bug.
const Variable = "BACKPLANE_MUTANT"
