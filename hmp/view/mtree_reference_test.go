package view

import (
	"io"
	"strings"
	"testing"
)

func TestMTreeReferences(t *testing.T) {
	for _, name := range []string{"mtree", "mtree-guest"} {
		t.Run(name, func(t *testing.T) {
			text := reference(t, name)
			spaces := readSpaces(t, text)
			same(t, text, func(w io.Writer) { PrintMTree(w, spaces, MTreeOptions{}) })
		})
	}
}

// readSpaces rebuilds the regions. A region that is an alias's target is the
// one that the reference lists as a memory-region under the same name; the
// bus-master alias of a device that may not master the bus is disabled, hence
// not listed, but its target is.
func readSpaces(t *testing.T, text string) (spaces []AddressSpace) {
	c := walk(t, text)
	targets := make(map[string]*Region)
	aliases := make(map[*Region]string)
	for len(c.lines) > 0 {
		var s AddressSpace
		for c.take(`address-space: (.*)`) {
			s.Names = append(s.Names, c.match[1])
		}
		target := ""
		if len(s.Names) == 0 {
			c.must(`memory-region: (.*)`)
			target = c.match[1]
		}
		s.Root = readRegion(c, "  ", 0, aliases)
		c.must("")
		if target != "" {
			targets[target] = s.Root
		} else {
			spaces = append(spaces, s)
		}
	}
	for region, target := range aliases {
		if region.Alias = targets[target]; region.Alias == nil {
			t.Fatalf("%s is an alias of %s, which is not listed", region.Name, target)
		}
	}
	return spaces
}

const rangePattern = `([0-9a-f]{16})-([0-9a-f]{16}) \(prio (\d+), (.*)\): `

func readRegion(c *cursor, indent string, base uint64, aliases map[*Region]string) *Region {
	c.must(indent + rangePattern + `(.*)`)
	first, last := c.num(1, 16), c.num(2, 16)
	r := &Region{Addr: first - base, Last: last - first, Priority: c.int(3), Kind: c.match[4], Name: c.match[5]}
	if rest, ok := strings.CutPrefix(r.Name, "alias "); ok {
		name, target, _ := strings.Cut(rest, " @")
		target, offsets, _ := strings.Cut(target, " ")
		c.match[0], _, _ = strings.Cut(offsets, "-")
		r.Name, r.AliasOffset = name, c.num(0, 16)
		aliases[r] = target
	}
	for len(c.lines) > 0 && strings.HasPrefix(c.lines[0], indent+"  ") {
		r.Subregions = append(r.Subregions, readRegion(c, indent+"  ", first, aliases))
	}
	if r.Name == "bus master container" && len(r.Subregions) == 0 {
		off := &Region{Name: "bus master", Last: r.Last, Disabled: true}
		aliases[off] = "system"
		r.Subregions = []*Region{off}
	}
	// The order of the children is the printer's to find.
	for i, j := 0, len(r.Subregions)-1; i < j; i, j = i+1, j-1 {
		if r.Subregions[i].Addr != r.Subregions[j].Addr {
			r.Subregions[i], r.Subregions[j] = r.Subregions[j], r.Subregions[i]
		}
	}
	return r
}

func TestFlatViewReferences(t *testing.T) {
	for _, name := range []string{"mtree-f", "mtree-f-guest"} {
		t.Run(name, func(t *testing.T) {
			text := reference(t, name)
			c := walk(t, text)
			var views []FlatView
			for len(c.lines) > 0 {
				views = append(views, readFlatView(c))
			}
			same(t, text, func(w io.Writer) { PrintFlatViews(w, views, false) })
		})
	}
}

func readFlatView(c *cursor) (v FlatView) {
	c.must(`FlatView #(\d+)`)
	for c.take(` AS "(.*)", root: (.*)`) {
		v.Spaces = append(v.Spaces, FlatSpace{Name: c.match[1], Root: c.match[2]})
	}
	c.must(` Root memory region: (.*)`)
	if v.Root = c.match[1]; v.Root == "(none)" {
		v.Root = ""
	}
	c.take(`  No rendered FlatView`)
	for c.take(`  ` + rangePattern + `(.*?)(?: @([0-9a-f]{16}))?`) {
		r := FlatRange{First: c.num(1, 16), Last: c.num(2, 16), Priority: c.int(3), Kind: c.match[4], Name: c.match[5]}
		if c.match[6] != "" {
			r.Offset = c.num(6, 16)
		}
		v.Ranges = append(v.Ranges, r)
	}
	c.must("")
	return v
}
