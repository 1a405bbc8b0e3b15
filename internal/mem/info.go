package mem

import (
	"cmp"
	"slices"
)

// Node is a region as `info mtree` shows it: plain data, taken under the BQL
// and printable without it. Addresses are absolute in the tree they are in.
type Node struct {
	Name        string
	Type        string // "i/o", "ram", "rom"
	First, Last uint64
	Priority    int
	Enabled     bool
	Target      string // the region an alias shows; "" for others
	TargetFirst uint64 // what of it
	TargetLast  uint64
	Children    []Node // by address, then by falling priority
}

// Tree is one heading of `info mtree`. Spaces that have the same root stand
// above one tree.
type Tree struct {
	Spaces []string
	Root   Node
}

// FlatInfo is one view of `info mtree -f`.
type FlatInfo struct {
	Spaces []SpaceInfo
	Root   string // the region rendered
	Ranges []FlatRange
}

// SpaceInfo names an address space and its root region.
type SpaceInfo struct{ Name, Root string }

// FlatRange is one line of a [FlatInfo].
type FlatRange struct {
	First, Last uint64
	Priority    int
	Type        string
	Name        string
	Offset      uint64
}

// typeName returns the word that QEMU's mtree has for a region's kind.
func (r *Region) typeName() string {
	switch r.kind {
	case RAM:
		return "ram"
	case ROM:
		return "rom"
	}
	return "i/o"
}

// Trees returns the trees under all address spaces, newest first, and the
// regions that are only reached through aliases.
func (m *Map) Trees() (spaces []Tree, aliased []Node) {
	var order []*Region
	trees := make(map[*Region]int)
	seen := make(map[*Region]bool)
	for _, as := range slices.Backward(m.spaces) {
		i, ok := trees[as.root]
		if !ok {
			i = len(spaces)
			trees[as.root] = i
			spaces = append(spaces, Tree{Root: as.root.node(0, &order)})
		}
		spaces[i].Spaces = append(spaces[i].Spaces, as.name)
	}
	for i := 0; i < len(order); i++ {
		if r := order[i]; !seen[r] {
			seen[r] = true
			aliased = append(aliased, r.node(0, &order))
		}
	}
	return spaces, aliased
}

// node describes r at base and notes in aliased the targets of aliases met.
func (r *Region) node(base uint64, aliased *[]*Region) Node {
	n := Node{Name: r.name, Type: r.typeName(), First: base, Last: addSat(base, r.last), Priority: r.prio, Enabled: r.enabled}
	if t := r.target; t != nil {
		n.Type = t.typeName()
		n.Target, n.TargetFirst, n.TargetLast = t.name, r.offset, addSat(r.offset, r.last)
		*aliased = append(*aliased, t)
	}
	for _, c := range r.children {
		n.Children = append(n.Children, c.r.node(base+c.first, aliased))
	}
	slices.SortStableFunc(n.Children, func(a, b Node) int {
		return cmp.Or(cmp.Compare(a.First, b.First), cmp.Compare(b.Priority, a.Priority))
	})
	return n
}

// FlatViews returns all rendered views with the address spaces on each.
func (m *Map) FlatViews() []FlatInfo {
	var out []FlatInfo
	at := make(map[*view]int)
	for _, as := range m.spaces {
		v := as.view.Load()
		i, ok := at[v]
		if !ok {
			i = len(out)
			at[v] = i
			out = append(out, FlatInfo{Root: v.root.name, Ranges: v.flat.Load().describe()})
		}
		out[i].Spaces = append(out[i].Spaces, SpaceInfo{as.name, as.root.name})
	}
	return out
}

func (f *FlatView) describe() []FlatRange {
	ranges := f.Ranges()
	out := make([]FlatRange, len(ranges))
	for i, r := range ranges {
		out[i] = FlatRange{r.First, r.Last, r.Region.prio, r.Region.typeName(), r.Region.name, r.Offset}
	}
	return out
}

// Spaces returns all address spaces, the newest first. The caller holds the
// BQL.
func (m *Map) Spaces() []*AddressSpace {
	spaces := slices.Clone(m.spaces)
	slices.Reverse(spaces)
	return spaces
}

// Children returns what sits in r, by falling priority.
func (r *Region) Children() []*Region {
	list := make([]*Region, len(r.children))
	for i, c := range r.children {
		list[i] = c.r
	}
	return list
}
