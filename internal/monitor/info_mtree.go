package monitor

import (
	"github.com/backplane-vm/backplane/hmp"
	"github.com/backplane-vm/backplane/hmp/view"
	"github.com/backplane-vm/backplane/internal/mem"
	"github.com/backplane-vm/backplane/internal/qdev"
	"github.com/backplane-vm/backplane/qapi/qerr"
)

func (h *handlers) infoMTree(call *hmp.Call, args *hmp.Args) error {
	owners := args.Bool("owner")
	switch flat := args.Bool("flatview"); {
	case flat && args.Bool("dispatch_tree"):
		return qerr.New("backplane finds regions in the flat view itself: there is no dispatch tree")
	case flat:
		view.PrintFlatViews(call, h.flatViews(), owners)
	default:
		view.PrintMTree(call, h.addressSpaces(), view.MTreeOptions{Owners: owners, Disabled: args.Bool("disabled")})
	}
	return nil
}

// regionOwners says whom a region belongs to. In QEMU one without owner is below
// /machine/unattached.
func regionOwners(o mem.Owner) []view.Owner {
	d, ok := o.(qdev.Device)
	switch {
	case o == nil:
		return []view.Owner{{Parent: true, Path: "/machine/unattached"}}
	case !ok:
		return nil
	}
	return []view.Owner{{Device: true, ID: d.Dev().ID(), Path: d.Dev().CanonicalPath()}}
}

func (h *handlers) flatViews() []view.FlatView {
	var list []view.FlatView
	for _, f := range h.m.Map.FlatViews() {
		v := view.FlatView{Root: f.Root}
		for _, s := range f.Spaces {
			v.Spaces = append(v.Spaces, view.FlatSpace{Name: s.Name, Root: s.Root})
		}
		for _, r := range f.Ranges {
			v.Ranges = append(v.Ranges, view.FlatRange{
				First: r.First, Last: r.Last, Priority: r.Priority, Kind: r.Type, Name: r.Name, Offset: r.Offset,
				Owners: regionOwners(r.Owner),
			})
		}
		list = append(list, v)
	}
	return list
}

// addressSpaces describes the trees of regions; spaces with one root share a
// tree.
func (h *handlers) addressSpaces() []view.AddressSpace {
	var list []view.AddressSpace
	at := make(map[*mem.Region]int)
	regions := make(map[*mem.Region]*view.Region)
	for _, as := range h.m.Map.Spaces() {
		i, ok := at[as.Root()]
		if !ok {
			i = len(list)
			at[as.Root()] = i
			list = append(list, view.AddressSpace{Root: viewRegion(as.Root(), regions)})
		}
		list[i].Names = append(list[i].Names, as.Name())
	}
	return list
}

// viewRegion describes r once; seen keeps what has been described, so that an
// alias and its target meet.
func viewRegion(r *mem.Region, seen map[*mem.Region]*view.Region) *view.Region {
	if v := seen[r]; v != nil {
		return v
	}
	v := &view.Region{
		Name: r.Name(), Kind: regionKind(r), Addr: r.Addr(), Last: r.Size() - 1,
		Priority: r.Priority(), Disabled: !r.Enabled(), Owners: regionOwners(r.Owner()),
	}
	if r.Size() == mem.Whole {
		v.Last = mem.Whole
	}
	seen[r] = v
	if target, offset := r.Target(); target != nil {
		v.Alias, v.AliasOffset = viewRegion(target, seen), offset
	}
	for _, c := range r.Children() {
		v.Subregions = append(v.Subregions, viewRegion(c, seen))
	}
	return v
}

func regionKind(r *mem.Region) string {
	if target, _ := r.Target(); target != nil {
		return regionKind(target)
	}
	switch r.Kind() {
	case mem.RAM:
		return "ram"
	case mem.ROM:
		return "rom"
	}
	return "i/o"
}
