package scenario

import (
	"context"
	"fmt"

	"github.com/backplane-vm/backplane/internal/monitor"
	"github.com/backplane-vm/backplane/internal/qdev"
	"github.com/backplane-vm/backplane/internal/sched"
)

// Budget says how long to explore a cell of the table.
type Budget struct {
	Runs int    // distinct interleavings to try
	Seed uint64 // of the random part
	// Progress, if set, is called now and then with what has been tried.
	Progress func(tried int)
}

// preemptions bounds the depth-first part: most bugs of this kind need one or
// two (CHESS found the same), and the number of runs grows with its power.
const preemptions = 2

// A Cell is what exploration found for one scenario under one policy.
type Cell struct {
	Scenario *Scenario
	Policy   monitor.Policy
	Verdict  Verdict
	Tried    int            // runs made
	Distinct int            // interleavings among them
	Steps    int            // scheduling points of all runs
	Failure  *sched.Failure // nil if fine
	Found    string         // how the failure was found: "dfs", "random:SEED:EVERY" or "pct:SEED:DEPTH:LENGTH"
	Schedule sched.Schedule // the shortest failing schedule that was found
}

// Replay returns the command line that repeats the cell's failure.
func (c *Cell) Replay() string {
	return fmt.Sprintf("backplane explore --scenario %s --policy %s --seed %v", c.Scenario.Letter, c.Policy, c.Schedule)
}

// Explore tries interleavings of s under policy, half of them depth first and
// half at random, until the budget is used, ctx ends, or one fails; a failing
// schedule is shortened.
func Explore(ctx context.Context, registry *qdev.Registry, s *Scenario, policy monitor.Policy, b Budget) Cell {
	e := &explorer{registry: registry, s: s, seen: make(map[uint64]struct{}), budget: b,
		cell: Cell{Scenario: s, Policy: policy, Verdict: Fine}}
	e.random(ctx, b.Runs/2)
	if e.cell.Failure == nil {
		e.depthFirst(ctx)
	}
	if e.cell.Failure == nil {
		e.random(ctx, b.Runs)
	}
	if e.cell.Failure != nil {
		e.shorten()
	}
	e.cell.Distinct = len(e.seen)
	return e.cell
}

type explorer struct {
	registry *qdev.Registry
	s        *Scenario
	seen     map[uint64]struct{}
	budget   Budget
	cell     Cell
	drawn    uint64 // random runs made
}

// progressEvery is how many runs pass between two reports.
const progressEvery = 256

// try makes one run and reports whether it went well.
func (e *explorer) try(ch sched.Chooser, how string) (sched.Outcome, bool) {
	out := e.s.Simulate(e.registry, e.cell.Policy, sched.Options{Chooser: ch})
	e.cell.Tried++
	e.cell.Steps += out.Steps
	e.seen[sched.Hash(out.Choices)] = struct{}{}
	if e.budget.Progress != nil && e.cell.Tried%progressEvery == 0 {
		e.budget.Progress(len(e.seen))
	}
	if out.Failure == nil {
		return out, true
	}
	e.cell.Failure, e.cell.Found = out.Failure, how
	e.cell.Verdict = VerdictOf(out)
	e.cell.Schedule = sched.ScheduleOf(out.Choices)
	return out, false
}

// depthFirst tries runs with few pre-emptions until half of what is left of
// the budget is used.
func (e *explorer) depthFirst(ctx context.Context) {
	limit := len(e.seen) + (e.budget.Runs-len(e.seen))/2
	d := &sched.DFS{Bound: preemptions}
	for len(e.seen) < limit && ctx.Err() == nil {
		out, ok := e.try(d, "dfs")
		if !ok || !d.Next(out.Choices) {
			return
		}
	}
}

// stale is how many runs in a row may bring nothing new before random
// exploration gives up: the scenario has no more interleavings to offer.
const stale = 20_000

// rankedDepth is how many orderings a bug may need that runs by priority (PCT)
// look for.
const rankedDepth = 4

// random tries random runs, from rare pre-emption to one at every choice and
// some by priority, until limit interleavings have been seen.
func (e *explorer) random(ctx context.Context, limit int) {
	length := 0 // choices of the last run
	for old := 0; len(e.seen) < limit && old < stale && ctx.Err() == nil; {
		seed := e.budget.Seed + e.drawn
		every := []int{32, 4, 12, 2, 0}[e.drawn%5]
		e.drawn++
		before := len(e.seen)
		ch, how := sched.Random(seed, every), fmt.Sprintf("random:%d:%d", seed, every)
		if every == 0 {
			ch, how = sched.PCT(seed, rankedDepth, length), fmt.Sprintf("pct:%d:%d:%d", seed, rankedDepth, length)
		}
		out, ok := e.try(ch, how)
		if !ok {
			return
		}
		length = len(out.Choices)
		old++
		if len(e.seen) > before {
			old = 0
		}
	}
}
