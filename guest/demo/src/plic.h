#ifndef PLIC_H
#define PLIC_H
#include "machine.h"

#define PLIC_PCI 32 /* source of INTx line 0; lines 0..3 are consecutive */
#define PLIC_PCI_LINES 4

void plic_init(void);        /* priorities, once */
void plic_listen(void);      /* this hart takes the PCI lines */
void plic_serve(void);       /* from the trap: claim, serve, complete */
void plic_tick(void);        /* gives lines that stormed another chance */
uint32_t plic_pending(void); /* pending bits of the PCI lines; a read without effect */

#endif
