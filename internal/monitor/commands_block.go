package monitor

import (
	"fmt"

	"github.com/backplane-vm/backplane/internal/block"
	"github.com/backplane-vm/backplane/internal/block/qcow2"
	"github.com/backplane-vm/backplane/qapi/api"
	"github.com/backplane-vm/backplane/qapi/qobject"
	"github.com/backplane-vm/backplane/qmp"
)

func (h *handlers) QueryNamedBlockNodes(_ *qmp.Call, args *api.QueryNamedBlockNodesArgs) ([]api.BlockDeviceInfo, error) {
	nodes := h.m.Blocks.Nodes()
	list := make([]api.BlockDeviceInfo, 0, len(nodes))
	for i := len(nodes) - 1; i >= 0; i-- { // newest first, as QEMU
		info := nodeInfo(nodes[i])
		if value(args.Flat) {
			info.Image.BackingImage, info.BackingFileDepth = nil, 0
		}
		list = append(list, info)
	}
	return list, nil
}

func (h *handlers) QueryBlock(*qmp.Call) ([]api.BlockInfo, error) {
	list := []api.BlockInfo{}
	for _, b := range h.disks() {
		entry := api.BlockInfo{Device: b.Name(), Type: "unknown", Qdev: optional(b.Path()), Removable: removable(b)}
		if n := b.Node(); n != nil {
			info := nodeInfo(n)
			addLimits(&info, b.Limits())
			entry.Inserted = &info
		}
		if status := api.BlockDeviceIoStatus(b.IOStatus()); status != "" {
			entry.IoStatus = &status
		}
		list = append(list, entry)
	}
	return list, nil
}

// QueryBlockstats tells what devices asked of their disks. Nodes by themselves
// count nothing but how far writes went.
func (h *handlers) QueryBlockstats(_ *qmp.Call, args *api.QueryBlockstatsArgs) ([]api.BlockStats, error) {
	list := []api.BlockStats{}
	nodes := h.m.Blocks.Nodes()
	if value(args.QueryNodes) {
		for _, n := range nodes {
			list = append(list, nodeStats(n))
		}
		return list, nil
	}
	for _, b := range h.disks() {
		x := api.BlockStats{Stats: noStats()}
		if n := b.Node(); n != nil {
			x = nodeStats(n)
		}
		name := b.Name()
		x.Device, x.Stats.AccountInvalid, x.Stats.AccountFailed, x.Qdev = &name, true, true, optional(b.Path())
		addRequests(&x.Stats, b)
		list = append(list, x)
	}
	return list, nil
}

func nodeStats(n *block.Node) api.BlockStats {
	name := n.Name()
	x := api.BlockStats{NodeName: &name, Stats: noStats()}
	x.Stats.WrHighestOffset = n.HighestWrite()
	if n.Driver() == "file" { // no discards are passed on
		x.DriverSpecific = &api.BlockStatsSpecific{Driver: api.BlockdevDriverFile, File: &api.BlockStatsSpecificFile{}}
	}
	if file := n.File(); file != nil {
		parent := nodeStats(file)
		x.Parent = &parent
	}
	return x
}

func noStats() api.BlockDeviceStats {
	return api.BlockDeviceStats{TimedStats: []api.BlockDeviceTimedStats{}}
}

func addRequests(x *api.BlockDeviceStats, b *block.Backend) {
	s := b.Stats()
	x.RdBytes, x.RdOperations, x.RdTotalTimeNs = s.Reads.Bytes, s.Reads.Operations, s.Reads.TimeNS
	x.FailedRdOperations, x.InvalidRdOperations = s.Reads.Failed, s.Reads.Invalid
	x.WrBytes, x.WrOperations, x.WrTotalTimeNs = s.Writes.Bytes, s.Writes.Operations, s.Writes.TimeNS
	x.FailedWrOperations, x.InvalidWrOperations = s.Writes.Failed, s.Writes.Invalid
	x.FlushOperations, x.FlushTotalTimeNs, x.FailedFlushOperations = s.Flushes.Operations, s.Flushes.TimeNS, s.Flushes.Failed
	x.RdLatencyHistogram, x.WrLatencyHistogram = histogram(s.Reads.Latency), histogram(s.Writes.Latency)
	x.ZoneAppendLatencyHistogram, x.FlushLatencyHistogram = histogram(s.Appends), histogram(s.Flushes.Latency)
	if ns, ok := b.IdleNS(); ok {
		x.IdleTimeNs = &ns
	}
}

func nodeInfo(n *block.Node) api.BlockDeviceInfo {
	o, name := n.Options(), n.Name()
	return api.BlockDeviceInfo{
		File: nodeFilename(n), NodeName: &name, Ro: n.ReadOnly(), Drv: n.Driver(), Active: true,
		DetectZeroes: api.BlockdevDetectZeroesOptionsOff, BackingFileDepth: int64(filters(n)),
		Image: imageInfo(n), WriteThreshold: int64(n.WriteThreshold()),
		Cache: api.BlockdevCacheInfo{Writeback: true, Direct: o.Direct, NoFlush: o.NoFlush},
	}
}

// filters is how many nodes are below n that show through.
func filters(n *block.Node) (count int) {
	for ; isFilter(n); n = n.File() {
		count++
	}
	return count
}

func isFilter(n *block.Node) bool { return n.Driver() == "throttle" }

func imageInfo(n *block.Node) api.ImageInfo {
	actual := n.ActualSize()
	info := api.ImageInfo{
		Filename: nodeFilename(n), Format: n.Driver(), VirtualSize: n.Length(), ActualSize: &actual,
		FormatSpecific: formatSpecific(n),
	}
	if q, ok := n.Qcow2(); ok {
		info.ClusterSize = &q.ClusterSize
	}
	if isFilter(n) {
		below := imageInfo(n.File())
		info.BackingImage = &below
	}
	return info
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
	if n.Driver() == "null-co" && o.Size == 0 && o.LatencyNS == 0 && !o.ReadZeroes {
		return "null-co://"
	}
	return fmt.Sprintf("json:%s", qobject.Append(nil, nodeDict(n)))
}

// nodeDict is the options that make up a node's image.
func nodeDict(n *block.Node) *qobject.Dict {
	o := n.Options()
	d := qobject.NewDict()
	d.Set("driver", o.Driver)
	if file := n.File(); file != nil {
		d.Set("file", nodeDict(file))
	}
	switch n.Driver() {
	case "file":
		d.Set("filename", o.Filename)
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
	case "raw":
		if o.Offset != 0 {
			d.Set("offset", o.Offset)
		}
		if o.Size != 0 {
			d.Set("size", o.Size)
		}
	case "throttle":
		d.Set("throttle-group", o.ThrottleGroup)
	}
	return d
}
