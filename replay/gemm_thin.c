/* SPDX-License-Identifier: Apache-2.0 */
#include "replay/gemm_thin.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "compare/clones.h"

enum { THIN = 8, DEPTH = 16384, CHUNK = EKKA_BOUND_CHUNK, GROUP = EKKA_BOUND_GROUP };

struct thin {
	struct ekka_gemm *g;
	struct ekka_gemm_work *w;
	bool wide_a;			/* the wide operand is A: its lines are the output's rows */
	int64_t lines, vectors;
	int64_t depth;			/* of k at a time, a multiple of CHUNK */
	double *line;			/* depth: a line of the wide operand, padded with zeros to whole chunks */
	double *vector, *abs;		/* vectors x depth: the thin operand and its magnitudes, padded likewise */
	double *line_pow2, *pow2;	/* 1 and vectors, x depth / GROUP */
	double *max_line, *max_vector;
	struct ekka_error *err;
};

bool ekka_gemm_thin_can(const struct ekka_gemm *g, int64_t ni, int64_t nj)
{
	bool wide_a = nj < ni;

	return (wide_a ? nj : ni) <= THIN && !g->model.twofold && !ekka_dtype_is_complex(g->model.out) &&
	       (wide_a ? g->a.cs : g->b.rs) == 1;
}

struct dots { double part, abs; };

/*
 * Vectors spelt out: gcc vectorises loops of these fixed counts across the wrong index. memcpy is an unaligned load.
 */
typedef double v8 __attribute__((vector_size(64)));
typedef int64_t bits8 __attribute__((vector_size(64)));

/* One chunk of a line times one vector. */
static inline __attribute__((always_inline)) void multiply(const double *restrict line, const double *restrict vector, const double *restrict abs, struct dots *ret)
{
	v8 s[2] = { 0 }, a[2] = { 0 };

	for (int k = 0; k < CHUNK; k += 16)
		for (int l = 0; l < 2; l++) {
			v8 x, y, z;

			memcpy(&x, line + k + 8 * l, sizeof x);
			memcpy(&y, vector + k + 8 * l, sizeof y);
			memcpy(&z, abs + k + 8 * l, sizeof z);
			s[l] += x * y;
			a[l] += (v8)((bits8)x & INT64_MAX) * z;
		}
	s[0] += s[1];
	a[0] += a[1];
	ret->part = ((s[0][0] + s[0][4]) + (s[0][1] + s[0][5])) + ((s[0][2] + s[0][6]) + (s[0][3] + s[0][7]));
	ret->abs = ((a[0][0] + a[0][4]) + (a[0][1] + a[0][5])) + ((a[0][2] + a[0][6]) + (a[0][3] + a[0][7]));
}

/* Largest magnitude of one group; NaN counts as nothing. */
static inline __attribute__((always_inline)) double largest(const double *v)
{
	double most = 0;
	v8 m = { 0 };

	for (int k = 0; k < GROUP; k += 8) {
		bits8 above;
		v8 x;

		memcpy(&x, v + k, sizeof x);
		x = (v8)((bits8)x & INT64_MAX);
		above = (bits8)(x > m);
		m = (v8)(((bits8)x & above) | ((bits8)m & ~above));
	}
	for (int l = 0; l < 8; l++)
		most = m[l] > most ? m[l] : most;
	return most;
}

/* The power of two at or below x >= 0; 0 for infinity. No operand is so small that it would be a subnormal double. */
static inline double power_below(double x)
{
	uint64_t u;

	if (!isfinite(x))
		return 0;
	memcpy(&u, &x, sizeof u);
	u &= 0x7ff0000000000000u;
	memcpy(&x, &u, sizeof x);
	return x;
}

/* Line `at` of an operand, k [k0, k0+nk), as doubles; zeros behind it. */
static int load(struct thin *t, bool of_a, int64_t b, int64_t at, int64_t k0, int64_t nk, double *to)
{
	struct ekka_matrix *m = of_a ? &t->g->a : &t->g->b;
	struct ekka_panel p = { .re = to };

	memset(to + nk, 0, (size_t)(t->depth - nk) * sizeof *to);
	b = m->batch == 1 ? 0 : b;
	return of_a ? ekka_matrix_load(m, b, at, 1, k0, nk, &p, t->err) : ekka_matrix_load(m, b, k0, nk, at, 1, &p, t->err);
}

/* The largest magnitude of every group of n elements, as its power of two, and of all. */
EKKA_CLONES static void find_powers(const double *v, int64_t n, double *pow2, double *max)
{
	for (int64_t k = 0; k < n; k += GROUP) {
		double most = largest(v + k);

		*max = most > *max ? most : *max;
		pow2[k / GROUP] = power_below(most);
	}
}

static int load_vectors(struct thin *t, int64_t b, int64_t first, int64_t k0, int64_t nk)
{
	for (int64_t v = 0; v < t->vectors; v++) {
		double *x = t->vector + v * t->depth, *abs = t->abs + v * t->depth, *pow2 = t->pow2 + v * (t->depth / GROUP);
		int r = load(t, !t->wide_a, b, first + v, k0, nk, x);

		if (r < 0)
			return r;
		for (int64_t k = 0; k < t->depth; k++)
			abs[k] = fabs(x[k]);
		find_powers(x, t->depth, pow2, &t->max_vector[v]);
	}
	return 0;
}

/* The sums of one output element, from where w has them and back. */
EKKA_CLONES static void multiply_line(const struct thin *t, int64_t v, int64_t nk, struct ekka_bound_sums *sums, double *ref)
{
	const double *vector = t->vector + v * t->depth, *abs = t->abs + v * t->depth, *pow2 = t->pow2 + v * (t->depth / GROUP);
	double r = *ref, all = sums->abs, prefix = sums->prefix, chunk = sums->chunk, variation = sums->variation, group = sums->group;

	for (int64_t k = 0; k < nk; k += CHUNK) {
		const double *mine = t->line_pow2 + k / GROUP, *other = pow2 + k / GROUP;
		struct dots d;

		multiply(t->line + k, vector + k, abs + k, &d);
		r += d.part;
		all += d.abs;
		chunk = d.abs > chunk ? d.abs : chunk;
		variation += fabs(d.part);
		prefix = fabs(r) > prefix ? fabs(r) : prefix;
		group += mine[0] * other[0] + mine[1] * other[1];
	}
	*ref = r;
	*sums = (struct ekka_bound_sums){ .abs = all, .prefix = prefix, .chunk = chunk, .variation = variation, .group = group };
}

/* Adds one loaded line's share to its row or column of the block. */
static void add_line(struct thin *t, int64_t line, int64_t nk)
{
	struct ekka_gemm_work *w = t->w;

	find_powers(t->line, (nk + CHUNK - 1) / CHUNK * CHUNK, t->line_pow2, &t->max_line[line]);
	for (int64_t v = 0; v < t->vectors; v++) {
		int64_t at = t->wide_a ? line * t->vectors + v : v * t->lines + line;
		struct ekka_bound_sums s = { .abs = w->abs[at], .prefix = w->prefix[at], .chunk = w->chunk[at],
					     .variation = w->variation[at], .group = w->group[at] };

		multiply_line(t, v, nk, &s, &w->ref[0][at]);
		w->abs[at] = s.abs;
		w->prefix[at] = s.prefix;
		w->chunk[at] = s.chunk;
		w->variation[at] = s.variation;
		w->group[at] = s.group;
	}
}

_Static_assert(CHUNK == 2 * GROUP, "multiply_line takes two groups of a chunk");

int ekka_gemm_thin(struct ekka_gemm *g, struct ekka_gemm_work *w, int64_t b, int64_t i0, int64_t ni, int64_t j0, int64_t nj,
		   struct ekka_error *err)
{
	bool wide_a = nj < ni;
	struct thin t = { .g = g, .w = w, .wide_a = wide_a, .lines = wide_a ? ni : nj, .vectors = wide_a ? nj : ni, .err = err,
			  .max_line = wide_a ? w->a_max : w->b_max, .max_vector = wide_a ? w->b_max : w->a_max };
	int64_t first = wide_a ? i0 : j0, first_vector = wide_a ? j0 : i0;
	int r = 0;

	t.depth = g->k < DEPTH ? (g->k + CHUNK - 1) / CHUNK * CHUNK : DEPTH;
	t.line = malloc((size_t)(t.depth + 2 * t.vectors * t.depth + (t.vectors + 1) * (t.depth / GROUP)) * sizeof *t.line);
	if (!t.line)
		return ekka_error_set(err, EKKA_ERR_NOMEM, "no memory for %lld vectors", (long long)t.vectors);
	t.vector = t.line + t.depth;
	t.abs = t.vector + t.vectors * t.depth;
	t.line_pow2 = t.abs + t.vectors * t.depth;
	t.pow2 = t.line_pow2 + t.depth / GROUP;
	for (int64_t k = 0; k < g->k && r == 0; k += t.depth) {
		int64_t nk = g->k - k < t.depth ? g->k - k : t.depth;

		r = load_vectors(&t, b, first_vector, k, nk);
		for (int64_t l = 0; l < t.lines && r == 0; l++) {
			r = load(&t, wide_a, b, first + l, k, nk, t.line);
			if (r == 0)
				add_line(&t, l, nk);
		}
	}
	free(t.line);
	return r;
}
