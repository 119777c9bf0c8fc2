/* SPDX-License-Identifier: Apache-2.0 */
#include "trace/blob_table.h"
#include "trace/reader_internal.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

void ekka_blob_table_init(struct blob_table *t)
{
	*t = (struct blob_table){ 0 };
	if (getrandom(&t->seed, sizeof t->seed, GRND_NONBLOCK) != (ssize_t)sizeof t->seed)
		t->seed = (uintptr_t)t;
}

void ekka_blob_table_release(struct blob_table *t)
{
	free(t->chunks);
	free(t->blobs);
	free(t->slots);
	*t = (struct blob_table){ 0 };
}

/* The id is a hash already; the seed and a multiplication keep prepared ids from meeting in one slot. */
static size_t slot_of(const struct blob_table *t, const struct ekka_blob_id *id)
{
	uint64_t a, b;

	memcpy(&a, id->b, 8);
	memcpy(&b, id->b + 8, 8);
	a = (a ^ t->seed) * 0x9e3779b97f4a7c15u;
	b = (b ^ (a >> 29) ^ (t->seed << 17)) * 0xbf58476d1ce4e5b9u;
	return (size_t)((a ^ b ^ (b >> 32)) & (t->n_slots - 1));
}

static uint32_t *find_slot(const struct blob_table *t, const struct ekka_blob_id *id)
{
	size_t i = slot_of(t, id);

	while (t->slots[i] != 0 && memcmp(&t->blobs[t->slots[i] - 1].id, id, sizeof *id) != 0)
		i = (i + 1) & (t->n_slots - 1);
	return &t->slots[i];
}

static int grow_slots(struct blob_table *t)
{
	size_t n = t->n_slots ? t->n_slots * 2 : 256;
	uint32_t *slots = calloc(n, sizeof *slots);

	if (!slots)
		return EKKA_ERR_NOMEM;
	free(t->slots);
	t->slots = slots;
	t->n_slots = n;
	for (size_t i = 0; i < t->n_blobs; i++)
		*find_slot(t, &t->blobs[i].id) = (uint32_t)i + 1;
	return 0;
}

static int find_or_add_blob(struct blob_table *t, const struct ekka_rec_ix_chunk *r, uint32_t *ret)
{
	void *p = t->blobs;
	uint32_t *slot;

	if (2 * t->n_blobs >= t->n_slots && grow_slots(t) < 0)
		return EKKA_ERR_NOMEM;
	slot = find_slot(t, &r->id);
	if (*slot == 0) {
		int rc = ekka_grow(&p, t->n_blobs, &t->cap_blobs, sizeof *t->blobs);

		if (rc < 0)
			return rc;
		t->blobs = p;
		t->blobs[t->n_blobs] = (struct blob_entry){ .id = r->id, .size = r->size };
		*slot = (uint32_t)++t->n_blobs;
	}
	*ret = *slot - 1;
	return 0;
}

int ekka_blob_table_add(struct blob_table *t, const struct ekka_rec_ix_chunk *r, uint32_t file, const char **ret_why)
{
	void *p = t->chunks;
	uint32_t blob = 0;
	int rc;

	if (r->raw_bytes == 0 || r->raw_bytes > EKKA_CHUNK_BYTES || r->size < r->raw_bytes || r->offset > r->size - r->raw_bytes) {
		*ret_why = "a chunk that does not lie within its blob";
		return EKKA_ERR_FORMAT;
	}
	rc = ekka_grow(&p, t->n_chunks, &t->cap_chunks, sizeof *t->chunks);
	if (rc == 0) {
		t->chunks = p;
		rc = find_or_add_blob(t, r, &blob);
	}
	if (rc < 0)
		return rc;
	if (t->blobs[blob].size != r->size) {
		*ret_why = "a chunk that disagrees with an earlier one about the size of its blob";
		return EKKA_ERR_FORMAT;
	}
	t->chunks[t->n_chunks++] = (struct blob_chunk){ .offset = r->offset, .at = r->at, .raw_bytes = r->raw_bytes,
							.frame_bytes = r->frame_bytes, .blob = blob, .file = file };
	return 0;
}

static int by_place(const void *pa, const void *pb)
{
	const struct blob_chunk *a = pa, *b = pb;

	if (a->blob != b->blob)
		return a->blob < b->blob ? -1 : 1;
	if (a->file != b->file)
		return a->file < b->file ? -1 : 1;
	if (a->offset != b->offset)
		return a->offset < b->offset ? -1 : 1;
	return a->at < b->at ? -1 : a->at > b->at;
}

/*
 * The chunks [i, end) are those of one blob in one file, by offset. Moves those that follow on each other to the front; what
 * repeats or overlaps is passed over. Takes them as the blob's when they make it whole or none was taken before.
 */
static void take_run(struct blob_table *t, struct blob_entry *b, size_t i, size_t end)
{
	size_t first = i, n = 0;
	uint64_t reached = 0, stored = 0;

	for (; i < end && t->chunks[i].offset <= reached; i++) {
		if (t->chunks[i].offset < reached)
			continue;
		reached += t->chunks[i].raw_bytes;
		stored += t->chunks[i].frame_bytes;
		t->chunks[first + n++] = t->chunks[i];
	}
	if (b->whole || (b->n > 0 && reached != b->size))
		return;
	b->first = (uint32_t)first;
	b->n = (uint32_t)n;
	b->stored_bytes = stored;
	b->whole = reached == b->size;
}

void ekka_blob_table_finish(struct blob_table *t)
{
	size_t i = 0, end;

	if (t->n_chunks > 0)
		qsort(t->chunks, t->n_chunks, sizeof *t->chunks, by_place);
	while (i < t->n_chunks) {
		struct blob_entry *b = &t->blobs[t->chunks[i].blob];

		end = i + 1;
		while (end < t->n_chunks && t->chunks[end].blob == t->chunks[i].blob && t->chunks[end].file == t->chunks[i].file)
			end++;
		take_run(t, b, i, end);
		i = end;
	}
}

const struct blob_entry *ekka_blob_table_find(const struct blob_table *t, const struct ekka_blob_id *id)
{
	uint32_t *slot;

	if (t->n_slots == 0)
		return NULL;
	slot = find_slot(t, id);
	return *slot ? &t->blobs[*slot - 1] : NULL;
}
