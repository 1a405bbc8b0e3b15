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

// Written tells the harts that somebody other than a hart has changed n bytes
// of memory at physical address addr: a device's DMA, a loader, a debugger.
// Call it after the bytes are written. A hart honours it at its next FENCE.I,
// as it must for a store by another hart. It is cheap for pages without code.
func (m *Memory) Written(addr, n uint64) {
	for n > 0 {
		chunk := min(n, pageSize-addr&pageMask)
		if r := m.find(addr); r != nil {
			m.wrote(r, addr-r.base, chunk)
		}
		addr, n = addr+chunk, n-chunk
	}
}

// wrote notes that n bytes at off, inside one page, have been written. It
// reports whether they overlapped translated code.
func (m *Memory) wrote(r *region, off, n uint64) bool {
	page := off >> pageShift
	lines := r.lines[page].Load()
	if lines == 0 || lines&lineBits(off, n) == 0 {
		return false
	}
	// Clear, then count: a hart that translates anew in between records the old
	// count and so drops its work once more than needed, never once too few.
	r.lines[page].Store(0)
	r.gen[page].Add(1)
	m.codeGen.Add(1)
	return true
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

// lineBits is the set of lines that n bytes at off cover within their page.
func lineBits(off, n uint64) uint64 {
	first := off & pageMask >> lineShift
	last := (off&pageMask + n - 1) >> lineShift
	return ^uint64(0) >> (63 - (last - first)) << first
}

// attach adds h to those told about new code pages.
func (m *Memory) attach(h *Hart) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.harts = append(m.harts, h)
}

// markCode records that h is about to translate n bytes at off, inside one
// page, and sees to it that no hart keeps writing to the page unnoticed.
func (m *Memory) markCode(h *Hart, r *region, off, n uint64) {
	bits := lineBits(off, n)
	old := r.lines[off>>pageShift].Or(bits)
	if old != 0 || r.readOnly {
		return
	}
	page := r.page(off)
	h.dropWriteTags(page)
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, other := range m.harts {
		if other != h {
			other.requestDrop(codePageRef{r, off >> pageShift})
		}
	}
}

// page returns the host address of the page that holds off.
func (r *region) page(off uint64) unsafe.Pointer {
	return unsafe.Pointer(&r.bytes[off&^pageMask])
}

// at returns the host address of off.
func (r *region) at(off uint64) unsafe.Pointer { return unsafe.Pointer(&r.bytes[off]) }

// codePageRef names a page of a region.
type codePageRef struct {
	r    *region
	page uint64
}

// requestDrop asks h, from another hart's goroutine, to forget its write tags
// for a page. h does so before it next orders memory (see Hart.attend), so
// whatever it wrote through an old tag is counted before it can tell anybody.
func (h *Hart) requestDrop(p codePageRef) {
	h.requestMu.Lock()
	h.requests = append(h.requests, p)
	h.requestMu.Unlock()
	h.attention.Store(1)
}

// honourDrops carries out what requestDrop asked for. A tag that was in use
// may have written to fresh code; that counts as a store to the page.
func (h *Hart) honourDrops() {
	h.requestMu.Lock()
	defer h.requestMu.Unlock()
	for _, p := range h.requests {
		if h.dropWriteTags(p.r.page(p.page << pageShift)) {
			h.mem.wrote(p.r, p.page<<pageShift, pageSize)
		}
	}
	h.requests = h.requests[:0]
}
