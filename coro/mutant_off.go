//go:build !mutants

package coro

// Seeded bugs, absent from this build. See mutant.go.
const (
	mutantDoubleEnter    = false
	mutantUnfairHandover = false
	mutantWakeLost       = false
)
