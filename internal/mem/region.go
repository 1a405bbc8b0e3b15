package mem

import (
	"fmt"
	"math"
	"slices"
)

// Kind tells what a region is.
type Kind uint8

// The kinds of region. Any kind but Alias can have children on top of it.
const (
	Container Kind = iota // only its children
	IO                    // an Ops
	RAM                   // memory
	ROM                   // memory that guests cannot write
	Alias                 // a window onto another region
)

// Whole as a size means all 2^64 bytes.
const Whole uint64 = math.MaxUint64

// A Region is a node of the memory map. Make one with a method of [Map]; all
// methods want the BQL. What accesses need (kind, ops, memory, guard) never
// changes; the rest changes only inside a transaction (each changing method is
// one of its own when none is open).
type Region struct {
	m     *Map
	name  string
	kind  Kind
	owner Owner
	guard *Guard // of the owner; nil if the region is exempt
	ops   *Ops   // IO
	ram   []byte // RAM, ROM
	free  func(ram []byte)

	onWrite func(off, n uint64) // see OnWrite

	last     uint64 // size-1
	enabled  bool
	parent   *Region
	addr     uint64 // in parent
	prio     int
	children []child // by falling priority, the newest first among equals

	target  *Region   // Alias
	offset  uint64    // of the window in target
	aliases []*Region // in the map, onto this region, and not asleep
	asleep  *Region   // see Region.rest

	// Tag is the [Keeper]'s, to find what it made of the region.
	Tag any

	view   *view           // the flat view rooted here, if an address space uses it
	spaces []*AddressSpace // whose root this is
}

// child is an entry of a container: the interval it covers, side by side in
// memory so that a search passes quickly over those out of the way.
type child struct {
	first, last uint64
	r           *Region
}

func (m *Map) newRegion(kind Kind, owner Owner, name string, size uint64) *Region {
	if size == 0 {
		panic(fmt.Sprintf("mem: region %q of size 0", name))
	}
	r := &Region{m: m, name: name, kind: kind, owner: owner, last: lastOf(size), enabled: true}
	if k, ok := owner.(Keeper); ok {
		k.Keep(r)
	}
	return r
}

func lastOf(size uint64) uint64 {
	if size == Whole {
		return math.MaxUint64
	}
	return size - 1
}

// Container returns a region that consists of its children. owner may be nil
// here and below, for what lives as long as the machine.
func (m *Map) Container(owner Owner, name string, size uint64) *Region {
	return m.newRegion(Container, owner, name, size)
}

// IO returns a region whose accesses go to ops.
func (m *Map) IO(owner Owner, name string, size uint64, ops *Ops) *Region {
	r := m.newRegion(IO, owner, name, size)
	r.ops = ops
	if owner != nil && !ops.Reentrant && !ops.Lockless {
		r.guard = owner.IOGuard()
	}
	return r
}

// RAM returns a region of zeroed memory outside Go's heap. [Region.Free] or
// [Map.Close] gives it back.
func (m *Map) RAM(owner Owner, name string, size uint64) (*Region, error) {
	return m.memory(RAM, owner, name, size)
}

// ROM returns a region of zeroed memory that only [Region.Bytes] can fill.
func (m *Map) ROM(owner Owner, name string, size uint64) (*Region, error) {
	return m.memory(ROM, owner, name, size)
}

func (m *Map) memory(kind Kind, owner Owner, name string, size uint64) (*Region, error) {
	if size > math.MaxInt {
		return nil, fmt.Errorf("cannot set up guest memory '%s': size too large", name)
	}
	p, err := allocate(int(size))
	if err != nil {
		return nil, fmt.Errorf("cannot set up guest memory '%s': %w", name, err)
	}
	return m.Given(kind, owner, name, p, release), nil
}

// Given returns a region of the kind [RAM] or [ROM] that is the caller's memory,
// which lies outside Go's heap. free is called with it when [Region.Free] or
// [Map.Close] gives it back and nobody can reach it any more.
func (m *Map) Given(kind Kind, owner Owner, name string, ram []byte, free func(ram []byte)) *Region {
	r := m.newRegion(kind, owner, name, uint64(len(ram)))
	r.ram, r.free = ram, free
	m.memories[r] = struct{}{}
	return r
}

// Alias returns a window of size bytes onto target, from offset on.
func (m *Map) Alias(owner Owner, name string, target *Region, offset, size uint64) *Region {
	r := m.newRegion(Alias, owner, name, size)
	r.target, r.offset = target, offset
	return r
}

// Name, Kind and Owner return what the region was made with.
func (r *Region) Name() string { return r.name }

// Kind returns the kind of region.
func (r *Region) Kind() Kind { return r.kind }

// Owner returns the device the region belongs to, or nil.
func (r *Region) Owner() Owner { return r.owner }

// Size returns the size in bytes, [Whole] for 2^64.
func (r *Region) Size() uint64 {
	if r.last == math.MaxUint64 {
		return Whole
	}
	return r.last + 1
}

// Addr returns the region's address in its parent.
func (r *Region) Addr() uint64 { return r.addr }

// Priority returns the region's priority among its siblings.
func (r *Region) Priority() int { return r.prio }

// Enabled tells whether the region (and what is in it) can be seen.
func (r *Region) Enabled() bool { return r.enabled }

// Parent returns the region that contains this one, or nil.
func (r *Region) Parent() *Region { return r.parent }

// Target returns what an alias shows and from which offset; nil for others.
func (r *Region) Target() (*Region, uint64) { return r.target, r.offset }

// Bytes returns the memory of a RAM or ROM region; nil for others. Guests
// access it at any time, without any lock: it lies outside Go's heap, so what
// races there is the guest's business and invisible to the race detector.
func (r *Region) Bytes() []byte { return r.ram }

// Add places sub at addr, with priority 0.
func (r *Region) Add(addr uint64, sub *Region) { r.AddOverlap(addr, sub, 0) }

// AddOverlap places sub at addr. Where siblings overlap, the higher priority is
// seen, among equals the one added last. sub must have no parent.
func (r *Region) AddOverlap(addr uint64, sub *Region, prio int) {
	if sub.parent != nil {
		panic(fmt.Sprintf("mem: %q added to %q is in %q", sub.name, r.name, sub.parent.name))
	}
	if r.kind == Alias {
		panic(fmt.Sprintf("mem: %q added to alias %q", sub.name, r.name))
	}
	r.m.Begin()
	sub.parent, sub.addr, sub.prio = r, addr, prio
	r.insert(sub)
	if t := sub.target; t != nil {
		t.wake()
		t.aliases = append(t.aliases, sub)
	}
	sub.changed()
	r.m.Commit()
}

// Remove takes sub out of r. sub and what is in it can be placed again.
func (r *Region) Remove(sub *Region) {
	if sub.parent != r {
		panic(fmt.Sprintf("mem: %q removed from %q is not in it", sub.name, r.name))
	}
	r.m.Begin()
	sub.changed()
	r.drop(sub)
	sub.parent = nil
	if r.asleep == sub {
		r.asleep = nil
	} else if t := sub.target; t != nil {
		t.aliases = deleteFirst(t.aliases, sub)
	}
	r.m.Commit()
}

// insert enters sub before the first sibling of no higher priority.
func (r *Region) insert(sub *Region) {
	i := slices.IndexFunc(r.children, func(c child) bool { return c.r.prio <= sub.prio })
	if i < 0 {
		i = len(r.children)
	}
	r.children = slices.Insert(r.children, i, child{sub.addr, addSat(sub.addr, sub.last), sub})
}

func (r *Region) drop(sub *Region) {
	i := slices.IndexFunc(r.children, func(c child) bool { return c.r == sub })
	r.children = slices.Delete(r.children, i, i+1)
}

// SetEnabled shows or hides the region.
func (r *Region) SetEnabled(on bool) {
	if r.enabled != on {
		r.update(func() { r.enabled = on })
	}
}

// SetAddr moves the region within its parent, on top of siblings of the same
// priority.
func (r *Region) SetAddr(addr uint64) {
	if r.addr != addr {
		r.update(func() { r.addr = addr })
	}
}

// SetSize changes the size; the region must not be RAM or ROM.
func (r *Region) SetSize(size uint64) {
	if size == 0 || r.ram != nil {
		panic(fmt.Sprintf("mem: region %q cannot have size %d", r.name, size))
	}
	if last := lastOf(size); r.last != last {
		r.update(func() { r.last = last })
	}
}

// SetOffset moves an alias's window over its target.
func (r *Region) SetOffset(offset uint64) {
	if r.offset != offset {
		r.update(func() { r.offset = offset })
	}
}

// update makes a change to r that alters where it is or what it shows: what it
// covered before and what it covers after both count as touched.
func (r *Region) update(change func()) {
	r.m.Begin()
	r.changed()
	change()
	if p := r.parent; p != nil {
		p.drop(r)
		p.insert(r)
	}
	r.changed()
	r.m.Commit()
}

// Free gives the memory of a RAM or ROM region back after a grace period. No
// map may contain the region any more; slices of its memory become invalid.
func (r *Region) Free() {
	if _, ok := r.m.memories[r]; !ok {
		return
	}
	delete(r.m.memories, r)
	r.m.rcu.Call(func() { r.free(r.ram) })
}

// addSat returns a+b, or the highest address if that overflows.
func addSat(a, b uint64) uint64 {
	if s := a + b; s >= a {
		return s
	}
	return math.MaxUint64
}
