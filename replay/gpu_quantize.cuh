/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Quantisation: every element by itself, with its block's scale. Scales that the event wrote are compared before: teams look for the extremes of pieces of the
 * blocks, then one takes a block.
 */
#include "replay/gpu_device.cuh"
#include "replay/rows_job.h"

/* What belongs to a block, in a tensor with as many numbers as there are blocks, or rows of blocks, or one. */
static __device__ double block_value(const struct ekka_quantize_job *j, const struct ekka_gpu_array *a, i64 block)
{
	return array_value(a, a->n == j->r * j->g ? block : a->n == j->r ? block / j->g : 0);
}

static __device__ double quantize_rounded(const struct ekka_quantize_job *j, double x, double add)
{
	if (j->range.integer)	/* the zero point is added after rounding: ties go the quotient's way */
		return ekka_quantize_clamp(&j->range, rint(x) + add);
	return ekka_round_to_format(&j->y.format, ekka_quantize_clamp(&j->range, x + add), false);
}

EKKA_KERNEL ekka_gpu_quantize(const struct ekka_quantize_job *j)
{
	struct ekka_gpu_part found = nothing_found();

	FOR_EACH(e, j->rows * j->n) {
		i64 row = e / j->n, b = row / j->block_rows * j->g + (e - row * j->n) / j->block;
		double x = array_value(&j->x, e), got = array_value(&j->y.array, e);
		double t = ekka_quantize_quotient(x, block_value(j, &j->scale, b), j->inverse), error = ekka_quantize_error(t, j->u);
		double add = j->zero.bytes ? block_value(j, &j->zero, b) : 0;
		double ref = ekka_quantize_right(&j->range, got, x, quantize_rounded(j, t - error, add), quantize_rounded(j, t + error, add));

		note_element(&found, &j->y.format, e, got, ref, 0, false);
	}
	tell((struct ekka_gpu_part *)(size_t)j->y.parts, found);
}

/* Extremes of a piece of a block; NaN counts as nothing, but is told. */
EKKA_KERNEL ekka_gpu_quantize_extremes(const struct ekka_quantize_job *j)
{
	FOR_EACH_TEAM(t, j->r * j->g * j->pieces) {
		i64 b = t / j->pieces, row = b / j->g * j->block_rows, column = b % j->g * j->block;
		i64 rows = j->rows - row < j->block_rows ? j->rows - row : j->block_rows, columns = j->n - column < j->block ? j->n - column : j->block;
		i64 n = rows > 0 && columns > 0 ? rows * columns : 0, from = t % j->pieces * j->piece, to = from + j->piece < n ? from + j->piece : n;
		double low = (double)INFINITY, high = -(double)INFINITY;
		bool nan = false;

		for (i64 i = from + EKKA_LANE; i < to; i += EKKA_LANES) {
			double x = array_value(&j->x, (row + i / columns) * j->n + column + i % columns);

			low = x < low ? x : low;
			high = x > high ? x : high;
			nan |= isnan(x);
		}
		low = -team_max(-low);
		high = team_max(high);
		nan = team_any(nan);
		if (EKKA_LANE == 0) {
			struct ekka_quantize_extremes *to_there = (struct ekka_quantize_extremes *)(size_t)j->found + t;

			to_there->low = low;
			to_there->high = high;
			to_there->nan = nan;
		}
	}
}

/* Scales and zero points. Of a tensor with NaN nothing is known here: it is the CPU's. */
EKKA_KERNEL ekka_gpu_quantize_scales(const struct ekka_quantize_job *j)
{
	struct ekka_gpu_part found = nothing_found(), zeros = nothing_found();

	FOR_EACH_TEAM(b, j->r * j->g) {
		const struct ekka_quantize_extremes *p = (const struct ekka_quantize_extremes *)(size_t)j->found + b * j->pieces;
		double low = (double)INFINITY, high = -(double)INFINITY, written = array_value(&j->scale, b);
		struct ekka_near s;
		bool nan = false;

		for (i64 i = EKKA_LANE; i < j->pieces; i += EKKA_LANES) {
			low = p[i].low < low ? p[i].low : low;
			high = p[i].high > high ? p[i].high : high;
			nan |= p[i].nan;
		}
		low = -team_max(-low);
		high = team_max(high);
		nan = team_any(nan);
		if (EKKA_LANE != 0)
			continue;
		s = j->zero_out.parts ? ekka_quantize_span_near(j->u, low, high) : ekka_quantize_scale_near(&j->how, j->inverse, j->u, low, high, written);
		note_element(&found, &j->scale_out.format, b, written, s.value, s.error, false);
		found.n_bad += nan;
		if (j->zero_out.parts) {
			double z = array_value(&j->zero, b);

			note_element(&zeros, &j->zero_out.format, b, z, ekka_quantize_zero(j->range.low, j->u, low, written, z), 0, false);
		}
	}
	tell((struct ekka_gpu_part *)(size_t)j->scale_out.parts, found);
	if (j->zero_out.parts)
		tell((struct ekka_gpu_part *)(size_t)j->zero_out.parts, zeros);
}
