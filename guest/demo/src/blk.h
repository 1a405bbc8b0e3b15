/* virtio-blk: keeps a disk at work in batches of requests, never waiting. */
#ifndef BLK_H
#define BLK_H
#include "sector.h"
#include "virtio.h"

#define BLK_FEATURE_READ_ONLY (1u << 5)
#define BLK_FEATURES BLK_FEATURE_READ_ONLY

enum blk_phase {
	BLK_FIRST,  /* sector 0 */
	BLK_READ,   /* anywhere */
	BLK_WRITE,  /* second half */
	BLK_VERIFY, /* what was just written */
	BLK_DEAD,   /* no capacity, or requests that never came back */
};

struct blk {
	uint64_t capacity;  /* sectors */
	uint64_t formatted; /* capacity at the plug: what a resize adds may be blank */
	uint64_t generation, seed, draw;
	enum sector_kind kind; /* of sector 0: GOOD, BLANK or FOREIGN decides what we do here */
	enum blk_phase phase;
	unsigned reads;    /* batches since the last write */
	bool written;      /* the first write-verify has been logged */
	bool running;      /* a batch is out, or back and not yet looked at */
	unsigned requests; /* of the batch */
	struct {
		uint64_t sector;
		unsigned count;
	} batch[REQUESTS];
	uint64_t limit; /* when the batch is late */
	uint64_t rest;  /* when the next may start */
	uint64_t report;
};

struct device;
void blk_start(struct device *d);
bool blk_step(struct device *d, uint64_t now);

#endif
