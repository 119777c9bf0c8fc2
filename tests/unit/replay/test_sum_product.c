/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "replay/convert.h"
#include "replay/signed_sum.h"
#include "replay/sum_product.h"

static uint64_t state = 7;

static unsigned draw(unsigned n)
{
	state = state * 6364136223846793005u + 1442695040888963407u;
	return (unsigned)(state >> 33) % n;
}

/* Bytes that are numbers of moderate size in every type. */
static void fill(enum ekka_dtype t, unsigned char *p, int64_t n)
{
	for (int64_t i = 0; i < n; i++) {
		double v = ((int)draw(2001) - 1000) * 0.001;
		float f = (float)v;
		uint32_t u;

		memcpy(&u, &f, sizeof u);
		if (t == EKKA_F64)
			memcpy(p + 8 * i, &v, 8);
		else if (t == EKKA_F32)
			memcpy(p + 4 * i, &f, 4);
		else
			memcpy(p + 2 * i, &(uint16_t){ (uint16_t)(t == EKKA_BF16 ? u >> 16 : draw(0x3c00) | draw(2) << 15) }, 2);
	}
}

static double element(const struct ekka_matrix *m, int64_t b, int64_t r, int64_t c)
{
	double v;

	ekka_convert(m->dtype, m->bytes + (m->offset + b * m->bs + r * m->rs + c * m->cs) * (int64_t)ekka_dtype_bytes(m->dtype), 1, 1, &v, NULL);
	return v;
}

struct shape { int64_t rows, cols; bool turned; };

static void check(enum ekka_dtype t, struct shape s, int64_t n, bool single)
{
	int64_t pad = 3, ld = (s.cols + EKKA_SUM_ALIGN - 1) / EKKA_SUM_ALIGN * EKKA_SUM_ALIGN, lines = (n + EKKA_SUM_VECTORS - 1) / EKKA_SUM_VECTORS * EKKA_SUM_VECTORS;
	int64_t line = s.turned ? s.rows + pad : s.cols + pad, item = line * (s.turned ? s.cols : s.rows), stride = n + 2;
	unsigned char *bytes = malloc((size_t)(2 * item + 5) * ekka_dtype_bytes(t));
	struct ekka_matrix m = { .dtype = t, .batch = 2, .rows = s.rows, .cols = s.cols, .bs = item, .rs = s.turned ? 1 : line, .cs = s.turned ? line : 1, .offset = 5,
				 .bytes = bytes };
	double *d = calloc((size_t)(lines * ld), sizeof *d), *out = malloc((size_t)(s.rows * stride) * sizeof *out);
	float *f = calloc((size_t)(lines * ld), sizeof *f);
	void *scratch = malloc(EKKA_SUM_SCRATCH);

	fill(t, bytes, 2 * item + 5);
	for (int64_t i = 0; i < lines * ld; i++)
		d[i] = f[i] = i >= n * ld ? NAN : i % ld < s.cols ? (float)((int)draw(4001) - 2000) * 0.01F : 0;	/* lines behind count for nothing */
	for (int64_t i = 0; i < s.rows * stride; i++)
		out[i] = 12345;
	cr_assert(ekka_sum_product_can(&m));
	for (int64_t r0 = 0; r0 < s.rows; r0 += EKKA_SUM_ROWS)
		ekka_sum_product(&m, 1, r0, s.rows - r0 < EKKA_SUM_ROWS ? s.rows - r0 : EKKA_SUM_ROWS,
				 &(struct ekka_sum_vectors){ .d = single ? NULL : d, .f = single ? f : NULL, .n = n, .ld = ld }, scratch, out + r0 * stride, stride);
	for (int64_t r = 0; r < s.rows; r++)
		for (int64_t v = 0; v < stride; v++) {
			double want = 0, size = 0, got = out[r * stride + v];

			for (int64_t k = 0; v < n && k < s.cols; k++) {
				want += element(&m, 1, r, k) * d[v * ld + k];
				size += fabs(element(&m, 1, r, k) * d[v * ld + k]);
			}
			if (v >= n)
				cr_assert_eq(got, 12345, "written beside the result");
			else
				cr_assert_leq(fabs(got - want), size * (double)s.cols * (single ? 0x1p-24 : 0x1p-53), "%s %ldx%ld%s, %ld vectors, row %ld, vector %ld: %g, not %g",
					      ekka_dtype_name(t), (long)s.rows, (long)s.cols, s.turned ? "^T" : "", (long)n, (long)r, (long)v, got, want);
		}
	free(bytes), free(d), free(out), free(f), free(scratch);
}

Test(sum_product, is_the_product)
{
	static const enum ekka_dtype types[] = { EKKA_F64, EKKA_F32, EKKA_F16, EKKA_BF16 };
	static const int64_t rows[] = { 1, 2, 3, 5, 64, 300 }, cols[] = { 1, 7, 16, 63, 515, 1100 }, vectors[] = { 1, 8, 11 };

	for (int i = 0; i < 4 * 6 * 6; i++)
		for (int turned = 0; turned < 2; turned++) {
			struct shape s = { rows[i / 4 % 6], cols[i / 24], turned };

			check(types[i % 4], s, vectors[i % 3], false);
			if (i % 4 >= 2)
				check(types[i % 4], s, vectors[i % 3], true);
		}
}

/* All bit patterns, subnormals, infinities and NaN among them. */
Test(sum_product, elements_are_what_they_are)
{
	static uint16_t all[1 << 16];
	static float one[8 * 16] = { 1 };
	static double one_d[8 * 16] = { 1 };
	void *scratch = malloc(EKKA_SUM_SCRATCH);

	for (unsigned i = 0; i < 1 << 16; i++)
		all[i] = (uint16_t)i;
	for (int t = 0; t < 4; t++) {
		struct ekka_matrix m = { .dtype = t % 2 ? EKKA_F16 : EKKA_BF16, .batch = 1, .rows = 1 << 16, .cols = 1, .rs = 1, .cs = 1, .bytes = (unsigned char *)all };

		for (int64_t r = 0; r < 1 << 16; r++) {
			double got, want = element(&m, 0, r, 0);

			ekka_sum_product(&m, 0, r, 1, &(struct ekka_sum_vectors){ .d = t < 2 ? one_d : NULL, .f = t < 2 ? NULL : one, .n = 1, .ld = 16 }, scratch, &got, 1);
			cr_assert(got == want || (isnan(got) && isnan(want)), "%s %lx: %g, not %g", ekka_dtype_name(m.dtype), (unsigned long)r, got, want);
		}
	}
	free(scratch);
}

Test(sum_product, says_what_it_cannot_do)
{
	static const double factor[1];
	static _Alignas(8) unsigned char bytes[64];
	struct ekka_matrix m = { .dtype = EKKA_F32, .batch = 1, .rows = 2, .cols = 2, .rs = 2, .cs = 1, .bytes = bytes };

	cr_expect(ekka_sum_product_can(&m));
	m.bytes = bytes + 2;
	cr_expect_not(ekka_sum_product_can(&m));
	m.bytes = NULL;
	cr_expect_not(ekka_sum_product_can(&m));
	m.bytes = bytes;
	m.scale = factor;
	cr_expect_not(ekka_sum_product_can(&m));
	m.scale = NULL;
	m.item_bytes = 6;
	cr_expect_not(ekka_sum_product_can(&m));
	m.item_bytes = 0;
	m.dtype = EKKA_C64;
	cr_expect_not(ekka_sum_product_can(&m));
	m.dtype = EKKA_E4M3;
	cr_expect_not(ekka_sum_product_can(&m));
}

/* The signed sums alone are those that come with squares. */
Test(signed_sums, alone_are_the_same)
{
	static const enum ekka_dtype types[] = { EKKA_F64, EKKA_F32, EKKA_F16, EKKA_BF16 };
	enum { ROWS = 37, COLS = 150, WIDTH = 64, BLOCKS = 3 };
	unsigned char *bytes = malloc(ROWS * COLS * 8);
	double sign[COLS], sum[2][ROWS * BLOCKS], sq[ROWS * BLOCKS];

	ekka_signs(3, COLS, sign);
	for (int t = 0; t < 8; t++) {
		struct ekka_matrix m = { .dtype = types[t % 4], .batch = 1, .rows = ROWS, .cols = COLS, .rs = t < 4 ? COLS : 1, .cs = t < 4 ? 1 : ROWS, .bytes = bytes };
		struct ekka_sum_blocks b = { .cols = COLS, .width = WIDTH, .sign = sign, .sum = sum[0], .sq = sq, .stride = BLOCKS };

		fill(m.dtype, bytes, ROWS * COLS);
		cr_assert(ekka_signed_sums(&m, 0, 0, ROWS, 0, &b));
		b.sum = sum[1];
		b.sq = NULL;
		cr_assert(ekka_signed_sums(&m, 0, 0, ROWS, 0, &b));
		for (int64_t i = 0; i < ROWS; i++)
			for (int64_t j = 0; j < COLS; j += WIDTH) {
				double want = 0;

				for (int64_t c = j; c < COLS && c < j + WIDTH; c++)
					want += sign[c] * element(&m, 0, i, c);
				for (int k = 0; k < 2; k++)
					cr_assert_leq(fabs(sum[k][i * BLOCKS + j / WIDTH] - want), WIDTH * sqrt(sq[i * BLOCKS + j / WIDTH] * WIDTH) * 0x1p-24);
			}
	}
	free(bytes);
}
