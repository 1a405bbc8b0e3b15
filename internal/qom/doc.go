// Package qom is the object model: named objects in a tree with types,
// properties and references, as QEMU's QOM shows them over QMP.
//
// An [Object] is embedded in what it names (a device, a bus, a memory
// backend). Its parent refers to it by a property child<T>; other objects may
// point at it by link<T>. A path is the names from the root down, as in
// /machine/peripheral/disk0; a path without a leading slash is matched against
// the ends of all paths.
//
// References are counted although Go collects garbage, because what counts is
// when the resources behind an object are free again: the last [Object.Unref]
// finalises it, children first. Taking an object out of the tree
// ([Object.Unparent]) drops the tree's reference only.
//
// Concurrency: everything is guarded by the BQL. The package starts no
// goroutines, has no locks and never blocks. Type tables are immutable once
// built.
package qom
