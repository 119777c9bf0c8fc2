/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/replay/fake_event.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

void fake_event_init(struct fake_event *f, const char *op)
{
	memset(f, 0, sizeof *f);
	fake_trace_init(&f->trace);
	f->fn = (struct ekka_rec_fn){ .name = "_Z6kernelv", .library = "kernel", .op = "" };
	f->event = (struct ekka_event){ .number = 1, .segment = &f->trace.segment, .fn = &f->fn, .state = EKKA_EVENT_COMPLETE };
	f->event.call = (struct ekka_rec_call){ .event = 1, .attrs = f->attr, .tensors = f->tensor };
	fake_event_text(f, "op", op);
}

static unsigned numbers(const char *text, int64_t *ret)
{
	unsigned n = 0;

	while (*text) {
		char *end;

		ret[n++] = strtoll(text, &end, 10);
		text = *end == 'x' ? end + 1 : end;
	}
	return n;
}

static struct ekka_event_data blob(struct fake_event *f, const void *bytes, uint64_t n)
{
	struct ekka_event_data d = { .present = bytes != NULL };
	unsigned id = f->trace.n_blobs;

	if (!bytes)
		return d;
	f->trace.n_blobs++;
	f->trace.blob[id] = bytes;
	f->trace.blob_bytes[id] = n;
	memcpy(d.rec.id.b, &id, sizeof id);
	d.rec.bytes = n;
	return d;
}

int fake_event_tensor(struct fake_event *f, const char *name, enum ekka_dir dir, enum ekka_dtype dtype, const char *dims,
		      const char *strides, const void *pre, const void *post)
{
	unsigned at = f->event.call.n_tensors++;
	struct ekka_tensor *t = &f->tensor[at];
	int64_t span = 1;

	*t = (struct ekka_tensor){ .name = name, .dir = dir, .dtype = dtype, .alias_of = -1, .addr = 0x10000 * (at + 1) };
	t->n_dims = numbers(dims, t->dim);
	if (strides)
		(void)numbers(strides, t->stride);
	for (unsigned d = t->n_dims; d-- > 0;) {
		if (!strides)
			t->stride[d] = d + 1 < t->n_dims ? t->stride[d + 1] * t->dim[d + 1] : 1;
		if (t->stride[d] < 0)
			t->offset -= (t->dim[d] - 1) * t->stride[d];
		span += (t->dim[d] - 1) * llabs(t->stride[d]);
	}
	t->span_bytes = (uint64_t)span * ekka_dtype_bytes(dtype);
	t->pre = pre != NULL;
	t->post = post != NULL;
	f->event.data[at][EKKA_PRE] = blob(f, pre, t->span_bytes);
	f->event.data[at][EKKA_POST] = blob(f, post, t->span_bytes);
	return (int)at;
}

static struct ekka_value *add(struct fake_event *f, const char *name)
{
	struct ekka_attr *a = &f->attr[f->event.call.n_attrs++];

	a->name = name;
	return &a->value;
}

void fake_event_text(struct fake_event *f, const char *attr, const char *value)
{
	*add(f, attr) = (struct ekka_value){ .kind = EKKA_V_STR, .s = value };
}

void fake_event_real(struct fake_event *f, const char *attr, double value)
{
	*add(f, attr) = (struct ekka_value){ .kind = EKKA_V_REAL, .r = { value, 0 } };
}

void fake_event_int(struct fake_event *f, const char *attr, int64_t value)
{
	*add(f, attr) = (struct ekka_value){ .kind = EKKA_V_INT, .i = value };
}

struct ekka_verdict fake_event_judge(struct fake_event *f)
{
	return fake_event_judge_on(f, NULL);
}

struct ekka_verdict fake_event_judge_on(struct fake_event *f, struct ekka_backend *backend)
{
	struct ekka_replay_options o = { 0 };
	struct ekka_op_context ctx = { .trace = &f->trace, .options = &o, .team = f->team, .backend = backend, .memory_bytes = (uint64_t)1 << 30 };
	const struct ekka_op *op = ekka_op_find(ekka_event_op(&f->event));
	struct ekka_verdict v = { .event = 1, .margin = NAN };
	struct ekka_error err = { 0 };

	cr_assert(op, "no op '%s'", ekka_event_op(&f->event));
	cr_assert_eq(op->judge(&ctx, &f->event, &v, &err), 0, "%s", err.message);
	return v;
}
