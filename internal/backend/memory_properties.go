package backend

import (
	"slices"

	"github.com/backplane-vm/backplane/internal/qom"
	"github.com/backplane-vm/backplane/qapi/qerr"
)

// memoryClass returns the properties that all memory has, in QEMU's order. Some
// can be changed while the memory is there.
func memoryClass(typ string) properties {
	return properties{
		fixedTruth("share", "Mark the memory as private to QEMU or shared", func(b *Memory) bool { return b.o.Share }),
		{Name: "size", Type: "int", Description: "Size of the memory region (ex: 500M)",
			Get: get(func(b *Memory) any { return qom.Value64(b.o.Size) }),
			Set: func(*qom.Object, qom.Input) error { return qerr.New("cannot change property size of %s ", typ) }},
		truth("dump", "Set to 'off' to exclude from core dump", func(b *Memory) *bool { return &b.o.Dump },
			func(b *Memory, on bool) error { return reason(mayDump(b.mapped, on)) }),
		{Name: "prealloc-threads", Type: "int", Description: "Number of CPU threads to use for prealloc",
			Get: get(func(b *Memory) any { return int64(b.o.PreallocThreads) }), Set: setThreads(typ)},
		fixedTruth("x-use-canonical-path-for-ramblock-id", "", func(*Memory) bool { return false }),
		{Name: "policy", Type: "HostMemPolicy", Description: "Set the NUMA policy",
			Get: get(func(b *Memory) any { return b.o.Policy }),
			Set: func(*qom.Object, qom.Input) error { return errFixed() }},
		{Name: "prealloc-context", Type: "link<thread-context>", Description: "Context to use for creating CPU threads for preallocation",
			Get: get(func(*Memory) any { return "" }), Set: setContext},
		{Name: "prealloc", Type: "bool", Description: "Preallocate memory",
			Get: get(func(b *Memory) any { return b.o.Prealloc }), Set: setPrealloc},
		fixedTruth("reserve", "Reserve swap space (or huge pages) if applicable", func(b *Memory) bool { return b.o.Reserve }),
		{Name: "host-nodes", Type: "int", Description: "Binds memory to the list of NUMA host nodes",
			Get: get(func(b *Memory) any { return nodes(b.o.HostNodes) }),
			Set: func(*qom.Object, qom.Input) error { return errFixed() }},
		truth("merge", "Mark memory as mergeable", func(b *Memory) *bool { return &b.o.Merge },
			func(b *Memory, on bool) error { mayMerge(b.mapped, on); return nil }),
	}
}

func fileClass() properties {
	fixed := func(name, dot string) func(*qom.Object, qom.Input) error {
		return func(*qom.Object, qom.Input) error {
			return qerr.New("cannot change property '%s' of %s%s", name, fileType, dot)
		}
	}
	return append(memoryClass(fileType),
		&qom.Property{Name: "rom", Type: "OnOffAuto", Description: "Whether to create Read Only Memory (ROM)",
			Get: get(func(b *Memory) any { return onOff(b.file.rom()) }), Set: fixed("rom", ".")},
		&qom.Property{Name: "readonly", Type: "bool",
			Get: get(func(b *Memory) any { return b.file.ReadOnly }), Set: fixed("readonly", ".")},
		&qom.Property{Name: "align", Type: "int",
			Get: get(func(b *Memory) any { return qom.Value64(b.file.Align) }), Set: fixed("align", "")},
		&qom.Property{Name: "offset", Type: "int", Description: "Offset into the target file (ex: 1G)",
			Get: get(func(b *Memory) any { return qom.Value64(b.file.Offset) }), Set: fixed("offset", "")},
		&qom.Property{Name: "pmem", Type: "bool", Get: get(func(*Memory) any { return false }), Set: fixed("pmem", ".")},
		&qom.Property{Name: "mem-path", Type: "string",
			Get: get(func(b *Memory) any { return b.file.Path }), Set: fixed("mem-path", "")},
		truth("discard-data", "", func(b *Memory) *bool { return &b.file.DiscardData },
			func(*Memory, bool) error { return nil }),
	)
}

func memfdClass() properties {
	return append(memoryClass(memfdType),
		fixedTruth("hugetlb", "Use huge pages", func(b *Memory) bool { return b.memfd.HugeTLB }),
		fixedTruth("seal", "Seal growing & shrinking", func(b *Memory) bool { return b.memfd.Seal }),
		&qom.Property{Name: "hugetlbsize", Type: "int", Description: "Huge pages size (ex: 2M, 1G)",
			Get: get(func(b *Memory) any { return qom.Value64(b.memfd.HugeTLBSize) }),
			Set: func(*qom.Object, qom.Input) error { return errFixed() }},
	)
}

// get makes a getter of a function of the memory.
func get(f func(*Memory) any) func(*qom.Object) (any, error) {
	return func(o *qom.Object) (any, error) { return f(o.Self().(*Memory)), nil }
}

// truth makes a property that is the bool at at. change does what another value
// takes; the bool is another only if it succeeds.
func truth(name, description string, at func(*Memory) *bool, change func(b *Memory, on bool) error) *qom.Property {
	return &qom.Property{Name: name, Type: "bool", Description: description,
		Get: get(func(b *Memory) any { return *at(b) }),
		Set: func(o *qom.Object, in qom.Input) error {
			b := o.Self().(*Memory)
			on, err := in.Bool(name)
			if err != nil || on == *at(b) {
				return err
			}
			if err := change(b, on); err != nil {
				return err
			}
			*at(b) = on
			return nil
		}}
}

// fixedTruth makes a bool that cannot change while the memory is there.
func fixedTruth(name, description string, value func(*Memory) bool) *qom.Property {
	return &qom.Property{Name: name, Type: "bool", Description: description,
		Get: get(func(b *Memory) any { return value(b) }),
		Set: func(_ *qom.Object, in qom.Input) error {
			if _, err := in.Bool(name); err != nil {
				return err
			}
			return errFixed()
		}}
}

func errFixed() error { return qerr.New("cannot change property value") }

// setPrealloc takes all memory from the host. What it gave stays given: "off" is
// taken and changes nothing, as in QEMU.
func setPrealloc(o *qom.Object, in qom.Input) error {
	b := o.Self().(*Memory)
	on, err := in.Bool("prealloc")
	if err != nil || !on || b.o.Prealloc {
		return err
	}
	if !b.o.Reserve {
		return qerr.New("'prealloc=on' and 'reserve=off' are incompatible")
	}
	if err := b.prealloc(b.mapped); err != nil {
		return err
	}
	b.o.Prealloc = true
	return nil
}

// setContext finds no thread-context, as there is no such type.
func setContext(_ *qom.Object, in qom.Input) error {
	id, err := in.Str("prealloc-context")
	if err != nil || id == "" {
		return err
	}
	return NoContext(id)
}

// NoContext is the error for a thread-context: none is there.
func NoContext(id string) error { return qerr.Newc(qerr.DeviceNotFound, "Device '%s' not found", id) }

func setThreads(typ string) func(*qom.Object, qom.Input) error {
	return func(o *qom.Object, in qom.Input) error {
		n, err := in.Uint("prealloc-threads", 32)
		if err != nil {
			return err
		}
		if n == 0 {
			return noValue(typ, "prealloc-threads")
		}
		o.Self().(*Memory).o.PreallocThreads = int(n)
		return nil
	}
}

func nodes(list []uint16) any {
	out := []any{}
	for _, n := range slices.Sorted(slices.Values(list)) {
		out = append(out, int64(n))
	}
	return out
}

func onOff(on bool) string {
	if on {
		return "on"
	}
	return "off"
}

// reason makes an error in the host's words.
func reason(err error) error {
	if err == nil {
		return nil
	}
	return qerr.New("%s", qerr.Reason(err))
}
