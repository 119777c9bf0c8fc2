/* SPDX-License-Identifier: Apache-2.0 */
/* What attention_run.c and a backend share: all rows of one batch item that go through the same K and V. */
#ifndef EKKA_REPLAY_ATTENTION_WORK_H
#define EKKA_REPLAY_ATTENTION_WORK_H

#include "replay/attention.h"

/* Keys at a time, a backend's also: the bound grows a little with every new maximum, and both are to find the same ones. */
enum { EKKA_ATTENTION_TILE = 256 };

#define EKKA_ATTENTION_STEEP 1.3	/* expm1(x) <= 1.3 x up to x = 0.5; attention.h's eta beyond that promises nothing */

/* Row r is row r % m of head hk * group + r / m. */
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
	/* One tile, TILE keys. */
	double *k, *k_norm, *v;		/* [TILE, d], [TILE], [TILE, dv] */
	float *v_abs;			/* [TILE, dv] */
	bool *odd;			/* [TILE]: v is not finite there */
	bool any_odd;
	double *s, *magnitude, *scratch;/* [BLOCK, TILE], [TILE], [TILE] */
	float *weight;			/* [BLOCK, TILE] */
	double *bound;			/* [dv] */
	double *memory;			/* all of it; owned */
};

/* Head of row r. */
static inline int64_t ekka_attention_head(const struct ekka_attention_work *w, int64_t r)
{
	return w->hk * w->group + r / w->m;
}

/* What a row's weights are made of that is the same for all its keys: factors of expm1(eta) and of p in W. */
struct ekka_attention_factors { double logit, base; };
struct ekka_attention_factors ekka_attention_factors(const struct ekka_attention_work *, int64_t r);

/* Keys [j0, j0+n) into k, k_norm, v, v_abs, odd and any_odd; into largest and v_sum what they add. */
void ekka_attention_load_tile(struct ekka_attention_work *, int64_t j0, int64_t n);

#endif
