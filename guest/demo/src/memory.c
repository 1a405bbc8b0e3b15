/* The two functions the compiler calls by itself. */
#include "machine.h"

void *memset(void *to, int c, size_t n)
{
	uint8_t *p = to;
	while (n--)
		*p++ = c;
	return to;
}

void *memcpy(void *restrict to, const void *restrict from, size_t n)
{
	uint8_t *p = to;
	const uint8_t *q = from;
	while (n--)
		*p++ = *q++;
	return to;
}
