/* A spin lock. Never held across a wait; a holder that does not let go for
 * LOCK_PATIENCE is a dead hart, and the one who waits panics. */
#ifndef LOCK_H
#define LOCK_H
#include "machine.h"

struct lock {
	uint32_t held;
};

static inline bool lock_try(struct lock *l)
{
	return __atomic_exchange_n(&l->held, 1, __ATOMIC_ACQUIRE) == 0;
}
static inline void lock_drop(struct lock *l) { __atomic_store_n(&l->held, 0, __ATOMIC_RELEASE); }
void lock_take(struct lock *l);

#endif
