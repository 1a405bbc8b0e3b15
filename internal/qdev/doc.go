// Package qdev is the device model: classes of devices, buses they sit on,
// properties they are configured with, and the life each of them leads from
// device_add to DEVICE_DELETED.
//
// A device is a Go struct that embeds [Base] (through its bus's package, say
// pci.Device). Its properties are fields with a tag, and that tag is the one
// source for device_add, device-list-properties, "-device X,help" and
// info qtree. What it does in its life it says by the optional interfaces
// [Initer], [Realizer], [Unrealizer], [Resetter] and [Finalizer].
//
// A [Tree] holds the devices of one machine. It alone moves a device through
// its life: a [State], changed in one place by a table of legal moves; an
// illegal move is a bug of ours and panics with the device's history. Whoever
// adds a device publishes it last; whatever fails is undone in reverse.
//
// References: a device is held by its place in the object tree, by its bus, by
// the memory map as long as an access may reach it, and by whoever calls
// Object.Ref. The bus drops its reference after a grace period. The last
// reference finalises the device, which frees its drives and id and sends
// DEVICE_DELETED, its children's first.
//
// Concurrency: everything here wants the BQL, and nothing yields or blocks; a
// caller that has to know that a failed device is gone waits for RCU itself
// (rcu.Domain.DrainCo). A [Registry] is immutable once built. The package
// starts no goroutines and has no locks.
package qdev
