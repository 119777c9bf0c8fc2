/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "replay/convert.h"
#include "replay/signed_sum.h"
#include "replay/sum_product.h"
#include "replay/tile_product.h"

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

static double power_below(double x)
{
	int e;

	return x == 0 ? 0 : (frexp(x, &e), ldexp(0.5, e));
}

struct sums { double sum, sq, ulp2; };

/* Of row i and the block that begins at column j, one by one. */
static struct sums sums_of(const struct ekka_matrix *m, int64_t i, int64_t j, int64_t width, const double *sign)
{
	struct sums s = { 0 };

	for (int64_t c = j; c < m->cols && c < j + width; c++) {
		double x = element(m, 1, i, c), p = power_below(x);

		s.sum += sign[c] * x;
		s.sq += x * x;
		s.ulp2 += p * p;
	}
	return s;
}

enum { MOST_ROWS = 600, MOST_COLS = 1100, GAP = 5 };

static void check_sums(enum ekka_dtype t, int64_t rows, int64_t cols, int64_t width, bool turned, unsigned char *bytes, const double *sign)
{
	static double sum[MOST_ROWS * 20], sq[MOST_ROWS * 20], ulp2[MOST_ROWS * 20], line[MOST_ROWS + 1];
	int64_t ld = (turned ? rows : cols) + GAP, blocks = (cols + width - 1) / width, stride = blocks + 1, item = ld * (turned ? cols : rows);
	struct ekka_matrix m = { .dtype = t, .batch = 2, .rows = rows, .cols = cols, .bs = item, .rs = turned ? 1 : ld, .cs = turned ? ld : 1, .bytes = bytes };

	fill(t, bytes, 2 * item);
	for (int with = 0; with < 4; with++) {
		struct ekka_sum_blocks b = { .cols = cols, .width = width, .sign = sign, .sum = sum, .sq = with & 1 ? sq : NULL, .ulp2 = with & 2 ? ulp2 : NULL, .stride = stride };

		for (int64_t i = 0; i < rows * stride; i++)
			sum[i] = sq[i] = ulp2[i] = 12345;
		cr_assert(ekka_signed_sums(&m, 1, 0, rows, 0, &b));
		for (int64_t i = 0; i < rows; i++) {
			for (int64_t j = 0; j < blocks; j++) {
				struct sums want = sums_of(&m, i, j * width, width, sign);

				cr_assert_leq(fabs(sum[i * stride + j] - want.sum), sqrt(want.sq * (double)width) * 0x1p-22, "%s %d: row %ld block %ld", ekka_dtype_name(t), with, (long)i, (long)j);
				cr_assert(with & 1 ? fabs(sq[i * stride + j] - want.sq) <= want.sq * 1e-5 : sq[i * stride + j] == 12345);
				cr_assert(with & 2 ? fabs(ulp2[i * stride + j] - want.ulp2) <= want.ulp2 * 1e-5 : ulp2[i * stride + j] == 12345);
			}
			cr_assert(sum[i * stride + blocks] == 12345 && ulp2[i * stride + blocks] == 12345);
		}
	}
	cr_assert_eq(ekka_signed_line_can(&m), turned);
	for (int64_t j = 0; turned && j < cols; j += width) {
		bool single = ekka_dtype_bytes(t) == 2;
		int64_t n = cols - j < width ? cols - j : width;

		line[rows] = line[rows / 2] = 12345;
		ekka_signed_line(&m, 1, j, n, sign + j, line);
		for (int64_t i = 0; i < rows; i++) {
			struct sums want = sums_of(&m, i, j, width, sign);
			double got = single ? (double)((float *)line)[i] : line[i];

			cr_assert_leq(fabs(got - want.sum), sqrt(want.sq * (double)width) * (single ? 0x1p-22 : 0x1p-50), "%s line: row %ld block %ld", ekka_dtype_name(t), (long)i, (long)j);
		}
		cr_assert_eq(line[rows], 12345);
	}
}

/* Every combination of sums that can be asked for, by rows and by columns. */
Test(signed_sums, are_the_sums)
{
	static const enum ekka_dtype types[] = { EKKA_F64, EKKA_F32, EKKA_F16, EKKA_BF16 };
	static const struct { int64_t rows, cols; } sizes[] = { { 37, 150 }, { 1, 1 }, { 17, 64 }, { 300, 513 }, { 20, 1100 }, { 545, 75 } };
	unsigned char *bytes = malloc((size_t)(2 * (MOST_ROWS + GAP) * (MOST_COLS + GAP)) * 8);
	double *sign = malloc(MOST_COLS * sizeof *sign);

	ekka_signs(3, MOST_COLS, sign);
	for (int t = 0; t < 4; t++)
		for (int s = 0; s < 6; s++)
			for (int how = 0; how < 4; how++)
				check_sums(types[t], sizes[s].rows, sizes[s].cols, how & 1 ? 64 : 256, how & 2, bytes, sign);
	free(bytes), free(sign);
}

static void check_tiles(enum ekka_dtype t, int64_t rows, int64_t cols, int64_t n)
{
	int64_t ld = cols + 7, stride = n + 1, line = cols + 3;
	uint16_t *bytes = malloc((size_t)(2 * rows * ld) * sizeof *bytes), *packed = malloc(ekka_tiles_size(n, cols) * sizeof *packed);
	float *f = malloc((size_t)(n * line) * sizeof *f);
	double *out = malloc((size_t)(rows * stride) * sizeof *out);
	struct ekka_matrix m = { .dtype = t, .batch = 2, .rows = rows, .cols = cols, .bs = rows * ld, .rs = ld, .cs = 1, .bytes = (unsigned char *)bytes };

	fill(t, (unsigned char *)bytes, 2 * rows * ld);
	for (int64_t i = 0; i < n * line; i++)
		f[i] = i % line < cols ? (float)((int)draw(4001) - 2000) * 0.0123F : NAN;
	for (int64_t i = 0; i < rows * stride; i++)
		out[i] = 12345;
	cr_assert(ekka_tile_product_can(&m));
	for (int64_t k = 0; k < cols; k += 3 * EKKA_TILE_K)
		ekka_tiles_pack(f, line, n, k, cols - k < 3 * EKKA_TILE_K ? cols - k : 3 * EKKA_TILE_K, packed);
	ekka_tile_product(&m, 1, 0, rows / 2, packed, n, out, stride);
	ekka_tile_product(&m, 1, rows / 2, rows - rows / 2, packed, n, out + rows / 2 * stride, stride);
	for (int64_t r = 0; r < rows; r++) {
		for (int64_t v = 0; v < n; v++) {
			double want = 0, size = 0, got = out[r * stride + v];

			for (int64_t k = 0; k < cols; k++) {
				want += element(&m, 1, r, k) * (double)f[v * line + k];
				size += pow(element(&m, 1, r, k) * (double)f[v * line + k], 2);
			}
			/* Six times what the header says is typical. */
			cr_assert_leq(fabs(got - want), sqrt(size) * (t == EKKA_F16 ? 0x1p-15 : 0x1p-16), "%s %ldx%ld row %ld vector %ld: %g, not %g", ekka_dtype_name(t), (long)rows,
				      (long)cols, (long)r, (long)v, got, want);
		}
		cr_assert_eq(out[r * stride + n], 12345, "written beside the result");
	}
	free(bytes), free(packed), free(f), free(out);
}

Test(tile_product, is_the_product)
{
	static const int64_t rows[] = { 2, 16, 33, 77 }, cols[] = { 1, 32, 100, 257, 600 }, vectors[] = { 1, 16, 17, 32, 50 };

	if (!ekka_tiles_there())
		cr_skip_test("no tiles here");
	for (int i = 0; i < 100; i++)
		for (int t = 0; t < 2; t++)
			check_tiles(t ? EKKA_F16 : EKKA_BF16, rows[i % 4], cols[i / 4 % 5], vectors[i / 20]);
}

/* Of vectors too. */
Test(tile_product, what_is_not_finite_stays_so)
{
	static const uint32_t bad[] = { 0x7f800000, 0xff800000, 0x7fc00000, 0x7fffffff, 0xffffffff, 0x7fffe000, 0x7f800001, 0x7f7fffff };
	static uint16_t one[EKKA_TILE_K], packed[2 * 16 * EKKA_TILE_K];
	struct ekka_matrix m = { .dtype = EKKA_BF16, .batch = 1, .rows = 1, .cols = 1, .rs = 1, .cs = 1, .bytes = (unsigned char *)one };
	double out;

	if (!ekka_tiles_there())
		cr_skip_test("no tiles here");
	one[0] = 0x3f80;
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		float f;

		memcpy(&f, &bad[i], sizeof f);
		ekka_tiles_pack(&f, 1, 1, 0, 1, packed);
		ekka_tile_product(&m, 0, 0, 1, packed, 1, &out, 1);
		cr_expect_not(isfinite(out), "%x: %g", bad[i], out);	/* the last one is rounded to infinity */
	}
}

/* All bit patterns; what is not finite must not look finite. */
Test(tile_product, elements_are_what_they_are)
{
	static uint16_t all[1 << 16], packed[2 * 16 * EKKA_TILE_K];
	static double out[1 << 16];
	static const float one = 1;

	if (!ekka_tiles_there())
		cr_skip_test("no tiles here");
	for (unsigned i = 0; i < 1 << 16; i++)
		all[i] = (uint16_t)i;
	ekka_tiles_pack(&one, 1, 1, 0, 1, packed);
	for (int t = 0; t < 2; t++) {
		struct ekka_matrix m = { .dtype = t ? EKKA_F16 : EKKA_BF16, .batch = 1, .rows = 1 << 16, .cols = 1, .rs = 1, .cs = 1, .bytes = (unsigned char *)all };

		ekka_tile_product(&m, 0, 0, 1 << 16, packed, 1, out, 1);
		for (int64_t r = 0; r < 1 << 16; r++) {
			double want = element(&m, 0, r, 0);

			if (!isfinite(want))
				cr_assert_not(isfinite(out[r]), "%lx", (unsigned long)r);
			else
				cr_assert(out[r] == (fabs(want) < 0x1p-126 ? 0 : want), "%s %lx: %g, not %g", ekka_dtype_name(m.dtype), (unsigned long)r, out[r], want);
		}
	}
}
