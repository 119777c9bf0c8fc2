/* SPDX-License-Identifier: Apache-2.0 */
#include "replay/narrow.h"

#include <float.h>
#include <math.h>
#include <string.h>

struct format { int bits; double normal, spacing, largest; };	/* significand's bits, smallest normal number, subnormals' spacing */

static const struct format *format_of(enum ekka_dtype t)
{
	static const struct format f32 = { 24, 0x1p-126, 0x1p-149, FLT_MAX }, f16 = { 11, 0x1p-14, 0x1p-24, 65504 },
				   bf16 = { 8, 0x1p-126, 0x1p-133, 0x1.fep127 }, e4m3 = { 4, 0x1p-6, 0x1p-9, 448 },
				   e5m2 = { 3, 0x1p-14, 0x1p-16, 57344 };

	switch (t) {
	case EKKA_F32: return &f32;
	case EKKA_F16: return &f16;
	case EKKA_BF16: return &bf16;
	case EKKA_E4M3: return &e4m3;
	case EKKA_E5M2: return &e5m2;
	default: return NULL;
	}
}

double ekka_dtype_largest(enum ekka_dtype t)
{
	const struct format *f = format_of(t);

	return f ? f->largest : DBL_MAX;
}

double ekka_dtype_tiny(enum ekka_dtype t)
{
	const struct format *f = format_of(t);

	return !f ? DBL_MIN : f->bits == 24 || f->bits == 8 ? f->normal : f->spacing;
}

double ekka_narrow(enum ekka_dtype t, double x)
{
	const struct format *f = format_of(t);
	uint64_t u;
	int drop;

	if (!f || !isfinite(x))
		return x;
	if (fabs(x) < f->normal)
		return copysign(rint(fabs(x) / f->spacing) * f->spacing, x);
	drop = 53 - f->bits;
	memcpy(&u, &x, sizeof u);
	u += ((uint64_t)1 << (drop - 1)) - 1 + (u >> drop & 1);
	u &= ~(((uint64_t)1 << drop) - 1);
	memcpy(&x, &u, sizeof x);
	return fabs(x) > f->largest ? copysign(INFINITY, x) : x;
}

struct ekka_near ekka_narrow_near(enum ekka_dtype t, struct ekka_near x)
{
	return ekka_near_rounded(x, ekka_narrow(t, x.value - x.error), ekka_narrow(t, x.value + x.error));
}
