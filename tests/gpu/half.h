/* SPDX-License-Identifier: Apache-2.0 */
/* binary16 and bfloat16 in plain C, for test programs: not every compiler here has such types. */
#ifndef EKKA_TESTS_GPU_HALF_H
#define EKKA_TESTS_GPU_HALF_H

#include <math.h>
#include <stdint.h>
#include <string.h>

static inline double half_to_double(uint16_t h)
{
	int exponent = h >> 10 & 31, fraction = h & 1023;
	double v = exponent == 31 ? (fraction ? NAN : INFINITY) : exponent == 0 ? ldexp(fraction, -24) : ldexp(1024 + fraction, exponent - 25);

	return h & 0x8000 ? -v : v;
}

/* To nearest, ties to even (the rounding mode in force is assumed to be that). */
static inline uint16_t double_to_half(double v)
{
	uint16_t sign = signbit(v) ? 0x8000 : 0;
	int exponent;
	double units;

	v = fabs(v);
	if (isnan(v))
		return 0x7fff;
	if (v == 0)
		return sign;
	if (v >= 65520) /* half-way to what would come after the largest */
		return sign | 0x7c00;
	(void)frexp(v, &exponent);
	exponent = exponent < -13 ? -13 : exponent;	/* subnormal below 2^-14 */
	units = nearbyint(ldexp(v, 11 - exponent));	/* of the last place */
	/* A carry into the next binade is a carry into the exponent field; subnormals have field 0. */
	return (uint16_t)(sign | (uint16_t)(units + (exponent + 13) * 1024));
}

static inline double bf16_to_double(uint16_t bits)
{
	uint32_t wide = (uint32_t)bits << 16;
	float f;

	memcpy(&f, &wide, sizeof(f));
	return f;
}

static inline uint16_t float_to_bf16(float f)
{
	uint32_t bits;

	memcpy(&bits, &f, sizeof(bits));
	return isnan(f) ? 0x7fff : (uint16_t)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

#endif
