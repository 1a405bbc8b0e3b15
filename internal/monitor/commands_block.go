package monitor

import (
	"fmt"

	"github.com/backplane-vm/backplane/internal/block"
	"github.com/backplane-vm/backplane/qapi/api"
	"github.com/backplane-vm/backplane/qapi/qerr"
	"github.com/backplane-vm/backplane/qapi/qobject"
	"github.com/backplane-vm/backplane/qmp"
)

func (h *handlers) BlockdevAdd(_ *qmp.Call, args *api.BlockdevOptions) error {
	return AddNode(h.m.Blocks, args)
}

func (h *handlers) BlockdevDel(_ *qmp.Call, args *api.BlockdevDelArgs) error {
	return h.m.Blocks.Delete(args.NodeName)
}

// AddNode makes the node that o describes: what blockdev-add and -blockdev do.
// The caller holds the BQL. Options that have no effect here are refused.
func AddNode(g *block.Graph, o *api.BlockdevOptions) error {
	opts, err := nodeOptions(o)
	if err != nil {
		return err
	}
	_, err = g.Add(*opts)
	return err
}

// AddDrive makes the node of a -drive with the given id.
func AddDrive(g *block.Graph, id string, o *api.BlockdevOptions) error {
	opts, err := nodeOptions(o)
	if err != nil {
		return err
	}
	_, err = g.AddDrive(id, *opts)
	return err
}

func nodeOptions(o *api.BlockdevOptions) (*block.Options, error) {
	opts := &block.Options{
		Driver: string(o.Driver), NodeName: value(o.NodeName),
		ReadOnly: value(o.ReadOnly), AutoReadOnly: value(o.AutoReadOnly),
	}
	if c := o.Cache; c != nil {
		opts.Direct, opts.NoFlush = value(c.Direct), value(c.NoFlush)
	}
	switch {
	case o.Discard != nil && *o.Discard != api.BlockdevDiscardOptionsIgnore:
		return nil, unsupported("discard")
	case o.DetectZeroes != nil && *o.DetectZeroes != api.BlockdevDetectZeroesOptionsOff:
		return nil, unsupported("detect-zeroes")
	case value(o.ForceShare):
		return nil, unsupported("force-share")
	case o.Active != nil && !*o.Active:
		return nil, unsupported("active")
	case o.File != nil:
		return opts, fileOptions(opts, o.File)
	case o.NullCo != nil:
		return opts, nullOptions(opts, o.NullCo)
	case o.Raw != nil:
		return opts, rawOptions(opts, o.Raw)
	}
	return opts, nil
}

func fileOptions(opts *block.Options, f *api.BlockdevOptionsFile) error {
	switch {
	case f.PrManager != nil:
		return unsupported("pr-manager")
	case f.Aio != nil && *f.Aio != api.BlockdevAioOptionsThreads:
		return unsupported("aio")
	case value(f.XCheckCacheDropped):
		return unsupported("x-check-cache-dropped")
	}
	opts.Filename = f.Filename
	if f.Locking != nil {
		opts.Locking = string(*f.Locking)
	}
	return nil
}

func nullOptions(opts *block.Options, n *api.BlockdevOptionsNull) error {
	opts.Size, opts.ReadZeroes = value(n.Size), value(n.ReadZeroes)
	if ns := value(n.LatencyNs); ns > maxLatency {
		return qerr.New("latency-ns is invalid")
	} else {
		opts.LatencyNS = int64(ns)
	}
	return nil
}

// maxLatency is the largest latency-ns: QEMU takes what fits a signed number.
const maxLatency = 1<<63 - 1

func rawOptions(opts *block.Options, r *api.BlockdevOptionsRaw) error {
	opts.Offset, opts.Size = value(r.Offset), value(r.Size)
	if r.File.Reference != nil {
		opts.FileRef = *r.File.Reference
		return nil
	}
	child, err := nodeOptions(r.File.Definition)
	opts.File = child
	return err
}

func unsupported(param string) error {
	return qerr.New("Parameter '%s' is not supported by this build", param)
}

// value is *p, or zero for nil.
func value[T any](p *T) (v T) {
	if p != nil {
		v = *p
	}
	return v
}

func (h *handlers) QueryNamedBlockNodes(*qmp.Call, *api.QueryNamedBlockNodesArgs) ([]api.BlockDeviceInfo, error) {
	nodes := h.m.Blocks.Nodes()
	list := make([]api.BlockDeviceInfo, 0, len(nodes))
	for i := len(nodes) - 1; i >= 0; i-- { // newest first, as QEMU
		list = append(list, nodeInfo(nodes[i]))
	}
	return list, nil
}

func (h *handlers) QueryBlock(*qmp.Call) ([]api.BlockInfo, error) {
	list := []api.BlockInfo{}
	attached := make(map[string]bool)
	for _, b := range h.m.Blocks.Backends() {
		attached[b.Node().Drive()] = true
		path, status, info := b.Path(), api.BlockDeviceIoStatusOk, nodeInfo(b.Node())
		list = append(list, api.BlockInfo{
			Device: b.Node().Drive(), Qdev: &path, Type: "unknown", IoStatus: &status, Inserted: &info,
		})
	}
	for _, n := range h.m.Blocks.Nodes() { // drives that no device has
		if id := n.Drive(); id != "" && !attached[id] {
			info := nodeInfo(n)
			list = append(list, api.BlockInfo{Device: id, Type: "unknown", Inserted: &info})
		}
	}
	return list, nil
}

func nodeInfo(n *block.Node) api.BlockDeviceInfo {
	o, name := n.Options(), n.Name()
	actual := n.ActualSize()
	return api.BlockDeviceInfo{
		File: nodeFilename(n), NodeName: &name, Ro: n.ReadOnly(), Drv: n.Driver(), Active: true,
		DetectZeroes: api.BlockdevDetectZeroesOptionsOff,
		Image: api.ImageInfo{
			Filename: nodeFilename(n), Format: n.Driver(), VirtualSize: n.Length(), ActualSize: &actual,
			FormatSpecific: formatSpecific(n),
		},
		Cache: api.BlockdevCacheInfo{Writeback: true, Direct: o.Direct, NoFlush: o.NoFlush},
	}
}

func formatSpecific(n *block.Node) *api.ImageInfoSpecific {
	if n.Driver() != "file" {
		return nil
	}
	return &api.ImageInfoSpecific{Type: api.ImageInfoSpecificKindFile, File: &api.ImageInfoSpecificFileWrapper{}}
}

// nodeFilename is the name by which QEMU shows a node's image: a plain path
// where that says it all, else the options as JSON.
func nodeFilename(n *block.Node) string {
	o := n.Options()
	switch n.Driver() {
	case "file":
		return o.Filename
	case "raw":
		if o.Offset == 0 && o.Size == 0 {
			return nodeFilename(n.File())
		}
	}
	d := qobject.NewDict()
	d.Set("driver", o.Driver)
	switch n.Driver() {
	case "null-co":
		if o.Size != 0 {
			d.Set("size", o.Size)
		}
		if o.LatencyNS != 0 {
			d.Set("latency-ns", o.LatencyNS)
		}
		if o.ReadZeroes {
			d.Set("read-zeroes", true)
		}
		if d.Len() == 1 {
			return "null-co://"
		}
	case "raw":
		d.Set("offset", o.Offset)
		d.Set("size", o.Size)
		d.Set("file", nodeFilename(n.File()))
	}
	return fmt.Sprintf("json:%s", qobject.Append(nil, d))
}
