/* The log: one line a step, "[seconds.micros] hartN: event key=value ...". */
#ifndef LOG_H
#define LOG_H
#include "machine.h"

/* log_line writes one whole line; lines of two harts never mix. Not from an
 * interrupt handler. Understands %s %u %lu %x %lx with a zero-padded width. */
void log_line(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* log_panic writes the panic line even if another hart holds the log for ever. */
void log_panic(const char *what, uint64_t cause, uint64_t pc, uint64_t value);

#endif
