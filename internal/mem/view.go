package mem

import (
	"slices"
	"sort"
	"sync/atomic"
)

// A Range is a piece of a flat view: addresses First to Last (inclusive) are
// the bytes of Region from Offset on.
type Range struct {
	First, Last uint64
	Region      *Region
	Offset      uint64
}

// A FlatView is what an address space looks like at one moment: ranges in
// order of address, none overlapping, neighbours joined where they continue
// the same region. It is immutable. Hold it no longer than the RCU read
// section or the BQL under which it was had.
type FlatView struct{ ranges []Range }

// Ranges returns all ranges; the caller must not change them.
func (f *FlatView) Ranges() []Range { return f.ranges }

// Find returns the range that contains addr, or nil.
func (f *FlatView) Find(addr uint64) *Range {
	if i := f.search(addr); i < len(f.ranges) && f.ranges[i].First <= addr {
		return &f.ranges[i]
	}
	return nil
}

// search returns the index of the first range that ends at addr or later. It
// is written out because it is on the path of every MMIO access
// (BenchmarkLookup).
func (f *FlatView) search(addr uint64) int {
	lo, hi := 0, len(f.ranges)
	for lo < hi {
		mid := int(uint(lo+hi) >> 1)
		if f.ranges[mid].Last < addr {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	return lo
}

// span is an interval of addresses, both ends included.
type span struct{ first, last uint64 }

// maxDirty is how many separate intervals of one view a transaction keeps
// apart; more are joined into the one that contains them all. A device moves
// six BARs and two windows at most.
const maxDirty = 16

// view is the flat view of one root region, shared by all address spaces that
// look at it. flat may be read inside an RCU read section; the rest is guarded
// by the BQL.
type view struct {
	root  *Region
	flat  atomic.Pointer[FlatView]
	users int    // address spaces
	dirty []span // to be rendered again at commit
}

// acquireView returns the view of root with one more user.
func acquireView(root *Region) *view {
	v := root.view
	if v == nil {
		v = &view{root: root}
		root.view = v
		v.flat.Store(&FlatView{render(root, span{0, root.last})})
		refAll(v.flat.Load().ranges)
	}
	v.users++
	return v
}

// releaseView takes one user away; without users the view goes after a grace
// period, in which readers may still have it.
func (m *Map) releaseView(v *view) {
	if v.users--; v.users == 0 {
		v.root.view = nil
		v.dirty = nil
		m.unrefLater(v.flat.Load().ranges)
	}
}

// mark notes that an interval has to be rendered again.
func (v *view) mark(first, last uint64) {
	if len(v.dirty) == 0 {
		v.root.m.dirty = append(v.root.m.dirty, v)
	}
	if len(v.dirty) == maxDirty {
		all := span{first, last}
		for _, s := range v.dirty {
			all.first, all.last = min(all.first, s.first), max(all.last, s.last)
		}
		v.dirty = append(v.dirty[:0], all)
		return
	}
	v.dirty = append(v.dirty, span{first, last})
}

// refresh publishes a flat view in which the dirty intervals are rendered
// anew, and appends to told what changed for those who listen.
func (v *view) refresh(told []change) []change {
	spans := v.dirty
	v.dirty = v.dirty[:0]
	if v.users == 0 {
		return told
	}
	old := v.flat.Load().ranges
	for i := range spans {
		spans[i] = widen(old, spans[i])
	}
	s := splice{old: old}
	for _, sp := range joinSpans(spans) {
		s.replace(sp, render(v.root, sp))
	}
	if len(s.removed) == 0 && len(s.added) == 0 {
		return told
	}
	refAll(s.added)
	v.flat.Store(&FlatView{s.finish()})
	v.root.m.unrefLater(s.removed)
	return v.root.m.listening(told, v, s.removed, s.added)
}

// joinSpans sorts spans and joins those that touch.
func joinSpans(spans []span) []span {
	slices.SortFunc(spans, func(a, b span) int {
		switch {
		case a.first < b.first:
			return -1
		case a.first > b.first:
			return 1
		}
		return 0
	})
	out := spans[:0]
	for _, s := range spans {
		if n := len(out); n > 0 && s.first <= addSat(out[n-1].last, 1) {
			out[n-1].last = max(out[n-1].last, s.last)
			continue
		}
		out = append(out, s)
	}
	return out
}

// splice copies a sorted array of ranges, with intervals of it replaced in
// rising order, and keeps account of the difference. Between intervals is at
// least one range that stays.
type splice struct {
	old            []Range
	done           int // of old
	out            []Range
	removed, added []Range
}

// overlapping returns the bounds of the ranges of old that meet s.
func overlapping(old []Range, s span) (i, j int) {
	i = sort.Search(len(old), func(k int) bool { return old[k].Last >= s.first })
	j = i + sort.Search(len(old)-i, func(k int) bool { return old[i+k].First > s.last })
	return i, j
}

// widen returns s with the ranges that it meets and a neighbour on each side,
// all whole: what is new may continue a neighbour and then is one range with it.
func widen(old []Range, s span) span {
	i, j := overlapping(old, s)
	i, j = max(0, i-1), min(len(old), j+1)
	if i < j {
		s.first, s.last = min(s.first, old[i].First), max(s.last, old[j-1].Last)
	}
	return s
}

// replace puts fresh in the place of what old has within s.
func (p *splice) replace(s span, fresh []Range) {
	i, j := overlapping(p.old, s)
	if p.out == nil {
		p.out = make([]Range, 0, len(p.old)+len(fresh))
	}
	p.account(p.old[i:j], fresh)
	p.out = append(p.out, p.old[p.done:i]...)
	p.out = append(p.out, fresh...)
	p.done = j
}

// account notes the ranges of old that are not in fresh, and the reverse.
func (p *splice) account(old, fresh []Range) {
	for len(old) > 0 && len(fresh) > 0 && old[0] == fresh[0] {
		old, fresh = old[1:], fresh[1:]
	}
	for len(old) > 0 && len(fresh) > 0 && old[len(old)-1] == fresh[len(fresh)-1] {
		old, fresh = old[:len(old)-1], fresh[:len(fresh)-1]
	}
	p.removed = append(p.removed, old...)
	p.added = append(p.added, fresh...)
}

func (p *splice) finish() []Range { return append(p.out, p.old[p.done:]...) }

// join appends r, or extends the last range if r continues it.
func join(out []Range, r Range) []Range {
	if n := len(out); n > 0 {
		l := &out[n-1]
		if l.Region == r.Region && l.Last+1 == r.First && l.Offset+(r.First-l.First) == r.Offset {
			l.Last = r.Last
			return out
		}
	}
	return append(out, r)
}

func refAll(ranges []Range) {
	for i := range ranges {
		if o := ranges[i].Region.owner; o != nil {
			o.Ref()
		}
	}
}

// unrefLater drops the references that ranges hold after a grace period.
func (m *Map) unrefLater(ranges []Range) {
	if !slices.ContainsFunc(ranges, func(r Range) bool { return r.Region.owner != nil }) {
		return
	}
	m.rcu.Call(func() {
		for i := range ranges {
			if o := ranges[i].Region.owner; o != nil {
				o.Unref()
			}
		}
	})
}
