#include "lock.h"
#include "clock.h"
#include "trap.h"

#define LOCK_PATIENCE (30 * SECOND)

void lock_take(struct lock *l)
{
	if (lock_try(l))
		return;
	uint64_t limit = clock_now() + LOCK_PATIENCE;
	while (!lock_try(l)) {
		for (int i = 0; i < 64 && __atomic_load_n(&l->held, __ATOMIC_RELAXED); i++)
			;
		if (clock_now() > limit)
			panic("lock");
	}
}
