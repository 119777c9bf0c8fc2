/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Block-scaled outputs of op matmul: the library computes a scale for every 32 (UE8M0, FP8) or 16 (UE4M3, E2M1) elements of a column of D from the largest
 * magnitude among them (cuBLAS library, "1D Block Quantization"; missing elements of the last block count as zero):
 *
 *	S = amax / max(type)		max: 448, 57344, 6
 *	s = 2^ceil(log2 S), or e4m3(S)
 *	D = type(t * (1 / s))
 *
 * D is judged by the scales as they were recorded (replay/epilogue.h), the scales by the reference: with amax between low and high, the bounds of the elements taken
 * into account and S's own rounding (2^-22, generously), s may be anything from the least of low to the most of high, whichever way it is rounded:
 *
 *	UE8M0: from 2^(floor(log2 low) - emax), which the OCP's specification suggests (Microscaling Formats 1.0, section 6.3; emax 8 or 15), to
 *	2^ceil(log2 (high / max)); within 2^-127 to 2^127; a block that may hold zeros alone may have 1, too
 *	UE4M3: from low / 6 rounded down to high / 6 rounded up; within 0 to 448
 *
 * Scales that are wrong make D wrong, too: they are what is wrong when D is right, nearly everywhere, by those that they should be. Of a stale one that could
 * be, and of one of two that could be, that cannot be told.
 *
 * Where D's own elements leave it open (NaN, infinities) so are their blocks' scales. Tiles are filled up with bytes that mean nothing.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "replay/gemm_blocks.h"
#include "replay/matmul.h"
#include "replay/narrow.h"

enum { MOSTLY = 4 };	/* of D's wrong elements, how many less are to be wrong by other scales */
static const double ROUNDING = 0x1p-22, UE8M0_LEAST = 0x1p-127, UE8M0_MOST = 0x1p127, UE4M3_MOST = 448, UE4M3_SPACING = 0x1p-9;

static int64_t out_mode(const struct ekka_matmul *x)
{
	return ekka_job_attr(x->job.event, "scaleDOut_mode", EKKA_SCALE_SCALAR);
}

bool ekka_matmul_quantizes(const struct ekka_matmul *x)
{
	return out_mode(x) != EKKA_SCALE_SCALAR;
}

/* What has no reference, or was not recorded; NULL when nothing. */
static const char *unsupported(const struct ekka_matmul *x)
{
	const struct ekka_matrix *d = &x->job.gemm.c;
	bool packed = x->unpacked[EKKA_MATMUL_D] != NULL;

	if (out_mode(x) == EKKA_SCALE_VEC16_UE4M3 ? !packed : out_mode(x) != EKKA_SCALE_VEC32_UE8M0 || packed || (d->dtype != EKKA_E4M3 && d->dtype != EKKA_E5M2))
		return "no reference for this mode of an output's scales, or not with this type";
	return d->rows > 1 && d->rs != 1 ? "no reference for a block-scaled output that is not column by column" : NULL;
}

int ekka_matmul_take_out_scales(struct ekka_matmul *x, struct ekka_error *err)
{
	const struct ekka_gemm *g = &x->job.gemm;
	struct ekka_epilogue *e = &x->epilogue;
	int index = ekka_matmul_tensor(x, "scaleDOut"), r;
	const char *why;

	if (!ekka_matmul_quantizes(x))
		return 0;
	why = unsupported(x);
	if (why || index < 0) {
		ekka_job_settle(&x->job, why ? EKKA_UNSUPPORTED : EKKA_INCOMPLETE, why ? why : "the scales of the output's blocks were not recorded");
		return 0;
	}
	e->blocks.size = ekka_matmul_block(out_mode(x));
	e->blocks.count = (g->m - 1) / e->blocks.size + 1;
	e->blocks.columns = g->n;
	e->blocks.four_bits = x->unpacked[EKKA_MATMUL_D] != NULL;
	r = ekka_matmul_take_tiles(x, index, EKKA_POST, out_mode(x), g->n, e->blocks.count, &x->vector[EKKA_MATMUL_BLOCKS_D], err);
	if (r < 0 || x->job.settled)
		return r;
	x->vector[EKKA_MATMUL_LARGEST] = calloc((size_t)(2 * g->batch * g->n * e->blocks.count), sizeof(double));
	if (!x->vector[EKKA_MATMUL_LARGEST])
		return ekka_error_set(err, EKKA_ERR_NOMEM, "no memory for the blocks' largest magnitudes");
	e->blocks.scale = x->vector[EKKA_MATMUL_BLOCKS_D];
	e->blocks.largest = x->vector[EKKA_MATMUL_LARGEST];
	return 0;
}

/* Between numbers of e4m3, which has four digits: up, or down. */
static double to_e4m3(double v, double (*round)(double))
{
	int e;

	(void)frexp(v, &e);
	return fmin(UE4M3_MOST, fmax(ldexp(1, e - 4), UE4M3_SPACING) * round(v / fmax(ldexp(1, e - 4), UE4M3_SPACING)));
}

/* What a block's scale is at least and at most. */
static void admissible(const struct ekka_matmul *x, const double largest[2], double *ret_least, double *ret_most)
{
	double max = x->job.gemm.model.max_out, low = largest[0] * (1 - ROUNDING), high = largest[1] * (1 + ROUNDING);
	int emax, e, of_high;

	if (out_mode(x) == EKKA_SCALE_VEC16_UE4M3) {
		*ret_least = to_e4m3(low / max, floor);
		*ret_most = to_e4m3(high / max, ceil);
		return;
	}
	(void)frexp(max, &emax);
	(void)frexp(low, &e);
	*ret_least = low > 0 ? fmin(UE8M0_MOST, fmax(UE8M0_LEAST, ldexp(1, e - emax))) : UE8M0_LEAST;
	/* frexp's fraction is 1/2 exactly for the powers of two themselves. */
	*ret_most = ldexp(1, frexp(high / max, &of_high) > 0.5 ? of_high : of_high - 1);
	*ret_most = fmin(UE8M0_MOST, fmax(low > 0 ? UE8M0_LEAST : 1, *ret_most));
}

/* The block's scale by the documentation, within what it may be. */
static double documented(const struct ekka_matmul *x, int64_t at, double least, double most)
{
	const double *largest = &x->epilogue.blocks.largest[2 * at];
	double s = ekka_narrow(EKKA_E4M3, (largest[0] + largest[1]) / 2 / x->job.gemm.model.max_out);

	return out_mode(x) == EKKA_SCALE_VEC16_UE4M3 ? fmin(most, fmax(least, s)) : most;
}

/* Counts the scales that cannot be, and puts those that could be in their places into `right`. *first: where the first of them is. */
static int64_t find_bad(const struct ekka_matmul *x, double *right, int64_t *first, char where[EKKA_TEXT])
{
	const struct ekka_epilogue *e = &x->epilogue;
	int64_t count = e->blocks.count, n = x->job.gemm.batch * x->job.gemm.n * count, n_bad = 0;
	double least = 0, most = 0, shown[2] = { 0, 0 };

	for (int64_t at = 0; at < n; at++) {
		bool open = !isfinite(e->blocks.largest[2 * at + 1]);

		right[at] = e->blocks.scale[at];
		if (!open)
			admissible(x, &e->blocks.largest[2 * at], &least, &most);
		if (open || (right[at] >= least && right[at] <= most))
			continue;
		right[at] = documented(x, at, least, most);
		if (n_bad++ == 0) {
			*first = at;
			shown[0] = least;
			shown[1] = most;
		}
	}
	(void)snprintf(where, EKKA_TEXT, "%lld of %lld scales of blocks, the first that of rows %lld to %lld of column %lld%s: %g, not %g to %g", (long long)n_bad,
		       (long long)n, (long long)(*first % count * e->blocks.size), (long long)(*first % count * e->blocks.size + e->blocks.size - 1),
		       (long long)(*first / count % x->job.gemm.n), *first >= x->job.gemm.n * count ? " of an item behind the first" : "",
		       e->blocks.scale[*first], shown[0], shown[1]);
	return n_bad;
}

/* Is D right by these scales. */
static int judge_again(struct ekka_matmul *x, const struct ekka_gemm_options *o, const double *scales, struct ekka_verdict *ret, struct ekka_error *err)
{
	struct ekka_epilogue epilogue;
	struct ekka_gemm again = ekka_gemm_copy(&x->job.gemm, &epilogue);
	int r;

	epilogue.blocks.scale = scales;
	epilogue.blocks.largest = NULL;
	r = ekka_gemm_judge(&again, o, ret, err);
	ekka_gemm_copy_release(&again);
	return r;
}

/* Of the scales behind the first item's it is not known where they lie. */
static void name_scales(struct ekka_matmul *x, bool behind_the_first, const char *where)
{
	struct ekka_verdict *v = x->job.verdict;

	if (behind_the_first && ekka_matmul_assumes_places(x)) {
		v->status = EKKA_UNDECIDED;
		(void)snprintf(v->reason, sizeof v->reason, "%.440s; where they lie is not documented", where);
		return;
	}
	ekka_matmul_fail(v, "scaleDOut", where);
	v->looks_like[0] = '\0';
	v->n_bad = v->n_worst = 0;
}

int ekka_matmul_judge_out_scales(struct ekka_matmul *x, const struct ekka_gemm_options *o, struct ekka_error *err)
{
	const struct ekka_gemm *g = &x->job.gemm;
	struct ekka_verdict *v = x->job.verdict, by_right = { .event = v->event };
	char where[EKKA_TEXT];
	int64_t first = 0;
	double *right;
	int r = 0;

	if (!x->epilogue.blocks.scale)
		return 0;
	right = malloc((size_t)(g->batch * g->n * x->epilogue.blocks.count) * sizeof *right);
	if (!right)
		return ekka_error_set(err, EKKA_ERR_NOMEM, "no memory for block scales");
	if (find_bad(x, right, &first, where) > 0) {
		if (v->status == EKKA_FAIL)
			r = judge_again(x, o, right, &by_right, err);
		if (r == 0 && by_right.n_bad <= v->n_bad / MOSTLY)
			name_scales(x, first >= g->n * x->epilogue.blocks.count, where);
	}
	free(right);
	return r;
}
