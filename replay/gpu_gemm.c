/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sums of a matrix product on the device. The operands go there once; a block is converted DEPTH_ELEMENTS at a time into panels, A's rows and B's
 * columns, k contiguous; products of EKKA_BOUND_CHUNK k each are added up as replay/gemm_exact.c does it. What comes back is the sums.
 */
#include "replay/gpu.h"

#include <stdlib.h>
#include <string.h>

#include "replay/gemm_exact.h"

enum { CHUNK = EKKA_BOUND_CHUNK, GROUP = EKKA_BOUND_GROUP };
static const int64_t PANEL_ELEMENTS = 1 << 20;	/* of the longer panel */
static const int64_t MOST_DEPTH = 2048;
/* Multiplications below which the CPU is done before the operands are on the device. */
static const double PAYS = 0x1p27;

struct gpu_gemm {
	struct ekka_backend_gemm base;
	struct ekka_gpu *gpu;
	const struct ekka_gemm *g;
	CUdeviceptr a, b;
	bool own_a, own_b;		/* theirs is memory of this event, not a blob's copy */
};

enum plane { PART_RE, PART_IM, PART_ABS, REF_RE, REF_IM, LO_RE, LO_IM, ABS, PREFIX, CHUNKS, VARIATION, GROUPS, PLANES };

/* One panel on the device; im 0: real. */
struct panel { CUdeviceptr re, im, abs, pow2, max; };

struct block {
	struct gpu_gemm *x;
	struct ekka_gpu *gpu;
	const struct ekka_gemm *g;
	struct ekka_gpu_lane *lane;
	int64_t ni, nj, depth, groups;	/* groups: of a panel's line */
	struct panel a, b;
	CUdeviceptr plane[PLANES];	/* ni x nj; 0: not needed */
	CUdeviceptr zeroed, zeroed_end;	/* planes that begin at zero, and max */
};

static CUdeviceptr cut(CUdeviceptr *at, int64_t n)
{
	CUdeviceptr p = *at;

	*at += ((CUdeviceptr)n * sizeof(double) + 255) / 256 * 256;
	return n ? p : 0;
}

static void cut_panel(struct block *k, CUdeviceptr *at, struct panel *p, int64_t lines, bool is_complex)
{
	p->re = cut(at, lines * k->depth);
	p->im = cut(at, is_complex ? lines * k->depth : 0);
	p->abs = cut(at, lines * k->depth);
	p->pow2 = cut(at, lines * k->groups);
}

/* Lays out the lane's memory from `at`; returns its end. */
static CUdeviceptr lay_out(struct block *k, CUdeviceptr at)
{
	bool cx = ekka_dtype_is_complex(k->g->model.out), twofold = k->g->model.twofold;
	int64_t n = k->ni * k->nj;

	cut_panel(k, &at, &k->a, k->ni, ekka_dtype_is_complex(k->g->a.dtype));
	cut_panel(k, &at, &k->b, k->nj, ekka_dtype_is_complex(k->g->b.dtype));
	for (enum plane p = PART_RE; p <= PART_ABS; p++)
		k->plane[p] = cut(&at, p == PART_IM && !cx ? 0 : n);
	k->zeroed = at;
	for (enum plane p = REF_RE; p < PLANES; p++) {
		bool needed = p == REF_IM ? cx : p == LO_RE ? twofold : p == LO_IM ? twofold && cx : true;

		k->plane[p] = cut(&at, needed ? n : 0);
	}
	k->a.max = cut(&at, k->ni);
	k->b.max = cut(&at, k->nj);
	k->zeroed_end = at;
	return at;
}

/* Fills a panel with k [k0, k0+nk) of `lines` rows of A or columns of B from line0, and its extremes. */
static bool load(struct block *k, const struct panel *p, bool of_a, int64_t b, int64_t line0, int64_t lines, int64_t k0, int64_t nk)
{
	const struct ekka_matrix *m = of_a ? &k->g->a : &k->g->b;
	int64_t line_step = of_a ? m->rs : m->cs, k_step = of_a ? m->cs : m->rs, item = m->batch == 1 ? 0 : b, group = GROUP;
	int64_t first = m->offset + item * m->bs + line0 * line_step + k0 * k_step;
	CUdeviceptr src = (of_a ? k->x->a : k->x->b) + m->item_bytes * (uint64_t)item;
	int dtype = (int)m->dtype;
	void *convert[] = { (void *)(uintptr_t)&p->re, (void *)(uintptr_t)&p->im, &src, &dtype, &first, &line_step, &k_step, &lines, &nk, &k->depth };
	void *extremes[] = { (void *)(uintptr_t)&p->re, (void *)(uintptr_t)&p->im, (void *)(uintptr_t)&p->abs, (void *)(uintptr_t)&p->pow2,
			     (void *)(uintptr_t)&p->max, &lines, &nk, &k->depth, &group, &k->groups };

	return ekka_gpu_launch(k->gpu, k->lane, EKKA_GPU_convert, lines * nk, convert) &&
	       ekka_gpu_launch(k->gpu, k->lane, EKKA_GPU_extremes, lines * ((nk + GROUP - 1) / GROUP) * EKKA_GPU_TEAM, extremes);
}

/* acc (+)= sign a b^T over nk k from `at`. */
static bool multiply(struct block *k, CUdeviceptr a, CUdeviceptr b, int64_t at, int64_t nk, double sign, double beta, enum plane acc)
{
	size_t skip = (size_t)at * sizeof(double);

	return ekka_gpu_multiply(k->gpu, k->lane, k->ni, k->nj, nk, sign, a + skip, b + skip, k->depth, beta, k->plane[acc]);
}

static bool multiply_twofold(struct block *k, CUdeviceptr a, CUdeviceptr b, int64_t at, int64_t nk, double sign, enum plane hi, enum plane lo)
{
	CUdeviceptr x = a + (CUdeviceptr)at * sizeof(double), y = b + (CUdeviceptr)at * sizeof(double);
	void *params[] = { &k->plane[hi], &k->plane[lo], &x, &y, &sign, &k->ni, &k->nj, &nk, &k->depth };

	return ekka_gpu_launch(k->gpu, k->lane, EKKA_GPU_twofold, k->ni * k->nj, params);
}

/* The complex product's four real ones, in ekka_panel_multiply's order; into PART, or into REF and LO for a twofold reference. */
static bool products(struct block *k, int64_t at, int64_t nk)
{
	const struct { CUdeviceptr a, b; double sign; bool im; } product[] = {
		{ k->a.re, k->b.re, 1, false },
		{ k->a.im, k->b.im, (k->g->a.conj ? -1.0 : 1) * (k->g->b.conj ? 1 : -1), false },
		{ k->a.im, k->b.re, k->g->a.conj ? -1 : 1, true },
		{ k->a.re, k->b.im, k->g->b.conj ? -1 : 1, true },
	};
	double beta[2] = { 0, 0 };

	for (size_t i = 0; i < sizeof product / sizeof product[0]; i++) {
		bool im = product[i].im, good;

		if (!product[i].a || !product[i].b)
			continue;
		if (k->g->model.twofold)
			good = multiply_twofold(k, product[i].a, product[i].b, at, nk, product[i].sign, im ? REF_IM : REF_RE, im ? LO_IM : LO_RE);
		else
			good = multiply(k, product[i].a, product[i].b, at, nk, product[i].sign, beta[im], im ? PART_IM : PART_RE);
		if (!good)
			return false;
		beta[im] = 1;
	}
	return true;
}

static bool add_chunk(struct block *k, int64_t at, int64_t nk)
{
	CUdeviceptr none = 0;
	bool twofold = k->g->model.twofold;
	int64_t n = k->ni * k->nj;
	void *params[] = { &n, twofold ? &none : &k->plane[PART_RE], twofold ? &none : &k->plane[PART_IM], &k->plane[PART_ABS], &k->plane[REF_RE],
			   &k->plane[REF_IM], &k->plane[ABS], &k->plane[CHUNKS], &k->plane[VARIATION], &k->plane[PREFIX] };

	return products(k, at, nk) && multiply(k, k->a.abs, k->b.abs, at, nk, 1, 0, PART_ABS) &&
	       ekka_gpu_launch(k->gpu, k->lane, EKKA_GPU_add, n, params);
}

static bool compute(struct block *k, int64_t b, int64_t i0, int64_t j0)
{
	bool good = ekka_gpu_zero(k->gpu, k->lane, k->zeroed, k->zeroed_end - k->zeroed);

	for (int64_t k0 = 0; k0 < k->g->k && good; k0 += k->depth) {
		int64_t nk = k->g->k - k0 < k->depth ? k->g->k - k0 : k->depth;

		good = load(k, &k->a, true, b, i0, k->ni, k0, nk) && load(k, &k->b, false, b, j0, k->nj, k0, nk);
		for (int64_t at = 0; at < nk && good; at += CHUNK)
			good = add_chunk(k, at, nk - at < CHUNK ? nk - at : CHUNK);
		if (good && k->g->model.kind == EKKA_BOUND_TENSOR_CORE)
			good = ekka_gpu_multiply(k->gpu, k->lane, k->ni, k->nj, (nk + GROUP - 1) / GROUP, 1, k->a.pow2, k->b.pow2, k->groups, 1,
						 k->plane[GROUPS]);
	}
	return good;
}

static bool bring_back(struct block *k, struct ekka_gemm_work *w)
{
	const struct { double *to; CUdeviceptr from; int64_t n; } copy[] = {
		{ w->ref[0], k->plane[REF_RE], k->ni * k->nj }, { w->ref[1], k->plane[REF_IM], k->ni * k->nj },
		{ w->lo[0], k->plane[LO_RE], k->ni * k->nj }, { w->lo[1], k->plane[LO_IM], k->ni * k->nj },
		{ w->abs, k->plane[ABS], k->ni * k->nj }, { w->prefix, k->plane[PREFIX], k->ni * k->nj },
		{ w->chunk, k->plane[CHUNKS], k->ni * k->nj }, { w->variation, k->plane[VARIATION], k->ni * k->nj },
		{ w->group, k->g->model.kind == EKKA_BOUND_TENSOR_CORE ? k->plane[GROUPS] : 0, k->ni * k->nj },
		{ w->a_max, k->a.max, k->ni }, { w->b_max, k->b.max, k->nj },
	};

	for (size_t i = 0; i < sizeof copy / sizeof copy[0]; i++)
		if (copy[i].to && copy[i].from && !ekka_gpu_download(k->gpu, k->lane, copy[i].to, copy[i].from, (size_t)copy[i].n * sizeof(double)))
			return false;
	return true;
}

static bool sums(struct ekka_backend_gemm *base, struct ekka_gemm_work *w, int64_t b, int64_t i0, int64_t ni, int64_t j0, int64_t nj)
{
	struct gpu_gemm *x = (struct gpu_gemm *)base;
	struct block k = { .x = x, .gpu = x->gpu, .g = x->g, .ni = ni, .nj = nj };
	int64_t longer = ni > nj ? ni : nj, chunks = (x->g->k + CHUNK - 1) / CHUNK * CHUNK;
	bool good;

	k.depth = PANEL_ELEMENTS / longer / CHUNK * CHUNK;
	k.depth = k.depth < CHUNK ? CHUNK : k.depth > MOST_DEPTH ? MOST_DEPTH : k.depth;
	k.depth = k.depth > chunks ? chunks : k.depth;
	k.groups = k.depth / GROUP;
	k.lane = ekka_gpu_take(x->gpu, (size_t)lay_out(&k, 0));
	if (!k.lane)
		return false;
	(void)lay_out(&k, k.lane->memory);
	good = compute(&k, b, i0, j0) && bring_back(&k, w);
	good = ekka_gpu_finish(x->gpu, k.lane) && good;	/* also after a failure: nothing may write to w any more */
	ekka_gpu_give(x->gpu, k.lane);
	return good;
}

/* An operand's place on the device. */
static CUdeviceptr place(struct gpu_gemm *x, struct ekka_gpu_lane *l, const struct ekka_matrix *m, bool *own)
{
	CUdeviceptr p;

	if (m->held)
		return ekka_gpu_resident(x->gpu, l, m->bytes);
	p = ekka_gpu_alloc(x->gpu, m->n_bytes);
	*own = p != 0;
	return p && ekka_gpu_upload(x->gpu, l, p, m->bytes, m->n_bytes) ? p : 0;
}

static bool upload(struct gpu_gemm *x)
{
	struct ekka_gpu_lane *l = ekka_gpu_take(x->gpu, 0);
	bool good = l;

	if (good) {
		x->a = place(x, l, &x->g->a, &x->own_a);
		x->b = x->a ? place(x, l, &x->g->b, &x->own_b) : 0;
		good = ekka_gpu_finish(x->gpu, l) && x->a && x->b;
	}
	if (l)
		ekka_gpu_give(x->gpu, l);
	return good;
}

bool ekka_gpu_aligned(const struct ekka_matrix *m)
{
	return m->item_bytes % ekka_dtype_bytes(m->dtype) == 0;
}

bool ekka_gpu_gemm_pays(const struct ekka_gemm *g)
{
	return (double)g->batch * (double)g->m * (double)g->n * (double)g->k >= PAYS;
}

struct ekka_backend_gemm *ekka_gpu_gemm_begin(struct ekka_backend *base, const struct ekka_gemm *g)
{
	struct ekka_gpu *gpu = (struct ekka_gpu *)base;
	struct gpu_gemm *x;

	/* Elements are converted as they are: without the factors of operands that are scaled by blocks. */
	if (!g->a.bytes || !g->b.bytes || g->a.scale || g->b.scale || !ekka_gpu_aligned(&g->a) || !ekka_gpu_aligned(&g->b) || (!(gpu->flags & EKKA_GPU_ALWAYS) && !ekka_gpu_gemm_pays(g)))
		return NULL;
	x = calloc(1, sizeof *x);
	if (!x)
		return NULL;
	*x = (struct gpu_gemm){ .base = { sums }, .gpu = gpu, .g = g };
	if (upload(x))
		return &x->base;
	ekka_gpu_gemm_end(&x->base);
	return NULL;
}

void ekka_gpu_gemm_end(struct ekka_backend_gemm *base)
{
	struct gpu_gemm *x = (struct gpu_gemm *)base;
	CUcontext ignored;

	if (x->gpu->lib->p_cuCtxPushCurrent(x->gpu->context) == CUDA_SUCCESS) {
		ekka_gpu_free(x->gpu, x->own_a ? x->a : 0);
		ekka_gpu_free(x->gpu, x->own_b ? x->b : 0);
		(void)x->gpu->lib->p_cuCtxPopCurrent(&ignored);
	}
	free(x);
}
