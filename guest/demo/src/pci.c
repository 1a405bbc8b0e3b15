#include "pci.h"

#define CAPABILITIES_MAX 48 /* 192 bytes of list space / 4 */

#define BAR_IO 0x1
#define BAR_64 0x4
#define BAR_PREFETCHABLE 0x8
#define BAR_MEMORY_FLAGS 0xf
#define BAR_IO_FLAGS 0x3

#define STATUS_CAPABILITIES 0x10

bool pci_present(bdf_t b)
{
	uint16_t vendor = pci_read16(b, PCI_VENDOR);

	return vendor != 0xffff && vendor != 0x0001 && vendor != 0;
}

unsigned pci_capability(bdf_t b, uint8_t id, unsigned after)
{
	if (!(pci_read16(b, PCI_STATUS) & STATUS_CAPABILITIES))
		return 0;
	unsigned at = pci_read8(b, after ? after + 1 : PCI_CAPABILITIES) & 0xfc;
	for (int i = 0; i < CAPABILITIES_MAX && at >= 0x40; i++) {
		uint16_t head = pci_read16(b, at);
		if ((head & 0xff) == id)
			return at;
		at = head >> 8 & 0xfc;
	}
	return 0;
}

void pci_name(bdf_t b, char name[PCI_NAME])
{
	const char *hex = "0123456789abcdef";

	name[0] = hex[BDF_BUS(b) >> 4];
	name[1] = hex[BDF_BUS(b) & 15];
	name[2] = ':';
	name[3] = hex[BDF_DEVICE(b) >> 4];
	name[4] = hex[BDF_DEVICE(b) & 15];
	name[5] = '.';
	name[6] = hex[BDF_FUNCTION(b)];
	name[7] = 0;
}

/* range_take gives `size` bytes, aligned to their size (a power of two); 0: no room. */
static uint64_t range_take(struct range *r, uint64_t size)
{
	uint64_t at = (r->next + size - 1) & ~(size - 1);

	if (at < r->next || at + size > r->end || at + size < at)
		return 0;
	r->next = at + size;
	return at;
}

struct bar {
	uint64_t size;
	bool io, wide, prefetchable;
};

/* Writes ones and sees which stay: the size is the lowest address bit that does. */
static struct bar bar_probe(bdf_t b, unsigned i)
{
	struct bar bar = {0};
	uint32_t flags = pci_read32(b, PCI_BAR(i));
	uint64_t mask;

	bar.io = flags & BAR_IO;
	bar.wide = !bar.io && (flags & BAR_64) && i + 1 < PCI_BARS;
	bar.prefetchable = !bar.io && (flags & BAR_PREFETCHABLE);
	pci_write32(b, PCI_BAR(i), ~0u);
	mask = pci_read32(b, PCI_BAR(i)) & ~(bar.io ? BAR_IO_FLAGS : BAR_MEMORY_FLAGS);
	if (mask == 0 && !bar.wide)
		return bar;
	if (bar.wide) {
		pci_write32(b, PCI_BAR(i + 1), ~0u);
		mask |= (uint64_t)pci_read32(b, PCI_BAR(i + 1)) << 32;
	}
	bar.size = mask & -mask;
	return bar;
}

static void bar_write(bdf_t b, unsigned i, struct bar bar, uint64_t at)
{
	pci_write32(b, PCI_BAR(i), at);
	if (bar.wide)
		pci_write32(b, PCI_BAR(i + 1), at >> 32);
}

bool pci_assign(bdf_t b, struct windows *from, uint64_t at[PCI_BARS])
{
	bool fits = true;

	for (unsigned i = 0; i < PCI_BARS; i++)
		at[i] = 0;
	for (unsigned i = 0; i < PCI_BARS; i++) {
		struct bar bar = bar_probe(b, i);
		uint64_t place = 0;
		if (bar.size != 0) {
			/* Prefetchable and 64-bit goes high; all else must stay below 4 GiB. */
			struct range *r = bar.io ? &from->io : bar.wide && bar.prefetchable ? &from->prefetchable : &from->memory;
			place = range_take(r, bar.size);
			fits = fits && (place != 0 || bar.io);
		}
		bar_write(b, i, bar, place);
		at[i] = bar.io && place ? PCI_IO_WINDOW + place : place;
		if (bar.wide)
			i++;
	}
	return fits;
}

int pci_line(bdf_t b, int port_device)
{
	unsigned pin = pci_read8(b, PCI_INTERRUPT_PIN);

	if (pin < 1 || pin > 4)
		return -1;
	unsigned line = BDF_DEVICE(b) + pin - 1;
	return (port_device < 0 ? line : line + port_device) % 4;
}
