//go:build mutants

package rcu

import "os"

// planted never changes after the start of the process.
var planted = os.Getenv("BACKPLANE_MUTANT")

func seeded(m mutant) bool { return planted == string(m) }
