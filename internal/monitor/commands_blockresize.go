package monitor

import (
	"github.com/backplane-vm/backplane/coro"
	"github.com/backplane-vm/backplane/hmp"
	"github.com/backplane-vm/backplane/qapi/api"
	"github.com/backplane-vm/backplane/qmp"
)

// BlockResize makes a disk larger or smaller. It yields, see
// [handlers.inMain].
func (h *handlers) BlockResize(co *coro.Co, _ *qmp.Call, args *api.BlockResizeArgs) error {
	return h.resize(co, value(args.Device), value(args.NodeName), args.Size)
}

// humanBlockResize is block_resize of HMP.
func (h *handlers) humanBlockResize(co *coro.Co, _ *hmp.Call, args *hmp.Args) error {
	return h.resize(co, args.String("device"), "", args.Int("size"))
}

func (h *handlers) resize(co *coro.Co, device, nodeName string, size int64) error {
	return h.inMain(co, func() error { return h.m.Blocks.Resize(co, device, nodeName, size) })
}
