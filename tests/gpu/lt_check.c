/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "tests/gpu/lt_problem.h"

enum { MOST_ROWS = 256 };	/* of cases whose output is quantized */

static int blocks_of(int n, int block)
{
	return (n + block - 1) / block;
}

/* Lines of k elements: how many scales there are, and which is that of an element. f32 blocks along k are padded to a multiple of 4. */
static size_t count(int mode, int lines, int k)
{
	switch (mode) {
	case VEC16: return (size_t)blocks_of(lines, 128) * (size_t)blocks_of(k, 64) * 512;
	case VEC32: return (size_t)blocks_of(lines, 128) * (size_t)blocks_of(k, 128) * 512;
	case OUTER_VECTOR: return (size_t)lines;
	case VEC128: return (size_t)lines * (size_t)blocks_of(k, 128);
	case BLK128: return (size_t)blocks_of(lines, 128) * (size_t)blocks_of(blocks_of(k, 128), 4) * 4;
	default: return 1;
	}
}

struct buffer lt_scales(int mode, int batch, int lines, int k, unsigned seed)
{
	size_t n = count(mode, lines, k) * (size_t)batch;

	/* Some room behind, for a library that reads them shifted. */
	return mode == VEC16 || mode == VEC32 ? make_byte_scales(n + 512, mode == VEC32, seed) : make_scales(n + 4, seed);
}

static double scale_at(const struct buffer *b, int mode, int item, int lines, int k, int line, int l)
{
	long long first = mode < VEC16 || mode == OUTER_VECTOR ? 0 : (long long)count(mode, lines, k) * item;
	const uint8_t *bytes = (const uint8_t *)b->host + first;

	switch (mode) {
	case VEC16: return fp8_to_double(bytes[number_scale_place(line, l / 16, blocks_of(k, 16))], 3, 7);
	case VEC32: return ldexp(1, bytes[number_scale_place(line, l / 32, blocks_of(k, 32))] - 127);
	case OUTER_VECTOR: return number_load(CUDA_R_32F, b->host, line);
	case VEC128: return number_load(CUDA_R_32F, b->host, first + l / 128 * lines + line);
	case BLK128: return number_load(CUDA_R_32F, b->host, first + line / 128 * (blocks_of(blocks_of(k, 128), 4) * 4) + l / 128);
	default: return number_load(CUDA_R_32F, b->host, 0);
	}
}

static double alpha_at(const struct problem *p, int i)
{
	return p->alpha.host == NULL ? p->c->alpha : number_load(CUDA_R_32F, p->alpha.host, p->c->pointer_mode > 1 ? i : 0);
}

/* Before the activation. */
static double sum_at(const struct problem *p, int item, int i, int j)
{
	const struct test_case *c = p->c;
	long long at = item * p->stride_d + (c->row_major ? (long long)i * c->n + j : i + (long long)j * p->ldd);
	double sum = 0;

	for (int l = 0; l < c->k; l++)
		sum += (c->scales ? scale_at(&p->scale_a, c->mode_a, item, c->m, c->k, i, l) * scale_at(&p->scale_b, c->mode_b, item, c->n, c->k, j, l) : 1) *
		       number_load(c->type_a, p->a.host, item * p->stride_a + l + (long long)i * c->k) *
		       number_load(c->type_b, p->b.host, item * p->stride_b + (c->tb ? j + (long long)l * c->n :
									       c->row_major ? (long long)l * c->n + j : l + (long long)j * c->k));
	sum *= alpha_at(p, i);
	if (c->beta != 0)
		sum += c->beta * number_load(c->type_c, p->c0.host, at);
	if (c->epilogue & CUBLASLT_EPILOGUE_BIAS)
		sum += number_load(p->bias.type, p->bias.host, (long long)item * c->m + i);
	return sum;
}

static int mask_bit(const struct problem *p, int i, int j)
{
	long long at = i + (long long)j * p->aux_ld;

	return ((const unsigned char *)p->aux.host)[at / 8] >> at % 8 & 1;
}

static int check_aux(const struct problem *p, int i, int j, double t)
{
	if (p->aux.host == NULL || p->batch > 1 || p->c->epilogue & (DRELU_BIT | DGELU_BIT))
		return 0;
	if (p->c->epilogue & CUBLASLT_EPILOGUE_RELU)
		return fabs(t) > 0.05 && mask_bit(p, i, j) != (t > 0);
	t *= p->scale_aux.host != NULL ? number_load(CUDA_R_32F, p->scale_aux.host, 0) : 1;
	return fabs(number_load(p->c->type_d, p->aux.host, i + (long long)j * p->aux_ld) - t) > p->c->tolerance * (1 + fabs(t));
}

static double activation(const struct problem *p, int i, int j, double t)
{
	uint32_t e = p->c->epilogue;

	if (e & DRELU_BIT)
		return mask_bit(p, i, j) ? t : 0;
	if (e & DGELU_BIT)
		return t * number_gelu_slope(number_load(p->c->type_d, p->aux.host, i + (long long)j * p->aux_ld));
	return e & CUBLASLT_EPILOGUE_RELU ? fmax(t, 0) : e & CUBLASLT_EPILOGUE_GELU ? number_gelu(t) : t;
}

/* One element of the bias gradient, and the sum of its terms' magnitudes. */
static double bias_gradient(const struct problem *p, int at, double *ret_abs)
{
	const struct test_case *c = p->c;
	int terms = c->epilogue & BGRAD_BIT ? c->n : c->k;
	double sum = 0;

	*ret_abs = 0;
	for (int l = 0; l < terms; l++) {
		double v = c->epilogue & CUBLASLT_EPILOGUE_BGRADA ? number_load(c->type_a, p->a.host, l + (long long)at * c->k) :
			   c->epilogue & CUBLASLT_EPILOGUE_BGRADB ?
				   number_load(c->type_b, p->b.host, c->tb ? at + (long long)l * c->n : l + (long long)at * c->k) :
				   number_load(c->type_d, p->d.host, at + (long long)l * p->ldd);

		sum += v;
		*ret_abs += fabs(v);
	}
	return sum;
}

static int check_bias_gradient(struct problem *p)
{
	const struct test_case *c = p->c;

	if (!(c->epilogue & ANY_BGRAD))
		return 0;
	fetch(&p->bias);
	for (int i = 0; i < (c->epilogue & CUBLASLT_EPILOGUE_BGRADB ? c->n : c->m); i++) {
		double size, want = bias_gradient(p, i, &size), got = number_load(p->bias.type, p->bias.host, i);

		if (fabs(got - want) <= c->tolerance * (1 + size))
			continue;
		fprintf(stderr, "%s: bias gradient %d: %g instead of %g\n", c->name, i, got, want);
		return 1;
	}
	return 0;
}

static int check_amax(const struct test_case *c, struct buffer *amax, double most)
{
	double got;

	if (amax->host == NULL)
		return 0;
	fetch(amax);
	got = number_load(CUDA_R_32F, amax->host, 0);
	if (fabs(got - most) <= 0.1 * most)
		return 0;
	fprintf(stderr, "%s: amax is %g instead of %g\n", c->name, got, most);
	return 1;
}

/* Scales of blocks of D fit the largest results, and D's element times its own is the result, as far as its few digits go. */
static int check_quantized(const struct problem *p, int item, int j, const double *want)
{
	const struct test_case *c = p->c;
	int size = c->mode_out == VEC16 ? 16 : 32;
	double most = c->mode_out == VEC16 ? 6 : 448;

	for (int i = 0; i < c->m; i++) {
		double s = scale_at(&p->scale_out, c->mode_out, item, c->n, c->m, j, i), amax = 0;
		double got = number_load(c->type_d, p->d.host, item * p->stride_d + i + (long long)j * p->ldd);

		for (int l = i / size * size; l < c->m && l < (i / size + 1) * size; l++)
			amax = fmax(amax, fabs(want[l]));
		if (fabs(got * s - want[i]) <= c->tolerance * amax && s * most >= amax * 0.9 && s * most <= amax * (c->mode_out == VEC16 ? 1.1 : 2.1))
			continue;
		fprintf(stderr, "%s: item %d, element (%d, %d): %g times %g instead of %g, largest %g\n", c->name, item, i, j, got, s, want[i], amax);
		return 1;
	}
	return 0;
}

int lt_check(struct problem *p)
{
	const struct test_case *c = p->c;
	double most = 0, most_aux = 0, column[MOST_ROWS];

	fetch(&p->d);
	if (c->mode_out != 0)
		fetch(&p->scale_out);
	if (p->aux.host != NULL)
		fetch(&p->aux);
	for (int item = 0; item < p->batch; item++)
		for (int j = 0; j < c->n; j++) {
			for (int i = 0; i < c->m; i++) {
				double t = sum_at(p, item, i, j), want, got;

				if (check_aux(p, i, j, t)) {
					fprintf(stderr, "%s: aux (%d, %d) is wrong\n", c->name, i, j);
					return 1;
				}
				most_aux = fmax(most_aux, fabs(t));
				t = activation(p, i, j, t);
				most = fmax(most, fabs(t));
				want = t * (p->scale_d.host != NULL ? number_load(CUDA_R_32F, p->scale_d.host, 0) : 1);
				column[i % MOST_ROWS] = want;
				if (c->mode_out != 0)
					continue;
				got = number_load(c->type_d, p->d.host,
						  item * p->stride_d + (c->row_major ? (long long)i * c->n + j : i + (long long)j * p->ldd));
				if (fabs(got - want) <= c->tolerance * (1 + fabs(want)) || (c->type_d == CUDA_R_8I && fabs(want) > 126))
					continue;
				fprintf(stderr, "%s: item %d, element (%d, %d): %g instead of %g\n", c->name, item, i, j, got, want);
				return 1;
			}
			if (c->mode_out != 0 && check_quantized(p, item, j, column))
				return 1;
		}
	if (check_bias_gradient(p))
		return 1;
	return check_amax(c, &p->amax, most) || check_amax(c, &p->amax_aux, most_aux);
}
