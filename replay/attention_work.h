/* SPDX-License-Identifier: Apache-2.0 */
/*
 * All rows of one batch item that share a K head, while they are computed: what attention_run.c and a backend share. Row r is row r % m of
 * head hk * group + r / m.
 */
#ifndef EKKA_REPLAY_ATTENTION_WORK_H
#define EKKA_REPLAY_ATTENTION_WORK_H

#include "replay/attention.h"

enum { EKKA_ATTENTION_TILE = 256 };	/* keys at a time */

#define EKKA_ATTENTION_STEEP 1.3	/* expm1(x) <= 1.3 x up to x = 0.5 */

struct ekka_attention_work {
	const struct ekka_attention *x;
	int64_t rows, group, m;		/* rows = group * m */
	int64_t b, hk;
	double *q, *q_norm;		/* [rows, d], [rows] */
	/* Results: out before it is divided by sum, sum W |v|, running m, l and sum p expm1(eta). Zero, max -inf, before the first tile. */
	double *o;			/* [rows, dv] */
	float *w;			/* [rows, dv] */
	double *max, *sum, *eta;	/* [rows] */
	double *largest, *v_sum;	/* [dv]: of |v| */
	/* One tile. */
	double *k, *k_norm, *v;		/* [TILE, d], [TILE], [TILE, dv] */
	float *v_abs;			/* [TILE, dv] */
	bool *odd;			/* [TILE]: v is not finite there */
	bool any_odd;
	/* The CPU's own. */
	double *s, *magnitude, *scratch;/* [BLOCK, TILE], [TILE], [TILE] */
	float *weight;			/* [BLOCK, TILE] */
	double *bound;			/* [dv] */
	double *memory;			/* all of it; owned */
};

/* Fills the tile with keys [j0, j0+n) and adds them to largest and v_sum. */
void ekka_attention_load_tile(struct ekka_attention_work *w, int64_t j0, int64_t n);

#endif
