/* SPDX-License-Identifier: Apache-2.0 */
/* Every value of the small types against the formats' definitions, written out independently. */
#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

#include "compare/round.h"
#include "replay/convert.h"

/* sign, e exponent bits, f fraction bits, IEEE rules for both ends. */
static double ieee(unsigned bits, int e_bits, int f_bits)
{
	int bias = (1 << (e_bits - 1)) - 1, e = bits >> f_bits & ((1 << e_bits) - 1);
	double f = bits & ((1u << f_bits) - 1), sign = bits >> (e_bits + f_bits) & 1 ? -1 : 1;

	if (e == (1 << e_bits) - 1)
		return f != 0 ? NAN : sign * INFINITY;
	return sign * (e ? (1 + f * pow(2, -f_bits)) * pow(2, e - bias) : f * pow(2, -f_bits) * pow(2, 1 - bias));
}

static bool same(double x, double y)
{
	return (isnan(x) && isnan(y)) || (x == y && signbit(x) == signbit(y));
}

static double one(enum ekka_dtype t, unsigned bits)
{
	double r = -77;
	uint16_t h = (uint16_t)bits;

	ekka_convert(t, &h, 1, 1, &r, NULL);
	return r;
}

Test(convert, every_f16_and_bf16)
{
	for (unsigned h = 0; h < 65536; h++) {
		cr_assert(same(one(EKKA_F16, h), ieee(h, 5, 10)), "f16 %04x: %g", h, one(EKKA_F16, h));
		cr_assert(same(one(EKKA_BF16, h), ieee(h, 8, 7)), "bf16 %04x: %g", h, one(EKKA_BF16, h));
	}
}

Test(convert, every_fp8)
{
	for (unsigned b = 0; b < 256; b++) {
		bool nan = (b & 0x7f) == 0x7f;
		/* OCP e4m3: the top exponent is an ordinary one. */
		double e4m3 = nan ? NAN : (b >> 3 & 15) == 15 ? (b & 0x80 ? -1 : 1) * 256 * (1 + (b & 7) / 8.0) : ieee(b, 4, 3);

		cr_assert(same(one(EKKA_E4M3, b), e4m3), "e4m3 %02x: %g", b, one(EKKA_E4M3, b));
		cr_assert(same(one(EKKA_E5M2, b), ieee(b, 5, 2)), "e5m2 %02x: %g", b, one(EKKA_E5M2, b));
	}
	cr_expect_eq(one(EKKA_E4M3, 0x7e), 448);
	cr_expect_eq(one(EKKA_E5M2, 0x7b), 57344);
}

Test(convert, vectorised_and_single_agree_at_every_length_and_stride)
{
	uint16_t src[200];
	double dst[200];

	for (unsigned i = 0; i < 200; i++)
		src[i] = (uint16_t)(i * 331);
	for (int64_t stride = -3; stride <= 3; stride++)
		for (size_t n = 0; n <= 60; n++) {
			ekka_convert(EKKA_F16, src + 190 * (stride < 0), stride, n, dst, NULL);
			for (size_t i = 0; i < n; i++)
				cr_assert(same(dst[i], one(EKKA_F16, src[(stride < 0 ? 190 : 0) + (int64_t)i * stride])));
		}
}

Test(convert, wide_types)
{
	double re[2], im[2];
	float c[4] = { 1.5f, -2, 3, 4 };
	int8_t ci[4] = { -128, 127, 5, -6 };

	ekka_convert(EKKA_C64, c, 1, 2, re, im);
	cr_expect(re[0] == 1.5 && im[0] == -2 && re[1] == 3 && im[1] == 4);
	ekka_convert(EKKA_CI8, ci, 1, 2, re, im);
	cr_expect(re[0] == -128 && im[0] == 127 && re[1] == 5 && im[1] == -6);
	ekka_convert(EKKA_C128, (double[]){ 1, 2 }, 1, 1, re, im);
	cr_expect(re[0] == 1 && im[0] == 2);
	ekka_convert(EKKA_F64, (double[]){ 0.1 }, 1, 1, re, NULL);
	cr_expect_eq(re[0], 0.1);
	ekka_convert(EKKA_F32, (float[]){ 0.1f }, 1, 1, re, NULL);
	cr_expect_eq(re[0], (double)0.1f);
	ekka_convert(EKKA_I64, (int64_t[]){ -5 }, 1, 1, re, NULL);
	cr_expect_eq(re[0], -5);
	ekka_convert(EKKA_U64, (uint64_t[]){ (uint64_t)1 << 63 }, 1, 1, re, NULL);
	cr_expect_eq(re[0], 0x1p63);
	ekka_convert(EKKA_I32, (int32_t[]){ INT32_MIN }, 1, 1, re, NULL);
	cr_expect_eq(re[0], -0x1p31);
	ekka_convert(EKKA_U32, (uint32_t[]){ UINT32_MAX }, 1, 1, re, NULL);
	cr_expect_eq(re[0], 0x1p32 - 1);
	ekka_convert(EKKA_I8, (int8_t[]){ -128 }, 1, 1, re, NULL);
	cr_expect_eq(re[0], -128);
	ekka_convert(EKKA_U8, (uint8_t[]){ 255 }, 1, 1, re, NULL);
	cr_expect_eq(re[0], 255);
}

/* The nearest of all values of the type, found by search. */
static double nearest(double x, enum ekka_dtype t)
{
	double best = NAN;
	unsigned best_bits = 0;

	for (unsigned h = 0; h < 65536; h++) {
		double v = one(t, h);

		if (!isfinite(v))
			continue;
		if (isnan(best) || fabs(v - x) < fabs(best - x) || (fabs(v - x) == fabs(best - x) && !(h & 1) && (best_bits & 1))) {
			best = v;
			best_bits = h;
		}
	}
	return best;
}

Test(convert, rounding_finds_the_nearest)
{
	static const float x[] = { 1.0f, 0.1f, -3.14159f, 1.00048828125f, 1.00146484375f, 65519.0f, 6e-8f, 2.98e-8f, 5e-5f, 123.456f,
				   1.00390625f, 1.01171875f, -0.007f };

	for (size_t i = 0; i < sizeof x / sizeof x[0]; i++) {
		cr_expect_eq((double)ekka_round_f16(x[i]), nearest(x[i], EKKA_F16), "f16 of %.9g", (double)x[i]);
		cr_expect_eq((double)ekka_round_bf16(x[i]), nearest(x[i], EKKA_BF16), "bf16 of %.9g", (double)x[i]);
	}
	cr_expect(isinf(ekka_round_f16(65520.0f)));
	cr_expect_eq(ekka_round_tf32(1 + 0x1p-11f), 1.0f);
	cr_expect_eq(ekka_round_tf32(1 + 0x1.8p-11f), 1 + 0x1p-10f);
}
