/* SPDX-License-Identifier: Apache-2.0 */
/* Expressions (replay/expr.h), interpreted for each element: all threads are at the same step of the same list. */
#include "replay/gpu_device.cuh"
#include "replay/gpu_expr.h"

/* A register: a real or an integer, and its error. */
struct expr_value {
	union { double re; i64 i; };
	double e;
};

static __device__ struct expr_value of_real(struct ekka_real x)
{
	struct expr_value v;

	v.re = x.v;
	v.e = x.e;
	return v;
}

static __device__ struct expr_value of_whole(i64 i, double e)
{
	struct expr_value v;

	v.i = i;
	v.e = e;
	return v;
}

static __device__ struct ekka_real real_of(const struct expr_value *v)
{
	struct ekka_real x;

	x.v = v->re;
	x.e = v->e;
	return x;
}

/* The value of an integer or real register as a double, as errors of integers are computed. */
static __device__ struct ekka_real number_of(const struct expr_value *v, bool is_int)
{
	struct ekka_real x;

	x.v = is_int ? (double)v->i : v->re;
	x.e = v->e;
	return x;
}

static __device__ struct ekka_expr_rounding rounding_of_step(const struct ekka_gpu_expr_job *job, const struct ekka_gpu_step *s)
{
	struct ekka_expr_rounding p;

	p.unit = s->number;
	p.normal = job->normal;
	p.overflow = job->overflow;
	p.contracts = s->flags & EKKA_GPU_CONTRACTS;
	p.single = s->flags & EKKA_GPU_SINGLE;
	p.ieee = job->ieee;
	return p;
}

static __device__ struct expr_value element_at(const struct ekka_gpu_array *a, bool is_int, i64 at)
{
	const void *bytes = (const void *)(size_t)a->bytes;
	struct expr_value v;

	v.e = 0;
	if (is_int)
		v.i = int_at(bytes, a->dtype, at);
	else
		v.re = value_at(bytes, a->dtype, at, 0);
	return v;
}

/* NaN for what lies out of range, infinite where an index is not certain: then nothing is read. */
static __device__ struct expr_value entry_of(const struct ekka_gpu_array *a, const struct ekka_gpu_step *s, const struct expr_value *reg)
{
	struct expr_value v;
	i64 at = a->offset;

	for (int d = 0; d < s->n_args; d++) {
		const struct expr_value *index = &reg[s->arg[d]];

		v.i = 0;
		v.e = index->e != 0 ? (double)INFINITY : (double)NAN;
		if (index->e != 0 || index->i < 0 || index->i >= a->dim[d])
			return v;
		at += index->i * a->stride[d];
	}
	return element_at(a, s->flags & EKKA_GPU_INT, at);
}

static __device__ struct expr_value leaf(const struct ekka_gpu_expr_job *job, const struct ekka_gpu_step *s, i64 e, const struct expr_value *reg)
{
	struct expr_value v;

	v.e = 0;
	switch (s->op) {
	case EKKA_X_NUMBER:
		v.re = s->number;
		v.e = s->more;
		return v;
	case EKKA_X_INTEGER: v.i = s->integer; return v;
	case EKKA_X_INPUT: return element_at(&job->input[s->which], s->flags & EKKA_GPU_INT, place_of(&job->input[s->which], e));
	case EKKA_X_INDEX:
		v.i = quotient(e, job->behind[s->which]);
		v.i -= quotient(v.i, job->dim[s->which]) * job->dim[s->which];
		return v;
	default: return entry_of(&job->input[s->which], s, reg);
	}
}

static __device__ struct expr_value to_integers(const struct ekka_gpu_step *s, const struct expr_value *a)
{
	struct ekka_whole_type t;
	struct ekka_whole x;

	t.bits = s->which;
	t.is_signed = s->flags & EKKA_GPU_SIGNED;
	t.lo = s->number;
	t.hi = s->more;
	if (s->op == EKKA_X_TO_INT) {
		x = ekka_whole_truncated(&t, real_of(a));
		return of_whole(x.v, x.e);
	}
	x.v = a->i;
	x.e = a->e;
	return of_whole(ekka_whole_wrap(&t, x.v), ekka_whole_wrap_error(&t, x));
}

/* An operation whose value is an integer. */
static __device__ struct expr_value integers(const struct ekka_gpu_step *s, const struct expr_value *a, const struct expr_value *b, const struct expr_value *c)
{
	bool of_ints = s->flags & EKKA_GPU_OF_INTS;
	struct ekka_real x, y;
	struct ekka_whole w;

	switch (s->op) {
	case EKKA_X_TO_INT:
	case EKKA_X_WRAP: return to_integers(s, a);
	case EKKA_X_ISNAN:
	case EKKA_X_ISINF:
	case EKKA_X_ISFINITE:
		w = ekka_whole_class(s->op, real_of(a));
		return of_whole(w.v, w.e);
	case EKKA_X_WHERE: return of_whole(a->i ? b->i : c->i, ekka_expr_choice_error(a->i, a->e, number_of(b, true), number_of(c, true)));
	default: break;
	}
	x = number_of(a, of_ints);
	y = number_of(b, of_ints);
	y.e = s->n_args > 1 ? y.e : 0;
	if (!of_ints)
		w.v = ekka_whole_of_reals(s->op, x.v, y.v);
	else if ((s->flags & EKKA_GPU_UNSIGNED) && ekka_whole_has_unsigned(s->op))
		w.v = ekka_whole_unsigned(s->op, a->i, b->i);
	else
		w.v = ekka_whole_value(s->op, a->i, b->i);
	return of_whole(w.v, ekka_whole_error(s->op, x.v, x.e, y.v, y.e));
}

/* An operation whose value is real. */
static __device__ struct expr_value reals(const struct ekka_gpu_expr_job *job, const struct ekka_gpu_step *s, const struct expr_value *pa, const struct expr_value *pb,
					  const struct expr_value *pc)
{
	struct ekka_expr_rounding p = rounding_of_step(job, s);
	struct ekka_real a = real_of(pa), b = real_of(pb), c = real_of(pc), r = a;
	const struct ekka_function *f = &job->function[s->which];
	double sign = s->op == EKKA_X_MAX ? 1 : -1;

	switch (s->op) {
	case EKKA_X_TO_REAL:
		r.v = s->flags & EKKA_GPU_UNSIGNED ? (double)(u64)pa->i : (double)pa->i;
		r.e = ekka_expr_real_error(r.v, pa->e, job->unit, s->more);
		break;
	case EKKA_X_NEG: r.v = -a.v; break;
	case EKKA_X_ABS: r.v = fabs(a.v); break;
	case EKKA_X_SIGN: r = ekka_expr_sign(a); break;
	case EKKA_X_REM: r = ekka_expr_remainder(a, b); break;
	case EKKA_X_MIN:
	case EKKA_X_MAX:
		r = ekka_expr_extreme(a, b, sign);
		r.e = ekka_expr_extreme_error(a, b, sign, r);
		break;
	case EKKA_X_WHERE:
		r.v = pa->i ? b.v : c.v;
		r.e = ekka_expr_choice_error(pa->i, pa->e, b, c);
		break;
	case EKKA_X_ROUND_TO:
		r.v = ekka_round_to_format(&job->format[s->which], a.v, s->flags & EKKA_GPU_SATURATES);
		r.e = ekka_expr_round_error(a, r.v, &job->format[s->which], s->flags & EKKA_GPU_SATURATES);
		break;
	case EKKA_X_POW: r = ekka_function_pow(a, b, &p); break;
	case EKKA_X_FUNCTION: r = ekka_function_apply(f, a, ekka_function_value(f->id, a.v), &p); break;
	default:
		if (s->n_args < 3)
			c.v = c.e = 0;
		r = ekka_expr_arith_one(s->op, a, b, c, &p);
		break;
	}
	return of_real(r);
}

static __device__ struct expr_value evaluate(const struct ekka_gpu_expr_job *job, i64 e)
{
	struct expr_value reg[EKKA_GPU_REGISTERS];

	for (int i = 0; i < job->n_steps; i++) {
		const struct ekka_gpu_step *s = &job->step[i];
		const struct expr_value *a = &reg[s->arg[0]], *b = &reg[s->arg[1]], *c = &reg[s->arg[2]];

		if (s->op <= EKKA_X_TABLE)
			reg[s->to] = leaf(job, s, e, reg);
		else if (s->flags & EKKA_GPU_INT)
			reg[s->to] = integers(s, a, b, c);
		else
			reg[s->to] = reals(job, s, a, b, c);
	}
	return reg[job->result];
}

/* Uncertain integers go as doubles: exact up to 2^53, and beyond that a difference is kept as one. */
static __device__ void note_uncertain(struct ekka_gpu_part *p, const struct ekka_gpu_expr_job *job, i64 e, i64 got, const struct expr_value *v)
{
	double out = (double)got, ref = (double)v->i;

	if (got != v->i && out == ref)
		out = nextafter(out, got > v->i ? (double)INFINITY : -(double)INFINITY);
	note_element(p, &job->stored, e, out, ref, v->e, false);
}

/* Elements 0..n-1 of one output. A value that is unknown because a table was read out of its range is for the CPU to look at: as if it were bad. */
EKKA_KERNEL ekka_gpu_expr(const struct ekka_gpu_expr_job *job, i64 n, struct ekka_gpu_part *parts)
{
	struct ekka_gpu_part p = nothing_found();

	FOR_EACH(e, n) {
		struct expr_value v = evaluate(job, e);

		if (isnan(v.e))
			p.n_bad++;
		else if (!job->result_is_int)
			note_element(&p, &job->stored, e, array_value(&job->out, e), v.re, v.e, false);
		else if (v.e == 0)
			note_int(&p, e, array_int(&job->out, e), v.i);
		else
			note_uncertain(&p, job, e, array_int(&job->out, e), &v);
	}
	tell(parts, p);
}
