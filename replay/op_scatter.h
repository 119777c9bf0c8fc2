/* SPDX-License-Identifier: Apache-2.0 */
/* What judging a scatter and explaining a wrong one share; op_scatter.c has the mathematics. One thread. */
#ifndef EKKA_REPLAY_OP_SCATTER_H
#define EKKA_REPLAY_OP_SCATTER_H

#include "replay/expr_event.h"
#include "replay/rows.h"

enum ekka_reduction { EKKA_SCATTER_STORE, EKKA_SCATTER_ADD, EKKA_SCATTER_MAX, EKKA_SCATTER_MIN };

/* There are as many as elements of in0, so that it counts that they are small. */
struct ekka_write {
	int64_t target : 63;		/* element of the output, row-major; negative: nobody knows which */
	uint64_t maybe : 1;
	union { double re; int64_t i; };
	double error;
};

struct ekka_scatter {
	struct ekka_expr_event x;
	struct ekka_rows rows;
	enum ekka_reduction reduction;
	struct ekka_expr *value, *when, *at;
	struct ekka_expr_state *value_state, *when_state, *at_state;
	unsigned k;			/* result of `value` that goes to this output */
	bool stored[EKKA_EXPR_RESULTS];	/* results of `value` that know their type */
	struct ekka_array *out, *before;	/* before: NULL when not recorded */
	struct ekka_write *writes;	/* owned */
	size_t n_writes;
	bool fresh;			/* outputs begin as zeros, whatever they were */
	bool lost;			/* a write went to nobody knows where */
	char outside[EKKA_TEXT];	/* the first index out of its range */
	/* What hypotheses change. */
	const char *other_at;		/* instead of attribute `at`; NULL: that */
	bool everywhere;		/* `when` counts for nothing */
};

/* What an element may hold. */
struct ekka_expected { double ref, bound; };

/*
 * One element of a floating type from the writes w[0..n-1] to it, n > 0, and what was there (0 when that was not recorded); `got`: what is there now,
 * for where several values are right.
 */
struct ekka_expected ekka_scatter_expect(const struct ekka_scatter *, const struct ekka_write *w, size_t n, double before, double got);

/* The same of integers: `so_far`, beginning with what was there, and one write. */
int64_t ekka_scatter_reduce(enum ekka_reduction, int64_t so_far, int64_t written);

/* One output from its writes to its elements. 1; 0: the verdict is settled, negative with err filled. *open: whether or where is not certain. */
int ekka_scatter_one(struct ekka_scatter *, const char *output, bool *open, struct ekka_error *err);

/*
 * Says what a failed one looks like: its output is judged again as if the kernel had done something else. To be called last: what `j` says of lost writes
 * is of these attempts then. 0, or negative with err filled.
 */
int ekka_scatter_explain(struct ekka_scatter *, const char *output, struct ekka_error *err);

#endif
