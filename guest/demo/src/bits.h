/* A set of small numbers that harts and interrupt handlers change without a lock. */
#ifndef BITS_H
#define BITS_H
#include "machine.h"

#define BITS_MAX 320
#define BITS_WORDS (BITS_MAX / 64)

struct bits {
	uint64_t w[BITS_WORDS];
};

static inline void bits_add(struct bits *b, unsigned i)
{
	__atomic_fetch_or(&b->w[i / 64], 1ul << (i % 64), __ATOMIC_ACQ_REL);
}

/* bits_remove says whether i was in the set. */
static inline bool bits_remove(struct bits *b, unsigned i)
{
	uint64_t bit = 1ul << (i % 64);
	return __atomic_fetch_and(&b->w[i / 64], ~bit, __ATOMIC_ACQ_REL) & bit;
}

static inline bool bits_empty(struct bits *b)
{
	for (int k = 0; k < BITS_WORDS; k++)
		if (__atomic_load_n(&b->w[k], __ATOMIC_ACQUIRE))
			return false;
	return true;
}

/* bits_next gives the first member at or after i, or BITS_MAX. */
unsigned bits_next(struct bits *b, unsigned i);

/* bits_add_all adds every member of from. */
void bits_add_all(struct bits *b, struct bits *from);

#endif
