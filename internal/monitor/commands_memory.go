package monitor

import (
	"cmp"
	"crypto/rand"
	"os"
	"syscall"

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

// Dumpdtb implements api.Commands. The tree takes the file's place as a whole, as
// in QEMU, so that nobody waits for who reads a pipe of that name.
func (h *handlers) Dumpdtb(_ *qmp.Call, args *api.DumpdtbArgs) error {
	tree := h.m.Board.DeviceTree()
	if tree == nil {
		return qerr.New("This machine doesn't have an FDT")
	}
	if err := replaceFile(args.Filename, tree); err != nil {
		return qerr.Prepend(err, "Error saving FDT to file %s: ", args.Filename)
	}
	return nil
}

// replaceFile makes a file that has text and puts it where name is. If that
// fails what was there stays; the error says, in GLib's words, what failed.
func replaceFile(name string, text []byte) error {
	draft := name + "." + rand.Text()[:6]
	f, err := os.OpenFile(draft, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o666)
	if err != nil {
		return qerr.New("Failed to create file \u201c%s\u201d: %s", draft, qerr.Reason(err))
	}
	_, err = f.Write(text)
	if err = cmp.Or(err, f.Close()); err != nil {
		err = qerr.New("Failed to write file \u201c%s\u201d: write() failed: %s", draft, qerr.Reason(err))
	} else if err = syscall.Rename(draft, name); err != nil {
		err = qerr.New("Failed to rename file \u201c%s\u201d to \u201c%s\u201d: g_rename() failed: %s", draft, name, qerr.Reason(err))
	}
	if err != nil {
		_ = os.Remove(draft)
	}
	return err
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
