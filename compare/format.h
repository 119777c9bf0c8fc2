/* SPDX-License-Identifier: Apache-2.0 */
/* Floating-point formats as error bounds need them. Pure functions, safe from any thread. */
#ifndef EKKA_COMPARE_FORMAT_H
#define EKKA_COMPARE_FORMAT_H

#include <math.h>
#include <string.h>

#include "trace/model.h"

struct ekka_format {
	double unit;			/* unit roundoff; 0: an integer type, nothing is rounded */
	double tiny;			/* half the smallest subnormal (f64: that itself) */
	double normal;			/* smallest normal number */
	double largest, overflow;	/* largest finite number; what reaches `overflow` is rounded to infinity */
	bool nan_on_overflow;		/* there are no infinities: e4m3 */
};

/* Of a complex type the parts' format, of an integer type one without rounding. */
struct ekka_format ekka_format_of(enum ekka_dtype);

/* Rounds to the format, ties to even; overflow gives infinity, or the largest number when `saturates`. NaN stays. */
double ekka_format_round(const struct ekka_format *, double x, bool saturates);

/* 2^floor(log2 |x|) for normal x >= 0, 0 for zero and subnormals; in a form that compilers vectorise. */
static inline double ekka_power_below(double x)
{
	uint64_t u;

	memcpy(&u, &x, sizeof u);
	u &= 0x7ff0000000000000u;
	memcpy(&x, &u, sizeof x);
	return x;
}

#endif
