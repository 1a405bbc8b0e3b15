#include "blk.h"
#include "clock.h"
#include "device.h"
#include "log.h"

#define TYPE_READ 0
#define TYPE_WRITE 1

#define SECTORS_MAX (DATA_SIZE / SECTOR_SIZE)
#define READS_PER_WRITE 6
#define IO_LIMIT (30 * SECOND)     /* longer than any drain or throttle a test holds a disk for */
#define REST (500 * MICROSECOND)   /* between batches: busy, but a slow machine must keep up */
#define REPORT_EVERY (2 * SECOND)

static const char *const kind_names[] = {"ok", "bad", "blank", "foreign"};

static uint64_t draw(struct blk *b) { return mix(b->draw++); }

static void log_io(struct device *d)
{
	log_line("io port=%s slot=%u plug=%u bdf=%s reads=%lu writes=%lu bytes=%lu errors=%lu", d->port_name, d->slot,
		 d->plug, d->name, d->reads, d->writes, d->bytes, d->errors);
}

void blk_start(struct device *d)
{
	struct blk *b = &d->blk;

	*b = (struct blk){0};
	b->capacity = b->formatted = virtio_config64(&d->virtio, 0);
	b->generation = d->started << 16 | (d->plug & 0xffff) | 1ul << 63; /* never the host's 0 */
	b->draw = mix(d->started ^ (uint64_t)d->bdf << 48);
	b->phase = b->capacity ? BLK_FIRST : BLK_DEAD;
	b->report = d->started + REPORT_EVERY;
	log_line("driver-ready port=%s slot=%u plug=%u bdf=%s driver=virtio-blk capacity=%lu ro=%u generation=%lx",
		 d->port_name, d->slot, d->plug, d->name, b->capacity,
		 (d->virtio.features & BLK_FEATURE_READ_ONLY) != 0, b->generation);
}

static bool writable(struct device *d)
{
	struct blk *b = &d->blk;

	return b->capacity >= 2 && !(d->virtio.features & BLK_FEATURE_READ_ONLY) &&
	       (b->kind == SECTOR_GOOD || b->kind == SECTOR_BLANK);
}

static void choose(struct device *d, uint64_t from)
{
	struct blk *b = &d->blk;
	uint64_t room = b->capacity - from;

	b->requests = virtio_requests(&d->virtio);
	for (unsigned i = 0; i < b->requests; i++) {
		uint64_t at = draw(b) % room;
		uint64_t count = 1 + draw(b) % SECTORS_MAX;
		b->batch[i].sector = from + at;
		b->batch[i].count = count < room - at ? count : room - at;
	}
}

/* What a batch of this phase touches. Two writes that overlap write the same
 * bytes, for contents follow from sector, generation and seed. */
static void plan(struct device *d)
{
	struct blk *b = &d->blk;

	switch (b->phase) {
	case BLK_FIRST:
		b->requests = 1;
		b->batch[0].sector = 0;
		b->batch[0].count = 1;
		break;
	case BLK_READ:
		choose(d, 0);
		break;
	case BLK_WRITE:
		b->seed = draw(b);
		choose(d, b->capacity / 2);
		break;
	case BLK_VERIFY: /* the same again */
	case BLK_DEAD:
		break;
	}
}

/* A blank disk is somebody's empty disk: writing zeros keeps it so. */
static void fill(struct blk *b, uint64_t *w, uint64_t sector)
{
	if (b->kind == SECTOR_GOOD) {
		sector_fill(w, sector, b->generation, b->seed);
		return;
	}
	for (unsigned i = 0; i < SECTOR_WORDS; i++)
		w[i] = 0;
}

static void submit(struct device *d, unsigned i)
{
	struct blk *b = &d->blk;
	struct request *r = virtio_request(&d->virtio, i);
	bool write = b->phase == BLK_WRITE;
	struct buffer buffers[] = {
		{r, 16, false},
		{r->data, b->batch[i].count * SECTOR_SIZE, !write},
		{&r->status, 1, true},
	};

	r->type = write ? TYPE_WRITE : TYPE_READ;
	r->reserved = 0;
	r->sector = b->batch[i].sector;
	r->status = 0xff;
	for (unsigned k = 0; k < b->batch[i].count && write; k++)
		fill(b, r->data + k * SECTOR_WORDS, r->sector + k);
	virtio_submit(&d->virtio, i, buffers, COUNT(buffers));
}

static void start_batch(struct device *d, uint64_t now)
{
	struct blk *b = &d->blk;

	plan(d);
	for (unsigned i = 0; i < b->requests; i++)
		submit(d, i);
	b->running = true;
	b->limit = now + IO_LIMIT;
	virtio_ring(&d->virtio);
}

/* Whether a sector holds what it must, given what sector 0 said about the disk. */
static bool as_expected(struct blk *b, const uint64_t *w, uint64_t sector)
{
	enum sector_kind found = sector_check(w, sector);

	switch (b->kind) {
	case SECTOR_GOOD:
		if (found == SECTOR_BLANK && b->phase == BLK_READ && sector >= b->formatted)
			return true;
		if (found != SECTOR_GOOD)
			return false;
		return b->phase != BLK_VERIFY ||
		       (w[WORD_GENERATION] == b->generation && w[WORD_SEED] == b->seed);
	case SECTOR_BLANK:
		return found == SECTOR_BLANK;
	default:
		return true;
	}
}

/* A finished request: status, then every sector. */
static void check_request(struct device *d, unsigned i)
{
	struct blk *b = &d->blk;
	struct request *r = virtio_request(&d->virtio, i);

	if (b->phase == BLK_WRITE)
		d->writes++;
	else
		d->reads++;
	if (r->status != 0) {
		device_error(d, b->phase == BLK_WRITE ? "write" : "read", b->batch[i].sector);
		return;
	}
	d->bytes += b->batch[i].count * SECTOR_SIZE;
	if (b->phase != BLK_READ && b->phase != BLK_VERIFY)
		return;
	for (unsigned k = 0; k < b->batch[i].count; k++)
		if (!as_expected(b, r->data + k * SECTOR_WORDS, b->batch[i].sector + k))
			device_error(d, "checksum", b->batch[i].sector + k);
}

static void first_read(struct device *d, uint64_t now)
{
	struct blk *b = &d->blk;
	struct request *r = virtio_request(&d->virtio, 0);
	const char *sum = "error";

	b->kind = SECTOR_FOREIGN;
	if (r->status == 0) {
		b->kind = sector_check(r->data, 0);
		sum = kind_names[b->kind];
	}
	log_line("first-read port=%s slot=%u plug=%u bdf=%s sector=0 sum=%s checksum=%016lx us=%lu", d->port_name,
		 d->slot, d->plug, d->name, sum, sector_checksum(r->data), (now - d->started) / MICROSECOND);
	if (b->kind == SECTOR_BAD) {
		d->errors++;
		b->kind = SECTOR_FOREIGN; /* read on, but trust and touch nothing */
	}
}

static void log_verify(struct device *d, uint64_t errors, uint64_t now)
{
	struct blk *b = &d->blk;

	if (b->written)
		return;
	b->written = true;
	log_line("write-verify port=%s slot=%u plug=%u bdf=%s sector=%lu requests=%u result=%s us=%lu", d->port_name,
		 d->slot, d->plug, d->name, b->batch[0].sector, b->requests,
		 errors ? "bad" : b->kind == SECTOR_BLANK ? "blank" : "ok", (now - d->started) / MICROSECOND);
}

static void finish_batch(struct device *d, uint64_t now)
{
	struct blk *b = &d->blk;
	uint64_t errors = d->errors;

	for (unsigned i = 0; i < b->requests; i++)
		check_request(d, i);
	switch (b->phase) {
	case BLK_FIRST:
		first_read(d, now);
		b->phase = writable(d) ? BLK_WRITE : BLK_READ;
		break;
	case BLK_WRITE:
		b->phase = BLK_VERIFY;
		break;
	case BLK_VERIFY:
		log_verify(d, d->errors - errors, now);
		b->phase = BLK_READ;
		b->reads = 0;
		break;
	case BLK_READ:
		if (++b->reads >= READS_PER_WRITE && writable(d))
			b->phase = BLK_WRITE;
		break;
	case BLK_DEAD:
		break;
	}
	b->running = false;
	b->rest = now + REST;
}

static void resized(struct device *d)
{
	struct blk *b = &d->blk;
	uint64_t capacity = virtio_config64(&d->virtio, 0);

	if (capacity == b->capacity)
		return;
	log_line("capacity port=%s slot=%u plug=%u bdf=%s capacity=%lu was=%lu", d->port_name, d->slot, d->plug,
		 d->name, capacity, b->capacity);
	b->capacity = capacity;
	b->phase = capacity == 0 ? BLK_DEAD : b->kind == SECTOR_GOOD || b->kind == SECTOR_BLANK ? BLK_READ : b->phase;
}

bool blk_step(struct device *d, uint64_t now)
{
	struct blk *b = &d->blk;
	uint32_t size;

	while (virtio_reap(&d->virtio, &size) >= 0)
		;
	if (d->virtio.in_flight > 0) {
		if (b->phase != BLK_DEAD && (d->virtio.broken || now > b->limit)) {
			device_error(d, d->virtio.broken ? "used-ring" : "io-timeout", b->batch[0].sector);
			b->phase = BLK_DEAD;
		}
		return false;
	}
	if (b->running)
		finish_batch(d, now);
	if (__atomic_exchange_n(&d->config_changed, 0, __ATOMIC_ACQUIRE))
		resized(d);
	if (b->phase == BLK_DEAD || d->stopping)
		return false;
	if (now >= b->report) {
		b->report = now + REPORT_EVERY;
		log_io(d);
	}
	if (now < b->rest)
		return true;
	start_batch(d, now);
	return false;
}
