package mem

import (
	"slices"
	"sort"
)

// render returns the ranges that root shows within s, in order of address. It
// costs a pass over the child lists it meets, not over what is outside of s.
func render(root *Region, s span) []Range {
	var p painter
	if s.last = min(s.last, root.last); s.first <= s.last {
		p.paint(root, s, 0)
	}
	joined := p.out[:0]
	for _, r := range p.out {
		joined = join(joined, r)
	}
	return joined
}

// painter collects ranges front to back: what is painted first stays, what
// comes later fills the gaps.
type painter struct{ out []Range }

// paint adds what r shows of its own addresses s; delta (modulo 2^64) takes
// them to addresses of the root. Working in r's addresses keeps intervals from
// wrapping around when an alias's target starts below its window.
func (p *painter) paint(r *Region, s span, delta uint64) {
	if !r.enabled {
		return
	}
	if r.kind == Alias {
		t := span{addSat(s.first, r.offset), min(addSat(s.last, r.offset), r.target.last)}
		if s.first+r.offset >= s.first && t.first <= t.last {
			p.paint(r.target, t, delta-r.offset)
		}
		return
	}
	for i := range r.children {
		c := &r.children[i]
		if c.last < s.first || c.first > s.last {
			continue
		}
		local := span{max(c.first, s.first) - c.first, min(c.last, s.last) - c.first}
		p.paint(c.r, local, delta+c.first)
	}
	if r.kind != Container {
		p.fill(Range{s.first + delta, s.last + delta, r, s.first})
	}
}

// fill enters r wherever nothing is yet.
func (p *painter) fill(r Range) {
	i := sort.Search(len(p.out), func(k int) bool { return p.out[k].Last >= r.First })
	for i < len(p.out) && p.out[i].First <= r.Last {
		front := p.out[i]
		if front.First > r.First {
			gap := r
			gap.Last = front.First - 1
			p.out = slices.Insert(p.out, i, gap)
			i++
		}
		if front.Last >= r.Last {
			return
		}
		r.Offset += front.Last + 1 - r.First
		r.First = front.Last + 1
		i++
	}
	p.out = slices.Insert(p.out, i, r)
}
