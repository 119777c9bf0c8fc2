/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One operand of an op, with its batch, whose bytes lie in memory or are read piece by piece.
 *
 * Element (b, r, c) is at byte b * item_bytes + (offset + b * bs + r * rs + c * cs) * bytes(dtype) of
 * `bytes`; items of a pointer-array batch lie one after another (item_bytes > 0, bs = 0), others have item_bytes 0.
 */
#ifndef EKKA_REPLAY_MATRIX_H
#define EKKA_REPLAY_MATRIX_H

#include "replay/panel.h"
#include "trace/error.h"
#include "trace/model.h"

struct ekka_matrix {
	enum ekka_dtype dtype;
	bool conj;
	int64_t batch, rows, cols;
	int64_t bs, rs, cs;		/* elements */
	int64_t offset;			/* elements */
	uint64_t item_bytes;
	uint64_t n_bytes;		/* in all; every element lies within, see ekka_matrix_check */
	const unsigned char *bytes;	/* borrowed; NULL: read() is used */
	bool held;			/* bytes are a blob's, replay/blobs.h */
	int (*read)(void *arg, uint64_t offset, void *buf, size_t len, struct ekka_error *err);
	void *arg;
	/* Factors of its elements, borrowed, NULL: none. That of (b, r, c) is scale[b * scale_bs + r / scale_rows * scale_rs + c / scale_cols * scale_cs]. */
	const double *scale;
	int64_t scale_rows, scale_cols, scale_bs, scale_rs, scale_cs;
	/* Owned; what read() delivered last. */
	unsigned char *window;
	uint64_t window_start;
	size_t window_len, window_cap;
};

/* Fills *m from a description with 2 or 3 dims; negative EKKA_ERR_INVALID when dims are not a matrix or do not fit into n_bytes. */
int ekka_matrix_init(struct ekka_matrix *m, const struct ekka_tensor *t, uint64_t n_bytes, struct ekka_error *err);
/* Do all elements lie within the bytes that *m has: for descriptions that were changed since. */
bool ekka_matrix_fits(const struct ekka_matrix *m);
void ekka_matrix_release(struct ekka_matrix *m);

/*
 * Converts rows [r0, r0+nr) x columns [c0, c0+nc) of item b into p's memory, p->re (and p->im for complex) with room for nr * nc
 * doubles; sets p's shape and its strides, whichever order reads memory fastest. Scaled, not conjugated.
 * Not to be called from two threads on one matrix.
 */
int ekka_matrix_load(struct ekka_matrix *m, int64_t b, int64_t r0, int64_t nr, int64_t c0, int64_t nc,
		     struct ekka_panel *p, struct ekka_error *err);

#endif
