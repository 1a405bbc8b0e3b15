package sched

import (
	"math/rand/v2"
	"slices"
)

// PCT returns a Chooser for one run in which threads have random priorities
// and the first of those that can run does, until, at depth-1 random choices
// among the first length, the running thread falls behind all others. A bug
// that needs depth such orderings is found with a probability of at least
// 1/(threads * length^(depth-1)), however unlikely even picks make it
// (Burckhardt et al., "A Randomized Scheduler with Probabilistic Guarantees of
// Finding Bugs", ASPLOS 2010). length is about how many choices a run has.
func PCT(seed uint64, depth, length int) Chooser {
	p := &pct{r: rand.New(rand.NewPCG(seed, 0x2545f4914f6cdd1d)), rank: make(map[uint64]int)}
	for range depth - 1 {
		p.changes = append(p.changes, p.r.IntN(max(length, 1)))
	}
	slices.Sort(p.changes)
	p.low = len(p.changes)
	return p
}

type pct struct {
	r       *rand.Rand
	rank    map[uint64]int // by thread; the highest runs
	changes []int          // choices at which the running thread falls behind
	low     int            // ranks below it are for those that fell
}

// pctRanks is so many that two threads rarely share one; then the older goes.
const pctRanks = 1 << 30

// Choose implements [Chooser]; a ThreadChooser is not asked for it.
func (p *pct) Choose(int, int, bool) int { return 0 }

// ChooseThread implements [ThreadChooser].
func (p *pct) ChooseThread(at int, threads []uint64, kept bool) int {
	for len(p.changes) > 0 && p.changes[0] <= at {
		p.changes = p.changes[1:]
		if kept {
			p.rank[threads[0]] = len(p.changes) // below all that have not fallen
		}
	}
	best := 0
	for i, t := range threads {
		if _, known := p.rank[t]; !known {
			p.rank[t] = p.low + p.r.IntN(pctRanks)
		}
		if p.rank[t] > p.rank[threads[best]] {
			best = i
		}
	}
	return best
}
