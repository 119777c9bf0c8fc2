/* SPDX-License-Identifier: Apache-2.0 */
#include "replay/panel.h"

#include <cblas.h>
#include <math.h>

#include "compare/clones.h"

/* One real product acc += sign * a b. */
static void multiply_real(double sign, const struct ekka_panel *a, const double *av, const struct ekka_panel *b, const double *bv,
			  double *acc)
{
	bool ta = a->cs != 1, tb = b->cs != 1;

	cblas_dgemm(CblasRowMajor, ta ? CblasTrans : CblasNoTrans, tb ? CblasTrans : CblasNoTrans, (int)a->rows, (int)b->cols,
		    (int)a->cols, sign, av, (int)(ta ? a->cs : a->rs), bv, (int)(tb ? b->cs : b->rs), 1, acc, (int)b->cols);
}

void ekka_panel_multiply(const struct ekka_panel *a, bool conj_a, const struct ekka_panel *b, bool conj_b, double *acc_re,
			 double *acc_im)
{
	double sa = conj_a ? -1 : 1, sb = conj_b ? -1 : 1;

	if (!a->rows || !a->cols || !b->cols)
		return;
	multiply_real(1, a, a->re, b, b->re, acc_re);
	if (a->im && b->im)
		multiply_real(-sa * sb, a, a->im, b, b->im, acc_re);
	if (a->im)
		multiply_real(sa, a, a->im, b, b->re, acc_im);
	if (b->im)
		multiply_real(sb, a, a->re, b, b->im, acc_im);
}

/* hi + lo += x * b, elementwise: the product's and the sum's rounding errors go to lo. */
EKKA_CLONES static void axpy_twofold(int64_t n, double x, const double *restrict b, double *restrict hi, double *restrict lo)
{
	for (int64_t j = 0; j < n; j++) {
		double p = x * b[j], pe = fma(x, b[j], -p);
		double s = hi[j] + p, z = s - hi[j];

		lo[j] += (hi[j] - (s - z)) + (p - z) + pe;
		hi[j] = s;
	}
}

static void multiply_real_twofold(double sign, const struct ekka_panel *a, const double *av, const struct ekka_panel *b,
				  const double *bv, double *hi, double *lo)
{
	for (int64_t i = 0; i < a->rows; i++)
		for (int64_t k = 0; k < a->cols; k++)
			axpy_twofold(b->cols, sign * av[i * a->rs + k * a->cs], bv + k * b->rs, hi + i * b->cols,
				     lo + i * b->cols);
}

void ekka_panel_multiply_twofold(const struct ekka_panel *a, bool conj_a, const struct ekka_panel *b, bool conj_b,
				 const struct ekka_twofold *acc)
{
	double sa = conj_a ? -1 : 1, sb = conj_b ? -1 : 1;

	multiply_real_twofold(1, a, a->re, b, b->re, acc->re, acc->re_lo);
	if (a->im && b->im)
		multiply_real_twofold(-sa * sb, a, a->im, b, b->im, acc->re, acc->re_lo);
	if (a->im)
		multiply_real_twofold(sa, a, a->im, b, b->re, acc->im, acc->im_lo);
	if (b->im)
		multiply_real_twofold(sb, a, a->re, b, b->im, acc->im, acc->im_lo);
}

EKKA_CLONES static void abs_line(int64_t n, const double *restrict re, const double *restrict im, double *restrict out)
{
	if (im)
		for (int64_t i = 0; i < n; i++)
			out[i] = fabs(re[i]) + fabs(im[i]);
	else
		for (int64_t i = 0; i < n; i++)
			out[i] = fabs(re[i]);
}

void ekka_panel_abs(const struct ekka_panel *p, double *out)
{
	bool by_row = p->cs == 1;
	int64_t lines = by_row ? p->rows : p->cols, length = by_row ? p->cols : p->rows, step = by_row ? p->rs : p->cs;

	for (int64_t l = 0; l < lines; l++)
		abs_line(length, p->re + l * step, p->im ? p->im + l * step : NULL, out + l * step);
}
