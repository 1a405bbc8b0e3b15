#include "bits.h"

unsigned bits_next(struct bits *b, unsigned i)
{
	while (i < BITS_MAX) {
		uint64_t w = __atomic_load_n(&b->w[i / 64], __ATOMIC_ACQUIRE) >> (i % 64);
		if (w == 0) {
			i = (i / 64 + 1) * 64;
			continue;
		}
		for (; !(w & 1); w >>= 1)
			i++;
		return i;
	}
	return BITS_MAX;
}

void bits_add_all(struct bits *b, struct bits *from)
{
	for (int k = 0; k < BITS_WORDS; k++) {
		uint64_t w = __atomic_load_n(&from->w[k], __ATOMIC_ACQUIRE);
		if (w)
			__atomic_fetch_or(&b->w[k], w, __ATOMIC_ACQ_REL);
	}
}
