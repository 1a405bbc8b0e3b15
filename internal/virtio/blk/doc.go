// Package blk is the virtio block device (virtio 1.2 §5.2), virtio-blk-pci.
//
// Each request of a guest is a coroutine of the main context, which yields
// while the [Backend] works; the data passes through a buffer of the request,
// piece by piece, so that a guest that resets or loses the device while a
// request is in flight cannot have its memory written later. At most
// maxInFlight requests of a device are under way; the rest waits in the queues.
//
// Goroutines: none. Locks: none; everything runs under the BQL in the main
// context, but reads of the configuration, which run in a vCPU's thread.
package blk
