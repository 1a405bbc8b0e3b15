package backend

import (
	"golang.org/x/sys/unix"

	"github.com/backplane-vm/backplane/internal/mem"
	"github.com/backplane-vm/backplane/internal/qom"
	"github.com/backplane-vm/backplane/internal/sched"
	"github.com/backplane-vm/backplane/qapi/qerr"
)

const (
	// backendType is what all memory is.
	backendType = "memory-backend"
	// memoryType is memory of the emulator's own.
	memoryType = "memory-backend-ram"
)

// MemoryOptions say what memory is wanted.
type MemoryOptions struct {
	Size            uint64 // bytes
	Prealloc        bool   // the host gives all of it at once
	PreallocThreads int    // as many threads ask it to
	Merge           bool   // the host may share equal pages
	Dump            bool   // a core dump of the emulator has it
	Share           bool   // what is written, other processes that map it see
	Reserve         bool   // the host promises that there is room for all of it
	Policy          string // which nodes of the host it is from: one of MemoryPolicies
	HostNodes       []uint16
}

// MemoryPolicies are the policies, in the order of the numbers that Linux has
// for them (set_mempolicy(2)).
func MemoryPolicies() []string { return []string{"default", "preferred", "bind", "interleave"} }

// DefaultMemory returns QEMU's defaults for that size.
func DefaultMemory(size uint64) MemoryOptions {
	return MemoryOptions{Size: size, Merge: true, Dump: true, Reserve: true, PreallocThreads: 1, Policy: "default"}
}

// check refuses what no type of memory can be.
func (o *MemoryOptions) check(typ string) error {
	for _, n := range o.HostNodes {
		if n >= maxHostNodes {
			return qerr.New("Invalid host-nodes value: %d", n)
		}
	}
	switch bound := o.Policy != "default"; {
	case o.PreallocThreads == 0:
		return noValue(typ, "prealloc-threads")
	case o.Size == 0:
		return noValue(typ, "size")
	case o.Prealloc && !o.Reserve:
		return qerr.New("'prealloc=on' and 'reserve=off' are incompatible")
	case bound && len(o.HostNodes) == 0:
		return qerr.New("host-nodes must be set for policy %s", o.Policy)
	case !bound && len(o.HostNodes) > 0:
		return qerr.New("host-nodes must be empty for policy default, or you should explicitly specify a policy other than default")
	}
	return nil
}

// maxHostNodes is how many nodes of the host QEMU can name.
const maxHostNodes = 128

// noValue is the error for a property that is 0.
func noValue(typ, property string) error {
	return qerr.New("property '%s' of %s doesn't take value '0'", property, typ)
}

// Memory is guest memory that a board or a device can map.
type Memory struct {
	qom.Object
	o      MemoryOptions
	world  *sched.World
	region *mem.Region
	mapped []byte // the region and what it takes to fill the last page
	used   bool
	file   *MemoryFile // if it is one
	memfd  *MemFD      // likewise
}

// NewMemory returns zeroed memory whose region is called id. w is where threads
// come from that the options ask for.
func NewMemory(w *sched.World, m *mem.Map, id string, o MemoryOptions) (*Memory, error) {
	if err := o.check(memoryType); err != nil {
		return nil, err
	}
	b := &Memory{world: w, o: o}
	p, err := b.mmap(-1, 0, unix.PROT_READ|unix.PROT_WRITE)
	if err != nil {
		return nil, qerr.New("cannot set up guest memory '%s': %s", id, qerr.Reason(err))
	}
	return b, b.become(m, id, mem.RAM, p, memoryType, memoryClass(memoryType))
}

// mmap maps memory as the options say: anonymous if fd is negative.
func (b *Memory) mmap(fd int, offset uint64, protection int) ([]byte, error) {
	flags := unix.MAP_PRIVATE
	if b.o.Share {
		flags = unix.MAP_SHARED
	}
	if fd < 0 {
		flags |= unix.MAP_ANON
	}
	if !b.o.Reserve {
		flags |= noReserve
	}
	length := roundUp(b.o.Size, hostPage())
	if length < b.o.Size || length > maxMapping {
		return nil, unix.ENOMEM
	}
	return unix.Mmap(fd, int64(offset), int(length), protection, flags)
}

// maxMapping is what a length can be.
const maxMapping = 1<<63 - 1

// become makes b an object that owns p. If it fails, p is gone.
func (b *Memory) become(m *mem.Map, id string, kind mem.Kind, p []byte, typ string, class qom.Class) error {
	err := b.prepare(id, p)
	if err != nil {
		_ = unix.Munmap(p)
		return err
	}
	b.mapped = p
	b.region = m.Given(kind, nil, id, p[:b.o.Size], func([]byte) {
		b.discard(p)
		_ = unix.Munmap(p)
	})
	b.Init(typ, b, class, b.region.Free)
	return nil
}

// prepare asks the host for what the options say of new memory.
func (b *Memory) prepare(id string, p []byte) error {
	if b.o.Merge {
		mayMerge(p, true) // as far as the host can
	}
	if !b.o.Dump {
		if err := mayDump(p, false); err != nil {
			return qerr.New("cannot keep memory '%s' out of core dumps: %s", id, qerr.Reason(err))
		}
	}
	if b.o.Policy != "default" {
		if err := bind(p, b.o.Policy, b.o.HostNodes); err != nil {
			return qerr.New("cannot bind memory to host NUMA nodes: %s", qerr.Reason(err))
		}
	}
	if b.o.Prealloc {
		return b.prealloc(p)
	}
	return nil
}

// discard tells the host that what a file has is of no use any more, if that is
// what its owner wants.
func (b *Memory) discard(p []byte) {
	if b.file != nil && b.file.DiscardData {
		_ = unix.Madvise(p, removePages)
	}
}

// Region returns the memory.
func (b *Memory) Region() *mem.Region { return b.region }

// Options returns what the memory is like.
func (b *Memory) Options() MemoryOptions { return b.o }

// Use says that the memory is mapped for good as main memory; it fails if it is
// already, or if the guest could not write to it.
func (b *Memory) Use() error {
	if b.used {
		return qerr.New("memory backend '%s' can't be used multiple times.", b.Name())
	}
	if b.region.Kind() == mem.ROM {
		return qerr.New("memory backend '%s' is read-only and cannot be main memory", b.Name())
	}
	b.used = true
	return nil
}

// Used tells whether [Memory.Use] was called: the object cannot be deleted.
func (b *Memory) Used() bool { return b.used }

func roundUp(n, unit uint64) uint64 { return (n + unit - 1) / unit * unit }
