/* SPDX-License-Identifier: Apache-2.0 */
#include "replay/array.h"

#include <stdio.h>
#include <string.h>

#include "replay/blobs.h"
#include "replay/convert.h"

static int incomplete(struct ekka_verdict *v, const struct ekka_tensor *t, enum ekka_phase phase, const char *why)
{
	v->status = EKKA_INCOMPLETE;
	(void)snprintf(v->reason, sizeof v->reason, "bytes of %s %s the call: %s", t->name, phase == EKKA_PRE ? "before" : "after", why);
	return 0;
}

int64_t ekka_dtype_wrap(enum ekka_dtype t, int64_t v)
{
	switch (t) {
	case EKKA_I8: return (int8_t)v;
	case EKKA_U8: return (uint8_t)v;
	case EKKA_I16: return (int16_t)v;
	case EKKA_U16: return (uint16_t)v;
	case EKKA_I32: return (int32_t)v;
	case EKKA_U32: return (uint32_t)v;
	default: return v;
	}
}

bool ekka_dtype_is_integer(enum ekka_dtype t)
{
	return ekka_dtype_unit_roundoff(t) == 0 && !ekka_dtype_is_complex(t);
}

static const struct ekka_event_data *data_of(const struct ekka_event *e, int index, enum ekka_phase phase)
{
	int alias = e->call.tensors[index].alias_of;

	return &e->data[alias >= 0 ? alias : index][phase];
}

bool ekka_array_recorded(const struct ekka_op_context *ctx, const struct ekka_event *e, int index, enum ekka_phase phase)
{
	const struct ekka_event_data *d = data_of(e, index, phase);

	return d->present && !d->rec.missing && ekka_trace_blob_present(ctx->trace, &d->rec.id, NULL);
}

/* Dims that lie behind one another in memory become one; dims of one element go. */
static void find_walk(struct ekka_array *a)
{
	unsigned w = 0;

	for (unsigned d = 0; d < a->n_dims; d++) {
		int64_t dim = a->dim[d], stride = a->stride[d], step;

		if (dim == 1)
			continue;
		if (w > 0 && !__builtin_mul_overflow(stride, dim, &step) && a->walk_stride[w - 1] == step) {
			a->walk_dim[w - 1] *= dim;
			a->walk_stride[w - 1] = stride;
			continue;
		}
		a->walk_dim[w] = dim;
		a->walk_stride[w++] = stride;
	}
	if (!w) {
		a->walk_dim[0] = 1;
		a->walk_stride[w++] = 1;
	}
	a->n_walk = w;
}

/* Number of elements; false when an element lies outside the bytes, or when there are too many to count. */
static bool fits(struct ekka_array *a)
{
	int64_t lo = a->offset, hi = a->offset, far, size = (int64_t)ekka_dtype_bytes(a->dtype), end;

	a->n = 1;
	for (unsigned d = 0; d < a->n_dims; d++) {
		if (a->dim[d] < 1 || __builtin_mul_overflow(a->n, a->dim[d], &a->n) ||
		    __builtin_mul_overflow(a->dim[d] - 1, a->stride[d], &far) ||
		    __builtin_add_overflow(far < 0 ? lo : hi, far, far < 0 ? &lo : &hi))
			return false;
	}
	if (lo < 0 || size == 0 || __builtin_add_overflow(hi, 1, &end) || __builtin_mul_overflow(end, size, &end))
		return false;
	return (uint64_t)end <= a->n_bytes;
}

/* `owner`: the tensor whose bytes these are, t itself or the one it is a view of. */
static bool describe(struct ekka_array *a, const struct ekka_tensor *t, const struct ekka_tensor *owner)
{
	size_t size = ekka_dtype_bytes(t->dtype);

	a->dtype = t->dtype;
	a->n_dims = t->n_dims;
	a->offset = t->offset;
	if (t->addr > owner->addr) {
		if ((t->addr - owner->addr) % size || (t->addr - owner->addr) / size > a->n_bytes / size)
			return false;
		a->offset += (int64_t)((t->addr - owner->addr) / size);
	} else if (t->addr < owner->addr) {
		return false;
	}
	a->tensor = t;
	memcpy(a->dim, t->dim, sizeof a->dim);
	memcpy(a->stride, t->stride, sizeof a->stride);
	if (t->n_ptrs) {
		if (!t->n_dims || t->span_bytes % size || t->span_bytes > INT64_MAX)
			return false;
		a->stride[0] = (int64_t)(t->span_bytes / size);
	}
	return fits(a);
}

int ekka_array_load(const struct ekka_op_context *ctx, const struct ekka_event *e, int index, enum ekka_phase phase, struct ekka_array *ret,
		    struct ekka_verdict *v, struct ekka_error *err)
{
	const struct ekka_tensor *t = &e->call.tensors[index];
	const struct ekka_event_data *d = data_of(e, index, phase);
	struct ekka_array a = { 0 };
	int r;

	if (!d->present)
		return incomplete(v, t, phase, "not recorded");
	if (d->rec.missing)
		return incomplete(v, t, phase, d->rec.missing);
	if (!ekka_trace_blob_present(ctx->trace, &d->rec.id, &a.n_bytes))
		return incomplete(v, t, phase, "not in the trace");
	if (!describe(&a, t, t->alias_of >= 0 ? &e->call.tensors[t->alias_of] : t))
		return incomplete(v, t, phase, "too few for its dimensions");
	if (phase == EKKA_POST && (uint64_t)a.n > a.n_bytes / ekka_dtype_bytes(a.dtype))
		return incomplete(v, t, phase, "its elements lie on top of each other");
	find_walk(&a);
	r = ekka_blobs_hold(ctx->blobs, ctx->trace, &d->rec.id, a.n_bytes, &a.bytes, err);
	if (r < 0)
		return r;
	*ret = a;
	return 1;
}

void ekka_array_release(struct ekka_array *a)
{
	ekka_blobs_let_go(a->bytes);
	memset(a, 0, sizeof *a);
}

bool ekka_array_broadcast(struct ekka_array *a, unsigned n_dims, const int64_t *dim)
{
	struct ekka_array b = *a;

	if (n_dims < a->n_dims || n_dims > EKKA_MAX_DIMS)
		return false;
	b.n_dims = n_dims;
	b.n = 1;
	for (unsigned d = 0; d < n_dims; d++) {
		unsigned added = n_dims - a->n_dims;

		b.dim[d] = dim[d];
		b.stride[d] = d < added || a->dim[d - added] == 1 ? 0 : a->stride[d - added];
		if ((d >= added && a->dim[d - added] != 1 && a->dim[d - added] != dim[d]) || __builtin_mul_overflow(b.n, dim[d], &b.n))
			return false;
	}
	find_walk(&b);
	*a = b;
	return true;
}

/* Where elements go: one of the two is set. */
struct target { double *re; int64_t *ints; };

static int64_t int_at(enum ekka_dtype dtype, const unsigned char *p)
{
#define AS(type)                           \
	({                                 \
		type v_;                   \
		memcpy(&v_, p, sizeof v_); \
		v_;                        \
	})
	double re, im;

	switch (dtype) {
	case EKKA_I8: return AS(int8_t);
	case EKKA_U8: return *p;
	case EKKA_I16: return AS(int16_t);
	case EKKA_U16: return AS(uint16_t);
	case EKKA_I32: return AS(int32_t);
	case EKKA_U32: return AS(uint32_t);
	case EKKA_I64:
	case EKKA_U64: return AS(int64_t);
	default:
		ekka_convert(dtype, p, 1, 1, &re, &im);
		return re >= -0x1p63 && re < 0x1p63 ? (int64_t)re : 0;
	}
#undef AS
}

/* n integers `step` bytes apart: the type is looked at once for all of them. */
static void int_line(enum ekka_dtype dtype, const unsigned char *p, int64_t step, size_t n, int64_t *ret)
{
#define LINE(type)                                          \
	do {                                                \
		for (size_t i = 0; i < n; i++, p += step) { \
			type v;                             \
			memcpy(&v, p, sizeof v);            \
			ret[i] = v;                         \
		}                                           \
		return;                                     \
	} while (0)
	switch (dtype) {
	case EKKA_U8: LINE(uint8_t);
	case EKKA_I32: LINE(int32_t);
	case EKKA_I64:
	case EKKA_U64: LINE(int64_t);
	default:
		for (size_t i = 0; i < n; i++, p += step)
			ret[i] = int_at(dtype, p);
	}
#undef LINE
}

static void line(const struct ekka_array *a, const unsigned char *p, int64_t stride, size_t n, size_t done, const struct target *to)
{
	int64_t step = stride * (int64_t)ekka_dtype_bytes(a->dtype);

	if (to->ints) {
		if (stride == 1 && (a->dtype == EKKA_I64 || a->dtype == EKKA_U64))
			memcpy(to->ints + done, p, n * sizeof *to->ints);
		else
			int_line(a->dtype, p, step, n, to->ints + done);
		return;
	}
	if (!ekka_dtype_is_complex(a->dtype)) {
		ekka_convert(a->dtype, p, stride, n, to->re + done, NULL);
		return;
	}
	for (size_t i = 0; i < n; i++, p += step) {
		double im;

		ekka_convert(a->dtype, p, 1, 1, to->re + done + i, &im);
	}
}

/* Calls `line` for every run along the last dim of the walk. */
static void walk(const struct ekka_array *a, int64_t first, size_t n, const struct target *to)
{
	int64_t index[EKKA_MAX_DIMS], at = a->offset, size = (int64_t)ekka_dtype_bytes(a->dtype);
	unsigned last = a->n_walk - 1;
	size_t done = 0;

	for (unsigned d = a->n_walk; d-- > 0;) {
		index[d] = first % a->walk_dim[d];
		first /= a->walk_dim[d];
		at += index[d] * a->walk_stride[d];
	}
	while (done < n) {
		int64_t left = a->walk_dim[last] - index[last], stride = a->walk_stride[last];
		size_t run = (uint64_t)left < n - done ? (size_t)left : n - done;

		line(a, a->bytes + at * size, stride, run, done, to);
		done += run;
		at += (int64_t)run * stride;
		index[last] += (int64_t)run;
		for (unsigned d = last; index[d] == a->walk_dim[d] && d > 0; d--) {
			at += a->walk_stride[d - 1] - index[d] * a->walk_stride[d];
			index[d] = 0;
			index[d - 1]++;
		}
	}
}

void ekka_array_get(const struct ekka_array *a, int64_t first, size_t n, double *re)
{
	walk(a, first, n, &(struct target){ .re = re });
}

void ekka_array_get_int(const struct ekka_array *a, int64_t first, size_t n, int64_t *ret)
{
	walk(a, first, n, &(struct target){ .ints = ret });
}

static const unsigned char *place(const struct ekka_array *a, const int64_t *index)
{
	int64_t at = a->offset;

	for (unsigned d = 0; d < a->n_dims; d++) {
		if (index[d] < 0 || index[d] >= a->dim[d])
			return NULL;
		at += index[d] * a->stride[d];
	}
	return a->bytes + at * (int64_t)ekka_dtype_bytes(a->dtype);
}

bool ekka_array_at(const struct ekka_array *a, const int64_t *index, double *ret)
{
	const unsigned char *p = place(a, index);
	double im;

	if (p)
		ekka_convert(a->dtype, p, 1, 1, ret, &im);
	return p != NULL;
}

bool ekka_array_at_int(const struct ekka_array *a, const int64_t *index, int64_t *ret)
{
	const unsigned char *p = place(a, index);

	if (p)
		*ret = int_at(a->dtype, p);
	return p != NULL;
}
