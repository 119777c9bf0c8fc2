/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Real operations over a block: a loop without branches, and a second look at blocks with an element that is not finite, near
 * overflow or unknown.
 */
#include <string.h>

#include "compare/clones.h"
#include "replay/expr_internal.h"

static const double ZEROS[EKKA_EXPR_BLOCK];

static const double *error_of(const struct ekka_expr_register *a)
{
	return a && !a->exact ? a->error : ZEROS;
}

#define ARITH(name, R, E, LOST, MORE)                                                                                        \
	EKKA_CLONES static bool name(size_t n, const double *restrict pa, const double *restrict qa, const double *restrict pb, \
				       const double *restrict qb, const double *restrict pc, const double *restrict qc,      \
				       double *restrict ret, double *restrict error, const struct ekka_expr_rounding *p)     \
	{                                                                                                                    \
		double unit = p->unit, normal = p->normal, overflow = p->overflow, never = p->single ? 0 : 1;                \
		double ieee = p->ieee ? 1 : 0;                                                                               \
		int64_t odd = 0;	/* as wide as a double, for the sake of vectors */                                   \
		(void)pc;                                                                                                    \
		(void)qc;                                                                                                    \
		(void)pb;                                                                                                    \
		(void)qb;                                                                                                    \
		for (size_t i = 0; i < n; i++) {                                                                             \
			double a = pa[i], ea = qa[i], b = pb[i], eb = qb[i], r, e, s;                                        \
			(void)b;                                                                                             \
			(void)eb;                                                                                            \
			r = R;                                                                                               \
			e = E;                                                                                               \
			s = fabs(r) + e;                                                                                     \
			e += ekka_expr_rounded(r, e, s, LOST, unit, normal, never, ieee);                                    \
			odd |= !((s + e < overflow) & (MORE));                                                               \
			ret[i] = r;                                                                                          \
			error[i] = e;                                                                                        \
		}                                                                                                            \
		return odd;                                                                                                  \
	}
ARITH(block_add, a + b, ea + eb, 0, (fabs(a) + ea < overflow) & (fabs(b) + eb < overflow))
ARITH(block_sub, a - b, ea + eb, 0, (fabs(a) + ea < overflow) & (fabs(b) + eb < overflow))
ARITH(block_mul, a * b, ekka_expr_product_error(a, ea, b, eb), 0, true)
ARITH(block_div, a / b, ekka_expr_quotient_error(ea, b, eb, r), 0, true)
ARITH(block_fma, a * b + pc[i], ekka_expr_product_error(a, ea, b, eb) + qc[i], 0, true)
/* These two call the library where the machine has no such instruction; products of binary32 numbers need it not. */
ARITH(block_contracted, a * b, ekka_expr_product_error(a, ea, b, eb), fabs(fma(a, b, -r)), true)
ARITH(block_fused, fma(a, b, pc[i]), ekka_expr_product_error(a, ea, b, eb) + qc[i], 0, true)

static void copy_errors(const struct ekka_expr_register *a, size_t n, struct ekka_expr_register *r)
{
	r->exact = a->exact;
	if (!a->exact)
		memcpy(r->error, a->error, n * sizeof *r->error);
}

EKKA_CLONES static void block_extreme(size_t n, const double *restrict a, const double *restrict ea, const double *restrict b,
				      const double *restrict eb, double sign, double *restrict r, double *restrict e)
{
	for (size_t i = 0; i < n; i++) {
		struct ekka_real m = ekka_expr_extreme((struct ekka_real){ a[i], ea[i] }, (struct ekka_real){ b[i], eb[i] }, sign);

		r[i] = m.v;
		e[i] = m.e;
	}
}

static void extreme(size_t n, const struct ekka_expr_register *a, const struct ekka_expr_register *b, double sign,
		    struct ekka_expr_register *r)
{
	block_extreme(n, a->re, error_of(a), b->re, error_of(b), sign, r->re, r->error);
	r->exact = a->exact && b->exact;
	for (size_t i = 0; !r->exact && i < n; i++)
		r->error[i] = ekka_expr_extreme_error(ekka_expr_real_at(a, i), ekka_expr_real_at(b, i), sign, (struct ekka_real){ r->re[i], r->error[i] });
}

static void remainders(size_t n, const struct ekka_expr_register *a, const struct ekka_expr_register *b, struct ekka_expr_register *r)
{
	r->exact = a->exact && b->exact;
	for (size_t i = 0; i < n; i++) {
		struct ekka_real x = ekka_expr_remainder(ekka_expr_real_at(a, i), ekka_expr_real_at(b, i));

		r->re[i] = x.v;
		r->error[i] = x.e;
	}
}

static void signs(size_t n, const struct ekka_expr_register *a, struct ekka_expr_register *r)
{
	r->exact = a->exact;
	for (size_t i = 0; i < n; i++) {
		struct ekka_real x = ekka_expr_sign(ekka_expr_real_at(a, i));

		r->re[i] = x.v;
		r->error[i] = x.e;
	}
}

void ekka_expr_arith(enum ekka_expr_op op, size_t n, const struct ekka_expr_register *a, const struct ekka_expr_register *b,
		     const struct ekka_expr_register *c, struct ekka_expr_register *r, const struct ekka_expr_rounding *p)
{
	const double *pb = b ? b->re : ZEROS, *pc = c ? c->re : ZEROS, *ea = error_of(a), *eb = error_of(b), *ec = error_of(c);
	bool contracted = p->ieee && p->contracts, odd;

	switch (op) {
	case EKKA_X_NEG:
		for (size_t i = 0; i < n; i++)
			r->re[i] = -a->re[i];
		copy_errors(a, n, r);
		return;
	case EKKA_X_ABS:
		for (size_t i = 0; i < n; i++)
			r->re[i] = fabs(a->re[i]);
		copy_errors(a, n, r);
		return;
	case EKKA_X_SIGN: signs(n, a, r); return;
	case EKKA_X_MIN: extreme(n, a, b, -1, r); return;
	case EKKA_X_MAX: extreme(n, a, b, 1, r); return;
	case EKKA_X_REM: remainders(n, a, b, r); return;
	case EKKA_X_ADD: odd = block_add(n, a->re, ea, pb, eb, pc, ec, r->re, r->error, p); break;
	case EKKA_X_SUB: odd = block_sub(n, a->re, ea, pb, eb, pc, ec, r->re, r->error, p); break;
	case EKKA_X_MUL: odd = (contracted ? block_contracted : block_mul)(n, a->re, ea, pb, eb, pc, ec, r->re, r->error, p); break;
	case EKKA_X_FMA: odd = (p->ieee ? block_fused : block_fma)(n, a->re, ea, pb, eb, pc, ec, r->re, r->error, p); break;
	default: odd = block_div(n, a->re, ea, pb, eb, pc, ec, r->re, r->error, p); break;
	}
	r->exact = false;
	for (size_t i = 0; odd && i < n; i++) {
		struct ekka_real x = { a->re[i], ea[i] }, y = { pb[i], eb[i] }, z = { pc[i], ec[i] };

		x = ekka_expr_arith_one(op, x, y, z, p);
		r->re[i] = x.v;
		r->error[i] = x.e;
	}
}

/* As in compare/format.c, but for overflow. */
EKKA_CLONES static bool block_round(size_t n, const double *restrict a, double *restrict r, double unit, double normal, double overflow)
{
	int64_t odd = 0;

	for (size_t i = 0; i < n; i++) {
		double size = fabs(a[i]), power = ekka_power_below(size), magic;

		power = power > normal ? power : normal;
		magic = power * unit * 0x1.8p53;
		odd |= !(size < overflow);
		r[i] = copysign((a[i] + magic) - magic, a[i]);
	}
	return odd;
}

void ekka_expr_round_to(size_t n, const struct ekka_expr_register *a, struct ekka_expr_register *r, const struct ekka_format *f, bool saturates)
{
	bool odd;

	r->exact = a->exact;
	if (f->unit == 0x1p-53) {
		memcpy(r->re, a->re, n * sizeof *r->re);
		copy_errors(a, n, r);
		return;
	}
	odd = block_round(n, a->re, r->re, f->unit, f->normal, f->overflow);
	for (size_t i = 0; odd && i < n; i++)
		r->re[i] = ekka_format_round(f, a->re[i], saturates);
	if (a->exact)
		return;
	for (size_t i = 0; i < n; i++)
		r->error[i] = ekka_expr_round_error((struct ekka_real){ a->re[i], a->error[i] }, r->re[i], f, saturates);
}
