package riscv

// How harts keep translated code and stores to it apart. A page with
// translated lines has no write tags in any soft-TLB, so stores to it take
// the slow path and are noticed. What is noticed takes effect at once in the
// hart that stores and at the next FENCE.I in the others, as the architecture
// has it (Unpriv. chapter 5).

// codePageRef names a page of a region.
type codePageRef struct {
	r    *region
	page uint64
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

// lineBits is the set of lines that n bytes at off cover within their page.
func lineBits(off, n uint64) uint64 {
	first := off & pageMask >> lineShift
	last := (off&pageMask + n - 1) >> lineShift
	return ^uint64(0) >> (63 - (last - first)) << first
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

// requestDrop asks h, from another hart's goroutine, to forget its write tags
// for a page. h does so before it next orders memory (see Hart.attend), so
// whatever it wrote through an old tag is counted before it can tell anybody.
func (h *Hart) requestDrop(p codePageRef) {
	h.requestMu.Lock()
	h.requests[p] = struct{}{}
	h.requestMu.Unlock()
	h.attention.Store(1)
}

// honourDrops carries out what requestDrop asked for. A tag that was in use
// may have written to fresh code; that counts as a store to the page.
func (h *Hart) honourDrops() {
	h.requestMu.Lock()
	defer h.requestMu.Unlock()
	for p := range h.requests {
		if h.dropWriteTags(p.r.page(p.page << pageShift)) {
			h.mem.wrote(p.r, p.page<<pageShift, pageSize)
		}
	}
	clear(h.requests)
}
