/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "preload/entries.h"

#include "preload/ahead.h"
#include "preload/blob_store.h"
#include "preload/blobset.h"
#include "preload/count.h"
#include "preload/cuda.h"
#include "preload/cuda_timing.h"
#include "preload/init.h"
#include "preload/say.h"
#include "preload/sink_image.h"
#include "preload/snapshot.h"
#include "preload/timing.h"
#include "preload/versions.h"
#include "preload/writer.h"

#include <stdatomic.h>
#include <string.h>

enum { DATA_BYTES = 256, TIME_BYTES = 64 };

static _Atomic(const char *) blobs_closed;
static bool failed;			/* entries are thrown away */
static bool said_blobs;

void ekka_entries_reset(void)
{
	failed = said_blobs = false;
	atomic_store(&blobs_closed, NULL);
}

const char *ekka_sink_blobs_closed(void)
{
	return atomic_load_explicit(&blobs_closed, memory_order_relaxed);
}

void ekka_entries_fail(const char *why)
{
	int on = EKKA_STATE_ON;

	if (failed)
		return;
	failed = true;
	/* Said here, not by ekka_stop: recording may be off already, as the program is at its end. */
	ekka_say("%s; recording has ended, the program goes on", why);
	atomic_compare_exchange_strong(&ekka_state, &on, EKKA_STATE_ENDED);
}

static void note_blobs_closed(void)
{
	const char *why = ekka_writer_blobs_closed();

	atomic_store(&blobs_closed, why);
	if (!why || said_blobs)
		return;
	said_blobs = true;
	if (strcmp(why, "disk") == 0)
		ekka_say("%s; tensor bytes are no longer recorded", ekka_writer_trouble());
	else
		ekka_say("the budget is used up; new tensor bytes are no longer recorded (EKKA_BUDGET)");
}

void ekka_entries_flush(void)
{
	const char *why;

	if (failed)
		return;
	why = ekka_writer_flush();
	note_blobs_closed();
	if (why)
		ekka_entries_fail(why);
}

/* Room in the batch and in the budget for `bytes` of events. */
static bool make_room(size_t bytes)
{
	if (ekka_writer_frames_room() < bytes)
		ekka_entries_flush();
	if (!failed && !ekka_writer_has_room(bytes)) {
		ekka_entries_flush();
		ekka_entries_fail("the budget is used up (EKKA_BUDGET)");
	}
	if (failed)
		ekka_count_drop("record", 1);
	return !failed;
}

static void put_data(const struct ekka_entry *e, const struct ekka_blob_id *id, const char *missing)
{
	struct ekka_rec_data rec = {
		.event = e->data.event, .tensor = e->data.tensor, .phase = e->data.phase, .bytes = e->data.size,
		.missing = missing,
	};

	if (missing)
		ekka_count_drop(missing, 1);
	else
		rec.id = *id;
	if (make_room(DATA_BYTES))
		ekka_writer_data(&rec);
}

/* Stores bytes of a blob; notes it when they are lost. */
static void store(const struct ekka_blob_bytes *b)
{
	const char *why = failed ? "disk" : ekka_blob_store(b);

	if (why)
		ekka_blobset_lose(b->id, why);
	note_blobs_closed();
}

/* Bytes of the entry's blob from its offset on. */
static void store_data(const struct ekka_entry *e, const void *p, size_t bytes)
{
	const struct ekka_blob_bytes b = { .id = &e->data.id, .size = e->data.size, .offset = e->data.offset, .p = p, .bytes = bytes,
					   .place = e->data.place ? e->data.place + e->data.offset : 0 };

	store(&b);
}

static void put_known(const struct ekka_entry *e, const struct ekka_blob_id *id)
{
	const char *lost;

	(void)ekka_blobset_has(id, &lost);
	put_data(e, id, lost);
}

static void put_piece(const struct ekka_entry *e)
{
	const char *lost;

	(void)ekka_blobset_has(&e->data.id, &lost);
	if (!lost)
		store_data(e, e->payload, e->used);
	if (e->data.offset + e->used == e->data.size)
		put_known(e, &e->data.id);
}

static void put_copy(struct ekka_entry *e)
{
	struct ekka_blob_id id;
	const void *bytes = NULL;
	const char *why = ekka_cuda_copy_wait(e->data.copy, &bytes);
	bool full;

	if (!why && !e->data.hashed)
		ekka_ahead_hash(e, bytes);

	if (why) {
		put_data(e, NULL, why);
		ekka_versions_settle(e->data.serial, NULL, why);
	} else {
		id = e->data.id;
		if (ekka_blobset_add(&id, &full) || full)
			store_data(e, bytes, e->data.size);
		put_known(e, &id);
		ekka_versions_settle(e->data.serial, &id, NULL);
	}
	ekka_cuda_copy_release(e->data.copy);
}

static void put_same(const struct ekka_entry *e)
{
	struct ekka_blob_id id;
	const char *why = NULL;

	if (!ekka_versions_content(e->data.serial, &id, &why))
		why = "lineage";
	if (why)
		put_data(e, NULL, why);
	else
		put_known(e, &id);
}

static void put_image(const struct ekka_entry *e)
{
	uint8_t frame[DATA_BYTES];
	struct ekka_buf buf = { .data = frame, .cap = sizeof(frame) };
	struct ekka_rec_module rec;
	const char *lost = NULL;

	ekka_sink_image(e->data.image, store, &rec);
	ekka_entries_flush();	/* what did not reach the file is known then */
	if (!rec.missing && ekka_blobset_has(&rec.blob, &lost))
		rec.missing = lost;
	rec.id = (uint32_t)e->data.serial;
	if (rec.missing)
		ekka_count_drop("module image", 1);
	if (make_room(sizeof(frame)) && ekka_encode_module(&buf, &rec))
		ekka_writer_frame(frame, buf.len);
	ekka_image_drop(e->data.image);
}

void ekka_entries_put_time(const struct ekka_rec_time *rec)
{
	uint8_t frame[TIME_BYTES];
	struct ekka_buf buf = { .data = frame, .cap = sizeof(frame) };

	if (make_room(sizeof(frame)) && ekka_encode_time(&buf, rec))
		ekka_writer_frame(frame, buf.len);
}

void ekka_entries_put(struct ekka_entry *e)
{
	if (e->generation != ekka_segment_generation()) {
		if (e->kind == EKKA_ENTRY_COPY)
			ekka_cuda_copy_release(e->data.copy);
		if (e->kind == EKKA_ENTRY_IMAGE)
			ekka_image_drop(e->data.image);
		if (e->kind == EKKA_ENTRY_TIME)
			ekka_cuda_timing_drop(e->data.timing);
		return;
	}
	switch ((enum ekka_entry_kind)e->kind) {
	case EKKA_ENTRY_FRAME:
		if (make_room(e->used))
			ekka_writer_frame(e->payload, e->used);
		break;
	case EKKA_ENTRY_BLOB:
		store_data(e, e->payload, e->used);
		put_known(e, &e->data.id);
		break;
	case EKKA_ENTRY_PIECE:
		put_piece(e);
		break;
	case EKKA_ENTRY_KNOWN:
		put_known(e, &e->data.id);
		break;
	case EKKA_ENTRY_ABORT:
		ekka_blobset_lose(&e->data.id, "changed");
		put_known(e, &e->data.id);
		break;
	case EKKA_ENTRY_COPY:
		put_copy(e);
		break;
	case EKKA_ENTRY_SAME:
		put_same(e);
		break;
	case EKKA_ENTRY_IMAGE:
		put_image(e);
		break;
	case EKKA_ENTRY_TIME:
		ekka_timing_take(e);
		break;
	case EKKA_ENTRY_VOID:
		break;
	}
}
