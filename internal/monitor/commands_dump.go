package monitor

import (
	"math"
	"os"
	"strings"
	"sync/atomic"

	"github.com/backplane-vm/backplane/coro"
	"github.com/backplane-vm/backplane/internal/machine"
	"github.com/backplane-vm/backplane/qapi/api"
	"github.com/backplane-vm/backplane/qapi/qerr"
	"github.com/backplane-vm/backplane/qmp"
)

// dump is the latest dump-guest-memory. Its members are the BQL's but for done,
// which the worker that writes moves on.
type dump struct {
	status api.DumpStatus // "" for none
	total  int64
	done   atomic.Int64
}

// DumpGuestMemory implements api.Commands. The guest's page tables are not
// followed: memory stands at its physical addresses in either case, as in
// QEMU's dumps of this machine.
func (h *handlers) DumpGuestMemory(co *coro.Co, _ *qmp.Call, args *api.DumpGuestMemoryArgs) error {
	if h.dump.status == api.DumpStatusActive {
		return qerr.New("There is a dump in process, please wait.")
	}
	elf := args.Format == nil || *args.Format == api.DumpGuestMemoryFormatElf
	if !elf && (args.Paging || args.Begin != nil || args.Length != nil) {
		return qerr.New("kdump-compressed format doesn't support paging or filter")
	}
	first, last, err := dumpRange(args)
	if err != nil {
		return err
	}
	if !elf {
		return noFormat(*args.Format)
	}
	f, err := h.openDump(co, args.Protocol)
	if err != nil {
		return err
	}
	h.dump.status, h.dump.total = api.DumpStatusActive, 0
	h.dump.done.Store(0)
	core := h.m.NewCore(first, last)
	h.dump.total = core.Size()
	if core.Size() == 0 {
		h.dump.status = api.DumpStatusFailed
		f.Close()
		return qerr.New("dump: no guest memory to dump")
	}
	if value(args.Detach) {
		h.m.Loop.IOHandler.Spawn("dump", func(d *coro.Co) { _ = h.writeDump(d, f, core, co.Wake) }) // DUMP_COMPLETED tells
		co.Yield()                                                                                  // until the guest has stopped
		return nil
	}
	return h.writeDump(co, f, core, func() {})
}

// dumpRange returns which physical addresses are wanted.
func dumpRange(args *api.DumpGuestMemoryArgs) (first, last uint64, err error) {
	switch {
	case args.Begin != nil && args.Length == nil:
		return 0, 0, qerr.New("Parameter 'length' is missing")
	case args.Begin == nil && args.Length != nil:
		return 0, 0, qerr.New("Parameter 'begin' is missing")
	case args.Begin == nil:
		return 0, math.MaxUint64, nil
	}
	first = uint64(*args.Begin)
	return first, first + uint64(*args.Length) - 1, nil // an empty or impossible range has no memory
}

// noFormat is the error for a form of dump that is not written.
func noFormat(format api.DumpGuestMemoryFormat) error {
	if format == api.DumpGuestMemoryFormatWinDmp {
		return qerr.New("Windows dump is only available for x86-64")
	}
	return qerr.New("%s is not available now", format)
}

// openDump opens what protocol names.
func (h *handlers) openDump(co *coro.Co, protocol string) (f *os.File, err error) {
	if name, ok := strings.CutPrefix(protocol, "fd:"); ok {
		return nil, qerr.New("File descriptor named '%s' has not been found", name)
	}
	name, ok := strings.CutPrefix(protocol, "file:")
	if !ok {
		return nil, qerr.New("Invalid parameter 'protocol'")
	}
	h.m.Pool.Run(co, func() { f, err = os.OpenFile(name, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o400) })
	if err != nil {
		return nil, qerr.New("Could not open '%s': %s", name, qerr.Reason(err))
	}
	return f, nil
}

// writeDump writes memory into f while the guest stands still, which it says by
// calling still, closes f and says what became of it.
func (h *handlers) writeDump(co *coro.Co, f *os.File, core *machine.Core, still func()) (err error) {
	h.m.Still(co, func() {
		still()
		h.m.Pool.Run(co, func() {
			err = core.Write(f, h.dump.done.Store)
			if e := f.Close(); err == nil {
				err = e
			}
		})
		text := ""
		h.dump.status = api.DumpStatusCompleted
		if err != nil {
			h.dump.status = api.DumpStatusFailed
			err = qerr.New("dump: failed to save memory: %s", qerr.Reason(err))
			text = err.Error()
		}
		h.m.Emit(machine.DumpCompleted{
			Status: string(h.dump.status), Completed: h.dump.done.Load(), Total: h.dump.total, Error: text,
		})
	})
	return err
}

func (h *handlers) QueryDump(*qmp.Call) (*api.DumpQueryResult, error) {
	r := &api.DumpQueryResult{Status: h.dump.status, Completed: h.dump.done.Load(), Total: h.dump.total}
	if r.Status == "" {
		r.Status = api.DumpStatusNone
	}
	return r, nil
}

func (h *handlers) QueryDumpGuestMemoryCapability(*qmp.Call) (*api.DumpGuestMemoryCapability, error) {
	return &api.DumpGuestMemoryCapability{Formats: []api.DumpGuestMemoryFormat{api.DumpGuestMemoryFormatElf}}, nil
}
