/* SPDX-License-Identifier: Apache-2.0 */
/* Finds the chunks of all blob files: by an index that fits, or by reading every chunk's head. */
#include "trace/decode.h"
#include "trace/frame.h"
#include "trace/mp.h"
#include "trace/reader_internal.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Chunks of 1 MiB are passed over, not read; files of small chunks are read whole in few calls. */
enum { BLOB_STEP = 16 << 10, INDEX_STEP = 256 << 10 };

/* More bytes than the frame of any chunk has. */
#define MAX_FRAME (2 * EKKA_CHUNK_BYTES + EKKA_MAX_BODY_BYTES)

enum { W_ID, W_SIZE, W_OFF, W_RAW, W_AT, W_LEN, W_COUNT };

/* What chunk heads and index entries have in common. n_wants: W_AT for a head, W_COUNT for an entry. */
static const char *decode_place(const struct ekka_frame *f, struct ekka_rec_ix_chunk *ret, unsigned n_wants)
{
	struct ekka_mp_want w[W_COUNT] = {
		[W_ID] = { .key = "id", .is_bin = true }, [W_SIZE] = { .key = "size" }, [W_OFF] = { .key = "off" },
		[W_RAW] = { .key = "raw" }, [W_AT] = { .key = "at" }, [W_LEN] = { .key = "len" },
	};

	if (!ekka_mp_peek(f->body, f->body_bytes, w, n_wants))
		return "lacks a key";
	if (w[W_ID].u != sizeof ret->id.b || w[W_RAW].u > UINT32_MAX || w[W_LEN].u > UINT32_MAX)
		return "a value is out of range";
	memcpy(ret->id.b, w[W_ID].p, sizeof ret->id.b);
	ret->size = w[W_SIZE].u;
	ret->offset = w[W_OFF].u;
	ret->raw_bytes = (uint32_t)w[W_RAW].u;
	ret->at = w[W_AT].u;
	ret->frame_bytes = (uint32_t)w[W_LEN].u;
	return NULL;
}

/* First frame of a blob or index file; *ret_end is where the next one starts. */
static int check_open(struct ekka_scan *s, uint64_t *ret_end, struct ekka_error *err)
{
	struct ekka_rec_open open;
	struct ekka_frame f;
	msgpack_zone zone;
	const struct ekka_decode_zones zones = { &zone, &zone };
	const char *why;
	uint64_t at;
	int rc = ekka_scan_next(s, &f, &at, err);

	if (rc < 0)
		return rc;
	if (rc == 0 || !ekka_frame_is(&f, "open"))
		return ekka_error_set(err, EKKA_ERR_FORMAT, "%s: offset 0: does not start with an 'open' record", s->file->name);
	if (!msgpack_zone_init(&zone, MSGPACK_ZONE_CHUNK_SIZE))
		return ekka_error_set(err, EKKA_ERR_NOMEM, "%s: out of memory", s->file->name);
	why = ekka_decode_open(&zones, f.body, f.body_bytes, &open);
	msgpack_zone_destroy(&zone);
	if (why)
		return ekka_error_set(err, EKKA_ERR_FORMAT, "%s: offset 0: 'open' record: %s", s->file->name, why);
	if (open.version == 0 || open.version > EKKA_FORMAT_VERSION)
		return ekka_error_set(err, EKKA_ERR_VERSION, "%s: format version %u, this program reads up to %u", s->file->name,
				      open.version, EKKA_FORMAT_VERSION);
	*ret_end = f.head_bytes;
	return 0;
}

/* Adds what a links frame says; links before one that is refused stay. */
static int add_links(struct blob_table *table, uint32_t file, const struct ekka_frame *f, const char **ret_why)
{
	struct ekka_mp_want w[] = { { .key = "id", .is_bin = true }, { .key = "size" }, { .key = "l", .is_array = true } };
	const uint8_t *at, *end = f->body + f->body_bytes;
	struct ekka_blob_id id;
	uint64_t v[4];

	if (!ekka_mp_peek(f->body, f->body_bytes, w, 3)) {
		*ret_why = "lacks a key";
		return EKKA_ERR_FORMAT;
	}
	if (w[0].u != sizeof id.b) {
		*ret_why = "a value is out of range";
		return EKKA_ERR_FORMAT;
	}
	memcpy(id.b, w[0].p, sizeof id.b);
	at = w[2].p;
	for (uint64_t i = 0; i < w[2].u; i++) {
		struct ekka_link l;
		int rc;

		if (!ekka_mp_take_uints(&at, end, v, 4) || v[1] > UINT32_MAX || v[3] > UINT32_MAX) {
			*ret_why = "a value is out of range";
			return EKKA_ERR_FORMAT;
		}
		l = (struct ekka_link){ .offset = v[0], .raw_bytes = (uint32_t)v[1], .at = v[2], .from = (uint32_t)v[3] };
		rc = ekka_blob_table_link(table, &id, w[1].u, &l, file, ret_why);
		if (rc < 0)
			return rc;
	}
	return 0;
}

/* Adds what a frame of a blobs file says; *ret_why when it is refused. */
static int add_frame(struct blob_table *table, uint32_t file, const struct ekka_frame *f, uint64_t at, const char **ret_why)
{
	struct ekka_rec_ix_chunk c;

	if (ekka_frame_is(f, "links"))
		return add_links(table, file, f, ret_why);
	if (!ekka_frame_is(f, "chunk") || !f->has_data)
		return 0;
	*ret_why = decode_place(f, &c, W_AT);
	if (!*ret_why && f->head_bytes + f->data_bytes > MAX_FRAME)
		*ret_why = "more bytes than any chunk needs";
	if (*ret_why)
		return EKKA_ERR_FORMAT;
	c.at = at;
	c.frame_bytes = (uint32_t)f->head_bytes + f->data_bytes;
	return ekka_blob_table_add(table, &c, file, ret_why);
}

static int scan_chunks(struct ekka_trace *t, struct blob_table *table, uint32_t file, bool quiet, struct ekka_scan *s,
		       struct ekka_error *damage)
{
	struct ekka_frame f;
	uint64_t at;
	int rc;

	while ((rc = ekka_scan_next(s, &f, &at, damage)) > 0) {
		const char *why = NULL;

		if (add_frame(table, file, &f, at, &why) == EKKA_ERR_NOMEM)
			return ekka_error_set(damage, EKKA_ERR_NOMEM, "%s: out of memory", s->file->name);
		if (why && !quiet)
			ekka_trace_add_problem(t, "%s: offset %" PRIu64 ": '%.*s' record: %s", s->file->name, at, (int)f.kind_bytes,
					       (const char *)f.kind, why);
	}
	return rc;
}

static int scan_file(struct ekka_trace *t, struct blob_table *table, uint32_t file, bool quiet, struct ekka_error *err)
{
	struct ekka_error damage = { 0 };
	struct ekka_scan s;
	uint64_t end;
	int rc = ekka_scan_init(&s, &t->blob_files[file], BLOB_STEP, &damage);

	if (rc == 0) {
		rc = check_open(&s, &end, &damage);
		if (rc == 0)
			rc = scan_chunks(t, table, file, quiet, &s, &damage);
		ekka_scan_release(&s);
	}
	if (rc == EKKA_ERR_NOMEM)
		return ekka_error_set(err, rc, "%s", damage.message);
	if (rc < 0 && !quiet)
		ekka_trace_add_problem(t, "%s", damage.message);
	return 0;
}

/* Adds the links of a frame that the index only names. */
static bool add_links_at(struct blob_table *table, uint32_t file, const struct ekka_file *blobs, uint64_t at, uint32_t frame_bytes)
{
	uint8_t *bytes = malloc(frame_bytes);
	struct ekka_error ignored;
	const char *why = NULL;
	struct ekka_frame f;
	bool ok = false;
	size_t need;
	int fd;

	fd = bytes ? ekka_file_borrow(blobs, &ignored) : -1;
	if (fd >= 0) {
		ok = ekka_file_read(blobs, fd, at, bytes, frame_bytes, &ignored) == 0 &&
		     ekka_frame_parse(bytes, frame_bytes, &f, &need, &why) == 1 && f.head_bytes == frame_bytes && ekka_frame_check(&f) &&
		     ekka_frame_is(&f, "links") && add_links(table, file, &f, &why) == 0;
		ekka_file_return(blobs, fd);
	}
	free(bytes);
	return ok;
}

/*
 * Walks an index file that is open in s, adding its entries to table unless that is NULL. True when they name frames that
 * follow on each other from `at` without a gap up to the end of the blobs file.
 */
static bool read_index(struct blob_table *table, uint32_t file, const struct ekka_file *blobs, struct ekka_scan *s, uint64_t at)
{
	struct ekka_mp_want end[] = { { .key = "blobs" }, { .key = "chunks" } };
	struct ekka_error ignored;
	struct ekka_rec_ix_chunk c;
	struct ekka_frame f;
	const char *why = NULL;
	uint64_t n = 0, where;

	if (check_open(s, &where, &ignored) < 0)
		return false;
	while (ekka_scan_next(s, &f, &where, &ignored) > 0) {
		if (ekka_frame_is(&f, "ix-end"))
			return ekka_mp_peek(f.body, f.body_bytes, end, 2) && end[0].u == blobs->size && at == blobs->size &&
			       end[1].u == n;
		if (ekka_frame_is(&f, "ix-links")) {
			struct ekka_mp_want links[] = { { .key = "at" }, { .key = "len" } };

			if (!ekka_mp_peek(f.body, f.body_bytes, links, 2) || links[0].u != at || links[1].u == 0 || links[1].u > MAX_FRAME ||
			    links[1].u > blobs->size - at)
				return false;
			if (table && !add_links_at(table, file, blobs, at, (uint32_t)links[1].u))
				return false;
			at += links[1].u;
			continue;
		}
		if (!ekka_frame_is(&f, "ix-chunk"))
			continue;
		if (decode_place(&f, &c, W_COUNT) || c.at != at || c.frame_bytes == 0 || c.frame_bytes > MAX_FRAME ||
		    c.frame_bytes > blobs->size - at)
			return false;
		if (table && ekka_blob_table_add(table, &c, file, &why) < 0)
			return false;
		at += c.frame_bytes;
		n++;
	}
	return false;
}

static bool walk_index(struct blob_table *table, uint32_t file, const struct ekka_file *blobs, struct ekka_file *index,
		       uint64_t first_chunk)
{
	struct ekka_error ignored;
	struct ekka_scan s;
	bool ok;

	if (ekka_scan_init(&s, index, INDEX_STEP, &ignored) < 0)
		return false;
	ok = read_index(table, file, blobs, &s, first_chunk);
	ekka_scan_release(&s);
	return ok;
}

/*
 * Takes the chunks of a blobs file from its index. 1: done; 0: there is none or it does not fit, nothing was taken;
 * negative: it contradicts itself, and the table is spoilt.
 */
static int use_index(struct ekka_trace *t, struct blob_table *table, uint32_t file)
{
	struct ekka_file *blobs = &t->blob_files[file];
	struct ekka_error ignored;
	struct ekka_file index;
	struct ekka_scan s;
	uint64_t first_chunk;
	char name[NAME_MAX + 1];
	int rc;

	/* blobs-PID-N.ekka -> index-PID-N.ekka */
	if ((size_t)snprintf(name, sizeof name, "index%s", blobs->name + strlen("blobs")) >= sizeof name)
		return 0;
	if (ekka_scan_init(&s, blobs, BLOB_STEP, &ignored) < 0)
		return 0;
	rc = check_open(&s, &first_chunk, &ignored);
	ekka_scan_release(&s);
	if (rc < 0 || ekka_file_open(&index, t->dir_fd, name, 1, &ignored) < 0)
		return 0;
	/* Once to see whether it fits, once to take it. */
	rc = 0;
	if (walk_index(NULL, file, blobs, &index, first_chunk))
		rc = walk_index(table, file, blobs, &index, first_chunk) ? 1 : EKKA_ERR_FORMAT;
	ekka_file_close(&index);
	return rc;
}

int ekka_blobs_scan(struct ekka_trace *t, struct blob_table *table, bool with_index, bool quiet, bool *ret_indexed,
		    struct ekka_error *err)
{
	ekka_blob_table_init(table);
	*ret_indexed = false;
	for (size_t i = 0; i < t->n_blob_files; i++) {
		int rc = with_index ? use_index(t, table, (uint32_t)i) : 0;

		if (rc < 0) {
			ekka_blob_table_release(table);
			return ekka_blobs_scan(t, table, false, quiet, ret_indexed, err);
		}
		if (rc > 0) {
			*ret_indexed = true;
			continue;
		}
		rc = scan_file(t, table, (uint32_t)i, quiet, err);
		if (rc < 0)
			return rc;
	}
	ekka_blob_table_finish(table);
	return 0;
}
