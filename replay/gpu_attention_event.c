/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Attention events judged whole on the device: Q, K and V in float64, three products of all heads at once by cuBLAS, and between them a kernel that turns products
 * into weights, a row a team, tile by tile as replay/attention_run.c does it. The last one compares. Dense batches only: pages, packed sequences, lengths of their
 * own, ALiBi, parts and FP8 scales are left to the tiles (replay/gpu_attention.c) or to the CPU.
 */
#include "replay/gpu.h"

#include <stdlib.h>
#include <string.h>

#include "compare/format.h"
#include "replay/attention_work.h"

struct ekka_gpu_softmax { double scale, softcap, steep, u, tanh_error; };	/* gpu_attention.cuh */
struct ekka_gpu_row_sums { CUdeviceptr max, sum, eta, q_norm, k_norm; };	/* gpu_attention_event.cuh */

static const uint64_t MOST_BYTES = (uint64_t)1 << 30;	/* of a lane */
/* Products of an element of Q and one of K below which the CPU is done before the device is told of it. */
static const double PAYS = 0x1p20;

int64_t ekka_gpu_attention_logits = 1 << 24;

struct event {
	struct ekka_gpu *gpu;
	struct ekka_gpu_lane *lane;
	const struct ekka_attention *x;
	const struct ekka_attention_outputs *outputs;
	struct ekka_gpu_attention job;
	CUdeviceptr on_device, parts[EKKA_GPU_ATTENTION_OUTPUTS];
	int64_t items, rows;		/* products: batch items times heads of K; rows of Q in each */
	int64_t many, some;		/* of both at once */
	CUdeviceptr q, k, v, v_abs, v_sum, s, w, o, bound, near;
	struct ekka_gpu_row_sums all;
};

_Static_assert((int)EKKA_GPU_ATTENTION_OUTPUTS == (int)EKKA_ATTENTION_OUTPUTS && (int)EKKA_GPU_SUM == (int)EKKA_ATTENTION_SUM, "outputs");

static int64_t min64(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

/* Where everything lies from `at` on; how many bytes that is. */
static uint64_t lay_out(struct event *e, CUdeviceptr at)
{
	const struct ekka_attention *x = e->x;
	int64_t rows = e->items * e->rows, keys = e->items * x->n, logits = e->many * e->some * x->n, results = e->many * e->some * x->dv;
	const struct { CUdeviceptr *p; int64_t n; } part[] = {
		{ &e->q, rows * x->d }, { &e->k, keys * x->d }, { &e->v, keys * x->dv }, { &e->v_abs, keys * x->dv }, { &e->v_sum, e->items * x->dv }, { &e->s, logits },
		{ &e->w, logits }, { &e->o, results }, { &e->bound, results }, { &e->near, rows }, { &e->all.max, rows }, { &e->all.sum, rows }, { &e->all.eta, rows },
		{ &e->all.q_norm, rows }, { &e->all.k_norm, keys },
	};
	CUdeviceptr start = at;

	for (size_t i = 0; i < sizeof part / sizeof part[0]; i++) {
		*part[i].p = at;
		at += ((CUdeviceptr)part[i].n * sizeof(double) + 255) / 256 * 256;
	}
	return at - start;
}

/* ---- the job ----------------------------------------------------------- */

static bool find(struct event *e, const struct ekka_array *a, const int64_t stride[4], struct ekka_gpu_lines *ret)
{
	*ret = (struct ekka_gpu_lines){ .bytes = ekka_gpu_resident(e->gpu, e->lane, a->bytes), .offset = a->offset, .dtype = (int32_t)a->dtype };
	memcpy(ret->stride, stride, sizeof ret->stride);
	return ret->bytes != 0;
}

static bool find_view(struct event *e, const struct ekka_attention_view *v, struct ekka_gpu_lines *ret)
{
	return !v->array || find(e, v->array, v->stride, ret);
}

static bool find_outputs(struct event *e)
{
	for (int i = 0; i < EKKA_GPU_ATTENTION_OUTPUTS; i++) {
		const struct ekka_array *a = e->outputs->array[i];

		if (!a)
			continue;
		e->job.format[i] = ekka_format_of(a->dtype);
		e->parts[i] = ekka_gpu_parts(e->gpu, e->lane, e->many * e->some * EKKA_GPU_TEAM);
		if (!e->parts[i] || !ekka_gpu_array(e->gpu, e->lane, a, &e->job.output[i]))
			return false;
	}
	return true;
}

static bool make_job(struct event *e)
{
	const struct ekka_attention *x = e->x;
	const struct ekka_attention_error *b = &x->error;

	e->job = (struct ekka_gpu_attention){ .terms = { b->u, b->order, b->exponential, b->p_round, b->p_tiny }, .batch = x->batch, .heads = x->heads, .heads_k = x->heads_k,
					      .m = x->m, .n = x->n, .d = x->d, .dv = x->dv, .first = x->top_left ? 0 : x->n - x->m, .left = x->left, .right = x->right,
					      .scale = x->scale, .softcap = x->softcap, .lse_unit = x->lse_unit, .product = b->product,
					      .base = b->p_round + b->rescale + b->exponential + b->sum, .softcap_error = b->softcap };
	return find(e, x->q, x->q->stride, &e->job.q) && find(e, x->k, x->k->stride, &e->job.k) && find(e, x->v, x->v->stride, &e->job.v) &&
	       find_view(e, &x->bias, &e->job.bias) && find_view(e, &x->mask, &e->job.mask) && find_outputs(e) &&
	       (e->on_device = ekka_gpu_put(e->gpu, e->lane, &e->job, sizeof e->job)) != 0;
}

/* ---- computing --------------------------------------------------------- */

/* Lines of a member of the job to float64; abs and norm 0: not needed. */
static bool load(struct event *e, size_t member, CUdeviceptr to, CUdeviceptr abs, CUdeviceptr norm, int64_t heads, int64_t n, int64_t width)
{
	CUdeviceptr from = e->on_device + member;
	int64_t items = e->x->batch;
	void *params[] = { &from, &to, &abs, &norm, &items, &heads, &n, &width };

	return ekka_gpu_launch(e->gpu, e->lane, EKKA_GPU_lines, items * heads * n * EKKA_GPU_TEAM, params);
}

static bool load_all(struct event *e)
{
	const struct ekka_attention *x = e->x;
	int64_t n = x->n, dv = x->dv;
	void *columns[] = { &e->v_abs, &e->v_sum, &e->items, &n, &dv };

	return load(e, offsetof(struct ekka_gpu_attention, q), e->q, 0, e->all.q_norm, x->heads, x->m, x->d) &&
	       load(e, offsetof(struct ekka_gpu_attention, k), e->k, 0, e->all.k_norm, x->heads_k, n, x->d) &&
	       load(e, offsetof(struct ekka_gpu_attention, v), e->v, e->v_abs, 0, x->heads_k, n, dv) &&
	       ekka_gpu_launch(e->gpu, e->lane, EKKA_GPU_columns, e->items * dv, columns);
}

/* sums [many][some][dv] of weights and values. */
static bool multiply(struct event *e, int64_t item, int64_t many, int64_t some, CUdeviceptr weights, CUdeviceptr values, CUdeviceptr sums)
{
	int64_t n = e->x->n, dv = e->x->dv;

	return ekka_gpu_multiply_many(e->gpu, e->lane, some, dv, n, (struct ekka_gpu_factor){ weights, n, some * n, false },
				      (struct ekka_gpu_factor){ values + (CUdeviceptr)(item * n * dv) * sizeof(double), dv, n * dv, true }, sums, many);
}

/* Rows [first, first + some) of items [item, item + many); more than one item only with all their rows. */
static bool judge_rows(struct event *e, int64_t item, int64_t many, int64_t first, int64_t some)
{
	const struct ekka_attention *x = e->x;
	int64_t row0 = item * e->rows + first, rows = many * some, n = x->n, d = x->d;
	struct ekka_gpu_softmax f = { x->scale, x->softcap, EKKA_ATTENTION_STEEP, x->error.u, x->error.softcap };
	CUdeviceptr q = e->q + (CUdeviceptr)(row0 * d) * sizeof(double), k = e->k + (CUdeviceptr)(item * n * d) * sizeof(double);
	void *weigh[] = { &e->on_device, &f, &e->all, &row0, &rows, &e->s, &e->w };
	void *compare[] = { &e->on_device, &e->all, &row0, &rows, &e->o, &e->bound, &e->v_sum, &e->near, &e->parts[EKKA_GPU_OUT], &e->parts[EKKA_GPU_LSE],
			    &e->parts[EKKA_GPU_MAX], &e->parts[EKKA_GPU_SUM] };

	return ekka_gpu_multiply_many(e->gpu, e->lane, some, n, d, (struct ekka_gpu_factor){ q, d, some * d, false }, (struct ekka_gpu_factor){ k, d, n * d, false }, e->s, many) &&
	       ekka_gpu_launch(e->gpu, e->lane, EKKA_GPU_weigh, rows * EKKA_GPU_TEAM, weigh) && multiply(e, item, many, some, e->s, e->v, e->o) &&
	       multiply(e, item, many, some, e->w, e->v_abs, e->bound) && ekka_gpu_look(e->gpu, e->lane, EKKA_GPU_attended, rows * EKKA_GPU_TEAM, compare);
}

static bool judge(struct event *e)
{
	bool good = make_job(e) && load_all(e);

	for (int64_t item = 0; item < e->items && good; item += e->many)
		for (int64_t first = 0; first < e->rows && good; first += e->some)
			good = judge_rows(e, item, min64(e->many, e->items - item), first, min64(e->some, e->rows - first));
	return good;
}

/* What was found, to *ret. */
static bool bring_back(struct event *e, struct ekka_attention_found *ret)
{
	int64_t rows = e->items * e->rows;

	for (int i = 0; i < EKKA_GPU_ATTENTION_OUTPUTS; i++) {
		ret->part[i] = (struct ekka_elements_part){ 0 };
		if (e->parts[i] && (!ekka_gpu_found(e->gpu, e->lane, e->parts[i], e->many * e->some * EKKA_GPU_TEAM, &ret->part[i]) || ret->part[i].n_bad ||
				    (int64_t)ret->part[i].n != e->outputs->array[i]->n))
			return false;
	}
	return ekka_gpu_download(e->gpu, e->lane, ret->near, e->near, (size_t)rows * sizeof *ret->near) && ekka_gpu_finish(e->gpu, e->lane);
}

/* ---- which ------------------------------------------------------------- */

/* Every batch item whole and beside the others. */
static bool dense(const struct ekka_attention *x)
{
	if (x->pages || x->packed_q || x->packed_k || x->partition || x->q->n_dims != 4 || x->k->n_dims != 4 || x->v->n_dims != 4)
		return false;
	for (int64_t b = 0; b < x->batch; b++)
		if (x->q_len[b] != x->m || x->k_len[b] != x->n || x->q_start[b] || x->k_start[b])
			return false;
	return x->q->dim[2] == x->m && x->m > 0 && x->n > 0;
}

static bool pays(const struct ekka_attention *x)
{
	return (double)x->batch * (double)x->heads * (double)x->m * (double)x->n * (double)x->d >= PAYS;
}

bool ekka_gpu_attention_event(struct ekka_backend *base, const struct ekka_attention *x, const struct ekka_attention_outputs *outputs, struct ekka_attention_found *ret)
{
	struct event e = { .gpu = (struct ekka_gpu *)base, .x = x, .outputs = outputs, .items = x->batch * x->heads_k, .rows = x->heads / x->heads_k * x->m };
	bool good;

	if (!dense(x) || x->alibi || x->k_scale != 1 || x->v_scale != 1 || (!(e.gpu->flags & EKKA_GPU_ALWAYS) && !pays(x)))
		return false;
	e.some = min64(e.rows, ekka_gpu_attention_logits / x->n);
	e.many = e.some < e.rows ? 1 : min64(e.items, ekka_gpu_attention_logits / (e.rows * x->n));
	if (e.some < 1 || lay_out(&e, 0) > MOST_BYTES)
		return false;
	e.lane = ekka_gpu_take(e.gpu, lay_out(&e, 0));
	if (!e.lane)
		return false;
	(void)lay_out(&e, e.lane->memory);
	good = judge(&e) && bring_back(&e, ret);
	if (!good)
		(void)ekka_gpu_finish(e.gpu, e.lane);	/* what is under way reads the lane's memory */
	ekka_gpu_give(e.gpu, e.lane);
	return good;
}
