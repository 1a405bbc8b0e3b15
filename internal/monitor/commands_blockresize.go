package monitor

import (
	"github.com/backplane-vm/backplane/aio"
	"github.com/backplane-vm/backplane/coro"
	"github.com/backplane-vm/backplane/hmp"
	"github.com/backplane-vm/backplane/internal/mutant"
	"github.com/backplane-vm/backplane/qapi/api"
	"github.com/backplane-vm/backplane/qmp"
)

// BlockResize makes a disk larger or smaller. It yields, see
// [handlers.resize].
func (h *handlers) BlockResize(co *coro.Co, _ *qmp.Call, args *api.BlockResizeArgs) error {
	return h.resize(co, value(args.Device), value(args.NodeName), args.Size)
}

// humanBlockResize is block_resize of HMP.
func (h *handlers) humanBlockResize(co *coro.Co, _ *hmp.Call, args *hmp.Args) error {
	return h.resize(co, args.String("device"), "", args.Int("size"))
}

// resize yields with the node's in-flight count raised. Whoever drains the
// node meanwhile polls the main context only, so that is where the coroutine
// has to be until the count is down again: ours moves there first and comes
// back with nothing in flight. The other policies leave it where their
// dispatcher put it; for IOHandler that is the deadlock which made QEMU move
// coroutine commands.
func (h *handlers) resize(co *coro.Co, device, nodeName string, size int64) error {
	if h.s.policy != Ours || mutant.Planted("monitor-resize-stays") {
		return h.m.Blocks.Resize(co, device, nodeName, size)
	}
	from := co.Home().(*aio.Context)
	aio.MoveTo(co, h.m.Loop.Main)
	err := h.m.Blocks.Resize(co, device, nodeName, size)
	aio.MoveTo(co, from)
	return err
}
