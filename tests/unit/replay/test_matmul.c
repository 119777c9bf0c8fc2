/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Op matmul on events: gradients in the epilogue and block scales as a library would compute them in floats pass, and with one step of it
 * wrong they do not. Plain epilogues are tested in test_epilogue.c.
 */
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "compare/audit.h"
#include "tests/unit/replay/fake_event.h"
#include "tests/unit/replay/samples.h"

enum { M = 24, N = 20, K = 96 };

/* What the pretended library does wrong. */
enum wrong { NOTHING, NO_GRADIENT, OTHER_ROW, HALF_SLOPE, STALE_BIAS, LOST_COLUMN, LOST_LAST_K, STALE_AMAX };

static struct fake_event f;
static uint16_t a[M * K], b[K * N], d[M * N], aux[M * N], half_bias[M];
static float bias[M], amax;
static unsigned char mask[N * M / 8];

static float slope(float x, bool half)
{
	float u = 0.7978846f * (x + 0.044715f * x * x * x), t = tanhf(u), v = 0.7978846f * (1 + 3 * 0.044715f * x * x);

	return half ? 0.5f * (1 + t) : 0.5f * (1 + t) + 0.5f * x * (1 - t * t) * v;
}

static float gelu(float x)
{
	return 0.5f * x * (1 + tanhf(0.7978846f * (x + 0.044715f * x * x * x)));
}

static float product(int i, int j)
{
	float t = 0;

	for (int k = 0; k < K; k++)
		t += (float)(samples_get(EKKA_BF16, a, i * K + k) * samples_get(EKKA_BF16, b, k * N + j));
	return t;
}

/* One element after the epilogue. */
static float finish(const char *epilogue, enum wrong wrong, int i, int j, float t)
{
	int row = wrong == OTHER_ROW ? (i + 1) % M : i;

	if (wrong == NO_GRADIENT)
		return t;
	if (!strncmp(epilogue, "drelu", 5))
		return mask[j * (M / 8) + row / 8] >> row % 8 & 1 ? t : 0;
	if (!strncmp(epilogue, "dgelu", 5))
		return t * slope((float)samples_get(EKKA_BF16, aux, row * N + j), wrong == HALF_SLOPE);
	if (strcmp(epilogue, "gelu_aux") != 0)
		return t;
	samples_put(EKKA_BF16, aux, i * N + j, (double)t);
	amax = fmaxf(amax, fabsf(t));
	return gelu(t);
}

/* `stored`: the bias gradient is summed of what D holds. */
static void compute(const char *epilogue, enum wrong wrong, bool stored)
{
	samples_fill(EKKA_BF16, a, M * K, GAUSS, 1, 1);
	samples_fill(EKKA_BF16, b, K * N, GAUSS, 1, 2);
	samples_fill(EKKA_BF16, aux, M * N, GAUSS, 2, 3);
	for (size_t i = 0; i < sizeof mask; i++)
		mask[i] = (unsigned char)(i * 37 + 11);
	amax = 0;
	for (int i = 0; i < M; i++) {
		bias[i] = 0;
		for (int j = 0; j < N; j++) {
			float t = finish(epilogue, wrong, i, j, product(i, j));

			samples_put(EKKA_BF16, d, i * N + j, (double)t);
			if (strstr(epilogue, "_bgrad") && (wrong != LOST_COLUMN || j != N - 1))
				bias[i] += stored ? (float)samples_get(EKKA_BF16, d, i * N + j) : t;
		}
		for (int k = 0; k < K - (wrong == LOST_LAST_K) && !strcmp(epilogue, "bgrada"); k++)
			bias[i] += (float)samples_get(EKKA_BF16, a, i * K + k);
		for (int k = 0; i < N && k < K - (wrong == LOST_LAST_K) && !strcmp(epilogue, "bgradb"); k++)
			bias[i] += (float)samples_get(EKKA_BF16, b, k * N + i);
		bias[i] = wrong == STALE_BIAS ? -3 : bias[i];
		samples_put(EKKA_BF16, half_bias, i, (double)bias[i]);
	}
	amax = wrong == STALE_AMAX ? -1 : amax;
}

static struct ekka_verdict judge(const char *epilogue, bool half)
{
	bool gradient = epilogue[0] == 'd', of_b = !strcmp(epilogue, "bgradb");
	const void *out = half ? (const void *)half_bias : bias;

	fake_event_init(&f, "matmul");
	fake_event_text(&f, "epilogue", epilogue);
	fake_event_text(&f, "compute", "f32");
	fake_event_int(&f, "split_k", 1);
	fake_event_int(&f, "reduction", 0);
	fake_event_tensor(&f, "A", EKKA_IN, EKKA_BF16, "24x96", NULL, a, NULL);
	fake_event_tensor(&f, "B", EKKA_IN, EKKA_BF16, "96x20", NULL, b, NULL);
	fake_event_tensor(&f, "D", EKKA_OUT, EKKA_BF16, "24x20", NULL, NULL, d);
	if (!strncmp(epilogue, "drelu", 5))
		fake_event_tensor(&f, "aux", EKKA_IN, EKKA_U8, "20x3", NULL, mask, NULL);
	else if (strstr(epilogue, "gelu"))
		fake_event_tensor(&f, "aux", gradient ? EKKA_IN : EKKA_OUT, EKKA_BF16, "24x20", NULL, gradient ? aux : NULL, gradient ? NULL : aux);
	if (strstr(epilogue, "bgrad"))
		fake_event_tensor(&f, "dbias", EKKA_OUT, half ? EKKA_BF16 : EKKA_F32, of_b ? "1x20" : "24x1", NULL, NULL, out);
	if (!gradient && strstr(epilogue, "gelu"))
		fake_event_tensor(&f, "amaxAux", EKKA_OUT, EKKA_F32, "1x1", NULL, NULL, &amax);
	return fake_event_judge(&f);
}

static const struct { const char *epilogue; enum wrong wrong[6]; const char *output; } table[] = {
	{ "drelu", { NO_GRADIENT, OTHER_ROW }, "D" },
	{ "dgelu", { NO_GRADIENT, OTHER_ROW, HALF_SLOPE }, "D" },
	{ "drelu_bgrad", { STALE_BIAS, LOST_COLUMN }, "dbias" },
	{ "dgelu_bgrad", { STALE_BIAS, LOST_COLUMN }, "dbias" },
	{ "bgrada", { STALE_BIAS, LOST_LAST_K }, "dbias" },
	{ "bgradb", { STALE_BIAS, LOST_LAST_K }, "dbias" },
	{ "gelu_aux", { STALE_AMAX }, "amaxAux" },
};

Test(matmul, gradients_pass_and_each_wrong_step_fails)
{
	for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
		struct ekka_verdict v;

		for (int way = 0; way < 4; way++) {
			compute(table[i].epilogue, NOTHING, way & 1);
			v = judge(table[i].epilogue, way & 2);
			cr_expect_eq(v.status, EKKA_PASS, "%s, way %d: %s %s %s", table[i].epilogue, way, v.output, v.where, v.reason);
		}
		for (unsigned k = 0; table[i].wrong[k] != NOTHING; k++) {
			compute(table[i].epilogue, table[i].wrong[k], false);
			v = judge(table[i].epilogue, false);
			cr_expect(v.status == EKKA_FAIL && !strcmp(v.output, table[i].output), "%s, wrong %d: %s %s %s", table[i].epilogue,
				  table[i].wrong[k], ekka_status_name(v.status), v.output, v.reason);
		}
	}
}

Test(matmul, a_gradient_without_its_input_is_incomplete)
{
	struct ekka_verdict v;

	compute("dgelu", NOTHING, false);
	(void)judge("dgelu", false);
	f.tensor[3].name = "other";
	v = fake_event_judge(&f);
	cr_expect(v.status == EKKA_INCOMPLETE && strstr(v.reason, "input of the gradient"), "%s", v.reason);
	(void)judge("dgelu_bgrad", false);
	f.tensor[4].name = "other";
	v = fake_event_judge(&f);
	cr_expect(v.status == EKKA_INCOMPLETE && strstr(v.reason, "bias gradient"), "%s", v.reason);
}

Test(matmul, a_bias_of_fewer_items_than_the_product_is_incomplete)
{
	static uint16_t zero[2 * M * K];
	static float items[2 * M * N];
	struct ekka_verdict v;

	for (int n = 1; n <= 2; n++) {
		fake_event_init(&f, "matmul");
		fake_event_text(&f, "epilogue", "bias");
		fake_event_text(&f, "compute", "f32");
		fake_event_tensor(&f, "A", EKKA_IN, EKKA_BF16, "2x24x96", NULL, zero, NULL);
		fake_event_tensor(&f, "B", EKKA_IN, EKKA_BF16, "2x96x20", NULL, zero, NULL);
		fake_event_tensor(&f, "D", EKKA_OUT, EKKA_F32, "2x24x20", NULL, NULL, items);
		fake_event_tensor(&f, "bias", EKKA_IN, EKKA_F32, n == 1 ? "1x24x1" : "2x24x1", NULL, items, NULL);
		v = fake_event_judge(&f);
		cr_expect_eq(v.status, n == 1 ? EKKA_INCOMPLETE : EKKA_PASS, "%d: %s %s", n, ekka_status_name(v.status), v.reason);
	}
}

/* ---- block scales ----------------------------------------------------- */

enum { BM = 130, BN = 132, BK = 300, BLOCKS = 3, PAD = 4 };
enum scaling { RIGHT, TRANSPOSED, FIRST_ONLY, UNSCALED };

static unsigned char ba[BM * BK], bb[BK * BN];
static float out[BM * BN], rows[BM * BLOCKS], blocks[2 * PAD];

/* A has a scale for every 128 elements of a row, B one for every 128 x 128, those along k 1 apart and 4 a column of blocks. */
static void compute_blocks(enum scaling how)
{
	samples_fill(EKKA_E4M3, ba, BM * BK, GAUSS, 1, 5);
	samples_fill(EKKA_E4M3, bb, BK * BN, GAUSS, 1, 6);
	for (int i = 0; i < BM * BLOCKS; i++)
		rows[i] = 0.1f + (float)(i % 7) / 3;
	for (int i = 0; i < 2 * PAD; i++)
		blocks[i] = 0.25f + (float)i / 3;
	for (int i = 0; i < BM; i++)
		for (int j = 0; j < BN; j++) {
			float sum = 0;

			for (int c = 0; c < BLOCKS; c++) {
				float part = 0, of_row = rows[how == TRANSPOSED ? i * BLOCKS + c : how == FIRST_ONLY ? i : c * BM + i];

				for (int k = c * 128; k < BK && k < (c + 1) * 128; k++)
					part += (float)(samples_get(EKKA_E4M3, ba, i * BK + k) * samples_get(EKKA_E4M3, bb, k * BN + j));
				sum += part * (how == UNSCALED ? 1 : of_row * blocks[j / 128 * PAD + c]);
			}
			out[i * BN + j] = sum;
		}
}

static void describe_blocks(void)
{
	fake_event_init(&f, "matmul");
	fake_event_text(&f, "epilogue", "default");
	fake_event_text(&f, "compute", "f32");
	fake_event_int(&f, "scaleA_mode", 4);
	fake_event_int(&f, "scaleB_mode", 5);
	fake_event_tensor(&f, "A", EKKA_IN, EKKA_E4M3, "130x300", NULL, ba, NULL);
	fake_event_tensor(&f, "B", EKKA_IN, EKKA_E4M3, "300x132", NULL, bb, NULL);
	fake_event_tensor(&f, "D", EKKA_OUT, EKKA_F32, "130x132", NULL, NULL, out);
	fake_event_tensor(&f, "scaleA", EKKA_IN, EKKA_F32, "130x3", "1x130", rows, NULL);
	fake_event_tensor(&f, "scaleB", EKKA_IN, EKKA_F32, "3x2", "1x4", blocks, NULL);
}

Test(matmul, block_scales_are_taken_where_they_lie)
{
	for (enum scaling how = RIGHT; how <= UNSCALED; how++) {
		struct ekka_verdict v;

		compute_blocks(how);
		describe_blocks();
		v = fake_event_judge(&f);
		cr_expect_eq(v.status, how == RIGHT ? EKKA_PASS : EKKA_FAIL, "%d: %s %s", how, ekka_status_name(v.status), v.reason);
	}
}

Test(matmul, scales_that_have_no_reference_are_told)
{
	static const struct { int64_t mode; const char *why; } modes[] = { { 6, "this mode" }, { 7, "this mode" } };
	struct ekka_verdict v;

	compute_blocks(RIGHT);
	for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++) {
		describe_blocks();
		f.attr[3].value.i = modes[i].mode;
		v = fake_event_judge(&f);
		cr_expect(v.status == EKKA_UNSUPPORTED && strstr(v.reason, modes[i].why), "%s", v.reason);
	}
	describe_blocks();
	f.tensor[4].dim[0] = 2;
	v = fake_event_judge(&f);
	cr_expect(v.status == EKKA_INCOMPLETE && strstr(v.reason, "fewer block scales"), "%s", v.reason);
}

/* ---- factors of 16 and 32 elements ------------------------------------- */

enum { TK = 224, TILE_BYTES = 2 * 4 * 512 };		/* at least 2 tiles of lines, and 4 of 16-element blocks */
enum micro { AS_IT_IS, ROW_BY_ROW, LARGER_BLOCKS, NEXT_TILE, OTHER_HALF, ONE_LESS, MICRO_WRONGS };

static const double e2m1[] = { 0, 0.5, 1, 1.5, 2, 3, 4, 6 };
static unsigned char factors[2][TILE_BYTES + 512 /* which NEXT_TILE takes */], packed[2][BM * TK];

static double micro_element(int side, int i, int l, bool four_bits, enum micro how)
{
	unsigned nibble, at = (unsigned)(i * TK + l);

	if (!four_bits)
		return samples_get(EKKA_E4M3, packed[side], at);
	nibble = packed[side][at / 2] >> ((l % 2 != 0) != (how == OTHER_HALF && side == 0) ? 4 : 0) & 15;
	return nibble & 8 ? -e2m1[nibble & 7] : e2m1[nibble & 7];
}

static double micro_factor(int side, int i, int l, bool four_bits, enum micro how)
{
	int size = (four_bits ? 16 : 32) * (how == LARGER_BLOCKS ? 2 : 1), across = (TK / (four_bits ? 16 : 32) + 3) / 4, j = l / size;
	int tile = i / 128 * across + j / 4 + (how == NEXT_TILE), at = tile * 512 + i % 128 % 32 * 16 + i % 128 / 32 * 4 + j % 4;
	unsigned byte = factors[side][how == ROW_BY_ROW ? i * across * 4 + j : at];

	return four_bits ? samples_get(EKKA_E4M3, &byte, 0) : ldexp(1, (int)byte - (how == ONE_LESS ? 128 : 127));
}

static void compute_micro(bool four_bits, enum micro how)
{
	for (int side = 0; side < 2; side++) {
		samples_fill(EKKA_E4M3, packed[side], BM * TK, GAUSS, 1, 5 + (uint64_t)side);
		for (int i = 0; i < BM * TK && four_bits; i++)
			packed[side][i] = (unsigned char)(i * 37 + side * 11 + i / 7);
		for (size_t i = 0; i < sizeof factors[side]; i++)
			factors[side][i] = (unsigned char)(four_bits ? 40 + (i * 29 + i / 5) % 40 : 122 + (i * 7 + i / 11) % 9);
	}
	for (int i = 0; i < BM; i++)
		for (int j = 0; j < BM; j++) {
			float sum = 0;

			for (int l = 0; l < TK; l++)
				sum += (float)(micro_element(0, i, l, four_bits, how) * micro_factor(0, i, l, four_bits, how) *
					       micro_element(1, j, l, four_bits, how) * micro_factor(1, j, l, four_bits, how));
			out[i * BM + j] = sum;
		}
}

static void describe_micro(bool four_bits)
{
	const char *n = four_bits ? "4096x1" : "2048x1";

	fake_event_init(&f, "matmul");
	fake_event_text(&f, "epilogue", "default");
	fake_event_text(&f, "compute", "f32");
	fake_event_int(&f, "scaleA_mode", four_bits ? 1 : 2);
	fake_event_int(&f, "scaleB_mode", four_bits ? 1 : 2);
	fake_event_tensor(&f, "A", EKKA_IN, four_bits ? EKKA_U8 : EKKA_E4M3, four_bits ? "130x112" : "130x224", NULL, packed[0], NULL);
	fake_event_tensor(&f, "B", EKKA_IN, four_bits ? EKKA_U8 : EKKA_E4M3, four_bits ? "112x130" : "224x130", four_bits ? "1x112" : "1x224", packed[1], NULL);
	fake_event_tensor(&f, "D", EKKA_OUT, EKKA_F32, "130x130", NULL, NULL, out);
	fake_event_tensor(&f, "scaleA", EKKA_IN, EKKA_U8, n, NULL, factors[0], NULL);
	fake_event_tensor(&f, "scaleB", EKKA_IN, EKKA_U8, n, NULL, factors[1], NULL);
	if (four_bits) {
		fake_event_text(&f, "A_packed", "e2m1");
		fake_event_text(&f, "B_packed", "e2m1");
	}
}

Test(matmul, factors_of_few_elements_lie_in_tiles)
{
	for (int four_bits = 0; four_bits <= 1; four_bits++)
		for (enum micro how = AS_IT_IS; how < MICRO_WRONGS; how++) {
			struct ekka_verdict v;

			if ((how == OTHER_HALF && !four_bits) || (how == ONE_LESS && four_bits))
				continue;
			compute_micro(four_bits, how);
			describe_micro(four_bits);
			v = fake_event_judge(&f);
			cr_expect_eq(v.status, how == AS_IT_IS ? EKKA_PASS : EKKA_FAIL, "%s, %d: %s %s, margin %g", four_bits ? "e2m1" : "e4m3", how,
				     ekka_status_name(v.status), v.reason, v.margin);
		}
}

Test(matmul, packed_operands_that_have_no_reference_are_told)
{
	struct ekka_verdict v;

	compute_micro(true, AS_IT_IS);
	describe_micro(true);
	f.attr[f.event.call.n_attrs - 1].value.s = "int4";
	v = fake_event_judge(&f);
	cr_expect(v.status == EKKA_UNSUPPORTED && strstr(v.reason, "packed"), "%s", v.reason);
	describe_micro(true);
	f.tensor[3].dim[0] = 3584;
	v = fake_event_judge(&f);
	cr_expect(v.status == EKKA_INCOMPLETE && strstr(v.reason, "fewer block scales"), "%s", v.reason);
	/* A NaN among the factors. */
	compute_micro(false, AS_IT_IS);
	factors[0][0] = 255;
	describe_micro(false);
	v = fake_event_judge(&f);
	cr_expect_eq(v.status, EKKA_FAIL, "%s", v.reason);
	for (int j = 0; j < BM; j++)
		out[j] = NAN;
	v = fake_event_judge(&f);
	cr_expect_eq(v.status, EKKA_PASS, "%s: %s", ekka_status_name(v.status), v.reason);
}

/* ---- the screen, and the workspace ------------------------------------ */

enum { SM = 96, SN = 80, SK = 128 };

Test(matmul, a_bias_and_factors_of_rows_are_screened)
{
	static uint16_t sa[SM * SK], sb[SK * SN];
	static float sd[SM * SN], sbias[SM], alpha[SM];

	samples_fill(EKKA_BF16, sa, SM * SK, GAUSS, 1, 7);
	samples_fill(EKKA_BF16, sb, SK * SN, GAUSS, 1, 8);
	for (int wrong = 0; wrong < 4; wrong++) {
		struct ekka_verdict v;

		for (int i = 0; i < SM; i++) {
			sbias[i] = (float)(i % 11) - 4;
			alpha[i] = 0.5f + (float)(i % 5);
			for (int j = 0; j < SN; j++) {
				float t = 0;

				for (int k = 0; k < SK; k++)
					t += (float)(samples_get(EKKA_BF16, sa, i * SK + k) * samples_get(EKKA_BF16, sb, k * SN + j));
				sd[i * SN + j] = (wrong == 1 ? t : alpha[i] * t) + (wrong == 2 ? 0 : sbias[i]);
			}
		}
		sd[5 * SN + 70] += wrong == 3 ? 1.0f : 0;
		fake_event_init(&f, "matmul");
		fake_event_text(&f, "epilogue", "bias");
		fake_event_text(&f, "compute", "f32");
		fake_event_tensor(&f, "alpha", EKKA_IN, EKKA_F32, "96x1", NULL, alpha, NULL);
		fake_event_tensor(&f, "A", EKKA_IN, EKKA_BF16, "96x128", NULL, sa, NULL);
		fake_event_tensor(&f, "B", EKKA_IN, EKKA_BF16, "128x80", NULL, sb, NULL);
		fake_event_tensor(&f, "D", EKKA_OUT, EKKA_F32, "96x80", NULL, NULL, sd);
		fake_event_tensor(&f, "bias", EKKA_IN, EKKA_F32, "96x1", NULL, sbias, NULL);
		v = fake_event_judge(&f);
		cr_expect_eq(v.status, wrong ? EKKA_FAIL : EKKA_PASS, "%d: %s", wrong, v.reason);
		cr_expect(wrong || v.screened);
	}
}

Test(matmul, a_workspace_in_an_operand_is_found)
{
	static const struct { uint64_t at, bytes; bool found; } where[] = {
		{ 0x20000, 16, true }, { 0x1fff0, 16, false }, { 0x1fff0, 17, true }, { 0x20000 + 20 * 32 + 20, 12, false }, { 0x20000 + 20 * 32 + 20, 13, true },
		{ 0x20000 + 96 * 32 - 12, 64, false }, { 0x20000 + 96 * 32 - 13, 64, true }, { 0x20010, 1 << 20, true },
	};

	compute("default", NOTHING, false);
	for (size_t i = 0; i < sizeof where / sizeof where[0]; i++) {
		struct ekka_verdict v = { 0 };

		(void)judge("default", false);
		/* B's rows are 20 bytes, 32 apart. */
		f.tensor[1] = (struct ekka_tensor){ .name = "B", .dir = EKKA_IN, .dtype = EKKA_U8, .place = EKKA_DEVICE, .n_dims = 2,
						    .dim = { 96, 20 }, .stride = { 32, 1 }, .addr = 0x20000, .alias_of = -1,
						    .span_bytes = 95 * 32 + 20 };
		fake_event_int(&f, "workspace", (int64_t)where[i].at);
		fake_event_int(&f, "workspace_bytes", (int64_t)where[i].bytes);
		ekka_audit_event(&f.event, &v);
		cr_expect_eq(strstr(v.audit, "the workspace overlaps B") != NULL, where[i].found, "%zu: %s", i, v.audit);
	}
}

enum fault { NO_BIAS, NEXT_BIAS, NO_ACTIVATION, CUT, CUT_LINEAR, ROWS_OFF };

/* What a product with bias, and activation unless it is linear, looks like when it is wrong. */
static const char *looks(enum fault fault)
{
	static uint16_t sa[SM * SK], sb[SK * SN];
	static float sd[SM * SN], sbias[SM];
	bool linear = fault == CUT_LINEAR || fault == NO_BIAS;
	static struct ekka_verdict v;

	samples_fill(EKKA_BF16, sa, SM * SK, GAUSS, 1, 7);
	samples_fill(EKKA_BF16, sb, SK * SN, GAUSS, 1, 8);
	for (int i = 0; i < SM; i++)
		sbias[i] = 0.25f * (float)(i * 7 % 11) - 1;
	for (int i = 0; i < SM; i++)
		for (int j = 0; j < SN; j++) {
			int row = fault == ROWS_OFF && i + 4 < SM ? i + 4 : i;
			float t = fault == NO_BIAS ? 0 : sbias[fault == NEXT_BIAS && i + 1 < SM ? i + 1 : i];

			for (int k = 0; k < (fault == CUT || fault == CUT_LINEAR ? 96 : SK); k++)
				t += (float)(samples_get(EKKA_BF16, sa, row * SK + k) * samples_get(EKKA_BF16, sb, k * SN + j));
			sd[i * SN + j] = linear || fault == NO_ACTIVATION ? t : fmaxf(t, 0);
		}
	fake_event_init(&f, "matmul");
	fake_event_text(&f, "epilogue", linear ? "bias" : "relu_bias");
	fake_event_text(&f, "compute", "f32");
	fake_event_tensor(&f, "A", EKKA_IN, EKKA_BF16, "96x128", NULL, sa, NULL);
	fake_event_tensor(&f, "B", EKKA_IN, EKKA_BF16, "128x80", NULL, sb, NULL);
	fake_event_tensor(&f, "D", EKKA_OUT, EKKA_F32, "96x80", NULL, NULL, sd);
	fake_event_tensor(&f, "bias", EKKA_IN, EKKA_F32, "96x1", NULL, sbias, NULL);
	v = fake_event_judge(&f);
	cr_assert_eq(v.status, EKKA_FAIL, "%d: %s", (int)fault, v.reason);
	return v.looks_like;
}

Test(matmul, faults_of_what_follows_the_sum_are_named)
{
	cr_expect_str_eq(looks(NO_BIAS), "as if the bias was not added");
	cr_expect_str_eq(looks(NEXT_BIAS), "as if the bias was that of the next row");
	cr_expect_str_eq(looks(NO_ACTIVATION), "as if no activation, or gradient of one, was applied");
	cr_expect_str_eq(looks(CUT_LINEAR), "as if K was cut at 96 (of 128)");
	cr_expect_str_eq(looks(CUT), "", "what was lost of a sum cannot be told behind an activation");
	cr_expect_str_eq(looks(ROWS_OFF), "as if it was the result +4 rows on");
}
