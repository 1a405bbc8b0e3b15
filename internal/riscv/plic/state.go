package plic

import "math/bits"

// State is what the controller remembers, for people to look at.
type State struct {
	Pending, Claimed []int // sources
	Contexts         []ContextState
}

// ContextState is what a context wants, and whether it is interrupted.
type ContextState struct {
	Enabled   []int // sources
	Threshold uint32
	Line      bool
}

// State returns a copy of the controller's state; nothing changes by it.
func (d *Device) State() State {
	s := State{Pending: sources(d.pending), Claimed: sources(d.claimed)}
	for _, c := range d.contexts {
		s.Contexts = append(s.Contexts, ContextState{Enabled: sources(c.enable), Threshold: c.threshold, Line: c.line})
	}
	return s
}

// sources lists the members of a bit set.
func sources(set []uint32) (list []int) {
	for w, bitsLeft := range set {
		for ; bitsLeft != 0; bitsLeft &= bitsLeft - 1 {
			list = append(list, w*32+bits.TrailingZeros32(bitsLeft))
		}
	}
	return list
}
