#include "virtio.h"
#include "bits.h"
#include "clock.h"

#define VENDOR 0x1af4
#define MODERN 0x1040
#define TRANSITIONAL 0x1000
#define TRANSITIONAL_END 0x1040

/* Vendor capability */
#define CAP_TYPE 3
#define CAP_BAR 4
#define CAP_OFFSET 8
#define CAP_MULTIPLIER 16
#define TYPE_COMMON 1
#define TYPE_NOTIFY 2
#define TYPE_ISR 3
#define TYPE_DEVICE 4
#define CAPS_MAX 16

/* Common configuration */
#define DEVICE_FEATURE_SELECT 0x00
#define DEVICE_FEATURE 0x04
#define DRIVER_FEATURE_SELECT 0x08
#define DRIVER_FEATURE 0x0c
#define DEVICE_STATUS 0x14
#define CONFIG_GENERATION 0x15
#define QUEUE_SELECT 0x16
#define QUEUE_LENGTH 0x18
#define QUEUE_ENABLE 0x1c
#define QUEUE_NOTIFY 0x1e
#define QUEUE_DESC 0x20
#define QUEUE_DRIVER 0x28
#define QUEUE_DEVICE 0x30

#define STATUS_ACKNOWLEDGE 1
#define STATUS_DRIVER 2
#define STATUS_DRIVER_OK 4
#define STATUS_FEATURES_OK 8
#define STATUS_FAILED 128

#define FEATURE_HIGH_VERSION_1 1

#define RESET_LIMIT SECOND
#define GENERATION_TRIES 16

#define DESC_NEXT 1
#define DESC_WRITE 2

struct descriptor {
	uint64_t at;
	uint32_t size;
	uint16_t flags, next;
};

/* What the device sees of a lane. */
struct lane {
	struct descriptor table[QUEUE_SIZE];
	struct {
		uint16_t flags, index, ring[QUEUE_SIZE], event, pad;
	} available;
	struct {
		uint16_t flags, index;
		struct {
			uint32_t id, size;
		} ring[QUEUE_SIZE];
		uint16_t event;
	} used;
	struct request requests[REQUESTS] __attribute__((aligned(64)));
};

NOINIT static struct lane lanes[BITS_MAX] __attribute__((aligned(4096)));

unsigned virtio_type(bdf_t b, uint16_t vendor, uint16_t id)
{
	if (vendor != VENDOR)
		return 0;
	if (id >= MODERN && id < MODERN + 64)
		return id - MODERN;
	if (id >= TRANSITIONAL && id < TRANSITIONAL_END)
		return pci_read16(b, PCI_SUBSYSTEM);
	return 0;
}

const char *virtio_open(struct virtio *v, bdf_t b, uint64_t bars[PCI_BARS])
{
	unsigned cap = 0;

	*v = (struct virtio){.bdf = b};
	for (int i = 0; i < CAPS_MAX && (cap = pci_capability(b, CAP_VENDOR, cap)); i++) {
		uint8_t bar = pci_read8(b, cap + CAP_BAR);
		if (bar >= PCI_BARS || bars[bar] == 0)
			continue;
		uintptr_t at = bars[bar] + pci_read32(b, cap + CAP_OFFSET);
		switch (pci_read8(b, cap + CAP_TYPE)) {
		case TYPE_COMMON:
			v->common = v->common ? v->common : at;
			break;
		case TYPE_NOTIFY:
			v->notify = v->notify ? v->notify : at;
			v->notify_multiplier = pci_read32(b, cap + CAP_MULTIPLIER);
			break;
		case TYPE_ISR:
			v->isr = v->isr ? v->isr : at;
			break;
		case TYPE_DEVICE:
			v->config = v->config ? v->config : at;
			break;
		}
	}
	return v->common && v->notify && v->isr ? NULL : "virtio-capabilities";
}

bool virtio_reset(struct virtio *v)
{
	uint64_t limit = clock_now() + RESET_LIMIT;

	mmio_write8(v->common + DEVICE_STATUS, 0);
	while (mmio_read8(v->common + DEVICE_STATUS) != 0)
		if (clock_now() > limit)
			return false;
	return true;
}

static const char *negotiate(struct virtio *v, uint32_t features)
{
	uintptr_t c = v->common;

	mmio_write32(c + DEVICE_FEATURE_SELECT, 1);
	if (!(mmio_read32(c + DEVICE_FEATURE) & FEATURE_HIGH_VERSION_1))
		return "virtio-legacy";
	mmio_write32(c + DEVICE_FEATURE_SELECT, 0);
	v->features = mmio_read32(c + DEVICE_FEATURE) & features;
	mmio_write32(c + DRIVER_FEATURE_SELECT, 0);
	mmio_write32(c + DRIVER_FEATURE, v->features);
	mmio_write32(c + DRIVER_FEATURE_SELECT, 1);
	mmio_write32(c + DRIVER_FEATURE, FEATURE_HIGH_VERSION_1);
	mmio_write8(c + DEVICE_STATUS, STATUS_ACKNOWLEDGE | STATUS_DRIVER | STATUS_FEATURES_OK);
	if (!(mmio_read8(c + DEVICE_STATUS) & STATUS_FEATURES_OK))
		return "virtio-features";
	return NULL;
}

/* 64-bit registers are written as two halves, as the specification wants it. */
static void write_address(uintptr_t at, void *to)
{
	mmio_write32(at, (uintptr_t)to);
	mmio_write32(at + 4, (uintptr_t)to >> 32);
}

static const char *open_queue(struct virtio *v, struct lane *l)
{
	uintptr_t c = v->common;

	mmio_write16(c + QUEUE_SELECT, 0);
	uint16_t size = mmio_read16(c + QUEUE_LENGTH);
	if (size < CHAIN || (size & (size - 1)))
		return "virtio-queue";
	v->size = size < QUEUE_SIZE ? size : QUEUE_SIZE;
	mmio_write16(c + QUEUE_LENGTH, v->size);
	v->doorbell = v->notify + (uintptr_t)mmio_read16(c + QUEUE_NOTIFY) * v->notify_multiplier;
	write_address(c + QUEUE_DESC, l->table);
	write_address(c + QUEUE_DRIVER, &l->available);
	write_address(c + QUEUE_DEVICE, &l->used);
	barrier();
	mmio_write16(c + QUEUE_ENABLE, 1);
	return NULL;
}

static void lane_clear(struct lane *l)
{
	l->available.flags = l->available.index = 0;
	l->used.flags = l->used.index = 0;
}

const char *virtio_start(struct virtio *v, unsigned lane, uint32_t features)
{
	const char *why;

	v->lane = lane;
	v->available = v->used = v->in_flight = 0;
	if (!virtio_reset(v))
		return "virtio-reset";
	lane_clear(&lanes[lane]);
	mmio_write8(v->common + DEVICE_STATUS, STATUS_ACKNOWLEDGE);
	mmio_write8(v->common + DEVICE_STATUS, STATUS_ACKNOWLEDGE | STATUS_DRIVER);
	why = negotiate(v, features);
	if (!why)
		why = open_queue(v, &lanes[lane]);
	mmio_write8(v->common + DEVICE_STATUS,
		    why ? STATUS_FAILED : STATUS_ACKNOWLEDGE | STATUS_DRIVER | STATUS_FEATURES_OK | STATUS_DRIVER_OK);
	return why;
}

void virtio_submit(struct virtio *v, unsigned i, const struct buffer *buffers, unsigned n)
{
	struct lane *l = &lanes[v->lane];
	unsigned head = i * CHAIN;

	for (unsigned k = 0; k < n; k++) {
		struct descriptor *d = &l->table[head + k];
		d->at = (uintptr_t)buffers[k].at;
		d->size = buffers[k].size;
		d->flags = (buffers[k].device_writes ? DESC_WRITE : 0) | (k + 1 < n ? DESC_NEXT : 0);
		d->next = head + k + 1;
	}
	l->available.ring[v->available++ % v->size] = head;
	v->in_flight++;
}

void virtio_ring(struct virtio *v)
{
	barrier();
	__atomic_store_n(&lanes[v->lane].available.index, v->available, __ATOMIC_RELEASE);
	barrier();
	mmio_write16(v->doorbell, 0);
}

int virtio_reap(struct virtio *v, uint32_t *size)
{
	struct lane *l = &lanes[v->lane];
	uint16_t index = __atomic_load_n(&l->used.index, __ATOMIC_ACQUIRE);

	if (v->broken || index == v->used)
		return -1;
	uint32_t id = l->used.ring[v->used % v->size].id;
	if ((uint16_t)(index - v->used) > v->in_flight || id >= v->size || id % CHAIN) {
		v->broken = true;
		return -1;
	}
	*size = l->used.ring[v->used++ % v->size].size;
	v->in_flight--;
	return id / CHAIN;
}

struct request *virtio_request(struct virtio *v, unsigned i) { return &lanes[v->lane].requests[i]; }

uint64_t virtio_config64(struct virtio *v, unsigned at)
{
	uint64_t value = 0;

	if (!v->config)
		return 0;
	for (int i = 0; i < GENERATION_TRIES; i++) {
		uint8_t before = mmio_read8(v->common + CONFIG_GENERATION);
		value = mmio_read32(v->config + at) | (uint64_t)mmio_read32(v->config + at + 4) << 32;
		if (mmio_read8(v->common + CONFIG_GENERATION) == before)
			break;
	}
	return value;
}
