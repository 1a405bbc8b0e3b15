/* Modern virtio over PCI, one split queue (virtio 1.2 sections 2.7 and 4.1). */
#ifndef VIRTIO_H
#define VIRTIO_H
#include "machine.h"
#include "pci.h"

#define VIRTIO_BLK 2
#define VIRTIO_RNG 4

#define VIRTIO_ISR_CONFIG 2

#define QUEUE_SIZE 16 /* at most; virtio-rng offers 8 */
#define CHAIN 4                      /* descriptors set aside for a request */
#define REQUESTS (QUEUE_SIZE / CHAIN)
#define DATA_SIZE 2048               /* four sectors a request */

/* One request's memory. */
struct request {
	uint32_t type, reserved; /* virtio-blk's header */
	uint64_t sector;
	uint64_t data[DATA_SIZE / 8];
	uint8_t status, pad[7];
};

struct virtio {
	bdf_t bdf;
	uintptr_t common, notify, isr, config;
	uint32_t notify_multiplier;
	uintptr_t doorbell;
	uint32_t features; /* low word, negotiated */
	unsigned lane;     /* which queue memory */
	uint16_t size, available, used;
	unsigned in_flight;
	bool broken;       /* the device told nonsense: ask it nothing more */
};

/* virtio_type is the device type, or 0 if it is not virtio at all. */
unsigned virtio_type(bdf_t b, uint16_t vendor, uint16_t id);

/* virtio_open finds the register blocks; virtio_start resets, negotiates, sets
 * up queue 0 in lane's memory and says DRIVER_OK. NULL, or what went wrong. */
const char *virtio_open(struct virtio *v, bdf_t b, uint64_t bars[PCI_BARS]);
const char *virtio_start(struct virtio *v, unsigned lane, uint32_t features);

/* virtio_reset stops all DMA; false: the device did not say so in time. */
bool virtio_reset(struct virtio *v);

/* A buffer of a request, in order; device_writes: the device fills it. */
struct buffer {
	void *at;
	uint32_t size;
	bool device_writes;
};

/* virtio_requests is how many requests can be out at once, 1 to REQUESTS. */
static inline unsigned virtio_requests(struct virtio *v) { return v->size / CHAIN; }

/* virtio_submit queues request i (below virtio_requests), which must be idle, without
 * ringing; virtio_ring tells the device. */
void virtio_submit(struct virtio *v, unsigned i, const struct buffer *buffers, unsigned n);
void virtio_ring(struct virtio *v);

/* virtio_reap takes one finished request: its number, or -1. *size is how much the device wrote. */
int virtio_reap(struct virtio *v, uint32_t *size);

struct request *virtio_request(struct virtio *v, unsigned i);

uint64_t virtio_config64(struct virtio *v, unsigned at);

#endif
