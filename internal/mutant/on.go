//go:build mutants

package mutant

import "os"

// planted never changes after the start of the process.
var planted = os.Getenv(Variable)

// Planted reports whether this process runs with the bug called name.
func Planted(name string) bool { return planted == name }
