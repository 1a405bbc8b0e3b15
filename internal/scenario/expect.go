package scenario

import (
	"slices"

	"github.com/backplane-vm/backplane/internal/monitor"
)

// Short names, for the table to be one that can be looked at.
const (
	fine   = Fine
	twice  = Reentered
	stuck  = Deadlocked
	broken = RuleBroken
)

// expectations is what exploration has to find, by scenario, under the policies
// in the order of [monitor.Policies]. It never changes. A row says who is wrong
// about what; the scenarios' pages in docs/scenarios say why.
var expectations = map[string][5]Verdict{
	//   nested  rfc     split   iohandler ours
	"A": {twice, broken, fine, fine, fine},
	"B": {stuck, fine, fine, fine, fine},
	"C": {stuck, fine, stuck, stuck, fine},
	"D": {broken, broken, fine, fine, fine},
	"E": {broken, broken, broken, broken, fine},
	"F": {stuck, broken, stuck, stuck, fine},
	"G": {fine, fine, fine, stuck, fine},
	"H": {fine, fine, fine, fine, fine},
	"I": {fine, fine, fine, fine, fine},
	"J": {fine, fine, fine, fine, fine},
	// The commands of the second client wait with the main loop until the vCPU
	// leaves, which here it does only for them.
	"K": {stuck, fine, stuck, stuck, fine},
}

// Expected is what exploration has to find under a policy.
func (s *Scenario) Expected(policy monitor.Policy) Verdict {
	return expectations[s.Letter][slices.Index(monitor.Policies(), policy)]
}

// Expected is what exploration has to find in the cell.
func (c *Cell) Expected() Verdict { return c.Scenario.Expected(c.Policy) }
