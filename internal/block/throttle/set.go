package throttle

import "github.com/backplane-vm/backplane/qapi/qerr"

// A Set is the groups of a machine, by name. A group is there for as long as
// an object stands for it or it has members.
type Set struct {
	clock  Clock
	groups map[string]*Group
}

// NewSet returns an empty set whose groups tell the time by clock.
func NewSet(clock Clock) *Set { return &Set{clock: clock, groups: make(map[string]*Group)} }

// Lookup returns the group of that name, or nil.
func (s *Set) Lookup(name string) *Group { return s.groups[name] }

// New makes a group that stays until [Group.Disown].
func (s *Set) New(name string) (*Group, error) {
	if s.groups[name] != nil {
		return nil, qerr.New("A group with this name already exists")
	}
	g := newGroup(s, name)
	g.owned = true
	s.groups[name] = g
	return g, nil
}

// Find returns the group of that name, made for members to join if there is
// none.
func (s *Set) Find(name string) *Group {
	g := s.groups[name]
	if g == nil {
		g = newGroup(s, name)
		s.groups[name] = g
	}
	return g
}

// Disown says that no object stands for the group any more.
func (g *Group) Disown() {
	g.owned = false
	g.set.tidy(g)
}

// tidy forgets a group that nobody needs.
func (s *Set) tidy(g *Group) {
	if !g.owned && len(g.members) == 0 && s.groups[g.name] == g {
		delete(s.groups, g.name)
	}
}
