package monitor

import (
	"fmt"

	"github.com/backplane-vm/backplane/internal/block"
	"github.com/backplane-vm/backplane/internal/block/qcow2"
	"github.com/backplane-vm/backplane/qapi/api"
	"github.com/backplane-vm/backplane/qapi/qobject"
	"github.com/backplane-vm/backplane/qmp"
)

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

// QueryBlockstats tells what devices asked of their disks. Nodes by themselves
// count nothing but how far writes went.
func (h *handlers) QueryBlockstats(_ *qmp.Call, args *api.QueryBlockstatsArgs) ([]api.BlockStats, error) {
	list := []api.BlockStats{}
	nodes := h.m.Blocks.Nodes()
	if value(args.QueryNodes) {
		for i := len(nodes) - 1; i >= 0; i-- { // newest first, as QEMU
			list = append(list, nodeStats(nodes[i]))
		}
		return list, nil
	}
	attached := make(map[string]bool)
	for _, b := range h.m.Blocks.Backends() {
		drive, path := b.Node().Drive(), b.Path()
		attached[drive] = true
		x := nodeStats(b.Node())
		x.Device, x.Qdev = &drive, &path
		addRequests(&x.Stats, b)
		list = append(list, x)
	}
	for _, n := range nodes { // drives that no device has
		if id := n.Drive(); id != "" && !attached[id] {
			x := nodeStats(n)
			x.Device, x.Stats.AccountInvalid, x.Stats.AccountFailed = &id, true, true
			list = append(list, x)
		}
	}
	return list, nil
}

func nodeStats(n *block.Node) api.BlockStats {
	name := n.Name()
	x := api.BlockStats{NodeName: &name, Stats: api.BlockDeviceStats{WrHighestOffset: n.HighestWrite(), TimedStats: []api.BlockDeviceTimedStats{}}}
	if n.Driver() == "file" { // no discards are passed on
		x.DriverSpecific = &api.BlockStatsSpecific{Driver: api.BlockdevDriverFile, File: &api.BlockStatsSpecificFile{}}
	}
	if file := n.File(); file != nil {
		parent := nodeStats(file)
		x.Parent = &parent
	}
	return x
}

func addRequests(x *api.BlockDeviceStats, b *block.Backend) {
	s := b.Stats()
	x.RdBytes, x.RdOperations, x.RdTotalTimeNs = s.Reads.Bytes, s.Reads.Operations, s.Reads.TimeNS
	x.FailedRdOperations, x.InvalidRdOperations = s.Reads.Failed, s.Reads.Invalid
	x.WrBytes, x.WrOperations, x.WrTotalTimeNs = s.Writes.Bytes, s.Writes.Operations, s.Writes.TimeNS
	x.FailedWrOperations, x.InvalidWrOperations = s.Writes.Failed, s.Writes.Invalid
	x.FlushOperations, x.FlushTotalTimeNs, x.FailedFlushOperations = s.Flushes.Operations, s.Flushes.TimeNS, s.Flushes.Failed
	x.AccountInvalid, x.AccountFailed = true, true
	if ns, ok := b.IdleNS(); ok {
		x.IdleTimeNs = &ns
	}
}

func nodeInfo(n *block.Node) api.BlockDeviceInfo {
	o, name := n.Options(), n.Name()
	actual := n.ActualSize()
	var clusterSize *int64
	if q, ok := n.Qcow2(); ok {
		clusterSize = &q.ClusterSize
	}
	return api.BlockDeviceInfo{
		File: nodeFilename(n), NodeName: &name, Ro: n.ReadOnly(), Drv: n.Driver(), Active: true,
		DetectZeroes: api.BlockdevDetectZeroesOptionsOff,
		Image: api.ImageInfo{
			Filename: nodeFilename(n), Format: n.Driver(), VirtualSize: n.Length(), ActualSize: &actual, ClusterSize: clusterSize,
			FormatSpecific: formatSpecific(n),
		},
		Cache: api.BlockdevCacheInfo{Writeback: true, Direct: o.Direct, NoFlush: o.NoFlush},
	}
}

func formatSpecific(n *block.Node) *api.ImageInfoSpecific {
	if q, ok := n.Qcow2(); ok {
		return qcow2Info(q)
	}
	if n.Driver() != "file" {
		return nil
	}
	return &api.ImageInfoSpecific{Type: api.ImageInfoSpecificKindFile, File: &api.ImageInfoSpecificFileWrapper{}}
}

func qcow2Info(q qcow2.Info) *api.ImageInfoSpecific {
	d := api.ImageInfoSpecificQCow2{
		Compat: "0.10", RefcountBits: int64(q.RefcountBits), CompressionType: api.Qcow2CompressionTypeZlib,
	}
	if no := false; q.Version >= 3 {
		d.Compat, d.ExtendedL2, d.LazyRefcounts, d.Corrupt = "1.1", &no, &q.LazyRefcounts, &q.Corrupt
	}
	return &api.ImageInfoSpecific{
		Type: api.ImageInfoSpecificKindQcow2, Qcow2: &api.ImageInfoSpecificQCow2Wrapper{Data: d},
	}
}

// nodeFilename is the name by which QEMU shows a node's image: a plain path
// where that says it all, else the options as JSON.
func nodeFilename(n *block.Node) string {
	o := n.Options()
	switch n.Driver() {
	case "file":
		return o.Filename
	case "qcow2":
		return nodeFilename(n.File())
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
