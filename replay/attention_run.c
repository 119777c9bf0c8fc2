/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The reference, tile by tile: all rows of the heads that share a K head go through one tile of keys after another, so that K and V are
 * converted once. Three products a tile: Q K and P V in float64, W |V| for the bound in float32.
 */
#include <cblas.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "compare/clones.h"
#include "replay/attention_bound.h"
#include "replay/attention_work.h"
#include "replay/backend.h"
#include "replay/exp.h"
#include "replay/team.h"

enum { TILE = EKKA_ATTENTION_TILE, BLOCK = 96 };	/* keys, rows: what lies in a core's second cache with D = 128 */

static const double STEEP = EKKA_ATTENTION_STEEP;

struct factors { double max, logit, u, softcap, base; };

/* A row's weights: s becomes p, magnitude p expm1(eta), w the float weights of the bound. */
EKKA_CLONES static void weigh(const struct factors *f, int64_t n, double *restrict s, double *restrict magnitude,
			      const double *restrict k_norm, float *restrict w)
{
	double max = f->max, logit = f->logit, u4 = 4 * f->u, cap = f->softcap, base = f->base, top = fabs(max);

	for (int64_t j = 0; j < n; j++) {
		double x = s[j], p = ekka_exp(x - max), size = x < 0 ? -x : x, eta;

		size = p > 0 ? size : 0;
		eta = logit * k_norm[j] + u4 * (magnitude[j] + size + top) + cap * size;
		eta = p > 0 ? p * STEEP * eta * (eta > 0.5 ? 1e30 : 1) : p;	/* beyond, nothing is promised; NaN stays */
		s[j] = p;
		magnitude[j] = eta;
		w[j] = (float)(eta + base * p);
	}
}

EKKA_CLONES static double total(const double *x, int64_t n)
{
	double part[8] = { 0 }, sum = 0;
	int64_t j = 0;

	for (; j + 8 <= n; j += 8)
		for (int c = 0; c < 8; c++)
			part[c] += x[j + c];
	for (; j < n; j++)
		sum += x[j];
	for (int c = 0; c < 8; c++)
		sum += part[c];
	return sum;
}

static double dot(const double *a, const double *b, int64_t n)
{
	double sum = 0;

	for (int64_t i = 0; i < n; i++)
		sum += a[i] * b[i];
	return sum;
}

void ekka_attention_load_tile(struct ekka_attention_work *w, int64_t j0, int64_t n)
{
	const struct ekka_attention *x = w->x;

	ekka_attention_k_lines(x, w->b, w->hk, j0, n, w->k);
	ekka_attention_v_lines(x, w->b, w->hk, j0, n, w->v);
	w->any_odd = false;
	for (int64_t j = 0; j < n; j++) {
		double *v = w->v + j * x->dv;

		w->k_norm[j] = sqrt(dot(w->k + j * x->d, w->k + j * x->d, x->d));
		w->odd[j] = false;
		for (int64_t c = 0; c < x->dv; c++) {
			w->odd[j] |= !isfinite(v[c]);
			w->v_abs[j * x->dv + c] = (float)fabs(v[c]);
			w->v_sum[c] += fabs(v[c]);
			if (w->largest[c] < fabs(v[c]))
				w->largest[c] = fabs(v[c]);
		}
		w->any_odd |= w->odd[j];
	}
}

/* What is not finite in V reaches only rows that see its key; what engines multiply it with elsewhere is their own matter: 0, or NaN. */
static void spread_odd(struct ekka_attention_work *w, int64_t r0, int64_t nr, int64_t n)
{
	int64_t dv = w->x->dv;

	for (int64_t j = 0; j < n; j++) {
		if (!w->odd[j])
			continue;
		for (int64_t c = 0; c < dv; c++) {
			if (isfinite(w->v[j * dv + c]))
				continue;
			for (int64_t r = 0; r < nr; r++) {
				w->w[(r0 + r) * dv + c] = INFINITY;
				if (w->s[r * TILE + j] > 0)
					w->o[(r0 + r) * dv + c] += w->v[j * dv + c] * w->s[r * TILE + j];
			}
			w->v[j * dv + c] = 0;
			w->v_abs[j * dv + c] = 0;
		}
	}
}

struct ekka_attention_factors ekka_attention_factors(const struct ekka_attention_work *w, int64_t r)
{
	const struct ekka_attention_error *e = &w->x->error;

	return (struct ekka_attention_factors){ .logit = e->product * fabs(w->x->scale) * w->q_norm[r],
						.base = e->p_round + e->rescale + e->exponential + e->sum };
}

/* One row of a block: weights from products, what was there before scaled down to the new maximum. */
static void soften(struct ekka_attention_work *w, int64_t r, int64_t j0, int64_t n, double *s, float *weight)
{
	const struct ekka_attention *x = w->x;
	const struct ekka_attention_error *e = &x->error;
	struct ekka_attention_factors own = ekka_attention_factors(w, r);
	struct factors f = { .logit = own.logit, .u = e->u, .softcap = e->softcap, .base = own.base };
	double max = w->max[r], alpha, more;

	memset(w->magnitude, 0, (size_t)n * sizeof *w->magnitude);
	ekka_attention_logits(x, w->b, ekka_attention_head(w, r), r % w->m, j0, n, s, w->magnitude, w->scratch);
	for (int64_t j = 0; j < n; j++)
		max = s[j] > max ? s[j] : max;
	f.max = max == -INFINITY ? 0 : max;
	weigh(&f, n, s, w->magnitude, w->k_norm, weight);
	alpha = w->max[r] == max || max == -INFINITY ? 1 : exp(w->max[r] - max);
	more = alpha > 0 && alpha < 1 ? STEEP * 4 * e->u * (max - w->max[r]) : 0;	/* what eta lacks that took the old maximum for the last */
	w->max[r] = max;
	w->eta[r] = (w->eta[r] + more * w->sum[r]) * alpha + total(w->magnitude, n);
	w->sum[r] = w->sum[r] * alpha + total(s, n);
	if (alpha != 1) {
		cblas_dscal((int)x->dv, alpha, w->o + r * x->dv, 1);
		cblas_sscal((int)x->dv, (float)(alpha * (1 + more / f.base)), w->w + r * x->dv, 1);
	}
}

/* Does any row of the block see a key of the tile. */
static bool touches(const struct ekka_attention_work *w, int64_t r0, int64_t nr, int64_t j0, int64_t n)
{
	for (int64_t r = r0; r < r0 + nr; r++) {
		int64_t lo, hi;

		ekka_attention_range(w->x, w->b, r % w->m, &lo, &hi);
		if (lo < j0 + n && hi > j0 && lo < hi)
			return true;
	}
	return false;
}

static void block(struct ekka_attention_work *w, int64_t r0, int64_t nr, int64_t j0, int64_t n)
{
	const struct ekka_attention *x = w->x;
	int d = (int)x->d, dv = (int)x->dv;

	if (!touches(w, r0, nr, j0, n))
		return;
	cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasTrans, (int)nr, (int)n, d, 1, w->q + r0 * x->d, d, w->k, d, 0, w->s, TILE);
	for (int64_t r = 0; r < nr; r++)
		soften(w, r0 + r, j0, n, w->s + r * TILE, w->weight + r * TILE);
	if (w->any_odd)
		spread_odd(w, r0, nr, n);
	cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, (int)nr, dv, (int)n, 1, w->s, TILE, w->v, dv, 1, w->o + r0 * x->dv, dv);
	cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, (int)nr, dv, (int)n, 1, w->weight, TILE, w->v_abs, dv, 1,
		    w->w + r0 * x->dv, dv);
}

/* Divides, and composes the bound. */
static void finish(struct ekka_attention_work *w, int64_t r, void (*row)(void *arg, const struct ekka_attention_result *), void *arg)
{
	const struct ekka_attention *x = w->x;
	const struct ekka_attention_error *e = &x->error;
	int64_t h = ekka_attention_head(w, r), i = r % w->m;
	struct ekka_attention_result result = { .row = { w->b, h, i }, .ref = w->o + r * x->dv, .bound = w->bound, .max = w->max[r],
						.sum = w->sum[r] };
	struct ekka_attention_terms terms = { e->u, e->order, e->exponential, e->p_round, e->p_tiny };
	struct ekka_attention_total total = ekka_attention_total(&terms, w->max[r], w->sum[r], w->eta[r]);
	double l = w->sum[r], *o = w->o + r * x->dv;

	if (l == 0) {
		result.kind = EKKA_ROW_EMPTY;
		row(arg, &result);
		return;
	}
	result.lse = (w->max[r] + log(l)) * x->lse_unit;
	result.lse_bound = ekka_attention_lse_bound(&terms, &total) * x->lse_unit;
	result.lse_shift = x->alibi ? x->alibi[h] * (double)(i / x->parts + x->k_len[w->b] - x->q_len[w->b]) * x->lse_unit : 0;
	result.sum_bound = l * total.lambda;
	if (w->max[r] < EKKA_ATTENTION_ABSORBED && !isnan(l)) {
		result.kind = EKKA_ROW_ABSORBED;
		result.bound = w->largest;
		row(arg, &result);
		return;
	}
	for (int64_t c = 0; c < x->dv; c++) {
		o[c] /= l;
		w->bound[c] = ekka_attention_out_bound(&terms, &total, (double)w->w[r * x->dv + c], w->v_sum[c], o[c]);
		if (isnan(o[c]))
			w->bound[c] = 0;
	}
	row(arg, &result);
}

static void start(struct ekka_attention_work *w)
{
	const struct ekka_attention *x = w->x;

	memset(w->o, 0, (size_t)(w->rows * x->dv) * sizeof *w->o);
	memset(w->w, 0, (size_t)(w->rows * x->dv) * sizeof *w->w);
	memset(w->largest, 0, (size_t)x->dv * sizeof *w->largest);
	memset(w->v_sum, 0, (size_t)x->dv * sizeof *w->v_sum);
	for (int64_t r = 0; r < w->rows; r++) {
		w->max[r] = -INFINITY;
		w->sum[r] = w->eta[r] = 0;
	}
}

static void go_through(struct ekka_attention_work *w)
{
	int64_t n = w->x->k_len[w->b];

	for (int64_t j0 = 0; j0 < n; j0 += TILE) {
		int64_t nk = n - j0 < TILE ? n - j0 : TILE;

		ekka_attention_load_tile(w, j0, nk);
		for (int64_t r0 = 0; r0 < w->rows; r0 += BLOCK)
			block(w, r0, w->rows - r0 < BLOCK ? w->rows - r0 : BLOCK, j0, nk);
	}
}

/* All groups of an event. */
struct groups {
	const struct ekka_attention *x;
	void (*row)(void *arg, const struct ekka_attention_result *);
	void *arg;
	struct ekka_backend *backend;
	struct ekka_attention_work *work;	/* [slots] */
};

static int compute_group(void *arg, int64_t part, unsigned slot, struct ekka_error *err)
{
	const struct groups *g = arg;
	const struct ekka_attention *x = g->x;
	struct ekka_attention_work *w = &g->work[slot];

	(void)err;
	w->b = part / x->heads_k;
	w->hk = part % x->heads_k;
	w->m = ekka_attention_rows(x, w->b);
	w->rows = w->group * w->m;
	for (int64_t r = 0; r < w->rows; r++) {
		ekka_attention_q_line(x, w->b, ekka_attention_head(w, r), r % w->m, w->q + r * x->d);
		w->q_norm[r] = sqrt(dot(w->q + r * x->d, w->q + r * x->d, x->d));
	}
	start(w);
	if (g->backend && g->backend->attention && g->backend->attention(g->backend, w))
		return 0;
	start(w);
	go_through(w);
	return 0;
}

static int take_group(void *arg, int64_t part, unsigned slot, struct ekka_error *err)
{
	const struct groups *g = arg;
	struct ekka_attention_work *w = &g->work[slot];

	(void)part;
	(void)err;
	for (int64_t r = 0; r < w->rows; r++)
		finish(w, r, g->row, g->arg);
	return 0;
}

static uint64_t work_bytes(const struct ekka_attention *x)
{
	int64_t rows = x->heads / x->heads_k * x->m, d = x->d, dv = x->dv;
	int64_t doubles = rows * (d + dv + 4) + TILE * (d + dv + 3) + BLOCK * TILE + 3 * dv, floats = rows * dv + TILE * dv + BLOCK * TILE;

	return (uint64_t)doubles * sizeof(double) + (uint64_t)floats * sizeof(float) + TILE;
}

/* One allocation for all. False: no memory. */
static bool work_init(struct ekka_attention_work *w, const struct ekka_attention *x)
{
	int64_t rows = x->heads / x->heads_k * x->m, d = x->d, dv = x->dv;
	double *p = calloc(work_bytes(x), 1);
	float *f;

	*w = (struct ekka_attention_work){ .x = x, .group = x->heads / x->heads_k, .memory = p };
	if (!p)
		return false;
#define PART(name, count) (w->name = p, p += (count))
	PART(q, rows * d);
	PART(q_norm, rows);
	PART(o, rows * dv);
	PART(max, rows);
	PART(sum, rows);
	PART(eta, rows);
	PART(k, TILE * d);
	PART(k_norm, TILE);
	PART(v, TILE * dv);
	PART(s, BLOCK * TILE);
	PART(magnitude, TILE);
	PART(scratch, TILE);
	PART(largest, dv);
	PART(v_sum, dv);
	PART(bound, dv);
#undef PART
	f = (float *)p;
	w->w = f;
	w->v_abs = w->w + rows * dv;
	w->weight = w->v_abs + TILE * dv;
	w->odd = (bool *)(w->weight + BLOCK * TILE);
	return true;
}

int ekka_attention_run(const struct ekka_attention *x, const struct ekka_attention_means *means,
		       void (*row)(void *arg, const struct ekka_attention_result *), void *arg, struct ekka_error *err)
{
	struct ekka_parts parts = { .n = x->batch * x->heads_k, .compute = compute_group, .take = take_group };
	struct groups g = { .x = x, .row = row, .arg = arg, .backend = means->backend };
	bool good = true;
	int r = 0;

	parts.arg = &g;
	parts.slots = ekka_team_slots(means->team, parts.n, work_bytes(x), means->memory_bytes);
	g.work = calloc(parts.slots, sizeof *g.work);
	for (unsigned i = 0; good && i < parts.slots; i++)
		good = g.work && work_init(&g.work[i], x);
	if (!good)
		r = ekka_error_set(err, EKKA_ERR_NOMEM, "no memory for attention of %lld rows", (long long)x->m);
	if (good)
		r = ekka_team_run(means->team, &parts, err);
	for (unsigned i = 0; g.work && i < parts.slots; i++)
		free(g.work[i].memory);
	free(g.work);
	return r;
}
