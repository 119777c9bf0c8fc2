/* SPDX-License-Identifier: Apache-2.0 */
#include "replay/signed_sum_wide.h"

#if defined(__x86_64__) && !defined(__SANITIZE_ADDRESS__)

#include <immintrin.h>
#include <string.h>

#define WIDE __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl")))
#define INLINE WIDE static inline __attribute__((always_inline))

enum {
	LANES = 16,
	AHEAD = 8192,		/* bytes to prefetch: the processor's own prefetching ends at a page */
	STRIP = 256,		/* rows at a time */
	LINE_STRIP = 2048,	/* the same for lines */
	AT_ONCE = 8,		/* columns, or blocks of a row, at a time */
	MOST_WIDE = EKKA_SUM_WIDEST
};

bool ekka_sums_wide(enum ekka_dtype t)
{
	return (t == EKKA_F32 || t == EKKA_F16 || t == EKKA_BF16) && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
	       __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
}

/* `t` is a constant wherever these are used. */
INLINE size_t size_of(enum ekka_dtype t)
{
	return t == EKKA_F32 ? 4 : 2;
}

INLINE __m512 get(enum ekka_dtype t, const void *p, __mmask16 some)
{
	if (t == EKKA_F32)
		return _mm512_maskz_loadu_ps(some, p);
	if (t == EKKA_F16)
		return _mm512_cvtph_ps(_mm256_maskz_loadu_epi16(some, p));
	return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(_mm256_maskz_loadu_epi16(some, p)), 16));
}

INLINE __mmask16 first(int64_t n)
{
	return n >= LANES ? 0xffff : (__mmask16)((1u << n) - 1);
}

INLINE __m512 power(__m512 x)
{
	return _mm512_castsi512_ps(_mm512_and_si512(_mm512_castps_si512(x), _mm512_set1_epi32(0x7f800000)));
}

INLINE __m512d low(__m512 x)
{
	return _mm512_cvtps_pd(_mm512_castps512_ps256(x));
}

INLINE __m512d high(__m512 x)
{
	return _mm512_cvtps_pd(_mm512_extractf32x8_ps(x, 1));
}

/* What `count` columns add to sixteen rows: the signed sum, in float or in double, and the squared powers of two. */
struct sixteen { __m512 sum, power2; __m512d low, high; };

INLINE void add(enum ekka_dtype t, const char *v, size_t ld, int count, __mmask16 some, const float *sign, bool with_power2, struct sixteen *to)
{
#pragma GCC unroll 8
	for (int j = 0; j < count; j++) {
		__m512 x = get(t, v + (size_t)j * ld, some);

		if (t == EKKA_F32) {
			__m512d s = _mm512_set1_pd((double)sign[j]);

			to->low = _mm512_fmadd_pd(s, low(x), to->low);
			to->high = _mm512_fmadd_pd(s, high(x), to->high);
		} else {
			to->sum = _mm512_fmadd_ps(_mm512_set1_ps(sign[j]), x, to->sum);
		}
		if (with_power2)
			to->power2 = _mm512_fmadd_ps(power(x), power(x), to->power2);
	}
}

struct columns { enum ekka_dtype t; const char *v; size_t ld; int count; const float *sign; float *sum; double *sum_d; float *power2; };

/* Sixteen rows from i on, or the first of them, added to their sums. */
INLINE void add_sixteen(const struct columns *c, int64_t i, __mmask16 some)
{
	struct sixteen a = { _mm512_setzero_ps(), _mm512_setzero_ps(), _mm512_setzero_pd(), _mm512_setzero_pd() };
	const __mmask8 lower = (__mmask8)some, upper = (__mmask8)(some >> 8);

	add(c->t, c->v + (size_t)i * size_of(c->t), c->ld, c->count, some, c->sign, c->power2, &a);
	if (c->t == EKKA_F32) {
		_mm512_mask_storeu_pd(c->sum_d + i, lower, _mm512_add_pd(a.low, _mm512_maskz_loadu_pd(lower, c->sum_d + i)));
		_mm512_mask_storeu_pd(c->sum_d + i + 8, upper, _mm512_add_pd(a.high, _mm512_maskz_loadu_pd(upper, c->sum_d + i + 8)));
	} else {
		_mm512_mask_storeu_ps(c->sum + i, some, _mm512_add_ps(a.sum, _mm512_maskz_loadu_ps(some, c->sum + i)));
	}
	if (c->power2)
		_mm512_mask_storeu_ps(c->power2 + i, some, _mm512_add_ps(a.power2, _mm512_maskz_loadu_ps(some, c->power2 + i)));
}

/* `count` columns added to contiguous sums of n rows; power2 may be NULL. */
INLINE void add_columns(struct columns c, int64_t n)
{
	int64_t i = 0;

	for (; i + LANES <= n; i += LANES) {
		if (i % (int64_t)(64 / size_of(c.t)) == 0)
			for (int j = 0; j < c.count; j++)
				_mm_prefetch(c.v + (size_t)(c.count + j) * c.ld + (size_t)i * size_of(c.t), _MM_HINT_T0);
		add_sixteen(&c, i, 0xffff);
	}
	if (i < n)
		add_sixteen(&c, i, first(n - i));
}

/* n columns, signs as floats; the sums are those of before plus these. */
INLINE void columns(enum ekka_dtype t, const char *v, size_t ld, int64_t rows, int64_t n, const float *sign, float *sum, double *sum_d, float *power2)
{
	int64_t j = 0;

	for (; j + AT_ONCE <= n; j += AT_ONCE)
		add_columns((struct columns){ t, v + (size_t)j * ld, ld, AT_ONCE, sign + j, sum, sum_d, power2 }, rows);
	for (; j < n; j++)
		add_columns((struct columns){ t, v + (size_t)j * ld, ld, 1, sign + j, sum, sum_d, power2 }, rows);
}

static void as_floats(const double *sign, int64_t n, float *ret)
{
	for (int64_t j = 0; j < n; j++)
		ret[j] = (float)sign[j];
}

INLINE void line(enum ekka_dtype t, const char *v, size_t ld, int64_t rows, int64_t n, const double *sign, void *to)
{
	float some[MOST_WIDE];

	as_floats(sign, n, some);
	for (int64_t i = 0; i < rows; i += LINE_STRIP) {
		int64_t ni = rows - i < LINE_STRIP ? rows - i : LINE_STRIP;
		float *sum = t == EKKA_F32 ? NULL : (float *)to + i;
		double *sum_d = t == EKKA_F32 ? (double *)to + i : NULL;

		for (int64_t e = 0; e < ni; e++)
			if (t == EKKA_F32)
				sum_d[e] = 0;
			else
				sum[e] = 0;
		columns(t, v + (size_t)i * size_of(t), ld, ni, n, some, sum, sum_d, NULL);
	}
}

/* The sums of some rows and up to eight blocks, a block a line. */
struct strip { float sum[AT_ONCE][STRIP], power2[AT_ONCE][STRIP]; double sum_d[AT_ONCE][STRIP]; };

/* By rows, so that no line of the result is written twice. */
INLINE void put(enum ekka_dtype t, const struct strip *s, int64_t rows, int64_t n, double *sum, double *ulp2, int64_t stride)
{
	for (int64_t i = 0; i < rows; i++, sum += stride)
		for (int64_t j = 0; j < n; j++)
			sum[j] = t == EKKA_F32 ? s->sum_d[j][i] : (double)s->sum[j][i];
	for (int64_t i = 0; ulp2 && i < rows; i++, ulp2 += stride)
		for (int64_t j = 0; j < n; j++)
			ulp2[j] = (double)s->power2[j][i];
}

INLINE void by_columns(enum ekka_dtype t, const char *v, size_t ld, int64_t rows, const struct ekka_sum_blocks *b)
{
	struct strip s;
	float sign[MOST_WIDE];
	int64_t most = b->width * AT_ONCE;

	for (int64_t j0 = 0; j0 < b->cols; j0 += most)
		for (int64_t i = 0; i < rows; i += STRIP) {
			int64_t ni = rows - i < STRIP ? rows - i : STRIP, end = b->cols - j0 < most ? b->cols : j0 + most, k = 0, at = i * b->stride + j0 / b->width;

			memset(&s, 0, sizeof s);
			for (int64_t j = j0; j < end; j += b->width, k++) {
				int64_t n = end - j < b->width ? end - j : b->width;

				as_floats(b->sign + j, n, sign);
				columns(t, v + (size_t)i * size_of(t) + (size_t)j * ld, ld, ni, n, sign, s.sum[k], s.sum_d[k], b->ulp2 ? s.power2[k] : NULL);
			}
			put(t, &s, ni, k, b->sum + at, b->ulp2 ? b->ulp2 + at : NULL, b->stride);
		}
}

INLINE __m512 halves(__m512 a, __m512 b)
{
	return _mm512_add_ps(_mm512_unpacklo_ps(a, b), _mm512_unpackhi_ps(a, b));
}

INLINE __m512 quarters(const __m512 v[4])
{
	__m512d a = _mm512_castps_pd(halves(v[0], v[1])), b = _mm512_castps_pd(halves(v[2], v[3]));

	return _mm512_add_ps(_mm512_castpd_ps(_mm512_unpacklo_pd(a, b)), _mm512_castpd_ps(_mm512_unpackhi_pd(a, b)));
}

INLINE __m512 eighths(__m512 a, __m512 b)
{
	return _mm512_add_ps(_mm512_shuffle_f32x4(a, b, 0x88), _mm512_shuffle_f32x4(a, b, 0xdd));
}

/* The sums of sixteen vectors' elements, in order. */
INLINE __m512 sums_of(const __m512 v[16])
{
	return eighths(eighths(quarters(v), quarters(v + 4)), eighths(quarters(v + 8), quarters(v + 12)));
}

/* Sixteen elements of a row, or the first of them. */
INLINE void add_elements(enum ekka_dtype t, const char *v, __mmask16 some, const float *sign, bool with_power2, struct sixteen *to)
{
	__m512 x = get(t, v, some), s = _mm512_maskz_loadu_ps(some, sign);

	if (t == EKKA_F32) {
		s = _mm512_mul_ps(s, x);	/* exact */
		to->low = _mm512_add_pd(low(s), to->low);
		to->high = _mm512_add_pd(high(s), to->high);
	} else {
		to->sum = _mm512_fmadd_ps(s, x, to->sum);
	}
	if (with_power2)
		to->power2 = _mm512_fmadd_ps(power(x), power(x), to->power2);
}

/* One block of a row: vectors whose elements add up to its sums, the signed one in double as *sum_d for f32. */
INLINE void block(enum ekka_dtype t, const char *v, int64_t n, const float *sign, bool with_power2, __m512 *sum, __m512 *power2, double *sum_d)
{
	struct sixteen a = { _mm512_setzero_ps(), _mm512_setzero_ps(), _mm512_setzero_pd(), _mm512_setzero_pd() };
	int64_t j = 0;

	for (; j + 64 / (int64_t)size_of(t) <= n; j += 64 / (int64_t)size_of(t)) {
		_mm_prefetch(v + (size_t)j * size_of(t) + AHEAD, _MM_HINT_T0);
#pragma GCC unroll 2
		for (int64_t e = j; e < j + 64 / (int64_t)size_of(t); e += LANES)
			add_elements(t, v + (size_t)e * size_of(t), 0xffff, sign + e, with_power2, &a);
	}
	for (; j < n; j += LANES)
		add_elements(t, v + (size_t)j * size_of(t), first(n - j), sign + j, with_power2, &a);
	*sum = a.sum;
	*power2 = a.power2;
	if (t == EKKA_F32)
		*sum_d = _mm512_reduce_add_pd(_mm512_add_pd(a.low, a.high));
}

/* Up to eight blocks of a row, whose sums go to sum[0..], ulp2[0..]. */
INLINE void some_blocks(enum ekka_dtype t, const char *v, const float *sign, int64_t width, int64_t end, double *sum, double *ulp2)
{
	__m512 s[2 * AT_ONCE];
	int n = 0;

	for (; (n + 1) * width <= end; n++)
		block(t, v + (size_t)(n * width) * size_of(t), width, sign + n * width, ulp2, &s[n], &s[AT_ONCE + n], sum + n);
	if (n * width < end) {
		block(t, v + (size_t)(n * width) * size_of(t), end - n * width, sign + n * width, ulp2, &s[n], &s[AT_ONCE + n], sum + n);
		n++;
	}
	for (int e = n; e < AT_ONCE; e++)
		s[e] = s[AT_ONCE + e] = _mm512_setzero_ps();
	__mmask8 there = (__mmask8)((1u << n) - 1);
	__m512 all = sums_of(s);

	if (t != EKKA_F32)
		_mm512_mask_storeu_pd(sum, there, low(all));
	if (ulp2)
		_mm512_mask_storeu_pd(ulp2, there, high(all));
}

/* `width` is b's, `power2` says whether its ulp2 is there: constants where it matters. */
INLINE void by_rows(enum ekka_dtype t, const char *v, size_t ld, int64_t rows, const struct ekka_sum_blocks *b, int64_t width, bool power2)
{
	float sign[MOST_WIDE * AT_ONCE];
	int64_t most = width * AT_ONCE;

	for (int64_t j = 0; j < b->cols; j += most) {
		int64_t n = b->cols - j < most ? b->cols - j : most, at = j / width;

		as_floats(b->sign + j, n, sign);
		for (int64_t i = 0; i < rows; i++, at += b->stride)
			some_blocks(t, v + (size_t)i * ld + (size_t)j * size_of(t), sign, width, n, b->sum + at, power2 ? b->ulp2 + at : NULL);
	}
}

#define OF(t, name)                                                                                                    \
	WIDE static void line_##name(const void *v, int64_t ld, int64_t rows, int64_t n, const double *sign, void *to) \
	{                                                                                                              \
		line(t, v, (size_t)ld * size_of(t), rows, n, sign, to);                                                \
	}                                                                                                              \
	WIDE static void by_columns_##name(const void *v, int64_t ld, int64_t rows, const struct ekka_sum_blocks *b)   \
	{                                                                                                              \
		by_columns(t, v, (size_t)ld * size_of(t), rows, b);                                                    \
	}                                                                                                              \
	WIDE static void by_rows_##name(const void *v, int64_t ld, int64_t rows, const struct ekka_sum_blocks *b)      \
	{                                                                                                              \
		if (b->width == 64 && b->ulp2)                                                                         \
			by_rows(t, v, (size_t)ld * size_of(t), rows, b, 64, true);                                     \
		else                                                                                                   \
			by_rows(t, v, (size_t)ld * size_of(t), rows, b, b->width, b->ulp2);                            \
	}
OF(EKKA_F32, f32)
OF(EKKA_F16, f16)
OF(EKKA_BF16, bf16)

void ekka_sums_wide_by_rows(enum ekka_dtype t, const void *v, int64_t ld, int64_t rows, const struct ekka_sum_blocks *b)
{
	(t == EKKA_F32 ? by_rows_f32 : t == EKKA_F16 ? by_rows_f16 : by_rows_bf16)(v, ld, rows, b);
}

void ekka_sums_wide_by_columns(enum ekka_dtype t, const void *v, int64_t ld, int64_t rows, const struct ekka_sum_blocks *b)
{
	(t == EKKA_F32 ? by_columns_f32 : t == EKKA_F16 ? by_columns_f16 : by_columns_bf16)(v, ld, rows, b);
}

void ekka_sums_wide_line(enum ekka_dtype t, const void *v, int64_t ld, int64_t rows, int64_t n, const double *sign, void *line)
{
	(t == EKKA_F32 ? line_f32 : t == EKKA_F16 ? line_f16 : line_bf16)(v, ld, rows, n, sign, line);
}

#else

bool ekka_sums_wide(enum ekka_dtype t)
{
	(void)t;
	return false;
}

/* Never called. */
void ekka_sums_wide_by_rows(enum ekka_dtype t, const void *v, int64_t ld, int64_t rows, const struct ekka_sum_blocks *b)
{
	(void)t, (void)v, (void)ld, (void)rows, (void)b;
}

void ekka_sums_wide_by_columns(enum ekka_dtype t, const void *v, int64_t ld, int64_t rows, const struct ekka_sum_blocks *b)
{
	(void)t, (void)v, (void)ld, (void)rows, (void)b;
}

void ekka_sums_wide_line(enum ekka_dtype t, const void *v, int64_t ld, int64_t rows, int64_t n, const double *sign, void *line)
{
	(void)t, (void)v, (void)ld, (void)rows, (void)n, (void)sign, (void)line;
}

#endif
