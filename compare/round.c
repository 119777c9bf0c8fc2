/* SPDX-License-Identifier: Apache-2.0 */
#include "compare/round.h"

#include <math.h>
#include <stdint.h>
#include <string.h>

/* Keeps `drop` fewer fraction bits of a binary32; infinities and NaNs pass through. */
static float round_bits(float x, unsigned drop)
{
	uint32_t u, half = 1u << (drop - 1), mask = (1u << drop) - 1;

	memcpy(&u, &x, sizeof u);
	if ((u & 0x7f800000u) == 0x7f800000u)
		return x;
	u += half - 1 + (u >> drop & 1);
	u &= ~mask;
	memcpy(&x, &u, sizeof x);
	return x;
}

float ekka_round_f16(float x)
{
	float a = fabsf(x);

	if (!(a < 65520.0f))
		return isnan(x) ? x : copysignf(INFINITY, x);
	if (a < 0x1p-14f)	/* the spacing of binary16's subnormals is fixed */
		return copysignf(rintf(a * 0x1p24f) * 0x1p-24f, x);
	return round_bits(x, 13);
}

float ekka_round_bf16(float x)
{
	return round_bits(x, 16);
}

float ekka_round_tf32(float x)
{
	return round_bits(x, 13);
}
