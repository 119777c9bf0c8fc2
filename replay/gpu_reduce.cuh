/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reductions: a team takes a row, or, where there are few and they are long, a piece of one, and a second kernel puts the pieces of a row together. What a
 * piece comes to is the same for all lanes.
 */
#include "replay/gpu_device.cuh"
#include "replay/rows_job.h"

/* Best of all lanes, the one in front where several are. A lane without elements says so by index -1. */
static __device__ void team_best(double *best, int64_t *index, double sign)
{
	for (int d = EKKA_LANES / 2; d > 0; d /= 2) {
		double other = EKKA_FROM(*best, d);
		i64 other_index = EKKA_FROM((i64)*index, d);

		if (other_index >= 0 && (*index < 0 || ekka_fold_better(other, other_index, *best, *index, sign))) {
			*best = other;
			*index = other_index;
		}
	}
	*best = EKKA_OF_LANE(*best, 0);
	*index = EKKA_OF_LANE((i64)*index, 0);
}

static __device__ void fold_best(const struct ekka_reduce_job *j, i64 first, i64 from, i64 to, struct ekka_fold *f)
{
	double sign = ekka_fold_is_least(j->o.kind) ? -1 : 1;

	f->best_index = -1;
	for (i64 i = from + EKKA_LANE; i < to; i += EKKA_LANES) {
		double x = array_value(&j->in, first + i);

		if (f->best_index < 0 || ekka_fold_better(x, i, f->best, f->best_index, sign)) {
			f->best = x;
			f->best_index = i;
		}
	}
	team_best(&f->best, &f->best_index, sign);
}

static __device__ void fold_truth(const struct ekka_reduce_job *j, i64 first, i64 from, i64 to, struct ekka_fold *f)
{
	bool any = false, all = true;

	for (i64 i = from + EKKA_LANE; i < to; i += EKKA_LANES) {
		bool x = array_value(&j->in, first + i) != 0;

		any |= x;
		all &= x;
	}
	f->any = team_any(any);
	f->all = !team_any(!all);
}

/* Sums, and for moments the distances from this piece's mean. */
static __device__ void fold_sums(const struct ekka_reduce_job *j, i64 first, i64 from, i64 to, bool moments, struct ekka_fold *f)
{
	double sum = 0, abs = 0, squares = 0, greatest = 0, m2 = 0;

	for (i64 i = from + EKKA_LANE; i < to; i += EKKA_LANES) {
		double x = array_value(&j->in, first + i), a = fabs(x);

		sum += x;
		abs += a;
		squares += x * x;
		greatest = a > greatest ? a : greatest;
	}
	f->sum = team_sum(sum);
	f->abs = team_sum(abs);
	f->squares = team_sum(squares);
	if (!moments)
		return;
	f->greatest = team_max(greatest);
	f->mean = f->sum / (double)(to - from);
	for (i64 i = from + EKKA_LANE; i < to; i += EKKA_LANES) {
		double d = array_value(&j->in, first + i) - f->mean;

		m2 += d * d;
	}
	f->m2 = team_sum(m2);
}

/* Elements [from, to) of the row that begins at `first`. */
static __device__ struct ekka_fold fold_of(const struct ekka_reduce_job *j, i64 first, i64 from, i64 to)
{
	struct ekka_fold f;

	memset(&f, 0, sizeof f);
	f.n = to - from;
	switch (j->o.kind) {
	case EKKA_FOLD_MAX:
	case EKKA_FOLD_MIN:
	case EKKA_FOLD_ARGMAX:
	case EKKA_FOLD_ARGMIN: fold_best(j, first, from, to, &f); break;
	case EKKA_FOLD_ANY:
	case EKKA_FOLD_ALL: fold_truth(j, first, from, to, &f); break;
	default: fold_sums(j, first, from, to, j->o.kind == EKKA_FOLD_VAR || j->o.kind == EKKA_FOLD_STD, &f);
	}
	return f;
}

/* The index that is right for a row: the engine's own when its element is the best one too. */
static __device__ i64 right_index(const struct ekka_reduce_job *j, const struct ekka_rows_output *o, i64 row, i64 index, double best)
{
	i64 got = array_int(&o->array, row);
	double value;

	if (j->first_tie || got < 0 || got >= j->n)
		return index;
	value = array_value(&j->in, row * j->n + got);
	return value == best || (isnan(value) && isnan(best)) ? got : index;
}

struct found { struct ekka_gpu_part out, second; };

static __device__ void note_row(const struct ekka_reduce_job *j, i64 row, const struct ekka_fold *f, struct found *r)
{
	if (j->out.parts) {
		struct ekka_near x = ekka_fold_result(f, &j->o);

		if (ekka_fold_is_arg(j->o.kind))
			x.value = (double)right_index(j, &j->out, row, f->best_index, f->best);
		note_element(&r->out, &j->out.format, row, array_value(&j->out.array, row), x.value, x.error, false);
	}
	if (j->second.parts) {
		struct ekka_near x = j->index ? ekka_near_of((double)right_index(j, &j->second, row, f->best_index, f->best), 0) : ekka_fold_mean(f, &j->o);

		note_element(&r->second, &j->second.format, row, array_value(&j->second.array, row), x.value, x.error, false);
	}
}

static __device__ void tell_rows(const struct ekka_reduce_job *j, const struct found *r)
{
	if (j->out.parts)
		tell((struct ekka_gpu_part *)(size_t)j->out.parts, r->out);
	if (j->second.parts)
		tell((struct ekka_gpu_part *)(size_t)j->second.parts, r->second);
}

static __device__ struct found none_found(void)
{
	struct found r;

	r.out = r.second = nothing_found();
	return r;
}

EKKA_KERNEL ekka_gpu_reduce(const struct ekka_reduce_job *j)
{
	struct found r = none_found();

	FOR_EACH_TEAM(t, j->n_rows * j->pieces) {
		i64 row = t / j->pieces, from = t % j->pieces * j->piece, to = from + j->piece < j->n ? from + j->piece : j->n;
		struct ekka_fold f = fold_of(j, row * j->n, from, to);

		if (EKKA_LANE == 0 && j->pieces == 1)
			note_row(j, row, &f, &r);
		else if (EKKA_LANE == 0)
			((struct ekka_fold *)(size_t)j->found)[t] = f;
	}
	if (j->pieces == 1)
		tell_rows(j, &r);
}

/* What the lane `distance` further on has. */
static __device__ struct ekka_fold fold_from(const struct ekka_fold *f, int distance)
{
	struct ekka_fold r;

	memset(&r, 0, sizeof r);
	r.n = EKKA_FROM((i64)f->n, distance);
	r.sum = EKKA_FROM(f->sum, distance);
	r.abs = EKKA_FROM(f->abs, distance);
	r.squares = EKKA_FROM(f->squares, distance);
	r.mean = EKKA_FROM(f->mean, distance);
	r.m2 = EKKA_FROM(f->m2, distance);
	r.greatest = EKKA_FROM(f->greatest, distance);
	r.best = EKKA_FROM(f->best, distance);
	r.best_index = EKKA_FROM((i64)f->best_index, distance);
	r.any = EKKA_FROM((int)f->any, distance) != 0;
	r.all = EKKA_FROM((int)f->all, distance) != 0;
	return r;
}

EKKA_KERNEL ekka_gpu_reduce_pieces(const struct ekka_reduce_job *j)
{
	struct found r = none_found();

	FOR_EACH_TEAM(row, j->n_rows) {
		const struct ekka_fold *found = (const struct ekka_fold *)(size_t)j->found + row * j->pieces;
		struct ekka_fold f;

		memset(&f, 0, sizeof f);
		for (i64 p = EKKA_LANE; p < j->pieces; p += EKKA_LANES)
			ekka_fold_merge(&f, &found[p], j->o.kind);
		for (int d = EKKA_LANES / 2; d > 0; d /= 2) {
			struct ekka_fold other = fold_from(&f, d);

			ekka_fold_merge(&f, &other, j->o.kind);
		}
		if (EKKA_LANE == 0)
			note_row(j, row, &f, &r);
	}
	tell_rows(j, &r);
}

/* ---- integers ---------------------------------------------------------- */

/* Of all lanes, for lane 0. */
static __device__ void team_fold_ints(const struct ekka_reduce_job *j, struct ekka_fold_ints *f)
{
	for (int d = EKKA_LANES / 2; d > 0; d /= 2) {
		struct ekka_fold_ints r;

		r.n = EKKA_FROM((i64)f->n, d);
		r.sum = EKKA_FROM((u64)f->sum, d);
		r.product = EKKA_FROM((u64)f->product, d);
		r.best = EKKA_FROM((i64)f->best, d);
		r.best_index = EKKA_FROM((i64)f->best_index, d);
		r.any = EKKA_FROM((int)f->any, d) != 0;
		r.all = EKKA_FROM((int)f->all, d) != 0;
		ekka_fold_ints_merge(f, &r, j->o.kind, j->is_unsigned);
	}
}

/* An integer as it is when it is stored in this type. */
static __device__ i64 wrapped(int dtype, i64 v)
{
	switch (dtype) {
	case EKKA_GPU_I8: return (signed char)v;
	case EKKA_GPU_U8: return (unsigned char)v;
	case EKKA_GPU_I16: return (short)v;
	case EKKA_GPU_U16: return (unsigned short)v;
	case EKKA_GPU_I32: return (int)v;
	case EKKA_GPU_U32: return (unsigned)v;
	default: return v;
	}
}

static __device__ i64 right_index_int(const struct ekka_reduce_job *j, const struct ekka_rows_output *o, i64 row, i64 index, i64 best)
{
	i64 got = array_int(&o->array, row);

	if (j->first_tie || got < 0 || got >= j->n)
		return index;
	return array_int(&j->in, row * j->n + got) == best ? got : index;
}

static __device__ void note_row_ints(const struct ekka_reduce_job *j, i64 row, const struct ekka_fold_ints *f, struct found *r)
{
	if (j->out.parts) {
		i64 ref = ekka_fold_is_arg(j->o.kind) ? right_index_int(j, &j->out, row, f->best_index, f->best) :
							wrapped(j->out.array.dtype, ekka_fold_ints_result(f, j->o.kind));

		note_int(&r->out, row, array_int(&j->out.array, row), ref);
	}
	if (j->second.parts)
		note_int(&r->second, row, array_int(&j->second.array, row), right_index_int(j, &j->second, row, f->best_index, f->best));
}

EKKA_KERNEL ekka_gpu_reduce_ints(const struct ekka_reduce_job *j)
{
	struct found r = none_found();

	FOR_EACH_TEAM(t, j->n_rows * j->pieces) {
		i64 row = t / j->pieces, from = t % j->pieces * j->piece, to = from + j->piece < j->n ? from + j->piece : j->n;
		struct ekka_fold_ints f;

		memset(&f, 0, sizeof f);
		for (i64 i = from + EKKA_LANE; i < to; i += EKKA_LANES) {
			struct ekka_fold_ints one = ekka_fold_int(array_int(&j->in, row * j->n + i), i);

			ekka_fold_ints_merge(&f, &one, j->o.kind, j->is_unsigned);
		}
		team_fold_ints(j, &f);
		if (EKKA_LANE == 0 && j->pieces == 1)
			note_row_ints(j, row, &f, &r);
		else if (EKKA_LANE == 0)
			((struct ekka_fold_ints *)(size_t)j->found)[t] = f;
	}
	if (j->pieces == 1)
		tell_rows(j, &r);
}

EKKA_KERNEL ekka_gpu_reduce_ints_pieces(const struct ekka_reduce_job *j)
{
	struct found r = none_found();

	FOR_EACH_TEAM(row, j->n_rows) {
		const struct ekka_fold_ints *found = (const struct ekka_fold_ints *)(size_t)j->found + row * j->pieces;
		struct ekka_fold_ints f;

		memset(&f, 0, sizeof f);
		for (i64 p = EKKA_LANE; p < j->pieces; p += EKKA_LANES)
			ekka_fold_ints_merge(&f, &found[p], j->o.kind, j->is_unsigned);
		team_fold_ints(j, &f);
		if (EKKA_LANE == 0)
			note_row_ints(j, row, &f, &r);
	}
	tell_rows(j, &r);
}
