/* SPDX-License-Identifier: Apache-2.0 */
#include "replay/signed_sum.h"

#include <string.h>

#include "replay/clones.h"

enum { LANES = 16 };

/* The power of two at or below |x|, as the exponent alone; 0 for subnormals. */
static inline double power_below(double x)
{
	uint64_t u;

	memcpy(&u, &x, sizeof u);
	u &= 0x7ff0000000000000u;
	memcpy(&x, &u, sizeof x);
	return x;
}

/* One row, contiguous; lanes keep the loop free of dependences. */
EKKA_CLONES static void sum_row(int64_t n, const double *restrict v, const double *restrict sign, double ret[3])
{
	double s[LANES] = { 0 }, q[LANES] = { 0 }, p[LANES] = { 0 };
	int64_t j = 0;

	for (; j + LANES <= n; j += LANES)
		for (int l = 0; l < LANES; l++) {
			double x = v[j + l], e = power_below(x);

			s[l] += sign[j + l] * x;
			q[l] += x * x;
			p[l] += e * e;
		}
	for (; j < n; j++) {
		s[0] += sign[j] * v[j];
		q[0] += v[j] * v[j];
		p[0] += power_below(v[j]) * power_below(v[j]);
	}
	ret[0] = ret[1] = ret[2] = 0;
	for (int l = 0; l < LANES; l++) {
		ret[0] += s[l];
		ret[1] += q[l];
		ret[2] += p[l];
	}
}

/* One column, contiguous, added to contiguous sums of all rows. */
EKKA_CLONES static void add_column(int64_t n, const double *restrict v, double sign, double *restrict sum, double *restrict sq,
				   double *restrict ulp2)
{
	for (int64_t i = 0; i < n; i++) {
		double x = v[i], e = power_below(x);

		sum[i] += sign * x;
		sq[i] += x * x;
		ulp2[i] += e * e;
	}
}

enum { ROWS = 256 };

static void by_columns(const struct ekka_panel *p, const double *v, int64_t first_col, int64_t n_cols, const double *sign, double *sum,
		       double *sq, double *ulp2, int64_t stride)
{
	double s[ROWS], q[ROWS], u[ROWS];

	for (int64_t i0 = 0; i0 < p->rows; i0 += ROWS) {
		int64_t n = p->rows - i0 < ROWS ? p->rows - i0 : ROWS;

		memset(s, 0, sizeof s);
		memset(q, 0, sizeof q);
		memset(u, 0, sizeof u);
		for (int64_t j = 0; j < n_cols; j++)
			add_column(n, v + i0 + (first_col + j) * p->cs, sign[j], s, q, u);
		for (int64_t i = 0; i < n; i++) {
			sum[(i0 + i) * stride] += s[i];
			sq[(i0 + i) * stride] += q[i];
			if (ulp2)
				ulp2[(i0 + i) * stride] += u[i];
		}
	}
}

void ekka_signed_sum(const struct ekka_panel *p, const double *v, int64_t first_col, int64_t n_cols, const double *sign, double *sum,
		     double *sq, double *ulp2, int64_t stride)
{
	if (p->cs != 1) {
		by_columns(p, v, first_col, n_cols, sign, sum, sq, ulp2, stride);
		return;
	}
	for (int64_t i = 0; i < p->rows; i++) {
		double r[3];

		sum_row(n_cols, v + i * p->rs + first_col, sign, r);
		sum[i * stride] += r[0];
		sq[i * stride] += r[1];
		if (ulp2)
			ulp2[i * stride] += r[2];
	}
}

void ekka_signs(uint64_t seed, int64_t n, double *ret)
{
	for (int64_t i = 0; i < n; i++) {
		uint64_t z = seed += 0x9e3779b97f4a7c15u;	/* splitmix64 */

		z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
		z = (z ^ z >> 27) * 0x94d049bb133111ebu;
		ret[i] = (z ^ z >> 31) & 1 ? 1 : -1;
	}
}
