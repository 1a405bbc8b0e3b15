#include "plic.h"
#include "device.h"
#include "port.h"

#define CONTEXT(hart) (2 * (hart)) /* machine mode; the odd ones are supervisor mode */
#define PRIORITY(source) (PLIC + 4 * (source))
#define PENDING(word) (PLIC + 0x1000 + 4 * (word))
#define ENABLE(context, word) (PLIC + 0x2000 + 0x80 * (context) + 4 * (word))
#define THRESHOLD(context) (PLIC + 0x200000 + 0x1000 * (context))
#define CLAIM(context) (PLIC + 0x200004 + 0x1000 * (context))

#define SERVE_MAX 8 /* claims per trap: a storm must let the worker breathe */

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
		if (line < PLIC_PCI_LINES) {
			ports_interrupt(line);
			devices_interrupt(line);
		}
		mmio_write32(CLAIM(context), source);
	}
}
