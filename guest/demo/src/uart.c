/* A 16550, polled. */
#include "uart.h"
#include "clock.h"

#define THR (UART + 0)
#define IER (UART + 1)
#define FCR (UART + 2) /* reads as IIR */
#define LCR (UART + 3)
#define LSR (UART + 5)

#define LSR_THRE 0x20
#define FCR_ENABLE 0x01
#define IIR_FIFO 0xc0
#define LCR_8N1 0x03
#define FIFO_SIZE 16

static unsigned burst; /* bytes that fit when the transmitter is empty */

void uart_init(void)
{
	mmio_write8(IER, 0);
	mmio_write8(LCR, LCR_8N1);
	mmio_write8(FCR, FCR_ENABLE);
	burst = (mmio_read8(FCR) & IIR_FIFO) == IIR_FIFO ? FIFO_SIZE : 1;
}

uint8_t uart_status(void) { return mmio_read8(LSR); }

static bool wait_empty(void)
{
	if (mmio_read8(LSR) & LSR_THRE)
		return true;
	uint64_t limit = clock_now() + SECOND;
	while (!(mmio_read8(LSR) & LSR_THRE))
		if (clock_now() > limit)
			return false;
	return true;
}

void uart_write(const char *p, size_t n)
{
	while (n > 0) {
		if (!wait_empty())
			return;
		for (unsigned i = 0; i < burst && n > 0; i++, n--)
			mmio_write8(THR, *p++);
	}
}
