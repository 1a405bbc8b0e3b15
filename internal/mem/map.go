package mem

import "github.com/backplane-vm/backplane/internal/bql"

// Reclaimer defers functions until after a grace period; *rcu.Domain is one.
// The functions run under the BQL, in order.
type Reclaimer interface {
	Call(f func())
}

// Config is what a Map needs from its machine.
type Config struct {
	BQL  *bql.Lock         // the machine's big lock
	RCU  Reclaimer         // when old views and what they refer to may go
	Warn func(text string) // gets one-time warnings about the guest; may be nil
}

// A Map is the memory of one machine: it makes regions and address spaces and
// holds the transaction in which they change.
type Map struct {
	bql  *bql.Lock
	rcu  Reclaimer
	warn func(string)

	// Guarded by the BQL.
	warned   bool
	depth    int                  // of nested transactions
	dirty    []*view              // views to render a part of at commit
	resolve  []*AddressSpace      // address spaces whose root changed
	spaces   []*AddressSpace      // all, in order of creation
	memories map[*Region]struct{} // all RAM and ROM not yet freed
}

// NewMap returns an empty Map.
func NewMap(c Config) *Map {
	return &Map{bql: c.BQL, rcu: c.RCU, warn: c.Warn, memories: make(map[*Region]struct{})}
}

// Close gives all RAM and ROM back at once. Nobody may access the map any
// more: vCPUs have ended and devices are finalised.
func (m *Map) Close() {
	for r := range m.memories {
		r.free(r.ram)
	}
	clear(m.memories)
}

// Begin opens a transaction, which may nest: changes until the matching
// [Map.Commit] become visible together. The caller holds the BQL all along.
func (m *Map) Begin() {
	m.bql.AssertHeld()
	m.depth++
}

// Commit ends a transaction; the outermost one renders what changed, publishes
// it and tells the listeners.
func (m *Map) Commit() {
	if m.depth--; m.depth > 0 {
		return
	}
	// Address spaces choose their views first: one that is left by its last
	// user need not be rendered. They move once the views are up to date, and
	// what they left goes when all have moved.
	for _, as := range m.resolve {
		as.choose()
	}
	var told []change
	for _, v := range m.dirty {
		told = v.refresh(told)
	}
	for _, as := range m.resolve {
		told = as.move(told)
	}
	for _, as := range m.resolve {
		as.settle()
	}
	m.resolve, m.dirty = m.resolve[:0], m.dirty[:0]
	for i := range told {
		told[i].tell()
	}
}

// changed marks what r covers in every view that can see it, and has the
// address spaces rooted at r or its parent look at their root again. It is
// called on both sides of a change, so a side on which r is hidden shows
// nothing to anybody but a view of its own.
func (r *Region) changed() {
	r.m.reconsider(r)
	if r.view != nil {
		r.view.mark(0, r.last)
	}
	if p := r.parent; p != nil {
		r.m.reconsider(p)
	}
	if !r.enabled {
		return
	}
	if p := r.parent; p != nil {
		p.touch(r.addr, addSat(r.addr, r.last))
	}
	r.touchAliases(0, r.last)
}

// touch carries a change of r's bytes first to last to all who show them.
func (r *Region) touch(first, last uint64) {
	last = min(last, r.last)
	if first > last {
		return
	}
	if r.view != nil {
		r.view.mark(first, last)
	}
	if !r.enabled {
		return
	}
	if p := r.parent; p != nil {
		p.touch(addSat(r.addr, first), addSat(r.addr, last))
	}
	r.touchAliases(first, last)
}

func (r *Region) touchAliases(first, last uint64) {
	for _, a := range r.aliases {
		if last >= a.offset {
			a.touch(max(first, a.offset)-a.offset, last-a.offset)
		}
	}
}

func (m *Map) reconsider(r *Region) {
	for _, as := range r.spaces {
		if !as.queued {
			as.queued = true
			m.resolve = append(m.resolve, as)
		}
	}
}
