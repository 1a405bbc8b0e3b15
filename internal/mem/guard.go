package mem

import "fmt"

// Owner is the device that a region belongs to. Views hold references on it as
// long as an access may reach one of its regions.
type Owner interface {
	// Ref and Unref count references; both are called under the BQL. The last
	// Unref finalises the owner.
	Ref()
	Unref()
	// IOGuard returns the owner's re-entrancy guard, always the same one; nil
	// for an owner that needs none.
	IOGuard() *Guard
}

// Keeper is an Owner that is told of its regions as they are made.
type Keeper interface{ Keep(r *Region) }

// A Guard keeps I/O out of a device whose callback is running: a device that
// by DMA reaches its own registers would otherwise run inside itself. The zero
// Guard is ready to use; it is guarded by the BQL.
type Guard struct{ busy bool }

// Engaged tells whether a region callback of the device is running.
func (g *Guard) Engaged() bool { return g.busy }

// enter sets r's guard and returns it for leave, or reports that r's owner is
// busy. A nil guard means r has none.
func (m *Map) enter(r *Region, off uint64) (*Guard, bool) {
	g := r.guard
	if g == nil {
		return nil, true
	}
	if g.busy {
		m.warnReentrant(r, off)
		return nil, false
	}
	g.busy = true
	return g, true
}

func (g *Guard) leave() {
	if g != nil {
		g.busy = false
	}
}

// warnReentrant reports the first blocked access of the machine; a guest can
// cause as many as it likes.
func (m *Map) warnReentrant(r *Region, off uint64) {
	if m.warned || m.warn == nil {
		return
	}
	m.warned = true
	m.warn(fmt.Sprintf("Blocked re-entrant IO on MemoryRegion: %s at addr: 0x%X", r.name, off))
}
