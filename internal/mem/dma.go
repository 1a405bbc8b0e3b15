package mem

// DMARead fills p from addr on, for a device: the caller holds the BQL. What
// cannot be read is left zero and makes the result an error; the rest is read
// all the same. I/O regions are read in the widest pieces they allow.
func (as *AddressSpace) DMARead(addr uint64, p []byte) (res Result) {
	for len(p) > 0 {
		r, off, n := as.piece(addr, len(p))
		var part Result
		switch {
		case r == nil:
			clear(p[:n])
			part = DecodeError
		case r.ram != nil:
			copy(p[:n], r.ram[off:])
		default:
			part = as.m.readIO(r, off, p[:n])
		}
		res = max(res, part)
		addr, p = addr+uint64(n), p[n:]
	}
	return res
}

// DMAWrite is the counterpart of [AddressSpace.DMARead]. Writing to ROM is a
// DecodeError.
func (as *AddressSpace) DMAWrite(addr uint64, p []byte) (res Result) {
	for len(p) > 0 {
		r, off, n := as.piece(addr, len(p))
		part := OK
		switch {
		case r == nil || r.kind == ROM:
			part = DecodeError
		case r.ram != nil:
			copy(r.ram[off:], p[:n])
			r.wrote(off, uint64(n))
		default:
			part = as.m.writeIO(r, off, p[:n])
		}
		res = max(res, part)
		addr, p = addr+uint64(n), p[n:]
	}
	return res
}

// piece returns the region at addr, the offset in it, and how many of n bytes
// are in the same range; the region is nil for a hole of that length.
func (as *AddressSpace) piece(addr uint64, n int) (r *Region, off uint64, got int) {
	f := as.Flat()
	c, i := f.search(addr)
	if c == len(f.chunks) {
		return nil, 0, n
	}
	g := &f.chunks[c].ranges[i]
	if g.First > addr {
		return nil, 0, int(min(g.First-addr, uint64(n)))
	}
	return g.Region, addr - g.First + g.Offset, int(min(g.Last-addr, uint64(n)-1)) + 1
}

func (m *Map) readIO(r *Region, off uint64, p []byte) (res Result) {
	for len(p) > 0 {
		w := r.ops.accessWidth(off, len(p))
		v, part := m.ioRead(r, off, w)
		for i := range w {
			p[i] = byte(v >> (8 * i))
		}
		res = max(res, part)
		off, p = off+uint64(w), p[w:]
	}
	return res
}

func (m *Map) writeIO(r *Region, off uint64, p []byte) (res Result) {
	for len(p) > 0 {
		w := r.ops.accessWidth(off, len(p))
		var v uint64
		for i := range w {
			v |= uint64(p[i]) << (8 * i)
		}
		res = max(res, m.ioWrite(r, off, v, w))
		off, p = off+uint64(w), p[w:]
	}
	return res
}

// A Hold keeps memory lent by [AddressSpace.RAMSlice] from going away. The
// zero Hold holds nothing.
type Hold struct {
	owner   Owner
	written *Region // lent for writing
	off, n  uint64
}

// Release ends the loan, under the BQL. The slice must not be used after it.
func (h Hold) Release() {
	if h.written != nil {
		h.written.wrote(h.off, h.n)
	}
	if h.owner != nil {
		h.owner.Unref()
	}
}

// OnWrite has f called, under the BQL, after a device has written n bytes from
// off on by DMA (or has had them on loan for writing). Writes by harts and
// through [Region.Bytes] are not reported. It is for the region's maker, before
// the region is used.
func (r *Region) OnWrite(f func(off, n uint64)) { r.onWrite = f }

func (r *Region) wrote(off, n uint64) {
	if r.onWrite != nil {
		r.onWrite(off, n)
	}
}

// RAMSlice lends the memory at addr itself, for zero-copy I/O: as many of n
// bytes as lie side by side in RAM (or in ROM, if not for writing), so the
// slice may be shorter than n, and is nil if addr is no such memory. The
// caller holds the BQL for the call, not for the loan.
func (as *AddressSpace) RAMSlice(addr, n uint64, write bool) ([]byte, Hold) {
	r := as.Flat().Find(addr)
	if r == nil || n == 0 || r.Region.ram == nil || (write && r.Region.kind == ROM) {
		return nil, Hold{}
	}
	off := addr - r.First + r.Offset
	n = min(n-1, r.Last-addr) + 1
	if o := r.Region.owner; o != nil {
		o.Ref()
	}
	h := Hold{owner: r.Region.owner}
	if write {
		h.written, h.off, h.n = r.Region, off, n
	}
	return r.Region.ram[off : off+n : off+n], h
}
