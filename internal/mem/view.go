package mem

import (
	"slices"
	"sync/atomic"
)

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
		root.wake()
		v = &view{root: root}
		root.view = v
		ranges := render(root, span{0, root.last})
		refAll(ranges)
		v.flat.Store(newFlatView(ranges))
	}
	v.users++
	return v
}

// retire lets a view without users go after a grace period, in which readers
// may still have it.
func (m *Map) retire(v *view) {
	if v.users == 0 && v.root.view == v {
		v.root.view = nil
		v.dirty = nil
		m.unrefLater(v.flat.Load().Ranges())
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
// anew, and appends to told what changed for those who listen. A view without
// users stays as they left it.
func (v *view) refresh(told []change) []change {
	if v.users == 0 {
		return told
	}
	spans := v.dirty
	v.dirty = v.dirty[:0]
	old := v.flat.Load()
	for i := range spans {
		spans[i] = old.widen(spans[i])
	}
	s := splice{rest: old.chunks}
	for _, sp := range joinSpans(spans) {
		s.replace(sp, render(v.root, sp))
	}
	if len(s.removed) == 0 && len(s.added) == 0 {
		return told
	}
	refAll(s.added)
	v.flat.Store(s.finish())
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
