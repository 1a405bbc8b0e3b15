#ifndef RNG_H
#define RNG_H
#include "machine.h"

struct device;
void rng_start(struct device *d);
bool rng_step(struct device *d, uint64_t now);

#endif
