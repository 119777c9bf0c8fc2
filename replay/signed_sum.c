/* SPDX-License-Identifier: Apache-2.0 */
#include "replay/signed_sum.h"

#include <string.h>

#include "compare/clones.h"
#include "replay/half.h"
#include "replay/signed_sum_wide.h"

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

enum {
	AHEAD = 4096,	/* bytes to prefetch: the processor's own prefetching ends at a page */
	STRIP = 1024,	/* rows at a time */
	MOST_WIDE = EKKA_SUM_WIDEST
};

static inline float power_below_f(float x)
{
	return ekka_float_of_bits(ekka_bits_of_float(x) & 0x7f800000u);
}

static inline void put(const struct ekka_sum_blocks *b, int64_t at, double sum, double sq, double ulp2)
{
	b->sum[at] = sum;
	if (b->sq)
		b->sq[at] = sq;
	if (b->ulp2)
		b->ulp2[at] = ulp2;
}

#define NAME(x) x##_f64
#define STORED double
#define FLOAT double
#define VALUE(x) (x)
#define POWER(x) power_below(x)
#include "replay/signed_sum_typed.h"

#define NAME(x) x##_f32
#define STORED float
#define FLOAT double
#define VALUE(x) ((double)(x))
#define POWER(x) power_below(x)
#include "replay/signed_sum_typed.h"

#define NAME(x) x##_f16
#define STORED uint16_t
#define FLOAT float
#define VALUE(x) ekka_f16_value(x)
#define POWER(x) power_below_f(x)
#include "replay/signed_sum_typed.h"

#define NAME(x) x##_bf16
#define STORED uint16_t
#define FLOAT float
#define VALUE(x) ekka_bf16_value(x)
#define POWER(x) power_below_f(x)
#include "replay/signed_sum_typed.h"

/* Where element (r0, c0) of item b lies; NULL when the loops above cannot have it. */
static const void *start(const struct ekka_matrix *m, int64_t b, int64_t r0, int64_t c0)
{
	size_t size = ekka_dtype_bytes(m->dtype);
	int64_t first = m->offset + b * m->bs + r0 * m->rs + c0 * m->cs;
	const unsigned char *v = m->bytes;

	if (!v || m->scale || (m->dtype != EKKA_F64 && m->dtype != EKKA_F32 && m->dtype != EKKA_F16 && m->dtype != EKKA_BF16))
		return NULL;
	v += (uint64_t)b * m->item_bytes + (uint64_t)first * size;
	return (uintptr_t)v % size ? NULL : v;
}

bool ekka_signed_sums(const struct ekka_matrix *m, int64_t b, int64_t r0, int64_t nr, int64_t c0, const struct ekka_sum_blocks *blocks)
{
	int64_t ld = m->cs == 1 ? m->rs : m->cs;
	const void *v = m->cs == 1 || m->rs == 1 ? start(m, b, r0, c0) : NULL;

	if (!v)
		return false;
	if (!blocks->sq && ekka_sums_wide(m->dtype)) {
		(m->cs == 1 ? ekka_sums_wide_by_rows : ekka_sums_wide_by_columns)(m->dtype, v, ld, nr, blocks);
		return true;
	}
	switch (m->dtype) {
	case EKKA_F64: (m->cs == 1 ? by_rows_f64 : by_columns_f64)(v, ld, nr, blocks); break;
	case EKKA_F32: (m->cs == 1 ? by_rows_f32 : by_columns_f32)(v, ld, nr, blocks); break;
	case EKKA_F16: (m->cs == 1 ? by_rows_f16 : by_columns_f16)(v, ld, nr, blocks); break;
	default: (m->cs == 1 ? by_rows_bf16 : by_columns_bf16)(v, ld, nr, blocks); break;
	}
	return true;
}

bool ekka_signed_line_can(const struct ekka_matrix *m)
{
	return m->rs == 1 && start(m, 0, 0, 0) && m->item_bytes % ekka_dtype_bytes(m->dtype) == 0;
}

void ekka_signed_line(const struct ekka_matrix *m, int64_t b, int64_t c0, int64_t n, const double *sign, void *line)
{
	const void *v = start(m, b, 0, c0);

	if (ekka_sums_wide(m->dtype)) {
		ekka_sums_wide_line(m->dtype, v, m->cs, m->rows, n, sign, line);
		return;
	}
	switch (m->dtype) {
	case EKKA_F64: column_sums_f64(v, m->cs, m->rows, n, sign, line); break;
	case EKKA_F32: column_sums_f32(v, m->cs, m->rows, n, sign, line); break;
	case EKKA_F16: column_sums_f16(v, m->cs, m->rows, n, sign, line); break;
	default: column_sums_bf16(v, m->cs, m->rows, n, sign, line); break;
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
