#include "sector.h"

#define MAGIC 0x4f4d45444c504b42ul /* "BKPLDEMO", little endian */
#define FNV_OFFSET 0xcbf29ce484222325ul
#define FNV_PRIME 0x100000001b3ul
#define GOLDEN 0x9e3779b97f4a7c15ul

/* The finaliser of splitmix64. */
uint64_t mix(uint64_t x)
{
	x += GOLDEN;
	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9ul;
	x = (x ^ x >> 27) * 0x94d049bb133111ebul;
	return x ^ x >> 31;
}

/* FNV-1a over 64-bit words. The fold lets high bits reach low ones; every step
 * is a bijection, so one changed word always changes the sum. */
uint64_t sector_checksum(const uint64_t *w)
{
	uint64_t h = FNV_OFFSET;

	for (unsigned i = 0; i < SECTOR_WORDS; i++) {
		if (i == WORD_CHECKSUM)
			continue;
		h = (h ^ w[i]) * FNV_PRIME;
		h ^= h >> 32;
	}
	return h;
}

void sector_fill(uint64_t *w, uint64_t number, uint64_t generation, uint64_t seed)
{
	w[WORD_MAGIC] = MAGIC;
	w[WORD_NUMBER] = number;
	w[WORD_GENERATION] = generation;
	w[WORD_SEED] = seed;
	uint64_t base = mix(seed ^ mix(number));
	for (unsigned i = WORD_PATTERN; i < SECTOR_WORDS; i++)
		w[i] = mix(base + i);
	w[WORD_CHECKSUM] = sector_checksum(w);
}

static bool all_zero(const uint64_t *w)
{
	uint64_t any = 0;

	for (unsigned i = 0; i < SECTOR_WORDS; i++)
		any |= w[i];
	return any == 0;
}

enum sector_kind sector_check(const uint64_t *w, uint64_t number)
{
	if (w[WORD_MAGIC] != MAGIC)
		return all_zero(w) ? SECTOR_BLANK : SECTOR_FOREIGN;
	if (w[WORD_NUMBER] != number || w[WORD_CHECKSUM] != sector_checksum(w))
		return SECTOR_BAD;
	return SECTOR_GOOD;
}
