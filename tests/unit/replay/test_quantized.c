/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Op matmul, outputs in blocks with scales that the library computes (MXFP8, NVFP4): results as a library would compute them in floats pass, by each rounding of
 * the scales that is known; wrong scales and wrong elements do not, and are told apart. Batches.
 */
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/replay/fake_event.h"
#include "tests/unit/replay/samples.h"

enum { M = 88, N = 131, K = 64, ITEMS = 2, TILES = 2 * 2 * 512, BLOCKS = 6, GAP = 6 };

enum fault { DOCUMENTED, OCP, UP, DOWN, TWICE, HALF, STALE, NEXT_TILE, ONE_SCALE, ONE_ELEMENT, ONE_STEP, LOST_K, LOST_MOST, NO_SCALE_D, PARTIAL_AS_WHOLE };

static struct fake_event f;
static uint16_t a[ITEMS * M * K], b[ITEMS * K * N];
static unsigned char d[ITEMS * (M + GAP) * N], before[ITEMS * (M + GAP) * N], scales[ITEMS * TILES + 512];
static float scale_d = 3;
static bool stepped;

static double e2m1(unsigned nibble)
{
	static const double values[] = { 0, 0.5, 1, 1.5, 2, 3, 4, 6 };

	return nibble & 8 ? -values[nibble & 7] : values[nibble & 7];
}

static unsigned to_e2m1(double x)
{
	unsigned best = 0;

	for (unsigned i = 1; i < 8; i++)
		if (fabs(fabs(x) - e2m1(i)) < fabs(fabs(x) - e2m1(best)) || (fabs(fabs(x) - e2m1(i)) == fabs(fabs(x) - e2m1(best)) && i % 2 == 0))
			best = i;
	return best | (x < 0 ? 8 : 0);
}

/* The byte that stands for a scale, and its value. */
static unsigned char scale_byte(bool four_bits, enum fault how, double amax, double *ret)
{
	double s = amax / (four_bits ? 6 : 448);
	unsigned char byte = 0;
	int e;

	if (four_bits) {
		samples_put(EKKA_E4M3, &byte, 0, s);
		if (how == UP && samples_get(EKKA_E4M3, &byte, 0) < s)
			byte++;
		if (how == DOWN && samples_get(EKKA_E4M3, &byte, 0) > s)
			byte--;
		byte = (unsigned char)(byte + (how == TWICE ? 8 : how == HALF ? -8 : 0));
		*ret = samples_get(EKKA_E4M3, &byte, 0);
		return byte;
	}
	(void)frexp(amax, &e);
	e = how == OCP ? e - 1 - 8 : (int)ceil(log2(s)) + (how == TWICE) - (how == HALF);
	*ret = ldexp(1, e);
	return (unsigned char)(e + 127);
}

static double element(int item, int i, int j, enum fault how)
{
	double t = 0;

	for (int k = 0; k < K - (how == LOST_K ? 16 : how == LOST_MOST ? 48 : 0); k++)
		t += samples_get(EKKA_BF16, a, (size_t)((item * M + i) * K + k)) * samples_get(EKKA_BF16, b, (size_t)((item * K + k) * N + j));
	return t;
}

/* A result a little nearer to its number than to the next lower one becomes that. */
static void step(bool four_bits, int j, int i, double x)
{
	unsigned char *p = &d[four_bits ? (j * (M + GAP) + i) / 2 : j * (M + GAP) + i];
	double got = four_bits ? e2m1(*p >> i % 2 * 4 & 15) : samples_get(EKKA_E4M3, p, 0), spacing = ldexp(four_bits ? 0.5 : 0.125, ilogb(got));

	if (stepped || (fabs(got) != 1.5 && fabs(got) != 3) || fabs(x) > fabs(got) - 0.2 * spacing || fabs(x) < fabs(got) - 0.4 * spacing)
		return;
	*p = (unsigned char)(*p - (four_bits && i % 2 ? 16 : 1));
	stepped = true;
}

/* One column's blocks. */
static void quantize(bool four_bits, enum fault how, int item, int j)
{
	int size = four_bits ? 16 : 32, across = ((M + size - 1) / size + 3) / 4, ld = M + GAP;

	for (int first = 0; first < M; first += size) {
		int end = first + size < M ? first + size : M, block = first / size, tile = j / 128 * across + block / 4;
		int at = (tile + (how == NEXT_TILE)) * 512 + j % 128 % 32 * 16 + j % 128 / 32 * 4 + block % 4;
		double t[32], amax = 0, s;
		unsigned char byte;

		for (int i = first; i < end; i++) {
			t[i - first] = element(item, i, j, how) * (four_bits && how != NO_SCALE_D ? scale_d : 1);
			amax = fmax(amax, fabs(t[i - first]));
		}
		byte = scale_byte(four_bits, how, how == PARTIAL_AS_WHOLE && end - first < size ? amax * 4 : amax, &s);
		if (how != STALE)
			scales[item * across * 2 * 512 + at] = byte;
		for (int i = first; i < end; i++) {
			double q = fmax(-448, fmin(448, t[i - first] / s));
			size_t place = (size_t)(item * ld * N + j * ld + i);

			if (!four_bits)
				samples_put(EKKA_E4M3, d, place, q);
			else
				d[place / 2] = (unsigned char)((d[place / 2] & (i % 2 ? 15 : 240)) | to_e2m1(t[i - first] / s) << i % 2 * 4);
			if (how == ONE_STEP && item == 0)
				step(four_bits, j, i, t[i - first] / s);
		}
	}
}

static void compute(bool four_bits, enum fault how)
{
	samples_fill(EKKA_BF16, a, ITEMS * M * K, GAUSS, 1, 1);
	samples_fill(EKKA_BF16, b, ITEMS * K * N, GAUSS, 1, 2);
	stepped = false;
	memset(d, 0x5a, sizeof d);
	memset(before, 0x5a, sizeof before);
	memset(scales, four_bits ? 0x39 : 0x7c, sizeof scales);
	for (int item = 0; item < ITEMS; item++)
		for (int j = 0; j < N; j++)
			quantize(four_bits, how, item, j);
	if (how == ONE_SCALE)
		scales[512] = (unsigned char)(scales[512] + (four_bits ? 16 : 2));	/* the second tile begins with that of column 0's fifth block; 32: column 128's first */
	if (how == ONE_ELEMENT)
		d[5 * (four_bits ? (M + GAP) / 2 : M + GAP) + 3] ^= four_bits ? 4 : 0x18;
	cr_assert_eq(stepped, how == ONE_STEP);
}

static struct ekka_verdict judge(bool four_bits, bool batch)
{
	fake_event_init(&f, "matmul");
	fake_event_text(&f, "epilogue", "default");
	fake_event_text(&f, "compute", "f32");
	fake_event_int(&f, "scaleDOut_mode", four_bits ? 1 : 2);
	fake_event_tensor(&f, "A", EKKA_IN, EKKA_BF16, batch ? "2x88x64" : "88x64", NULL, a, NULL);
	fake_event_tensor(&f, "B", EKKA_IN, EKKA_BF16, batch ? "2x64x131" : "64x131", NULL, b, NULL);
	if (four_bits)
		fake_event_tensor(&f, "D", EKKA_OUT, EKKA_U8, batch ? "2x44x131" : "44x131", batch ? "6157x1x47" : "1x47", before, d);
	else
		fake_event_tensor(&f, "D", EKKA_OUT, EKKA_E4M3, batch ? "2x88x131" : "88x131", batch ? "12314x1x94" : "1x94", before, d);
	fake_event_tensor(&f, "scaleDOut", EKKA_OUT, EKKA_U8, four_bits ? (batch ? "2x2048x1" : "2048x1") : batch ? "2x1024x1" : "1024x1", NULL, NULL, scales);
	if (four_bits) {
		fake_event_text(&f, "D_packed", "e2m1");
		fake_event_tensor(&f, "scaleD", EKKA_IN, EKKA_F32, "1x1", NULL, &scale_d, NULL);
	}
	return fake_event_judge(&f);
}

static const struct { enum fault how; bool of_four, of_eight; enum ekka_status status; const char *output; } table[] = {
	{ DOCUMENTED, true, true, EKKA_PASS, NULL },
	{ OCP, false, true, EKKA_PASS, NULL },
	{ UP, true, false, EKKA_PASS, NULL },
	{ DOWN, true, false, EKKA_PASS, NULL },
	{ TWICE, true, true, EKKA_FAIL, "scaleDOut" },
	{ HALF, true, true, EKKA_FAIL, "scaleDOut" },
	{ STALE, true, true, EKKA_FAIL, "scaleDOut" },
	{ NEXT_TILE, true, true, EKKA_FAIL, "scaleDOut" },
	{ ONE_SCALE, true, true, EKKA_FAIL, "scaleDOut" },
	{ ONE_ELEMENT, true, true, EKKA_FAIL, "D" },
	{ ONE_STEP, true, true, EKKA_FAIL, "D" },
	{ LOST_K, true, true, EKKA_FAIL, "D" },
	{ LOST_MOST, true, true, EKKA_FAIL, "D" },
	{ NO_SCALE_D, true, false, EKKA_FAIL, "scaleDOut" },	/* D's elements are over their scales, and those lack the factor */
	{ PARTIAL_AS_WHOLE, true, true, EKKA_FAIL, "scaleDOut" },
};

Test(quantized, scales_and_elements_are_judged)
{
	for (size_t i = 0; i < sizeof table / sizeof table[0]; i++)
		for (int four_bits = 0; four_bits < 2; four_bits++) {
			struct ekka_verdict v;

			if (!(four_bits ? table[i].of_four : table[i].of_eight))
				continue;
			compute(four_bits, table[i].how);
			v = judge(four_bits, false);
			cr_expect_eq(v.status, table[i].status, "how %d, %d: %s %s %s, margin %g", table[i].how, four_bits, ekka_status_name(v.status), v.output, v.reason,
				     v.margin);
			cr_expect(!table[i].output || !strcmp(v.output, table[i].output), "how %d, %d: %s: %s", table[i].how, four_bits, v.output, v.where);
		}
}

Test(quantized, a_wrong_scale_is_told_by_its_rows)
{
	struct ekka_verdict v;

	compute(false, ONE_SCALE);
	v = judge(false, false);
	cr_expect(strstr(v.where, "1 of 393 scales of blocks, the first that of rows 0 to 31 of column 128:"), "%s", v.where);
	compute(true, ONE_SCALE);
	v = judge(true, false);
	cr_expect(strstr(v.where, "1 of 786 scales of blocks, the first that of rows 64 to 79 of column 0:"), "%s", v.where);
	cr_expect_eq(v.n_bad, 0);
}

Test(quantized, bytes_that_fill_up_the_tiles_mean_nothing)
{
	struct ekka_verdict v;

	compute(false, DOCUMENTED);
	for (int i = 3; i < 512; i += 4)
		scales[i] = 255;	/* column i % 128 has three blocks alone */
	v = judge(false, false);
	cr_expect_eq(v.status, EKKA_PASS, "%s %s", v.where, v.reason);
}

Test(quantized, zeros_have_any_scale_that_keeps_them)
{
	static const struct { unsigned char byte; enum ekka_status status; } of_zeros[] = {
		{ 0, EKKA_PASS }, { 127, EKKA_PASS }, { 128, EKKA_FAIL }, { 255, EKKA_FAIL },
	};

	for (size_t i = 0; i < sizeof of_zeros / sizeof of_zeros[0]; i++) {
		struct ekka_verdict v;

		compute(false, DOCUMENTED);
		memset(a, 0, 32 * K * sizeof *a);
		for (int j = 0; j < N; j++) {
			memset(&d[j * (M + GAP)], 0, 32);
			scales[j / 128 * 512 + j % 128 % 32 * 16 + j % 128 / 32 * 4] = of_zeros[i].byte;
		}
		v = judge(false, false);
		cr_expect_eq(v.status, of_zeros[i].status, "%d: %s %s %s", of_zeros[i].byte, ekka_status_name(v.status), v.where, v.reason);
	}
}

Test(quantized, what_is_no_number_leaves_its_block_open)
{
	struct ekka_verdict v;

	compute(false, DOCUMENTED);
	samples_put(EKKA_BF16, a, 5 * K, (double)NAN);
	v = judge(false, false);
	cr_expect_eq(v.status, EKKA_PASS, "as if the NaN was passed over: %s %s", v.where, v.reason);
	for (int j = 0; j < N; j++) {
		memset(&d[j * (M + GAP)], 0x7f, 32);
		scales[j / 128 * 512 + j % 128 % 32 * 16 + j % 128 / 32 * 4] = 255;
	}
	v = judge(false, false);
	cr_expect_eq(v.status, EKKA_PASS, "all of the block are NaN: %s %s", v.where, v.reason);
	scales[1] = 255;
	v = judge(false, false);
	cr_expect_eq(v.status, EKKA_FAIL, "the next block is not");
}

Test(quantized, of_a_batch_the_first_item_is_proof)
{
	struct ekka_verdict v;

	for (int four_bits = 0; four_bits < 2; four_bits++) {
		int item = four_bits ? 2048 : 1024;

		compute(four_bits, DOCUMENTED);
		v = judge(four_bits, true);
		cr_expect_eq(v.status, EKKA_PASS, "%s %s", v.where, v.reason);
		scales[0] = (unsigned char)(scales[0] + (four_bits ? 16 : 2));
		v = judge(four_bits, true);
		cr_expect_eq(v.status, EKKA_FAIL, "%s", v.reason);
		compute(four_bits, DOCUMENTED);
		scales[item] = (unsigned char)(scales[item] + (four_bits ? 16 : 2));
		v = judge(four_bits, true);
		cr_expect(v.status == EKKA_UNDECIDED && strstr(v.reason, "not documented"), "%s %s", ekka_status_name(v.status), v.reason);
	}
}

Test(quantized, elements_behind_the_first_item_are_no_proof)
{
	struct ekka_verdict v;

	compute(false, DOCUMENTED);
	d[(M + GAP) * N + 7] ^= 0x18;
	v = judge(false, true);
	cr_expect(v.status == EKKA_UNDECIDED && strstr(v.reason, "not documented"), "%s %s", ekka_status_name(v.status), v.reason);
	d[7] ^= 0x18;
	v = judge(false, true);
	cr_expect_eq(v.status, EKKA_FAIL, "%s", v.reason);
}

Test(quantized, bytes_between_packed_columns_are_watched)
{
	struct ekka_verdict v;

	compute(true, DOCUMENTED);
	d[46] ^= 1;
	v = judge(true, false);
	cr_expect(v.status == EKKA_UNDECIDED && strstr(v.reason, "behind column 0"), "%s %s", ekka_status_name(v.status), v.reason);
}

Test(quantized, what_has_no_reference_is_told)
{
	struct ekka_verdict v;

	compute(false, DOCUMENTED);
	(void)judge(false, false);
	f.attr[3].value.i = 1;
	v = fake_event_judge(&f);
	cr_expect(v.status == EKKA_UNSUPPORTED && strstr(v.reason, "output's scales"), "e4m3 by 16: %s", v.reason);
	f.attr[3].value.i = 4;
	v = fake_event_judge(&f);
	cr_expect(v.status == EKKA_UNSUPPORTED && strstr(v.reason, "output's scales"), "by 128: %s", v.reason);
	(void)judge(false, false);
	f.tensor[3].name = "other";
	v = fake_event_judge(&f);
	cr_expect(v.status == EKKA_INCOMPLETE && strstr(v.reason, "not recorded"), "%s", v.reason);
	(void)judge(false, false);
	f.tensor[3].dim[0] = 512;
	v = fake_event_judge(&f);
	cr_expect(v.status == EKKA_INCOMPLETE && strstr(v.reason, "fewer block scales"), "%s", v.reason);
}
