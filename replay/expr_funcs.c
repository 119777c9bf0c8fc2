/* SPDX-License-Identifier: Apache-2.0 */
/* Functions of one real, and pow, over blocks. */
#include <string.h>

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

void ekka_expr_apply(const struct ekka_expr_function *f, size_t n, const struct ekka_expr_register *a, struct ekka_expr_register *r,
		     const struct ekka_expr_rounding *p)
{
	values(f->f.id, n, a->re, r->re);
	r->exact = a->exact && f->f.kind == EKKA_F_EXACT;
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
