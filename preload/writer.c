/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "preload/writer.h"

#include "preload/batch.h"
#include "preload/blob_index.h"
#include "preload/blob_store.h"
#include "preload/blobset.h"
#include "preload/conf.h"
#include "preload/count.h"
#include "preload/frames.h"
#include "preload/lock.h"
#include "preload/segment.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

enum {
	DIRECT_BYTES = 32 << 10,	/* from here on a chunk's data are written from where they are, not copied into the batch */
	HEAD_BYTES = 512,		/* more than a chunk's head and its entry in the index take */
	EVENTS_BATCH = 1 << 20,
	BLOBS_BATCH = 2 * (EKKA_CHUNK_BYTES + HEAD_BYTES),
	CLOSE_BYTES = 16 << 10,		/* kept free in the budget for the trailer */
	EVENTS_SHARE = 16,		/* one part in 16 of the budget is for events only */
	MAX_SEGMENTS = 10000,
	MAX_BLOBS = 4096,		/* frames in the blobs batch */
	MAX_NAMED = 8192,		/* in the events batch: data records that name a blob */
};

/* A data record in the events batch that names a blob; the blob may still be in the blobs batch, and be lost with it. */
struct named { size_t at; struct ekka_rec_data rec; };

static struct {
	struct ekka_batch events, blobs;
	uint64_t n_calls;		/* in the events file and its batch */
	struct ekka_blob_id *blob_ids;	/* of the chunks and links in the blobs batch */
	size_t n_blobs;
	struct named *named;
	size_t n_named;
	uint64_t budget;
	const char *blobs_closed;	/* why no more blobs are stored */
	uint8_t *memory;		/* batches and lists, one mapping */
	char index_path[4096];
	char why[4400];
} w = { .events.fd.fd = -1, .blobs.fd.fd = -1 };

static bool get_memory(void)
{
	size_t ids = MAX_BLOBS * sizeof(*w.blob_ids), named = MAX_NAMED * sizeof(*w.named);

	if (w.memory)
		return true;
	void *p = mmap(NULL, EVENTS_BATCH + BLOBS_BATCH + ids + named, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (p == MAP_FAILED)
		return false;
	w.memory = p;
	w.events.buf = (struct ekka_buf){ .data = w.memory, .cap = EVENTS_BATCH };
	w.blobs.buf = (struct ekka_buf){ .data = w.memory + EVENTS_BATCH, .cap = BLOBS_BATCH };
	w.blob_ids = (void *)(w.memory + EVENTS_BATCH + BLOBS_BATCH);
	w.named = (void *)(w.memory + EVENTS_BATCH + BLOBS_BATCH + ids);
	return true;
}

static const char *trouble(const char *what, const char *path)
{
	snprintf(w.why, sizeof(w.why), "cannot %s %.4000s: %s", what, path, strerrordesc_np(errno));
	return w.why;
}

static uint64_t used_bytes(void)
{
	return w.events.offset + ekka_batch_waiting(&w.events) + w.blobs.offset + ekka_batch_waiting(&w.blobs) + ekka_blob_index_bytes();
}

static const char *create_files(void)
{
	const char *dir = ekka_segment_dir();
	bool made = mkdir(dir, 0700) == 0;

	if (!made && errno != EEXIST)
		return trouble("create", dir);
	for (int n = 0; n < MAX_SEGMENTS; n++) {
		snprintf(w.events.path, sizeof(w.events.path), "%s/events-%d-%d.ekka", dir, (int)getpid(), n);
		snprintf(w.blobs.path, sizeof(w.blobs.path), "%s/blobs-%d-%d.ekka", dir, (int)getpid(), n);
		snprintf(w.index_path, sizeof(w.index_path), "%s/index-%d-%d.ekka", dir, (int)getpid(), n);
		if (ekka_fd_create(&w.events.fd, w.events.path) != 0) {
			if (errno == EEXIST)
				continue;
			const char *why = trouble("create", w.events.path);
			if (made)
				rmdir(dir);
			return why;
		}
		if (ekka_fd_create(&w.blobs.fd, w.blobs.path) != 0) {
			const char *why = trouble("create", w.blobs.path);
			unlink(w.events.path);
			ekka_fd_close(&w.events.fd);
			return why;
		}
		return NULL;
	}
	errno = EEXIST;
	return trouble("create", w.events.path);
}

static void set_budget(void)
{
	struct statvfs fs;

	w.budget = ekka_conf.budget;
	if (w.budget == 0)
		w.budget = statvfs(ekka_segment_dir(), &fs) == 0 ? (uint64_t)fs.f_bavail * fs.f_frsize / 2 : UINT64_MAX;
}

const char *ekka_writer_open(void)
{
	const char *why;
	struct ekka_rec_open rec;

	w.events.offset = w.blobs.offset = 0;
	w.n_calls = w.n_blobs = w.n_named = 0;
	w.blobs_closed = NULL;
	if (!get_memory() || !ekka_blob_store_open())
		return "no memory for the writer";
	ekka_batch_empty(&w.events);
	ekka_batch_empty(&w.blobs);
	why = create_files();
	if (why)
		return why;
	set_budget();
	ekka_segment_describe(&rec);
	/* "First frame of every file." */
	ekka_encode_open(&w.blobs.buf, &rec);
	ekka_encode_open(&w.events.buf, &rec);
	ekka_blob_index_open(w.index_path, &rec);
	return ekka_writer_flush();
}

/* The events that did get into the file stay there, less some room for the trailer; the others are counted. */
static void cut_events(size_t done)
{
	struct ekka_frames kept = ekka_frames_whole(&w.events.buf, done > CLOSE_BYTES ? done - CLOSE_BYTES : 0);
	struct ekka_frames all = ekka_frames_whole(&w.events.buf, w.events.buf.len);

	w.events.offset += kept.bytes;
	w.events.buf.len = 0;
	w.n_calls -= all.calls - kept.calls;
	ekka_count_drop("record", all.records - kept.records);
}

/* Writes what waits; on failure the file is cut back to whole frames. */
static const char *flush_file(struct ekka_batch *f)
{
	const char *why;
	size_t done;

	if (ekka_batch_waiting(f) == 0)
		return NULL;
	if (!ekka_fd_check(&f->fd, f->path)) {
		snprintf(w.why, sizeof(w.why), "lost %.4000s: the program closed its descriptor", f->path);
		return w.why;
	}
	if (ekka_batch_write(f, &done) == 0)
		return NULL;
	why = trouble("write", f->path);
	if (f == &w.events)
		cut_events(done);
	(void)!ftruncate(f->fd.fd, (off_t)f->offset);
	return why;
}

static bool in_blobs_batch(const struct ekka_blob_id *id)
{
	for (size_t i = 0; i < w.n_blobs; i++)
		if (memcmp(&w.blob_ids[i], id, sizeof(*id)) == 0)
			return true;
	return false;
}

/*
 * The blobs batch is lost: nothing may name what was in it, neither records to come nor those that wait in the events
 * batch. These become shorter, as a reason takes less room than an id.
 */
static void lose_blobs_batch(void)
{
	struct ekka_buf *b = &w.events.buf;
	size_t from = 0, end = b->len;

	for (size_t i = 0; i < w.n_blobs; i++)
		ekka_blobset_lose(&w.blob_ids[i], "disk");
	b->len = 0;
	for (size_t i = 0; i < w.n_named; i++) {
		struct named *n = &w.named[i];
		if (!in_blobs_batch(&n->rec.id))
			continue;
		memmove(b->data + b->len, b->data + from, n->at - from);
		b->len += n->at - from;
		from = n->at + ekka_frame_bytes(b->data + n->at);
		n->rec.missing = "disk";
		ekka_encode_data(b, &n->rec);
		ekka_count_drop("disk", 1);
	}
	memmove(b->data + b->len, b->data + from, end - from);
	b->len += end - from;
	w.n_named = 0;		/* they lie elsewhere now, and no blob is written any more */
	ekka_batch_empty(&w.blobs);
}

static void flush_blobs(void)
{
	if (flush_file(&w.blobs)) {
		/* Events are worth having without tensor bytes; the caller says why they are missing. */
		if (!w.blobs_closed)
			w.blobs_closed = "disk";
		lose_blobs_batch();
		ekka_blob_index_drop();
	}
	w.n_blobs = 0;
}

const char *ekka_writer_flush(void)
{
	flush_blobs();
	w.n_named = 0;
	return flush_file(&w.events);
}

const char *ekka_writer_blobs_closed(void)
{
	return w.blobs_closed;
}

const char *ekka_writer_trouble(void)
{
	return w.why;
}

void ekka_writer_frame(const uint8_t *frame, size_t bytes)
{
	struct ekka_buf *b = &w.events.buf;

	memcpy(b->data + b->len, frame, bytes);
	b->len += bytes;
	w.n_calls += ekka_frame_is_call(frame);
}

uint64_t ekka_writer_calls(void)
{
	return w.n_calls;
}

bool ekka_writer_has_room(size_t bytes)
{
	return used_bytes() + bytes + CLOSE_BYTES <= w.budget;
}

size_t ekka_writer_frames_room(void)
{
	return w.n_named < MAX_NAMED ? w.events.buf.cap - w.events.buf.len : 0;
}

void ekka_writer_data(const struct ekka_rec_data *rec)
{
	if (!rec->missing)
		w.named[w.n_named++] = (struct named){ .at = w.events.buf.len, .rec = *rec };
	ekka_encode_data(&w.events.buf, rec);
}

/* Room in the budget for a frame of so many bytes of the blobs file; else no more blobs are stored. */
static bool has_blob_room(uint64_t frame)
{
	if (used_bytes() + frame + w.budget / EVENTS_SHARE > w.budget)
		w.blobs_closed = "budget";
	return !w.blobs_closed;
}

const char *ekka_writer_chunk(const struct ekka_rec_chunk *rec, const void *data, uint64_t *ret_at)
{
	struct ekka_batch *f = &w.blobs;
	struct ekka_buf *b = &f->buf;
	uint64_t frame = HEAD_BYTES + rec->data_bytes;
	bool direct = rec->data_bytes >= DIRECT_BYTES;

	if (!has_blob_room(frame))
		return w.blobs_closed;
	if (b->len + (direct ? HEAD_BYTES : frame) > b->cap || f->n_parts == EKKA_BATCH_PARTS || w.n_blobs == MAX_BLOBS) {
		flush_blobs();
		if (w.blobs_closed)
			return w.blobs_closed;
	}
	*ret_at = f->offset + ekka_batch_waiting(f);
	size_t head = ekka_encode_chunk_head(b, rec);
	ekka_blob_index_add(rec, *ret_at, (uint32_t)head + rec->data_bytes);
	if (direct) {
		ekka_batch_put_part(f, data, rec->data_bytes);
	} else {
		memcpy(b->data + b->len, data, rec->data_bytes);
		b->len += rec->data_bytes;
	}
	w.blob_ids[w.n_blobs++] = rec->id;
	return NULL;
}

const char *ekka_writer_links(const struct ekka_rec_links *rec)
{
	struct ekka_batch *f = &w.blobs;
	uint64_t frame = HEAD_BYTES + (uint64_t)rec->n_links * EKKA_LINK_ENCODED_BYTES;

	if (!has_blob_room(frame))
		return w.blobs_closed;
	if (f->buf.len + frame > f->buf.cap || w.n_blobs == MAX_BLOBS) {
		flush_blobs();
		if (w.blobs_closed)
			return w.blobs_closed;
	}
	uint64_t at = f->offset + ekka_batch_waiting(f);
	ekka_blob_index_add_links(at, (uint32_t)ekka_encode_links(&f->buf, rec));
	w.blob_ids[w.n_blobs++] = rec->id;
	return NULL;
}

const char *ekka_writer_flush_parts(void)
{
	if (w.blobs.n_parts > 0)
		flush_blobs();
	return w.blobs_closed;
}

size_t ekka_writer_pending(void)
{
	return ekka_batch_waiting(&w.events) + ekka_batch_waiting(&w.blobs);
}

uint64_t ekka_writer_bytes(void)
{
	return w.events.offset + w.blobs.offset;
}

uint64_t ekka_writer_blob_bytes(void)
{
	return w.blobs.offset + ekka_batch_waiting(&w.blobs);
}

void ekka_writer_close(const struct ekka_rec_close *rec)
{
	if (w.events.fd.fd >= 0) {
		(void)ekka_writer_flush();
		if (ekka_writer_frames_room() < CLOSE_BYTES)
			w.events.buf.len = 0;		/* the file was lost, and the batch could not be written */
		ekka_encode_close(&w.events.buf, rec);
		(void)flush_file(&w.events);
		ekka_blob_index_close(w.blobs.offset);
	}
	ekka_fd_close(&w.events.fd);
	ekka_fd_close(&w.blobs.fd);
}

void ekka_writer_forget(void)
{
	/* The parent's files stay open here until they can be told from the child's own: closing by identity. */
	ekka_fd_close(&w.events.fd);
	ekka_fd_close(&w.blobs.fd);
	ekka_blob_index_forget();
	ekka_blob_store_forget();
	w.memory = NULL;
}
