/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Op "conv": y[n, k, o...] = act(alpha * sum over c, r... of x[n, g C/G + c, o * stride - pad + r * dilation] * w[k, c, r...] + beta * z + bias[k]) for one to three
 * spatial dims, g the group of k; without z, beta is of what y held before. With `flip` the window is mirrored. Elements outside x are 0. Layouts are
 * whatever the strides say. `activation` is a function's name or an expression of `r` (replay/expr.h).
 *
 * `transposed`: the sum is over those c, r for which (o + pad - r * dilation) / stride, in every dim, is a whole number within x; w is [C, K/G, ...]. That is
 * the gradient of a convolution's input (Dumoulin and Visin, A guide to convolution arithmetic for deep learning, 2016, chapter 4).
 *
 * The reference multiplies, image by image and group by group, the weights with a panel of x's windows, in float64, and the magnitudes of
 * both once more for the bounds.
 *
 * Bound: compare/bound.h for K = C/G * prod(window) terms. An implicit product's order of the terms is not known (c or r first), so that where bound.h looks
 * at partial sums or at groups of terms, S = sum |x w| is taken, which is at least as large. Partial sums of a split K are taken to be kept in f32. f32 on
 * a device may be cut to tf32 unless `compute` says "f32", or the kernel is no library's.
 *
 * Winograd's and FFT's algorithms err by the size of the whole transformed tile and not by S: for FFT |error| <= c u log2(size) |x| |w| with the Euclidean norms of image
 * and window (Higham 2002, section 24.1, for each transform); c = 16 is taken, which Winograd's F(4x4, 3x3) stays below on images of some tiles. `algorithm` =
 * "winograd" or "fft" says that they are used, "direct" or "gemm" that they are not; where it is not known, f32 elements beyond the first bound and
 * within this one leave the event UNDECIDED. The same for 16-bit types that are known to be transformed: transforms in f32 (seen of cuDNN's F(4x4, 3x3) in bf16 on an
 * H200); if they were kept in those types themselves, u of the type on the elements of the window alone, c u |x| |w|: what lies between leaves the event UNDECIDED.
 */
#include "replay/op_conv.h"

#include <cblas.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "replay/op_job.h"

static const double TRANSFORM = 16;
enum { PANEL = 1 << 20, MOST_POSITIONS = 4096 };	/* doubles in a panel */

bool ekka_conv_list(const struct ekka_rows *r, const char *name, unsigned dims, int64_t fallback, int64_t least, int64_t ret[EKKA_CONV_DIMS])
{
	const char *text = ekka_rows_text(r, name, NULL);
	double number = ekka_rows_number(r, name, (double)fallback);

	for (unsigned d = 0; d < EKKA_CONV_DIMS; d++)
		ret[d] = d < EKKA_CONV_DIMS - dims ? fallback : (int64_t)number;
	for (unsigned d = EKKA_CONV_DIMS - dims; text && d < EKKA_CONV_DIMS; d++) {
		char *end;

		ret[d] = strtoll(text, &end, 10);
		if (end == text || (*end != ',' && *end != '\0') || (*end == '\0') != (d == EKKA_CONV_DIMS - 1))
			return false;
		text = end + 1;
	}
	for (unsigned d = 0; d < EKKA_CONV_DIMS; d++)
		if (ret[d] < least || ret[d] > 1 << 20)
			return false;
	return true;
}

static bool take_shape(struct ekka_conv *x)
{
	struct ekka_conv_shape *s = &x->shape;
	unsigned dims = x->x->n_dims - 2;

	if (x->x->n_dims < 3 || dims > EKKA_CONV_DIMS || x->w->n_dims != x->x->n_dims || x->y->n_dims != x->x->n_dims ||
	    !ekka_conv_list(&x->rows, "pad", dims, 0, 0, s->pad) || !ekka_conv_list(&x->rows, "stride", dims, 1, 1, s->stride) ||
	    !ekka_conv_list(&x->rows, "dilation", dims, 1, 1, s->dilation))
		return false;
	s->n = x->x->dim[0];
	s->c = x->x->dim[1];
	s->k = x->y->dim[1];
	s->groups = (int64_t)ekka_rows_number(&x->rows, "groups", 1);
	s->n_in = s->n_window = s->n_out = 1;
	for (unsigned d = 0; d < EKKA_CONV_DIMS; d++) {
		bool is_real = d >= EKKA_CONV_DIMS - dims;
		unsigned from = is_real ? d + 2 - (EKKA_CONV_DIMS - dims) : 0;

		s->in[d] = is_real ? x->x->dim[from] : 1;
		s->window[d] = is_real ? x->w->dim[from] : 1;
		s->out[d] = is_real ? x->y->dim[from] : 1;
		s->pad[d] = is_real ? s->pad[d] : 0;
		s->n_in *= s->in[d];
		s->n_window *= s->window[d];
		s->n_out *= s->out[d];
		if (((x->transposed ? s->out[d] : s->in[d]) + 2 * s->pad[d] - s->dilation[d] * (s->window[d] - 1) - 1) / s->stride[d] + 1 !=
		    (x->transposed ? s->in[d] : s->out[d]))
			return false;
	}
	return s->groups > 0 && s->c % s->groups == 0 && s->k % s->groups == 0 && x->w->dim[0] == (x->transposed ? s->c : s->k) &&
	       x->w->dim[1] == (x->transposed ? s->k : s->c) / s->groups && x->y->dim[0] == s->n;
}

static int take_activation(struct ekka_conv *x, enum ekka_dtype compute, struct ekka_error *err)
{
	const struct ekka_expr_symbol symbol = { .name = "r", .kind = EKKA_EXPR_REAL };
	const char *name = ekka_rows_text(&x->rows, "activation", "none");
	struct ekka_error why = { 0 };
	char text[256];

	if (!strcmp(name, "none") || !strcmp(name, "identity"))
		return 0;
	if (!strcmp(name, "elu"))
		name = "r > 0 ? r : exp(r) - 1";	/* as cuDNN computes it, with the difference's error */
	(void)snprintf(text, sizeof text, strpbrk(name, "( ") ? "%s" : "%s(r)", name);
	if (ekka_expr_parse(text, &symbol, 1, compute, &x->activation, &why) < 0) {
		ekka_rows_settle(&x->rows, EKKA_UNSUPPORTED, why.message);
		return 0;
	}
	ekka_expr_stored_as(x->activation, 0, x->y->dtype);
	x->state = ekka_expr_state_new(x->activation);
	return x->state ? 0 : ekka_error_set(err, EKKA_ERR_NOMEM, "no memory to evaluate an activation");
}

/* What is known about the arithmetic; false: nothing is (the model says why). */
static bool take_model(struct ekka_conv *x)
{
	const struct ekka_event *e = x->rows.event;
	struct ekka_job job = { .event = e };
	bool kernel = e->fn && e->fn->library && !strcmp(e->fn->library, "kernel");
	const char *algorithm = ekka_rows_text(&x->rows, "algorithm", "");
	enum ekka_dtype out = x->y->dtype;
	struct ekka_bound_facts facts = {
		.a = x->x->dtype, .b = x->w->dtype, .out = ekka_dtype_is_integer(out) && out != EKKA_I32 ? EKKA_F32 : out, .k = x->depth,
		.compute = ekka_job_compute_type(e), .math = -1, .on_device = true, .splits_known = true,
	};

	if (facts.compute < 0 && x->x->dtype == EKKA_F32 && !kernel)
		facts.math = 3;		/* CUBLAS_TF32_TENSOR_OP_MATH */
	ekka_job_device(&job, &facts);
	x->transforms = !strcmp(algorithm, "winograd") || !strcmp(algorithm, "fft");
	x->may_transform = x->x->dtype == EKKA_F32 && !kernel && strcmp(algorithm, "direct") != 0 && strcmp(algorithm, "gemm") != 0;
	x->narrow_u = ekka_dtype_bytes(x->x->dtype) == 2 ? ekka_dtype_unit_roundoff(x->x->dtype) : 0;
	return ekka_bound_model_init(&x->model, &facts) == 0;
}

static int take_tensors(struct ekka_conv *x, struct ekka_error *err)
{
	struct ekka_rows *r = &x->rows;
	int n = ekka_rows_take(r, "x", EKKA_PRE, true, &x->x, err);

	x->transposed = ekka_rows_number(r, "transposed", 0) != 0;
	x->flip = ekka_rows_number(r, "flip", 0) != 0;
	if (n == 0)
		n = ekka_rows_take(r, "w", EKKA_PRE, true, &x->w, err);
	if (n == 0)
		n = ekka_rows_take(r, "z", EKKA_PRE, false, &x->z, err);
	if (n == 0)
		n = ekka_rows_output(r, "y", &x->y, err);
	x->alpha = ekka_rows_number(r, "alpha", 1);
	x->beta = ekka_rows_number(r, "beta", x->z ? 1 : 0);
	if (n == 0 && x->beta != 0 && !x->z)
		n = ekka_rows_take(r, "y", EKKA_PRE, true, &x->before, err);
	if (n == 0 && !r->settled && (!x->y || !take_shape(x) || (x->z && x->z->n != x->y->n)))
		ekka_rows_settle(r, EKKA_INCOMPLETE, "the dimensions of x, w and y do not fit together");
	return n;
}

static int take_bias(struct ekka_conv *x, struct ekka_error *err)
{
	struct ekka_array *bias;
	int n = ekka_rows_take(&x->rows, "bias", EKKA_PRE, false, &bias, err);

	if (n < 0 || !bias)
		return n;
	if (bias->n != x->shape.k) {
		ekka_rows_settle(&x->rows, EKKA_INCOMPLETE, "the bias has another length than y has channels");
		return 0;
	}
	x->bias = ekka_rows_buffer(&x->rows, bias->n, err);
	if (!x->bias)
		return EKKA_ERR_NOMEM;
	ekka_array_get(bias, 0, (size_t)bias->n, x->bias);
	return 0;
}

static int take_buffers(struct ekka_conv *x, struct ekka_error *err)
{
	const struct ekka_conv_shape *s = &x->shape;
	int64_t rows = s->k / s->groups;
	const struct { double **to; int64_t n; } all[] = {
		{ &x->image, s->c / s->groups * s->n_in }, { &x->weight, rows * x->depth }, { &x->abs_weight, rows * x->depth },
		{ &x->cols, x->depth * x->block }, { &x->ref, rows * x->block }, { &x->sums, rows * x->block },
		{ &x->bound, x->block }, { &x->got, x->block }, { &x->wide, x->block }, { &x->window_norm, x->block }, { (double **)(void *)&x->place, x->block },
	};

	for (unsigned i = 0; i < sizeof all / sizeof all[0]; i++) {
		*all[i].to = ekka_rows_buffer(&x->rows, all[i].n, err);
		if (!*all[i].to)
			return EKKA_ERR_NOMEM;
	}
	return 0;
}

static int prepare(void *arg, struct ekka_error *err)
{
	struct ekka_conv *x = arg;
	struct ekka_rows *r = &x->rows;
	int n = take_tensors(x, err);

	if (n < 0 || r->settled)
		return n;
	x->depth = x->shape.c / x->shape.groups * x->shape.n_window;
	x->block = PANEL / x->depth < 16 ? 16 : PANEL / x->depth < MOST_POSITIONS ? PANEL / x->depth : MOST_POSITIONS;
	x->block = x->block < x->shape.n_out ? x->block : x->shape.n_out;
	if (!take_model(x))
		ekka_rows_settle(r, EKKA_UNSUPPORTED, x->model.text);
	if (!r->settled)
		n = take_bias(x, err);
	if (n == 0 && !r->settled)
		n = take_activation(x, ekka_rows_compute(r, x->x->dtype), err);
	return n < 0 || r->settled ? n : take_buffers(x, err);
}

/* ---- the product ------------------------------------------------------- */

int64_t ekka_conv_place(const struct ekka_conv *x, int64_t position, int64_t r, bool flip)
{
	const struct ekka_conv_shape *s = &x->shape;
	int64_t rest = flip ? s->n_window - 1 - r : r, place = 0, step = 1;

	for (unsigned d = EKKA_CONV_DIMS; d-- > 0; position /= s->out[d], rest /= s->window[d]) {
		int64_t o = position % s->out[d], tap = rest % s->window[d] * s->dilation[d];
		int64_t i = x->transposed ? o + s->pad[d] - tap : o * s->stride[d] - s->pad[d] + tap;

		if (x->transposed && i % s->stride[d] != 0)
			return -1;
		i /= x->transposed ? s->stride[d] : 1;
		if (i < 0 || i >= s->in[d])
			return -1;
		place += i * step;
		step *= s->in[d];
	}
	return place;
}

int64_t ekka_conv_weight(const struct ekka_conv *x, int64_t k, int64_t c, int64_t r)
{
	const struct ekka_conv_shape *s = &x->shape;
	int64_t channels = s->c / s->groups, rows = s->k / s->groups;

	return (x->transposed ? (k / rows * channels + c) * rows + k % rows : k * channels + c) * s->n_window + r;
}

/* One group's weights as [k, c, r...]. */
static void fill_weights(struct ekka_conv *x, int64_t group)
{
	const struct ekka_conv_shape *s = &x->shape;
	int64_t rows = s->k / s->groups, channels = s->c / s->groups;

	for (int64_t row = 0; x->transposed && row < rows; row++)
		for (int64_t c = 0; c < channels; c++)
			ekka_array_get(x->w, ekka_conv_weight(x, group * rows + row, c, 0), (size_t)s->n_window, x->weight + (row * channels + c) * s->n_window);
	if (!x->transposed)
		ekka_array_get(x->w, group * rows * x->depth, (size_t)(rows * x->depth), x->weight);
	for (int64_t i = 0; i < rows * x->depth; i++)
		x->abs_weight[i] = fabs(x->weight[i]);
}

/* Panel of windows: row (c, r), column position. */
static void fill_panel(struct ekka_conv *x, int64_t first, int64_t n)
{
	const struct ekka_conv_shape *s = &x->shape;

	for (int64_t r = 0; r < s->n_window; r++) {
		for (int64_t p = 0; p < n; p++)
			x->place[p] = ekka_conv_place(x, first + p, r, x->flip);
		for (int64_t c = 0; c < s->c / s->groups; c++) {
			const double *from = x->image + c * s->n_in;
			double *to = x->cols + (c * s->n_window + r) * n;

			for (int64_t p = 0; p < n; p++)
				to[p] = x->place[p] < 0 ? 0 : from[x->place[p]];
		}
	}
}

static void multiply(const struct ekka_conv *x, const double *weight, int64_t n, double *ret)
{
	int rows = (int)(x->shape.k / x->shape.groups);

	cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, rows, (int)n, (int)x->depth, 1, weight, (int)x->depth, x->cols, (int)n, 0, ret, (int)n);
}

static void activate(struct ekka_conv *x, int64_t n, double *ref, double *bound)
{
	const int64_t *const index[EKKA_MAX_DIMS] = { NULL };
	struct ekka_expr_result result[EKKA_EXPR_RESULTS];

	for (int64_t done = 0, m; done < n; done += m) {
		const struct ekka_expr_input input = { .re = ref + done, .error = bound + done };

		m = n - done < EKKA_EXPR_BLOCK ? n - done : EKKA_EXPR_BLOCK;
		ekka_expr_eval(x->activation, x->state, (size_t)m, &input, index, result);
		for (int64_t i = 0; i < m; i++)
			ref[done + i] = result[0].re ? result[0].re[i] : (double)result[0].ints[i];
		memcpy(bound + done, result[0].error, (size_t)m * sizeof *bound);
	}
}

/* Integers that are stored from reals: to the nearest, clamped. */
static void store_integers(enum ekka_dtype t, int64_t n, double *ref, double *bound)
{
	double low = t == EKKA_U8 ? 0 : -128, high = t == EKKA_U8 ? 255 : 127;

	for (int64_t i = 0; i < n; i++) {
		ref[i] = ref[i] < low ? low : ref[i] > high ? high : ref[i];
		bound[i] += 0.5;
	}
}

void ekka_conv_finish(struct ekka_conv *x, int64_t image, int64_t k, int64_t first, int64_t n, double *ref, double *bound, bool bias, bool activation)
{
	const struct ekka_conv_shape *s = &x->shape;
	const struct ekka_array *z = x->z ? x->z : x->before;
	double u = x->model.u_acc;

	if (z && x->beta != 0)
		ekka_array_get(z, (image * s->k + k) * s->n_out + first, (size_t)n, x->got);
	for (int64_t i = 0; i < n; i++) {
		struct ekka_bound_sums sums = { .abs = bound[i], .prefix = bound[i], .chunk = bound[i], .variation = bound[i], .group = bound[i],
						.largest = bound[i] };
		double p = fabs(ref[i]), c0 = z && x->beta != 0 ? x->beta * x->got[i] : 0;

		ref[i] = x->alpha * ref[i] + c0;
		bound[i] = ekka_bound_may_overflow(&x->model, &sums, fabs(x->alpha), fabs(c0), 0, 0) ? INFINITY :
			   ekka_bound_before(&x->model, &sums, fabs(x->alpha), p, fabs(c0)) +
				   (x->model.twofold ? fabs(x->alpha) * (double)x->depth * 0x1p-53 * sums.abs : 0);
		if (x->bias && bias) {
			ref[i] += x->bias[k];
			bound[i] += u * (fabs(ref[i]) + fabs(x->bias[k]));
		}
		if (x->spreads && !isfinite(sums.abs))
			bound[i] = 0;
	}
	if (x->activation && activation)
		activate(x, n, ref, bound);
	if (ekka_dtype_bytes(x->y->dtype) == 1 && ekka_dtype_is_integer(x->y->dtype))
		store_integers(x->y->dtype, n, ref, bound);
}

/* Elements that are beyond their bound, but not beyond this wider one: nothing is known of them. */
static void doubt(struct ekka_conv *x, int64_t n, const double *ref, const double *wide, double *bound)
{
	for (int64_t i = 0; i < n; i++)
		if (bound[i] < wide[i] && !ekka_near_holds(x->y->dtype, x->got[i], (struct ekka_near){ ref[i], bound[i] }) &&
		    ekka_near_holds(x->y->dtype, x->got[i], (struct ekka_near){ ref[i], wide[i] }))
			bound[i] = INFINITY;
}

/* What transforms may make of n elements, whose channel's weights have this norm. */
static void allow_transforms(struct ekka_conv *x, int64_t at, int64_t n, double image_norm, double weight_norm, const double *ref, double *bound)
{
	const struct ekka_conv_shape *s = &x->shape;
	double wide = fabs(x->alpha) * TRANSFORM * 0x1p-24 * log2(2 * (double)(s->n_in + s->n_window)) * image_norm * weight_norm;

	ekka_array_get(x->y, at, (size_t)n, x->got);
	for (int64_t i = 0; i < n; i++) {
		bound[i] = x->transforms ? fmax(bound[i], wide) : bound[i];
		x->wide[i] = x->transforms ? fabs(x->alpha) * TRANSFORM * x->narrow_u * x->window_norm[i] * weight_norm : wide;
	}
	doubt(x, n, ref, x->wide, bound);
}

static double norm(const double *v, int64_t n)
{
	double sum = 0;

	for (int64_t i = 0; i < n; i++)
		sum += v[i] * v[i];
	return sqrt(sum);
}

/* Of the panel, with each window's norm where that is wanted. */
static void take_magnitudes(struct ekka_conv *x, int64_t n)
{
	memset(x->window_norm, 0, (size_t)n * sizeof *x->window_norm);
	for (int64_t k = 0; k < x->depth; k++) {
		double *row = x->cols + k * n;

		for (int64_t p = 0; x->transforms && p < n; p++)
			x->window_norm[p] += row[p] * row[p];
		for (int64_t p = 0; p < n; p++)
			row[p] = fabs(row[p]);
	}
	for (int64_t p = 0; p < n; p++)
		x->window_norm[p] = sqrt(x->window_norm[p]);
}

/* Positions first..first+n-1 of the group's output channels. The model's sums travel in `sums`. */
static void judge_block(struct ekka_conv *x, int64_t image, int64_t group, int64_t first, int64_t n, double image_norm)
{
	const struct ekka_conv_shape *s = &x->shape;
	int64_t rows = s->k / s->groups;

	fill_panel(x, first, n);
	multiply(x, x->weight, n, x->ref);
	take_magnitudes(x, n);
	multiply(x, x->abs_weight, n, x->sums);
	for (int64_t row = 0; row < rows; row++) {
		int64_t k = group * rows + row, at = (image * s->k + k) * s->n_out + first;
		double *ref = x->ref + row * n, *bound = x->sums + row * n;

		ekka_conv_finish(x, image, k, first, n, ref, bound, true, true);
		if (x->may_transform || x->transforms)
			allow_transforms(x, at, n, image_norm, norm(x->weight + row * x->depth, x->depth), ref, bound);
		ekka_rows_compare(&x->rows, x->y, at, n, ref, bound);
	}
}

/* The largest magnitude that is finite. */
static double largest(const double *v, int64_t n)
{
	double most = 0;

	for (int64_t i = 0; i < n; i++)
		most = isfinite(v[i]) && fabs(v[i]) > most ? fabs(v[i]) : most;
	return most;
}

/* Not when finite terms may overflow, or when weights are not finite: some engines multiply them with the padding. */
static bool spreads(const struct ekka_conv *x, int64_t n_image, int64_t n_weight)
{
	double size = largest(x->image, n_image) * largest(x->weight, n_weight) * (double)x->depth * fmax(1, fabs(x->alpha));

	return isfinite(norm(x->weight, n_weight)) && size < x->model.max_acc / 2;
}

static void judge_all(void *arg)
{
	struct ekka_conv *x = arg;
	const struct ekka_conv_shape *s = &x->shape;
	int64_t channels = s->c / s->groups;

	for (int64_t group = 0; group < s->groups; group++) {
		fill_weights(x, group);
		for (int64_t image = 0; image < s->n; image++) {
			double size;

			ekka_array_get(x->x, (image * s->c + group * channels) * s->n_in, (size_t)(channels * s->n_in), x->image);
			size = norm(x->image, channels * s->n_in);
			x->spreads = !isfinite(size) && spreads(x, channels * s->n_in, s->k / s->groups * x->depth);
			for (int64_t p = 0; p < s->n_out; p += x->block)
				judge_block(x, image, group, p, s->n_out - p < x->block ? s->n_out - p : x->block, size);
		}
	}
}

static void say_bound(const void *arg, char text[EKKA_TEXT])
{
	const struct ekka_conv *x = arg;

	(void)snprintf(text, EKKA_TEXT, "%s", x->model.text);
}

static void release(void *arg)
{
	struct ekka_conv *x = arg;

	ekka_expr_state_free(x->state);
	ekka_expr_free(x->activation);
}

static int judge_conv(const struct ekka_op_context *ctx, const struct ekka_event *event, struct ekka_verdict *v, struct ekka_error *err)
{
	static const struct ekka_rows_op op = { sizeof(struct ekka_conv), prepare, judge_all, say_bound, ekka_conv_explain, release, NULL };

	return ekka_rows_run(&op, ctx, event, v, err);
}

const struct ekka_op ekka_op_conv = { "conv", judge_conv };
