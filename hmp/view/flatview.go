package view

import (
	"fmt"
	"io"
)

// FlatView is a rendered memory map, which several address spaces may share.
type FlatView struct {
	Spaces []FlatSpace
	// Root is the name of the region rendered, empty for an empty view that
	// has none.
	Root   string
	Ranges []FlatRange
}

// FlatSpace is an address space that uses a view.
type FlatSpace struct {
	Name string
	// Root is the space's root region, and Alias what that is an alias of,
	// if it is one.
	Root, Alias string
}

// FlatRange is a part of a view that one region serves.
type FlatRange struct {
	First, Last uint64
	Priority    int
	Kind        string // as in Region
	NonVolatile bool
	Name        string // the region's
	Offset      uint64 // where in the region the range begins
	Owners      []Owner
}

// PrintFlatViews writes what info mtree -f shows; owners adds the owners (-o).
func PrintFlatViews(w io.Writer, views []FlatView, owners bool) {
	for i := range views {
		fmt.Fprintf(w, "FlatView #%d\n", i)
		views[i].print(w, owners)
	}
}

func (v *FlatView) print(w io.Writer, owners bool) {
	for _, s := range v.Spaces {
		fmt.Fprintf(w, " AS \"%s\", root: %s", s.Name, s.Root)
		if s.Alias != "" {
			fmt.Fprintf(w, ", alias %s", s.Alias)
		}
		fmt.Fprint(w, "\n")
	}
	root := v.Root
	if root == "" {
		root = "(none)"
	}
	fmt.Fprintf(w, " Root memory region: %s\n", root)
	if len(v.Ranges) == 0 {
		fmt.Fprint(w, "  No rendered FlatView\n")
	}
	for _, r := range v.Ranges {
		r.print(w, owners)
	}
	fmt.Fprint(w, "\n")
}

func (r *FlatRange) print(w io.Writer, owners bool) {
	fmt.Fprintf(w, "  %016x-%016x (prio %d, %s%s): %s", r.First, r.Last, r.Priority, nonVolatile(r.NonVolatile), r.Kind, r.Name)
	if r.Offset != 0 {
		fmt.Fprintf(w, " @%016x", r.Offset)
	}
	if owners {
		fmt.Fprint(w, ownersText(r.Owners))
	}
	fmt.Fprint(w, "\n")
}
