/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/replay/problem.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "compare/round.h"
#include "replay/convert.h"

double random_unit(struct problem *p)
{
	p->random = p->random * 6364136223846793005u + 1442695040888963407u;
	return (double)(p->random >> 11) * 0x1p-53;
}

int64_t random_below(struct problem *p, int64_t n)
{
	return (int64_t)(random_unit(p) * (double)n);
}

static double gaussian(struct problem *p)
{
	return sqrt(-2 * log(1 - random_unit(p))) * cos(2 * M_PI * random_unit(p));
}

/* binary16's bits of a float that is one of its values. */
static uint16_t f16_bits(float f)
{
	uint32_t u;
	uint16_t sign;

	memcpy(&u, &f, sizeof u);
	sign = (uint16_t)(u >> 16 & 0x8000);
	f = fabsf(f);
	if (isnan(f))
		return sign | 0x7e00;
	if (f > 65504)
		return sign | 0x7c00;
	if (f < 0x1p-14f)
		return (uint16_t)(sign | (uint16_t)(f * 0x1p24f));
	return (uint16_t)(sign | ((u >> 13 & 0x3ffff) - (112u << 10)));
}

static void store(enum ekka_dtype t, unsigned char *to, double re, double im)
{
	float f[2] = { (float)re, (float)im };
	double d[2] = { re, im };
	uint32_t u;

	switch (t) {
	case EKKA_F64: memcpy(to, d, 8); return;
	case EKKA_C128: memcpy(to, d, 16); return;
	case EKKA_F32: memcpy(to, f, 4); return;
	case EKKA_C64: memcpy(to, f, 8); return;
	case EKKA_BF16:
		f[0] = ekka_round_bf16(f[0]);
		memcpy(&u, f, 4);
		memcpy(to, &(uint16_t){ (uint16_t)(u >> 16) }, 2);
		return;
	case EKKA_F16: memcpy(to, &(uint16_t){ f16_bits(ekka_round_f16(f[0])) }, 2); return;
	case EKKA_I8: memcpy(to, &(int8_t){ (int8_t)re }, 1); return;
	case EKKA_I32: memcpy(to, &(int32_t){ (int32_t)(int64_t)re }, 4); return;
	default: abort();
	}
}

static unsigned char *at(const struct problem *p, enum operand x, int64_t b, int64_t i, int64_t j, enum ekka_dtype *ret_t)
{
	static const struct { bool c; } kind[] = { { false }, { false }, { true }, { true } };
	unsigned char *base[] = { p->a, p->b, p->c0, p->c };
	int64_t rows = x == OPERAND_B ? p->k : p->m, cols = x == OPERAND_A ? p->k : p->n;
	bool by_row = x == OPERAND_A ? p->row_a : x == OPERAND_B ? p->row_b : p->row_c;
	int64_t ld = (by_row ? cols : rows) + p->pad;
	int64_t e = b * ld * (by_row ? rows : cols) + (by_row ? i * ld + j : i + j * ld);

	*ret_t = kind[x].c ? p->tc : p->ta;
	return base[x] + e * (int64_t)ekka_dtype_bytes(*ret_t);
}

void problem_get(const struct problem *p, enum operand x, int64_t b, int64_t i, int64_t j, double ret[2])
{
	enum ekka_dtype t;
	unsigned char *from = at(p, x, b, i, j, &t);

	ret[1] = 0;
	ekka_convert(t, from, 1, 1, &ret[0], &ret[1]);
}

void problem_set(struct problem *p, enum operand x, int64_t b, int64_t i, int64_t j, double re, double im)
{
	enum ekka_dtype t;
	unsigned char *to = at(p, x, b, i, j, &t);

	store(t, to, re, im);
}

static double value(struct problem *p, enum values v, int64_t k, bool second)
{
	double small = ldexp(1, p->ta == EKKA_F16 ? -9 : p->ta == EKKA_F64 || p->ta == EKKA_C128 ? -480 : -58);

	if (p->ta == EKKA_I8)
		return v == CONSTANT ? 127 : (double)(random_below(p, 256) - 128);
	switch (v) {
	case POSITIVE: return random_unit(p) + 0.5;
	case CANCELLING: return second ? 1 + 1e-3 * gaussian(p) : (k & 1 ? -1 : 1) * (1 + 1e-3 * gaussian(p));
	case WIDE: return gaussian(p) * ldexp(1, (int)random_below(p, 13) - 6);
	case TINY: return gaussian(p) * small;
	case HUGE_VALUES: return gaussian(p) * 0.125 / sqrt(small);
	case CONSTANT: return 0.1;
	default: return gaussian(p);
	}
}

static struct ekka_matrix matrix(const struct problem *p, enum ekka_dtype t, const unsigned char *bytes, int64_t rows, int64_t cols,
				 bool by_row)
{
	int64_t ld = (by_row ? cols : rows) + p->pad;

	return (struct ekka_matrix){ .dtype = t, .batch = p->batch, .rows = rows, .cols = cols, .bs = ld * (by_row ? rows : cols),
				     .rs = by_row ? ld : 1, .cs = by_row ? 1 : ld, .bytes = bytes,
				     .n_bytes = (uint64_t)(p->batch * ld * (by_row ? rows : cols)) * ekka_dtype_bytes(t) };
}

static unsigned char *room(const struct problem *p, int64_t rows, int64_t cols, enum ekka_dtype t)
{
	size_t n = (size_t)(p->batch * (rows + p->pad) * (cols + p->pad) + 1) * ekka_dtype_bytes(t);
	unsigned char *r = calloc(1, n);

	if (!r)
		abort();
	return r;
}

void problem_init(struct problem *p, enum ekka_dtype ta, enum ekka_dtype tc, int64_t m, int64_t n, int64_t k, int64_t batch,
		  enum values values, uint64_t seed)
{
	bool cx = ekka_dtype_is_complex(ta);

	*p = (struct problem){ .ta = ta, .tc = tc, .m = m, .n = n, .k = k, .batch = batch, .pad = (int64_t)(seed % 3),
			       .row_a = seed & 1, .row_b = seed >> 1 & 1, .row_c = seed >> 2 & 1, .alpha = { 1, 0 },
			       .random = seed * 0x9e3779b97f4a7c15u + 12345 };
	p->a = room(p, m, k, ta);
	p->b = room(p, k, n, ta);
	p->c0 = room(p, m, n, tc);
	p->c = room(p, m, n, tc);
	for (int64_t q = 0; q < batch; q++) {
		for (int64_t i = 0; i < m; i++)
			for (int64_t l = 0; l < k; l++)
				problem_set(p, OPERAND_A, q, i, l, value(p, values, l, false), cx ? value(p, values, l, false) : 0);
		for (int64_t l = 0; l < k; l++)
			for (int64_t j = 0; j < n; j++)
				problem_set(p, OPERAND_B, q, l, j, value(p, values, l, true), cx ? value(p, values, l, true) : 0);
		for (int64_t i = 0; i < m; i++)
			for (int64_t j = 0; j < n; j++)
				problem_set(p, OPERAND_C0, q, i, j, value(p, values, i, true), cx ? value(p, values, j, true) : 0);
	}
	problem_bound(p, &(struct ekka_bound_facts){ .compute = -1, .math = -1 });
}

void problem_bound(struct problem *p, const struct ekka_bound_facts *more)
{
	struct ekka_bound_facts facts = *more;

	facts.a = facts.b = p->ta;
	facts.out = p->tc;
	facts.k = p->k;
	if (ekka_bound_model_init(&p->g.model, &facts) < 0)
		abort();
}

void problem_release(struct problem *p)
{
	free(p->a);
	free(p->b);
	free(p->c0);
	free(p->c);
}

/* Rounds v to a multiple of 2^e, toward zero. */
static double cut(double v, int e)
{
	return ldexp(trunc(ldexp(v, -e)), e);
}

/* Hopper's 16-bit tensor core: 16 products and the accumulator aligned, 25 fractional bits, result cut to 24 significant bits. */
static float tensor_core(int64_t n, const double *a, const double *b)
{
	double acc = 0;

	for (int64_t k = 0; k < n; k += 16) {
		int top = acc != 0 ? ilogb(acc) : -1000;
		double sum;

		for (int64_t l = k; l < n && l < k + 16; l++)
			if (a[l] != 0 && b[l] != 0 && ilogb(a[l]) + ilogb(b[l]) > top)
				top = ilogb(a[l]) + ilogb(b[l]);
		sum = cut(acc, top - 25);
		for (int64_t l = k; l < n && l < k + 16; l++)
			sum += cut(a[l] * b[l], top - 25);
		acc = sum != 0 ? cut(sum, ilogb(sum) - 23) : 0;
	}
	return (float)acc;
}

static float pairwise(int64_t n, const float *x)
{
	return n == 0 ? 0 : n == 1 ? x[0] : pairwise(n / 2, x) + pairwise(n - n / 2, x + n / 2);
}

/* One dot product in single precision, in one of the orders that libraries use. */
static float dot_f32(struct problem *p, int64_t n, const double *a, const double *b, enum how how)
{
	float *x = malloc((size_t)(n + 1) * sizeof *x), lane[8] = { 0 }, sum = 0;

	for (int64_t k = 0; k < n; k++)
		x[k] = (float)a[k] * (float)b[k];
	switch (how) {
	case REVERSED:
		for (int64_t k = n; k-- > 0;)
			sum += x[k];
		break;
	case PAIRWISE: sum = pairwise(n, x); break;
	case BLOCKED:
		for (int64_t k = 0; k < n; k += 64)
			sum += pairwise(n - k < 64 ? n - k : 64, x + k);
		break;
	case FUSED:
		for (int64_t k = 0; k < n; k++)
			sum = fmaf((float)a[k], (float)b[k], sum);
		break;
	case SHUFFLED:
		for (int64_t k = n; k > 0; k--) {
			int64_t l = random_below(p, k);
			float taken = x[l];

			x[l] = x[k - 1];
			sum += taken;
		}
		break;
	case LANES:
		for (int64_t k = 0; k < n; k++)
			lane[k & 7] = fmaf((float)a[k], (float)b[k], lane[k & 7]);
		sum = pairwise(8, lane);
		break;
	case TENSOR_CORE: sum = tensor_core(n, a, b); break;
	case TENSOR_CORE_SPLIT:
		for (int64_t k = 0; k < n; k += 256)
			sum += tensor_core(n - k < 256 ? n - k : 256, a + k, b + k);
		break;
	default:
		for (int64_t k = 0; k < n; k++)
			sum += x[k];
	}
	free(x);
	return sum;
}

/* The same in double; only the orders matter there. */
static double dot_f64(int64_t n, const double *a, const double *b, enum how how)
{
	double sum = 0, lane[4] = { 0 };

	for (int64_t k = 0; k < n; k++) {
		int64_t l = how == REVERSED || how == SHUFFLED ? n - 1 - k : k;

		if (how == FUSED)
			sum = fma(a[l], b[l], sum);
		else if (how == LANES || how == PAIRWISE || how == BLOCKED)
			lane[l & 3] += a[l] * b[l];
		else
			sum += a[l] * b[l];
	}
	return sum + ((lane[0] + lane[1]) + (lane[2] + lane[3]));
}

static bool wide(const struct problem *p)
{
	return p->ta == EKKA_F64 || p->ta == EKKA_C128 || p->ta == EKKA_I8;
}

static double dot(struct problem *p, int64_t n, const double *a, const double *b, enum how how)
{
	return wide(p) ? dot_f64(n, a, b, how) : dot_f32(p, n, a, b, how);
}

static void finish(struct problem *p, int64_t q, int64_t i, int64_t j, const double sum[2])
{
	double c0[2], re, im;

	problem_get(p, OPERAND_C0, q, i, j, c0);
	if (wide(p)) {
		re = p->alpha[0] * sum[0] - p->alpha[1] * sum[1];
		im = p->alpha[0] * sum[1] + p->alpha[1] * sum[0];
		re += p->beta[0] != 0 || p->beta[1] != 0 ? p->beta[0] * c0[0] - p->beta[1] * c0[1] : 0;
		im += p->beta[0] != 0 || p->beta[1] != 0 ? p->beta[0] * c0[1] + p->beta[1] * c0[0] : 0;
	} else {
		float s[2] = { (float)sum[0], (float)sum[1] }, al[2] = { (float)p->alpha[0], (float)p->alpha[1] };
		float be[2] = { (float)p->beta[0], (float)p->beta[1] }, c[2] = { (float)c0[0], (float)c0[1] };
		float fr = al[1] != 0 ? al[0] * s[0] - al[1] * s[1] : al[0] * s[0];
		float fi = al[1] != 0 ? al[0] * s[1] + al[1] * s[0] : al[0] * s[1];

		if (be[0] != 0 || be[1] != 0) {
			fr += be[1] != 0 ? be[0] * c[0] - be[1] * c[1] : be[0] * c[0];
			fi += be[1] != 0 ? be[0] * c[1] + be[1] * c[0] : be[0] * c[1];
		}
		re = fr;
		im = fi;
	}
	problem_set(p, OPERAND_C, q, i, j, re, im);
}

void problem_compute(struct problem *p, enum how how)
{
	size_t n = (size_t)p->k + 1;
	double *v = calloc(n * 4, sizeof *v), *ar = v, *ai = v + n, *br = v + 2 * n, *bi = v + 3 * n, z[2];

	for (int64_t q = 0; q < p->batch; q++)
		for (int64_t i = 0; i < p->m; i++) {
			for (int64_t l = 0; l < p->k; l++) {
				problem_get(p, OPERAND_A, q, i, l, z);
				ar[l] = z[0];
				ai[l] = p->g.a.conj ? -z[1] : z[1];
			}
			for (int64_t j = 0; j < p->n; j++) {
				double sum[2] = { 0, 0 };

				for (int64_t l = 0; l < p->k; l++) {
					problem_get(p, OPERAND_B, q, l, j, z);
					br[l] = z[0];
					bi[l] = p->g.b.conj ? -z[1] : z[1];
				}
				sum[0] = dot(p, p->k, ar, br, how);
				if (ekka_dtype_is_complex(p->ta)) {
					sum[0] -= dot(p, p->k, ai, bi, how);
					sum[1] = dot(p, p->k, ar, bi, how) + dot(p, p->k, ai, br, how);
				}
				finish(p, q, i, j, sum);
			}
		}
	free(v);
}

struct ekka_verdict problem_judge(struct problem *p, bool exact)
{
	return problem_judge_with(p, &(struct ekka_gemm_options){ .exact = exact });
}

struct ekka_gemm problem_gemm(const struct problem *p)
{
	struct ekka_gemm g = p->g;

	g.m = p->m;
	g.n = p->n;
	g.k = p->k;
	g.batch = p->batch;
	g.batched = p->batch > 1;
	g.a = matrix(p, p->ta, p->a, p->m, p->k, p->row_a);
	g.b = matrix(p, p->ta, p->b, p->k, p->n, p->row_b);
	g.c0 = matrix(p, p->tc, p->c0, p->m, p->n, p->row_c);
	g.c = matrix(p, p->tc, p->c, p->m, p->n, p->row_c);
	g.a.conj = p->g.a.conj;
	g.b.conj = p->g.b.conj;
	g.has_product = p->k > 0 && (p->alpha[0] != 0 || p->alpha[1] != 0);
	g.has_c0 = p->beta[0] != 0 || p->beta[1] != 0;
	memcpy(g.alpha, p->alpha, sizeof g.alpha);
	memcpy(g.beta, p->beta, sizeof g.beta);
	g.output = "C";
	return g;
}

struct ekka_verdict problem_judge_with(struct problem *p, const struct ekka_gemm_options *o)
{
	struct ekka_verdict v = { 0 };
	struct ekka_error err = { 0 };
	struct ekka_gemm g = problem_gemm(p);

	if (ekka_gemm_judge(&g, o, &v, &err) < 0) {
		(void)fprintf(stderr, "%s\n", err.message);
		abort();
	}
	return v;
}
