/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Op "norm": over the last dim, of n elements, with h = x + residual where there is one,
 *
 *	rms	y = h * rstd * (weight + weight_plus) + bias,		rstd = 1 / sqrt(sum h^2 / n + eps)
 *	layer	y = (h - mean) * rstd * (weight + weight_plus) + bias,	rstd = 1 / sqrt(sum (h - mean)^2 / n + eps)
 *
 * h is stored to residual (inout), or to residual_out. With `round_residual` the norm is taken of h as rounded to that type: where
 * that is a matter of the engine's own error, what was stored is used. With `round_before_weight` the product with rstd is rounded to that type before it is weighted. mean and rstd are
 * judged where they are outputs.
 *
 * Bound. u is the unit roundoff computed in, H as in replay/rows.h, e_h = u |h| where h is used unrounded, else 0.
 *
 *	q = sum h^2:		dq = (H + 2) u q + sum (2 |h| + e_h) e_h + n tiny
 *	mean:			dm = u max(H sum |h| / n + 3 |mean|, (H / 2 + 3) max |h|) + sum e_h / n (any-order sum, or Welford's updates)
 *	M = sum (h - mean)^2:	replay/fold.h, with e_h: plus 4 sqrt(M sum e_h^2) + 4 sum e_h^2
 *	t = q / n + eps:	dt = dq / n + 3 u t
 *	rstd:			(1 - dt / t)^(-1/2) - 1 + 4 u, relative (rsqrt within 2 ulps)
 *	h - mean:		e_h + dm + u |h - mean|, and 2 u (|h| + |mean|) for engines that compute h * rstd - mean * rstd
 *
 * then products and sums with u each. Rounding before the weight: replay/narrow.h.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "compare/clones.h"
#include "replay/op_norm.h"

static bool is_tail(const struct ekka_array *a, const struct ekka_array *x)
{
	return a->n_dims <= x->n_dims && memcmp(a->dim, x->dim + (x->n_dims - a->n_dims), a->n_dims * sizeof a->dim[0]) == 0;
}

/* [n], or the last dims of x's. */
static int take_vector(struct ekka_norm *x, const char *name, const struct ekka_array **ret_array, double **ret, int64_t *ret_rows, struct ekka_error *err)
{
	struct ekka_array *a;
	int n = ekka_rows_take(&x->rows, name, EKKA_PRE, false, &a, err);

	if (n < 0 || !a)
		return n;
	if (a->n % x->n != 0 || x->x->n % a->n != 0 || (a->n > x->n && !is_tail(a, x->x))) {
		ekka_rows_settle(&x->rows, EKKA_INCOMPLETE, "the weight or bias has another length than the rows");
		return 0;
	}
	*ret_array = a;
	*ret_rows = a->n / x->n;
	*ret = ekka_rows_buffer(&x->rows, a->n, err);
	if (!*ret)
		return EKKA_ERR_NOMEM;
	ekka_array_get(a, 0, (size_t)a->n, *ret);
	return 0;
}

static int take_tensors(struct ekka_norm *x, struct ekka_error *err)
{
	struct ekka_rows *r = &x->rows;
	const struct { const char *name; struct ekka_array **to; } outputs[] = {
		{ "y", &x->y }, { "mean", &x->mean_out }, { "rstd", &x->rstd_out }, { "residual", &x->residual_out },
	};
	int n = ekka_rows_take(r, "x", EKKA_PRE, true, &x->x, err);

	if (n == 0)
		n = ekka_rows_take(r, "residual", EKKA_PRE, false, &x->residual, err);
	for (unsigned i = 0; i < sizeof outputs / sizeof outputs[0] && n == 0; i++)
		n = ekka_rows_output(r, outputs[i].name, outputs[i].to, err);
	if (n == 0 && !x->residual_out)
		n = ekka_rows_output(r, "residual_out", &x->residual_out, err);
	if (n == 0 && !x->y)
		n = ekka_rows_output(r, "x", &x->y, err);	/* in place */
	if (n < 0 || r->settled)
		return n;
	x->n = ekka_rows_length(x->x, 1);
	x->n_rows = ekka_rows_count(x->x, 1);
	if ((!x->y && !x->residual_out && !x->mean_out && !x->rstd_out) || (x->y && x->y->n != x->x->n) ||
	    (x->residual && x->residual->n != x->x->n) || (x->residual_out && (!x->residual || x->residual_out->n != x->x->n)) ||
	    (x->mean_out && x->mean_out->n != x->n_rows) || (x->rstd_out && x->rstd_out->n != x->n_rows)) {
		ekka_rows_settle(r, EKKA_INCOMPLETE, "the dimensions of the norm's tensors do not fit together");
		return 0;
	}
	n = take_vector(x, "weight", &x->weight_array, &x->weight, &x->weight_rows, err);
	return n < 0 ? n : take_vector(x, "bias", &x->bias_array, &x->bias, &x->bias_rows, err);
}

static int prepare(void *arg, struct ekka_error *err)
{
	struct ekka_norm *x = arg;
	struct ekka_rows *r = &x->rows;
	double **const buffers[] = { &x->h, &x->error, &x->stored, &x->ref, &x->bound };
	double **const of_rows[] = { &x->mean, &x->mean_bound, &x->rstd, &x->rstd_bound };
	const char *kind = ekka_rows_text(r, "kind", "");
	int n;

	if (strcmp(kind, "rms") != 0 && strcmp(kind, "layer") != 0)
		ekka_rows_settle(r, EKKA_UNSUPPORTED, "no reference for this kind of norm");
	n = take_tensors(x, err);
	if (n < 0 || r->settled)
		return n;
	r->row_length = r->elements_of_row = x->n;
	r->n_rows = x->n_rows;
	x->compute = ekka_rows_compute(r, x->x->dtype);
	x->u = ekka_dtype_unit_roundoff(x->compute) * (x->compute == EKKA_F64 ? 2 : 1);	/* a reference in float64 errs as much */
	x->tiny = ekka_dtype_tiny(x->compute);
	x->additions = ekka_rows_additions(r, x->n, x->u);
	x->one_pass = ekka_rows_number(r, "one_pass", 0) != 0;
	x->form = (struct ekka_norm_form){ .layer = kind[0] == 'l', .eps = ekka_rows_number(r, "eps", 0), .weight = x->weight != NULL,
					   .weight_plus = ekka_rows_number(r, "weight_plus", 0), .bias = x->bias != NULL,
					   .residual = x->residual != NULL, .summed = x->n, .divisor = (double)x->n };
	x->round_residual = ekka_rows_dtype(r, "round_residual", EKKA_F64);
	x->use_stored = x->residual_out && x->round_residual == x->residual_out->dtype && x->round_residual != EKKA_F64;
	x->round_before_weight = ekka_rows_dtype(r, "round_before_weight", EKKA_F64);
	for (unsigned i = 0; i < sizeof buffers / sizeof buffers[0]; i++) {
		*buffers[i] = ekka_rows_buffer(r, x->n > EKKA_ROWS_CHUNK ? x->n : EKKA_ROWS_CHUNK, err);
		if (!*buffers[i])
			return EKKA_ERR_NOMEM;
	}
	for (unsigned i = 0; i < sizeof of_rows / sizeof of_rows[0]; i++) {
		*of_rows[i] = ekka_rows_buffer(r, EKKA_ROWS_CHUNK, err);
		if (!*of_rows[i])
			return EKKA_ERR_NOMEM;
	}
	return 0;
}

/* ---- rows -------------------------------------------------------------- */

/* h and its error, for `rows` rows from `row` on. */
static void load_rows(struct ekka_norm *x, int64_t row, int64_t rows, const struct ekka_norm_form *f)
{
	size_t n = (size_t)(rows * x->n);

	ekka_array_get(x->x, row * x->n, n, x->h);
	memset(x->error, 0, n * sizeof *x->error);
	if (!x->residual || !f->residual)
		return;
	ekka_array_get(x->residual, row * x->n, n, x->stored);
	for (size_t i = 0; i < n; i++) {
		struct ekka_near h = ekka_norm_added(x->h[i], x->stored[i], x->u);

		x->h[i] = h.value;
		x->error[i] = h.error;
	}
}

/* What the norm is taken of, once h itself was judged. */
static void round_rows(struct ekka_norm *x, int64_t row, int64_t rows, const struct ekka_norm_form *f)
{
	size_t n = (size_t)(rows * x->n);

	if (!x->residual || !f->residual || x->round_residual == EKKA_F64)
		return;
	if (x->use_stored)
		ekka_array_get(x->residual_out, row * x->n, n, x->stored);
	for (size_t i = 0; i < n; i++) {
		struct ekka_near near = ekka_narrow_near(x->round_residual, (struct ekka_near){ x->h[i], x->error[i] });

		near = ekka_norm_rounded(near, x->use_stored, x->stored[i]);
		x->h[i] = near.value;
		x->error[i] = near.error;
	}
}

EKKA_CLONES static struct ekka_norm_sums add_up(size_t n, const double *restrict h, const double *restrict error)
{
	enum { LANES = 8 };
	double sum[LANES] = { 0 }, abs[LANES] = { 0 }, squares[LANES] = { 0 }, e1[LANES] = { 0 }, e2[LANES] = { 0 }, top[LANES] = { 0 };
	struct ekka_norm_sums s = { 0 };

	for (size_t i = 0; i < n; i += LANES)
		for (size_t l = 0; l < LANES; l++) {
			double v = i + l < n ? h[i + l] : 0, e = i + l < n ? error[i + l] : 0, a = fabs(v);

			sum[l] += v;
			abs[l] += a;
			squares[l] += v * v;
			e1[l] += e;
			e2[l] += (2 * a + e) * e;
			top[l] = a > top[l] ? a : top[l];
		}
	for (size_t l = 0; l < LANES; l++) {
		s.sum += sum[l];
		s.abs += abs[l];
		s.squares += squares[l];
		s.error += e1[l];
		s.square_errors += e2[l];
		s.greatest = fmax(s.greatest, top[l]);
	}
	return s;
}

EKKA_CLONES static double distances(size_t n, const double *restrict h, double mean)
{
	double sum[8] = { 0 };
	size_t i = 0;

	for (; i + 8 <= n; i += 8)
		for (size_t l = 0; l < 8; l++)
			sum[l] += (h[i + l] - mean) * (h[i + l] - mean);
	for (; i < n; i++)
		sum[0] += (h[i] - mean) * (h[i] - mean);
	return sum[0] + sum[1] + sum[2] + sum[3] + sum[4] + sum[5] + sum[6] + sum[7];
}

struct ekka_norm_limits ekka_norm_limits_of(const struct ekka_norm *x)
{
	return (struct ekka_norm_limits){ x->u, x->tiny, ekka_dtype_largest(x->compute), x->additions, x->one_pass };
}

static struct ekka_norm_stats stats(const struct ekka_norm *x, const struct ekka_norm_form *f, const double *h, const double *error)
{
	struct ekka_norm_sums s = add_up((size_t)f->summed, h, error);
	struct ekka_norm_limits limits = ekka_norm_limits_of(x);

	return ekka_norm_stats_of(&limits, f, &s, f->layer ? distances((size_t)f->summed, h, s.sum / f->divisor) : 0);
}

/* y before the weight: value to ref, error to bound. */
EKKA_CLONES static void scale_row(size_t n, const struct ekka_norm_stats *stats, double u, const double *restrict h, const double *restrict error,
				  double *restrict ref, double *restrict bound)
{
	struct ekka_norm_stats s = *stats;

	for (size_t i = 0; i < n; i++) {
		struct ekka_near y = ekka_norm_scaled(&s, u, h[i], error[i]);

		ref[i] = y.value;
		bound[i] = y.error;
	}
}

EKKA_CLONES static void weigh_row(size_t n, double u, const double *restrict weight, double plus, double *restrict ref, double *restrict bound)
{
	for (size_t i = 0; i < n; i++) {
		struct ekka_near y = ekka_norm_weighted(ekka_near_of(ref[i], bound[i]), u, weight[i], plus);

		ref[i] = y.value;
		bound[i] = y.error;
	}
}

void ekka_norm_row(const struct ekka_norm *x, const struct ekka_norm_form *f, int64_t row, const double *h, const double *error,
		   struct ekka_norm_stats *ret, double *ref, double *bound)
{
	const double *bias = f->bias ? x->bias + row % x->bias_rows * x->n : NULL;

	*ret = stats(x, f, h, error);
	scale_row((size_t)x->n, ret, x->u, h, error, ref, bound);
	for (int64_t i = 0; x->round_before_weight != EKKA_F64 && i < x->n; i++) {
		struct ekka_near near = ekka_narrow_near(x->round_before_weight, (struct ekka_near){ ref[i], bound[i] });

		ref[i] = near.value;
		bound[i] = near.error;
	}
	if (f->weight)
		weigh_row((size_t)x->n, x->u, x->weight + row % x->weight_rows * x->n, f->weight_plus, ref, bound);
	for (int64_t i = 0; bias && i < x->n; i++) {
		struct ekka_near y = ekka_norm_biased(ekka_near_of(ref[i], bound[i]), x->u, bias[i]);

		ref[i] = y.value;
		bound[i] = y.error;
	}
	for (int64_t i = 0; i < x->n; i++)
		bound[i] = ekka_norm_bound(ret, ekka_near_of(ref[i], bound[i]));
}

int64_t ekka_norm_load(struct ekka_norm *x, int64_t row, int64_t rows, const struct ekka_norm_form *f)
{
	load_rows(x, row, rows, f);
	round_rows(x, row, rows, f);
	return rows;
}

static void judge_rows(void *arg)
{
	struct ekka_norm *x = arg;
	int64_t most = x->n < EKKA_ROWS_CHUNK ? EKKA_ROWS_CHUNK / x->n : 1;

	for (int64_t row = x->rows.first, rows; row < x->rows.end; row += rows) {
		rows = x->rows.end - row < most ? x->rows.end - row : most;
		load_rows(x, row, rows, &x->form);
		if (x->residual_out)
			ekka_rows_compare(&x->rows, x->residual_out, row * x->n, rows * x->n, x->h, x->error);
		round_rows(x, row, rows, &x->form);
		for (int64_t i = 0; i < rows; i++) {
			struct ekka_norm_stats s;

			ekka_norm_row(x, &x->form, row + i, x->h + i * x->n, x->error + i * x->n, &s, x->ref + i * x->n, x->bound + i * x->n);
			x->mean[i] = s.mean;
			x->mean_bound[i] = s.mean_error;
			x->rstd[i] = s.rstd;
			x->rstd_bound[i] = s.rstd_error;
		}
		if (x->y)
			ekka_rows_compare(&x->rows, x->y, row * x->n, rows * x->n, x->ref, x->bound);
		if (x->mean_out)
			ekka_rows_compare(&x->rows, x->mean_out, row, rows, x->mean, x->mean_bound);
		if (x->rstd_out)
			ekka_rows_compare(&x->rows, x->rstd_out, row, rows, x->rstd, x->rstd_bound);
	}
}

static void say_bound(const void *arg, char text[EKKA_TEXT])
{
	const struct ekka_norm *x = arg;

	(void)snprintf(text, EKKA_TEXT, "any-order moments in %s, %g additions, n=%lld", ekka_dtype_name(x->compute), x->additions, (long long)x->n);
}

static int judge_norm(const struct ekka_op_context *ctx, const struct ekka_event *event, struct ekka_verdict *v, struct ekka_error *err)
{
	static const struct ekka_rows_op op = { sizeof(struct ekka_norm), prepare, judge_rows, say_bound, ekka_norm_explain, NULL, ekka_norm_device };

	return ekka_rows_run(&op, ctx, event, v, err);
}

const struct ekka_op ekka_op_norm = { "norm", judge_norm };
