/* Boot, and the loop every hart then runs for ever. */
#include "clock.h"
#include "device.h"
#include "log.h"
#include "plic.h"
#include "port.h"
#include "trap.h"
#include "uart.h"

#define FORMAT 1 /* of the log; guest/demo.LogFormat */

#define IDLE_TICK MILLISECOND
#define BUSY_TICK (200 * MICROSECOND) /* with a disk attached: an idle hart pokes devices this often */
#define BURST 8                       /* register reads a turn */

void main_first(void);
void main_other(void);

/* Reads that matter to nobody: they keep the machine's device model in use
 * from all harts while something is plugged or pulled. */
static void poke_devices(unsigned turn)
{
	for (unsigned i = 0; i < BURST; i++) {
		switch ((turn + i) % 4) {
		case 0:
			clock_now();
			break;
		case 1:
			uart_status();
			break;
		case 2:
			plic_pending();
			break;
		case 3:
			pci_read32(ports_any(turn), PCI_VENDOR);
			break;
		}
	}
}

/* Sleeps until an interrupt or the tick. Interrupts are masked between the
 * last look and wfi, which wakes for a masked one too: nothing gets lost. */
static void idle(uint64_t tick)
{
	uint64_t irq = irq_off();

	clock_arm(tick);
	if (!ports_waiting() && !devices_waiting())
		wait_for_interrupt();
	irq_restore(irq);
}

static void work_for_ever(void)
{
	uint64_t tick = 0;

	for (unsigned turn = hart_id();; turn++) {
		uint64_t now = clock_now();
		if (now >= tick) {
			tick = now + (disks_count() ? BUSY_TICK : IDLE_TICK);
			trap_tick();
			plic_tick();
			ports_tick();
			devices_tick(now);
			poke_devices(turn);
		}
		bool worked = ports_step();
		worked = devices_step() || worked;
		if (!worked)
			idle(tick);
	}
}

void main_first(void)
{
	uart_init();
	uart_write("\n", 1); /* a reset may have torn a line */
	log_line("boot format=%u clock=%lu", FORMAT, SECOND);
	plic_init();
	ports_find();
	plic_listen();
	trap_enable();
	devices_find();
	ports_enable();
	log_line("ready ports=%u devices=%u", ports_count(), devices_count());
	for (unsigned hart = 1; hart < MAX_HARTS; hart++)
		clock_wake(hart);
	work_for_ever();
}

void main_other(void)
{
	plic_listen();
	trap_enable();
	log_line("hart-up");
	work_for_ever();
}
