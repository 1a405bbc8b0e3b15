#ifndef UART_H
#define UART_H
#include "machine.h"

void uart_init(void);

/* uart_write sends n bytes; what the UART does not take within a second is lost. */
void uart_write(const char *p, size_t n);

/* uart_status reads the line status register (no side effect that matters here). */
uint8_t uart_status(void);

#endif
