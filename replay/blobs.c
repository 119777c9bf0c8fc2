/* SPDX-License-Identifier: Apache-2.0 */
/* A blob's bytes lie right behind its entry, so that they alone are enough to let it go. */
#include "replay/blobs.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { BUCKETS = 1 << 14, HUGE = 2 << 20 };

enum state { READING, READY, BROKEN };

struct entry {
	_Alignas(64) struct ekka_blobs *owner;	/* NULL: the one caller's */
	struct entry *next;			/* in its bucket */
	struct entry *older, *newer;		/* among those that nobody holds */
	struct ekka_blob_id id;
	uint64_t bytes;
	unsigned held;
	enum state state;
	bool mirroring;				/* somebody makes its mirror */
	uint64_t mirror;			/* 0: there is none */
	void (*drop)(void *, uint64_t, uint64_t);
	void *drop_owner;
};

/* How many events will still use a blob; by open addressing, at most half full. */
struct expected { struct ekka_blob_id id; uint32_t times; /* plus 1; 0: nobody's */ };

struct ekka_blobs {
	pthread_mutex_t lock;
	pthread_cond_t read;		/* an entry is READING, or being mirrored, no more */
	uint64_t room, used;
	struct entry *oldest, *newest;
	struct expected *expected;
	size_t n_expected, cap_expected;	/* the latter a power of 2 */
	struct entry *bucket[BUCKETS];
};

struct ekka_blobs *ekka_blobs_new(uint64_t room)
{
	struct ekka_blobs *b = calloc(1, sizeof *b);

	if (!b)
		return NULL;
	pthread_mutex_init(&b->lock, NULL);
	pthread_cond_init(&b->read, NULL);
	b->room = room;
	return b;
}

static unsigned char *bytes_of(struct entry *e)
{
	return (unsigned char *)(e + 1);
}

static struct entry **bucket_of(struct ekka_blobs *b, const struct ekka_blob_id *id)
{
	uint32_t h;

	memcpy(&h, id->b, sizeof h);	/* a hash already */
	return &b->bucket[h % BUCKETS];
}

static struct entry *find(struct ekka_blobs *b, const struct ekka_blob_id *id)
{
	struct entry *e = *bucket_of(b, id);

	while (e && memcmp(&e->id, id, sizeof *id) != 0)
		e = e->next;
	return e;
}

/* ---- what nobody holds; with the lock held ---------------------------- */

static void take_from_idle(struct ekka_blobs *b, struct entry *e)
{
	*(e->older ? &e->older->newer : &b->oldest) = e->newer;
	*(e->newer ? &e->newer->older : &b->newest) = e->older;
	e->older = e->newer = NULL;
}

static void add_to_idle(struct ekka_blobs *b, struct entry *e)
{
	e->older = b->newest;
	e->newer = NULL;
	*(b->newest ? &b->newest->newer : &b->oldest) = e;
	b->newest = e;
}

static void free_entry(struct entry *e)
{
	if (e && e->mirror)
		e->drop(e->drop_owner, e->mirror, e->bytes);
	free(e);
}

static void forget(struct ekka_blobs *b, struct entry *e)
{
	struct entry **at = bucket_of(b, &e->id);

	while (*at != e)
		at = &(*at)->next;
	*at = e->next;
	b->used -= e->bytes;
	free_entry(e);
}

static void make_room(struct ekka_blobs *b)
{
	while (b->used > b->room && b->oldest) {
		struct entry *e = b->oldest;

		take_from_idle(b, e);
		forget(b, e);
	}
}

void ekka_blobs_free(struct ekka_blobs *b)
{
	if (!b)
		return;
	b->room = 0;
	make_room(b);
	free(b->expected);
	pthread_mutex_destroy(&b->lock);
	pthread_cond_destroy(&b->read);
	free(b);
}

/* ---- how often -------------------------------------------------------- */

/* Where id is, or where it would be (times 0). */
static struct expected *slot_of(struct expected *table, size_t cap, const struct ekka_blob_id *id)
{
	uint64_t h;

	memcpy(&h, id->b, sizeof h);
	for (h %= cap; table[h].times && memcmp(&table[h].id, id, sizeof *id) != 0; h = (h + 1) % cap)
		;
	return &table[h];
}

static bool grow(struct ekka_blobs *b)
{
	size_t cap = b->cap_expected ? 2 * b->cap_expected : 1024;
	struct expected *table = calloc(cap, sizeof *table);

	for (size_t i = 0; table && i < b->cap_expected; i++)
		if (b->expected[i].times)
			*slot_of(table, cap, &b->expected[i].id) = b->expected[i];
	if (!table)
		return false;
	free(b->expected);
	b->expected = table;
	b->cap_expected = cap;
	return true;
}

void ekka_blobs_expect(struct ekka_blobs *b, const struct ekka_blob_id *id)
{
	struct expected *x;

	if (2 * b->n_expected >= b->cap_expected && !grow(b))
		return;
	x = slot_of(b->expected, b->cap_expected, id);
	b->n_expected += x->times == 0;
	x->id = *id;
	x->times += x->times == 0 ? 2 : 1;
}

/* Did all events use it that were expected to. */
static bool is_spent(struct ekka_blobs *b, const struct ekka_blob_id *id)
{
	return b->cap_expected && slot_of(b->expected, b->cap_expected, id)->times == 1;
}

void ekka_blobs_used(struct ekka_blobs *b, const struct ekka_blob_id *id)
{
	struct expected *x;
	struct entry *e;

	if (!b || !b->cap_expected)
		return;
	pthread_mutex_lock(&b->lock);
	x = slot_of(b->expected, b->cap_expected, id);
	if (x->times > 1 && --x->times == 1) {
		e = find(b, id);
		if (e && !e->held) {
			take_from_idle(b, e);
			forget(b, e);
		}
	}
	pthread_mutex_unlock(&b->lock);
}

/* ---- holding ---------------------------------------------------------- */

static struct entry *new_entry(const struct ekka_blob_id *id, uint64_t bytes, struct ekka_error *err)
{
	uintptr_t first, end;
	struct entry *e;
	void *p;

	if (bytes > SIZE_MAX - sizeof *e || posix_memalign(&p, _Alignof(struct entry), sizeof *e + bytes) != 0) {
		(void)ekka_error_set(err, EKKA_ERR_NOMEM, "no memory for %llu bytes of a tensor", (unsigned long long)bytes);
		return NULL;
	}
	e = p;
	first = ((uintptr_t)p + HUGE - 1) / HUGE * HUGE;
	end = (uintptr_t)p + sizeof *e + bytes;
	if (first + HUGE <= end)	/* one fault in place of 512; if it cannot be had, so be it */
		(void)madvise((void *)first, (end - first) / HUGE * HUGE, MADV_HUGEPAGE);
	*e = (struct entry){ .id = *id, .bytes = bytes, .held = 1, .state = READING };
	return e;
}

/* Waits for whoever reads it. With the lock held. False: that one failed, the entry is not held. */
static bool join(struct ekka_blobs *b, struct entry *e)
{
	if (!e->held)
		take_from_idle(b, e);
	e->held++;
	while (e->state == READING)
		pthread_cond_wait(&b->read, &b->lock);
	if (e->state == READY)
		return true;
	if (--e->held == 0)
		forget(b, e);
	return false;
}

static int read_alone(struct ekka_trace *t, const struct ekka_blob_id *id, uint64_t bytes, const unsigned char **ret, struct ekka_error *err)
{
	struct entry *e = new_entry(id, bytes, err);
	int r = e ? ekka_trace_blob_read(t, id, 0, bytes_of(e), bytes, err) : EKKA_ERR_NOMEM;

	if (r < 0)
		free(e);
	else
		*ret = bytes_of(e);
	return r;
}

/* Reads a new entry, with the lock held on entry and on return. */
static int fill(struct ekka_blobs *b, struct ekka_trace *t, struct entry *e, struct ekka_error *err)
{
	int r;

	e->owner = b;
	e->next = *bucket_of(b, &e->id);
	*bucket_of(b, &e->id) = e;
	b->used += e->bytes;
	make_room(b);
	pthread_mutex_unlock(&b->lock);
	r = ekka_trace_blob_read(t, &e->id, 0, bytes_of(e), e->bytes, err);
	pthread_mutex_lock(&b->lock);
	e->state = r < 0 ? BROKEN : READY;
	pthread_cond_broadcast(&b->read);
	if (r < 0 && --e->held == 0)
		forget(b, e);
	return r;
}

int ekka_blobs_hold(struct ekka_blobs *b, struct ekka_trace *t, const struct ekka_blob_id *id, uint64_t bytes, const unsigned char **ret,
		    struct ekka_error *err)
{
	struct entry *e;
	int r = 0;

	if (!b)
		return read_alone(t, id, bytes, ret, err);
	pthread_mutex_lock(&b->lock);
	e = find(b, id);
	if (e && (e->bytes != bytes || e->state == BROKEN || !join(b, e))) {
		pthread_mutex_unlock(&b->lock);
		return read_alone(t, id, bytes, ret, err);	/* and fails, with its own reason */
	}
	if (!e) {
		e = new_entry(id, bytes, err);
		r = e ? fill(b, t, e, err) : EKKA_ERR_NOMEM;
	}
	pthread_mutex_unlock(&b->lock);
	if (r == 0)
		*ret = bytes_of(e);
	return r;
}

void ekka_blobs_let_go(const unsigned char *bytes)
{
	struct entry *e = bytes ? (struct entry *)(uintptr_t)bytes - 1 : NULL;
	struct ekka_blobs *b = e ? e->owner : NULL;

	if (!b) {
		free_entry(e);
		return;
	}
	pthread_mutex_lock(&b->lock);
	if (--e->held == 0 && is_spent(b, &e->id)) {
		forget(b, e);
	} else if (e->held == 0) {
		add_to_idle(b, e);
		make_room(b);
	}
	pthread_mutex_unlock(&b->lock);
}

int ekka_blobs_read(struct ekka_blobs *b, struct ekka_trace *t, const struct ekka_blob_id *id, uint64_t offset, void *buf, size_t len,
		    struct ekka_error *err)
{
	struct entry *e = NULL;

	if (b) {
		pthread_mutex_lock(&b->lock);
		e = find(b, id);
		if (e && e->state == READY && offset <= e->bytes && len <= e->bytes - offset) {
			if (!e->held++)
				take_from_idle(b, e);
		} else {
			e = NULL;
		}
		pthread_mutex_unlock(&b->lock);
	}
	if (!e)
		return ekka_trace_blob_read(t, id, offset, buf, len, err);
	memcpy(buf, bytes_of(e) + offset, len);
	ekka_blobs_let_go(bytes_of(e));
	return 0;
}

static void keep_mirror(struct entry *e, uint64_t copy, const struct ekka_mirror *m)
{
	e->mirror = copy;
	e->drop = m->drop;
	e->drop_owner = m->owner;
}

uint64_t ekka_blobs_mirror(const unsigned char *held, const struct ekka_mirror *m)
{
	struct entry *e = (struct entry *)(uintptr_t)held - 1;
	struct ekka_blobs *b = e->owner;
	uint64_t copy;

	if (!b) {
		if (!e->mirror)
			keep_mirror(e, m->make(m->arg, held, e->bytes), m);
		return e->mirror;
	}
	pthread_mutex_lock(&b->lock);
	while (e->mirroring)
		pthread_cond_wait(&b->read, &b->lock);
	copy = e->mirror;
	e->mirroring = !copy;
	pthread_mutex_unlock(&b->lock);
	if (copy)
		return copy;
	copy = m->make(m->arg, held, e->bytes);
	pthread_mutex_lock(&b->lock);
	e->mirroring = false;
	keep_mirror(e, copy, m);
	pthread_cond_broadcast(&b->read);
	pthread_mutex_unlock(&b->lock);
	return copy;
}
