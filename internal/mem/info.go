package mem

import "slices"

// FlatInfo is one view of `info mtree -f`: taken under the BQL.
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
	Owner       Owner // see [Region.Owner]
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
		out[i] = FlatRange{r.First, r.Last, r.Region.prio, r.Region.typeName(), r.Region.name, r.Offset, r.Region.owner}
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
