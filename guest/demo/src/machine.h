/* The machine as this program sees it: addresses, control registers, device
 * register access, locks. QEMU's riscv64 `virt` memory map. */
#ifndef MACHINE_H
#define MACHINE_H

#define MAX_HARTS 8
#define STACK_SHIFT 14 /* 16 KiB a hart: the deepest path is plug -> log, about 2 KiB */

#define CLINT 0x02000000
#define PLIC 0x0c000000
#define UART 0x10000000
#define ECAM 0x30000000
#define PCI_IO_WINDOW 0x03000000
#define PCI_IO_SIZE 0x10000
#define PCI_MEM32 0x40000000
#define PCI_MEM32_END 0x80000000
#define PCI_MEM64 0x400000000

#ifndef __ASSEMBLER__
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define NOINIT __attribute__((section(".noinit"))) /* not cleared at boot: whoever uses it clears it */

/* Device register access (boot.S). A load that faults, because the device
 * behind it has been pulled, reads as all ones; a store that faults is dropped. */
uint8_t mmio_read8(uintptr_t at);
uint16_t mmio_read16(uintptr_t at);
uint32_t mmio_read32(uintptr_t at);
uint64_t mmio_read64(uintptr_t at);
void mmio_write8(uintptr_t at, uint8_t v);
void mmio_write16(uintptr_t at, uint16_t v);
void mmio_write32(uintptr_t at, uint32_t v);
void mmio_write64(uintptr_t at, uint64_t v);

#define MSTATUS_MIE (1ul << 3)
#define MIE_SOFT (1ul << 3)
#define MIE_TIMER (1ul << 7)
#define MIE_EXTERNAL (1ul << 11)

#define csr_read(csr) ({ uint64_t v_; __asm__ volatile("csrr %0, " #csr : "=r"(v_)); v_; })
#define csr_write(csr, v) __asm__ volatile("csrw " #csr ", %0" ::"r"((uint64_t)(v)) : "memory")
#define csr_set(csr, v) __asm__ volatile("csrs " #csr ", %0" ::"r"((uint64_t)(v)) : "memory")

static inline unsigned hart_id(void)
{
	uint64_t id;
	__asm__ volatile("mv %0, tp" : "=r"(id));
	return id;
}

/* Orders everything before it, in memory and at devices, before everything after. */
static inline void barrier(void) { __asm__ volatile("fence iorw, iorw" ::: "memory"); }
static inline void wait_for_interrupt(void) { __asm__ volatile("wfi" ::: "memory"); }

/* irq_off masks interrupts on this hart and returns what irq_restore needs. */
static inline uint64_t irq_off(void)
{
	uint64_t was;
	__asm__ volatile("csrrc %0, mstatus, %1" : "=r"(was) : "r"(MSTATUS_MIE) : "memory");
	return was & MSTATUS_MIE;
}
static inline void irq_restore(uint64_t was) { csr_set(mstatus, was); }

#endif
#endif
