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
	free(t->parts);
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

static int find_or_add_blob(struct blob_table *t, const struct ekka_blob_id *id, uint64_t size, uint32_t *ret)
{
	void *p = t->blobs;
	uint32_t *slot;

	if (2 * t->n_blobs >= t->n_slots && grow_slots(t) < 0)
		return EKKA_ERR_NOMEM;
	slot = find_slot(t, id);
	if (*slot == 0) {
		int rc = ekka_grow(&p, t->n_blobs, &t->cap_blobs, sizeof *t->blobs);

		if (rc < 0)
			return rc;
		t->blobs = p;
		t->blobs[t->n_blobs] = (struct blob_entry){ .id = *id, .size = size };
		*slot = (uint32_t)++t->n_blobs;
	}
	*ret = *slot - 1;
	return 0;
}

/* Adds a part of the blob; *ret_blob is that blob. */
static int add_part(struct blob_table *t, const struct ekka_blob_id *id, uint64_t size, struct blob_part part, uint32_t *ret_blob,
		    const char **ret_why)
{
	void *p = t->parts;
	int rc;

	if (size < part.raw_bytes || part.offset > size - part.raw_bytes) {
		*ret_why = "bytes that do not lie within their blob";
		return EKKA_ERR_FORMAT;
	}
	rc = ekka_grow(&p, t->n_parts, &t->cap_parts, sizeof *t->parts);
	if (rc == 0) {
		t->parts = p;
		rc = find_or_add_blob(t, id, size, &part.blob);
	}
	if (rc < 0)
		return rc;
	if (t->blobs[part.blob].size != size) {
		*ret_why = "another size of a blob than one before";
		return EKKA_ERR_FORMAT;
	}
	part.order = (uint32_t)t->n_parts;
	t->parts[t->n_parts++] = part;
	*ret_blob = part.blob;
	return 0;
}

int ekka_blob_table_add(struct blob_table *t, const struct ekka_rec_ix_chunk *r, uint32_t file, const char **ret_why)
{
	const struct blob_part part = { .offset = r->offset, .raw_bytes = r->raw_bytes, .chunk = (uint32_t)t->n_chunks, .file = file };
	void *p = t->chunks;
	uint32_t blob = 0;
	int rc;

	if (r->raw_bytes == 0 || r->raw_bytes > EKKA_CHUNK_BYTES) {
		*ret_why = "a chunk of no bytes or too many";
		return EKKA_ERR_FORMAT;
	}
	rc = ekka_grow(&p, t->n_chunks, &t->cap_chunks, sizeof *t->chunks);
	if (rc == 0) {
		t->chunks = p;
		rc = add_part(t, &r->id, r->size, part, &blob, ret_why);
	}
	if (rc < 0)
		return rc;
	t->chunks[t->n_chunks++] = (struct blob_chunk){ .offset = r->offset, .at = r->at, .raw_bytes = r->raw_bytes,
							.frame_bytes = r->frame_bytes, .blob = blob, .file = file };
	return 0;
}

/* The chunk whose frame is at that place of the file, or NULL. */
static const struct blob_chunk *chunk_at(const struct blob_table *t, uint32_t file, uint64_t at)
{
	size_t low = 0, high = t->n_chunks;

	while (low < high) {
		size_t mid = low + (high - low) / 2;
		const struct blob_chunk *c = &t->chunks[mid];

		if (c->file < file || (c->file == file && c->at < at))
			low = mid + 1;
		else
			high = mid;
	}
	return low < t->n_chunks && t->chunks[low].file == file && t->chunks[low].at == at ? &t->chunks[low] : NULL;
}

int ekka_blob_table_link(struct blob_table *t, const struct ekka_blob_id *id, uint64_t size, const struct ekka_link *l, uint32_t file, const char **ret_why)
{
	const struct blob_chunk *c = chunk_at(t, file, l->at);
	uint32_t blob;

	/* The length has bounds so that what is read for a link is in proportion to what the link gives. */
	if (!c || l->raw_bytes < EKKA_LINK_MIN_BYTES || l->raw_bytes > c->raw_bytes || l->from > c->raw_bytes - l->raw_bytes) {
		*ret_why = c ? "a link to bytes that its chunk does not have" : "a link to no chunk before";
		return EKKA_ERR_FORMAT;
	}
	return add_part(t, id, size, (struct blob_part){ .offset = l->offset, .raw_bytes = l->raw_bytes, .chunk = (uint32_t)(c - t->chunks),
							 .from = l->from, .file = file }, &blob, ret_why);
}

/* Of two that begin alike the earlier: a blob that was stored whole, then again in another way until the process was killed, is whole. */
static int by_place(const void *pa, const void *pb)
{
	const struct blob_part *a = pa, *b = pb;

	if (a->blob != b->blob)
		return a->blob < b->blob ? -1 : 1;
	if (a->file != b->file)
		return a->file < b->file ? -1 : 1;
	if (a->offset != b->offset)
		return a->offset < b->offset ? -1 : 1;
	return a->order < b->order ? -1 : a->order > b->order;
}

/* Bytes in the file that are there for this part alone. */
static uint32_t stored_for(const struct blob_table *t, const struct blob_part *p)
{
	const struct blob_chunk *c = &t->chunks[p->chunk];

	return c->blob == p->blob && c->offset == p->offset ? c->frame_bytes : 0;
}

/*
 * The parts [i, end) are those of one blob in one file, by offset. Moves those that follow on each other to the front; what
 * repeats or overlaps is passed over. Takes them as the blob's when they make it whole or none was taken before.
 */
static void take_run(struct blob_table *t, struct blob_entry *b, size_t i, size_t end)
{
	size_t first = i, n = 0;
	uint64_t reached = 0, stored = 0;

	for (; i < end && t->parts[i].offset <= reached; i++) {
		if (t->parts[i].offset < reached)
			continue;
		reached += t->parts[i].raw_bytes;
		stored += stored_for(t, &t->parts[i]);
		t->parts[first + n++] = t->parts[i];
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

	if (t->n_parts > 0)
		qsort(t->parts, t->n_parts, sizeof *t->parts, by_place);
	while (i < t->n_parts) {
		struct blob_entry *b = &t->blobs[t->parts[i].blob];

		end = i + 1;
		while (end < t->n_parts && t->parts[end].blob == t->parts[i].blob && t->parts[end].file == t->parts[i].file)
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
