/* virtio-rng: asks for sixteen bytes once, reports them, and is silent from then on. */
#include "rng.h"
#include "clock.h"
#include "device.h"
#include "log.h"

#define RANDOM_BYTES 16

void rng_start(struct device *d)
{
	struct request *r = virtio_request(&d->virtio, 0);
	struct buffer buffer = {r->data, RANDOM_BYTES, true};

	r->data[0] = r->data[1] = 0;
	log_line("driver-ready port=%s slot=%u plug=%u bdf=%s driver=virtio-rng", d->port_name, d->slot, d->plug,
		 d->name);
	virtio_submit(&d->virtio, 0, &buffer, 1);
	virtio_ring(&d->virtio);
}

bool rng_step(struct device *d, uint64_t now)
{
	struct request *r = virtio_request(&d->virtio, 0);
	uint32_t size;

	if (virtio_reap(&d->virtio, &size) < 0)
		return false;
	device_mute(d);
	d->reads++;
	d->bytes += size;
	log_line("rng-read port=%s slot=%u plug=%u bdf=%s bytes=%u data=%016lx%016lx us=%lu", d->port_name, d->slot,
		 d->plug, d->name, size, r->data[0], r->data[1], (now - d->started) / MICROSECOND);
	return false;
}
