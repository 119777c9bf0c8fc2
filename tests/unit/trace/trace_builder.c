/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/trace/trace_builder.h"

#include "trace/chunk.h"
#include "trace/hash.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { BUF_BYTES = 1 << 20 };

static void must(int ok, const char *what)
{
	if (!ok) {
		fprintf(stderr, "trace_builder: %s: %s\n", what, strerror(errno));
		abort();
	}
}

static FILE *create(const char *dir, const char *kind, int pid, int n, char path[4096])
{
	FILE *f;

	must(snprintf(path, 4096, "%s/%s-%d-%d.ekka", dir, kind, pid, n) < 4096, "path");
	f = fopen(path, "w");
	must(f != NULL, path);
	return f;
}

static void put(struct trace_builder *b, FILE *f)
{
	must(b->buf.len > 0 && !b->buf.overflow, "a record does not fit");
	must(fwrite(b->buf.data, b->buf.len, 1, f) == 1, "write");
	b->buf.len = 0;
}

void trace_builder_put(struct trace_builder *b)
{
	put(b, b->events);
}

void trace_builder_begin(struct trace_builder *b, const char *dir, const struct ekka_rec_open *open, int n)
{
	char path[4096];
	FILE **files[] = { &b->events, &b->blobs, &b->index };
	static const char *const kinds[] = { "events", "blobs", "index" };

	*b = (struct trace_builder){ .buf = { .data = malloc(BUF_BYTES), .cap = BUF_BYTES }, .level = 1 };
	must(b->buf.data != NULL, "malloc");
	must(mkdir(dir, 0700) == 0 || errno == EEXIST, dir);
	for (int i = 0; i < 3; i++) {
		*files[i] = create(dir, kinds[i], open->pid, n, path);
		must(ekka_encode_open(&b->buf, open) > 0, "open");
		put(b, *files[i]);
	}
}

/* The blob from its byte `at` on, in chunks. */
static void put_chunks(struct trace_builder *b, struct ekka_blob_id id, const void *p, size_t at, size_t n)
{
	size_t step = b->chunk_bytes ? b->chunk_bytes : EKKA_CHUNK_BYTES;
	void *scratch = malloc(ekka_chunk_scratch_bytes());
	ZSTD_CCtx *cctx = ZSTD_createCCtx();

	must(scratch && cctx, "malloc");
	for (; at < n; at += step) {
		struct ekka_rec_ix_chunk ix = { .id = id, .size = n, .offset = at, .at = (uint64_t)ftell(b->blobs) };
		struct ekka_rec_chunk rec;
		const void *data;

		ekka_chunk_make(cctx, b->level, &id, n, at, (const uint8_t *)p + at, (uint32_t)(n - at < step ? n - at : step), scratch,
				&rec, &data);
		must(ekka_encode_chunk_head(&b->buf, &rec) > 0, "chunk");
		put(b, b->blobs);
		must(fwrite(data, rec.data_bytes, 1, b->blobs) == 1, "write");
		ix.raw_bytes = rec.raw_bytes;
		ix.frame_bytes = (uint32_t)((uint64_t)ftell(b->blobs) - ix.at);
		must(ekka_encode_ix_chunk(&b->buf, &ix) > 0, "ix-chunk");
		put(b, b->index);
		b->n_chunks++;
	}
	ZSTD_freeCCtx(cctx);
	free(scratch);
}

struct ekka_blob_id trace_builder_blob(struct trace_builder *b, const void *p, size_t n)
{
	struct ekka_blob_id id = ekka_blob_id_of(p, n);

	put_chunks(b, id, p, 0, n);
	return id;
}

struct ekka_blob_id trace_builder_linked(struct trace_builder *b, const void *p, size_t n, uint64_t at, uint32_t link_bytes, uint32_t n_links)
{
	struct ekka_blob_id id = ekka_blob_id_of(p, n);
	struct ekka_rec_ix_links ix = { .at = (uint64_t)ftell(b->blobs) };
	struct ekka_link links[16];

	must(n_links <= 16, "links");
	for (uint32_t i = 0; i < n_links; i++)
		links[i] = (struct ekka_link){ .offset = (uint64_t)i * link_bytes, .raw_bytes = link_bytes, .at = at, .from = i * link_bytes };
	ix.frame_bytes = (uint32_t)ekka_encode_links(&b->buf, &(struct ekka_rec_links){ .id = id, .size = n, .links = links, .n_links = n_links });
	put(b, b->blobs);
	must(ekka_encode_ix_links(&b->buf, &ix) > 0, "ix-links");
	put(b, b->index);
	put_chunks(b, id, p, (size_t)link_bytes * n_links, n);
	return id;
}

void trace_builder_finish(struct trace_builder *b, const char *dir, const struct ekka_rec_open *open, int n, bool with_index)
{
	struct ekka_rec_ix_end end = { .blobs_bytes = (uint64_t)ftell(b->blobs), .n_chunks = b->n_chunks };
	char path[4096];

	must(ekka_encode_ix_end(&b->buf, &end) > 0, "ix-end");
	put(b, b->index);
	must(fclose(b->events) == 0 && fclose(b->blobs) == 0 && fclose(b->index) == 0, "close");
	if (!with_index) {
		must(snprintf(path, sizeof path, "%s/index-%d-%d.ekka", dir, open->pid, n) < (int)sizeof path, "path");
		must(remove(path) == 0, path);
	}
	free(b->buf.data);
}
