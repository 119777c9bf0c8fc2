/* SPDX-License-Identifier: Apache-2.0 */
/* Chunks that lie, and indexes that do. */
#include "trace/chunk.h"
#include "trace/frame.h"
#include "trace/hash.h"
#include "trace/mp.h"
#include "trace/reader.h"
#include "trace/reader_internal.h"

#include "tests/unit/trace/trace_builder.h"

#include <criterion/criterion.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

static char dir[] = "/tmp/ekka-blobs-XXXXXX";
static const struct ekka_rec_open open_rec = { .version = EKKA_FORMAT_VERSION, .pid = 100, .level = "full" };
static struct trace_builder b;
static uint8_t bytes[SAMPLE_BLOB_BYTES], got[SAMPLE_BLOB_BYTES];
static struct ekka_error err;

static void make_dir(void)
{
	cr_assert_not_null(mkdtemp(dir));
	trace_builder_sample_bytes(bytes);
}

static void remove_all(void)
{
	char cmd[64];

	(void)snprintf(cmd, sizeof cmd, "rm -r %s", dir);
	cr_assert_eq(system(cmd), 0);
}

TestSuite(blobs, .init = make_dir, .fini = remove_all, .timeout = 60);

static struct ekka_trace *open_trace(void)
{
	struct ekka_trace *t;

	cr_assert_eq(ekka_trace_open(dir, &t, &err), 0, "%s", err.message);
	return t;
}

/* A chunk of `bytes` as it should be, stored raw. */
static struct ekka_rec_chunk good_chunk(uint64_t offset, uint32_t n)
{
	return (struct ekka_rec_chunk){ .id = ekka_blob_id_of(bytes, sizeof bytes), .size = sizeof bytes, .offset = offset, .raw_bytes = n,
					.codec = EKKA_CODEC_RAW, .data_bytes = n, .data_check = ekka_check64(bytes + offset, n) };
}

static void put_chunk(const struct ekka_rec_chunk *c, const void *data)
{
	cr_assert_gt(ekka_encode_chunk_head(&b.buf, c), 0);
	cr_assert_eq(fwrite(b.buf.data, b.buf.len, 1, b.blobs), 1);
	cr_assert_eq(fwrite(data, 1, c->data_bytes, b.blobs), c->data_bytes);
	b.buf.len = 0;
}

static void begin(void)
{
	trace_builder_begin(&b, dir, &open_rec, 0);
}

static struct ekka_trace *finish_and_open(void)
{
	trace_builder_finish(&b, dir, &open_rec, 0, false);
	return open_trace();
}

static int read_all(struct ekka_trace *t)
{
	struct ekka_blob_id id = ekka_blob_id_of(bytes, sizeof bytes);
	int rc;

	memset(got, 0, sizeof got);
	rc = ekka_trace_blob_read(t, &id, 0, got, sizeof got, &err);
	if (rc == 0)
		cr_assert_eq(memcmp(got, bytes, sizeof got), 0);
	return rc;
}

/* How two chunks [0, first) and [second, end) of the sample's bytes make a blob, or do not. */
static int two_chunks(uint32_t first, uint64_t second)
{
	struct ekka_rec_chunk c = good_chunk(second, (uint32_t)(sizeof bytes - second));
	struct ekka_trace *t;
	int rc;

	begin();
	put_chunk(&c, bytes + second);	/* in any order */
	c = good_chunk(0, first);
	put_chunk(&c, bytes);
	put_chunk(&c, bytes);		/* and repeated */
	t = finish_and_open();
	rc = read_all(t);
	ekka_trace_close(t);
	return rc;
}

Test(blobs, chunks_must_tile_their_blob)
{
	cr_assert_eq(two_chunks(4000, 4000), 0, "%s", err.message);
	cr_assert_eq(two_chunks(4000, 4001), EKKA_ERR_MISSING);
	cr_assert_eq(two_chunks(4001, 4000), EKKA_ERR_MISSING);
	cr_assert_eq(two_chunks(1, 1), 0);
	cr_assert(strstr(err.message, "is not whole"));
}

Test(blobs, a_whole_copy_in_another_file_is_used)
{
	struct ekka_rec_open other = open_rec;
	struct ekka_rec_chunk c = good_chunk(0, 10);
	struct ekka_trace *t;

	begin();
	put_chunk(&c, bytes);
	trace_builder_finish(&b, dir, &open_rec, 0, false);
	other.pid = 200;
	trace_builder_begin(&b, dir, &other, 0);
	(void)trace_builder_blob(&b, bytes, sizeof bytes);
	trace_builder_finish(&b, dir, &other, 0, true);
	t = open_trace();
	cr_assert_eq(read_all(t), 0, "%s", err.message);
	ekka_trace_close(t);
}

enum lie { NONE, RAW_TOO_LARGE, RAW_ZERO, OFFSET_BEYOND, OFFSET_WRAPS, CODEC, N, SUM, ID, BOMB, SHORTER, TWO_FRAMES, NO_SIZE, NOT_ZSTD };

/* One chunk that holds the whole blob and lies in one way. */
static int lying_chunk(enum lie lie)
{
	static uint8_t z[1 << 16];
	struct ekka_rec_chunk c = good_chunk(0, sizeof bytes);
	const void *data = bytes;
	struct ekka_trace *t;
	int rc;

	if (lie >= BOMB) {
		static uint8_t zeros[1 << 20];
		size_t n = lie == BOMB ? sizeof zeros : lie == SHORTER || lie == TWO_FRAMES ? sizeof bytes / 2 : sizeof bytes;
		const uint8_t *src = lie == BOMB ? zeros : bytes;
		ZSTD_CCtx *cctx = ZSTD_createCCtx();

		(void)ZSTD_CCtx_setParameter(cctx, ZSTD_c_contentSizeFlag, lie != NO_SIZE);
		c.codec = EKKA_CODEC_ZSTD;
		c.data_bytes = (uint32_t)ZSTD_compress2(cctx, z, sizeof z, src, n);
		if (lie == TWO_FRAMES)
			c.data_bytes += (uint32_t)ZSTD_compress2(cctx, z + c.data_bytes, sizeof z - c.data_bytes, src + n, n);
		ZSTD_freeCCtx(cctx);
		if (lie == NOT_ZSTD)
			z[0] ^= 1;
		c.data_check = ekka_check64(z, c.data_bytes);
		data = z;
	}
	switch (lie) {
	case RAW_TOO_LARGE: c.raw_bytes = EKKA_CHUNK_BYTES + 1; c.size = c.raw_bytes; break;
	case RAW_ZERO: c.raw_bytes = 0; break;
	case OFFSET_BEYOND: c.offset = 1; break;
	case OFFSET_WRAPS: c.offset = UINT64_MAX - 9999; break;
	case CODEC: c.codec = 2; break;
	case N: c.raw_bytes--; c.size--; break;
	case SUM: c.data_check ^= 1; break;
	case ID: c.id.b[3] ^= 1; break;
	default: break;
	}
	begin();
	put_chunk(&c, data);
	t = finish_and_open();
	rc = ekka_trace_blob_verify(t, &c.id, &err);
	ekka_trace_close(t);
	return rc;
}

Test(blobs, chunks_that_lie_are_refused)
{
	cr_assert_eq(lying_chunk(NONE), 0, "%s", err.message);
	cr_assert_eq(lying_chunk(RAW_TOO_LARGE), EKKA_ERR_MISSING);
	cr_assert_eq(lying_chunk(RAW_ZERO), EKKA_ERR_MISSING);
	cr_assert_eq(lying_chunk(OFFSET_BEYOND), EKKA_ERR_MISSING);
	cr_assert_eq(lying_chunk(OFFSET_WRAPS), EKKA_ERR_MISSING);
	for (enum lie lie = CODEC; lie <= NOT_ZSTD; lie++) {
		err.message[0] = '\0';
		cr_assert_eq(lying_chunk(lie), EKKA_ERR_FORMAT, "lie %d", lie);
		cr_assert(strncmp(err.message, "blobs-100-0.ekka: offset ", 25) == 0, "lie %d: %s", lie, err.message);
	}
}

Test(blobs, sizes_that_disagree_leave_the_first_in_force)
{
	struct ekka_rec_chunk c = good_chunk(0, sizeof bytes);
	struct ekka_trace *t;

	begin();
	put_chunk(&c, bytes);
	c.size = UINT64_MAX;
	put_chunk(&c, bytes);
	t = finish_and_open();
	cr_assert_eq(ekka_trace_n_problems(t), 1);
	cr_assert_eq(read_all(t), 0, "%s", err.message);
	ekka_trace_close(t);
}

/* ---- index -------------------------------------------------------------- */

enum index_lie { TRUE_INDEX, SWAPPED_IDS, SHIFTED, SIZE_LIE, RAW_LIE, LAST_MISSING, LAST_TWICE, WRONG_LENGTH, WRONG_COUNT,
		 LINKS_AT, LINKS_LEN, LINKS_ARE_A_CHUNK, CHUNK_IS_LINKS, TARGET_RAW, ALL_ONE_ID };

enum { LINKS = 9 };	/* the entry of the sample's links */

static struct ekka_rec_ix_chunk entries[64];	/* of links: raw_bytes is 0, and only the place counts */

static unsigned read_entries(const char *path)
{
	static uint8_t file[1 << 16];
	FILE *f = fopen(path, "r");
	struct ekka_frame frame;
	const char *why;
	size_t n = fread(file, 1, sizeof file, f), at = 0, need;
	unsigned count = 0;

	(void)fclose(f);
	while (at < n && ekka_frame_parse(file + at, n - at, &frame, &need, &why) == 1) {
		struct ekka_mp_want w[] = { { .key = "id", .is_bin = true }, { .key = "size" }, { .key = "off" }, { .key = "raw" },
					    { .key = "at" }, { .key = "len" } };

		if (ekka_frame_is(&frame, "ix-chunk")) {
			struct ekka_rec_ix_chunk *e = &entries[count++];

			cr_assert(ekka_mp_peek(frame.body, frame.body_bytes, w, 6));
			memcpy(e->id.b, w[0].p, 16);
			e->size = w[1].u;
			e->offset = w[2].u;
			e->raw_bytes = (uint32_t)w[3].u;
			e->at = w[4].u;
			e->frame_bytes = (uint32_t)w[5].u;
		}
		if (ekka_frame_is(&frame, "ix-links")) {
			cr_assert(ekka_mp_peek(frame.body, frame.body_bytes, w + 4, 2));
			entries[count++] = (struct ekka_rec_ix_chunk){ .at = w[4].u, .frame_bytes = (uint32_t)w[5].u };
		}
		at += frame.head_bytes;
	}
	return count;
}

static void swap_ids(unsigned i, unsigned k)
{
	struct ekka_rec_ix_chunk e = entries[i];

	entries[i].id = entries[k].id;
	entries[i].size = entries[k].size;
	entries[i].offset = entries[k].offset;
	entries[i].raw_bytes = entries[k].raw_bytes;
	entries[k].id = e.id;
	entries[k].size = e.size;
	entries[k].offset = e.offset;
	entries[k].raw_bytes = e.raw_bytes;
}

static void put_entry(struct ekka_buf *buf, const struct ekka_rec_ix_chunk *e)
{
	if (e->raw_bytes == 0)
		cr_assert_gt(ekka_encode_ix_links(buf, &(struct ekka_rec_ix_links){ .at = e->at, .frame_bytes = e->frame_bytes }), 0);
	else
		cr_assert_gt(ekka_encode_ix_chunk(buf, e), 0);
}

/* The sample with its index replaced by one that lies. */
static void write_index(enum index_lie lie)
{
	static uint8_t mem[1 << 16];
	struct ekka_buf buf = { .data = mem, .cap = sizeof mem };
	char path[64], blobs[64];
	unsigned n;
	FILE *f;
	struct ekka_rec_ix_end end = { 0 };

	trace_builder_sample(dir);
	(void)snprintf(path, sizeof path, "%s/index-100-0.ekka", dir);
	(void)snprintf(blobs, sizeof blobs, "%s/blobs-100-0.ekka", dir);
	n = read_entries(path);
	cr_assert_eq(n, 11);	/* 8000 and 10000 bytes in chunks of 3000, a module of 5, 9000 bytes in one chunk, links to it and 500 bytes more */
	cr_assert(entries[LINKS].raw_bytes == 0 && entries[LINKS - 1].raw_bytes == 9000);
	f = fopen(blobs, "r");
	(void)fseek(f, 0, SEEK_END);
	end.blobs_bytes = (uint64_t)ftell(f) + (lie == WRONG_LENGTH);
	(void)fclose(f);
	end.n_chunks = n - 1 + (lie == WRONG_COUNT);
	if (lie == SWAPPED_IDS)
		swap_ids(0, 5);
	if (lie == SHIFTED) {
		entries[2].frame_bytes++;
		entries[3].at++;
		entries[3].frame_bytes--;
	}
	if (lie == SIZE_LIE)
		entries[4].size *= 2;
	if (lie == RAW_LIE)
		entries[1].raw_bytes -= 1;
	if (lie == TARGET_RAW)
		entries[LINKS - 1].raw_bytes = 8999;
	if (lie == LINKS_AT || lie == LINKS_LEN) {
		entries[LINKS].at += lie == LINKS_AT;
		entries[LINKS].frame_bytes -= lie == LINKS_AT ? 1 : 8;
		entries[LINKS - 1].frame_bytes += lie == LINKS_AT;
		entries[LINKS + 1].at -= lie == LINKS_AT ? 0 : 8;
		entries[LINKS + 1].frame_bytes += lie == LINKS_AT ? 0 : 8;
	}
	if (lie == LINKS_ARE_A_CHUNK) {
		entries[LINKS] = entries[LINKS + 1];
		entries[LINKS].at = entries[LINKS - 1].at + entries[LINKS - 1].frame_bytes;
		entries[LINKS].frame_bytes = (uint32_t)(entries[LINKS + 1].at - entries[LINKS].at);
		end.n_chunks++;
	}
	if (lie == CHUNK_IS_LINKS) {
		entries[0].raw_bytes = 0;
		end.n_chunks--;
	}
	for (unsigned i = 0; lie == ALL_ONE_ID && i < n; i++) {
		entries[i].id = entries[0].id;
		entries[i].size = 3000 * n;
		entries[i].offset = 3000 * i;
		entries[i].raw_bytes = 3000;
	}
	f = fopen(path, "w");
	(void)ekka_encode_open(&buf, &open_rec);
	for (unsigned i = 0; i < n - (lie == LAST_MISSING); i++)
		put_entry(&buf, &entries[i]);
	if (lie == LAST_TWICE)
		put_entry(&buf, &entries[n - 1]);
	cr_assert_gt(ekka_encode_ix_end(&buf, &end), 0);
	cr_assert_eq(fwrite(buf.data, buf.len, 1, f), 1);
	(void)fclose(f);
}

Test(blobs, a_lying_index_changes_nothing)
{
	for (enum index_lie lie = TRUE_INDEX; lie <= ALL_ONE_ID; lie++) {
		struct ekka_blob_id small = ekka_blob_id_of(bytes, 8000), linked = ekka_blob_id_of(bytes, 9500), large;
		struct ekka_trace *t;

		write_index(lie);
		t = open_trace();
		cr_assert_eq(ekka_trace_n_problems(t), 0, "lie %d: %s", lie, ekka_trace_problem(t, 0));
		cr_assert(ekka_trace_blob_present(t, &small, NULL), "lie %d", lie);
		large = ekka_blob_id_of(bytes, sizeof bytes);
		cr_assert(ekka_trace_blob_present(t, &large, NULL), "lie %d", lie);
		cr_assert_eq(read_all(t), 0, "lie %d: %s", lie, err.message);
		cr_assert_eq(ekka_trace_blob_read(t, &small, 100, got, 7900, &err), 0, "lie %d: %s", lie, err.message);
		cr_assert_eq(memcmp(got, bytes + 100, 7900), 0);
		cr_assert_eq(ekka_trace_blob_read(t, &linked, 4000, got, 5500, &err), 0, "lie %d: %s", lie, err.message);
		cr_assert_eq(memcmp(got, bytes + 4000, 5500), 0);
		/* The true one is believed: the files of blobs were not scanned. */
		if (lie == TRUE_INDEX)
			cr_assert(t->indexed && !t->has_scanned);
		cr_assert_eq(ekka_trace_blob_verify(t, &small, &err), 0, "lie %d: %s", lie, err.message);
		ekka_trace_close(t);
	}
}

/* ---- threads ------------------------------------------------------------ */

static void *reader_thread(void *arg)
{
	struct ekka_trace *t = arg;
	struct ekka_event ev = { 0 };
	struct ekka_error e = { 0 };
	uint8_t mine[SAMPLE_BLOB_BYTES];
	intptr_t bad = 0;

	for (unsigned i = 0; i < 300; i++) {
		size_t at = i * 31 % 9000;

		bad += ekka_trace_event_read(t, 1 + i % 4, &ev, &e) != 0 || ev.number != 1 + i % 4;
		if (ev.number != 2)
			continue;
		bad += ekka_trace_blob_read(t, &ev.data[2][EKKA_POST].rec.id, at, mine, 1000, &e) != 0 ||
		       memcmp(mine, bytes + at, 1000) != 0;
	}
	ekka_event_release(&ev);
	return (void *)bad;
}

Test(blobs, threads_read_one_trace_at_once)
{
	pthread_t threads[8];
	struct ekka_trace *t;

	write_index(SWAPPED_IDS);	/* so that they also meet where the blob files are scanned */
	t = open_trace();
	for (int i = 0; i < 8; i++)
		cr_assert_eq(pthread_create(&threads[i], NULL, reader_thread, t), 0);
	for (int i = 0; i < 8; i++) {
		void *bad;

		cr_assert_eq(pthread_join(threads[i], &bad), 0);
		cr_assert_null(bad);
	}
	ekka_trace_close(t);
}
