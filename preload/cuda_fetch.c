/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "preload/cuda_fetch.h"

#include "preload/cuda_staging.h"

#include <string.h>
#include <sys/mman.h>
#include <time.h>

enum {
	ROOM_MAX_S = 10,		/* for room in pinned memory */
	BATCH_SHARE = 32, BATCH_MAX_BYTES = 4 << 20,	/* of the sink's pinned memory, per buffer for several copies */
	BATCH_MAX = 512,		/* copies in one transfer */
};

/* Buffers for several copies at a time; under ekka_cuda_lock. */
static struct ekka_cuda_batch { char *memory; unsigned users; } batches[2];
static uint64_t batch_bytes;

void ekka_cuda_fetch_set_up(char *slab, uint64_t bytes)
{
	uint64_t each = bytes / BATCH_SHARE < BATCH_MAX_BYTES ? bytes / BATCH_SHARE : BATCH_MAX_BYTES;

	batch_bytes = each / EKKA_RING_ALIGN * EKKA_RING_ALIGN;
	for (unsigned i = 0; i < 2; i++, slab += batch_bytes)
		batches[i] = (struct ekka_cuda_batch){ .memory = slab };
	ekka_cuda_pinned.bounce = slab;
	ekka_ring_init(&ekka_cuda_pinned.bounce_ring, bytes - 2 * batch_bytes);
}

void ekka_cuda_fetch_release(struct ekka_cuda_copy *copy)
{
	if (copy->bounce_slot >= 0)
		ekka_ring_release(&ekka_cuda_pinned.bounce_ring, copy->bounce_slot);
	if (copy->batch)
		copy->batch->users--;
	copy->bounce_slot = -1;
	copy->batch = NULL;
}

/* One piece over the side stream, with an event of its own. */
static const char *fetch(const struct ekka_cuda_driver *drv, struct ekka_cuda_context *c, char *dst, CUdeviceptr src,
			 uint64_t bytes)
{
	CUevent event = ekka_cuda_event_take(drv, c);
	const char *why = "CUDA error";
	CUresult res;

	if (event == NULL)
		return why;
	CU_GOTO(cuMemcpyDtoHAsync(dst, src, bytes, c->side), out);
	CU_GOTO(cuEventRecord(event, c->side), out);
	why = ekka_cuda_poll(drv, event);
out:
	ekka_cuda_context_note(c, res);
	if (why == NULL)
		ekka_cuda_event_give(c, event);
	else
		c->off = true; /* the copy may still run: neither the event nor its target may be used again */
	return why;
}

/* ---- one copy --------------------------------------------------------- */

/*
 * Room in the bounce ring. Who is not patient leaves half of it to who is: the sink itself holds what came ahead of its turn, and would wait for itself.
 */
static char *take_bounce(uint64_t bytes, bool patient, int *ret_slot)
{
	struct ekka_ring *ring = &ekka_cuda_pinned.bounce_ring;
	struct timespec until;
	uint64_t offset;
	int slot = -1;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += ROOM_MAX_S;
	pthread_mutex_lock(&ekka_cuda_lock);
	if (!ekka_cuda_pinned.gone && ekka_cuda_pinned.bounce != NULL && ekka_ring_could_fit(ring, bytes) &&
	    (patient || ring->head - ring->tail + bytes <= ring->bytes / 2))
		while ((slot = ekka_ring_take(ring, bytes, &offset)) < 0 && patient)
			if (pthread_cond_timedwait(&ekka_cuda_room, &ekka_cuda_lock, &until) != 0)
				break;
	pthread_mutex_unlock(&ekka_cuda_lock);
	*ret_slot = slot;
	return slot < 0 ? NULL : ekka_cuda_pinned.bounce + offset;
}

/* Larger than the bounce ring: piece by piece into memory of its own. */
static const char *fetch_pieces(const struct ekka_cuda_driver *drv, struct ekka_cuda_copy *copy)
{
	uint64_t piece = ekka_cuda_pinned.bounce_ring.bytes / 2;
	const char *why = NULL;
	char *bounce, *map;
	int slot;

	map = mmap(NULL, copy->bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (map == MAP_FAILED)
		return "memory";
	copy->host = map;
	copy->mapped = true;
	bounce = piece > 0 ? take_bounce(piece, true, &slot) : NULL;
	if (bounce == NULL)
		return "no pinned memory";
	for (uint64_t at = 0; why == NULL && at < copy->bytes; at += piece) {
		uint64_t n = copy->bytes - at < piece ? copy->bytes - at : piece;

		why = fetch(drv, copy->mark->context, bounce, copy->staged + at, n);
		if (why == NULL)
			memcpy(copy->host + at, bounce, n);
	}
	if (why == NULL)
		copy->bounce_slot = slot; /* else a copy may still write there: the range is lost */
	return why;
}

static const char *fetch_one(const struct ekka_cuda_driver *drv, struct ekka_cuda_copy *copy, bool patient)
{
	const char *why;
	char *bounce;
	int slot;

	if (patient && !ekka_ring_could_fit(&ekka_cuda_pinned.bounce_ring, copy->bytes))
		return fetch_pieces(drv, copy);
	bounce = take_bounce(copy->bytes, patient, &slot);
	if (bounce == NULL)
		return "no pinned memory";
	why = fetch(drv, copy->mark->context, bounce, copy->staged, copy->bytes);
	if (why != NULL)
		return why;
	copy->host = bounce;
	copy->bounce_slot = slot;
	return NULL;
}

/* ---- several ---------------------------------------------------------- */

/* An idle buffer, taken for n copies; NULL when there is none. With the lock held. */
static struct ekka_cuda_batch *take_batch(unsigned n)
{
	for (unsigned i = 0; i < 2 && n > 1 && !ekka_cuda_pinned.gone && ekka_cuda_pinned.bounce; i++)
		if (batches[i].users == 0) {
			batches[i].users = n;
			return &batches[i];
		}
	return NULL;
}

/* Those that lie behind `copy` without a gap, claimed: nobody gives them back meanwhile. Returns how many, itself included. With the lock held. */
static unsigned claim(struct ekka_cuda_copy *copy, struct ekka_cuda_copy *list[BATCH_MAX])
{
	struct ekka_cuda_copy *next = copy->younger;
	uint64_t end = copy->staged + ekka_ring_round(copy->bytes), limit = copy->staged + batch_bytes;
	unsigned n = 1;

	list[0] = copy;
	for (; n < BATCH_MAX && next && next->staged == end && !next->host && end + next->bytes <= limit; next = next->younger) {
		if (!atomic_load_explicit(&next->mark->recorded, memory_order_acquire))
			break;
		next->claimed = true;
		list[n++] = next;
		end += ekka_ring_round(next->bytes);
	}
	return n;
}

static void disclaim(struct ekka_cuda_copy *list[], unsigned from, unsigned n)
{
	pthread_mutex_lock(&ekka_cuda_lock);
	for (unsigned i = from; i < n; i++)
		list[i]->claimed = false;
	pthread_mutex_unlock(&ekka_cuda_lock);
}

/* How many of them are complete; the first is. */
static unsigned complete(const struct ekka_cuda_driver *drv, struct ekka_cuda_copy *list[], unsigned n)
{
	for (unsigned i = 1; i < n; i++) {
		struct ekka_cuda_mark *mark = list[i]->mark;

		if (!mark->passed && drv->p_cuEventQuery(mark->event) != CUDA_SUCCESS)
			return i;
		mark->passed = true;
	}
	return n;
}

/* All of the list in one transfer, if there are several. False: nothing was done. */
static bool fetch_batch(const struct ekka_cuda_driver *drv, struct ekka_cuda_copy *list[], unsigned n, const char **ret_why)
{
	uint64_t start = list[0]->staged, bytes = list[n - 1]->staged + list[n - 1]->bytes - start;
	struct ekka_cuda_batch *batch;

	pthread_mutex_lock(&ekka_cuda_lock);
	batch = take_batch(n);
	pthread_mutex_unlock(&ekka_cuda_lock);
	if (!batch)
		return false;
	*ret_why = fetch(drv, list[0]->mark->context, batch->memory, start, bytes);
	for (unsigned i = 0; i < n && *ret_why == NULL; i++) { /* else the buffer is lost: something may still write there */
		list[i]->host = batch->memory + (list[i]->staged - start);
		list[i]->batch = batch;
		list[i]->home = true;
		ekka_cuda_staging_leave(list[i]);
	}
	return true;
}

const char *ekka_cuda_fetch(const struct ekka_cuda_driver *drv, struct ekka_cuda_copy *copy, bool patient)
{
	struct ekka_cuda_copy *list[BATCH_MAX];
	unsigned claimed, n;
	const char *why;

	pthread_mutex_lock(&ekka_cuda_lock);
	claimed = copy->bytes < batch_bytes ? claim(copy, list) : 1;
	pthread_mutex_unlock(&ekka_cuda_lock);
	n = claimed > 1 ? complete(drv, list, claimed) : 1;
	if (n == 1 || !fetch_batch(drv, list, n, &why)) {
		why = fetch_one(drv, copy, patient);
		if (why == NULL)
			ekka_cuda_staging_leave(copy);
	}
	if (claimed > 1)
		disclaim(list, 1, claimed);
	return why;
}
