/* SPDX-License-Identifier: Apache-2.0 */
/* Matrix products judged element by element on the device (replay/gpu_product.c), as replay/gemm_exact.c and compare/tally.c do it for real numbers. */
#include "replay/gpu_device.cuh"

enum { PRODUCT_CHUNK = EKKA_BOUND_CHUNK, PRODUCT_GROUP = EKKA_BOUND_GROUP, THIN_VECTORS = 2 };

static __device__ double matrix_value(const struct ekka_gpu_matrix *m, i64 b, i64 r, i64 c)
{
	return value_at((const void *)(size_t)(m->bytes + m->item_bytes * (u64)b), m->dtype, m->offset + b * m->bs + r * m->rs + c * m->cs, 0);
}

/* Adds the sum of one chunk of k, and that of its magnitudes, to what is known of an element. */
static __device__ void add_chunk_to(struct ekka_bound_sums *s, double *sum, double part, double part_abs)
{
	double p;

	*sum += part;
	p = fabs(*sum);
	s->abs += part_abs;
	s->chunk = part_abs > s->chunk ? part_abs : s->chunk;
	s->variation += fabs(part);
	s->prefix = p > s->prefix ? p : s->prefix;
}

/* What an element should be, and how far off it may be. */
struct product_element { double ref, bound, unusual; bool anything; };

static __device__ double vector_value(u64 vector, i64 i, double none)
{
	return vector ? ((const double *)(size_t)vector)[i] : none;
}

/* From f alpha P + beta C0 to what the output should hold, as ekka_epilogue_apply has it. */
static __device__ void apply_epilogue(const struct ekka_gpu_product *x, i64 b, i64 i, struct product_element *e)
{
	double u = x->bound.u_acc > 0 ? x->bound.u_acc : 0x1p-24, bias = vector_value(x->bias, b * x->bias_step + i, 0), t = e->ref + bias, more;

	e->anything = x->activation != EKKA_ACT_NONE && !isfinite(t);
	more = x->bias || x->row_scale || x->col_scale ? ekka_epilogue_bias_error(u, e->ref, t, bias) : 0;
	e->bound += more;
	e->unusual += more;
	if (x->activation == EKKA_ACT_GELU) {
		e->bound = ekka_gelu_bound(u, t, e->bound);
		e->unusual = ekka_gelu_bound(u, t, e->unusual);
		t = ekka_gelu_of(t);
	} else if (x->activation == EKKA_ACT_RELU) {
		t = t < 0 ? 0 : t;
	}
	t *= x->scale;
	more = x->scale == 1 ? 0 : u * fabs(t);
	e->bound = e->bound * fabs(x->scale) + more;
	e->unusual = e->unusual * fabs(x->scale) + more;
	if (x->saturates)
		t = t < -x->bound.max_out ? -x->bound.max_out : t > x->bound.max_out ? x->bound.max_out : t;
	e->ref = t;
}

/*
 * Element (b, i, j), whose product is `sum`. Bad is whatever cannot pass: also an error that rounding in random order hardly ever makes. Wide is what is visibly
 * off under a wide bound; by its own reference, which makes it one more often than by the typical one.
 */
static __device__ void note_product(struct ekka_gpu_part *found, const struct ekka_gpu_product *x, i64 b, i64 i, i64 j, double sum,
				    const struct ekka_bound_sums *s)
{
	double out = matrix_value(&x->c, b, i, j), bc = x->c0.bytes ? x->beta * matrix_value(&x->c0, b, i, j) : 0;
	double factor = vector_value(x->row_scale, i, 1) * vector_value(x->col_scale, j, 1), alpha = fabs(x->alpha) * fabs(factor), size, error, margin, bound;
	struct product_element e = { x->alpha * sum * factor + bc, ekka_bound_of_sum(&x->bound, s, alpha, fabs(sum), fabs(bc)),
				     ekka_bound_of_sum_unusual(&x->bound, s, alpha, fabs(sum), fabs(bc)), false };
	i64 index = (b * x->m + i) * x->n + j;
	bool free, bad;

	if (x->has_epilogue)
		apply_epilogue(x, b, i, &e);
	size = fabs(e.ref);
	bound = ekka_bound_of_rounded(&x->bound, e.bound, size);
	free = e.anything || (isfinite(s->largest) && ekka_bound_overflows(&x->bound, s, alpha, fabs(bc), x->saturates ? 0 : size, x->saturates ? 0 : bound));
	margin = ekka_bound_margin(out, e.ref, bound, free, &error);
	bad = margin > 1 || error > ekka_bound_of_rounded(&x->bound, e.unusual, size);
	found->n++;
	found->n_bad += bad;
	found->n_wide += !bad && bound > 0.5 * size && error > x->bound.u_out * size + x->bound.tiny_out + x->bound.own * alpha * s->abs && error > EKKA_VISIBLE * size;
	if (!found->n_measured++ || margin > found->margin || (margin == found->margin && index < found->index)) {
		found->margin = margin;
		found->index = index;
		found->out = out;
		found->ref = e.ref;
		found->bound = bound;
	}
	found->max_error = error > found->max_error ? error : found->max_error;
}

/*
 * A block of ni x nj elements from (i0, j0) of item b. part, part_abs: sums of each of `chunks` chunks of k, [chunks][ni][nj]; group: sums over groups,
 * [ni][nj], NULL: not needed; a_max, b_max: the largest magnitudes of lines. Adds to what the teams found so far.
 */
EKKA_KERNEL EKKA_BLOCKS(3) ekka_gpu_product(const struct ekka_gpu_product *x, struct ekka_gpu_part *parts, const double *part, const double *part_abs, const double *group,
			     const double *a_max, const double *b_max, i64 b, i64 i0, i64 ni, i64 j0, i64 nj, i64 chunks)
{
	struct ekka_gpu_part found = EKKA_LANE == 0 ? parts[EKKA_TEAM] : nothing_found();

	FOR_EACH(e, ni * nj) {
		struct ekka_bound_sums s = { 0, 0, 0, 0, group ? group[e] : 0, a_max[e / nj] + b_max[e % nj] };
		double sum = 0;

		for (i64 c = 0; c < chunks; c++)
			add_chunk_to(&s, &sum, part[c * ni * nj + e], part_abs[c * ni * nj + e]);
		note_product(&found, x, b, i0 + e / nj, j0 + e % nj, sum, &s);
	}
	tell(parts, found);
}

/* ---- products with few vectors ----------------------------------------- */

/* binary16 by way of float: its bits moved to where float has them, and 2^112 for the exponent's bias. */
static __device__ double f16_value(unsigned h)
{
	unsigned bits = (h & 0x7fffu) << 13;
	float v, scale = 0x1p112f;

	if ((h & 0x7c00u) == 0x7c00u) {
		bits |= 0x7f800000u;
		scale = 1;
	}
	memcpy(&v, &bits, sizeof v);
	v *= scale;
	return h & 0x8000u ? -(double)v : (double)v;
}

/* Elements i and i + 1; without the second, that is 0. Two 16-bit ones by one access where they share a word. */
static __device__ void pair_at(const void *src, int dtype, i64 i, bool both, double ret[2])
{
	bool brain = dtype == EKKA_GPU_BF16;

	if (both && i % 2 == 0 && (brain || dtype == EKKA_GPU_F16)) {
		unsigned word = ((const unsigned *)src)[i / 2];

		ret[0] = brain ? bf16_value((unsigned short)word) : f16_value(word & 0xffffu);
		ret[1] = brain ? bf16_value((unsigned short)(word >> 16)) : f16_value(word >> 16);
	} else {
		ret[0] = value_at(src, dtype, i, 0);
		ret[1] = both ? value_at(src, dtype, i + 1, 0) : 0;
	}
}

/* Bits of |x| as float32, ordered as the magnitudes are; NaN counts as nothing. For types that float32 holds. */
static __device__ unsigned magnitude_bits(double x)
{
	float v = (float)fabs(x);
	unsigned bits;

	if (v != v)
		return 0;
	memcpy(&bits, &v, sizeof bits);
	return bits;
}

static __device__ double of_magnitude_bits(unsigned bits)
{
	float v;

	memcpy(&v, &bits, sizeof v);
	return (double)v;
}

/* Vectors in float64: [vector * ld + k]; their groups' powers of two, [vector * groups + g]; their largest magnitudes. */
struct thin { const double *re, *pow2, *max; i64 ld, groups; };

/* n <= THIN_VECTORS vectors from v0 times line `line` of the other operand, whose k lie side by side; a team a line. lines_of_a: lines are A's rows, else B's columns. */
static __device__ __forceinline__ void thin_line(struct ekka_gpu_part *found, const struct ekka_gpu_product *x, const struct thin *t, bool lines_of_a, i64 line, i64 v0,
						 const int n)
{
	const struct ekka_gpu_matrix *w = lines_of_a ? &x->a : &x->b;
	i64 first = w->offset + line * (lines_of_a ? w->rs : w->cs);
	struct ekka_bound_sums s[THIN_VECTORS];
	double sum[THIN_VECTORS], line_max = 0;

	for (int v = 0; v < n; v++) {
		memset(&s[v], 0, sizeof s[v]);
		sum[v] = 0;
	}
	for (i64 k0 = 0; k0 < x->k; k0 += PRODUCT_CHUNK) {
		double part[THIN_VECTORS], part_abs[THIN_VECTORS];

		for (int v = 0; v < n; v++)
			part[v] = part_abs[v] = 0;
		for (i64 g0 = k0; g0 < k0 + PRODUCT_CHUNK && g0 < x->k; g0 += PRODUCT_GROUP) {
			i64 end = g0 + PRODUCT_GROUP < x->k ? g0 + PRODUCT_GROUP : x->k;
			unsigned most = 0, bits;
			double size, power;

			for (i64 k = g0 + 2 * EKKA_LANE; k < end; k += 2 * EKKA_LANES) {
				double e[2];

				pair_at((const void *)(size_t)w->bytes, w->dtype, first + k, k + 1 < end, e);
				for (int h = 0; h < 2 && k + h < end; h++) {
					bits = magnitude_bits(e[h]);
					most = bits > most ? bits : most;
					for (int v = 0; v < n; v++) {
						double y = t->re[(v0 + v) * t->ld + k + h];

						part[v] = fma(e[h], y, part[v]);
						part_abs[v] = fma(fabs(e[h]), fabs(y), part_abs[v]);
					}
				}
			}
			size = of_magnitude_bits(team_most(most));
			line_max = size > line_max ? size : line_max;
			power = isfinite(size) ? ekka_power_below(size) : 0;
			for (int v = 0; v < n; v++)
				s[v].group += power * t->pow2[(v0 + v) * t->groups + g0 / PRODUCT_GROUP];
		}
		for (int v = 0; v < n; v++)
			add_chunk_to(&s[v], &sum[v], team_sum(part[v]), team_sum(part_abs[v]));
	}
	for (i64 v = EKKA_LANE; v < n; v += EKKA_LANES) {
		struct ekka_bound_sums mine = s[0];
		double product = sum[0];

		for (int other = 1; other < n; other++)	/* registers cannot be indexed */
			if (other == v) {
				mine = s[other];
				product = sum[other];
			}
		mine.largest = line_max + t->max[v0 + v];
		if (x->bound.kind != EKKA_BOUND_TENSOR_CORE)
			mine.group = 0;
		note_product(found, x, 0, lines_of_a ? line : v0 + v, lines_of_a ? v0 + v : line, product, &mine);
	}
}

EKKA_KERNEL EKKA_BLOCKS(3) ekka_gpu_thin(const struct ekka_gpu_product *x, struct ekka_gpu_part *parts, const double *re, const double *pow2, const double *max, i64 ld, i64 groups,
			  int lines_of_a)
{
	struct thin t = { re, pow2, max, ld, groups };
	struct ekka_gpu_part found = nothing_found();
	i64 lines = lines_of_a ? x->m : x->n, vectors = lines_of_a ? x->n : x->m;

	FOR_EACH_TEAM(line, lines) {
		for (i64 v = 0; v < vectors; v += THIN_VECTORS) {
			if (vectors - v == 1)	/* the number of vectors is known when it is compiled */
				thin_line(&found, x, &t, lines_of_a, line, v, 1);
			else
				thin_line(&found, x, &t, lines_of_a, line, v, 2);
		}
	}
	tell(parts, found);
}
