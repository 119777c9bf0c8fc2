/* SPDX-License-Identifier: Apache-2.0 */
/* Values of a part of one tensor. */
#include "tools/command.h"
#include "tools/event.h"
#include "tools/json.h"
#include "tools/message.h"
#include "tools/show.h"
#include "tools/tensor_view.h"

/* Digits that tell any two values of the type apart. */
static int digits(enum ekka_dtype t)
{
	switch (t) {
	case EKKA_F64: case EKKA_C128: return 17;
	case EKKA_F32: case EKKA_C64: return 9;
	case EKKA_F16: return 5;
	case EKKA_BF16: return 4;
	case EKKA_E4M3: case EKKA_E5M2: return 3;
	default: return 20;
	}
}

/* Calls fn for every element of the slice, last dimension fastest. */
static int for_each(struct ekka_tensor_view *v, const struct ekka_slice *s, struct ekka_error *err,
		    void (*fn)(void *arg, const int64_t *index, double re, double im), void *arg)
{
	const struct ekka_tensor *t = v->tensor;
	int64_t index[EKKA_MAX_DIMS];
	double re, im;
	unsigned d;

	for (d = 0; d < t->n_dims; d++) {
		if (s->start[d] >= s->stop[d])
			return 0;
		index[d] = s->start[d];
	}
	for (;;) {
		int r = ekka_tensor_view_element(v, index, &re, &im, err);

		if (r)
			return r;
		fn(arg, index, re, im);
		for (d = t->n_dims; d > 0; d--) {
			if (++index[d - 1] < s->stop[d - 1])
				break;
			index[d - 1] = s->start[d - 1];
		}
		if (d == 0)
			return 0;
	}
}

struct rows {
	const struct ekka_tensor *t;
	const struct ekka_slice *s;
};

/* A line per row, headed by the index of its first element. */
static void print_element(void *arg, const int64_t *index, double re, double im)
{
	const struct rows *r = arg;
	unsigned last = r->t->n_dims - 1;
	int n = digits(r->t->dtype);
	char head[128];

	if (index[last] == r->s->start[last])
		printf("[%s]", ekka_dims_text(index, r->t->n_dims, ",", head, sizeof(head)));
	if (ekka_dtype_is_complex(r->t->dtype))
		printf(" %.*g%+.*gi", n, re, n, im);
	else
		printf(" %*.*g", n + 7, n, re);
	if (index[last] + 1 == r->s->stop[last])
		putchar('\n');
}

int ekka_show_values_text(struct ekka_trace *trace, const struct ekka_event *e, unsigned i, enum ekka_phase phase,
			  const struct ekka_slice *slice)
{
	struct ekka_tensor_view v;
	struct ekka_error err = { 0 };
	struct rows rows = { &e->call.tensors[i], slice };
	int r = ekka_tensor_view_init(&v, trace, e, i, phase, &err);

	if (r == 0)
		r = for_each(&v, slice, &err, print_element, &rows);
	ekka_tensor_view_release(&v);
	return r ? ekka_fatal("%s", err.message) : EKKA_EXIT_CLEAN;
}

struct list {
	struct json_object *values;
	bool is_complex;
};

static void append_element(void *arg, const int64_t *index, double re, double im)
{
	struct list *l = arg;
	struct json_object *pair;

	(void)index;
	if (!l->is_complex) {
		ekka_json_append(l->values, ekka_json_real(re));
		return;
	}
	pair = ekka_json_array();
	ekka_json_append(pair, ekka_json_real(re));
	ekka_json_append(pair, ekka_json_real(im));
	ekka_json_append(l->values, pair);
}

int ekka_show_values_json(struct ekka_trace *trace, const struct ekka_event *e, unsigned i, enum ekka_phase phase,
			  const struct ekka_slice *slice)
{
	const struct ekka_tensor *t = &e->call.tensors[i];
	struct json_object *top, *start, *stop;
	struct list list = { ekka_json_array(), ekka_dtype_is_complex(t->dtype) };
	struct ekka_tensor_view v;
	struct ekka_error err = { 0 };
	int r = ekka_tensor_view_init(&v, trace, e, i, phase, &err);

	top = ekka_json_object();
	start = ekka_json_array();
	stop = ekka_json_array();
	ekka_json_add_uint(top, "event", e->number);
	ekka_json_add_text(top, "tensor", t->name);
	ekka_json_add_text(top, "phase", ekka_phase_name(phase));
	ekka_json_add_text(top, "dtype", ekka_dtype_name(t->dtype));
	for (unsigned d = 0; d < t->n_dims; d++) {
		ekka_json_append(start, json_object_new_int64(slice->start[d]));
		ekka_json_append(stop, json_object_new_int64(slice->stop[d]));
	}
	ekka_json_add(top, "start", start);
	ekka_json_add(top, "stop", stop);
	ekka_json_add(top, "values", list.values);
	if (r == 0)
		r = for_each(&v, slice, &err, append_element, &list);
	ekka_tensor_view_release(&v);
	if (r) {
		json_object_put(top);
		return ekka_fatal("%s", err.message);
	}
	ekka_json_print(top, false);
	return EKKA_EXIT_CLEAN;
}
