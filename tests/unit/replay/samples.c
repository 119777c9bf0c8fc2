/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/replay/samples.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "replay/convert.h"

static double unit(uint64_t *state)
{
	*state = *state * 6364136223846793005u + 1442695040888963407u;
	return (double)(*state >> 11) * 0x1p-53;
}

static double gaussian(uint64_t *state)
{
	double sum = 0;

	for (int i = 0; i < 12; i++)
		sum += unit(state);
	return sum - 6;
}

void *samples_new(enum ekka_dtype t, int64_t n)
{
	void *p = calloc((size_t)n, ekka_dtype_bytes(t));

	if (!p)
		abort();
	return p;
}

/* binary16 or FP8 by its exponent's and fraction's width; values must lie within its range. */
static unsigned encode(double v, int e_bits, int f_bits)
{
	int bias = (1 << (e_bits - 1)) - 1, e;
	unsigned sign = signbit(v) ? 1u << (e_bits + f_bits) : 0;
	double a = fabs(v), scaled;

	if (isnan(v))
		return (1u << (e_bits + f_bits)) - 1;
	if (isinf(v))
		return sign | ((1u << e_bits) - 1) << f_bits;
	(void)frexp(a, &e);
	e = a == 0 || e - 1 < 1 - bias ? 1 - bias : e - 1;
	scaled = nearbyint(ldexp(a, f_bits - e));	/* a carry runs into the exponent, which is right */
	return sign | (((unsigned)(e + bias - 1) << f_bits) + (unsigned)scaled);
}

void samples_put(enum ekka_dtype t, void *bytes, int64_t i, double v)
{
	unsigned char *p = (unsigned char *)bytes + (size_t)i * ekka_dtype_bytes(t);
	float f = (float)v;
	uint32_t u;
	uint16_t h;
	int64_t n = isfinite(v) ? (int64_t)v : 0;

	switch (t) {
	case EKKA_F64: memcpy(p, &v, 8); return;
	case EKKA_F32: memcpy(p, &f, 4); return;
	case EKKA_F16:
		h = (uint16_t)encode(v, 5, 10);
		memcpy(p, &h, 2);
		return;
	case EKKA_BF16:
		memcpy(&u, &f, 4);
		h = (uint16_t)(isnan(f) ? u >> 16 | 0x40 : (u + 0x7fff + (u >> 16 & 1)) >> 16);
		memcpy(p, &h, 2);
		return;
	case EKKA_E4M3: *p = (unsigned char)encode(v, 4, 3); return;
	case EKKA_E5M2: *p = (unsigned char)encode(v, 5, 2); return;
	default: memcpy(p, &n, ekka_dtype_bytes(t));	/* little-endian */
	}
}

double samples_get(enum ekka_dtype t, const void *bytes, int64_t i)
{
	double v;

	ekka_convert(t, (const unsigned char *)bytes + (size_t)i * ekka_dtype_bytes(t), 1, 1, &v, NULL);
	return v;
}

void samples_fill(enum ekka_dtype t, void *bytes, int64_t n, enum data kind, double scale, uint64_t seed)
{
	uint64_t state = seed * 7919 + 1;

	for (int64_t i = 0; i < n; i++) {
		double v = gaussian(&state);

		if (kind == ABOVE_ZERO)
			v = fabs(v);
		else if (kind == BADLY_SCALED)
			v *= exp2(-20 * unit(&state));
		else if (kind == FAR_FROM_ZERO)
			v = 30 + v;
		samples_put(t, bytes, i, v * scale);
	}
}

void samples_nudge(enum ekka_dtype t, void *bytes, int64_t i, int steps)
{
	size_t size = ekka_dtype_bytes(t);
	unsigned char *p = (unsigned char *)bytes + (size_t)i * size;
	uint64_t u = 0;

	memcpy(&u, p, size);
	u += (uint64_t)(int64_t)steps;
	memcpy(p, &u, size);
}

static float pairs(int64_t n, const float *x)
{
	return n == 0 ? 0 : n == 1 ? x[0] : pairs(n / 2, x) + pairs(n - n / 2, x + n / 2);
}

float samples_sum(int64_t n, const float *x, enum order order)
{
	float part[32] = { 0 }, sum = 0;

	switch (order) {
	case FORWARD:
		for (int64_t i = 0; i < n; i++)
			sum += x[i];
		return sum;
	case BACKWARD:
		for (int64_t i = n; i-- > 0;)
			sum += x[i];
		return sum;
	case BY_PAIRS: return pairs(n, x);
	default:
		for (int64_t i = 0; i < n; i++)
			part[i % 32] += x[i];
		return pairs(32, part);
	}
}
