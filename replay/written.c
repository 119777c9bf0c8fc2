/* SPDX-License-Identifier: Apache-2.0 */
#include "replay/written.h"

#include <stdlib.h>
#include <string.h>

enum { SECTOR = 32, PIECE = 1 << 18 };

static uint64_t tensor_bytes(const struct ekka_tensor *t)
{
	uint64_t n = ekka_dtype_bytes(t->dtype);

	for (unsigned d = 0; d < t->n_dims; d++)
		if (t->dim[d] < 0 || __builtin_mul_overflow(n, (uint64_t)t->dim[d], &n))
			return 0;
	return n;
}

static uint64_t changed_sectors(const unsigned char *a, const unsigned char *b, size_t n)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < n; i += SECTOR) {
		size_t len = n - i < SECTOR ? n - i : SECTOR;

		sum += memcmp(a + i, b + i, len) ? len : 0;
	}
	return sum;
}

/* Of a tensor with both blobs in the trace; `all` when they cannot be read. */
static uint64_t changed_bytes(struct ekka_trace *trace, const struct ekka_event_data *pre, const struct ekka_event_data *post, uint64_t all)
{
	uint64_t n, other, sum = 0;
	unsigned char *piece;

	if (!memcmp(&pre->rec.id, &post->rec.id, sizeof pre->rec.id))
		return 0;
	if (!ekka_trace_blob_present(trace, &pre->rec.id, &n) || !ekka_trace_blob_present(trace, &post->rec.id, &other) || n != other)
		return all;
	piece = malloc(2 * PIECE);
	if (!piece)
		return all;
	for (uint64_t at = 0; at < n; at += PIECE) {
		size_t len = n - at < PIECE ? (size_t)(n - at) : PIECE;

		if (ekka_trace_blob_read(trace, &pre->rec.id, at, piece, len, NULL) < 0 ||
		    ekka_trace_blob_read(trace, &post->rec.id, at, piece + PIECE, len, NULL) < 0) {
			sum = all;
			break;
		}
		sum += changed_sectors(piece, piece + PIECE, len);
	}
	free(piece);
	return sum;
}

uint64_t ekka_written_bytes(struct ekka_trace *trace, const struct ekka_event *e)
{
	bool described = ekka_event_op(e)[0];
	uint64_t sum = 0;

	for (unsigned i = 0; i < e->call.n_tensors; i++) {
		const struct ekka_tensor *t = &e->call.tensors[i];
		const struct ekka_event_data *pre = &e->data[i][EKKA_PRE], *post = &e->data[i][EKKA_POST];
		uint64_t all = tensor_bytes(t);

		if (!(t->dir & EKKA_OUT))
			continue;
		if (described || !pre->present || !post->present || pre->rec.missing || post->rec.missing)
			sum += all;
		else
			sum += changed_bytes(trace, pre, post, all);
	}
	return sum;
}
