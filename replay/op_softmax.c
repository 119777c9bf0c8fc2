/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Op "softmax": y = exp(s - max s) / sum exp(s - max s) over the last dim, s = x * scale + mask; with `log`, y = s - max s - log of that sum. The mask
 * has x's dims or fewer (broadcast); with `mask_keep` it keeps where it is non-zero, with `mask_drop` where it is zero, and is not added.
 * A row of which nothing is left is NaN, or 0 with `empty` = "zero".
 *
 * Bound. u is the unit roundoff computed in (replay/rows.h), d = s - max s. The exponent that reaches exp is wrong by at most
 *
 *	eta = u (k |s| + 4 |d|)		k = 1, and 1 more for each of scale and mask
 *
 * which covers exp2((x log2 e) - (max log2 e)) and its fused form, with the constant rounded (what is wrong with max alone cancels in the quotient); with
 * `exp2` = 0, where the kernel is known to take exp of the difference, k is 1 less. Without scale x + mask is rounded as the engine does, and adds nothing.
 * exp itself is taken to be as good as CUDA's __expf: 2 + 1.173 |d| ulps of 2 u each (CUDA C++ Programming Guide, intrinsic functions). With e the sum of
 * both, and E the weighted mean of e plus h u for the sum (h = n - 1 or by `depth`; this covers online normalisation in blocks of 8 elements or more, too):
 *
 *	|y' - y| <= y (e + 4 u + E) / (1 - E) + 2 tiny		4 u: quotient, or product with a reciprocal, approximate
 *	log: |y' - y| <= eta + E / (1 - E) + 4 u |L| + 2^-21.4 (u / 2^-24) + u (|max| + |L| + |d| + |y|)
 *
 * L the logarithm of the sum, 2^-21.4 the absolute error of CUDA's __logf between 0.5 and 2. tiny: results below are flushed.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "compare/clones.h"
#include "replay/rows_device.h"

struct softmax {
	struct ekka_rows rows;
	struct ekka_array *x, *y, *mask;
	enum ekka_mask_kind mask_kind;
	bool empty_is_zero;
	enum ekka_dtype compute;
	struct ekka_softmax_limits limits;
	int64_t n, n_rows;
	struct ekka_softmax_form form;
	double *s, *m, *ref, *bound;	/* a row of logits and of the mask, its results and bounds; or several rows */
};

static int prepare(void *arg, struct ekka_error *err)
{
	struct softmax *x = arg;
	struct ekka_rows *r = &x->rows;
	double **const buffers[] = { &x->s, &x->m, &x->ref, &x->bound };
	int n = ekka_rows_take(r, "x", EKKA_PRE, true, &x->x, err);

	if (n == 0)
		n = ekka_rows_output(r, "y", &x->y, err);
	if (n == 0 && !x->y)
		n = ekka_rows_output(r, "x", &x->y, err);	/* in place */
	if (n == 0)
		n = ekka_rows_take(r, "mask", EKKA_PRE, false, &x->mask, err);
	if (n < 0 || r->settled)
		return n;
	x->n = ekka_rows_length(x->x, 1);
	x->n_rows = ekka_rows_count(x->x, 1);
	if (!x->y || x->y->n != x->x->n || (x->mask && !ekka_array_broadcast(x->mask, x->x->n_dims, x->x->dim))) {
		ekka_rows_settle(r, EKKA_INCOMPLETE, "the dimensions of x, y and the mask do not fit together");
		return 0;
	}
	r->row_length = r->elements_of_row = x->n;
	r->n_rows = x->n_rows;
	x->form = (struct ekka_softmax_form){ .scale = ekka_rows_number(r, "scale", 1), .log = ekka_rows_number(r, "log", 0) != 0,
				 .masked = x->mask != NULL, .summed = x->n };
	x->mask_kind = ekka_rows_number(r, "mask_keep", 0) != 0 ? EKKA_MASK_KEEPS : ekka_rows_number(r, "mask_drop", 0) != 0 ? EKKA_MASK_DROPS : EKKA_MASK_ADDED;
	x->empty_is_zero = !strcmp(ekka_rows_text(r, "empty", "nan"), "zero");
	x->compute = ekka_rows_compute(r, x->x->dtype);
	x->limits.u = ekka_dtype_unit_roundoff(x->compute);
	x->limits.tiny = ekka_dtype_tiny(x->compute);
	x->limits.rounds_sum = x->mask && x->mask_kind == EKKA_MASK_ADDED && x->form.scale == 1 && x->compute == EKKA_F32;
	x->limits.k = (ekka_rows_number(r, "exp2", 1) != 0) + (x->form.scale != 1) + (x->mask && !x->limits.rounds_sum);
	x->limits.additions = ekka_rows_additions(r, x->n, x->limits.u);
	for (unsigned i = 0; i < sizeof buffers / sizeof buffers[0]; i++) {
		*buffers[i] = ekka_rows_buffer(r, x->n > EKKA_ROWS_CHUNK ? x->n : EKKA_ROWS_CHUNK, err);
		if (!*buffers[i])
			return EKKA_ERR_NOMEM;
	}
	return 0;
}

/* ---- a row ------------------------------------------------------------- */

/* s = x * scale + mask in place. */
static void mask_row(const struct softmax *x, int64_t row, const struct ekka_softmax_form *f, double *s)
{
	for (int64_t j = 0; f->scale != 1 && j < x->n; j++)
		s[j] *= f->scale;
	if (!f->masked)
		return;
	ekka_array_get(x->mask, row * x->n, (size_t)x->n, x->m);
	for (int64_t j = 0; j < x->n; j++) {
		int64_t at = j + f->mask_shift;
		double m = x->m[at < 0 ? 0 : at < x->n ? at : x->n - 1];

		s[j] = ekka_softmax_masked(s[j], m, x->mask_kind, x->limits.rounds_sum);
	}
}

enum { LANES = 8 };		/* independent sums, so that they vectorise */

EKKA_CLONES static double largest(size_t n, const double *s, bool *ret_nan)
{
	double max[LANES], nan[LANES] = { 0 };
	size_t i = 0;

	for (unsigned l = 0; l < LANES; l++)
		max[l] = -INFINITY;
	for (; i + LANES <= n; i += LANES)
		for (unsigned l = 0; l < LANES; l++) {
			max[l] = s[i + l] > max[l] ? s[i + l] : max[l];
			nan[l] += s[i + l] == s[i + l] ? 0 : 1;
		}
	for (; i < n; i++) {
		max[0] = s[i] > max[0] ? s[i] : max[0];
		nan[0] += s[i] == s[i] ? 0 : 1;
	}
	for (unsigned l = 1; l < LANES; l++) {
		max[0] = max[l] > max[0] ? max[l] : max[0];
		nan[0] += nan[l];
	}
	*ret_nan = nan[0] > 0;
	return max[0];
}

/* Exponentials to p, their relative errors to e. `floor`: what is below is flushed, or too small to matter. */
EKKA_CLONES static void exponentials(size_t n, const double *restrict s, double max, double u, double k, double floor, double *restrict p,
				     double *restrict e)
{
	for (size_t i = 0; i < n; i++) {
		p[i] = ekka_exp(s[i] - max);
		e[i] = ekka_softmax_relative(s[i], max, u, k, floor);
	}
}

static void exact_exponentials(int64_t n, const double *s, double max, double *p)
{
	for (int64_t i = 0; i < n; i++)
		p[i] = exp(s[i] - max);
}

EKKA_CLONES static struct ekka_softmax_sums add_up(size_t n, const double *restrict p, const double *restrict e)
{
	double sum[LANES] = { 0 }, error[LANES] = { 0 };
	size_t i = 0;

	for (; i + LANES <= n; i += LANES)
		for (unsigned l = 0; l < LANES; l++) {
			sum[l] += p[i + l];
			error[l] += ekka_softmax_weighted(p[i + l], e[i + l]);
		}
	for (; i < n; i++) {
		sum[0] += p[i];
		error[0] += ekka_softmax_weighted(p[i], e[i]);
	}
	for (unsigned l = 1; l < LANES; l++) {
		sum[0] += sum[l];
		error[0] += error[l];
	}
	return (struct ekka_softmax_sums){ sum[0], error[0] };
}

EKKA_CLONES static void quotients(size_t n, double sum, double total, double u, double tiny, double *restrict ref, double *restrict bound)
{
	for (size_t i = 0; i < n; i++) {
		struct ekka_near y = ekka_softmax_quotient(ref[i], bound[i], sum, total, u, tiny);

		ref[i] = y.value;
		bound[i] = y.error;
	}
}

static void logarithms(const struct softmax *x, const double *s, double max, double sum, double total, double *ref, double *bound)
{
	double l = log(sum), fixed = ekka_softmax_fixed(&x->limits, max, l, total);

	for (int64_t i = 0; i < x->n; i++) {
		struct ekka_near y = ekka_softmax_logarithm(&x->limits, s[i], max, l, fixed);

		ref[i] = y.value;
		bound[i] = y.error;
	}
}

static void fill(int64_t n, double *p, double value)
{
	for (int64_t i = 0; i < n; i++)
		p[i] = value;
}

/* Results and bounds of one row; s holds x and is changed. */
static void one_row(struct softmax *x, int64_t row, const struct ekka_softmax_form *f, double *s, double *ref, double *bound)
{
	double u = ekka_softmax_u(&x->limits), floor = log(x->limits.tiny), max, total;
	struct ekka_softmax_sums t;
	bool nan;

	mask_row(x, row, f, s);
	max = largest((size_t)x->n, s, &nan);
	if (nan || isinf(max)) {
		fill(x->n, ref, max == -INFINITY && !nan && x->empty_is_zero ? 0 : NAN);
		fill(x->n, bound, 0);
		return;
	}
	exponentials((size_t)x->n, s, max, u, x->limits.k, floor, ref, bound);
	if (x->compute == EKKA_F64)
		exact_exponentials(x->n, s, max, ref);
	t = add_up((size_t)f->summed, ref, bound);
	total = ekka_softmax_total(&x->limits, &t, x->n);
	if (!(total < 0.5))
		fill(x->n, bound, INFINITY);
	if (f->log)
		logarithms(x, s, max, t.sum, total < 0.5 ? total : INFINITY, ref, bound);
	else
		quotients((size_t)x->n, t.sum, total < 0.5 ? total : 0, u, x->limits.tiny, ref, bound);
}

static void judge_rows(void *arg)
{
	struct softmax *x = arg;
	int64_t most = x->n < EKKA_ROWS_CHUNK ? EKKA_ROWS_CHUNK / x->n : 1;

	for (int64_t row = x->rows.first, rows; row < x->rows.end; row += rows) {
		rows = x->rows.end - row < most ? x->rows.end - row : most;
		ekka_array_get(x->x, row * x->n, (size_t)(rows * x->n), x->s);
		for (int64_t i = 0; i < rows; i++)
			one_row(x, row + i, &x->form, x->s + i * x->n, x->ref + i * x->n, x->bound + i * x->n);
		ekka_rows_compare(&x->rows, x->y, row * x->n, rows * x->n, x->ref, x->bound);
	}
}

/* ---- what a wrong result looks like ------------------------------------ */

/* Does this form give every row that holds a remembered wrong element. */
static bool explains(struct softmax *x, const struct ekka_softmax_form *f)
{
	const struct ekka_rows *r = &x->rows;

	for (unsigned i = 0; i < r->n_wrong; i++) {
		int64_t row = r->wrong[i].index / x->n;

		ekka_array_get(x->x, row * x->n, (size_t)x->n, x->s);
		one_row(x, row, f, x->s, x->ref, x->bound);
		ekka_array_get(x->y, row * x->n, (size_t)x->n, x->s);
		for (int64_t j = 0; j < x->n; j++)
			if (!ekka_near_holds(x->y->dtype, x->s[j], (struct ekka_near){ x->ref[j], x->bound[j] }))
				return false;
	}
	return r->n_wrong > 0;
}

/* The scale that the first wrong row's largest and another result speak of; NaN when none can be told. */
static double fitted_scale(struct softmax *x)
{
	int64_t row = x->rows.wrong[0].index / x->n, top = 0, low = -1;

	ekka_array_get(x->x, row * x->n, (size_t)x->n, x->s);
	ekka_array_get(x->y, row * x->n, (size_t)x->n, x->ref);
	for (int64_t j = 1; j < x->n; j++)
		top = x->s[j] > x->s[top] ? j : top;
	for (int64_t j = 0; j < x->n; j++)
		if (x->ref[j] > x->ref[top] / 64 && (low < 0 || x->s[j] < x->s[low]))
			low = j;
	return low < 0 ? NAN : log(x->ref[top] / x->ref[low]) / (x->s[top] - x->s[low]);
}

static void explain_mask(struct softmax *x)
{
	struct ekka_softmax_form f = x->form;

	f.masked = false;
	if (explains(x, &f))
		ekka_rows_looks_like(&x->rows, "as if there was no mask");
	f.masked = true;
	for (int shift = -1; shift <= 1; shift += 2) {
		f.mask_shift = shift;
		if (explains(x, &f))
			ekka_rows_looks_like(&x->rows, "as if the mask was off by one, shifted to the %s", shift < 0 ? "right" : "left");
	}
}

static void explain(void *arg)
{
	struct softmax *x = arg;
	struct ekka_softmax_form f = x->form;

	if (x->rows.n_wrong == 0)
		return;
	if (x->mask)
		explain_mask(x);
	f.log = !f.log;
	if (explains(x, &f))
		ekka_rows_looks_like(&x->rows, f.log ? "as if the logarithm was taken" : "as if no logarithm was taken");
	f = x->form;
	for (int64_t step = 1; step <= 65536 && step < x->n; step *= 2) {
		f.summed = step == 1 ? x->n - 1 : x->n - x->n % step;
		if (f.summed < x->n && explains(x, &f))
			ekka_rows_looks_like(&x->rows, "as if the sum ended at element %lld of %lld", (long long)f.summed, (long long)x->n);
	}
	f = x->form;
	f.scale = 1;
	if (x->form.scale != 1 && explains(x, &f))
		ekka_rows_looks_like(&x->rows, "as if there was no scale");
	f.scale = f.log || x->mask ? NAN : fitted_scale(x);
	if (isfinite(f.scale) && fabs(f.scale / x->form.scale - 1) > 0.001) {
		double exact = f.scale;

		for (int i = -2; i <= 2; i++) {		/* the fit is as coarse as y's type */
			f.scale = exact * (1 + 0.5 * i * ekka_dtype_unit_roundoff(x->y->dtype));
			if (explains(x, &f))
				ekka_rows_looks_like(&x->rows, "as if the scale was %.4g instead of %.4g", f.scale, x->form.scale);
		}
	}
}

static void say_bound(const void *arg, char text[EKKA_TEXT])
{
	const struct softmax *x = arg;

	(void)snprintf(text, EKKA_TEXT, "logits, exp and any-order sum in %s, %g additions, n=%lld", ekka_dtype_name(x->compute), x->limits.additions,
		       (long long)x->n);
}

/* ---- on a device ------------------------------------------------------- */

static bool on_device(void *arg)
{
	struct softmax *x = arg;
	struct ekka_softmax_job job = { .n = x->n, .n_rows = x->n_rows, .form = x->form, .mask_kind = x->mask_kind, .limits = x->limits,
					.floor = log(x->limits.tiny), .exact = x->compute == EKKA_F64, .empty = x->empty_is_zero ? 0 : NAN };
	struct ekka_rows_work w = { .job = &job, .bytes = sizeof job, .n_steps = 1, .step = { { EKKA_ROWS_softmax_rows, x->n_rows } } };

	ekka_rows_work_in(&w, x->x, &job.x);
	ekka_rows_work_in(&w, x->mask, &job.mask);
	ekka_rows_work_out(&w, x->y, &job.y);
	return ekka_rows_on_device(&x->rows, &w);
}

static int judge_softmax(const struct ekka_op_context *ctx, const struct ekka_event *event, struct ekka_verdict *v, struct ekka_error *err)
{
	static const struct ekka_rows_op op = { sizeof(struct softmax), prepare, judge_rows, say_bound, explain, NULL, on_device };

	return ekka_rows_run(&op, ctx, event, v, err);
}

const struct ekka_op ekka_op_softmax = { "softmax", judge_softmax };
