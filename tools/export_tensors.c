/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/export.h"

#include "tools/event.h"
#include "tools/safetensors.h"
#include "tools/tensor_view.h"
#include "trace/tensor.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { COPY_BYTES = 1 << 20 };

static const char *const phases[] = { [EKKA_PRE] = "pre", [EKKA_POST] = "post" };

/* Are the span's bytes those of the elements, last dimension fastest, without gaps? */
static bool is_dense(const struct ekka_tensor *t)
{
	int64_t expected = 1;

	if (t->offset)
		return false;
	for (unsigned d = t->n_dims; d > 0; d--) {
		if (d == 1 && t->n_ptrs)
			return t->span_bytes == (uint64_t)expected * ekka_dtype_bytes(t->dtype);
		if (t->dim[d - 1] > 1 && t->stride[d - 1] != expected)
			return false;
		expected *= t->dim[d - 1];
	}
	return true;
}

/* Which tensors and phases have bytes. A view has those of what it views. */
static bool is_there(const struct ekka_export *x, unsigned i, enum ekka_phase p)
{
	return x->event->call.tensors[i].alias_of < 0 && ekka_event_bytes(x->event, i, p);
}

static int check(struct ekka_export *x, unsigned i, enum ekka_phase p, uint64_t *ret_dense, uint64_t *ret_span,
		 struct ekka_error *err)
{
	const struct ekka_tensor *t = &x->event->call.tensors[i];
	struct ekka_tensor_view v;
	int r = ekka_tensor_view_init(&v, x->trace, x->event, i, p, err);

	ekka_tensor_view_release(&v);
	if (r)
		return r;
	*ret_span = v.n_bytes;
	if (__builtin_mul_overflow((uint64_t)ekka_tensor_elements(t), ekka_dtype_bytes(t->dtype), ret_dense))
		return ekka_error_set(err, EKKA_ERR_INVALID, "tensor %s is too large", t->name);
	return 0;
}

/* Typed entries first, then raw ones, so that typed data stays aligned. */
static int declare(struct ekka_export *x, struct ekka_safetensors *s, bool raw, struct ekka_error *err)
{
	char name[128];
	uint64_t dense, span;

	for (unsigned i = 0; i < x->event->call.n_tensors; i++) {
		for (enum ekka_phase p = EKKA_PRE; p <= EKKA_POST; p++) {
			const struct ekka_tensor *t = &x->event->call.tensors[i];
			int r;

			if (!is_there(x, i, p))
				continue;
			r = check(x, i, p, &dense, &span, err);
			if (r)
				return r;
			snprintf(name, sizeof(name), "%.64s.%s%s", t->name, phases[p], raw ? ".span" : "");
			if (!raw)
				x->pieces[i][p].at = ekka_safetensors_typed(s, name, t, dense);
			else if (!is_dense(t))
				x->pieces[i][p].at = ekka_safetensors_raw(s, name, span);
			x->pieces[i][p].bytes = span;
		}
	}
	return 0;
}

static int write_failed(struct ekka_error *err)
{
	return ekka_error_set(err, EKKA_ERR_IO, "cannot write: %s", strerror(errno));
}

static int write_dense(struct ekka_export *x, unsigned i, enum ekka_phase p, FILE *out, struct ekka_error *err)
{
	uint64_t dense, span;
	struct ekka_tensor_view v;
	unsigned char *copy;
	int r = check(x, i, p, &dense, &span, err);

	if (r)
		return r;
	copy = malloc(dense ? dense : 1);
	if (!copy)
		return ekka_error_set(err, EKKA_ERR_NOMEM, "out of memory for %" PRIu64 " bytes", dense);
	r = ekka_tensor_view_init(&v, x->trace, x->event, i, p, err);
	if (!r)
		r = ekka_tensor_view_dense(&v, copy, err);
	ekka_tensor_view_release(&v);
	if (!r && fwrite(copy, 1, dense, out) != dense)
		r = write_failed(err);
	free(copy);
	return r;
}

static int write_span(struct ekka_export *x, unsigned i, enum ekka_phase p, FILE *out, struct ekka_error *err)
{
	const struct ekka_rec_data *data = ekka_event_bytes(x->event, i, p);
	uint64_t n = x->pieces[i][p].bytes;
	unsigned char *copy = malloc(COPY_BYTES);
	int r = copy ? 0 : ekka_error_set(err, EKKA_ERR_NOMEM, "out of memory");

	for (uint64_t at = 0; at < n && !r; at += COPY_BYTES) {
		size_t len = n - at < COPY_BYTES ? (size_t)(n - at) : COPY_BYTES;

		r = ekka_trace_blob_read(x->trace, &data->id, at, copy, len, err);
		if (!r && fwrite(copy, 1, len, out) != len)
			r = write_failed(err);
	}
	free(copy);
	return r;
}

static int write_all(struct ekka_export *x, bool raw, FILE *out, struct ekka_error *err)
{
	for (unsigned i = 0; i < x->event->call.n_tensors; i++) {
		for (enum ekka_phase p = EKKA_PRE; p <= EKKA_POST; p++) {
			int r = 0;

			if (!is_there(x, i, p))
				continue;
			if (!raw)
				r = write_dense(x, i, p, out, err);
			else if (!is_dense(&x->event->call.tensors[i]))
				r = write_span(x, i, p, out, err);
			if (r)
				return r;
		}
	}
	return 0;
}

/* What a program that reads the file needs to rebuild the spans: "dims 4,5 strides 8,1 offset 0". */
static void describe(struct ekka_export *x, struct ekka_safetensors *s)
{
	char dims[128], strides[128], text[512], key[96];

	snprintf(text, sizeof(text), "%" PRIu64, x->event->number);
	ekka_safetensors_metadata(s, "event", text);
	ekka_safetensors_metadata(s, "function", x->event->fn->name);
	for (unsigned i = 0; i < x->event->call.n_tensors; i++) {
		const struct ekka_tensor *t = &x->event->call.tensors[i];

		snprintf(key, sizeof(key), "%.64s", t->name);
		snprintf(text, sizeof(text), "dtype %s dims %s strides %s offset %" PRId64 " pointers %" PRIu64 " span %" PRIu64 "%s%s",
			 ekka_dtype_name(t->dtype), ekka_dims_text(t->dim, t->n_dims, ",", dims, sizeof(dims)),
			 ekka_dims_text(t->stride, t->n_dims, ",", strides, sizeof(strides)), t->offset, t->n_ptrs, t->span_bytes,
			 t->alias_of >= 0 ? " view of " : "", t->alias_of >= 0 ? x->event->call.tensors[t->alias_of].name : "");
		ekka_safetensors_metadata(s, key, text);
	}
	for (unsigned i = 0; i < x->event->call.n_args && i < x->event->fn->n_args; i++) {
		snprintf(key, sizeof(key), "argument %u %.64s", i, x->event->fn->args[i].name);
		ekka_safetensors_metadata(s, key, ekka_value_text(&x->event->call.args[i], x->event->fn->args[i].type, text, sizeof(text)));
	}
}

int ekka_export_tensors(struct ekka_export *x, FILE *out, struct ekka_error *err)
{
	struct ekka_safetensors s;
	int r;

	memset(x->pieces, 0, sizeof(x->pieces));
	ekka_safetensors_init(&s);
	describe(x, &s);
	r = declare(x, &s, false, err);
	if (!r)
		r = declare(x, &s, true, err);
	if (!r && ekka_safetensors_write_header(&s, out) != 0)
		r = write_failed(err);
	ekka_safetensors_release(&s);
	if (!r)
		r = write_all(x, false, out, err);
	if (!r)
		r = write_all(x, true, out, err);
	return r;
}
