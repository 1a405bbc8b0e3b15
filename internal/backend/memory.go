package backend

import (
	"github.com/backplane-vm/backplane/internal/mem"
	"github.com/backplane-vm/backplane/internal/qom"
	"github.com/backplane-vm/backplane/qapi/qerr"
)

// memoryType is memory of the emulator's own.
const memoryType = "memory-backend-ram"

// Memory is guest memory that a board or a device can map.
type Memory struct {
	qom.Object
	region   *mem.Region
	prealloc bool
	used     bool
}

// NewMemory returns size bytes of zeroed memory whose region is called id.
// prealloc has the host give all of it now.
func NewMemory(m *mem.Map, id string, size uint64, prealloc bool) (*Memory, error) {
	if size == 0 {
		return nil, qerr.New("property 'size' of %s doesn't take value '0'", memoryType)
	}
	r, err := m.RAM(nil, id, size)
	if err != nil {
		return nil, qerr.New("cannot set up guest memory '%s': Cannot allocate memory", id)
	}
	if prealloc {
		bytes := r.Bytes()
		for i := 0; i < len(bytes); i += hostPage {
			bytes[i] = 0
		}
	}
	b := &Memory{region: r, prealloc: prealloc}
	b.Init(memoryType, b, memoryClass(), r.Free)
	return b, nil
}

// hostPage is not larger than the host's pages.
const hostPage = 4096

// Region returns the memory.
func (b *Memory) Region() *mem.Region { return b.region }

// Prealloc tells whether all of it was taken at once.
func (b *Memory) Prealloc() bool { return b.prealloc }

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
		value("dump", "bool", "Set to 'off' to exclude from core dump", fixed(true)),
		value("prealloc-threads", "int", "Number of CPU threads to use for prealloc", fixed(int64(1))),
		value("policy", "HostMemPolicy", "Set the NUMA policy", fixed("default")),
		value("prealloc", "bool", "Preallocate memory", func(b *Memory) any { return b.prealloc }),
		value("reserve", "bool", "Reserve swap space (or huge pages) if applicable", fixed(true)),
		value("merge", "bool", "Mark memory as mergeable", fixed(true)),
	}
}
