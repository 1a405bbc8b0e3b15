package riscv

// load reads size bytes (1, 2, 4 or 8) at va, zero-extended. ok false means
// that it trapped.
func (h *Hart) load(va, size uint64) (v uint64, ok bool) {
	if p := h.data.read.lookup(va, size); p != nil {
		return loadN(p, size), true
	}
	if va&pageMask+size > pageSize {
		return h.loadAcross(va, size)
	}
	pa, r, ok := h.resolve(va, size, accessLoad)
	switch {
	case !ok:
		return 0, false
	case r != nil:
		return loadN(r.at(pa-r.base), size), true
	case pa&(size-1) == 0: // devices take no misaligned accesses
		if v, ok = h.bus.Load(pa, int(size)); ok {
			return v & (^uint64(0) >> (64 - 8*size)), true
		}
	}
	h.trap(causeLoadAccess, va)
	return 0, false
}

// loadAcross reads bytes that lie in two pages.
func (h *Hart) loadAcross(va, size uint64) (v uint64, ok bool) {
	second := (va + size) &^ pageMask
	firstLen := second - va
	pa1, r1, ok := h.resolve(va, firstLen, accessLoad)
	if !ok {
		return 0, false
	}
	pa2, r2, ok := h.resolve(second, size-firstLen, accessLoad)
	if !ok {
		return 0, false
	}
	if r1 == nil || r2 == nil {
		h.trap(causeLoadAccess, va)
		return 0, false
	}
	for i := range size {
		p := r1.at(pa1 - r1.base + min(i, firstLen-1))
		if i >= firstLen {
			p = r2.at(pa2 - r2.base + i - firstLen)
		}
		v |= uint64(load8(p)) << (8 * i)
	}
	return v, true
}

// store writes the low size bytes of v at va and reports false if it trapped.
func (h *Hart) store(va, size, v uint64) bool {
	if p := h.data.write.lookup(va, size); p != nil {
		storeN(p, size, v)
		return true
	}
	if va&pageMask+size > pageSize {
		return h.storeAcross(va, size, v)
	}
	pa, r, ok := h.resolve(va, size, accessStore)
	switch {
	case !ok:
		return false
	case r != nil:
		h.storeRAM(r, pa-r.base, size, v)
		return true
	case pa&(size-1) == 0:
		if h.bus.Store(pa, int(size), v&(^uint64(0)>>(64-8*size))) {
			return true
		}
	}
	h.trap(causeStoreAccess, va)
	return false
}

func (h *Hart) storeRAM(r *region, off, size, v uint64) {
	if r.readOnly {
		return
	}
	storeN(r.at(off), size, v)
	h.wroteCode(r, off, size)
}

// storeAcross writes bytes in two pages, having made sure of both first.
func (h *Hart) storeAcross(va, size, v uint64) bool {
	second := (va + size) &^ pageMask
	firstLen := second - va
	pa1, r1, ok := h.resolve(va, firstLen, accessStore)
	if !ok {
		return false
	}
	pa2, r2, ok := h.resolve(second, size-firstLen, accessStore)
	if !ok {
		return false
	}
	if r1 == nil || r2 == nil {
		h.trap(causeStoreAccess, va)
		return false
	}
	for i := range size {
		if i < firstLen {
			h.storeRAM(r1, pa1-r1.base+i, 1, v>>(8*i))
		} else {
			h.storeRAM(r2, pa2-r2.base+i-firstLen, 1, v>>(8*i))
		}
	}
	return true
}
