/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One tensor of an event, of any rank, for the ops that go element by element. Its bytes are whole in memory.
 */
#ifndef EKKA_REPLAY_ARRAY_H
#define EKKA_REPLAY_ARRAY_H

#include "replay/op.h"

struct ekka_array {
	enum ekka_dtype dtype;
	unsigned n_dims;
	int64_t dim[EKKA_MAX_DIMS];
	int64_t stride[EKKA_MAX_DIMS];	/* elements */
	int64_t offset;			/* elements, of element (0, 0, ...) in bytes */
	int64_t n;			/* elements in all */
	const unsigned char *bytes;	/* held, replay/blobs.h */
	uint64_t n_bytes;
	const struct ekka_tensor *tensor;	/* borrowed from the event */
	/* The same elements in the same order with as few dims as will do. */
	unsigned n_walk;
	int64_t walk_dim[EKKA_MAX_DIMS], walk_stride[EKKA_MAX_DIMS];
};

/*
 * Loads tensor `index` as it was in `phase`. 1: loaded; 0: its bytes are not to be had, or do not fit its description, and the verdict is settled (INCOMPLETE,
 * with the reason); negative: damage or no memory, err filled. The caller vouches for nothing: every element lies within the
 * bytes, and of an output (phase POST) no more elements are promised than the bytes hold. The items of a pointer array follow one
 * another in the bytes: stride[0] says so.
 */
int ekka_array_load(const struct ekka_op_context *, const struct ekka_event *, int index, enum ekka_phase phase, struct ekka_array *ret,
		    struct ekka_verdict *, struct ekka_error *err);
void ekka_array_release(struct ekka_array *);	/* zeroed or loaded */

/* Were the bytes of tensor `index` in `phase` recorded, and are they in the trace. */
bool ekka_array_recorded(const struct ekka_op_context *, const struct ekka_event *, int index, enum ekka_phase phase);

bool ekka_dtype_is_integer(enum ekka_dtype);	/* real integers, bool (u8) included */

/* An integer as it is when it is stored in this type; others than integers of less than 64 bits: itself. */
int64_t ekka_dtype_wrap(enum ekka_dtype, int64_t);

/*
 * Gives the array other dims, for broadcasting: dims of 1 are repeated, and dims that it lacks in front are added. False, and nothing
 * changed, when they do not fit.
 */
bool ekka_array_broadcast(struct ekka_array *, unsigned n_dims, const int64_t *dim);

/*
 * Elements first..first+n-1 in row-major order of the dims, as doubles (re) or as 64-bit integers. The first takes every real
 * dtype (64-bit integers beyond 2^53 are rounded; complex ones give the real part), the second integer ones (of others: truncated, NaN 0). Thread-safe.
 */
void ekka_array_get(const struct ekka_array *, int64_t first, size_t n, double *re);
void ekka_array_get_int(const struct ekka_array *, int64_t first, size_t n, int64_t *ret);

/* One element, by its index in every dim; false when it lies outside: indexing by captured indices. */
bool ekka_array_at(const struct ekka_array *, const int64_t *index, double *ret);
bool ekka_array_at_int(const struct ekka_array *, const int64_t *index, int64_t *ret);

#endif
