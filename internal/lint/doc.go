// Package lint holds the rules of this repository that no off-the-shelf
// linter knows, as tests: which package may import which (layers_test.go), and
// the house rules on goroutines, clocks, output, package-level state, skipped
// tests and comments (rules_test.go). Exceptions stand in one table, each with
// its reason (allow_test.go).
//
// The tests parse the source and do not type-check it, so they take a fraction
// of a second and also work while a package does not compile.
package lint
