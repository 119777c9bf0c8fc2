/* SPDX-License-Identifier: Apache-2.0 */
/* Events that go row by row: a team takes a row, or a piece of one. The formulas are those of the CPU's ops, by the same headers. */
#include "replay/gpu_device.cuh"
#include "replay/rows_job.h"

/* ---- norms: replay/op_norm.c -------------------------------------------- */

/* h of element e before it is rounded. */
static __device__ struct ekka_near norm_added(const struct ekka_norm_job *j, i64 e)
{
	double x = array_value(&j->x, e);

	return j->residual.bytes ? ekka_norm_added(x, array_value(&j->residual, e), j->limits.u) : ekka_near_of(x, 0);
}

static __device__ struct ekka_near round_near(const struct ekka_format *f, struct ekka_near x)
{
	return ekka_near_rounded(x, ekka_round_to_format(f, x.value - x.error, false), ekka_round_to_format(f, x.value + x.error, false));
}

static __device__ bool rounds(const struct ekka_format *f)
{
	return f->unit != 0x1p-53;
}

/* What the norm is taken of. */
static __device__ struct ekka_near norm_taken(const struct ekka_norm_job *j, i64 e)
{
	struct ekka_near h = norm_added(j, e);

	if (!j->residual.bytes || !rounds(&j->residual_format))
		return h;
	return ekka_norm_rounded(round_near(&j->residual_format, h), j->use_stored, j->use_stored ? array_value(&j->residual_out.array, e) : 0);
}

/* Row `row`'s statistics, for all lanes. */
static __device__ struct ekka_norm_stats norm_stats(const struct ekka_norm_job *j, i64 row)
{
	struct ekka_norm_sums s;
	double mean, m = 0;

	memset(&s, 0, sizeof s);
	for (i64 i = EKKA_LANE; i < j->n; i += EKKA_LANES) {
		struct ekka_near h = norm_taken(j, row * j->n + i);
		double a = fabs(h.value);

		s.sum += h.value;
		s.abs += a;
		s.squares += h.value * h.value;
		s.error += h.error;
		s.square_errors += (2 * a + h.error) * h.error;
		s.greatest = a > s.greatest ? a : s.greatest;
	}
	s.sum = team_sum(s.sum);
	s.abs = team_sum(s.abs);
	s.squares = team_sum(s.squares);
	s.error = team_sum(s.error);
	s.square_errors = team_sum(s.square_errors);
	s.greatest = team_max(s.greatest);
	mean = s.sum / j->form.divisor;
	for (i64 i = EKKA_LANE; j->form.layer && i < j->n; i += EKKA_LANES) {
		double d = norm_taken(j, row * j->n + i).value - mean;

		m += d * d;
	}
	return ekka_norm_stats_of(&j->limits, &j->form, &s, team_sum(m));
}

/* y of element i of a row and its bound before it is rounded to y's type. */
static __device__ struct ekka_near norm_result(const struct ekka_norm_job *j, const struct ekka_norm_stats *s, i64 row, i64 i)
{
	struct ekka_near h = norm_taken(j, row * j->n + i), y = ekka_norm_scaled(s, j->limits.u, h.value, h.error);

	if (rounds(&j->weight_format))
		y = round_near(&j->weight_format, y);
	if (j->weight.bytes)
		y = ekka_norm_weighted(y, j->limits.u, array_value(&j->weight, row % j->weight_rows * j->n + i), j->form.weight_plus);
	if (j->bias.bytes)
		y = ekka_norm_biased(y, j->limits.u, array_value(&j->bias, row % j->bias_rows * j->n + i));
	return ekka_near_of(y.value, ekka_norm_bound(s, y));
}

static __device__ void note_output(struct ekka_gpu_part *p, const struct ekka_rows_output *o, i64 e, double ref, double bound)
{
	note_element(p, &o->format, e, array_value(&o->array, e), ref, bound, false);
}

static __device__ void tell_output(const struct ekka_rows_output *o, struct ekka_gpu_part p)
{
	if (o->parts)
		tell((struct ekka_gpu_part *)(size_t)o->parts, p);
}

EKKA_KERNEL ekka_gpu_norm(const struct ekka_norm_job *j)
{
	struct ekka_gpu_part y = nothing_found(), h = nothing_found(), mean = nothing_found(), rstd = nothing_found();

	FOR_EACH_TEAM(row, j->n_rows) {
		struct ekka_norm_stats s = norm_stats(j, row);

		for (i64 i = EKKA_LANE; i < j->n; i += EKKA_LANES) {
			i64 e = row * j->n + i;

			if (j->residual_out.parts) {
				struct ekka_near added = norm_added(j, e);

				note_output(&h, &j->residual_out, e, added.value, added.error);
			}
			if (j->y.parts) {
				struct ekka_near ref = norm_result(j, &s, row, i);

				note_output(&y, &j->y, e, ref.value, ref.error);
			}
		}
		if (j->mean.parts && EKKA_LANE == 0)
			note_output(&mean, &j->mean, row, s.mean, s.mean_error);
		if (j->rstd.parts && EKKA_LANE == 0)
			note_output(&rstd, &j->rstd, row, s.rstd, s.rstd_error);
	}
	tell_output(&j->y, y);
	tell_output(&j->residual_out, h);
	tell_output(&j->mean, mean);
	tell_output(&j->rstd, rstd);
}
