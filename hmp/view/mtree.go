package view

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
)

// Region is a memory region in the tree that info mtree shows.
type Region struct {
	Name string
	// Kind is "i/o", "ram", "rom", "romd" or "ramd".
	Kind string
	// Addr is where the region lies in the one that contains it.
	Addr uint64
	// Last is the size less one, so that a region may fill 64 bits; 0 also
	// for a region of size 0.
	Last                  uint64
	Priority              int
	Disabled, NonVolatile bool
	// Alias is the region that this one is a window on, from AliasOffset.
	Alias       *Region
	AliasOffset uint64
	Subregions  []*Region
	Owners      []Owner
}

// Owner is an object that a region belongs to.
type Owner struct {
	// Parent tells the region's QOM parent from its owner proper. The parent
	// is listed only if it is another object.
	Parent bool
	Device bool // a device, else another kind of object
	// ID is a device's id. Without one Path, the object's canonical path,
	// is shown, and without that its Type.
	ID, Path, Type string
}

// AddressSpace is a tree and the address spaces, by name, that have it.
type AddressSpace struct {
	Names []string
	Root  *Region
}

// MTreeOptions are the switches of info mtree that apply to the trees.
type MTreeOptions struct {
	Owners   bool // -o
	Disabled bool // -D: show disabled regions too
}

// PrintMTree writes the trees of the address spaces in the order given, names
// of one space sorted, and after them the trees of all regions that have an
// alias, in the order in which they were met.
func PrintMTree(w io.Writer, spaces []AddressSpace, opt MTreeOptions) {
	t := treePrinter{w: w, opt: opt, known: make(map[*Region]bool)}
	for _, s := range spaces {
		for _, name := range slices.Sorted(slices.Values(s.Names)) {
			fmt.Fprintf(w, "address-space: %s\n", name)
		}
		t.region(s.Root, 1, 0)
		fmt.Fprint(w, "\n")
	}
	for i := 0; i < len(t.aliased); i++ { // grows while it is printed
		fmt.Fprintf(w, "memory-region: %s\n", t.aliased[i].Name)
		t.region(t.aliased[i], 1, 0)
		fmt.Fprint(w, "\n")
	}
}

type treePrinter struct {
	w       io.Writer
	opt     MTreeOptions
	aliased []*Region // targets of aliases met so far
	known   map[*Region]bool
}

func (t *treePrinter) region(r *Region, level int, base uint64) {
	first := base + r.Addr
	last := first + r.Last
	if first < base || last < first {
		fmt.Fprint(t.w, "[DETECTED OVERFLOW!] ")
	}
	if r.Alias != nil && !t.known[r.Alias] {
		t.known[r.Alias] = true
		t.aliased = append(t.aliased, r.Alias)
	}
	if !r.Disabled || t.opt.Disabled {
		fmt.Fprintf(t.w, "%s%016x-%016x %s%s\n", strings.Repeat("  ", level), first, last, r.text(), t.owners(r))
	}
	for _, sub := range byAddress(r.Subregions) {
		t.region(sub, level+1, first)
	}
}

func (r *Region) text() string {
	text := fmt.Sprintf("(prio %d, %s%s): ", r.Priority, nonVolatile(r.NonVolatile), r.Kind)
	if r.Alias != nil {
		text += fmt.Sprintf("alias %s @%s %016x-%016x", r.Name, r.Alias.Name, r.AliasOffset, r.AliasOffset+r.Last)
	} else {
		text += r.Name
	}
	if r.Disabled {
		text += " [disabled]"
	}
	return text
}

func nonVolatile(yes bool) string {
	if yes {
		return "nv-"
	}
	return ""
}

func (t *treePrinter) owners(r *Region) string {
	if !t.opt.Owners {
		return ""
	}
	return ownersText(r.Owners)
}

func ownersText(owners []Owner) string {
	if len(owners) == 0 {
		return " orphan"
	}
	var b strings.Builder
	for _, o := range owners {
		b.WriteString(o.text())
	}
	return b.String()
}

func (o Owner) text() string {
	label, kind := "owner", "obj"
	if o.Parent {
		label = "parent"
	}
	if o.Device {
		kind = "dev"
	}
	which := " type=" + o.Type
	switch {
	case o.Device && o.ID != "":
		which = " id=" + o.ID
	case o.Path != "":
		which = " path=" + o.Path
	}
	return fmt.Sprintf(" %s:{%s%s}", label, kind, which)
}

// byAddress sorts regions by where they begin; of several at one place the one
// that hides the others comes first.
func byAddress(regions []*Region) []*Region {
	sorted := slices.Clone(regions)
	slices.SortStableFunc(sorted, func(a, b *Region) int {
		return cmp.Or(cmp.Compare(a.Addr, b.Addr), cmp.Compare(b.Priority, a.Priority))
	})
	return sorted
}
