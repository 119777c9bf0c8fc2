/* SPDX-License-Identifier: Apache-2.0 */
#include "replay/matrix.h"

#include <stdlib.h>

#include "replay/convert.h"

enum { WINDOW_BYTES = 4 << 20 };	/* several of the trace's chunks, so that few are decompressed twice */

/* Adds the reach of one dimension to the lowest and highest element; false on overflow. */
static bool reach(int64_t dim, int64_t stride, int64_t *lo, int64_t *hi)
{
	int64_t far;

	if (dim < 1 || __builtin_mul_overflow(dim - 1, stride, &far))
		return false;
	return far < 0 ? !__builtin_add_overflow(*lo, far, lo) : !__builtin_add_overflow(*hi, far, hi);
}

bool ekka_matrix_fits(const struct ekka_matrix *m)
{
	int64_t lo = m->offset, hi = m->offset, size = (int64_t)ekka_dtype_bytes(m->dtype), end;
	uint64_t room = m->n_bytes, behind;

	if (!reach(m->batch, m->bs, &lo, &hi) || !reach(m->rows, m->rs, &lo, &hi) || !reach(m->cols, m->cs, &lo, &hi))
		return false;
	if (lo < 0 || size == 0 || __builtin_add_overflow(hi, 1, &end) || __builtin_mul_overflow(end, size, &end))
		return false;
	if (m->item_bytes) {
		room = m->item_bytes;
		if (__builtin_mul_overflow(m->item_bytes, (uint64_t)m->batch, &behind) || behind > m->n_bytes)
			return false;
	}
	return (uint64_t)end <= room;
}

int ekka_matrix_init(struct ekka_matrix *m, const struct ekka_tensor *t, uint64_t n_bytes, struct ekka_error *err)
{
	unsigned batched = t->n_dims == 3;
	uint64_t elements;

	if (t->n_dims != 2 && !batched)
		return ekka_error_set(err, EKKA_ERR_INVALID, "tensor %s has %u dimensions", t->name, t->n_dims);
	*m = (struct ekka_matrix){
		.dtype = t->dtype, .offset = t->offset, .n_bytes = n_bytes,
		.batch = batched ? t->dim[0] : 1, .bs = batched ? t->stride[0] : 0,
		.rows = t->dim[batched], .rs = t->stride[batched],
		.cols = t->dim[batched + 1], .cs = t->stride[batched + 1],
		.item_bytes = t->n_ptrs ? t->span_bytes : 0,
	};
	if (!ekka_matrix_fits(m))
		return ekka_error_set(err, EKKA_ERR_INVALID, "tensor %s does not fit into its %llu recorded bytes", t->name,
				      (unsigned long long)n_bytes);
	/* An operand smaller than its dimensions say (stride 0) could ask for unbounded work. */
	if (__builtin_mul_overflow((uint64_t)m->rows, (uint64_t)m->cols, &elements) ||
	    elements > n_bytes / ekka_dtype_bytes(m->dtype))
		return ekka_error_set(err, EKKA_ERR_INVALID, "elements of tensor %s lie on top of each other", t->name);
	return 0;
}

void ekka_matrix_release(struct ekka_matrix *m)
{
	free(m->window);
	m->window = NULL;
	m->window_cap = m->window_len = 0;
}

/* Bytes [start, start+len), from memory or through the window. */
static int fetch(struct ekka_matrix *m, uint64_t start, size_t len, const unsigned char **ret, struct ekka_error *err)
{
	int r;

	if (m->bytes) {
		*ret = m->bytes + start;
		return 0;
	}
	if (start < m->window_start || start + len > m->window_start + m->window_len) {
		size_t want = len > WINDOW_BYTES ? len : WINDOW_BYTES;

		if (want > m->n_bytes - start)
			want = (size_t)(m->n_bytes - start);
		if (want > m->window_cap) {
			free(m->window);
			m->window_len = 0;
			m->window = malloc(want);
			m->window_cap = m->window ? want : 0;
			if (!m->window)
				return ekka_error_set(err, EKKA_ERR_NOMEM, "no memory for %zu bytes of an operand", want);
		}
		m->window_len = 0;
		r = m->read(m->arg, start, m->window, want, err);
		if (r < 0)
			return r;
		m->window_start = start;
		m->window_len = want;
	}
	*ret = m->window + (start - m->window_start);
	return 0;
}

/* One line of n elements from element index e of item b, towards dst. */
static int load_line(struct ekka_matrix *m, int64_t b, int64_t e, int64_t stride, int64_t n, double *re, double *im,
		     struct ekka_error *err)
{
	int64_t size = (int64_t)ekka_dtype_bytes(m->dtype);
	int64_t lowest = stride < 0 ? e + (n - 1) * stride : e, highest = stride < 0 ? e : e + (n - 1) * stride;
	uint64_t base = m->item_bytes * (uint64_t)b;
	const unsigned char *p = NULL;
	int r = fetch(m, base + (uint64_t)(lowest * size), (size_t)((highest - lowest + 1) * size), &p, err);

	if (r < 0)
		return r;
	ekka_convert(m->dtype, p + (e - lowest) * size, stride, (size_t)n, re, im);
	return 0;
}

static void scale_panel(const struct ekka_matrix *m, int64_t b, int64_t r0, int64_t c0, struct ekka_panel *p)
{
	for (int64_t r = 0; r < p->rows; r++)
		for (int64_t c = 0; c < p->cols; c++) {
			double f = m->scale[b * m->scale_bs + (r0 + r) / m->scale_rows * m->scale_rs + (c0 + c) / m->scale_cols * m->scale_cs];

			p->re[r * p->rs + c * p->cs] *= f;
			if (p->im)
				p->im[r * p->rs + c * p->cs] *= f;
		}
}

int ekka_matrix_load(struct ekka_matrix *m, int64_t b, int64_t r0, int64_t nr, int64_t c0, int64_t nc,
		     struct ekka_panel *p, struct ekka_error *err)
{
	int64_t first = m->offset + b * m->bs + r0 * m->rs + c0 * m->cs;
	bool by_row = nr == 1 || (nc > 1 && llabs(m->cs) <= llabs(m->rs));
	int64_t lines = by_row ? nr : nc, length = by_row ? nc : nr;
	int64_t step = by_row ? m->rs : m->cs, stride = by_row ? m->cs : m->rs;

	p->rows = nr;
	p->cols = nc;
	p->rs = by_row ? nc : 1;
	p->cs = by_row ? 1 : nr;
	for (int64_t l = 0; l < lines; l++) {
		int r = load_line(m, b, first + l * step, stride, length, p->re + l * length, p->im ? p->im + l * length : NULL, err);

		if (r < 0)
			return r;
	}
	if (m->scale)
		scale_panel(m, b, r0, c0, p);
	return 0;
}
