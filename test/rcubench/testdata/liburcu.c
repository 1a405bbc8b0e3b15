/* The read side of liburcu's memb flavour, its synchronize and its barrier,
 * measured as main.go measures ours. Prints one "name readers nanoseconds" a
 * line. The read side is inlined. */
#define _LGPL_SOURCE
#define URCU_INLINE_SMALL_FUNCTIONS
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <urcu/urcu-memb.h>

enum { SECTIONS = 50000000, ROUNDS = 2000, CALLS = 51 };

static int *shared;

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1e9 + ts.tv_nsec;
}

static void *read_side(void *result)
{
	urcu_memb_register_thread();
	double began = now();
	for (int i = 0; i < SECTIONS; i++) {
		urcu_memb_read_lock();
		(void)*(int *volatile *)&shared;
		urcu_memb_read_unlock();
	}
	*(double *)result = (now() - began) / SECTIONS;
	urcu_memb_unregister_thread();
	return NULL;
}

static int ascending(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double median(int n, void (*f)(void))
{
	double *times = calloc(n, sizeof *times);

	for (int i = 0; i < n; i++) {
		double began = now();
		f();
		times[i] = now() - began;
	}
	qsort(times, n, sizeof *times, ascending);
	double m = times[n / 2];
	free(times);
	return m;
}

static void freed(struct rcu_head *head) { free(head); }

static void call_and_drain(void)
{
	urcu_memb_call_rcu(malloc(sizeof(struct rcu_head)), freed);
	urcu_memb_barrier();
}

int main(void)
{
	for (int readers = 1; readers <= 2; readers++) {
		pthread_t thread[2];
		double ns[2], slowest = 0;

		for (int i = 0; i < readers; i++)
			pthread_create(&thread[i], NULL, read_side, &ns[i]);
		for (int i = 0; i < readers; i++) {
			pthread_join(thread[i], NULL);
			slowest = ns[i] > slowest ? ns[i] : slowest;
		}
		printf("read %d %.3f\n", readers, slowest);
	}
	urcu_memb_register_thread();
	printf("synchronize 1 %.0f\n", median(ROUNDS, urcu_memb_synchronize_rcu));
	printf("call+drain 1 %.0f\n", median(CALLS, call_and_drain));
	urcu_memb_unregister_thread();
	return 0;
}
