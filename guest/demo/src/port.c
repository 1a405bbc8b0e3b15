/* Root ports: discovery, windows, and which of them want a turn. What a slot
 * does in its turn is in hotplug.c. */
#include "port.h"
#include "bits.h"
#include "clock.h"
#include "hotplug.h"
#include "log.h"
#include "plic.h"

#define BRIDGE_BUSES 0x18
#define BRIDGE_IO 0x1c
#define BRIDGE_MEMORY 0x20
#define BRIDGE_PREFETCHABLE 0x24
#define BRIDGE_PREFETCHABLE_HIGH 0x28
#define BRIDGE_LIMIT_HIGH 0x2c

/* Room for eight virtio functions (4 KiB and 16 KiB each) many times over;
 * 255 of them fit the lower half of the 32-bit window. */
#define PORT_MEMORY 0x200000ul
#define PORT_PREFETCHABLE 0x1000000ul

static struct port ports[MAX_PORTS];
static unsigned port_count;
static struct bits wanted;                 /* ports that have something to do */
static struct bits waiting;                /* ports whose state has a time limit */
static struct bits on_line[PLIC_PCI_LINES]; /* fixed once interrupts are on */

unsigned ports_count(void) { return port_count; }

static void port_open_windows(struct port *p, unsigned index)
{
	uint64_t memory = PCI_MEM32 + index * PORT_MEMORY;
	uint64_t high = PCI_MEM64 + index * PORT_PREFETCHABLE;

	pci_write32(p->bdf, BRIDGE_BUSES, p->bus << 16 | p->bus << 8);
	pci_write16(p->bdf, BRIDGE_IO, 0x00f0); /* base above limit: closed */
	pci_write32(p->bdf, BRIDGE_MEMORY, ((memory + PORT_MEMORY - 1) & 0xfff00000) | memory >> 16);
	pci_write32(p->bdf, BRIDGE_PREFETCHABLE, ((high + PORT_PREFETCHABLE - 1) & 0xfff00000) | (high >> 16 & 0xfff0));
	pci_write32(p->bdf, BRIDGE_PREFETCHABLE_HIGH, high >> 32);
	pci_write32(p->bdf, BRIDGE_LIMIT_HIGH, (high + PORT_PREFETCHABLE - 1) >> 32);
	p->windows.memory = (struct range){memory, memory + PORT_MEMORY};
	p->windows.prefetchable = (struct range){high, high + PORT_PREFETCHABLE};
	pci_write16(p->bdf, PCI_COMMAND, COMMAND_MEMORY | COMMAND_MASTER);
}

static void port_found(bdf_t bdf)
{
	struct port *p = &ports[port_count];

	p->bdf = bdf;
	p->bus = port_count + 1;
	p->line = pci_line(bdf, -1);
	pci_name(bdf, p->name);
	port_open_windows(p, port_count);
	hotplug_find(p);
	if (p->line >= 0)
		bits_add(&on_line[p->line], port_count);
	port_count++;
	log_line("port port=%s slot=%u bus=%02x irq=%u hotplug=%u sltcap=0x%08x", p->name, p->slot, p->bus,
		 p->line < 0 ? 0 : PLIC_PCI + p->line, p->cap != 0, p->slot_cap);
}

void ports_find(void)
{
	for (unsigned i = 0; i < 256 && port_count < MAX_PORTS; i++) {
		bdf_t b = BDF(0, 0, i);
		if (pci_present(b) && (pci_read8(b, PCI_HEADER) & HEADER_TYPE) == HEADER_BRIDGE)
			port_found(b);
		else if (BDF_FUNCTION(b) == 0 && !pci_present(b))
			i += 7; /* no function 0: no others */
	}
}

void ports_enable(void)
{
	for (unsigned i = 0; i < port_count; i++) {
		hotplug_enable(&ports[i]);
		bits_add(&wanted, i);
	}
}

bool ports_interrupt(unsigned line)
{
	bool ours = false;

	for (unsigned i = 0; (i = bits_next(&on_line[line], i)) < BITS_MAX; i++) {
		if (hotplug_collect(&ports[i])) {
			bits_add(&wanted, i);
			ours = true;
		}
	}
	return ours;
}

bool ports_waiting(void) { return !bits_empty(&wanted); }
void ports_tick(void) { bits_add_all(&wanted, &waiting); }
bdf_t ports_any(unsigned i) { return port_count ? ports[i % port_count].bdf : 0; }

/* A port in another hart's hands keeps its turn for when that one is done. */
static bool port_turn(unsigned i)
{
	struct port *p = &ports[i];

	if (!lock_try(&p->lock))
		return false;
	if (bits_remove(&wanted, i)) {
		if (hotplug_step(p))
			bits_add(&waiting, i);
		else
			bits_remove(&waiting, i);
	}
	lock_drop(&p->lock);
	return true;
}

bool ports_step(void)
{
	bool worked = false;

	for (unsigned i = 0; (i = bits_next(&wanted, i)) < BITS_MAX; i++)
		worked = port_turn(i) || worked;
	return worked;
}
