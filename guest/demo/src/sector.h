/* The sectors of a demo disk; guest/demo/disk.go describes the same format. */
#ifndef SECTOR_H
#define SECTOR_H
#include "machine.h"

#define SECTOR_SIZE 512
#define SECTOR_WORDS (SECTOR_SIZE / 8)

enum sector_kind {
	SECTOR_GOOD,    /* header and checksum hold */
	SECTOR_BAD,     /* ours by its magic, but something does not hold */
	SECTOR_BLANK,   /* all zeros */
	SECTOR_FOREIGN, /* somebody else's data */
};

#define WORD_MAGIC 0
#define WORD_NUMBER 1
#define WORD_GENERATION 2
#define WORD_SEED 3
#define WORD_CHECKSUM 4
#define WORD_PATTERN 5

uint64_t mix(uint64_t x); /* a hash of x, and so a random number for a counter */
uint64_t sector_checksum(const uint64_t *w);
void sector_fill(uint64_t *w, uint64_t number, uint64_t generation, uint64_t seed);
enum sector_kind sector_check(const uint64_t *w, uint64_t number);

#endif
