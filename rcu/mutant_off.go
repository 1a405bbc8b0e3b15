//go:build !mutants

package rcu

func seeded(mutant) bool { return false }
