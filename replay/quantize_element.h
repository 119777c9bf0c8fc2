/* SPDX-License-Identifier: Apache-2.0 */
/* The mathematics of op quantize, as replay/op_quantize.c has it at its top; on the CPU and in device kernels. Pure functions. */
#ifndef EKKA_REPLAY_QUANTIZE_ELEMENT_H
#define EKKA_REPLAY_QUANTIZE_ELEMENT_H

#include "replay/near.h"

/* How a scale is made of the largest magnitude. */
struct ekka_scaling { double upper, eps, least, qmax; bool power2; };

/* Values of y's type that are used. */
struct ekka_quantize_range { double low, high; bool integer; };

EKKA_SHARED double ekka_quantize_clamp(const struct ekka_quantize_range *q, double x)
{
	return x < q->low ? q->low : x > q->high ? q->high : x;
}

EKKA_SHARED double ekka_quantize_quotient(double x, double scale, bool inverse)
{
	return x == 0 ? 0 : inverse ? x * scale : x / scale;
}

/* How far the engine's quotient may lie from it. */
EKKA_SHARED double ekka_quantize_error(double quotient, double u)
{
	return 4 * u * fabs(quotient) + 0x1p-149;
}

/* What y must be where it is `got` and may be low to high: itself, if it is one of those. */
EKKA_SHARED double ekka_quantize_right(const struct ekka_quantize_range *q, double got, double x, double low, double high)
{
	if (isnan(low) || isnan(high))
		return isnan(got) || got == q->low || got == q->high || q->integer ? got : (double)NAN;
	return got >= low && got <= high ? got : x < 0 ? low : high;
}

/* The scale that belongs to the largest magnitude. */
EKKA_SHARED double ekka_quantize_scale_of(const struct ekka_scaling *how, bool inverse, double amax)
{
	double s = fmax(fmin(fmax(amax, how->eps), how->upper) / how->qmax, how->least);

	if (how->power2)
		s = exp2(ceil(log2(s) - 0x1p-20));
	return inverse ? 1 / s : s;
}

/* The scale of a block whose elements are low to high, where `written` is. */
EKKA_SHARED struct ekka_near ekka_quantize_scale_near(const struct ekka_scaling *how, bool inverse, double u, double low, double high, double written)
{
	double amax = fmax(fabs(low), fabs(high)), s = ekka_quantize_scale_of(how, inverse, amax), error = 3 * u * fabs(s);

	if (how->power2 && written == 2 * s && fabs(log2(amax / how->qmax / s)) < 0x1p-19)
		s = written;		/* on a power of two, give or take a rounding */
	return ekka_near_of(s, error);
}

/* The same where there is a zero point. */
EKKA_SHARED struct ekka_near ekka_quantize_span_near(double u, double low, double high)
{
	return ekka_near_of((high - low) / 255, 3 * u * ((fabs(high) + fabs(low)) / 255));
}

/* The zero point of a block, where `written` is; least: of y's type. */
EKKA_SHARED double ekka_quantize_zero(double least, double u, double low, double scale, double written)
{
	double z = least - low / scale, e = 4 * u * (fabs(z) + 128);

	return written >= rint(z - e) && written <= rint(z + e) ? written : rint(z);
}

#endif
