/* SPDX-License-Identifier: Apache-2.0 */
/* A second look at a row that is within its bounds, column by column; replay/attention.h derives it under "Columns together". */
#include <math.h>
#include <stdlib.h>

#include "replay/attention.h"
#include "replay/attention_work.h"

/* One row: what its keys weigh, by how much that may be off, and what that may do along the row's errors y. */
struct aligned {
	const struct ekka_attention *x;
	int64_t b, h, i, hk, lo, n;	/* keys lo..lo+n-1 */
	double *q, *k, *v;		/* [d], [d], [dv]: a line each */
	double *s, *magnitude, *scratch;/* [n]; s becomes p */
	double *ref, *y, *size;		/* [dv]: out, its errors, sum p |v| */
	double max, l, eta;		/* eta: sum p expm1(eta_j) */
};

static double dot(const double *a, const double *b, int64_t n)
{
	double sum = 0;

	for (int64_t c = 0; c < n; c++)
		sum += a[c] * b[c];
	return sum;
}

/* Weights to s, p_j expm1(eta_j) to magnitude. False: nothing is promised of some. */
static bool weigh(struct aligned *w)
{
	const struct ekka_attention *x = w->x;
	double logit = x->error.product * fabs(x->scale) * sqrt(dot(w->q, w->q, x->d));

	w->max = -INFINITY;
	for (int64_t j = 0; j < w->n; j++) {
		ekka_attention_k_lines(x, w->b, w->hk, w->lo + j, 1, w->k);
		w->s[j] = dot(w->q, w->k, x->d);
		w->magnitude[j] = 0;
	}
	ekka_attention_logits(x, w->b, w->h, w->i, w->lo, w->n, w->s, w->magnitude, w->scratch);
	for (int64_t j = 0; j < w->n; j++)
		w->max = fmax(w->max, w->s[j]);
	for (int64_t j = 0; j < w->n; j++) {
		double size = fabs(w->s[j]), p = exp(w->s[j] - w->max), eta;

		ekka_attention_k_lines(x, w->b, w->hk, w->lo + j, 1, w->k);
		eta = p > 0 ? logit * sqrt(dot(w->k, w->k, x->d)) + 4 * x->error.u * (w->magnitude[j] + size + fabs(w->max)) + x->error.softcap * size : 0;
		if (!(eta <= 0.5))
			return false;
		w->s[j] = p;
		w->magnitude[j] = EKKA_ATTENTION_STEEP * eta * p;
		w->l += p;
		w->eta += w->magnitude[j];
	}
	return w->l > 0;
}

/* The row's out, and its errors. */
static void compare(struct aligned *w, const double *out)
{
	int64_t dv = w->x->dv;

	for (int64_t j = 0; j < w->n; j++) {
		ekka_attention_v_lines(w->x, w->b, w->hk, w->lo + j, 1, w->v);
		for (int64_t c = 0; c < dv; c++) {
			w->ref[c] += w->s[j] * w->v[c];
			w->size[c] += w->s[j] * fabs(w->v[c]);
		}
	}
	for (int64_t c = 0; c < dv; c++) {
		w->ref[c] /= w->l;
		w->y[c] = out[c] - w->ref[c];
	}
}

/* The most that y . (error of out) can be. */
static double limit(struct aligned *w, double u_out)
{
	const struct ekka_attention_error *e = &w->x->error;
	double key = e->p_round + e->exponential + e->rescale, lambda = w->eta / w->l + e->order + e->exponential + e->p_round, shared = 0, apart = 0, stored = 0;

	for (int64_t j = 0; j < w->n; j++) {
		ekka_attention_v_lines(w->x, w->b, w->hk, w->lo + j, 1, w->v);
		shared += (w->s[j] * key + w->magnitude[j] + e->p_tiny) * fabs(dot(w->v, w->y, w->x->dv));
	}
	for (int64_t c = 0; c < w->x->dv; c++) {
		apart += fabs(w->y[c]) * w->size[c] * (e->sum + e->rescale) * (1 + key) * (1 + w->eta / w->l);
		stored += fabs(w->y[c]) * (u_out * (fabs(w->ref[c]) + fabs(w->y[c])) + 4 * e->u * fabs(w->ref[c]) + 0x1p-126);
	}
	return lambda < 0.5 ? ((shared + apart) / w->l + lambda * fabs(dot(w->y, w->ref, w->x->dv))) / (1 - lambda) + stored : INFINITY;
}

int ekka_attention_aligned(const struct ekka_attention *x, struct ekka_attention_row row, const double *out, double u_out, double *ret, struct ekka_error *err)
{
	struct aligned w = { .x = x, .b = row.b, .h = row.h, .i = row.i, .hk = ekka_attention_head_k(x, row.h) };
	int64_t hi;
	double *memory;

	*ret = 0;
	ekka_attention_range(x, row.b, row.i, &w.lo, &hi);
	w.n = hi - w.lo;
	if (w.n <= 0)
		return 0;
	memory = calloc((size_t)(2 * x->d + 4 * x->dv + 3 * w.n), sizeof *memory);
	if (!memory)
		return ekka_error_set(err, EKKA_ERR_NOMEM, "no memory for a row of %lld keys", (long long)w.n);
	w.q = memory;
	w.k = w.q + x->d;
	w.v = w.k + x->d;
	w.ref = w.v + x->dv;
	w.y = w.ref + x->dv;
	w.size = w.y + x->dv;
	w.s = w.size + x->dv;
	w.magnitude = w.s + w.n;
	w.scratch = w.magnitude + w.n;
	ekka_attention_q_line(x, row.b, row.h, row.i, w.q);
	if (weigh(&w)) {
		compare(&w, out);
		*ret = dot(w.y, w.y, x->dv) / limit(&w, u_out);
	}
	free(memory);
	return 0;
}
