/* PCI functions in use and the drivers bound to them. */
#ifndef DEVICE_H
#define DEVICE_H
#include "blk.h"
#include "lock.h"
#include "pci.h"
#include "port.h"
#include "virtio.h"

struct device;

struct driver {
	const char *name;
	uint32_t features;                          /* of the low feature word, what it understands */
	void (*start)(struct device *d);            /* after DRIVER_OK */
	bool (*step)(struct device *d, uint64_t now); /* never waits; true: wants another turn at the next tick */
};

struct device {
	struct lock lock; /* guards all but the interrupt part */
	bool used;
	bool stopping; /* no new requests */
	unsigned index;
	bdf_t bdf;
	char name[PCI_NAME];
	const char *port_name; /* "none" on bus 0 */
	unsigned slot, plug;
	uint16_t vendor, id;
	uint32_t class;
	uint64_t bars[PCI_BARS];
	const struct driver *driver; /* NULL: configured and left alone */
	struct virtio virtio;
	uint64_t started;
	uint64_t reads, writes, bytes, errors; /* since the plug */
	struct blk blk;

	struct lock irq_lock; /* taken with interrupts off: guards isr */
	uintptr_t isr;        /* 0: not listening */
	int line;
	uint32_t config_changed;
};

void devices_find(void); /* the functions of bus 0 that are not bridges */

/* The cards of a slot. The caller holds the port's lock. */
void devices_bring_up(struct port *p);
void devices_stop(struct port *p);
unsigned devices_in_flight(struct port *p);
void devices_release(struct port *p); /* resets them; logs what they did */
void devices_abandon(struct port *p); /* they are gone already: touches no register */

bool devices_interrupt(unsigned line); /* from the trap handler; true: it was one of them */
bool devices_step(void);               /* one turn of every device that wants it */
bool devices_waiting(void);
void devices_tick(uint64_t now);       /* gives turns to those that rest, and now and then to all */
unsigned devices_count(void);
unsigned disks_count(void);

/* device_mute turns a device's interrupt off for good and takes it off its line:
 * the fewer there are to ask, the cheaper every interrupt. Caller holds d->lock. */
void device_mute(struct device *d);

/* device_error counts an error and logs the first few of a device. */
void device_error(struct device *d, const char *what, uint64_t sector);

#endif
