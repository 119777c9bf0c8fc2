/* SPDX-License-Identifier: Apache-2.0 */
/* A value and how far an engine's may lie from it; on the CPU and in device kernels. */
#ifndef EKKA_REPLAY_NEAR_H
#define EKKA_REPLAY_NEAR_H

#include "compare/shared.h"

struct ekka_near { double value, error; };

EKKA_SHARED struct ekka_near ekka_near_of(double value, double error)
{
	struct ekka_near x;

	x.value = value;
	x.error = error;
	return x;
}

/* Infinities and NaN decide a result exactly. */
EKKA_SHARED struct ekka_near ekka_near_settled(double value, double error)
{
	return ekka_near_of(value, isfinite(value) ? error : 0);
}

/* Where a number within x.error of x.value lies after it was rounded; low and high: the ends of that interval, rounded. */
EKKA_SHARED struct ekka_near ekka_near_rounded(struct ekka_near x, double low, double high)
{
	if (low == high || isnan(x.value))
		return ekka_near_of(low == high ? low : x.value, 0);
	if (!isfinite(low) || !isfinite(high))
		return ekka_near_of(x.value, (double)INFINITY);
	return ekka_near_of(low / 2 + high / 2, high / 2 - low / 2);
}

#endif
