#include "trap.h"
#include "clock.h"
#include "log.h"
#include "plic.h"

/* As trap_entry in boot.S lays it out. */
struct frame {
	uint64_t ra, a[8], t[7];
};

#define CAUSE_INTERRUPT (1ul << 63)
#define CAUSE_SOFT (CAUSE_INTERRUPT | 3)
#define CAUSE_TIMER (CAUSE_INTERRUPT | 7)
#define CAUSE_EXTERNAL (CAUSE_INTERRUPT | 11)
#define CAUSE_LOAD_FAULT 5
#define CAUSE_STORE_FAULT 7

extern char mmio_begin[], mmio_end[];
void park(void) __attribute__((noreturn));
void trap_handle(struct frame *f);

void trap_enable(void)
{
	clock_disarm();
	csr_write(mie, MIE_SOFT | MIE_TIMER | MIE_EXTERNAL);
	csr_set(mstatus, MSTATUS_MIE);
}

void panic(const char *what)
{
	irq_off();
	log_panic(what, csr_read(mcause), csr_read(mepc), csr_read(mtval));
	park();
}

static uint64_t fault_count, fault_at; /* of any hart; at: the latest */

void trap_tick(void)
{
	uint64_t n = __atomic_exchange_n(&fault_count, 0, __ATOMIC_ACQUIRE);

	if (n)
		log_line("error what=access-fault at=0x%lx count=%lu", __atomic_load_n(&fault_at, __ATOMIC_RELAXED), n);
}

/* A device that has been pulled may answer with an access fault. */
static bool device_gone(uint64_t cause, struct frame *f)
{
	uint64_t pc = csr_read(mepc);

	if (cause != CAUSE_LOAD_FAULT && cause != CAUSE_STORE_FAULT)
		return false;
	if (pc < (uint64_t)mmio_begin || pc >= (uint64_t)mmio_end)
		return false;
	__atomic_store_n(&fault_at, csr_read(mtval), __ATOMIC_RELAXED);
	__atomic_fetch_add(&fault_count, 1, __ATOMIC_RELEASE);
	f->a[0] = ~0ul;
	csr_write(mepc, pc + 4);
	return true;
}

void trap_handle(struct frame *f)
{
	uint64_t cause = csr_read(mcause);

	switch (cause) {
	case CAUSE_SOFT:
		clock_woken();
		return;
	case CAUSE_TIMER:
		clock_disarm();
		return;
	case CAUSE_EXTERNAL:
		plic_serve();
		return;
	}
	if (!device_gone(cause, f))
		panic("trap");
}
