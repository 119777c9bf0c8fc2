/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads blobs: from the table to the chunk's frame, through its checks, through zstd. An index is only believed as far as
 * what it points to answers; when it does not, the table that comes from the blob files themselves is asked.
 */
#include "trace/frame.h"
#include "trace/hash.h"
#include "trace/mp.h"
#include "trace/reader_internal.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <zstd.h>

static void scratch_free(struct scratch *s)
{
	if (!s)
		return;
	ZSTD_freeDCtx(s->dctx);
	free(s->frame);
	for (int i = 0; i < SCRATCH_HELD; i++)
		free(s->held[i].raw);
	free(s);
}

void ekka_scratch_free_all(struct ekka_trace *t)
{
	while (t->scratches) {
		struct scratch *s = t->scratches;

		t->scratches = s->next;
		scratch_free(s);
	}
}

static struct scratch *scratch_take(struct ekka_trace *t)
{
	struct scratch *s;

	(void)pthread_mutex_lock(&t->lock);
	s = t->scratches;
	if (s)
		t->scratches = s->next;
	(void)pthread_mutex_unlock(&t->lock);
	if (s)
		return s;
	s = calloc(1, sizeof *s);
	if (!s)
		return NULL;
	s->dctx = ZSTD_createDCtx();
	for (int i = 0; i < SCRATCH_HELD; i++)
		s->held[i].raw = malloc(EKKA_CHUNK_BYTES);
	if (!s->dctx || !s->held[0].raw || !s->held[SCRATCH_HELD - 1].raw) {
		scratch_free(s);
		return NULL;
	}
	return s;
}

static void scratch_return(struct ekka_trace *t, struct scratch *s)
{
	(void)pthread_mutex_lock(&t->lock);
	s->next = t->scratches;
	t->scratches = s;
	(void)pthread_mutex_unlock(&t->lock);
}

struct chunk_reader {
	struct ekka_trace *trace;
	const struct blob_table *table;
	struct scratch *scratch;
	struct ekka_error *err;
};

static int failed(const struct chunk_reader *r, const struct blob_chunk *c, const char *what)
{
	return ekka_error_set(r->err, EKKA_ERR_FORMAT, "%s: offset %" PRIu64 ": %s", r->trace->blob_files[c->file].name, c->at, what);
}

static int read_frame(const struct chunk_reader *r, const struct blob_chunk *c, struct ekka_frame *ret)
{
	const struct ekka_file *file = &r->trace->blob_files[c->file];
	struct scratch *s = r->scratch;
	const char *why = NULL;
	size_t need;
	int rc, fd;

	if (c->at > file->size || c->frame_bytes > file->size - c->at)
		return failed(r, c, "no chunk: the file ends before");
	if (c->frame_bytes > s->frame_cap) {
		uint8_t *grown = realloc(s->frame, c->frame_bytes);

		if (!grown)
			return ekka_error_set(r->err, EKKA_ERR_NOMEM, "out of memory");
		s->frame = grown;
		s->frame_cap = c->frame_bytes;
	}
	fd = ekka_file_borrow(file, r->err);
	if (fd < 0)
		return fd;
	rc = ekka_file_read(file, fd, c->at, s->frame, c->frame_bytes, r->err);
	ekka_file_return(file, fd);
	if (rc < 0)
		return rc;
	rc = ekka_frame_parse(s->frame, c->frame_bytes, ret, &need, &why);
	if (rc < 0)
		return failed(r, c, why);
	if (rc == 0 || !ekka_frame_is(ret, "chunk") || !ret->has_data || ret->head_bytes + ret->data_bytes != c->frame_bytes)
		return failed(r, c, "no chunk of the length expected");
	if (!ekka_frame_check(ret))
		return failed(r, c, "check mismatch in 'chunk' record");
	return 0;
}

/* Is the chunk in the file the one that the table means? Its data is right behind the head, the check is verified here. */
static int check_head(const struct chunk_reader *r, const struct blob_chunk *c, const struct ekka_frame *f, enum ekka_codec *ret_codec)
{
	const struct blob_entry *b = &r->table->blobs[c->blob];
	struct ekka_mp_want w[] = {
		{ .key = "id", .is_bin = true }, { .key = "size" }, { .key = "off" }, { .key = "raw" },
		{ .key = "c" }, { .key = "n" }, { .key = "sum" },
	};

	if (!ekka_mp_peek(f->body, f->body_bytes, w, 7))
		return failed(r, c, "'chunk' record lacks a key");
	if (w[0].u != sizeof b->id.b || memcmp(w[0].p, b->id.b, sizeof b->id.b) != 0 || w[1].u != b->size || w[2].u != c->offset ||
	    w[3].u != c->raw_bytes)
		return failed(r, c, "another chunk than expected");
	if (w[5].u != f->data_bytes || w[4].u > EKKA_CODEC_ZSTD || (w[4].u == EKKA_CODEC_RAW && w[3].u != w[5].u))
		return failed(r, c, "'chunk' record contradicts itself");
#ifndef EKKA_FUZZING
	if (ekka_check64(r->scratch->frame + f->head_bytes, f->data_bytes) != w[6].u)
		return failed(r, c, "check mismatch in a chunk's data");
#endif
	*ret_codec = (enum ekka_codec)w[4].u;
	return 0;
}

/* The chunk's bytes, uncompressed, to dst, which has room for c->raw_bytes. */
static int load_chunk(const struct chunk_reader *r, const struct blob_chunk *c, uint8_t *dst)
{
	enum ekka_codec codec = EKKA_CODEC_RAW;
	struct ekka_frame f;
	const uint8_t *data;
	int rc = read_frame(r, c, &f);

	if (rc == 0)
		rc = check_head(r, c, &f, &codec);
	if (rc < 0)
		return rc;
	data = r->scratch->frame + f.head_bytes;
	if (codec == EKKA_CODEC_RAW) {
		memcpy(dst, data, c->raw_bytes);
		return 0;
	}
	/* dst takes no more than the head announced; a frame that states something else need not be started on. */
	if (ZSTD_getFrameContentSize(data, f.data_bytes) != c->raw_bytes)
		return failed(r, c, "the compressed bytes do not hold what the chunk announces");
	if (ZSTD_decompressDCtx(r->scratch->dctx, dst, c->raw_bytes, data, f.data_bytes) != c->raw_bytes)
		return failed(r, c, "the compressed bytes are damaged");
	return 0;
}

/*
 * The chunk's bytes, kept in the scratch: whoever reads row by row comes back for the rest of it. Of those that are kept the one that was not
 * used for longest gives way, so that a blob of links to two chunks in turns loads each once.
 */
static int hold_chunk(const struct chunk_reader *r, const struct blob_chunk *c, const uint8_t **ret)
{
	struct held_chunk *held = r->scratch->held, used;
	int i = 0, rc;

	while (i < SCRATCH_HELD - 1 && held[i].chunk != c)
		i++;
	used = held[i];
	if (used.chunk != c) {
		held[i].chunk = NULL;
		rc = load_chunk(r, c, used.raw);
		if (rc < 0)
			return rc;
		used.chunk = c;
	}
	memmove(held + 1, held, (size_t)i * sizeof *held);
	held[0] = used;
	*ret = used.raw;
	return 0;
}

/* Copies what of the part lies in [offset, offset + len) of the blob to where it belongs in buf. */
static int copy_part(const struct chunk_reader *r, const struct blob_part *p, uint64_t offset, uint8_t *buf, size_t len)
{
	uint64_t from = offset > p->offset ? offset : p->offset;
	uint64_t end = offset + len < p->offset + p->raw_bytes ? offset + len : p->offset + p->raw_bytes;
	const struct blob_chunk *c = &r->table->chunks[p->chunk];
	const uint8_t *raw;
	int rc;

	if (end - from == c->raw_bytes)
		return load_chunk(r, c, buf + (from - offset));
	rc = hold_chunk(r, c, &raw);
	if (rc == 0)
		memcpy(buf + (from - offset), raw + p->from + (from - p->offset), (size_t)(end - from));
	return rc;
}

/* First of the blob's parts that reaches beyond `offset`. */
static uint32_t find_part(const struct blob_table *t, const struct blob_entry *b, uint64_t offset)
{
	uint32_t low = b->first, high = b->first + b->n;

	while (low < high) {
		uint32_t mid = low + (high - low) / 2;

		if (t->parts[mid].offset + t->parts[mid].raw_bytes <= offset)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

static void format_id(const struct ekka_blob_id *id, char text[2 * sizeof id->b + 1])
{
	static const char hex[] = "0123456789abcdef";

	for (size_t i = 0; i < sizeof id->b; i++) {
		text[2 * i] = hex[id->b[i] >> 4];
		text[2 * i + 1] = hex[id->b[i] & 15];
	}
	text[2 * sizeof id->b] = '\0';
}

/* The blob of no bytes has no chunk: every trace has it. */
static bool is_empty_blob(const struct ekka_blob_id *id)
{
	struct ekka_blob_id empty = ekka_blob_id_of("", 0);

	return memcmp(id, &empty, sizeof empty) == 0;
}

static int read_from(struct ekka_trace *t, const struct blob_table *table, const struct ekka_blob_id *id, uint64_t offset, uint8_t *buf,
		     size_t len, struct ekka_error *err)
{
	const struct blob_entry *b = ekka_blob_table_find(table, id);
	struct chunk_reader r = { t, table, NULL, err };
	char text[2 * sizeof id->b + 1];
	int rc = 0;

	format_id(id, text);
	if (!b)
		return ekka_error_set(err, EKKA_ERR_MISSING, "blob %s is not in the trace", text);
	if (!b->whole)
		return ekka_error_set(err, EKKA_ERR_MISSING, "blob %s is not whole in the trace", text);
	if (offset > b->size || len > b->size - offset)
		return ekka_error_set(err, EKKA_ERR_INVALID, "blob %s has %" PRIu64 " bytes; %zu at %" PRIu64 " were asked for", text,
				      b->size, len, offset);
	if (len == 0)
		return 0;
	r.scratch = scratch_take(t);
	if (!r.scratch)
		return ekka_error_set(err, EKKA_ERR_NOMEM, "out of memory");
	for (uint32_t i = find_part(table, b, offset); rc == 0 && table->parts[i].offset < offset + len; i++) {
		rc = copy_part(&r, &table->parts[i], offset, buf, len);
		if (i + 1 == b->first + b->n)
			break;
	}
	scratch_return(t, r.scratch);
	return rc;
}

const struct blob_table *ekka_blobs_scanned(struct ekka_trace *t, struct ekka_error *err)
{
	const struct blob_table *ret = &t->scanned;
	bool indexed;

	if (!t->indexed)
		return &t->blobs;
	(void)pthread_mutex_lock(&t->lock);
	if (!t->has_scanned) {
		if (ekka_blobs_scan(t, &t->scanned, false, true, &indexed, err) == 0) {
			t->has_scanned = true;
		} else {
			ekka_blob_table_release(&t->scanned);
			ret = NULL;
		}
	}
	(void)pthread_mutex_unlock(&t->lock);
	return ret;
}

bool ekka_trace_blob_present(const struct ekka_trace *t, const struct ekka_blob_id *id, uint64_t *ret_bytes)
{
	const struct blob_entry *b = ekka_blob_table_find(&t->blobs, id);
	const struct blob_table *scanned;
	bool present = b && b->whole;

	if (!b && is_empty_blob(id))
		present = true;
	if (!present && t->indexed) {
		/* Opened traces are never const themselves; the lock is what makes this safe. */
		scanned = ekka_blobs_scanned((struct ekka_trace *)t, NULL);
		b = scanned ? ekka_blob_table_find(scanned, id) : NULL;
		present = b && b->whole;
	}
	if (present && ret_bytes)
		*ret_bytes = b ? b->size : 0;
	return present;
}

int ekka_trace_blob_read(struct ekka_trace *t, const struct ekka_blob_id *id, uint64_t offset, void *buf, size_t len, struct ekka_error *err)
{
	const struct blob_table *scanned;
	int rc;

	if (offset == 0 && len == 0 && is_empty_blob(id))
		return 0;
	rc = read_from(t, &t->blobs, id, offset, buf, len, err);
	if (!t->indexed || (rc != EKKA_ERR_FORMAT && rc != EKKA_ERR_MISSING && rc != EKKA_ERR_INVALID))
		return rc;
	scanned = ekka_blobs_scanned(t, err);
	return scanned ? read_from(t, scanned, id, offset, buf, len, err) : EKKA_ERR_NOMEM;
}

int ekka_trace_blobs_foreach(struct ekka_trace *t, int (*fn)(const struct ekka_blob_info *, void *arg), void *arg)
{
	for (size_t i = 0; i < t->blobs.n_blobs; i++) {
		const struct blob_entry *b = &t->blobs.blobs[i];
		struct ekka_blob_info info = { .id = b->id, .size = b->size, .stored_bytes = b->stored_bytes, .whole = b->whole };
		int rc;

		if (b->n > 0)
			info.file = t->blob_files[t->blobs.parts[b->first].file].name;
		rc = fn(&info, arg);
		if (rc != 0)
			return rc;
	}
	return 0;
}

static bool has_id(const struct ekka_blob_hash *h, const struct ekka_blob_id *id)
{
#ifdef EKKA_FUZZING
	(void)h;
	(void)id;
	return true;
#else
	struct ekka_blob_id got = ekka_blob_hash_final(h);

	return memcmp(&got, id, sizeof got) == 0;
#endif
}

int ekka_trace_blob_verify(struct ekka_trace *t, const struct ekka_blob_id *id, struct ekka_error *err)
{
	struct ekka_blob_hash h;
	char text[2 * sizeof id->b + 1];
	const struct blob_table *scanned = ekka_blobs_scanned(t, err);
	const struct blob_entry *b = scanned ? ekka_blob_table_find(scanned, id) : NULL;
	uint64_t size = b ? b->size : 0;
	uint8_t *buf;
	int rc = 0;

	if (!scanned)
		return EKKA_ERR_NOMEM;
	format_id(id, text);
	if (b ? !b->whole : !is_empty_blob(id))
		return ekka_error_set(err, EKKA_ERR_MISSING, "blob %s is not whole in the trace", text);
	buf = malloc(EKKA_CHUNK_BYTES);
	if (!buf)
		return ekka_error_set(err, EKKA_ERR_NOMEM, "out of memory");
	ekka_blob_hash_init(&h);
	for (uint64_t at = 0; rc == 0 && at < size;) {
		size_t n = size - at < EKKA_CHUNK_BYTES ? (size_t)(size - at) : EKKA_CHUNK_BYTES;

		rc = read_from(t, scanned, id, at, buf, n, err);
		ekka_blob_hash_update(&h, buf, n);
		at += n;
	}
	free(buf);
	if (rc < 0)
		return rc;
	if (!has_id(&h, id)) {
		const struct blob_chunk *c = b ? &scanned->chunks[scanned->parts[b->first].chunk] : NULL;

		return ekka_error_set(err, EKKA_ERR_FORMAT, "%s: offset %" PRIu64 ": blob %s does not have the bytes it is named after",
				      c ? t->blob_files[c->file].name : "?", c ? c->at : 0, text);
	}
	return 0;
}
