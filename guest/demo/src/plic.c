#include "plic.h"
#include "device.h"
#include "log.h"
#include "port.h"

#define CONTEXT(hart) (2 * (hart)) /* machine mode; the odd ones are supervisor mode */
#define PRIORITY(source) (PLIC + 4 * (source))
#define PENDING(word) (PLIC + 0x1000 + 4 * (word))
#define ENABLE(context, word) (PLIC + 0x2000 + 0x80 * (context) + 4 * (word))
#define THRESHOLD(context) (PLIC + 0x200000 + 0x1000 * (context))
#define CLAIM(context) (PLIC + 0x200004 + 0x1000 * (context))

#define SERVE_MAX 8     /* claims per trap */
#define STORM_LIMIT 256 /* claims in a row that nobody owned up to; a few are normal, see serve_line */

static uint32_t unclaimed[PLIC_PCI_LINES];
static uint32_t storming[PLIC_PCI_LINES];

void plic_init(void)
{
	for (unsigned i = 0; i < PLIC_PCI_LINES; i++)
		mmio_write32(PRIORITY(PLIC_PCI + i), 1);
}

void plic_listen(void)
{
	unsigned context = CONTEXT(hart_id());

	mmio_write32(THRESHOLD(context), 0);
	mmio_write32(ENABLE(context, 0), 0);
	mmio_write32(ENABLE(context, PLIC_PCI / 32), (1u << PLIC_PCI_LINES) - 1);
	mmio_write32(ENABLE(context, PLIC_PCI / 32 + 1), 0);
}

uint32_t plic_pending(void) { return mmio_read32(PENDING(PLIC_PCI / 32)); }

/* A line nobody answers for would keep both harts in the trap handler: it is
 * switched off until the next tick. A worker that saw an event before the
 * handler did, or the other hart's handler, makes single such claims. */
static void serve_line(unsigned line)
{
	bool ours = ports_interrupt(line);

	ours = devices_interrupt(line) || ours;
	if (ours) {
		__atomic_store_n(&unclaimed[line], 0, __ATOMIC_RELAXED);
	} else if (__atomic_add_fetch(&unclaimed[line], 1, __ATOMIC_RELAXED) >= STORM_LIMIT) {
		mmio_write32(PRIORITY(PLIC_PCI + line), 0);
		__atomic_store_n(&storming[line], 1, __ATOMIC_RELEASE);
	}
}

void plic_tick(void)
{
	for (unsigned line = 0; line < PLIC_PCI_LINES; line++) {
		if (!__atomic_load_n(&storming[line], __ATOMIC_RELAXED) ||
		    !__atomic_exchange_n(&storming[line], 0, __ATOMIC_ACQUIRE))
			continue;
		log_line("error what=interrupt-storm irq=%u", PLIC_PCI + line);
		__atomic_store_n(&unclaimed[line], 0, __ATOMIC_RELAXED);
		mmio_write32(PRIORITY(PLIC_PCI + line), 1);
	}
}

/* INTx is a level: whoever drives the line must be quiet before complete, or
 * the PLIC raises it again, which is right if something new has happened. */
void plic_serve(void)
{
	unsigned context = CONTEXT(hart_id());

	for (int i = 0; i < SERVE_MAX; i++) {
		uint32_t source = mmio_read32(CLAIM(context));
		if (source == 0)
			return;
		unsigned line = source - PLIC_PCI;
		if (line < PLIC_PCI_LINES)
			serve_line(line);
		mmio_write32(CLAIM(context), source);
	}
}
