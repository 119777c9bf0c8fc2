/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The expressions of op "reduce": `map` makes a term of in0, in1... before it is reduced, `finish` the result of `r` (and `n`, the number of terms). Numeric
 * attributes have their names. Errors go through by replay/expr.h. One struct belongs to one thread.
 */
#ifndef EKKA_REPLAY_FOLD_EXPR_H
#define EKKA_REPLAY_FOLD_EXPR_H

#include "replay/expr.h"
#include "replay/rows.h"

enum { EKKA_FOLD_INPUTS = 4 };

struct ekka_fold_expr {
	struct ekka_expr *expr;		/* NULL: there is no such attribute */
	struct ekka_expr_state *state;
	struct ekka_array in[EKKA_FOLD_INPUTS];	/* broadcast to in0; bytes borrowed from the rows */
	unsigned n_in;
	struct ekka_expr_block { double re[EKKA_EXPR_BLOCK]; int64_t ints[EKKA_EXPR_BLOCK]; } *block;	/* one for every input */
};

/*
 * Parses attribute `name` ("map" or "finish"); inputs are those of the rows. Settles the verdict where it makes no sense. `stored`: the type that finish's
 * result is stored in. Negative: no memory, or damaged blobs.
 */
int ekka_fold_expr_init(struct ekka_fold_expr *, struct ekka_rows *, const char *name, enum ekka_dtype compute, int64_t n_terms,
			enum ekka_dtype stored, struct ekka_error *err);
void ekka_fold_expr_release(struct ekka_fold_expr *);	/* zeroed or initialised */

/* map: terms first..first+n-1 of in0's elements with their errors. */
void ekka_fold_expr_map(struct ekka_fold_expr *, int64_t first, int64_t n, double *ret, double *ret_error);

/* finish: n results, in place. */
void ekka_fold_expr_finish(struct ekka_fold_expr *, int64_t n, double *value, double *error);

#endif
