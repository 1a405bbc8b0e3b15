package mem

import (
	"slices"
	"sync/atomic"
)

// An AddressSpace is the memory map as one initiator sees it: the harts, or a
// device that does DMA.
type AddressSpace struct {
	m    *Map
	name string
	view atomic.Pointer[view] // published like the flat views themselves

	// Guarded by the BQL.
	root      *Region
	queued    bool  // on m.resolve
	other     *view // inside Commit: the next view, then the one before
	listeners []*Listener
}

// A Listener hears about changes of an address space: after they are
// published, under the BQL, first what went, then what came, then Commit once.
// Functions may be nil; they must not change the map.
type Listener struct {
	Removed func(r Range)
	Added   func(r Range)
	Commit  func()
}

// NewAddressSpace returns a view of the map from root. name is for people.
func (m *Map) NewAddressSpace(name string, root *Region) *AddressSpace {
	m.bql.AssertHeld()
	as := &AddressSpace{m: m, name: name, root: root}
	root.spaces = append(root.spaces, as)
	m.spaces = append(m.spaces, as)
	seen := as.seen()
	as.view.Store(acquireView(seen))
	root.rest(seen)
	return as
}

// Close ends the address space. Nobody may access it any more, except readers
// that began before; its device keeps it for a grace period.
func (as *AddressSpace) Close() {
	as.m.bql.AssertHeld()
	as.root.spaces = deleteFirst(as.root.spaces, as)
	as.m.spaces = deleteFirst(as.m.spaces, as)
	as.m.resolve = deleteFirst(as.m.resolve, as)
	v := as.view.Load()
	v.users--
	as.m.retire(v)
}

func deleteFirst[T comparable](s []T, v T) []T {
	if i := slices.Index(s, v); i >= 0 {
		return slices.Delete(s, i, i+1)
	}
	return s
}

// Name returns the name the address space was made with.
func (as *AddressSpace) Name() string { return as.name }

// Root returns the region the address space shows.
func (as *AddressSpace) Root() *Region { return as.root }

// Flat returns the present flat view. The caller holds the BQL or is in an RCU
// read section, and uses the view no longer than that.
func (as *AddressSpace) Flat() *FlatView { return as.view.Load().flat.Load() }

// Listen adds a listener, which hears nothing of what is already there, and
// returns what removes it again.
func (as *AddressSpace) Listen(l Listener) (stop func()) {
	as.m.bql.AssertHeld()
	p := &l
	as.listeners = append(as.listeners, p)
	return func() { as.listeners = deleteFirst(as.listeners, p) }
}

// seen returns the region whose view shows the same as the root. Device after
// device has a root that is nothing but a window onto all of system memory;
// they share its view, and changes of it cost one splice and not one a device.
func (as *AddressSpace) seen() *Region {
	r := as.root
	if r.kind != Container || !r.enabled || len(r.children) != 1 {
		return r
	}
	c := r.children[0].r
	if c.kind != Alias || !c.enabled || c.addr != 0 || c.offset != 0 || c.last != r.last || c.target.last != r.last {
		return r
	}
	return c.target
}

// rest puts the alias under a root that shows the same as seen to sleep, if
// nothing else shows the root: the alias leaves its target's list, so that a
// change of system memory does not walk by every bus master. The root keeps it
// in mind, to wake it.
func (r *Region) rest(seen *Region) {
	if seen != r && r.view == nil && r.parent == nil && len(r.aliases) == 0 && r.asleep == nil {
		r.asleep = r.children[0].r
		seen.aliases = deleteFirst(seen.aliases, r.asleep)
	}
}

// wake undoes the sleep of r's alias, if any.
func (r *Region) wake() {
	if a := r.asleep; a != nil {
		r.asleep = nil
		a.target.aliases = append(a.target.aliases, a)
	}
}

// choose makes the address space a user of the view that its root now shows,
// which may be the one it has.
func (as *AddressSpace) choose() {
	as.root.wake()
	as.other = acquireView(as.seen())
	as.view.Load().users--
}

// move publishes the view that was chosen; the one it had is then the other.
func (as *AddressSpace) move(told []change) []change {
	old, v := as.view.Load(), as.other
	if old != v && len(as.listeners) > 0 {
		told = append(told, change{as, old.flat.Load().Ranges(), v.flat.Load().Ranges()})
	}
	as.view.Store(v)
	as.other = old
	return told
}

// settle ends the move.
func (as *AddressSpace) settle() {
	as.m.retire(as.other)
	as.other, as.queued = nil, false
	as.root.rest(as.view.Load().root)
}

// change is what listeners of an address space are to be told.
type change struct {
	as             *AddressSpace
	removed, added []Range
}

// listening appends a change for every address space on v that has listeners.
func (m *Map) listening(told []change, v *view, removed, added []Range) []change {
	for _, as := range m.spaces {
		if len(as.listeners) > 0 && as.view.Load() == v {
			told = append(told, change{as, removed, added})
		}
	}
	return told
}

func (c *change) tell() {
	for _, l := range slices.Clone(c.as.listeners) {
		for _, r := range c.removed {
			if l.Removed != nil {
				l.Removed(r)
			}
		}
		for _, r := range c.added {
			if l.Added != nil {
				l.Added(r)
			}
		}
		if l.Commit != nil {
			l.Commit()
		}
	}
}
