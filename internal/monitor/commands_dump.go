package monitor

import (
	"cmp"
	"errors"
	"io"
	"math"
	"strings"
	"sync/atomic"

	"github.com/backplane-vm/backplane/coro"
	"github.com/backplane-vm/backplane/internal/descriptor"
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

var errDumping = qerr.New("There is a dump in process, please wait.")

// DumpGuestMemory implements api.Commands. The guest's page tables are not
// followed: memory stands at its physical addresses in either case, as in
// QEMU's dumps of this machine.
func (h *handlers) DumpGuestMemory(co *coro.Co, call *qmp.Call, args *api.DumpGuestMemoryArgs) error {
	if h.dump.status == api.DumpStatusActive {
		return errDumping
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
	f, err := h.openDump(co, holding(call), args.Protocol)
	if err != nil {
		return err
	}
	if h.dump.status == api.DumpStatusActive { // begun while the file was being opened
		f.Close()
		return errDumping
	}
	core, err := h.beginDump(args, first, last)
	if err != nil {
		f.Close()
		return err
	}
	if value(args.Detach) {
		return h.detachDump(co, f, core)
	}
	return h.writeDump(co, f, core, func() {})
}

// beginDump notes that there is a dump of what is asked for. One of nothing has
// failed at once, and there is no event to tell of it.
func (h *handlers) beginDump(args *api.DumpGuestMemoryArgs, first, last uint64) (*machine.Core, error) {
	h.dump.status, h.dump.total = api.DumpStatusFailed, 0
	h.dump.done.Store(0)
	if args.Length != nil && *args.Length == 0 {
		return nil, qerr.New("parameter 'length' expects a non-zero size")
	}
	core := h.m.NewCore(first, last)
	if core.Size() == 0 {
		return nil, qerr.New("dump: no guest memory to dump")
	}
	h.dump.status, h.dump.total = api.DumpStatusActive, core.Size()
	return core, nil
}

// detachDump returns once the guest stands still and writing has begun. Until
// then it can be cancelled.
func (h *handlers) detachDump(co *coro.Co, f outlet, core *machine.Core) error {
	begun := new(coro.Event)
	still := false
	var err error
	d := h.m.Loop.IOHandler.Spawn("dump", func(d *coro.Co) {
		err = h.writeDump(d, f, core, func() { // DUMP_COMPLETED tells how it ends
			still = true
			begun.Set()
		})
		begun.Set()
	})
	if gaveUp := begun.WaitCancelable(co); gaveUp != nil {
		d.Cancel(gaveUp)
		begun.Wait(co)
	}
	if still {
		return nil
	}
	return err
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
	return first, first + uint64(*args.Length) - 1, nil // an impossible range has no memory
}

// noFormat is the error for a form of dump that is not written.
func noFormat(format api.DumpGuestMemoryFormat) error {
	if format == api.DumpGuestMemoryFormatWinDmp {
		return qerr.New("Windows dump is only available for x86-64")
	}
	return qerr.New("%s is not available now", format)
}

// openDump opens what protocol names.
func (h *handlers) openDump(co *coro.Co, from holder, protocol string) (outlet, error) {
	if name, ok := strings.CutPrefix(protocol, "fd:"); ok {
		fd, err := named(from, name)
		if err != nil {
			return nil, err
		}
		return h.s.untilClose(descriptor.NewFile(fd, protocol)), nil
	}
	name, ok := strings.CutPrefix(protocol, "file:")
	if !ok {
		return nil, qerr.New("parameter 'protocol' must start with 'file:' or 'fd:'")
	}
	return h.createFile(co, name, 0o400, func(err error) error {
		return descriptor.Explain(err, "Could not create '%s'", name)
	})
}

// writeDump writes memory into f while the guest stands still, which it says by
// calling still, closes f and says what became of it. If co is cancelled the
// file keeps what it has.
func (h *handlers) writeDump(co *coro.Co, f outlet, core *machine.Core, still func()) (err error) {
	gaveUp := h.m.Still(co, func() {
		still()
		err = h.writing(co, f, func() error {
			e := core.Write(checked{f, co}, h.dump.done.Store)
			return cmp.Or(e, f.Close())
		})
		if err != nil && !errors.Is(err, co.Err()) {
			err = notDumped(err)
		}
		h.dumped(err)
	})
	if gaveUp != nil {
		f.Close()
		h.dumped(gaveUp)
		return gaveUp
	}
	return err
}

// dumped notes and tells how the dump ended.
func (h *handlers) dumped(err error) {
	text := ""
	h.dump.status = api.DumpStatusCompleted
	if err != nil {
		h.dump.status = api.DumpStatusFailed
		text = err.Error()
	}
	h.m.Emit(machine.DumpCompleted{
		Status: string(h.dump.status), Completed: h.dump.done.Load(), Total: h.dump.total, Error: text,
	})
}

// checked writes to f until co is cancelled.
type checked struct {
	f  io.Writer
	co *coro.Co
}

func (c checked) Write(p []byte) (int, error) {
	if err := c.co.Err(); err != nil {
		return 0, err
	}
	return c.f.Write(p)
}

// notDumped words why a dump could not be written.
func notDumped(err error) error {
	var header *machine.HeaderError
	if errors.As(err, &header) {
		return qerr.New("dump: failed to write elf header: %s", qerr.Reason(err))
	}
	return qerr.New("dump: failed to save memory: %s", qerr.Reason(err))
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
