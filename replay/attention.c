/* SPDX-License-Identifier: Apache-2.0 */
/* Which keys a row sees, where rows lie, and from products to logits. */
#include "replay/attention.h"

#include <math.h>

#include "replay/convert.h"

int64_t ekka_attention_head_k(const struct ekka_attention *x, int64_t h)
{
	return x->fault_groups ? h % x->heads_k : h / (x->heads / x->heads_k);
}

static int64_t keys(const struct ekka_attention *x, int64_t b)
{
	return x->fault_lengths ? x->n : x->k_len[b];
}

static int64_t least(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

void ekka_attention_range(const struct ekka_attention *x, int64_t b, int64_t i, int64_t *ret_lo, int64_t *ret_hi)
{
	int64_t n = keys(x, b), o = x->top_left ? 0 : n - x->q_len[b], lo = 0, hi = n - x->fault_drop, at = i / x->parts + o;
	int64_t part = i % x->parts;

	if (x->left >= 0 && at - x->left > lo)
		lo = at - x->left;
	if (x->right >= 0)
		hi = least(hi, at + x->right + 1 + x->fault_right);
	if (x->partition) {
		lo = lo > part * x->partition ? lo : part * x->partition;
		hi = least(hi, (part + 1) * x->partition);
	}
	*ret_lo = lo;
	*ret_hi = hi;
}

/* n elements from element `at`, `stride` apart. The array promises that they lie within its bytes. */
static void get(const struct ekka_array *a, int64_t at, int64_t stride, int64_t n, double *ret)
{
	ekka_convert(a->dtype, a->bytes + at * (int64_t)ekka_dtype_bytes(a->dtype), stride, (size_t)n, ret, NULL);
}

int64_t ekka_attention_rows(const struct ekka_attention *x, int64_t b)
{
	return x->q_len[b] * x->parts;
}

void ekka_attention_q_line(const struct ekka_attention *x, int64_t b, int64_t h, int64_t i, double *ret)
{
	const struct ekka_array *q = x->q;

	get(q, q->offset + (x->packed_q ? 0 : b) * q->stride[0] + h * q->stride[1] + (x->q_start[b] + i / x->parts) * q->stride[2], q->stride[3],
	    x->d, ret);
}

int64_t ekka_attention_out_row(const struct ekka_attention *x, int64_t b, int64_t h, int64_t i)
{
	return ((x->packed_q ? 0 : b) * x->heads + h) * x->q->dim[2] * x->parts + x->q_start[b] * x->parts + i;
}

/* Element index of line j of K or V. */
static int64_t line(const struct ekka_attention *x, const struct ekka_array *a, int64_t b, int64_t hk, int64_t j)
{
	if (x->pages) {
		unsigned slot = a->n_dims == 5 ? 3 : 2;

		return a->offset + x->pages[b * x->n_pages + j / x->page] * a->stride[0] + hk * a->stride[1] + j % x->page * a->stride[slot];
	}
	return a->offset + (x->packed_k ? 0 : b) * a->stride[0] + hk * a->stride[1] + (x->k_start[b] + j) * a->stride[2];
}

static void lines(const struct ekka_attention *x, const struct ekka_array *a, int64_t b, int64_t hk, int64_t j0, int64_t n, int64_t width,
		  double scale, double *ret)
{
	bool dense = !x->pages && a->stride[3] == 1 && a->stride[2] == width;

	if (dense)
		get(a, line(x, a, b, hk, j0), 1, n * width, ret);
	for (int64_t j = 0; !dense && j < n; j++) {
		int64_t at = line(x, a, b, hk, j0 + j);

		if (a->n_dims == 5)	/* [blocks, heads, D / x, keys, x] */
			for (int64_t c = 0; c < a->dim[2]; c++)
				get(a, at + c * a->stride[2], a->stride[4], a->dim[4], ret + j * width + c * a->dim[4]);
		else
			get(a, at, a->stride[3], width, ret + j * width);
	}
	for (int64_t i = 0; scale != 1 && i < n * width; i++)
		ret[i] *= scale;
}

void ekka_attention_k_lines(const struct ekka_attention *x, int64_t b, int64_t hk, int64_t j0, int64_t n, double *ret)
{
	lines(x, x->k, b, (hk + x->fault_head_k) % x->heads_k, j0, n, x->d, x->k_scale, ret);
}

void ekka_attention_v_lines(const struct ekka_attention *x, int64_t b, int64_t hk, int64_t j0, int64_t n, double *ret)
{
	lines(x, x->v, b, (hk + x->fault_head_v) % x->heads_k, j0, n, x->dv, x->v_scale, ret);
}

static void view(const struct ekka_attention_view *v, int64_t b, int64_t h, int64_t i, int64_t j0, int64_t n, double *ret)
{
	const struct ekka_array *a = v->array;

	get(a, a->offset + b * v->stride[0] + h * v->stride[1] + i * v->stride[2] + j0 * v->stride[3], v->stride[3], n, ret);
}

void ekka_attention_logits(const struct ekka_attention *x, int64_t b, int64_t h, int64_t i, int64_t j0, int64_t n, double *s, double *magnitude,
			   double *scratch)
{
	double slope = x->alibi ? x->alibi[h] : 0;
	int64_t lo, hi, diagonal = i / x->parts + keys(x, b) - x->q_len[b];

	ekka_attention_range(x, b, i, &lo, &hi);
	lo = lo - j0 > 0 ? least(lo - j0, n) : 0;
	hi = hi - j0 < lo ? lo : least(hi - j0, n);
	for (int64_t j = 0; j < lo; j++)
		s[j] = -INFINITY;
	for (int64_t j = hi; j < n; j++)
		s[j] = -INFINITY;
	for (int64_t j = lo; j < hi; j++)
		s[j] *= x->scale;
	for (int64_t j = lo; magnitude && j < hi; j++)
		magnitude[j] = fabs(s[j]);
	for (int64_t j = lo; x->softcap > 0 && j < hi; j++)
		s[j] = x->softcap * tanh(s[j] / x->softcap);
	for (int64_t j = lo; x->alibi && j < hi; j++) {
		double add = -slope * fabs((double)(diagonal - j0 - j));

		s[j] += add;
		if (magnitude)
			magnitude[j] += fabs(add);
	}
	if (x->bias.array && hi > lo) {
		view(&x->bias, b, h, i / x->parts, j0 + lo, hi - lo, scratch);
		for (int64_t j = lo; j < hi; j++) {
			s[j] += scratch[j - lo];
			if (magnitude)
				magnitude[j] += fabs(scratch[j - lo]);
		}
	}
	if (x->mask.array && hi > lo) {
		view(&x->mask, b, h, i / x->parts, j0 + lo, hi - lo, scratch);
		for (int64_t j = lo; j < hi; j++)
			if (scratch[j - lo] == 0)
				s[j] = -INFINITY;
	}
}

bool ekka_attention_added(const struct ekka_attention *x, int64_t b, int64_t h, int64_t i, int64_t j0, int64_t n, double *ret, double *scratch)
{
	int64_t diagonal = i / x->parts + keys(x, b) - x->q_len[b];

	if (!x->alibi && !x->bias.array && !x->mask.array)
		return false;
	for (int64_t j = 0; j < n; j++)
		ret[j] = x->alibi ? -x->alibi[h] * fabs((double)(diagonal - j0 - j)) : 0;
	if (x->bias.array)
		view(&x->bias, b, h, i / x->parts, j0, n, ret);
	if (x->mask.array) {
		view(&x->mask, b, h, i / x->parts, j0, n, scratch);
		for (int64_t j = 0; j < n; j++)
			ret[j] = scratch[j] == 0 ? -INFINITY : ret[j];
	}
	return true;
}
