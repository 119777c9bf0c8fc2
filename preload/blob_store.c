/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "preload/blob_store.h"

#include "preload/batch.h"
#include "preload/conf.h"
#include "preload/places.h"
#include "preload/pool.h"
#include "preload/writer.h"
#include "trace/chunk.h"
#include "trace/hash.h"

#include <string.h>
#include <sys/mman.h>

enum {
	GROUP = EKKA_BATCH_PARTS,		/* chunks made at a time */
	CHUNK_PIECES = EKKA_CHUNK_BYTES / EKKA_PIECE_BYTES,
	WINDOW_PIECES = GROUP * CHUNK_PIECES,	/* looked at together; the first and the last may be parts of pieces */
	LINKED_FROM = 64 << 10,			/* smaller blobs are stored whole */
	WORTH_SHARE = 4,			/* one part in 4 at least must be there already */
	POOL_BYTES = 256 << 10,			/* chunks with fewer bytes are not worth waking others for */
};

static struct {
	ZSTD_CCtx *cctx[EKKA_POOL_MAX];
	uint8_t *scratch[GROUP];
} st;

/* The pieces [first, end) of a chunk or a link. */
struct run { uint32_t first, end; };

/* What is done at the moment. */
static struct window {
	const struct ekka_blob_bytes *b;
	const uint8_t *p;
	uint64_t offset, place;			/* of p in the blob, and in the program or 0 */
	size_t bytes;
	uint32_t skew;				/* bytes of the first piece before p */
	uint32_t n;				/* pieces */
	struct ekka_piece pieces[WINDOW_PIECES];	/* `bytes` is 0 when it was not looked for, `at` when it was not found */
	struct ekka_link links[WINDOW_PIECES];
	struct run linked[WINDOW_PIECES];
	uint32_t n_links;
	struct run chunk[GROUP];
	bool look[GROUP];			/* for what is stored of it */
	size_t found[GROUP];			/* bytes */
	bool made[GROUP];			/* rec and data are what the run needs */
	struct ekka_rec_chunk rec[GROUP];
	const void *data[GROUP];
	uint32_t n_chunks;
} window;

static size_t start_of(const struct window *w, uint32_t piece)
{
	size_t at = (size_t)piece * EKKA_PIECE_BYTES;

	return piece == 0 ? 0 : at - w->skew < w->bytes ? at - w->skew : w->bytes;
}

static size_t bytes_of(const struct window *w, struct run r)
{
	return start_of(w, r.end) - start_of(w, r.first);
}

static void make_chunk(void *arg, unsigned i, unsigned worker)
{
	struct window *w = arg;
	size_t at = start_of(w, w->chunk[i].first);

	if (w->made[i])
		return;
	ekka_chunk_make(st.cctx[worker], (int)ekka_conf.compress, w->b->id, w->b->size, w->offset + at, w->p + at,
			(uint32_t)bytes_of(w, w->chunk[i]), st.scratch[i], &w->rec[i], &w->data[i]);
	w->made[i] = true;
}

/* Looks for the pieces of chunk i; when none is stored the chunk is made at once, while its bytes are in the cache. */
static void look_up(void *arg, unsigned i, unsigned worker)
{
	struct window *w = arg;

	w->found[i] = 0;
	for (uint32_t k = w->chunk[i].first; k < w->chunk[i].end; k++) {
		size_t at = start_of(w, k);
		struct ekka_piece *piece = &w->pieces[k];
		const struct ekka_piece *known;

		*piece = (struct ekka_piece){ .addr = w->place + at };
		if (!w->look[i])
			continue;
		piece->bytes = (uint32_t)(start_of(w, k + 1) - at);
		piece->hash = ekka_check64(w->p + at, piece->bytes);
		known = ekka_places_find(piece->addr, piece->bytes, piece->hash);
		if (!known)
			continue;
		*piece = *known;
		w->found[i] += known->bytes;
	}
	if (w->found[i] == 0)
		make_chunk(w, i, worker);
}

/* The pieces from `first` on that are stored in one chunk; none: an empty run. What is side by side in memory is so in a chunk. */
static struct run stored_run(const struct window *w, uint32_t first)
{
	uint64_t at = w->pieces[first].at;
	struct run r = { first, first };

	while (r.end < w->n && at && w->pieces[r.end].at == at)
		r.end++;
	return r;
}

static void find_links(struct window *w)
{
	uint64_t linked = 0;

	for (uint32_t i = 0; i < w->n_chunks; i++)
		if (w->found[i] > 0 && w->found[i] >= bytes_of(w, w->chunk[i]) / WORTH_SHARE)
			ekka_places_useful(w->place + start_of(w, w->chunk[i].first));
	for (uint32_t i = 0; i < w->n;) {
		struct run r = stored_run(w, i);
		size_t bytes = bytes_of(w, r);

		if (bytes >= EKKA_LINK_MIN_BYTES) {
			w->linked[w->n_links] = r;
			w->links[w->n_links++] = (struct ekka_link){ .offset = w->offset + start_of(w, i), .raw_bytes = (uint32_t)bytes,
								     .at = w->pieces[i].at, .from = w->pieces[i].from };
			linked += bytes;
		}
		i = r.end > i ? r.end : i + 1;
	}
	if (linked < w->bytes / WORTH_SHARE)
		w->n_links = 0;
}

/* Remembers where the chunk's pieces are. */
static void note(struct window *w, struct run chunk, uint64_t at)
{
	for (uint32_t i = chunk.first; i < chunk.end; i++) {
		if (w->pieces[i].bytes == 0)
			continue;
		w->pieces[i].at = at;
		w->pieces[i].from = (uint32_t)(start_of(w, i) - start_of(w, chunk.first));
		ekka_places_note(&w->pieces[i]);
	}
}

static const char *put_chunks(struct window *w)
{
	const char *why = NULL, *closed;
	size_t bytes = 0;

	for (uint32_t i = 0; i < w->n_chunks; i++)
		bytes += bytes_of(w, w->chunk[i]);
	if (bytes >= POOL_BYTES)
		ekka_pool_run(make_chunk, w, w->n_chunks);
	for (uint32_t i = 0; i < w->n_chunks && !why; i++) {
		uint64_t at = 0;

		if (bytes < POOL_BYTES)
			make_chunk(w, i, 0);
		why = ekka_writer_chunk(&w->rec[i], w->data[i], &at);
		if (!why)
			note(w, w->chunk[i], at);
	}
	w->n_chunks = 0;
	memset(w->made, 0, sizeof(w->made));
	/* The data lie in scratch memory or belong to the caller: what was taken must be written even when the rest was refused. */
	closed = ekka_writer_flush_parts();
	return why ? why : closed;
}

/* Everything, in chunks. */
static void cut(struct window *w)
{
	w->n_chunks = 0;
	for (uint32_t i = 0; i < w->n; i += CHUNK_PIECES) {
		const struct run r = { i, i + CHUNK_PIECES < w->n ? i + CHUNK_PIECES : w->n };
		uint32_t n = w->n_chunks++;

		w->chunk[n] = r;
		/* A rest goes with what is before it: it shares its region with whatever lies behind. */
		if (bytes_of(w, r) < LINKED_FROM)
			w->look[n] = n > 0 && w->look[n - 1];
		else
			w->look[n] = w->place && ekka_places_due(w->place + start_of(w, i));
	}
}

/* Everything between the links. */
static const char *put_between(struct window *w)
{
	uint32_t link = 0, i = 0;
	const char *why = NULL;

	w->n_chunks = 0;
	memset(w->made, 0, sizeof(w->made));
	while (i < w->n && !why) {
		uint32_t end = link < w->n_links ? w->linked[link].first : w->n;

		if (i == end) {
			i = w->linked[link++].end;
			continue;
		}
		if (end > i + CHUNK_PIECES)
			end = i + CHUNK_PIECES;
		w->chunk[w->n_chunks++] = (struct run){ i, end };
		i = end;
		if (w->n_chunks == GROUP)
			why = put_chunks(w);
	}
	return why ? why : put_chunks(w);
}

static const char *put_links(const struct window *w)
{
	const char *why = NULL;

	for (uint32_t i = 0; i < w->n_links && !why; i += EKKA_WRITER_LINKS) {
		uint32_t left = w->n_links - i;
		const struct ekka_rec_links rec = { .id = *w->b->id, .size = w->b->size, .links = w->links + i,
						    .n_links = left < EKKA_WRITER_LINKS ? left : EKKA_WRITER_LINKS };

		why = ekka_writer_links(&rec);
	}
	return why;
}

static const char *put_window(struct window *w)
{
	const char *why;

	w->n = (uint32_t)((w->skew + w->bytes + EKKA_PIECE_BYTES - 1) / EKKA_PIECE_BYTES);
	w->n_links = 0;
	cut(w);
	ekka_pool_run(look_up, w, w->n_chunks);
	find_links(w);
	why = w->n_links ? put_between(w) : put_chunks(w);
	return why ? why : put_links(w);
}

const char *ekka_blob_store(const struct ekka_blob_bytes *b)
{
	struct window *w = &window;
	const char *why = ekka_writer_blobs_closed();

	w->b = b;
	for (size_t at = 0; at < b->bytes && !why; at += w->bytes) {
		w->p = (const uint8_t *)b->p + at;
		w->offset = b->offset + at;
		w->place = b->place && b->size >= LINKED_FROM ? b->place + at : 0;
		w->skew = (uint32_t)(w->place % EKKA_PIECE_BYTES);
		w->bytes = WINDOW_PIECES * EKKA_PIECE_BYTES - w->skew;
		if (w->bytes > b->bytes - at)
			w->bytes = b->bytes - at;
		why = put_window(w);
	}
	return why;
}

bool ekka_blob_store_open(void)
{
	size_t scratch = (ekka_chunk_scratch_bytes() + 4095) & ~(size_t)4095;
	uint8_t *p;

	ekka_places_clear();
	if (st.scratch[0])
		return true;
	p = mmap(NULL, GROUP * scratch, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (p == MAP_FAILED)
		return false;
	for (size_t i = 0; i < GROUP; i++)
		st.scratch[i] = p + i * scratch;
	/* Without a context chunks are stored as they are. */
	for (unsigned i = 0; i < EKKA_POOL_MAX && ekka_conf.compress > 0; i++)
		st.cctx[i] = ZSTD_createCCtx();
	return true;
}

void ekka_blob_store_forget(void)
{
	/* Contexts may be in the middle of a compression by a thread that is not here, and so may the window: leave both be. */
	memset(&st, 0, sizeof(st));
	memset(window.made, 0, sizeof(window.made));
}
