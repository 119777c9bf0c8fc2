/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "preload/ahead.h"

#include "preload/cuda.h"
#include "preload/pool.h"
#include "preload/snapshot.h"
#include "trace/hash.h"

enum {
	COPIES = 16,
	LOOK_AHEAD = 256,		/* entries */
	WORTH_BYTES = 256 << 10,	/* of the first copy, to wake others for it */
	SMALL_BYTES = 64 << 10,		/* a later one is left to its turn: it always finds room then (cuda_fetch.c) */
};

struct job { struct ekka_entry *entry; const void *bytes; };

static void hash(void *arg, unsigned i, unsigned worker)
{
	struct job *job = (struct job *)arg + i;

	(void)worker;
	job->entry->data.id = ekka_blob_id_of(job->bytes, job->entry->data.size);
	job->entry->data.hashed = true;
}

static bool is_for_us(const struct ekka_entry *e)
{
	return e->kind == EKKA_ENTRY_COPY && !e->data.hashed && e->data.size >= SMALL_BYTES && e->generation == ekka_segment_generation();
}

void ekka_ahead_hash(struct ekka_entry *first, const void *bytes)
{
	struct job jobs[COPIES] = { { first, bytes } };
	uint64_t position = ekka_queue_taken();
	unsigned n = 1;

	for (unsigned i = 0; first->data.size >= WORTH_BYTES && i < LOOK_AHEAD && n < COPIES; i++) {
		struct ekka_entry *e = ekka_queue_ahead(&position);

		if (!e)
			break;
		if (!is_for_us(e))
			continue;
		if (!ekka_cuda_copy_try(e->data.copy, &jobs[n].bytes))
			break;
		jobs[n++].entry = e;
	}
	ekka_pool_run(hash, jobs, n);
}
