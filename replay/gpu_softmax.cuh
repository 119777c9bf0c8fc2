/* SPDX-License-Identifier: Apache-2.0 */
/* Softmax and log-softmax: a team takes a row, and goes through it three times: for its largest element, the sum, and the results. */
#include "replay/gpu_device.cuh"
#include "replay/rows_job.h"

/* Element e of x, scaled and behind its mask. */
static __device__ double softmax_logit(const struct ekka_softmax_job *j, i64 e)
{
	double s = array_value(&j->x, e);

	s = j->form.scale != 1 ? s * j->form.scale : s;
	return j->mask.bytes ? ekka_softmax_masked(s, array_value(&j->mask, e), j->mask_kind, j->limits.rounds_sum) : s;
}

static __device__ double softmax_exp(const struct ekka_softmax_job *j, double d)
{
	return j->exact ? exp(d) : ekka_exp(d);
}

/* A row whose results are all the same. */
static __device__ void softmax_odd_row(const struct ekka_softmax_job *j, i64 row, double ref, struct ekka_gpu_part *p)
{
	for (i64 e = row * j->n + EKKA_LANE; e < (row + 1) * j->n; e += EKKA_LANES)
		note_element(p, &j->y.format, e, array_value(&j->y.array, e), ref, 0, false);
}

static __device__ struct ekka_softmax_sums softmax_sums(const struct ekka_softmax_job *j, i64 row, double max, double u)
{
	struct ekka_softmax_sums t;

	t.sum = t.error = 0;
	for (i64 i = EKKA_LANE; i < j->n; i += EKKA_LANES) {
		double s = softmax_logit(j, row * j->n + i), p = softmax_exp(j, s - max);

		t.sum += p;
		t.error += ekka_softmax_weighted(p, ekka_softmax_relative(s, max, u, j->limits.k, j->floor));
	}
	t.sum = team_sum(t.sum);
	t.error = team_sum(t.error);
	return t;
}

static __device__ void softmax_row(const struct ekka_softmax_job *j, i64 row, double max, struct ekka_gpu_part *found)
{
	double u = ekka_softmax_u(&j->limits), total, l, fixed;
	struct ekka_softmax_sums t = softmax_sums(j, row, max, u);
	bool known;

	total = ekka_softmax_total(&j->limits, &t, j->n);
	known = total < 0.5;
	l = log(t.sum);
	fixed = ekka_softmax_fixed(&j->limits, max, l, known ? total : (double)INFINITY);
	for (i64 e = row * j->n + EKKA_LANE; e < (row + 1) * j->n; e += EKKA_LANES) {
		double s = softmax_logit(j, e), error = known ? ekka_softmax_relative(s, max, u, j->limits.k, j->floor) : (double)INFINITY;
		struct ekka_near y = j->form.log ? ekka_softmax_logarithm(&j->limits, s, max, l, fixed) :
						   ekka_softmax_quotient(softmax_exp(j, s - max), error, t.sum, known ? total : 0, u, j->limits.tiny);

		note_element(found, &j->y.format, e, array_value(&j->y.array, e), y.value, y.error, false);
	}
}

EKKA_KERNEL ekka_gpu_softmax_rows(const struct ekka_softmax_job *j)
{
	struct ekka_gpu_part found = nothing_found();

	FOR_EACH_TEAM(row, j->n_rows) {
		double max = -(double)INFINITY;
		bool nan = false;

		for (i64 i = EKKA_LANE; i < j->n; i += EKKA_LANES) {
			double s = softmax_logit(j, row * j->n + i);

			max = s > max ? s : max;
			nan |= isnan(s);
		}
		max = team_max(max);
		nan = team_any(nan);
		if (nan || isinf(max))
			softmax_odd_row(j, row, nan || max > 0 ? (double)NAN : j->empty, &found);
		else
			softmax_row(j, row, max, &found);
	}
	tell((struct ekka_gpu_part *)(size_t)j->y.parts, found);
}
