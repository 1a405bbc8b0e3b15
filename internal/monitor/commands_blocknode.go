package monitor

import (
	"cmp"
	"slices"

	"github.com/backplane-vm/backplane/internal/block"
	"github.com/backplane-vm/backplane/internal/machine"
	"github.com/backplane-vm/backplane/qapi/api"
	"github.com/backplane-vm/backplane/qapi/qerr"
	"github.com/backplane-vm/backplane/qmp"
)

// BlockSetWriteThreshold has the next write beyond an offset of a node reported.
func (h *handlers) BlockSetWriteThreshold(_ *qmp.Call, args *api.BlockSetWriteThresholdArgs) error {
	n := h.m.Blocks.Lookup(args.NodeName)
	if n == nil {
		return qerr.New("Device '%s' not found", args.NodeName)
	}
	n.SetWriteThreshold(args.WriteThreshold)
	return nil
}

// BlockLatencyHistogramSet has requests counted by what they take.
func (h *handlers) BlockLatencyHistogramSet(_ *qmp.Call, args *api.BlockLatencyHistogramSetArgs) error {
	b, err := h.diskOf(args.Id)
	if err != nil {
		return err
	}
	if args.Boundaries == nil && args.BoundariesRead == nil && args.BoundariesWrite == nil &&
		args.BoundariesZap == nil && args.BoundariesFlush == nil {
		b.ClearHistograms()
		return nil
	}
	for _, x := range []struct {
		what       string
		boundaries []uint64
		set        func(*block.Histogram)
	}{
		{"read", args.BoundariesRead, func(made *block.Histogram) { b.SetHistograms(made, nil, nil, nil) }},
		{"write", args.BoundariesWrite, func(made *block.Histogram) { b.SetHistograms(nil, made, nil, nil) }},
		{"append write", args.BoundariesZap, func(made *block.Histogram) { b.SetHistograms(nil, nil, made, nil) }},
		{"flush", args.BoundariesFlush, func(made *block.Histogram) { b.SetHistograms(nil, nil, nil, made) }},
	} {
		if x.boundaries == nil {
			x.boundaries = args.Boundaries
		}
		if x.boundaries == nil {
			continue
		}
		made := block.NewHistogram(x.boundaries)
		if made == nil {
			return qerr.New("Device '%s' set %s boundaries fail", args.Id, x.what)
		}
		x.set(made)
	}
	return nil
}

func histogram(h *block.Histogram) *api.BlockLatencyHistogramInfo {
	if h == nil {
		return nil
	}
	return &api.BlockLatencyHistogramInfo{Boundaries: h.Boundaries, Bins: slices.Clone(h.Bins)}
}

// graph is x-debug-query-block-graph in the making.
type graph struct {
	api.XDbgBlockGraph
	numbers map[any]uint64
}

// number is the one by which a node or disk is known in the answer.
func (g *graph) number(of any) uint64 {
	if g.numbers[of] == 0 {
		g.numbers[of] = uint64(len(g.numbers) + 1)
	}
	return g.numbers[of]
}

func (g *graph) addNode(of any, typ api.XDbgBlockGraphNodeType, name string) {
	g.Nodes = append(g.Nodes, api.XDbgBlockGraphNode{Id: g.number(of), Type: typ, Name: name})
}

func (g *graph) addEdge(parent any, e block.Edge) {
	g.Edges = append(g.Edges, api.XDbgBlockGraphEdge{
		Parent: g.number(parent), Child: g.number(e.Child), Name: e.Role,
		Perm: permissions(e.Need), SharedPerm: permissions(e.Share),
	})
}

// permissions lists them from the last to the first, as QEMU does.
func permissions(p block.Perm) []api.BlockPermission {
	list := []api.BlockPermission{}
	for _, x := range []struct {
		bit  block.Perm
		name api.BlockPermission
	}{
		{block.Resize, api.BlockPermissionResize}, {block.WriteUnchanged, api.BlockPermissionWriteUnchanged},
		{block.Write, api.BlockPermissionWrite}, {block.ConsistentRead, api.BlockPermissionConsistentRead},
	} {
		if p&x.bit != 0 {
			list = append(list, x.name)
		}
	}
	return list
}

// XDebugQueryBlockGraph shows who uses whom, from the last to the first, as
// QEMU does.
func (h *handlers) XDebugQueryBlockGraph(*qmp.Call) (*api.XDbgBlockGraph, error) {
	g := &graph{numbers: make(map[any]uint64)}
	for _, b := range h.disks() {
		g.addNode(b, api.XDbgBlockGraphNodeTypeBlockBackend, cmp.Or(b.Name(), b.Path()))
		if e, ok := b.Edge(); ok {
			g.addEdge(b, e)
		}
	}
	for _, n := range h.m.Blocks.Nodes() {
		g.addNode(n, api.XDbgBlockGraphNodeTypeBlockDriver, n.Name())
		for _, e := range n.Edges() {
			g.addEdge(n, e)
		}
	}
	slices.Reverse(g.Nodes)
	slices.Reverse(g.Edges)
	return &g.XDbgBlockGraph, nil
}

// ioError puts the failure of a disk's request into QMP's form.
func ioError(e machine.IOError) qmp.Event {
	operation := api.IoOperationTypeRead
	if e.Write {
		operation = api.IoOperationTypeWrite
	}
	data := api.BlockIoErrorEvent{
		QomPath: e.Path, Device: e.Drive, NodeName: optional(e.Node), Operation: operation,
		Action: api.BlockErrorAction(e.Action), Reason: e.Reason,
	}
	if e.Stops {
		data.Nospace = &e.NoSpace
	}
	return api.EventBlockIoError(data)
}

// BlockdevOpenTray refuses: no device has a tray. A disk without a device is
// removable, and has nothing to open.
func (h *handlers) BlockdevOpenTray(_ *qmp.Call, args *api.BlockdevOpenTrayArgs) error {
	return h.tray(args.Device, args.Id)
}

// BlockdevCloseTray is BlockdevOpenTray's opposite.
func (h *handlers) BlockdevCloseTray(_ *qmp.Call, args *api.BlockdevCloseTrayArgs) error {
	return h.tray(args.Device, args.Id)
}

func (h *handlers) tray(device, id *string) error {
	b, err := h.findDisk(device, id)
	if err != nil {
		return err
	}
	return checkRemovable(b, device, id)
}
