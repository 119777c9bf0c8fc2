/* SPDX-License-Identifier: Apache-2.0 */
#include "compare/screen.h"

#include <math.h>

int64_t ekka_screen_width(const struct ekka_bound_model *m)
{
	return m->u_out > 0x1p-12 ? 64 : 256;
}

double ekka_screen_factor(double tests, double delta)
{
	return sqrt(2 * log(2 * tests / delta));
}

struct ekka_screen_terms ekka_screen_terms(const struct ekka_bound_model *m, int64_t n)
{
	/* The check is itself done in double, and sums what it compares. */
	double own = 0x1p-53 * sqrt((double)m->k + (double)n);

	/* An ulp is 2 u 2^e. */
	return (struct ekka_screen_terms){ m->u_out * m->u_out / 3, m->typical * m->typical + own * own,
					   (m->tiny_out + m->tiny_acc) * ((double)n + (double)m->k) };
}

double ekka_screen_threshold(const struct ekka_bound_model *m, const struct ekka_screen_sums *s, double factor)
{
	struct ekka_screen_terms t = ekka_screen_terms(m, s->n);

	if (m->kind == EKKA_BOUND_INTEGER)
		return 0.5;
	return factor * sqrt(t.ulp2 * s->ulp2 + t.rest * (s->product2 + s->out2 + s->c02)) + t.tiny;
}
