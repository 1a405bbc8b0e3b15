package riscv

import (
	"fmt"
	"sync"
	"sync/atomic"
	"unsafe"
)

const (
	pageShift = 12
	pageSize  = 1 << pageShift
	pageMask  = pageSize - 1

	// lineShift is the grain in which a page remembers what part of it has
	// been translated: 64 lines of 64 bytes, so that a page fits one word. Data
	// beside code in one page then costs a slow store but no retranslation.
	lineShift = 6
)

// Region is RAM or ROM as a machine lays it out. Base and len(Bytes) are
// multiples of 4096 and Bytes is 8-byte aligned (mmapped memory is; Go's
// allocator aligns slices of this size too). Stores to a ReadOnly region are
// dropped without a fault.
type Region struct {
	Base     uint64
	Bytes    []byte
	ReadOnly bool
}

// Bus is everything that is not in a Memory: device registers and holes.
//
// Calls come from the goroutine of the hart that makes the access and may
// block; while they do, the hart can be neither paused nor interrupted. Size
// is 1, 2, 4 or 8 and addr is a multiple of it. ok false is an access fault.
type Bus interface {
	Load(addr uint64, size int) (v uint64, ok bool)
	Store(addr uint64, size int, v uint64) (ok bool)
}

// Memory is the RAM and ROM that the harts of one machine share, with the
// record of which pages hold translated code. Its layout is fixed.
type Memory struct {
	regions []*region

	// codeGen counts stores into translated code, by harts and devices. A hart
	// that sees it unchanged has nothing to drop at a FENCE.I.
	codeGen atomic.Uint64

	mu    sync.Mutex
	harts []*Hart // guarded by mu
}

// region is a Region with its translation record, one element per page.
//
// A hart that translates sets line bits and then reads the bytes; one that
// stores writes the bytes and then reads the line bits. All of these are
// sequentially consistent, so a store is seen by the translation or the
// translation by the store.
type region struct {
	base, size uint64
	bytes      []byte
	readOnly   bool
	lines      []atomic.Uint64 // translated 64-byte lines; non-zero: no write tags
	gen        []atomic.Uint32 // stores into translated lines
}

// NewMemory checks the layout and returns a Memory over the given bytes,
// which stay the caller's and must outlive it.
func NewMemory(layout ...Region) (*Memory, error) {
	m := &Memory{}
	for _, l := range layout {
		size := uint64(len(l.Bytes))
		switch {
		case size == 0 || size%pageSize != 0 || l.Base%pageSize != 0:
			return nil, fmt.Errorf("riscv: memory region %#x+%#x is not made of whole pages", l.Base, size)
		case l.Base+size-1 < l.Base:
			return nil, fmt.Errorf("riscv: memory region %#x+%#x wraps around", l.Base, size)
		case uintptr(unsafe.Pointer(&l.Bytes[0]))%8 != 0:
			return nil, fmt.Errorf("riscv: memory region %#x is not aligned in host memory", l.Base)
		}
		for _, r := range m.regions {
			if l.Base < r.base+r.size && r.base < l.Base+size {
				return nil, fmt.Errorf("riscv: memory regions %#x and %#x overlap", r.base, l.Base)
			}
		}
		m.regions = append(m.regions, &region{
			base: l.Base, size: size, bytes: l.Bytes, readOnly: l.ReadOnly,
			lines: make([]atomic.Uint64, size/pageSize),
			gen:   make([]atomic.Uint32, size/pageSize),
		})
	}
	return m, nil
}

// find returns the region that holds pa, or nil. There are a handful.
func (m *Memory) find(pa uint64) *region {
	for _, r := range m.regions {
		if pa-r.base < r.size {
			return r
		}
	}
	return nil
}

// Slice returns the n bytes of RAM or ROM at physical address addr, or nil if
// they are not all in one region. Harts may be writing to them; whoever
// writes to them calls Written afterwards.
func (m *Memory) Slice(addr, n uint64) []byte {
	r := m.find(addr)
	if r == nil || n > r.size-(addr-r.base) {
		return nil
	}
	return r.bytes[addr-r.base:][:n:n]
}

// locate returns the region and page number of a host page.
func (m *Memory) locate(host unsafe.Pointer) (*region, uint64) {
	for _, r := range m.regions {
		if off := uint64(uintptr(host) - uintptr(unsafe.Pointer(&r.bytes[0]))); off < r.size {
			return r, off >> pageShift
		}
	}
	panic("riscv: host page outside guest memory")
}

// attach adds h to those told about new code pages.
func (m *Memory) attach(h *Hart) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.harts = append(m.harts, h)
}

// page returns the host address of the page that holds off.
func (r *region) page(off uint64) unsafe.Pointer {
	return unsafe.Pointer(&r.bytes[off&^pageMask])
}

// at returns the host address of off.
func (r *region) at(off uint64) unsafe.Pointer { return unsafe.Pointer(&r.bytes[off]) }
