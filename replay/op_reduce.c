/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Op "reduce": out0[k...] = kind over r... of in0[k..., r...], the reduced dims last (attribute `reduced`, their number), by replay/fold.h, where the bounds
 * are derived. Integers are reduced exactly, modulo 2^64 and then the output's width, as two's complement engines do.
 *
 * Second output out1: the index with `index` (of max and min); the mean of var and std. An index counts in row-major order of the reduced dims; of
 * equal values any is right, the lowest alone with `ties` = "first". NaN is the largest and the smallest, as in PyTorch: its index is given.
 *
 * `map` makes the terms of in0, in1..., `finish` the result of what was reduced (replay/fold_expr.h).
 *
 * Attributes `depth`, `compute`: see replay/rows.h; `one_pass` for variances from the mean of squares.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "replay/fold.h"
#include "replay/fold_expr.h"
#include "replay/rows_device.h"

struct reduce {
	struct ekka_rows rows;
	struct ekka_fold_options o;
	struct ekka_array *in, *out, *second;
	int64_t n_rows, n;
	bool first_tie, index, integers;
	double *x, *error, *ref, *bound, *mean, *mean_bound;
	struct ekka_fold_expr map, finish;
};

/* Terms that are made of the inputs are reals from then on, integers among them exact. */
static int prepare_expressions(struct reduce *x, enum ekka_dtype compute, struct ekka_error *err)
{
	struct ekka_rows *r = &x->rows;
	int n = ekka_fold_expr_init(&x->map, r, "map", compute, x->n, EKKA_F64, err);

	if (n == 0)
		n = ekka_fold_expr_init(&x->finish, r, "finish", compute, x->n, x->out ? x->out->dtype : EKKA_F64, err);
	if (n < 0 || r->settled)
		return n;
	if (x->map.expr || x->finish.expr)
		x->integers = false;
	if (x->map.expr && (ekka_fold_is_arg(x->o.kind) || x->index))
		ekka_rows_settle(r, EKKA_UNSUPPORTED, "no reference for an index among terms of an expression");
	if (x->out && ekka_dtype_is_integer(x->out->dtype) && (x->map.expr ? ekka_expr_is_integer(x->map.expr, 0) : ekka_dtype_is_integer(x->in->dtype)))
		x->o.u = x->o.tiny = 0;
	return 0;
}

/* Finds the tensors and what the attributes say; settles the verdict where that is not enough. */
static int prepare(void *arg, struct ekka_error *err)
{
	struct reduce *x = arg;
	struct ekka_rows *r = &x->rows;
	unsigned reduced = (unsigned)ekka_rows_number(r, "reduced", 0);
	enum ekka_dtype t;
	int n;

	if (!ekka_fold_kind_from_name(ekka_rows_text(r, "kind", ""), &x->o.kind))
		ekka_rows_settle(r, EKKA_UNSUPPORTED, "no reference for this kind of reduction");
	n = ekka_rows_take(r, "in0", EKKA_PRE, true, &x->in, err);
	if (n == 0)
		n = ekka_rows_output(r, "out0", &x->out, err);
	if (n == 0)
		n = ekka_rows_output(r, "out1", &x->second, err);
	if (n < 0 || r->settled)
		return n;
	x->n = ekka_rows_length(x->in, reduced);
	x->n_rows = ekka_rows_count(x->in, reduced);
	if ((!x->out && !x->second) || (x->out && x->out->n != x->n_rows) || (x->second && x->second->n != x->n_rows)) {
		ekka_rows_settle(r, EKKA_INCOMPLETE, "the outputs' dimensions are not those that the input keeps");
		return 0;
	}
	r->n_rows = x->n_rows;
	r->elements_of_row = x->n;
	t = ekka_rows_compute(r, x->in->dtype);
	x->o.u = ekka_dtype_unit_roundoff(t);
	x->o.largest = ekka_dtype_largest(t);
	x->o.tiny = ekka_dtype_tiny(t);
	x->o.additions = ekka_rows_additions(r, x->n, x->o.u);
	x->o.correction = ekka_rows_number(r, "correction", 1);
	x->o.one_pass = ekka_rows_number(r, "one_pass", 0) != 0;
	x->first_tie = !strcmp(ekka_rows_text(r, "ties", "any"), "first");
	x->index = ekka_rows_number(r, "index", 0) != 0;
	x->integers = ekka_dtype_is_integer(x->in->dtype) && (!x->out || ekka_dtype_is_integer(x->out->dtype)) &&
		      x->o.kind != EKKA_FOLD_MEAN && x->o.kind < EKKA_FOLD_NORM2;
	for (double **p[] = { &x->x, &x->error, &x->ref, &x->bound, &x->mean, &x->mean_bound }, ***q = p; q < p + 6; q++) {
		**q = ekka_rows_buffer(r, EKKA_ROWS_CHUNK, err);
		if (!**q)
			return EKKA_ERR_NOMEM;
	}
	return prepare_expressions(x, t, err);
}

/* ---- integers ---------------------------------------------------------- */

static void fold_ints(struct ekka_fold_ints *f, size_t n, const int64_t *x, enum ekka_fold_kind kind, bool is_unsigned)
{
	for (size_t i = 0; i < n; i++) {
		struct ekka_fold_ints one = ekka_fold_int(x[i], f->n);

		ekka_fold_ints_merge(f, &one, kind, is_unsigned);
	}
}

/* ---- indices ----------------------------------------------------------- */

/* The index that is right for this row: the engine's own when its element is the best one too. */
static int64_t right_index(const struct reduce *x, const struct ekka_array *out, int64_t row, int64_t index, double best)
{
	double value;
	int64_t got;

	ekka_array_get_int(out, row, 1, &got);
	if (x->first_tie || got < 0 || got >= x->n)
		return index;
	ekka_array_get(x->in, row * x->n + got, 1, &value);
	return value == best || (isnan(value) && isnan(best)) ? got : index;
}

static int64_t right_index_int(const struct reduce *x, const struct ekka_array *out, int64_t row, int64_t index, int64_t best)
{
	int64_t value, got;

	ekka_array_get_int(out, row, 1, &got);
	if (x->first_tie || got < 0 || got >= x->n)
		return index;
	ekka_array_get_int(x->in, row * x->n + got, 1, &value);
	return value == best ? got : index;
}

/* ---- rows -------------------------------------------------------------- */

/* Terms first..first+n-1 to x->x, their errors to x->error. */
static void load(struct reduce *x, int64_t first, int64_t n)
{
	if (x->map.expr)
		ekka_fold_expr_map(&x->map, first, n, x->x, x->error);
	else
		ekka_array_get(x->in, first, (size_t)n, x->x);
}

/* One row's results at place i of the buffers. `loaded`: it begins at that place of x->x already; -1: it does not. */
static void one_row(struct reduce *x, int64_t row, int64_t i, int64_t loaded)
{
	struct ekka_fold f = { 0 };
	struct ekka_near result, mean;

	if (loaded >= 0)
		ekka_fold_add(&f, &x->o, (size_t)x->n, x->x + loaded, x->map.expr ? x->error + loaded : NULL);
	for (int64_t done = 0, m; loaded < 0 && done < x->n; done += m) {
		m = x->n - done < EKKA_ROWS_CHUNK ? x->n - done : EKKA_ROWS_CHUNK;
		load(x, row * x->n + done, m);
		ekka_fold_add(&f, &x->o, (size_t)m, x->x, x->map.expr ? x->error : NULL);
	}
	result = ekka_fold_result(&f, &x->o);
	x->ref[i] = result.value;
	x->bound[i] = result.error;
	if (ekka_fold_is_arg(x->o.kind))
		x->ref[i] = (double)right_index(x, x->out, row, f.best_index, f.best);
	if (x->second && x->index) {
		x->mean[i] = (double)right_index(x, x->second, row, f.best_index, f.best);
	} else if (x->second) {
		mean = ekka_fold_mean(&f, &x->o);
		x->mean[i] = mean.value;
		x->mean_bound[i] = mean.error;
	}
}

static void one_row_ints(struct reduce *x, int64_t row, int64_t i)
{
	int64_t *piece = (int64_t *)(void *)x->x, *ref = (int64_t *)(void *)x->ref, *index = (int64_t *)(void *)x->mean;
	struct ekka_fold_ints f = { 0 };

	for (int64_t done = 0, m; done < x->n; done += m) {
		m = x->n - done < EKKA_ROWS_CHUNK ? x->n - done : EKKA_ROWS_CHUNK;
		ekka_array_get_int(x->in, row * x->n + done, (size_t)m, piece);
		fold_ints(&f, (size_t)m, piece, x->o.kind, x->in->dtype == EKKA_U64);
	}
	ref[i] = ekka_fold_ints_result(&f, x->o.kind);
	if (x->out)
		ref[i] = ekka_fold_is_arg(x->o.kind) ? right_index_int(x, x->out, row, f.best_index, f.best) : ekka_dtype_wrap(x->out->dtype, ref[i]);
	index[i] = x->second ? right_index_int(x, x->second, row, f.best_index, f.best) : 0;
}

static void compare(struct reduce *x, int64_t first, int64_t rows)
{
	bool exact = x->o.kind >= EKKA_FOLD_MAX && x->o.kind <= EKKA_FOLD_ARGMIN && !x->map.expr && !x->finish.expr;

	if (x->out && x->integers)
		ekka_rows_compare_int(&x->rows, x->out, first, rows, (int64_t *)(void *)x->ref);
	else if (x->out)
		ekka_rows_compare(&x->rows, x->out, first, rows, x->ref, exact ? NULL : x->bound);
	if (x->second && x->integers)
		ekka_rows_compare_int(&x->rows, x->second, first, rows, (int64_t *)(void *)x->mean);
	else if (x->second)
		ekka_rows_compare(&x->rows, x->second, first, rows, x->mean, x->index ? NULL : x->mean_bound);
}

/* All rows, as many at a time as fit into the buffers. */
static void judge_rows(void *arg)
{
	struct reduce *x = arg;
	bool several = x->n <= EKKA_ROWS_CHUNK;
	int64_t most = several ? EKKA_ROWS_CHUNK / x->n : EKKA_ROWS_CHUNK;

	for (int64_t row = x->rows.first, rows; row < x->rows.end; row += rows) {
		rows = x->rows.end - row < most ? x->rows.end - row : most;
		if (several && !x->integers)
			load(x, row * x->n, rows * x->n);
		for (int64_t i = 0; i < rows; i++)
			if (x->integers)
				one_row_ints(x, row + i, i);
			else
				one_row(x, row + i, i, several ? i * x->n : -1);
		if (x->finish.expr)
			ekka_fold_expr_finish(&x->finish, rows, x->ref, x->bound);
		compare(x, row, rows);
	}
}

/* ---- on a device ------------------------------------------------------- */

/* Teams that keep a device busy, and elements that are worth one. */
enum { TEAMS = 4096, PIECE = 2048 };

static bool is_index_there(const struct ekka_array *a)
{
	return a && ekka_dtype_is_integer(a->dtype);
}

/* Products of reals and terms that are made by expressions stay here. */
static bool device_has(const struct reduce *x)
{
	if (x->map.expr || x->finish.expr || (x->o.kind == EKKA_FOLD_PROD && !x->integers))
		return false;
	return (!ekka_fold_is_arg(x->o.kind) || is_index_there(x->out)) && (!x->second || !x->index || is_index_there(x->second));
}

static bool on_device(void *arg)
{
	struct reduce *x = arg;
	int64_t wanted = x->n_rows < TEAMS ? TEAMS / x->n_rows : 1, worth = x->n / PIECE, pieces = wanted < worth ? wanted : worth;
	struct ekka_reduce_job job = { .o = x->o, .n = x->n, .n_rows = x->n_rows, .is_unsigned = x->in->dtype == EKKA_U64,
				       .first_tie = x->first_tie, .index = x->index };
	struct ekka_rows_work w = { .job = &job, .bytes = sizeof job };

	job.piece = pieces > 1 ? (x->n + pieces - 1) / pieces : x->n;
	job.pieces = (x->n + job.piece - 1) / job.piece;
	w.step[w.n_steps].kernel = x->integers ? EKKA_ROWS_reduce_ints : EKKA_ROWS_reduce;
	w.step[w.n_steps++].teams = x->n_rows * job.pieces;
	if (job.pieces > 1) {
		w.step[w.n_steps].kernel = x->integers ? EKKA_ROWS_reduce_ints_pieces : EKKA_ROWS_reduce_pieces;
		w.step[w.n_steps++].teams = x->n_rows;
		w.scratch = (uint64_t)(x->n_rows * job.pieces) * (x->integers ? sizeof(struct ekka_fold_ints) : sizeof(struct ekka_fold));
		w.scratch_at = &job.found;
	}
	ekka_rows_work_in(&w, x->in, &job.in);
	ekka_rows_work_out(&w, x->out, &job.out);
	ekka_rows_work_out(&w, x->second, &job.second);
	return device_has(x) && ekka_rows_on_device(&x->rows, &w);
}

/* ---- what a wrong result looks like ------------------------------------ */

/* The result over elements [from, to) of a row. */
static struct ekka_near part(struct reduce *x, const struct ekka_fold_options *o, int64_t row, int64_t from, int64_t to)
{
	struct ekka_fold f = { 0 };

	for (int64_t done = from, m; done < to; done += m) {
		m = to - done < EKKA_ROWS_CHUNK ? to - done : EKKA_ROWS_CHUNK;
		load(x, row * x->n + done, m);
		ekka_fold_add(&f, o, (size_t)m, x->x, x->map.expr ? x->error : NULL);
	}
	return ekka_fold_result(&f, o);
}

/* Does this explain every wrong row that is remembered. `factor`: of the result. */
static bool explains(struct reduce *x, const struct ekka_fold_options *o, int64_t from, int64_t to, double factor)
{
	const struct ekka_rows *r = &x->rows;

	for (unsigned i = 0; i < r->n_wrong; i++) {
		struct ekka_near p;

		if (r->wrong[i].output != x->out)
			return false;
		p = part(x, o, r->wrong[i].index, from, to);
		p.value *= factor;
		p.error *= fabs(factor);
		if (x->integers && fabs(p.value) < 0x1p53) {
			if ((int64_t)r->wrong[i].got != ekka_dtype_wrap(x->out->dtype, (int64_t)p.value))
				return false;
			continue;
		}
		if (x->finish.expr)
			ekka_fold_expr_finish(&x->finish, 1, &p.value, &p.error);
		if (!(p.error < INFINITY) || !ekka_near_holds(x->out->dtype, r->wrong[i].got, p))
			return false;
	}
	return r->n_wrong > 0;
}

static void explain(void *arg)
{
	struct reduce *x = arg;
	struct ekka_fold_options o = x->o;
	double n = (double)x->n;

	if (ekka_fold_is_arg(o.kind) || x->n < 2)
		return;
	if (explains(x, &o, 0, x->n - 1, 1) || explains(x, &o, 1, x->n, 1))
		ekka_rows_looks_like(&x->rows, "as if the %s element of every row was left out", explains(x, &o, 1, x->n, 1) ? "first" : "last");
	for (int64_t step = 4; step <= 65536 && step < x->n; step *= 2)
		if (x->n % step && explains(x, &o, 0, x->n - x->n % step, o.kind == EKKA_FOLD_MEAN ? (n - (double)(x->n % step)) / n : 1))
			ekka_rows_looks_like(&x->rows, "as if the reduction ended at element %lld of %lld: the tail behind the last %lld is missing",
					     (long long)(x->n - x->n % step), (long long)x->n, (long long)step);
	for (int64_t first = 1; first < x->n; first *= 2)
		if (explains(x, &o, 0, first, 1))
			ekka_rows_looks_like(&x->rows, "as if only the first %lld of %lld elements were reduced", (long long)first, (long long)x->n);
	if (o.kind == EKKA_FOLD_MEAN && explains(x, &o, 0, x->n, n))
		ekka_rows_looks_like(&x->rows, "as if the sum was not divided by %lld", (long long)x->n);
	if (o.kind == EKKA_FOLD_SUM && explains(x, &o, 0, x->n, 1 / n))
		ekka_rows_looks_like(&x->rows, "as if the sum was divided by %lld", (long long)x->n);
	o.correction = x->o.correction > 0 ? 0 : 1;
	if (explains(x, &o, 0, x->n, 1))
		ekka_rows_looks_like(&x->rows, "as if the divisor was n - %g instead of n - %g", o.correction, x->o.correction);
	o = x->o;
	o.kind = o.kind == EKKA_FOLD_STD ? EKKA_FOLD_VAR : o.kind == EKKA_FOLD_VAR ? EKKA_FOLD_STD : o.kind;
	if (o.kind != x->o.kind && explains(x, &o, 0, x->n, 1))
		ekka_rows_looks_like(&x->rows, o.kind == EKKA_FOLD_VAR ? "as if the root was not taken" : "as if a root was taken");
}

static void say_bound(const void *arg, char text[EKKA_TEXT])
{
	const struct reduce *x = arg;

	(void)snprintf(text, EKKA_TEXT, x->integers ? "exact" : "any-order sum in u=%g, %g additions, n=%lld", x->o.u, x->o.additions, (long long)x->n);
}

static void release(void *arg)
{
	struct reduce *x = arg;

	ekka_fold_expr_release(&x->map);
	ekka_fold_expr_release(&x->finish);
}

static int judge_reduce(const struct ekka_op_context *ctx, const struct ekka_event *event, struct ekka_verdict *v, struct ekka_error *err)
{
	static const struct ekka_rows_op op = { sizeof(struct reduce), prepare, judge_rows, say_bound, explain, release, on_device };

	return ekka_rows_run(&op, ctx, event, v, err);
}

const struct ekka_op ekka_op_reduce = { "reduce", judge_reduce };
