/* SPDX-License-Identifier: Apache-2.0 */
#include "replay/scan_order.h"

#include <math.h>
#include <string.h>

#include "replay/narrow.h"

enum ekka_scan_order ekka_scan_order_from_name(const char *name)
{
	return strcmp(name, "sequence") == 0 ? EKKA_SCAN_SEQUENCE : strcmp(name, "halves") == 0 ? EKKA_SCAN_HALVES : EKKA_SCAN_ANY;
}

/*
 * Types of 16 bits are computed with in f32 and rounded then. In double, a product of two f32 is exact, and a sum rounded to 53 bits rounds to 24 as the sum itself
 * does, since 53 >= 2 * 24 + 2 (Figueroa, When is double rounding innocuous?, 1995).
 */
static double combine(enum ekka_dtype t, bool product, double a, double b, bool *ret_rounded)
{
	double r = product ? a * b : a + b, y = t == EKKA_F64 ? r : ekka_narrow(t, ekka_narrow(EKKA_F32, r));

	*ret_rounded = y != r || (t == EKKA_F64 && (product ? fma(a, b, -r) != 0 : r - a != b || r - b != a));
	*ret_rounded &= isfinite(y) != 0;
	return y;
}

static void follow_sequence(enum ekka_dtype t, bool product, int64_t n, const double *x, const double *got, double *ret, bool *ret_rounded)
{
	for (int64_t i = 0; i < n; i++)
		ret[i] = combine(t, product, i ? got[i - 1] : product, x[i], &ret_rounded[i]);
}

/* One piece, m of whose elements are there; the others are neutral. */
static void follow_piece(enum ekka_dtype t, bool product, int64_t piece, int64_t m, double before, const double *x, double *buffer, bool *ret_rounded)
{
	for (int64_t i = 0; i < piece; i++)
		buffer[i] = i < m ? x[i] : product;
	buffer[0] = combine(t, product, buffer[0], before, &ret_rounded[0]);
	for (int64_t s = 1; 2 * s <= piece; s *= 2)
		for (int64_t at = s; at < m; at += 2 * s)
			for (int64_t i = at; i < at + s && i < m; i++)
				buffer[i] = combine(t, product, buffer[i], buffer[at - 1], &ret_rounded[i]);
}

void ekka_scan_follow(enum ekka_scan_order order, enum ekka_dtype t, bool product, int64_t n, int64_t piece, const double *x, const double *got, double *scratch,
		      double *ret, bool *ret_rounded)
{
	if (order == EKKA_SCAN_SEQUENCE) {
		follow_sequence(t, product, n, x, got, ret, ret_rounded);
		return;
	}
	for (int64_t at = 0; at < n; at += piece) {
		int64_t m = n - at < piece ? n - at : piece;

		follow_piece(t, product, piece, m, at ? got[at - 1] : product, x + at, scratch, ret_rounded + at);
		memcpy(ret + at, scratch, (size_t)m * sizeof *ret);
	}
}
