/* SPDX-License-Identifier: Apache-2.0 */
#include "compare/tally.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "compare/elements.h"

/* An error that a bound as large as the result itself leaves open; smaller ones are no matter for doubt, whatever the bound. */
static const double VISIBLE = 0x1p-7;

int ekka_tally_init(struct ekka_tally *t, const struct ekka_bound_model *model, int64_t batch, int64_t rows, int64_t cols,
		    struct ekka_error *err)
{
	*t = (struct ekka_tally){ .rows = rows, .cols = cols, .batch = batch, .model = model,
				  .is_complex = ekka_dtype_is_complex(model->out) };
	t->row_bad = calloc((size_t)rows, sizeof *t->row_bad);
	t->col_bad = calloc((size_t)cols, sizeof *t->col_bad);
	t->batch_bad = calloc((size_t)batch, sizeof *t->batch_bad);
	if (!t->row_bad || !t->col_bad || !t->batch_bad) {
		ekka_tally_release(t);
		return ekka_error_set(err, EKKA_ERR_NOMEM, "no memory for counts of %lld rows and %lld columns", (long long)rows,
				      (long long)cols);
	}
	ekka_tally_clear(t);
	return 0;
}

void ekka_tally_release(struct ekka_tally *t)
{
	free(t->row_bad);
	free(t->col_bad);
	free(t->batch_bad);
	t->row_bad = t->col_bad = NULL;
	t->batch_bad = NULL;
}

void ekka_tally_clear(struct ekka_tally *t)
{
	struct ekka_tally fresh = { .rows = t->rows, .cols = t->cols, .batch = t->batch, .model = t->model, .is_complex = t->is_complex,
				    .row_bad = t->row_bad, .col_bad = t->col_bad, .batch_bad = t->batch_bad,
				    .lo = { INT64_MAX, INT64_MAX, INT64_MAX }, .hi = { -1, -1, -1 }, .random = 0x9e3779b97f4a7c15 };

	if (t->n_bad) {		/* else they are zero */
		memset(t->row_bad, 0, (size_t)t->rows * sizeof *t->row_bad);
		memset(t->col_bad, 0, (size_t)t->cols * sizeof *t->col_bad);
		memset(t->batch_bad, 0, (size_t)t->batch * sizeof *t->batch_bad);
	}
	*t = fresh;
}

/* A component of out against one of ref where at least one is not finite. */
static bool nonfinite_agrees(double out, double ref)
{
	return isnan(ref) ? isnan(out) : out == ref;
}

/* |out - ref| / bound; infinite when the NaN/Inf patterns differ and must not. *ret_error: |out - ref|. */
static double margin_of(const struct ekka_tally *t, const struct ekka_element *e, double *ret_error)
{
	bool out_finite = isfinite(e->out[0]) && isfinite(e->out[1]), ref_finite = isfinite(e->ref[0]) && isfinite(e->ref[1]);
	double error;

	*ret_error = INFINITY;
	if (!out_finite || !ref_finite) {
		*ret_error = 0;
		if (e->may_overflow)
			return 0;
		/* How infinities and NaNs spread between the parts of a complex product depends on the method. */
		if (t->is_complex && !out_finite && !ref_finite)
			return 0;
		if (nonfinite_agrees(e->out[0], e->ref[0]) && nonfinite_agrees(e->out[1], e->ref[1]))
			return 0;
		*ret_error = INFINITY;
		return INFINITY;
	}
	error = fmax(fabs(e->out[0] - e->ref[0] - e->residue[0]), fabs(e->out[1] - e->ref[1] - e->residue[1]));
	if (t->model->kind == EKKA_BOUND_INTEGER && error != 0 && fabs(e->ref[0]) >= 0x1p31) {
		double wrapped = fmod(e->out[0] - e->ref[0], 0x1p32), limit = e->ref[0] < 0 ? -0x1p31 : 0x1p31 - 1;

		if (wrapped == 0 || e->out[0] == limit)
			error = 0;
	}
	*ret_error = error;
	return error == 0 ? 0 : e->bound > 0 ? error / e->bound : INFINITY;
}

/*
 * Reservoir sampling of bad elements, with a fixed seed so that two replays say the same: the sample stands for one of `n`.
 */
static void remember_sample(struct ekka_tally *t, const struct ekka_element *e, uint64_t n)
{
	uint64_t slot;

	t->random = t->random * 6364136223846793005u + 1442695040888963407u;
	slot = t->n_samples < EKKA_TALLY_SAMPLES ? t->n_samples++ : (t->random >> 33) % n;
	if (slot < EKKA_TALLY_SAMPLES)
		t->sample[slot] = *e;
}

static void remember_bad(struct ekka_tally *t, const struct ekka_element *e)
{
	const int64_t at[3] = { e->b, e->i, e->j };

	t->n_bad++;
	if (t->row_bad[e->i] < UINT32_MAX)
		t->row_bad[e->i]++;
	if (t->col_bad[e->j] < UINT32_MAX)
		t->col_bad[e->j]++;
	t->batch_bad[e->b]++;
	for (int d = 0; d < 3; d++) {
		t->lo[d] = at[d] < t->lo[d] ? at[d] : t->lo[d];
		t->hi[d] = at[d] > t->hi[d] ? at[d] : t->hi[d];
	}
	remember_sample(t, e, t->n_bad);
}

static bool worse(const struct ekka_tally *t, double margin, double error)
{
	return !t->has_worst || margin > t->margin || (isinf(margin) && isinf(t->margin) && error > t->max_error);
}

static void add_counts(uint32_t *to, const uint32_t *from, int64_t n)
{
	for (int64_t i = 0; i < n; i++)
		to[i] = from[i] > UINT32_MAX - to[i] ? UINT32_MAX : to[i] + from[i];
}

/* Each sample of the later ones stands for its share of them. */
static void merge_bad(struct ekka_tally *t, const struct ekka_tally *later)
{
	uint64_t before = t->n_bad;

	for (unsigned i = 0; i < later->n_samples; i++)
		remember_sample(t, &later->sample[i], before + later->n_bad * (i + 1) / later->n_samples);
	t->n_bad += later->n_bad;
	add_counts(t->row_bad, later->row_bad, t->rows);
	add_counts(t->col_bad, later->col_bad, t->cols);
	for (int64_t b = 0; b < t->batch; b++)
		t->batch_bad[b] += later->batch_bad[b];
	for (int d = 0; d < 3; d++) {
		t->lo[d] = later->lo[d] < t->lo[d] ? later->lo[d] : t->lo[d];
		t->hi[d] = later->hi[d] > t->hi[d] ? later->hi[d] : t->hi[d];
	}
}

void ekka_tally_merge(struct ekka_tally *t, const struct ekka_tally *later)
{
	if (later->has_worst && worse(t, later->margin, later->max_error)) {
		t->worst = later->worst;
		t->has_worst = true;
		t->margin = later->margin;
		t->max_bound = later->max_bound;
	}
	t->max_error = fmax(t->max_error, later->max_error);
	t->n += later->n;
	t->n_nonfinite += later->n_nonfinite;
	t->n_loose += later->n_loose;
	t->n_unusual += later->n_unusual;
	t->unusual_ratio = fmax(t->unusual_ratio, later->unusual_ratio);
	if (later->n_bad)
		merge_bad(t, later);
}

void ekka_tally_add(struct ekka_tally *t, const struct ekka_element *e, double typical)
{
	double error, margin = margin_of(t, e, &error), size = fmax(fmax(fabs(e->ref[0]), fabs(e->ref[1])), typical);
	bool bad = margin > 1;

	t->n++;
	if (!isfinite(e->out[0]) || !isfinite(e->out[1]))
		t->n_nonfinite++;
	if (worse(t, margin, error)) {
		t->worst = *e;
		t->has_worst = true;
		t->margin = margin;
		t->max_bound = e->bound;
	}
	if (error > t->max_error)
		t->max_error = error;
	if (bad) {
		remember_bad(t, e);
		return;
	}
	if (e->bound > 0.5 * size && !e->trivial && error > VISIBLE * size)
		t->n_loose++;
	if (error > e->unusual) {
		t->n_unusual++;
		t->unusual_ratio = fmax(t->unusual_ratio, error / e->unusual);
	}
}

void ekka_tally_take(struct ekka_tally *t, const struct ekka_elements_part *part)
{
	int64_t row = part->index / t->cols;

	t->n += part->n;
	t->margin = part->margin;
	t->max_error = part->max_error;
	t->max_bound = part->bound;
	t->has_worst = part->n_measured > 0;
	t->worst = (struct ekka_element){ .b = row / t->rows, .i = row % t->rows, .j = part->index % t->cols, .out = { part->out, 0 }, .ref = { part->ref, 0 },
					  .bound = part->bound };
}

static void undecided(const struct ekka_tally *t, struct ekka_verdict *v)
{
	if (t->n_unusual) {
		v->status = EKKA_UNDECIDED;
		(void)snprintf(v->reason, sizeof v->reason,
			       "%llu of %llu elements are up to %.3g times further off than rounding makes in random order, yet below "
			       "the worst case", (unsigned long long)t->n_unusual, (unsigned long long)t->n, t->unusual_ratio);
	} else if (t->n_loose > t->n / 2) {
		v->status = EKKA_UNDECIDED;
		(void)snprintf(v->reason, sizeof v->reason,
			       "%llu of %llu elements are visibly off, but the bound exceeds half of the typical result there",
			       (unsigned long long)t->n_loose, (unsigned long long)t->n);
	}
}

void ekka_tally_verdict(const struct ekka_tally *t, bool batched, struct ekka_verdict *v)
{
	unsigned n = 0;

	v->status = t->n_bad ? EKKA_FAIL : EKKA_PASS;
	v->margin = t->margin;
	v->max_abs_error = t->max_error;
	v->max_bound = t->max_bound;
	v->n_elements = t->n;
	v->n_bad = t->n_bad;
	if (t->has_worst) {
		if (batched)
			v->worst[n++] = t->worst.b;
		v->worst[n++] = t->worst.i;
		v->worst[n++] = t->worst.j;
		memcpy(v->worst_out, t->worst.out, sizeof v->worst_out);
		memcpy(v->worst_ref, t->worst.ref, sizeof v->worst_ref);
	}
	v->n_worst = n;
	(void)snprintf(v->bound, sizeof v->bound, "%s", t->model->text);
	if (!t->n_bad)
		undecided(t, v);
}
