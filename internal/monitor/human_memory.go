package monitor

import (
	"cmp"
	"strings"

	"github.com/backplane-vm/backplane/aio"
	"github.com/backplane-vm/backplane/coro"
	"github.com/backplane-vm/backplane/hmp"
	"github.com/backplane-vm/backplane/hmp/view"
	"github.com/backplane-vm/backplane/internal/machine"
	"github.com/backplane-vm/backplane/internal/mem"
	"github.com/backplane-vm/backplane/internal/riscv"
	"github.com/backplane-vm/backplane/internal/riscv/disasm"
	"github.com/backplane-vm/backplane/qapi/api"
	"github.com/backplane-vm/backplane/qapi/qerr"
)

// humanMemory are the human commands that look at CPUs and memory.
func (h *handlers) humanMemory() hmp.Handlers[*coro.Co] {
	return hmp.Handlers[*coro.Co]{
		"cpu":            {Run: h.humanCPU},
		"x":              {RunCo: h.humanX},
		"xp":             {Run: h.humanXP},
		"sum":            {RunCo: h.humanSum},
		"gva2gpa":        {RunCo: h.humanGVA2GPA},
		"memsave":        {RunCo: h.humanMemsave, Complete: fileArgument(2)},
		"pmemsave":       {RunCo: h.humanPmemsave, Complete: fileArgument(2)},
		"info registers": {RunCo: h.infoRegisters},
		"info mem":       {RunCo: h.infoMem},
	}
}

// currentCPU is the CPU that a monitor's commands are about.
func (h *handlers) currentCPU(index int) *machine.CPU { return h.m.CPUs()[max(index, 0)] }

func (h *handlers) humanCPU(call *hmp.Call, args *hmp.Args) error {
	if i := args.Int("index"); i < int64(len(h.m.CPUs())) {
		call.SetCPU(int(i))
	} else {
		call.Printf("invalid CPU index\n")
	}
	return nil
}

// registers reads all registers of a CPU for $name in expressions: pc, control
// registers, and general ones by number ("x10") or name ("a0").
func (s *Set) registers(co *coro.Co, cpu int) (hmp.Lookup, error) {
	known := make(map[string]uint64)
	err := s.m.Inspect(co, s.m.CPUs()[max(cpu, 0)], func(hart *riscv.Hart) {
		control, general := hart.Registers()
		for _, r := range append(control, general...) {
			for name := range strings.SplitSeq(r.Name, "/") {
				known[name] = r.Value
			}
		}
	})
	return func(name string) (int64, bool) {
		v, ok := known[name]
		return int64(v), ok
	}, err
}

func (h *handlers) infoRegisters(co *coro.Co, call *hmp.Call, args *hmp.Args) error {
	cpus := []*machine.CPU{h.currentCPU(call.CPU())}
	switch i := args.Int("vcpu"); {
	case args.Bool("cpustate_all"):
		cpus = h.m.CPUs()
	case args.Has("vcpu") && i >= int64(len(h.m.CPUs())):
		call.Printf("CPU#%d not available\n", i)
		return nil
	case args.Has("vcpu"):
		cpus = []*machine.CPU{h.m.CPUs()[i]}
	}
	for _, c := range cpus {
		err := h.m.Inspect(co, c, func(hart *riscv.Hart) {
			control, general := hart.Registers()
			view.PrintRegisters(call, c.Index(), viewRegisters(control), viewRegisters(general))
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func (h *handlers) infoMem(co *coro.Co, call *hmp.Call, _ *hmp.Args) (err error) {
	gaveUp := h.m.Inspect(co, h.currentCPU(call.CPU()), func(hart *riscv.Hart) {
		list, paged, all := hart.Mappings()
		var rows []view.Mapping
		for _, m := range list {
			rows = append(rows, view.Mapping(m))
		}
		view.PrintMappings(call, rows, paged)
		if !all {
			err = qerr.New("the page tables have too many entries; not all were looked at")
		}
	})
	return cmp.Or(gaveUp, err)
}

func viewRegisters(list []riscv.Register) []view.Register {
	out := make([]view.Register, 0, len(list))
	for _, r := range list {
		out = append(out, view.Register(r))
	}
	return out
}

// maxDump is how much memory x and xp show at once: what is typed by mistake
// is not to keep the machine busy, nor its output to grow without bound.
const maxDump = 1 << 20

// maxInstructions is the same for instructions, whose lines are longer.
const maxInstructions = maxDump / 16

// showMemory writes memory, or the instructions there, as x and xp do.
func showMemory(call *hmp.Call, args *hmp.Args, read func(addr uint64, p []byte) bool) error {
	f, addr := args.Format("fmt"), uint64(args.Int("addr"))
	switch {
	case f.Kind == 'i' && f.Count > maxInstructions:
		return qerr.New("more than %d instructions cannot be shown at once", maxInstructions)
	case f.Kind == 'i':
		view.PrintInstructions(call, f.Count, addr, view.Disassembler{Length: disasm.Length, Line: disasm.Line}, read)
	case view.DumpBytes(f) > maxDump && read(addr, make([]byte, 1)):
		return qerr.New("more than %d bytes cannot be shown at once", maxDump)
	default:
		view.PrintMemory(call, f, addr, read)
	}
	return nil
}

func (h *handlers) humanX(co *coro.Co, call *hmp.Call, args *hmp.Args) (err error) {
	gaveUp := h.m.Inspect(co, h.currentCPU(call.CPU()), func(hart *riscv.Hart) {
		err = showMemory(call, args, func(at uint64, p []byte) bool { return h.m.ReadVirtual(hart, at, p) })
	})
	return cmp.Or(gaveUp, err)
}

func (h *handlers) humanXP(call *hmp.Call, args *hmp.Args) error {
	return showMemory(call, args, func(at uint64, p []byte) bool { return h.m.System.DMARead(at, p) == mem.OK })
}

func (h *handlers) humanGVA2GPA(co *coro.Co, call *hmp.Call, args *hmp.Args) error {
	return h.m.Inspect(co, h.currentCPU(call.CPU()), func(hart *riscv.Hart) {
		if pa, ok := hart.Translate(uint64(args.Int("addr"))); ok {
			call.Printf("gpa: %#x\n", pa)
		} else {
			call.Printf("Unmapped\n")
		}
	})
}

// copyPiece is how much memory is read before others get their turn.
const copyPiece = 1 << 20

// breathe lets the rest of the machine go on.
func breathe(co *coro.Co) {
	co.Home().(*aio.Context).Schedule(co)
	co.Yield()
}

// humanSum is the System V checksum of physical memory; what cannot be read
// counts as zeroes.
func (h *handlers) humanSum(co *coro.Co, call *hmp.Call, args *hmp.Args) error {
	at, left := uint64(args.Int("start")), uint64(args.Int("size"))
	var sum uint16
	buf := make([]byte, min(left, copyPiece))
	for left > 0 {
		p := buf[:min(left, copyPiece)]
		h.m.System.DMARead(at, p)
		for _, b := range p {
			sum = sum>>1 | sum<<15
			sum += uint16(b)
		}
		at, left = at+uint64(len(p)), left-uint64(len(p))
		breathe(co)
		if err := co.Err(); err != nil {
			return err
		}
	}
	call.Printf("%05d\n", sum)
	return nil
}

func (h *handlers) humanMemsave(co *coro.Co, call *hmp.Call, args *hmp.Args) error {
	cpu := int64(max(call.CPU(), 0))
	return h.Memsave(co, nil, &api.MemsaveArgs{
		Val: args.Int("val"), Size: args.Int("size"), Filename: args.String("filename"), CpuIndex: &cpu,
	})
}

func (h *handlers) humanPmemsave(co *coro.Co, _ *hmp.Call, args *hmp.Args) error {
	return h.Pmemsave(co, nil, &api.PmemsaveArgs{Val: args.Int("val"), Size: args.Int("size"), Filename: args.String("filename")})
}

// saveMemory writes what read gives of size bytes from addr on to a file. If co
// is cancelled the file keeps what it has, as after any other failure.
func (h *handlers) saveMemory(co *coro.Co, filename string, addr, size uint64, read func(at uint64, p []byte) error) error {
	f, err := h.createFile(co, filename, 0o666, func(err error) error {
		return qerr.New("Could not open '%s': %s", filename, qerr.Reason(err))
	})
	if err != nil {
		return err
	}
	failed := func(err error) error {
		if err != nil {
			err = qerr.New("writing memory to '%s' failed", filename)
		}
		return err
	}
	if int64(size) < 0 { // QEMU would write until the disk is full
		err = qerr.New("Parameter 'size' expects a non-negative value")
	}
	buf := make([]byte, min(size, copyPiece))
	for at, left := addr, size; left > 0 && err == nil; {
		p := buf[:min(left, copyPiece)]
		if err = read(at, p); err == nil {
			err = h.writing(co, f, func() error { _, e := f.Write(p); return failed(e) })
		}
		at, left = at+uint64(len(p)), left-uint64(len(p))
	}
	h.block(co, "memsave", func() { err = cmp.Or(err, failed(f.Close())) })
	return err
}
