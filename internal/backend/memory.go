package backend

import (
	"golang.org/x/sys/unix"

	"github.com/backplane-vm/backplane/internal/mem"
	"github.com/backplane-vm/backplane/internal/qom"
	"github.com/backplane-vm/backplane/qapi/qerr"
)

// memoryType is memory of the emulator's own.
const memoryType = "memory-backend-ram"

// MemoryOptions say what memory is wanted.
type MemoryOptions struct {
	Size     uint64 // bytes
	Prealloc bool   // the host gives all of it at once
	Merge    bool   // the host may share equal pages, which it is not asked to
	Dump     bool   // a core dump of the emulator has it
}

// DefaultMemory returns QEMU's defaults for that size.
func DefaultMemory(size uint64) MemoryOptions {
	return MemoryOptions{Size: size, Merge: true, Dump: true}
}

// Memory is guest memory that a board or a device can map.
type Memory struct {
	qom.Object
	o      MemoryOptions
	region *mem.Region
	used   bool
}

// NewMemory returns zeroed memory whose region is called id.
func NewMemory(m *mem.Map, id string, o MemoryOptions) (*Memory, error) {
	if o.Size == 0 {
		return nil, NoValue("size")
	}
	r, err := m.RAM(nil, id, o.Size)
	if err != nil {
		return nil, qerr.New("cannot set up guest memory '%s': Cannot allocate memory", id)
	}
	bytes := r.Bytes()
	if o.Prealloc {
		for i := 0; i < len(bytes); i += hostPage {
			bytes[i] = 0
		}
	}
	if !o.Dump {
		if err := unix.Madvise(bytes, unix.MADV_DONTDUMP); err != nil {
			r.Free()
			return nil, qerr.New("cannot keep memory '%s' out of core dumps: %s", id, qerr.Reason(err))
		}
	}
	b := &Memory{o: o, region: r}
	b.Init(memoryType, b, memoryClass(), r.Free)
	return b, nil
}

// NoValue is the error for a property of memory that is 0.
func NoValue(property string) error {
	return qerr.New("property '%s' of %s doesn't take value '0'", property, memoryType)
}

// hostPage is not larger than the host's pages.
const hostPage = 4096

// Region returns the memory.
func (b *Memory) Region() *mem.Region { return b.region }

// Options returns what the memory was made with.
func (b *Memory) Options() MemoryOptions { return b.o }

// Use says that the memory is mapped for good; it fails if it is already.
func (b *Memory) Use() error {
	if b.used {
		return qerr.New("memory backend '%s' can't be used multiple times.", b.Name())
	}
	b.used = true
	return nil
}

// Used tells whether [Memory.Use] was called: the object cannot be deleted.
func (b *Memory) Used() bool { return b.used }

func memoryClass() properties {
	value := func(name, typ, description string, get func(*Memory) any) *qom.Property {
		return &qom.Property{
			Name: name, Type: typ, Description: description,
			Get: func(o *qom.Object) (any, error) { return get(o.Self().(*Memory)), nil },
			Set: func(*qom.Object, qom.Input) error {
				return qerr.New("cannot change property %s of %s ", name, memoryType)
			},
		}
	}
	fixed := func(v any) func(*Memory) any { return func(*Memory) any { return v } }
	return properties{
		value("share", "bool", "Mark the memory as private to QEMU or shared", fixed(false)),
		value("size", "int", "Size of the memory region (ex: 500M)", func(b *Memory) any { return qom.Value64(b.region.Size()) }),
		value("dump", "bool", "Set to 'off' to exclude from core dump", func(b *Memory) any { return b.o.Dump }),
		value("prealloc-threads", "int", "Number of CPU threads to use for prealloc", fixed(int64(1))),
		value("policy", "HostMemPolicy", "Set the NUMA policy", fixed("default")),
		value("prealloc", "bool", "Preallocate memory", func(b *Memory) any { return b.o.Prealloc }),
		value("reserve", "bool", "Reserve swap space (or huge pages) if applicable", fixed(true)),
		value("merge", "bool", "Mark memory as mergeable", func(b *Memory) any { return b.o.Merge }),
	}
}
