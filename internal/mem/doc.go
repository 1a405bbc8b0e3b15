// Package mem is the machine's physical memory map: a tree of regions, the
// address spaces that look at it, and the accesses that go through them.
//
// A [Region] is a container, memory-mapped I/O, RAM, ROM or an alias of a part
// of another region; it sits at an address of at most one parent, with a
// priority that decides overlaps. An [AddressSpace] is a view of the tree from
// one root. What an access reads is not the tree but a flat view: a sorted
// array of ranges, each of one region, rendered from it.
//
// Only what changed is rendered again. A change knows the interval of
// addresses it touches, carries it up through parents and aliases to the views
// that can see it, and each view renders that interval anew and splices it
// into a copy of its array. Address spaces that see the same thing share one
// view, so a map with hundreds of bus masters still has one array to splice.
//
// Concurrency. The tree is read and changed under the BQL. Flat views are
// published through an atomic pointer: a vCPU looks one up inside an RCU
// read-side critical section, a holder of the BQL needs none. Each range of a
// published view holds a reference to its region's owner; when a range leaves,
// the reference is dropped after a grace period, so an owner is never
// finalised while somebody may still call it through an old view.
//
// Lock order: RCU read section, then the BQL (taken by [AddressSpace.Read] and
// [AddressSpace.Write] around a region's callbacks, see there). The package
// has no locks of its own, starts no goroutines, and blocks only on the BQL.
package mem
