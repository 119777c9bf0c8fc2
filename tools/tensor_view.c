/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/tensor_view.h"

#include "replay/convert.h"
#include "tools/event.h"
#include "trace/tensor.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { WINDOW_BYTES = 1 << 20, BATCH = 1024 };

int ekka_tensor_view_init(struct ekka_tensor_view *v, struct ekka_trace *trace, const struct ekka_event *e, unsigned i,
			  enum ekka_phase phase, struct ekka_error *err)
{
	const struct ekka_tensor *t = &e->call.tensors[i];
	const struct ekka_rec_data *data = ekka_event_bytes(e, i, phase);
	uint64_t want, have;

	*v = (struct ekka_tensor_view){ .trace = trace, .tensor = t };
	if (!data)
		return ekka_error_set(err, EKKA_ERR_MISSING, "the bytes of %s %s the call were not recorded", t->name,
				      ekka_phase_name(phase));
	if (!ekka_trace_blob_present(trace, &data->id, &have))
		return ekka_error_set(err, EKKA_ERR_MISSING, "the bytes of %s %s the call are not whole in this trace",
				      t->name, ekka_phase_name(phase));
	if (t->n_dims == 0 || (t->n_ptrs && t->dim[0] > (int64_t)t->n_ptrs) || !ekka_tensor_blob_bytes(t, &want) || want > have || !ekka_tensor_in_span(t) || ekka_tensor_elements(t) < 0)
		return ekka_error_set(err, EKKA_ERR_FORMAT, "tensor %s does not fit its %" PRIu64 " recorded bytes",
				      t->name, have);
	v->id = data->id;
	v->n_bytes = want;
	return 0;
}

void ekka_tensor_view_release(struct ekka_tensor_view *v)
{
	free(v->window);
	v->window = NULL;
}

/* The bytes [at, at + len), len at most WINDOW_BYTES, through the window. NULL with err on failure. */
static const unsigned char *bytes(struct ekka_tensor_view *v, uint64_t at, uint64_t len, struct ekka_error *err)
{
	uint64_t take = v->n_bytes - at < WINDOW_BYTES ? v->n_bytes - at : WINDOW_BYTES;

	if (at >= v->window_start && at + len <= v->window_start + v->window_len)
		return v->window + (at - v->window_start);
	if (!v->window && !(v->window = malloc(WINDOW_BYTES))) {
		ekka_error_set(err, EKKA_ERR_NOMEM, "out of memory");
		return NULL;
	}
	v->window_len = 0;
	if (ekka_trace_blob_read(v->trace, &v->id, at, v->window, (size_t)take, err) != 0)
		return NULL;
	v->window_start = at;
	v->window_len = take;
	return v->window;
}

/* Byte in the blob of the element at `index`. Items of a pointer array lie one after another. */
static uint64_t position(const struct ekka_tensor *t, const int64_t *index)
{
	int64_t at = t->offset;
	uint64_t item = 0;

	for (unsigned d = 0; d < t->n_dims; d++) {
		if (d == 0 && t->n_ptrs)
			item = (uint64_t)index[0] * t->span_bytes;
		else
			at += index[d] * t->stride[d];
	}
	return item + (uint64_t)at * ekka_dtype_bytes(t->dtype);
}

int ekka_tensor_view_element(struct ekka_tensor_view *v, const int64_t *index, double *ret_re, double *ret_im,
			     struct ekka_error *err)
{
	const unsigned char *p = bytes(v, position(v->tensor, index), ekka_dtype_bytes(v->tensor->dtype), err);
	double re = 0, im = 0;

	if (!p)
		return err->code;
	ekka_convert(v->tensor->dtype, p, 1, 1, &re, &im);
	*ret_re = re;
	*ret_im = im;
	return 0;
}

/* Steps `index` through the dims listed in order[0..n-1], the last fastest. False at the end. */
static bool step(const struct ekka_tensor *t, const unsigned *order, unsigned n, int64_t *index)
{
	while (n-- > 0) {
		if (++index[order[n]] < t->dim[order[n]])
			return true;
		index[order[n]] = 0;
	}
	return false;
}

/*
 * Calls fn for runs of elements along the dimension with the smallest stride, larger strides outside, so that the blob is
 * read once from one end to the other where the layout allows. A run: n elements from p on, `stride` elements apart.
 */
static int for_each_run(struct ekka_tensor_view *v, void (*fn)(void *arg, const unsigned char *p, int64_t stride, size_t n),
			void *arg, struct ekka_error *err)
{
	const struct ekka_tensor *t = v->tensor;
	size_t size = ekka_dtype_bytes(t->dtype);
	unsigned order[EKKA_MAX_DIMS], inner;
	int64_t index[EKKA_MAX_DIMS] = { 0 };
	uint64_t stride_bytes;
	int64_t piece;

	for (unsigned d = 0; d < t->n_dims; d++) {
		unsigned at = d;

		/* Insertion by falling stride; dimension 0 of a pointer array has none and stays outermost. */
		while (at > (t->n_ptrs ? 1 : 0) && llabs(t->stride[order[at - 1]]) < llabs(t->stride[d])) {
			order[at] = order[at - 1];
			at--;
		}
		order[at] = d;
	}
	inner = order[t->n_dims - 1];
	stride_bytes = (uint64_t)llabs(t->stride[inner]) * size;
	piece = stride_bytes ? (int64_t)(WINDOW_BYTES / stride_bytes) : WINDOW_BYTES;
	piece = piece < 1 ? 1 : piece > BATCH ? BATCH : piece;
	do {
		for (index[inner] = 0; index[inner] < t->dim[inner]; index[inner] += piece) {
			int64_t n = t->dim[inner] - index[inner] < piece ? t->dim[inner] - index[inner] : piece;
			uint64_t first = position(t, index), low = first, reach = (uint64_t)(n - 1) * stride_bytes;
			const unsigned char *p;

			if (t->stride[inner] < 0)
				low -= reach;
			p = bytes(v, low, reach + size, err);
			if (!p)
				return err->code;
			fn(arg, p + (first - low), t->stride[inner], (size_t)n);
		}
		index[inner] = 0;
	} while (step(t, order, t->n_dims - 1, index));
	return 0;
}

struct tally {
	struct ekka_tensor_stats *stats;
	enum ekka_dtype dtype;
	double least_normal, sum;
};

/* Below which a non-zero value of the type is denormal; 0 for integers. */
static double least_normal(enum ekka_dtype t)
{
	switch (t) {
	case EKKA_F64: case EKKA_C128: return 0x1p-1022;
	case EKKA_F32: case EKKA_C64: case EKKA_BF16: return 0x1p-126;
	case EKKA_F16: case EKKA_E5M2: return 0x1p-14;
	case EKKA_E4M3: return 0x1p-6;
	default: return 0;
	}
}

static void count(struct tally *c, const double *x, size_t n)
{
	struct ekka_tensor_stats *s = c->stats;

	for (size_t i = 0; i < n; i++) {
		double abs = fabs(x[i]);

		s->n++;
		if (isnan(x[i])) {
			s->nan++;
		} else if (isinf(x[i])) {
			s->inf++;
		} else {
			c->sum += x[i];
			s->min = fmin(s->min, x[i]);
			s->max = fmax(s->max, x[i]);
			s->abs_max = fmax(s->abs_max, abs);
			s->zeros += abs == 0;
			s->denormals += abs != 0 && abs < c->least_normal;
		}
	}
}

static void count_run(void *arg, const unsigned char *p, int64_t stride, size_t n)
{
	struct tally *c = arg;
	double re[BATCH], im[BATCH];

	ekka_convert(c->dtype, p, stride, n, re, im);
	count(c, re, n);
	if (ekka_dtype_is_complex(c->dtype))
		count(c, im, n);
}

int ekka_tensor_view_stats(struct ekka_tensor_view *v, struct ekka_tensor_stats *ret, struct ekka_error *err)
{
	struct ekka_tensor_stats s = { .min = NAN, .max = NAN, .mean = NAN, .abs_max = NAN };
	struct tally c = { &s, v->tensor->dtype, least_normal(v->tensor->dtype), 0 };
	int r = for_each_run(v, count_run, &c, err);

	if (r)
		return r;
	if (s.n > s.nan + s.inf)
		s.mean = c.sum / (double)(s.n - s.nan - s.inf);
	*ret = s;
	return 0;
}

int ekka_tensor_view_dense(struct ekka_tensor_view *v, unsigned char *out, struct ekka_error *err)
{
	const struct ekka_tensor *t = v->tensor;
	size_t size = ekka_dtype_bytes(t->dtype);
	unsigned order[EKKA_MAX_DIMS];
	int64_t index[EKKA_MAX_DIMS] = { 0 };
	unsigned char *blob = malloc(v->n_bytes ? v->n_bytes : 1);
	int r;

	if (!blob)
		return ekka_error_set(err, EKKA_ERR_NOMEM, "out of memory for the %" PRIu64 " bytes of %s", v->n_bytes, t->name);
	r = ekka_trace_blob_read(v->trace, &v->id, 0, blob, v->n_bytes, err);
	for (unsigned d = 0; d < t->n_dims; d++)
		order[d] = d;
	if (r == 0) {
		do {
			memcpy(out, blob + position(t, index), size);
			out += size;
		} while (step(t, order, t->n_dims, index));
	}
	free(blob);
	return r;
}
