/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Packed vectors: for every EKKA_TILE_K elements, for every EKKA_TILE_VECTORS vectors, a tile of the upper and one of the lower parts; a row of a tile is
 * a pair of elements of each vector (Intel 64 and IA-32 Architectures Software Developer's Manual, volume 2, TDPBF16PS).
 */
#include "replay/tile_product.h"

#include <string.h>

#include "compare/clones.h"
#include "replay/half.h"

enum { TILE_ROWS = 16, TILE = TILE_ROWS * EKKA_TILE_K, K = EKKA_TILE_K, VECTORS = EKKA_TILE_VECTORS };

static int64_t rounded_up(int64_t n, int64_t to)
{
	return (n + to - 1) / to * to;
}

size_t ekka_tiles_size(int64_t n_vectors, int64_t cols)
{
	return (size_t)(2 * rounded_up(n_vectors, VECTORS) * rounded_up(cols, K));
}

bool ekka_tile_product_can(const struct ekka_matrix *m)
{
	return (m->dtype == EKKA_F16 || m->dtype == EKKA_BF16) && m->bytes && !m->scale && (uintptr_t)m->bytes % 2 == 0 && m->item_bytes % 2 == 0 && m->cs == 1;
}

/* To nearest; what is not finite, or becomes so, stays or becomes infinite or NaN. */
static inline uint16_t upper(float x)
{
	uint32_t u = ekka_bits_of_float(x);

	return (uint16_t)((u + ((u & 0x7fffffff) > 0x7f800000 ? 0 : 0x7fff + (u >> 16 & 1))) >> 16);
}

/* One vector's elements, pairs VECTORS pairs apart. */
EKKA_CLONES static void split(int64_t n, const float *restrict from, uint16_t *restrict to)
{
	for (int64_t i = 0; i < n; i++) {
		uint16_t high = upper(from[i]);
		int64_t at = i / 2 * 2 * VECTORS + i % 2;

		to[at] = high;
		to[TILE + at] = upper(from[i] - ekka_bf16_value(high));
	}
}

void ekka_tiles_pack(const float *lines, int64_t ld, int64_t n_vectors, int64_t k, int64_t nk, uint16_t *to)
{
	int64_t wide = rounded_up(n_vectors, VECTORS);

	for (int64_t e = k; e < k + nk; e += K) {
		int64_t n = k + nk - e < K ? k + nk - e : K;

		for (int64_t v = 0; v < wide; v++) {
			uint16_t *tile = to + 2 * (e * wide + v / VECTORS * TILE) + v % VECTORS * 2;
			float some[K] = { 0 };

			if (v < n_vectors)
				memcpy(some, lines + v * ld + e, (size_t)n * sizeof *some);
			split(K, some, tile);
		}
	}
}

#if defined(__x86_64__) && defined(__linux__) && !defined(__SANITIZE_ADDRESS__) && (__GNUC__ >= 11 || __clang_major__ >= 12)

#include <cpuid.h>
#include <immintrin.h>
#include <pthread.h>
#include <sys/syscall.h>
#include <unistd.h>

#define TILES __attribute__((target("amx-tile,amx-bf16,avx512f,avx512bw,avx512dq,avx512vl")))

static bool there;

/* The kernel saves tiles only for processes that asked for them (Documentation/x86/xstate.rst). */
static void ask(void)
{
	enum { REQUEST = 0x1023, TILE_DATA = 18, AMX_BF16 = 1 << 22, AMX_TILE = 1 << 24 };
	unsigned a, b, c, d = 0;

	there = __get_cpuid_count(7, 0, &a, &b, &c, &d) && (d & AMX_BF16) && (d & AMX_TILE) && __builtin_cpu_supports("avx512f") &&
		__builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
		syscall(SYS_arch_prctl, REQUEST, TILE_DATA) == 0;
}

bool ekka_tiles_there(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	(void)pthread_once(&once, ask);
	return there;
}

/*
 * Tiles: sums of the first and the second VECTORS vectors, those with a lower part apart, so that no sum waits for the one before; the rows'
 * upper and lower parts; the vectors'. Macros, since they become names of registers.
 */
#define SUM 0
#define SUM_LOW 1
#define SUM_2 2
#define SUM_2_LOW 3
#define A 4
#define A_LOW 5
#define V 6
#define V_LOW 7
enum { N_TILES = 8 };

/* The intrinsics do not say how much memory they read: what was written before must not be left out or come later. */
#define KEEP_STORES() __asm__ volatile("" ::: "memory")

struct layout { uint8_t palette, start_row, zero[14]; uint16_t row_bytes[16]; uint8_t rows[16]; };

/* For `rows` rows of the operand. */
TILES static void set_up(int64_t rows)
{
	struct layout l = { .palette = 1 };

	for (int t = 0; t < N_TILES; t++) {
		l.row_bytes[t] = 64;
		l.rows[t] = t < V ? (uint8_t)rows : TILE_ROWS;
	}
	KEEP_STORES();
	_tile_loadconfig(&l);
}

/* Of the operand, at most TILE_ROWS; and where K elements of each lie, their lower parts a tile behind. ld: bytes from row to row. */
struct rows { enum ekka_dtype dtype; const char *from; int64_t ld, n, cols; };
struct part { const char *at; size_t ld; };
enum { STEPS = EKKA_TILE_DEPTH / K };

/* The last elements of each row, filled up with zeros. */
TILES static void last_of_bf16(const struct rows *r, int64_t k, uint16_t *to)
{
	memset(to, 0, TILE * sizeof *to);
	for (int64_t i = 0; i < r->n; i++)
		memcpy(to + i * K, r->from + i * r->ld + 2 * k, (size_t)(2 * (r->cols - k)));
}

/* Elements [k, end) of each row in two parts. */
TILES static void f16_in_parts(const struct rows *r, int64_t k, int64_t end, uint16_t *to)
{
	const __m512i upper_halves = _mm512_set_epi16(63, 61, 59, 57, 55, 53, 51, 49, 47, 45, 43, 41, 39, 37, 35, 33, 31, 29, 27, 25, 23, 21, 19, 17, 15, 13, 11, 9, 7,
						      5, 3, 1);
	const __m512i mask = _mm512_set1_epi32((int)0xffff0000);

	for (; k < end; k += K, to += 2 * TILE) {
		__mmask32 some = end - k >= K ? 0xffffffffu : (1u << (end - k)) - 1;

		for (int64_t i = 0; i < r->n; i++) {
			__m512i h = _mm512_maskz_loadu_epi16(some, r->from + i * r->ld + 2 * k);
			__m512 x = _mm512_cvtph_ps(_mm512_castsi512_si256(h)), y = _mm512_cvtph_ps(_mm512_extracti64x4_epi64(h, 1));
			__m512i xh = _mm512_and_si512(_mm512_castps_si512(x), mask), yh = _mm512_and_si512(_mm512_castps_si512(y), mask);
			__m512i xl = _mm512_castps_si512(_mm512_sub_ps(x, _mm512_castsi512_ps(xh))), yl = _mm512_castps_si512(_mm512_sub_ps(y, _mm512_castsi512_ps(yh)));

			_mm512_store_si512(to + i * K, _mm512_permutex2var_epi16(xh, upper_halves, yh));
			_mm512_store_si512(to + TILE + i * K, _mm512_permutex2var_epi16(xl, upper_halves, yl));
		}
	}
}

/* Adds both sums of n vectors, a row of VECTORS a row of the operand. */
TILES static void add_to(double *out, int64_t stride, int64_t rows, int64_t n, const float *sum, const float *sum_low)
{
	__mmask16 some = n >= VECTORS ? 0xffff : (__mmask16)((1u << n) - 1);
	__mmask8 first = (__mmask8)some, last = (__mmask8)(some >> 8);

	for (int64_t i = 0; i < rows; i++, out += stride, sum += VECTORS, sum_low += VECTORS) {
		__m512 all = _mm512_add_ps(_mm512_loadu_ps(sum), _mm512_loadu_ps(sum_low));
		__m512d lower = _mm512_cvtps_pd(_mm512_castps512_ps256(all)), upper_8 = _mm512_cvtps_pd(_mm512_extractf32x8_ps(all, 1));

		_mm512_mask_storeu_pd(out, first, _mm512_add_pd(_mm512_maskz_loadu_pd(first, out), lower));
		_mm512_mask_storeu_pd(out + 8, last, _mm512_add_pd(_mm512_maskz_loadu_pd(last, out + 8), upper_8));
	}
}

/*
 * The rows' elements from k on, `steps` times K, times up to 2 * VECTORS vectors, added to out; `wide`: 16-bit numbers of one K of all vectors; the `first`
 * time the next rows are fetched.
 */
TILES static void multiply(const struct part *p, const struct rows *r, int64_t k, int64_t steps, bool first, const uint16_t *vectors, size_t wide, int64_t n_vectors, double *out, int64_t stride)
{
	const bool low = r->dtype == EKKA_F16;
	float sum[4][TILE_ROWS * VECTORS];

	_tile_zero(SUM);
	_tile_zero(SUM_LOW);
	_tile_zero(SUM_2);
	_tile_zero(SUM_2_LOW);
	for (int64_t i = 0; i < steps; i++, vectors += wide) {
		for (int64_t e = 0; first && e < r->n; e++)
			_mm_prefetch(r->from + (TILE_ROWS + e) * r->ld + 2 * (k + i * K), _MM_HINT_T0);
		_tile_loadd(A, p[i].at, p[i].ld);
		if (low)
			_tile_loadd(A_LOW, p[i].at + 2 * TILE, p[i].ld);
		_tile_loadd(V, vectors, 2 * K);
		_tile_loadd(V_LOW, vectors + TILE, 2 * K);
		_tile_dpbf16ps(SUM, A, V);
		_tile_dpbf16ps(SUM_LOW, A, V_LOW);
		if (low)
			_tile_dpbf16ps(SUM_LOW, A_LOW, V);
		if (n_vectors <= VECTORS)
			continue;
		_tile_loadd(V, vectors + 2 * TILE, 2 * K);
		_tile_loadd(V_LOW, vectors + 3 * TILE, 2 * K);
		_tile_dpbf16ps(SUM_2, A, V);
		_tile_dpbf16ps(SUM_2_LOW, A, V_LOW);
		if (low)
			_tile_dpbf16ps(SUM_2_LOW, A_LOW, V);
	}
	_tile_stored(SUM, sum[0], sizeof(float) * VECTORS);
	_tile_stored(SUM_LOW, sum[1], sizeof(float) * VECTORS);
	add_to(out, stride, r->n, n_vectors, sum[0], sum[1]);
	if (n_vectors > VECTORS) {
		_tile_stored(SUM_2, sum[2], sizeof(float) * VECTORS);
		_tile_stored(SUM_2_LOW, sum[3], sizeof(float) * VECTORS);
		add_to(out + VECTORS, stride, r->n, n_vectors - VECTORS, sum[2], sum[3]);
	}
}

/* Where the elements [k, end) of the rows lie as tiles want them: in place, or in `room` for STEPS times two tiles. Returns how many steps they are. */
TILES static int64_t in_parts(const struct rows *r, int64_t k, int64_t end, uint16_t *room, struct part ret[STEPS])
{
	int64_t n = 0;

	if (r->dtype == EKKA_F16)
		f16_in_parts(r, k, end, room);
	for (; k < end; k += K, n++) {
		ret[n] = (struct part){ (const char *)(room + n * 2 * TILE), 2 * K };
		if (r->dtype == EKKA_F16)
			continue;
		if (k + K > r->cols)
			last_of_bf16(r, k, room + n * 2 * TILE);
		else
			ret[n] = (struct part){ r->from + 2 * k, (size_t)r->ld };
	}
	KEEP_STORES();
	return n;
}

TILES void ekka_tile_product(const struct ekka_matrix *m, int64_t b, int64_t r0, int64_t nr, const uint16_t *packed, int64_t n_vectors, double *out, int64_t stride)
{
	const char *from = (const char *)m->bytes + (uint64_t)b * m->item_bytes + 2 * (m->offset + b * m->bs + r0 * m->rs);
	size_t wide = (size_t)(2 * rounded_up(n_vectors, VECTORS) * K);
	_Alignas(64) uint16_t room[STEPS * 2 * TILE];
	struct part part[STEPS];

	for (int64_t r = 0; r < nr; r++)
		memset(out + r * stride, 0, (size_t)n_vectors * sizeof *out);
	for (int64_t k = 0; k < m->cols; k += EKKA_TILE_DEPTH) {
		int64_t end = m->cols - k < EKKA_TILE_DEPTH ? m->cols : k + EKKA_TILE_DEPTH;

		for (int64_t i = 0; i < nr; i += TILE_ROWS) {
			struct rows r = { m->dtype, from + 2 * i * m->rs, 2 * m->rs, nr - i < TILE_ROWS ? nr - i : TILE_ROWS, m->cols };
			int64_t steps = in_parts(&r, k, end, room, part);

			if (i == 0 || r.n < TILE_ROWS)
				set_up(r.n);
			for (int64_t v = 0; v < n_vectors; v += 2 * VECTORS)
				multiply(part, &r, k, steps, v == 0, packed + (size_t)(k / K) * wide + (size_t)(v / VECTORS * 2 * TILE), wide,
					 n_vectors - v < 2 * VECTORS ? n_vectors - v : 2 * VECTORS, out + i * stride + v, stride);
		}
	}
	_tile_release();
}

#else

bool ekka_tiles_there(void)
{
	return false;
}

/* Never called. */
void ekka_tile_product(const struct ekka_matrix *m, int64_t b, int64_t r0, int64_t nr, const uint16_t *packed, int64_t n_vectors, double *out, int64_t stride)
{
	(void)m, (void)b, (void)r0, (void)nr, (void)packed, (void)n_vectors, (void)out, (void)stride;
}

#endif
