/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Matrix products judged wholly on the device: real, of types that float64 is enough for. Panels of both operands in float64, cuBLAS's sums of every chunk of k and of
 * its magnitudes, and one kernel that makes references and bounds of them and compares. Where one operand has few lines and the other is many times
 * larger, converting that would cost more than the product: a kernel reads it as it is, once.
 */
#include "replay/gpu.h"

#include <string.h>

#include "replay/gemm.h"

enum { CHUNK = EKKA_BOUND_CHUNK, GROUP = EKKA_BOUND_GROUP };
static const int64_t MOST_VECTORS = 8;
static const int64_t MOST_K = 1 << 17;
static const int64_t PANEL_ELEMENTS = 1 << 22, SUMS = 1 << 24;	/* of a panel; of all chunks */
/* Bytes of an event below which the CPU has screened it before the device is told of it. */
static const uint64_t PAYS_BYTES = 64 << 10;

struct panel { CUdeviceptr re, abs, pow2, max; };

struct product {
	struct ekka_gpu *gpu;
	struct ekka_gpu_lane *lane;
	const struct ekka_gemm *g;
	struct ekka_gpu_product job;
	CUdeviceptr on_device, parts;	/* the job; what was found */
	bool thin, lines_of_a;
	int64_t ni, nj;			/* of a block; thin: lines of the panel in `a`, 0 */
	int64_t depth, groups, chunks;
	struct panel a, b;
	CUdeviceptr sums, sums_abs, group;
	CUdeviceptr copy[4];		/* of A, B, C and C0 that are no blob's */
	CUdeviceptr bias, row_scale, col_scale;	/* of the epilogue */
};

static int64_t min64(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

/* ---- memory ------------------------------------------------------------ */

static CUdeviceptr cut(CUdeviceptr *at, uint64_t bytes)
{
	CUdeviceptr p = *at;

	*at += (bytes + 255) / 256 * 256;
	return bytes ? p : 0;
}

static void cut_panel(const struct product *x, CUdeviceptr *at, struct panel *p, int64_t lines)
{
	p->re = cut(at, (uint64_t)(lines * x->depth) * sizeof(double));
	p->abs = cut(at, (uint64_t)(lines * x->depth) * sizeof(double));
	p->pow2 = cut(at, (uint64_t)(lines * x->groups) * sizeof(double));
	p->max = cut(at, (uint64_t)lines * sizeof(double));
}

/* How many the epilogue's bias has. */
static int64_t biases(const struct ekka_gemm *g)
{
	return g->epilogue && g->epilogue->bias ? (g->batch - 1) * g->epilogue->bias_step + g->m : 0;
}

/* Lays out the lane's memory from `at`; returns its end. */
static CUdeviceptr lay_out(struct product *x, CUdeviceptr at)
{
	const struct ekka_matrix *const operand[] = { &x->g->a, &x->g->b, &x->g->c, x->g->has_c0 ? &x->g->c0 : NULL };
	const struct ekka_epilogue *e = x->g->epilogue;
	uint64_t block = (uint64_t)(x->ni * x->nj) * sizeof(double);

	cut_panel(x, &at, &x->a, x->ni);
	cut_panel(x, &at, &x->b, x->nj);
	x->sums = cut(&at, block * (uint64_t)x->chunks);
	x->sums_abs = cut(&at, block * (uint64_t)x->chunks);
	x->group = cut(&at, x->job.bound.kind == EKKA_BOUND_TENSOR_CORE ? block : 0);
	for (size_t i = 0; i < sizeof operand / sizeof operand[0]; i++)
		x->copy[i] = cut(&at, operand[i] && !operand[i]->held ? operand[i]->n_bytes : 0);
	x->bias = cut(&at, (uint64_t)biases(x->g) * sizeof(double));
	x->row_scale = cut(&at, e && e->row_scale ? (uint64_t)x->g->m * sizeof(double) : 0);
	x->col_scale = cut(&at, e && e->col_scale ? (uint64_t)x->g->n * sizeof(double) : 0);
	return at;
}

/* Where a matrix is on the device. */
static bool find(struct product *x, const struct ekka_matrix *m, CUdeviceptr copy, struct ekka_gpu_matrix *ret)
{
	*ret = (struct ekka_gpu_matrix){ m->held ? ekka_gpu_resident(x->gpu, x->lane, m->bytes) : copy, m->item_bytes, m->offset, m->bs, m->rs, m->cs, (int32_t)m->dtype };
	if (m->batch == 1)
		ret->bs = 0;
	return ret->bytes && (m->held || ekka_gpu_upload(x->gpu, x->lane, copy, m->bytes, m->n_bytes));
}

/* A vector of the epilogue; NULL: there is none. */
static bool bring(struct product *x, CUdeviceptr to, const double *from, int64_t n)
{
	return !from || ekka_gpu_upload(x->gpu, x->lane, to, from, (size_t)n * sizeof *from);
}

static bool find_epilogue(struct product *x)
{
	const struct ekka_epilogue *e = x->g->epilogue;

	if (!e)
		return true;
	x->job.has_epilogue = true;
	x->job.saturates = e->saturates;
	x->job.activation = (int32_t)e->activation;
	x->job.bias = x->bias;
	x->job.bias_step = e->bias_step;
	x->job.row_scale = x->row_scale;
	x->job.col_scale = x->col_scale;
	x->job.scale = e->scale;
	return bring(x, x->bias, e->bias, biases(x->g)) && bring(x, x->row_scale, e->row_scale, x->g->m) && bring(x, x->col_scale, e->col_scale, x->g->n);
}

static bool find_all(struct product *x)
{
	const struct ekka_gemm *g = x->g;

	return find(x, &g->a, x->copy[0], &x->job.a) && find(x, &g->b, x->copy[1], &x->job.b) && find(x, &g->c, x->copy[2], &x->job.c) &&
	       (!g->has_c0 || find(x, &g->c0, x->copy[3], &x->job.c0)) && find_epilogue(x) &&
	       (x->on_device = ekka_gpu_put(x->gpu, x->lane, &x->job, sizeof x->job)) != 0;
}

/* ---- panels ------------------------------------------------------------ */

/* Lines [line0, line0 + lines) of A or B, item b, and their extremes. */
static bool load(struct product *x, const struct panel *p, bool of_a, int64_t b, int64_t line0, int64_t lines)
{
	const struct ekka_gpu_matrix *m = of_a ? &x->job.a : &x->job.b;
	int64_t line_step = of_a ? m->rs : m->cs, k_step = of_a ? m->cs : m->rs, group = GROUP, k = x->g->k;
	int64_t item = (of_a ? x->g->a.batch : x->g->b.batch) == 1 ? 0 : b, first = m->offset + item * m->bs + line0 * line_step;
	CUdeviceptr src = m->bytes + m->item_bytes * (uint64_t)item, none = 0;
	int dtype = m->dtype;
	struct panel to = *p;
	void *convert[] = { &to.re, &none, &src, &dtype, &first, &line_step, &k_step, &lines, &k, &x->depth };
	void *extremes[] = { &to.re, &none, &to.abs, &to.pow2, &to.max, &lines, &k, &x->depth, &group, &x->groups };

	return ekka_gpu_zero(x->gpu, x->lane, to.max, (size_t)lines * sizeof(double)) &&
	       ekka_gpu_launch(x->gpu, x->lane, EKKA_GPU_convert, lines * k, convert) &&
	       ekka_gpu_launch(x->gpu, x->lane, EKKA_GPU_extremes, lines * x->groups * EKKA_GPU_TEAM, extremes);
}

/* ---- fat products ------------------------------------------------------ */

/* sums [chunks][ni][nj] of two panels. */
static bool multiply(struct product *x, CUdeviceptr a, CUdeviceptr b, int64_t ni, int64_t nj, CUdeviceptr sums)
{
	int64_t full = x->g->k / CHUNK, rest = x->g->k % CHUNK;
	CUdeviceptr behind = (CUdeviceptr)(full * CHUNK) * sizeof(double), last = sums + (CUdeviceptr)(full * ni * nj) * sizeof(double);

	return (!full || ekka_gpu_multiply_many(x->gpu, x->lane, ni, nj, CHUNK, (struct ekka_gpu_factor){ a, x->depth, CHUNK, false },
						  (struct ekka_gpu_factor){ b, x->depth, CHUNK, false }, sums, full)) &&
	       (!rest || ekka_gpu_multiply(x->gpu, x->lane, ni, nj, rest, 1, a + behind, b + behind, x->depth, 0, last));
}

/* A's panel is there already. */
static bool judge_block(struct product *x, int64_t b, int64_t i0, int64_t ni, int64_t j0, int64_t nj)
{
	void *params[] = { &x->on_device, &x->parts, &x->sums, &x->sums_abs, &x->group, &x->a.max, &x->b.max, &b, &i0, &ni, &j0, &nj, &x->chunks };

	return load(x, &x->b, false, b, j0, nj) && multiply(x, x->a.re, x->b.re, ni, nj, x->sums) && multiply(x, x->a.abs, x->b.abs, ni, nj, x->sums_abs) &&
	       (!x->group || ekka_gpu_multiply(x->gpu, x->lane, ni, nj, x->groups, 1, x->a.pow2, x->b.pow2, x->groups, 0, x->group)) &&
	       ekka_gpu_look(x->gpu, x->lane, EKKA_GPU_product, ni * nj, params);
}

static bool judge_fat(struct product *x)
{
	const struct ekka_gemm *g = x->g;
	bool good = true;

	for (int64_t b = 0; b < g->batch && good; b++)
		for (int64_t i = 0; i < g->m && good; i += x->ni) {
			int64_t ni = min64(x->ni, g->m - i);

			good = load(x, &x->a, true, b, i, ni);
			for (int64_t j = 0; j < g->n && good; j += x->nj)
				good = judge_block(x, b, i, ni, j, min64(x->nj, g->n - j));
		}
	return good;
}

/* ---- thin products ----------------------------------------------------- */

static bool judge_thin(struct product *x)
{
	int lines_of_a = x->lines_of_a;
	int64_t lines = x->lines_of_a ? x->g->m : x->g->n;
	void *params[] = { &x->on_device, &x->parts, &x->a.re, &x->a.pow2, &x->a.max, &x->depth, &x->groups, &lines_of_a };

	return load(x, &x->a, !x->lines_of_a, 0, 0, x->ni) && ekka_gpu_look(x->gpu, x->lane, EKKA_GPU_thin, lines * EKKA_GPU_TEAM, params);
}

/* ---- an event ---------------------------------------------------------- */

/* Which of the two ways, and blocks of which size. */
static void plan(struct product *x)
{
	const struct ekka_gemm *g = x->g;
	int64_t lines, area;

	x->depth = g->k;
	x->groups = (g->k + GROUP - 1) / GROUP;
	x->chunks = (g->k + CHUNK - 1) / CHUNK;
	x->lines_of_a = g->n <= MOST_VECTORS && g->m >= g->n && g->a.cs == 1;
	x->thin = g->batch == 1 && (x->lines_of_a || (g->m <= MOST_VECTORS && g->b.rs == 1));
	if (x->thin) {
		x->ni = x->lines_of_a ? g->n : g->m;
		x->nj = x->chunks = 0;
		return;
	}
	lines = PANEL_ELEMENTS / x->depth;
	area = SUMS / x->chunks;
	x->ni = min64(g->m, min64(lines, 1024));
	x->nj = min64(g->n, min64(lines, area / x->ni));
	x->ni = min64(g->m, min64(lines, area / x->nj));
}

/* On the lane, everything laid out. */
static bool judge(struct product *x, struct ekka_elements_part *ret)
{
	int64_t threads = x->thin ? (x->lines_of_a ? x->g->m : x->g->n) * EKKA_GPU_TEAM : x->ni * x->nj;
	bool good = find_all(x) && (x->parts = ekka_gpu_parts(x->gpu, x->lane, threads)) != 0 && (x->thin ? judge_thin(x) : judge_fat(x)) &&
		    ekka_gpu_found(x->gpu, x->lane, x->parts, threads, ret);

	if (!good)
		(void)ekka_gpu_finish(x->gpu, x->lane);	/* what is under way reads the lane's memory */
	return good;
}

static bool takes(const struct ekka_matrix *m)
{
	return m->bytes && !m->scale && ekka_gpu_aligned(m);
}

/* None, or one that depends on single elements and changes nothing but D. */
static bool takes_epilogue(const struct ekka_epilogue *e, enum ekka_dtype out)
{
	return !e || (!e->every && !e->mask && !e->input && !e->row_sum && !e->blocks.scale && !e->blocks.four_bits && !e->blocks.largest && out != EKKA_I8 && e->activation <= EKKA_ACT_GELU);
}

static bool can(const struct ekka_gpu *gpu, const struct ekka_gemm *g)
{
	const struct ekka_bound_model *model = &g->model;

	return g->has_product && takes_epilogue(g->epilogue, model->out) && !g->uplo && !g->hermitian && !ekka_dtype_is_complex(model->out) && !model->twofold &&
	       model->kind != EKKA_BOUND_INTEGER && g->k <= MOST_K && takes(&g->a) && takes(&g->b) && takes(&g->c) && (!g->has_c0 || takes(&g->c0)) &&
	       (gpu->flags & EKKA_GPU_ALWAYS || g->a.n_bytes + g->b.n_bytes + g->c.n_bytes >= PAYS_BYTES);
}

bool ekka_gpu_product(struct ekka_backend *base, const struct ekka_gemm *g, struct ekka_elements_part *ret)
{
	struct product x = { .gpu = (struct ekka_gpu *)base, .g = g,
			     .job = { .bound = g->model.numbers, .m = g->m, .n = g->n, .k = g->k, .alpha = g->alpha[0], .beta = g->beta[0] } };
	bool good;

	if (!can(x.gpu, g))
		return false;
	plan(&x);
	x.lane = ekka_gpu_take(x.gpu, (size_t)lay_out(&x, 0));
	if (!x.lane)
		return false;
	(void)lay_out(&x, x.lane->memory);
	good = judge(&x, ret);
	ekka_gpu_give(x.gpu, x.lane);
	return good && (int64_t)ret->n == g->batch * g->m * g->n && !ret->n_bad && ret->n_wide <= ret->n / 2;
}
