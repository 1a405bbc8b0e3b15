package rcu

// A mutant is a bug that tests plant, to see that they would find it. Builds
// with the tag mutants plant the one that BACKPLANE_MUTANT names; in all others
// the places where they would be vanish.
type mutant string

// The mutants.
const (
	skipBarrier mutant = "rcu-skip-barrier" // the writer does not fence
	skipWait    mutant = "rcu-skip-wait"    // a grace period waits for nobody
	drainEarly  mutant = "rcu-drain-early"  // Drain does not wait
	lostWakeup  mutant = "rcu-lost-wakeup"  // a reader does not wake who waits for it
	lateForce   mutant = "rcu-late-force"   // no second look when a hurry begins late
	reorder     mutant = "rcu-reorder"      // callbacks run out of order
)
