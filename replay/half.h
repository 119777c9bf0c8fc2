/* SPDX-License-Identifier: Apache-2.0 */
/* The 16-bit floating types' values, exact, in a form that compilers vectorise. Pure functions. */
#ifndef EKKA_REPLAY_HALF_H
#define EKKA_REPLAY_HALF_H

#include <stdint.h>
#include <string.h>

static inline float ekka_float_of_bits(uint32_t u)
{
	float f;

	memcpy(&f, &u, sizeof f);
	return f;
}

static inline uint32_t ekka_bits_of_float(float f)
{
	uint32_t u;

	memcpy(&u, &f, sizeof u);
	return u;
}

/*
 * binary16's exponent and fraction, moved into binary32's places, mean a value 2^-112 times too small;
 * the multiplication also normalises binary16's subnormals. What then reaches 2^16 was Inf or NaN.
 */
static inline float ekka_f16_value(uint16_t h)
{
	float f = ekka_float_of_bits((uint32_t)(h & 0x7fff) << 13) * 0x1p112f;
	uint32_t u = ekka_bits_of_float(f);

	u |= f >= 65536.0f ? 0x7f800000u : 0;
	return ekka_float_of_bits(u | (uint32_t)(h & 0x8000) << 16);
}

static inline float ekka_bf16_value(uint16_t h)
{
	return ekka_float_of_bits((uint32_t)h << 16);
}

#endif
