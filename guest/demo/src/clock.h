/* Time (CLINT mtime, 10 MHz), this hart's timer, and software interrupts. */
#ifndef CLOCK_H
#define CLOCK_H
#include "machine.h"

#define SECOND 10000000ul
#define MILLISECOND (SECOND / 1000)
#define MICROSECOND (SECOND / 1000000)

uint64_t clock_now(void);
void clock_arm(uint64_t at); /* a timer interrupt on this hart at or after `at` */
void clock_disarm(void);
void clock_wake(unsigned hart); /* raises hart's software interrupt; harmless if there is none */
void clock_woken(void);         /* takes this hart's back */

#endif
