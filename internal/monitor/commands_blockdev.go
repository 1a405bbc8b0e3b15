package monitor

import (
	"github.com/backplane-vm/backplane/aio"
	"github.com/backplane-vm/backplane/coro"
	"github.com/backplane-vm/backplane/internal/block"
	"github.com/backplane-vm/backplane/internal/mutant"
	"github.com/backplane-vm/backplane/qapi/api"
	"github.com/backplane-vm/backplane/qapi/qerr"
	"github.com/backplane-vm/backplane/qmp"
)

func (h *handlers) BlockdevAdd(co *coro.Co, _ *qmp.Call, args *api.BlockdevOptions) error {
	if args.NodeName != nil && value(args.ForceShare) && !value(args.ReadOnly) {
		return qerr.New("force-share=on can only be used with read-only images")
	}
	if args.NodeName != nil && *args.NodeName == "" {
		return qerr.New("Invalid node-name: ''")
	}
	return AddNode(co, h.m.Blocks, args)
}

// BlockdevReopen changes the options of nodes.
func (h *handlers) BlockdevReopen(co *coro.Co, _ *qmp.Call, args *api.BlockdevReopenArgs) error {
	var list []block.Options
	for i := range args.Options {
		o, err := nodeOptions(&args.Options[i])
		if err != nil {
			return err
		}
		list = append(list, *o)
	}
	return h.inMain(co, func() error { return h.m.Blocks.Reopen(co, list) })
}

func (h *handlers) BlockdevDel(co *coro.Co, _ *qmp.Call, args *api.BlockdevDelArgs) error {
	return h.inMain(co, func() error { return h.m.Blocks.Delete(co, args.NodeName) })
}

// inMain runs f, which has requests in flight, where a drain reaches them: a
// drain polls the main context, and so co has to be there until the count is
// down again. Ours moves there first and comes back with nothing in flight. The
// other policies leave co where their dispatcher put it; for IOHandler that is
// the deadlock which made QEMU move coroutine commands.
func (h *handlers) inMain(co *coro.Co, f func() error) (err error) {
	if h.s.policy != Ours || mutant.Planted("monitor-resize-stays") {
		return f()
	}
	aio.Within(co, h.m.Loop.Main, func() { err = f() })
	return err
}

// AddNode makes the node that o describes: what blockdev-add and -blockdev do.
// The caller holds the BQL; co is as for [block.Graph.Add]. Options that have no
// effect here are refused.
func AddNode(co *coro.Co, g *block.Graph, o *api.BlockdevOptions) error {
	opts, err := nodeOptions(o)
	if err != nil {
		return err
	}
	_, err = g.Add(co, *opts)
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
	case o.Qcow2 != nil:
		return opts, qcow2Options(opts, o.Qcow2)
	case o.Raw != nil:
		return opts, rawOptions(opts, o.Raw)
	case o.Throttle != nil:
		opts.ThrottleGroup = o.Throttle.ThrottleGroup
		return opts, childOptions(opts, &o.Throttle.File)
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
	switch {
	case value(r.Offset) < 0:
		return qerr.New("Parameter 'offset' expects a non-negative number below 2^64")
	case value(r.Size) < 0:
		return qerr.New("Parameter 'size' expects a non-negative number below 2^64")
	}
	opts.Offset, opts.Size = value(r.Offset), value(r.Size)
	return childOptions(opts, &r.File)
}

// qcow2Options takes sizes of caches and what is said of discards, which are
// not handed on here, as the hints that they are.
func qcow2Options(opts *block.Options, q *api.BlockdevOptionsQcow2) error {
	switch {
	case q.Backing != nil && q.Backing.Null == nil:
		return unsupported("backing")
	case value(q.LazyRefcounts):
		return unsupported("lazy-refcounts")
	case value(q.PassDiscardRequest):
		return unsupported("pass-discard-request")
	case value(q.PassDiscardSnapshot):
		return unsupported("pass-discard-snapshot")
	case value(q.PassDiscardOther):
		return unsupported("pass-discard-other")
	}
	opts.NoBacking = q.Backing != nil
	return childOptions(opts, &q.File)
}

func childOptions(opts *block.Options, r *api.BlockdevRef) error {
	if r.Reference != nil {
		opts.FileRef = *r.Reference
		return nil
	}
	child, err := nodeOptions(r.Definition)
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
