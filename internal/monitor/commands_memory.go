package monitor

import (
	"os"

	"github.com/backplane-vm/backplane/coro"
	"github.com/backplane-vm/backplane/internal/riscv"
	"github.com/backplane-vm/backplane/qapi/api"
	"github.com/backplane-vm/backplane/qapi/qerr"
	"github.com/backplane-vm/backplane/qmp"
)

// Pmemsave implements api.Commands. What is no memory reads as zeroes.
func (h *handlers) Pmemsave(co *coro.Co, _ *qmp.Call, args *api.PmemsaveArgs) error {
	return h.saveMemory(co, args.Filename, uint64(args.Val), uint64(args.Size), func(at uint64, p []byte) error {
		h.m.System.DMARead(at, p)
		return nil
	})
}

// Memsave implements api.Commands.
func (h *handlers) Memsave(co *coro.Co, _ *qmp.Call, args *api.MemsaveArgs) error {
	cpu := int32(value(args.CpuIndex)) // QEMU looks at no more of it
	if cpu < 0 || int(cpu) >= len(h.m.CPUs()) {
		return qerr.New("Parameter 'cpu-index' expects a CPU number")
	}
	return h.saveMemory(co, args.Filename, uint64(args.Val), uint64(args.Size), func(at uint64, p []byte) error {
		ok := false
		err := h.m.Inspect(co, h.m.CPUs()[cpu], func(hart *riscv.Hart) { ok = h.m.ReadVirtual(hart, at, p) })
		if err == nil && !ok {
			err = qerr.New("Invalid addr 0x%016x/size %d specified", uint64(args.Val), args.Size)
		}
		return err
	})
}

// Dumpdtb implements api.Commands.
func (h *handlers) Dumpdtb(_ *qmp.Call, args *api.DumpdtbArgs) error {
	tree := h.m.Board.DeviceTree()
	if tree == nil {
		return qerr.New("This machine doesn't have an FDT")
	}
	if err := os.WriteFile(args.Filename, tree, 0o666); err != nil {
		return qerr.New("Error saving FDT to file %s: Failed to create file \u201c%s\u201d: %s",
			args.Filename, args.Filename, qerr.Reason(err))
	}
	return nil
}

func (h *handlers) XQueryIrq(*qmp.Call) (*api.HumanReadableText, error) {
	return &api.HumanReadableText{}, nil // no interrupt controller counts
}

func (h *handlers) XQueryNuma(*qmp.Call) (*api.HumanReadableText, error) {
	return &api.HumanReadableText{HumanReadableText: "0 nodes\n"}, nil
}

func (h *handlers) XQueryUsb(*qmp.Call) (*api.HumanReadableText, error) {
	return nil, qerr.New("USB support not enabled")
}
