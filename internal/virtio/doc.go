// Package virtio is the part of a virtio 1.2 device that is the same for all
// kinds: feature negotiation, the status byte, queues and their registers
// ([Core]), and its presence on PCI ([PCI]), with the modern interface, the
// legacy one or both. What a kind does is a [Kind]; see packages blk and rng.
//
// A guest that breaks the protocol breaks its own device: the queue stops, the
// status says NEEDS_RESET, and nothing panics or blocks.
//
// Contexts: register accesses run in the vCPU's thread under the BQL and only
// note what to do; a notify schedules a bottom half of the main context, and the
// Kind handles its queues there. Requests may take as long as they like
// (coroutines). Nothing here blocks.
//
// Reset waits for nobody: while requests are in flight the status register keeps
// its value, and reads as zero when the last has ended, as the specification
// has drivers wait for (virtio 1.2 §4.1.4.3.2). What such a request has still to
// say to the guest is dropped. A legacy driver does not wait: its registers work
// at once, its queues when those requests have ended. Likewise a device that is
// unplugged stops to touch the guest at once, and each request in flight holds a
// reference to it, so that it is finalised after the last.
//
// Goroutines: none. Locks: none of its own; everything wants the BQL.
package virtio
