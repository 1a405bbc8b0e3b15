#ifndef TRAP_H
#define TRAP_H
#include "machine.h"

/* trap_enable lets this hart take timer, software and external interrupts. */
void trap_enable(void);

/* trap_tick logs device accesses that faulted since the last call: they read as
 * all ones or were dropped, which explains whatever comes next. */
void trap_tick(void);

/* panic prints one line and parks this hart; the others run on. */
void panic(const char *what) __attribute__((noreturn));

#endif
