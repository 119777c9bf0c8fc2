/* SPDX-License-Identifier: Apache-2.0 */
/* One attention event being judged: private to op_attention.c and op_attention_take.c. */
#ifndef EKKA_REPLAY_OP_ATTENTION_H
#define EKKA_REPLAY_OP_ATTENTION_H

#include "replay/attention.h"
#include "replay/rows.h"

struct ekka_attention_task {
	struct ekka_rows rows;
	struct ekka_attention x;
	struct ekka_array *out, *lse, *max, *sum;	/* after the call */
	int64_t *numbers;		/* owned: starts, lengths, pages */
	double *line;			/* [dv] */
	uint64_t n_empty;
	struct ekka_attention_row bad[EKKA_ATTENTION_ROWS];
	unsigned n_bad;
	uint64_t n_bad_seen;
	struct ekka_attention_row bad_lse[EKKA_ATTENTION_ROWS];	/* rows whose lse is wrong, the first of them */
	unsigned n_bad_lse;
	struct ekka_attention_row near[EKKA_ATTENTION_ROWS];	/* rows whose errors are the largest part of their bounds, near_part[] squared */
	double near_part[EKKA_ATTENTION_ROWS];
	unsigned n_near;
};

/*
 * Fills task->x and the outputs from the event's tensors and attributes; what does not fit, or has no reference, settles the verdict. 0, or
 * negative with err filled. task->rows is initialised; the caller releases everything, whatever is returned.
 */
int ekka_attention_take(struct ekka_attention_task *, struct ekka_error *err);

#endif
