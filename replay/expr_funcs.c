/* SPDX-License-Identifier: Apache-2.0 */
/* Functions of one real, and pow, over blocks. */
#include <string.h>

#include "compare/clones.h"
#include "replay/exp.h"
#include "replay/expr_internal.h"

const struct ekka_expr_function *ekka_expr_function_find(const char *name)
{
	static const struct ekka_expr_function functions[] = {
#define ROW(name, value, kind, k, lipschitz, low, high) { #name, { EKKA_F_##name, EKKA_F_##kind, k, lipschitz, low, high } },
		EKKA_EXPR_FUNCTIONS(ROW)
#undef ROW
	};

	for (size_t i = 0; i < EKKA_N_FUNCTIONS; i++)
		if (!strcmp(functions[i].name, name))
			return &functions[i];
	return NULL;
}

static void values(int id, size_t n, const double *a, double *r)
{
	switch (id) {
#define EACH(name, value, kind, k, lipschitz, low, high)                        \
	case EKKA_F_##name:                                                     \
		for (size_t i = 0; i < n; i++)                                  \
			r[i] = ekka_function_folded(EKKA_F_##name, a[i]);       \
		break;
	EKKA_EXPR_FUNCTIONS(EACH)
#undef EACH
	default: break;
	}
}

/*
 * Those of which exp is most, with one whose error the functions' own, at least 5 * 2^-52, covers; false, with nothing of use done, for others and where a result may
 * be out of the ordinary.
 */
EKKA_CLONES static bool quick_values(int id, size_t n, const double *restrict a, double *restrict r)
{
	int64_t odd = 0;

	if (id != EKKA_F_exp && id != EKKA_F_sigmoid && id != EKKA_F_silu)
		return false;
	for (size_t i = 0; i < n; i++) {
		odd |= !(fabs(a[i]) < 700);
		r[i] = ekka_exp(id == EKKA_F_exp ? a[i] : -a[i]);
	}
	for (size_t i = 0; id != EKKA_F_exp && i < n; i++)
		r[i] = (id == EKKA_F_silu ? a[i] : 1) / (1 + r[i]);
	return !odd;
}

/* ekka_function_error() of exact operands and finite results, of the kinds that are `there`: u * (|r| (a + b |x|) + c |x|), and |r| more where x is below `low`. */
struct terms { double a, b, c, low; bool there; };

static struct terms terms_of(const struct ekka_function *f, double u)
{
	const double z = f->id == EKKA_F_gelu_quick ? 1.702 : f->id == EKKA_F_exp2 ? M_LN2 : 1, at_0 = ekka_function_exp_k(0, u), at_z = ekka_function_exp_k(z, u) - at_0;

	switch (f->kind) {
	case EKKA_F_PLAIN: return (struct terms){ f->k, 0, 0, -(double)INFINITY, true };
	case EKKA_F_EXP:
	case EKKA_F_SIGMOID: return (struct terms){ at_0 + f->k, at_z, 0, -(double)INFINITY, true };
	case EKKA_F_SILU: return (struct terms){ at_0 + f->k, at_z + (f->id == EKKA_F_gelu_quick ? 4 : 0), 0, -87 / z, true };
	case EKKA_F_GELU: return (struct terms){ f->k, 0, 5, -(double)INFINITY, true };
	default: return (struct terms){ 0, 0, 0, 0, false };
	}
}

/* The errors of ordinary results of exact operands; false where one is not. As ekka_function_apply. */
EKKA_CLONES static bool quick_errors(const struct terms *t, size_t n, const double *restrict a, const double *restrict r, double *restrict error,
				     const struct ekka_expr_rounding *p)
{
	const double of_r = t->a, of_x = t->b, alone = t->c, low = t->low, unit = p->unit, normal = p->normal, overflow = p->overflow;
	int64_t odd = 0;

	for (size_t i = 0; i < n; i++) {
		double x = fabs(a[i]), size = fabs(r[i]), e = unit * (size * (of_r + of_x * x) + alone * x), s;

		e += a[i] < low ? size : 0;
		s = size + e;
		e += s < normal ? s : normal;
		odd |= !((size + e < overflow) & (x < (double)INFINITY) & (size < (double)INFINITY));
		error[i] = e;
	}
	return !odd;
}

void ekka_expr_apply(const struct ekka_expr_function *f, size_t n, const struct ekka_expr_register *a, struct ekka_expr_register *r,
		     const struct ekka_expr_rounding *p)
{
	struct terms t = terms_of(&f->f, p->unit);

	if (ekka_function_of_doubles(p->unit) || !quick_values(f->f.id, n, a->re, r->re))
		values(f->f.id, n, a->re, r->re);
	r->exact = a->exact && f->f.kind == EKKA_F_EXACT;
	if (a->exact && t.there && quick_errors(&t, n, a->re, r->re, r->error, p))
		return;
	for (size_t i = 0; !r->exact && i < n; i++) {
		struct ekka_real y = ekka_function_apply(&f->f, ekka_expr_real_at(a, i), r->re[i], p);

		r->re[i] = y.v;
		r->error[i] = y.e;
	}
}

void ekka_expr_pow(size_t n, const struct ekka_expr_register *a, const struct ekka_expr_register *b, struct ekka_expr_register *r,
		   const struct ekka_expr_rounding *p)
{
	r->exact = false;
	for (size_t i = 0; i < n; i++) {
		struct ekka_real y = ekka_function_pow(ekka_expr_real_at(a, i), ekka_expr_real_at(b, i), p);

		r->re[i] = y.v;
		r->error[i] = y.e;
	}
}
