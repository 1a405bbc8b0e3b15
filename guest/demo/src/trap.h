#ifndef TRAP_H
#define TRAP_H
#include "machine.h"

/* trap_enable lets this hart take timer, software and external interrupts. */
void trap_enable(void);

/* panic prints one line and parks this hart; the others run on. */
void panic(const char *what) __attribute__((noreturn));

#endif
