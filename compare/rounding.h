/* SPDX-License-Identifier: Apache-2.0 */
/* Floating-point formats and rounding to them, on the CPU and in device kernels. */
#ifndef EKKA_COMPARE_ROUNDING_H
#define EKKA_COMPARE_ROUNDING_H

#include "compare/shared.h"

struct ekka_format {
	double unit;			/* unit roundoff; 0: an integer type, nothing is rounded */
	double tiny;			/* half the smallest subnormal (f64: that itself) */
	double normal;			/* smallest normal number */
	double largest, overflow;	/* largest finite number; what reaches `overflow` is rounded to infinity */
	bool nan_on_overflow;		/* there are no infinities: e4m3 */
};

/* 2^floor(log2 |x|) for normal x >= 0, 0 for zero and subnormals; in a form that compilers vectorise. */
EKKA_SHARED double ekka_power_below(double x)
{
	uint64_t u;

	memcpy(&u, &x, sizeof u);
	u &= 0x7ff0000000000000u;
	memcpy(&x, &u, sizeof x);
	return x;
}

/* Rounds to the format, ties to even; overflow gives infinity, or the largest number when `saturates`. NaN stays. */
EKKA_SHARED double ekka_round_to_format(const struct ekka_format *f, double x, bool saturates)
{
	double size = fabs(x), power, magic, r;

	if (f->unit == 0 || f->unit == 0x1p-53 || isnan(x))
		return x;
	if (size >= f->overflow || isinf(x))
		return saturates ? copysign(f->largest, x) : f->nan_on_overflow ? (double)NAN : copysign((double)INFINITY, x);
	/* Added to 2^52 times the last place, x loses what lies below that place, to nearest even. */
	power = ekka_power_below(size);
	power = power > f->normal ? power : f->normal;
	magic = power * f->unit * 0x1.8p53;
	r = (x + magic) - magic;
	return copysign(r, x);
}

/*
 * What rounding of a value within ref +- bound to the format may add: half an ulp. A value that the format holds exactly is not rounded: its smaller
 * neighbour is only half an ulp away where that value is a power of 2.
 */
EKKA_SHARED double ekka_half_ulp(const struct ekka_format *f, double ref, double bound)
{
	double power = ekka_power_below(fabs(ref) + bound), half = power * f->unit;
	double magic = f->unit > 0x1p-53 ? (power > f->normal ? power : f->normal) * f->unit * 0x1.8p53 : 0;
	bool exact = bound == 0 && (ref + magic) - magic == ref;

	half = half > f->tiny ? half : f->tiny;
	return exact ? 0 : half;
}

#endif
