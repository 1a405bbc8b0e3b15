#include "clock.h"

#define MSIP(hart) (CLINT + 4 * (hart))
#define MTIMECMP(hart) (CLINT + 0x4000 + 8 * (hart))
#define MTIME (CLINT + 0xbff8)

uint64_t clock_now(void) { return mmio_read64(MTIME); }
void clock_arm(uint64_t at) { mmio_write64(MTIMECMP(hart_id()), at); }
void clock_disarm(void) { clock_arm(~0ul); }
void clock_wake(unsigned hart) { mmio_write32(MSIP(hart), 1); }
void clock_woken(void) { mmio_write32(MSIP(hart_id()), 0); }
