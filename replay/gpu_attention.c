/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Attention's sums on the device, tile by tile as replay/attention_run.c has them: three products by cuBLAS, all in float64 (the bound's too, which the CPU has in
 * float32), and one kernel between. K and V are converted on the host, which needs their norms anyway and is quick at it: a tile is used by all rows of a
 * group. What the device is too small, busy or broken for, and values of V that are not finite, are left to the CPU.
 */
#include "replay/gpu.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "replay/attention_work.h"

enum { TILE = EKKA_ATTENTION_TILE };
/* Products of a query's and a key's elements below which the CPU is done before the group is on the device. */
static const double PAYS = 0x1p23;

struct ekka_gpu_softmax { double scale, softcap, steep, u, tanh_error; };	/* gpu_kernels.cu */

struct group {
	struct ekka_attention_work *w;
	struct ekka_gpu *gpu;
	struct ekka_gpu_lane *lane;
	struct ekka_gpu_softmax f;
	bool adds;			/* logits get something besides products */
	CUdeviceptr q, k, k_norm, v, v_abs, s, weight, add, o, bound, max, sum, eta, logit, base, lo, hi;
	double *host;			/* rows of dv, of at least 4 and, where something is added, of TILE: what goes there and comes back */
};

bool ekka_gpu_attention_pays(const struct ekka_attention_work *w)
{
	return (double)w->rows * (double)w->x->k_len[w->b] * (double)w->x->d >= PAYS;
}

/* Where everything lies from `at` on; how many bytes that is. */
static size_t lay_out(struct group *g, CUdeviceptr at)
{
	const struct ekka_attention *x = g->w->x;
	int64_t rows = g->w->rows, d = x->d, dv = x->dv;
	const struct { CUdeviceptr *p; int64_t n; } part[] = {
		{ &g->q, rows * d }, { &g->k, TILE * d }, { &g->k_norm, TILE }, { &g->v, TILE * dv }, { &g->v_abs, TILE * dv }, { &g->s, TILE * rows },
		{ &g->weight, TILE * rows }, { &g->add, g->adds ? TILE * rows : 0 }, { &g->o, rows * dv }, { &g->bound, rows * dv }, { &g->max, rows },
		{ &g->sum, rows }, { &g->eta, rows }, { &g->logit, rows }, { &g->base, rows }, { &g->lo, rows }, { &g->hi, rows },
	};
	CUdeviceptr start = at;

	for (size_t i = 0; i < sizeof part / sizeof part[0]; i++) {
		*part[i].p = part[i].n ? at : 0;
		at += ((CUdeviceptr)part[i].n * sizeof(double) + 255) / 256 * 256;
	}
	return at - start;
}

static bool upload(struct group *g, CUdeviceptr to, const void *from, int64_t n)
{
	return ekka_gpu_upload(g->gpu, g->lane, to, from, (size_t)n * sizeof(double));
}

static bool download(struct group *g, void *to, CUdeviceptr from, int64_t n)
{
	return ekka_gpu_download(g->gpu, g->lane, to, from, (size_t)n * sizeof(double));
}

/* Queries and what is known of each row, and results that begin with nothing. */
static bool begin(struct group *g)
{
	struct ekka_attention_work *w = g->w;
	int64_t rows = w->rows, *lo = (int64_t *)(void *)g->host, *hi = lo + rows;
	double *logit = g->host + 2 * rows, *base = g->host + 3 * rows;
	size_t results = (size_t)(rows * w->x->dv) * sizeof(double);

	for (int64_t r = 0; r < rows; r++) {
		struct ekka_attention_factors f = ekka_attention_factors(w, r);

		ekka_attention_range(w->x, w->b, r % w->m, &lo[r], &hi[r]);
		logit[r] = f.logit;
		base[r] = f.base;
	}
	return upload(g, g->q, w->q, rows * w->x->d) && upload(g, g->lo, lo, rows) && upload(g, g->hi, hi, rows) &&
	       upload(g, g->logit, logit, rows) && upload(g, g->base, base, rows) && upload(g, g->max, w->max, rows) &&
	       ekka_gpu_zero(g->gpu, g->lane, g->sum, (size_t)rows * sizeof(double)) && ekka_gpu_zero(g->gpu, g->lane, g->eta, (size_t)rows * sizeof(double)) &&
	       ekka_gpu_zero(g->gpu, g->lane, g->o, results) && ekka_gpu_zero(g->gpu, g->lane, g->bound, results);
}

/* Bias, ALiBi and mask of a tile, a key's rows one after another. */
static bool upload_added(struct group *g, int64_t j0, int64_t n)
{
	const struct ekka_attention_work *w = g->w;
	double line[TILE], scratch[TILE];

	for (int64_t r = 0; g->adds && r < w->rows; r++) {
		(void)ekka_attention_added(w->x, w->b, ekka_attention_head(w, r), r % w->m, j0, n, line, scratch);
		for (int64_t j = 0; j < n; j++)
			g->host[j * w->rows + r] = line[j];
	}
	return !g->adds || upload(g, g->add, g->host, n * w->rows);
}

static bool soften(struct group *g, int64_t j0, int64_t n)
{
	int64_t rows = g->w->rows, dv = g->w->x->dv;
	void *params[] = { &g->f, &rows, &j0, &n, &dv, &g->s, &g->add, &g->weight, &g->o, &g->bound, &g->max, &g->sum, &g->eta, &g->logit, &g->base,
			   &g->k_norm, &g->lo, &g->hi };

	return ekka_gpu_launch(g->gpu, g->lane, EKKA_GPU_soften, rows, params);
}

static bool magnitudes(struct group *g, int64_t n)
{
	void *params[] = { &n, &g->v, &g->v_abs };

	return ekka_gpu_launch(g->gpu, g->lane, EKKA_GPU_magnitudes, n, params);
}

/* sums[rows, dv] += what weights of the tile make of v. */
static bool multiply(struct group *g, int64_t n, CUdeviceptr weights, CUdeviceptr v, CUdeviceptr sums)
{
	int64_t rows = g->w->rows, dv = g->w->x->dv;

	return ekka_gpu_dgemm(g->gpu, g->lane, CUBLAS_OP_N, CUBLAS_OP_T, dv, rows, n, 1, v, dv, weights, rows, 1, sums, dv);
}

static bool tile(struct group *g, int64_t j0, int64_t n)
{
	struct ekka_attention_work *w = g->w;
	int64_t rows = w->rows, d = w->x->d, dv = w->x->dv;

	ekka_attention_load_tile(w, j0, n);
	return !w->any_odd && upload(g, g->k, w->k, n * d) && upload(g, g->k_norm, w->k_norm, n) && upload(g, g->v, w->v, n * dv) &&
	       upload_added(g, j0, n) &&
	       ekka_gpu_dgemm(g->gpu, g->lane, CUBLAS_OP_T, CUBLAS_OP_N, rows, n, d, 1, g->q, d, g->k, d, 0, g->s, rows) && magnitudes(g, n * dv) &&
	       soften(g, j0, n) && multiply(g, n, g->s, g->v, g->o) && multiply(g, n, g->weight, g->v_abs, g->bound);
}

static bool end(struct group *g)
{
	struct ekka_attention_work *w = g->w;
	int64_t rows = w->rows, n = rows * w->x->dv;

	if (!download(g, w->o, g->o, n) || !download(g, g->host, g->bound, n) || !download(g, w->max, g->max, rows) ||
	    !download(g, w->sum, g->sum, rows) || !download(g, w->eta, g->eta, rows) || !ekka_gpu_finish(g->gpu, g->lane))
		return false;
	for (int64_t i = 0; i < n; i++)
		w->w[i] = (float)g->host[i];
	return true;
}

static bool compute(struct group *g)
{
	int64_t n = g->w->x->k_len[g->w->b];
	bool good = begin(g);

	for (int64_t j0 = 0; good && j0 < n; j0 += TILE)
		good = tile(g, j0, n - j0 < TILE ? n - j0 : TILE);
	/* What is under way reads from our memory: it must have come to its end either way. */
	if (good)
		return end(g);
	(void)ekka_gpu_finish(g->gpu, g->lane);
	return false;
}

bool ekka_gpu_attention(struct ekka_backend *base, struct ekka_attention_work *w)
{
	const struct ekka_attention *x = w->x;
	struct group g = { .w = w, .gpu = (struct ekka_gpu *)base, .adds = x->alibi || x->bias.array || x->mask.array };
	int64_t room = 4 > x->dv ? 4 : x->dv;
	bool good = false;

	if ((!(g.gpu->flags & EKKA_GPU_ALWAYS) && !ekka_gpu_attention_pays(w)) || !w->rows || (x->alibi && x->bias.array))
		return false;
	g.f = (struct ekka_gpu_softmax){ x->scale, x->softcap, EKKA_ATTENTION_STEEP, x->error.u, x->error.softcap };
	room = g.adds && room < TILE ? TILE : room;
	g.host = malloc((size_t)(w->rows * room) * sizeof *g.host);
	g.lane = g.host ? ekka_gpu_take(g.gpu, lay_out(&g, 0)) : NULL;
	if (g.lane) {
		(void)lay_out(&g, g.lane->memory);
		good = compute(&g);
		ekka_gpu_give(g.gpu, g.lane);
	}
	free(g.host);
	return good;
}
