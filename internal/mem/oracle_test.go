package mem

import (
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// oracle answers for one address by walking the tree from the definition: the
// first child that shows something there, else the region itself.
func oracle(r *Region, off uint64) (*Region, uint64) {
	if !r.enabled || off > r.last {
		return nil, 0
	}
	if r.kind == Alias {
		return oracle(r.target, off+r.offset)
	}
	for _, c := range r.children {
		if off >= c.r.addr {
			if hit, at := oracle(c.r, off-c.r.addr); hit != nil {
				return hit, at
			}
		}
	}
	if r.kind == Container {
		return nil, 0
	}
	return r, off
}

// world is a small random map: addresses below 128, so that all of them can be
// checked against the oracle.
type world struct {
	*rig
	spaces     []*AddressSpace
	containers []*Region // an alias or a child is only ever put in an earlier one: no cycles
	leaves     []*Region
	owners     []*device
	heard      map[*AddressSpace][]Range
}

func newWorld(t testing.TB) *world {
	w := &world{rig: newRig(t), heard: make(map[*AddressSpace][]Range)}
	for i := range 4 {
		c := w.Container(nil, fmt.Sprint("c", i), 128-uint64(i/3))
		w.containers = append(w.containers, c)
	}
	for i := range 3 {
		as := w.NewAddressSpace(fmt.Sprint("as", i), w.containers[i])
		w.spaces = append(w.spaces, as)
		as.Listen(Listener{
			Added: func(r Range) { w.heard[as] = append(w.heard[as], r) },
			Removed: func(r Range) {
				at := slices.Index(w.heard[as], r)
				w.heard[as] = slices.Delete(w.heard[as], at, at+1)
			},
		})
	}
	return w
}

func (w *world) step(t *rapid.T) {
	n := func(label string, hi int) int { return rapid.IntRange(0, hi).Draw(t, label) }
	if len(w.leaves) == 0 || n("new", 3) == 0 {
		w.addLeaf(n)
		return
	}
	if n("container", 9) == 0 {
		c := w.containers[n("which", len(w.containers)-1)]
		if n("size or not", 1) == 0 {
			c.SetSize(uint64(1 + n("size", 127)))
		} else {
			c.SetEnabled(!c.enabled)
		}
		return
	}
	r := w.leaves[n("leaf", len(w.leaves)-1)]
	switch n("change", 4) {
	case 0:
		r.SetEnabled(!r.enabled)
	case 1:
		r.SetAddr(uint64(n("addr", 120)))
	case 2:
		r.SetSize(uint64(1 + n("size", 60)))
	case 3:
		if r.kind == Alias {
			r.SetOffset(uint64(n("offset", 100)))
		}
	case 4:
		r.parent.Remove(r)
		w.leaves = slices.DeleteFunc(w.leaves, func(l *Region) bool { return l == r })
	}
}

func (w *world) addLeaf(n func(string, int) int) {
	in, size := n("in", len(w.containers)-2), uint64(1+n("size", 127))
	d := &device{}
	w.owners = append(w.owners, d)
	r := w.IO(d, fmt.Sprint("io", len(w.owners)), size, &Ops{})
	addr := uint64(n("addr", 120))
	if n("alias", 1) == 0 {
		of, offset := w.containers[in+1+n("of", len(w.containers)-in-2)], uint64(n("offset", 100))
		if n("whole", 1) == 0 { // what a bus master's window looks like
			addr, offset, size = 0, 0, of.Size()
		}
		r = w.Alias(nil, "alias", of, offset, size)
	}
	w.containers[in].AddOverlap(addr, r, n("prio", 2))
	w.leaves = append(w.leaves, r)
}

func (w *world) check(t *rapid.T) {
	for _, as := range w.spaces {
		f := as.Flat()
		for addr := range uint64(140) {
			want, off := oracle(as.root, addr)
			got := f.Find(addr)
			switch {
			case (got == nil) != (want == nil):
				t.Fatalf("%s: at %d %v, want %v\n%s", as.name, addr, got, want, show(as))
			case got != nil && (got.Region != want || addr-got.First+got.Offset != off):
				t.Fatalf("%s: at %d %s+%d, want %s+%d\n%s", as.name, addr, got.Region.name, addr-got.First+got.Offset, want.name, off, show(as))
			}
		}
		var joined []Range
		for _, r := range f.Ranges() {
			joined = join(joined, r)
		}
		if !slices.Equal(joined, f.Ranges()) {
			t.Fatalf("%s: ranges not joined\n%s", as.name, show(as))
		}
		heard := slices.Clone(w.heard[as])
		slices.SortFunc(heard, func(a, b Range) int { return int(a.First) - int(b.First) })
		if !slices.Equal(heard, f.Ranges()) {
			t.Fatalf("%s: the listener has %v, the view\n%s", as.name, heard, show(as))
		}
	}
}

// checkRefs compares every owner's references with the ranges of live views.
func (w *world) checkRefs(t *rapid.T) {
	w.rcu.run()
	want := make(map[Owner]int)
	views := make(map[*view]bool)
	for _, as := range w.spaces {
		if v := as.view.Load(); !views[v] {
			views[v] = true
			for _, r := range v.flat.Load().Ranges() {
				want[r.Region.owner]++
			}
		}
	}
	for i, d := range w.owners {
		if d.refs != want[d] {
			t.Fatalf("owner %d has %d references, want %d", i, d.refs, want[d])
		}
	}
}

func TestViewsAgreeWithTree(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		w := newWorld(t)
		for range rapid.IntRange(1, 12).Draw(rt, "transactions") {
			w.Begin()
			for range rapid.IntRange(1, 5).Draw(rt, "steps") {
				w.step(rt)
			}
			w.Commit()
			w.check(rt)
			w.checkRefs(rt)
		}
	})
}

// TestChunks splices views of many ranges, so that chunks fill, split and join.
func TestChunks(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		m := newRig(t)
		sys := m.Container(nil, "system", Whole)
		as := m.NewAddressSpace("memory", sys)
		const slots = 400
		in := make([]*Region, slots)
		m.Begin()
		for i := range in {
			in[i] = m.IO(nil, fmt.Sprint("io", i), 8, &Ops{})
			in[i].SetEnabled(i%3 != 0)
			sys.Add(uint64(i)*10, in[i])
		}
		m.Commit()
		for range rapid.IntRange(1, 20).Draw(rt, "transactions") {
			m.Begin()
			for range rapid.IntRange(1, 6).Draw(rt, "runs") {
				from, on := rapid.IntRange(0, slots-1).Draw(rt, "from"), rapid.Bool().Draw(rt, "on")
				for i := from; i < min(slots, from+rapid.IntRange(1, 150).Draw(rt, "length")); i++ {
					in[i].SetEnabled(on)
				}
			}
			m.Commit()
			f := as.Flat()
			for i, r := range in {
				got := f.Find(uint64(i)*10 + 3)
				if r.enabled != (got != nil) || (got != nil && got.Region != r) {
					rt.Fatalf("slot %d: %v, enabled %v", i, got, r.enabled)
				}
			}
			for i, c := range f.chunks {
				n := len(c.ranges)
				if n == 0 || n > chunkMax || c.last != c.ranges[n-1].Last || (n < chunkMin && len(f.chunks) > 1 && i > 0) {
					rt.Fatalf("chunk %d of %d has %d ranges and ends at %d", i, len(f.chunks), n, c.last)
				}
			}
		}
	})
}
