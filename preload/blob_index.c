/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "preload/blob_index.h"

#include "preload/fd.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

enum { BATCH = 32 << 10 };

static uint8_t batch[BATCH];

static struct {
	struct ekka_fd fd;
	char path[4096];
	uint64_t offset;	/* bytes written */
	uint64_t n_chunks;
	struct ekka_buf buf;
} ix = { .fd.fd = -1 };

void ekka_blob_index_open(const char *path, const struct ekka_rec_open *open)
{
	ix.offset = ix.n_chunks = 0;
	ix.buf = (struct ekka_buf){ .data = batch, .cap = sizeof(batch) };
	snprintf(ix.path, sizeof(ix.path), "%s", path);
	if (ekka_fd_create(&ix.fd, path) != 0)
		return;
	if (ekka_encode_open(&ix.buf, open) == 0)
		ekka_blob_index_drop();
}

void ekka_blob_index_drop(void)
{
	if (ix.fd.fd < 0)
		return;
	ekka_fd_close(&ix.fd);
	unlink(ix.path);
	ix.offset = ix.buf.len = 0;
}

static void flush(void)
{
	size_t done = 0;

	if (!ekka_fd_check(&ix.fd, ix.path)) {
		ekka_blob_index_drop();
		return;
	}
	while (done < ix.buf.len) {
		ssize_t n = pwrite(ix.fd.fd, ix.buf.data + done, ix.buf.len - done, (off_t)(ix.offset + done));
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			ekka_blob_index_drop();
			return;
		}
		done += (size_t)n;
	}
	ix.offset += done;
	ix.buf.len = 0;
}

void ekka_blob_index_add(const struct ekka_rec_chunk *c, uint64_t at, uint32_t frame_bytes)
{
	struct ekka_rec_ix_chunk rec = { .id = c->id, .size = c->size, .offset = c->offset, .raw_bytes = c->raw_bytes,
					 .at = at, .frame_bytes = frame_bytes };

	if (ix.fd.fd < 0)
		return;
	if (ekka_encode_ix_chunk(&ix.buf, &rec) == 0) {
		flush();
		if (ix.fd.fd >= 0)
			ekka_encode_ix_chunk(&ix.buf, &rec);
	}
	ix.n_chunks++;
}

void ekka_blob_index_add_links(uint64_t at, uint32_t frame_bytes)
{
	const struct ekka_rec_ix_links rec = { .at = at, .frame_bytes = frame_bytes };

	if (ix.fd.fd < 0)
		return;
	if (ekka_encode_ix_links(&ix.buf, &rec) == 0) {
		flush();
		if (ix.fd.fd >= 0)
			ekka_encode_ix_links(&ix.buf, &rec);
	}
}

uint64_t ekka_blob_index_bytes(void)
{
	return ix.offset + ix.buf.len;
}

void ekka_blob_index_close(uint64_t blobs_bytes)
{
	struct ekka_rec_ix_end end = { .blobs_bytes = blobs_bytes, .n_chunks = ix.n_chunks };

	if (ix.n_chunks == 0)
		ekka_blob_index_drop();
	if (ix.fd.fd < 0)
		return;
	if (ekka_encode_ix_end(&ix.buf, &end) == 0) {
		flush();
		ekka_encode_ix_end(&ix.buf, &end);
	}
	if (ix.fd.fd >= 0)
		flush();
	ekka_fd_close(&ix.fd);
}

void ekka_blob_index_forget(void)
{
	ekka_fd_close(&ix.fd);
	ix.offset = ix.buf.len = 0;
}
