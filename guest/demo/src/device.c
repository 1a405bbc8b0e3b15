#include "device.h"
#include "bits.h"
#include "clock.h"
#include "log.h"
#include "plic.h"
#include "rng.h"

#define MAX_DEVICES BITS_MAX
#define ERRORS_LOGGED 8 /* then they are only counted */
#define SWEEP (100 * MILLISECOND)
#define SHARED_MEMORY 0x60000000ul /* bus 0's part of the windows, above the ports' */
#define SHARED_PREFETCHABLE 0x500000000ul
#define SHARED_PREFETCHABLE_SIZE 0x10000000ul
#define SHARED_IO 0x1000

static struct device devices[MAX_DEVICES];
static struct lock table_lock; /* guards `used` and next */
static unsigned next;          /* round the table, so that a late DMA of a pulled card hits nobody */
static unsigned device_total, disk_total;
static uint64_t next_sweep;
static struct bits ready;   /* want a turn */
static struct bits resting; /* want one at the next tick */
static struct bits active;  /* have a driver */
static struct bits on_line[PLIC_PCI_LINES];

static const struct driver blk_driver = {"virtio-blk", BLK_FEATURES, blk_start, blk_step};
static const struct driver rng_driver = {"virtio-rng", 0, rng_start, rng_step};

unsigned devices_count(void) { return __atomic_load_n(&device_total, __ATOMIC_RELAXED); }
unsigned disks_count(void) { return __atomic_load_n(&disk_total, __ATOMIC_RELAXED); }
bool devices_waiting(void) { return !bits_empty(&ready); }

void device_error(struct device *d, const char *what, uint64_t sector)
{
	if (d->errors++ < ERRORS_LOGGED)
		log_line("error what=%s port=%s slot=%u plug=%u bdf=%s sector=%lu", what, d->port_name, d->slot,
			 d->plug, d->name, sector);
}

static struct device *device_take(void)
{
	struct device *d = NULL;

	lock_take(&table_lock);
	for (unsigned i = 0; i < MAX_DEVICES && !d; i++, next = (next + 1) % MAX_DEVICES) {
		if (!devices[next].used) {
			d = &devices[next];
			d->used = true;
			d->index = next;
		}
	}
	lock_drop(&table_lock);
	return d;
}

static const struct driver *driver_for(struct device *d)
{
	switch (virtio_type(d->bdf, d->vendor, d->id)) {
	case VIRTIO_BLK:
		return &blk_driver;
	case VIRTIO_RNG:
		return &rng_driver;
	}
	return NULL;
}

static void set_isr(struct device *d, uintptr_t isr)
{
	uint64_t irq = irq_off();

	lock_take(&d->irq_lock);
	d->isr = isr;
	lock_drop(&d->irq_lock);
	irq_restore(irq);
	if (d->line >= 0 && isr)
		bits_add(&on_line[d->line], d->index);
	else if (d->line >= 0)
		bits_remove(&on_line[d->line], d->index);
}

void device_mute(struct device *d)
{
	pci_write16(d->bdf, PCI_COMMAND, COMMAND_MEMORY | COMMAND_MASTER | COMMAND_NO_INTX);
	set_isr(d, 0);
}

static void device_identify(struct device *d, struct port *p, bdf_t bdf)
{
	d->bdf = bdf;
	pci_name(bdf, d->name);
	d->port_name = p ? p->name : "none";
	d->slot = p ? p->slot : 0;
	d->plug = p ? p->plug : 0;
	d->vendor = pci_read16(bdf, PCI_VENDOR);
	d->id = pci_read16(bdf, PCI_DEVICE);
	d->class = pci_read32(bdf, PCI_CLASS) >> 8;
	d->line = pci_line(bdf, p ? (int)BDF_DEVICE(p->bdf) : -1);
	d->reads = d->writes = d->bytes = d->errors = 0;
	d->stopping = false;
	d->config_changed = 0;
	d->driver = driver_for(d);
	log_line("found port=%s slot=%u plug=%u bdf=%s id=%04x:%04x class=%06x driver=%s", d->port_name, d->slot,
		 d->plug, d->name, d->vendor, d->id, d->class, d->driver ? d->driver->name : "none");
}

/* Binds the driver; on failure the device stays configured, without one. */
static void device_start(struct device *d)
{
	const char *why = virtio_open(&d->virtio, d->bdf, d->bars);

	if (!why) {
		set_isr(d, d->virtio.isr); /* before the first request: a line nobody answers for is a storm */
		why = virtio_start(&d->virtio, d->index, d->driver->features);
	}
	if (why) {
		set_isr(d, 0);
		d->driver = NULL;
		pci_write16(d->bdf, PCI_COMMAND, COMMAND_MEMORY | COMMAND_NO_INTX);
		device_error(d, why, 0);
		return;
	}
	d->started = clock_now();
	d->driver->start(d);
	if (d->driver == &blk_driver)
		__atomic_fetch_add(&disk_total, 1, __ATOMIC_RELAXED);
	bits_add(&active, d->index);
	bits_add(&ready, d->index);
}

static struct device *device_bring_up(struct port *p, bdf_t bdf, struct windows *from)
{
	struct device *d = device_take();

	if (!d) {
		log_line("error what=no-room port=%s bdf=%02x:%02x.%x", p ? p->name : "none", BDF_BUS(bdf),
			 BDF_DEVICE(bdf), BDF_FUNCTION(bdf));
		return NULL;
	}
	lock_take(&d->lock);
	device_identify(d, p, bdf);
	pci_write16(bdf, PCI_COMMAND, COMMAND_NO_INTX);
	if (!pci_assign(bdf, from, d->bars))
		device_error(d, "bar", 0);
	pci_write16(bdf, PCI_COMMAND, d->driver ? COMMAND_MEMORY | COMMAND_MASTER : COMMAND_MEMORY | COMMAND_NO_INTX);
	__atomic_fetch_add(&device_total, 1, __ATOMIC_RELAXED);
	if (d->driver)
		device_start(d);
	lock_drop(&d->lock);
	return d;
}

static unsigned functions_of(bdf_t first)
{
	if (!pci_present(first))
		return 0;
	return pci_read8(first, PCI_HEADER) & HEADER_MULTIFUNCTION ? SLOT_FUNCTIONS : 1;
}

void devices_find(void)
{
	struct windows w = {
		.memory = {SHARED_MEMORY, PCI_MEM32_END},
		.prefetchable = {SHARED_PREFETCHABLE, SHARED_PREFETCHABLE + SHARED_PREFETCHABLE_SIZE},
		.io = {SHARED_IO, PCI_IO_SIZE},
	};

	for (unsigned slot = 0; slot < 32; slot++) {
		unsigned n = functions_of(BDF(0, slot, 0));
		for (unsigned f = 0; f < n; f++) {
			bdf_t b = BDF(0, slot, f);
			if (pci_present(b) && (pci_read8(b, PCI_HEADER) & HEADER_TYPE) != HEADER_BRIDGE)
				device_bring_up(NULL, b, &w);
		}
	}
}

void devices_bring_up(struct port *p)
{
	struct windows w = p->windows;
	unsigned n = functions_of(BDF(p->bus, 0, 0));

	for (unsigned f = 0; f < n; f++) {
		bdf_t b = BDF(p->bus, 0, f);
		if (pci_present(b))
			p->devices[f] = device_bring_up(p, b, &w);
	}
}

void devices_stop(struct port *p)
{
	for (unsigned f = 0; f < SLOT_FUNCTIONS; f++) {
		struct device *d = p->devices[f];
		if (!d)
			continue;
		lock_take(&d->lock);
		d->stopping = true;
		lock_drop(&d->lock);
	}
}

unsigned devices_in_flight(struct port *p)
{
	unsigned n = 0;

	for (unsigned f = 0; f < SLOT_FUNCTIONS; f++) {
		struct device *d = p->devices[f];
		if (!d || !d->driver)
			continue;
		lock_take(&d->lock);
		d->driver->step(d, clock_now());
		n += d->virtio.in_flight;
		lock_drop(&d->lock);
	}
	return n;
}

static void device_free(struct device *d)
{
	if (d->driver == &blk_driver)
		__atomic_fetch_sub(&disk_total, 1, __ATOMIC_RELAXED);
	__atomic_fetch_sub(&device_total, 1, __ATOMIC_RELAXED);
	bits_remove(&active, d->index);
	bits_remove(&resting, d->index);
	bits_remove(&ready, d->index);
	d->driver = NULL;
	lock_take(&table_lock);
	d->used = false;
	lock_drop(&table_lock);
}

static void device_release(struct device *d, bool gone)
{
	lock_take(&d->lock);
	if (d->driver) {
		log_line("io port=%s slot=%u plug=%u bdf=%s reads=%lu writes=%lu bytes=%lu errors=%lu", d->port_name,
			 d->slot, d->plug, d->name, d->reads, d->writes, d->bytes, d->errors);
		if (!gone && !virtio_reset(&d->virtio))
			device_error(d, "reset", 0);
		set_isr(d, 0);
	}
	if (!gone)
		pci_write16(d->bdf, PCI_COMMAND, COMMAND_NO_INTX);
	device_free(d);
	lock_drop(&d->lock);
}

static void devices_drop(struct port *p, bool gone)
{
	for (unsigned f = SLOT_FUNCTIONS; f-- > 0;) {
		if (p->devices[f])
			device_release(p->devices[f], gone);
		p->devices[f] = NULL;
	}
}

void devices_release(struct port *p) { devices_drop(p, false); }
void devices_abandon(struct port *p) { devices_drop(p, true); }

/* Reading the ISR takes the line down. The lock keeps a slow hart from reading
 * the ISR of the next card at the same address. */
static bool device_interrupt(struct device *d)
{
	uint8_t isr = 0;

	lock_take(&d->irq_lock);
	if (d->isr)
		isr = mmio_read8(d->isr);
	lock_drop(&d->irq_lock);
	if (isr == 0 || isr == 0xff)
		return false;
	if (isr & VIRTIO_ISR_CONFIG)
		__atomic_store_n(&d->config_changed, 1, __ATOMIC_RELEASE);
	bits_add(&ready, d->index);
	return true;
}

bool devices_interrupt(unsigned line)
{
	bool ours = false;

	for (unsigned i = 0; (i = bits_next(&on_line[line], i)) < BITS_MAX; i++)
		ours = device_interrupt(&devices[i]) || ours;
	return ours;
}

static bool device_turn(struct device *d)
{
	if (!lock_try(&d->lock))
		return false; /* its turn stays wanted */
	if (bits_remove(&ready, d->index) && d->used && d->driver) {
		if (d->driver->step(d, clock_now()))
			bits_add(&resting, d->index);
		else
			bits_remove(&resting, d->index);
	}
	lock_drop(&d->lock);
	return true;
}

bool devices_step(void)
{
	bool worked = false;

	for (unsigned i = 0; (i = bits_next(&ready, i)) < BITS_MAX; i++)
		worked = device_turn(&devices[i]) || worked;
	return worked;
}

/* The sweep is what notices requests that never come back. */
void devices_tick(uint64_t now)
{
	uint64_t due = __atomic_load_n(&next_sweep, __ATOMIC_RELAXED);

	bits_add_all(&ready, &resting);
	if (now >= due &&
	    __atomic_compare_exchange_n(&next_sweep, &due, now + SWEEP, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED))
		bits_add_all(&ready, &active);
}
