/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Judges elements of one output matrix (with its batch) one by one and keeps what the verdict needs: the worst,
 * counts per row, column and batch item, and a sample of bad ones. Memory is O(rows + cols + batch). Not shared between threads.
 */
#ifndef EKKA_COMPARE_TALLY_H
#define EKKA_COMPARE_TALLY_H

#include "compare/bound.h"
#include "trace/error.h"

enum { EKKA_TALLY_SAMPLES = 24 };

/* One element as it was found; complex values have both parts. */
struct ekka_element {
	int64_t b, i, j;
	double out[2], ref[2];
	double residue[2];		/* exact reference minus ref, where double is too narrow for it */
	double bound;			/* INFINITY where nothing can be said */
	double unusual;			/* see ekka_bound_unusual */
	bool may_overflow;		/* finite operands, and non-finite results are acceptable */
	bool trivial;			/* the error is what rounding the result alone explains */
};

struct ekka_tally {
	int64_t rows, cols, batch;
	const struct ekka_bound_model *model;	/* borrowed */
	bool is_complex;
	uint64_t n, n_bad, n_nonfinite, n_loose, n_unusual;
	double margin, max_error, max_bound, unusual_ratio;
	struct ekka_element worst;		/* of the bad ones, or of all while none is bad */
	bool has_worst;
	uint32_t *row_bad, *col_bad;		/* owned; over all batch items */
	uint64_t *batch_bad;			/* owned */
	int64_t lo[3], hi[3];			/* bounding box of bad elements: b, i, j */
	struct ekka_element sample[EKKA_TALLY_SAMPLES];
	unsigned n_samples;
	uint64_t random;
};

int ekka_tally_init(struct ekka_tally *, const struct ekka_bound_model *, int64_t batch, int64_t rows, int64_t cols,
		    struct ekka_error *err);
void ekka_tally_release(struct ekka_tally *);
void ekka_tally_clear(struct ekka_tally *);	/* as after init */

/* Adds what another tally of the same problem found among elements that come later. */
void ekka_tally_merge(struct ekka_tally *, const struct ekka_tally *later);

/* What a device found in all elements, none of them bad, of real numbers: part->index is row-major of [batch, rows, cols]. */
struct ekka_elements_part;
void ekka_tally_take(struct ekka_tally *, const struct ekka_elements_part *part);

/* `typical`: root mean square of the references around; what a wrong result would differ by. */
void ekka_tally_add(struct ekka_tally *, const struct ekka_element *, double typical);

/* Status, margin, worst element, counts, bound; where, looks_like and audit are left alone. batched: worst[] gets the batch index first. */
void ekka_tally_verdict(const struct ekka_tally *, bool batched, struct ekka_verdict *ret);

#endif
