package block

import "sort"

// A Histogram counts requests by what they took.
type Histogram struct {
	Boundaries []uint64 // between the bins, in nanoseconds, rising
	Bins       []uint64 // one more
}

// NewHistogram returns an empty one. It is nil if the boundaries do not rise
// from above 0.
func NewHistogram(boundaries []uint64) *Histogram {
	last := uint64(0)
	for _, b := range boundaries {
		if b <= last {
			return nil
		}
		last = b
	}
	return &Histogram{Boundaries: boundaries, Bins: make([]uint64, len(boundaries)+1)}
}

// count counts a request. A request that took just a boundary is above it.
func (h *Histogram) count(ns int64) {
	if h != nil {
		h.Bins[sort.Search(len(h.Boundaries), func(i int) bool { return h.Boundaries[i] > uint64(ns) })]++
	}
}
