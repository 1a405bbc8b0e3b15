package mem

// A Range is a piece of a flat view: addresses First to Last (inclusive) are
// the bytes of Region from Offset on.
type Range struct {
	First, Last uint64
	Region      *Region
	Offset      uint64
}

// A FlatView is what an address space looks like at one moment: ranges in
// order of address, none overlapping, neighbours joined where they continue
// the same region. It is immutable. Hold it no longer than the RCU read
// section or the BQL under which it was had.
//
// The ranges come in chunks, so that a new view shares with its predecessor
// all but the chunks that changed (BenchmarkMapChange).
type FlatView struct{ chunks []chunk }

// chunk is a run of ranges, never empty; last is where its last one ends.
type chunk struct {
	last   uint64
	ranges []Range
}

// Chunks hold between chunkMin and chunkMax ranges, but for a lone one: with
// 64 ranges of 32 bytes a change copies some 2 KiB and the list of chunks,
// which is a tenth of the view at the 3,000 ranges of a thousand devices.
const (
	chunkMax = 64
	chunkMin = chunkMax / 4
)

func newFlatView(ranges []Range) *FlatView {
	s := splice{buf: ranges}
	return s.finish()
}

// Ranges returns a copy of all ranges.
func (f *FlatView) Ranges() []Range {
	var out []Range
	for i := range f.chunks {
		out = append(out, f.chunks[i].ranges...)
	}
	return out
}

// Find returns the range that contains addr, or nil. The caller must not
// change it.
func (f *FlatView) Find(addr uint64) *Range {
	if c, i := f.search(addr); c < len(f.chunks) {
		if r := &f.chunks[c].ranges[i]; r.First <= addr {
			return r
		}
	}
	return nil
}

// search returns the chunk and the index in it of the first range that ends at
// addr or later; the chunk is len(f.chunks) if there is none.
func (f *FlatView) search(addr uint64) (c, i int) {
	lo, hi := 0, len(f.chunks)
	for lo < hi {
		if mid := int(uint(lo+hi) >> 1); f.chunks[mid].last < addr {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	if lo == len(f.chunks) {
		return lo, 0
	}
	return lo, endingBefore(f.chunks[lo].ranges, addr)
}

// endingBefore returns how many ranges end before addr. It is written out
// because it is on the path of every MMIO access (BenchmarkLookup).
func endingBefore(ranges []Range, addr uint64) int {
	lo, hi := 0, len(ranges)
	for lo < hi {
		if mid := int(uint(lo+hi) >> 1); ranges[mid].Last < addr {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	return lo
}

// widen returns s with the ranges that it meets and a neighbour on each side,
// all whole: what is new may continue a neighbour and then is one range with it.
func (f *FlatView) widen(s span) span {
	c, i := f.search(s.first)
	if before := f.neighbour(c, i, -1); before != nil {
		s.first = before.First
	} else if c < len(f.chunks) {
		s.first = min(s.first, f.chunks[c].ranges[i].First)
	}
	c, i = f.search(s.last)
	if c == len(f.chunks) {
		return s
	}
	if r := &f.chunks[c].ranges[i]; r.First > s.last {
		s.last = r.Last
	} else if after := f.neighbour(c, i, 1); after != nil {
		s.last = after.Last
	} else {
		s.last = r.Last
	}
	return s
}

// neighbour returns the range one before or after a position, or nil.
func (f *FlatView) neighbour(c, i, step int) *Range {
	i += step
	switch {
	case i < 0:
		if c--; c < 0 {
			return nil
		}
		i = len(f.chunks[c].ranges) - 1
	case c < len(f.chunks) && i == len(f.chunks[c].ranges):
		c, i = c+1, 0
	}
	if c >= len(f.chunks) {
		return nil
	}
	return &f.chunks[c].ranges[i]
}
