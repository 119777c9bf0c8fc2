/* SPDX-License-Identifier: Apache-2.0 */
/* The `call` record. What it promises is checked here, so that nobody who uses strides on a blob has to. */
#include "trace/decode.h"

#include "trace/tensor.h"
#include "trace/unpack.h"

static void decode_shape(struct unpack *u, const msgpack_object *m, struct ekka_tensor *t)
{
	uint32_t n_strides;
	const msgpack_object *dims = ekka_unpack_array(u, ekka_unpack_find(m, "dim"), EKKA_MAX_DIMS, &t->n_dims);
	const msgpack_object *strides = ekka_unpack_array(u, ekka_unpack_find(m, "str"), EKKA_MAX_DIMS, &n_strides);

	if (n_strides != t->n_dims && !u->bad)
		u->bad = "a tensor with more dims than strides, or fewer";
	for (unsigned d = 0; !u->bad && d < t->n_dims; d++) {
		t->dim[d] = ekka_unpack_i64(u, &dims[d]);
		t->stride[d] = ekka_unpack_i64(u, &strides[d]);
	}
	t->offset = ekka_unpack_i64(u, ekka_unpack_find(m, "off"));
}

static void decode_tensor(struct unpack *u, const msgpack_object *m, struct ekka_tensor *t)
{
	const msgpack_object *alias = ekka_unpack_find(m, "al");
	uint64_t blob_bytes;
	int64_t dir, place;
	uint32_t wanted;

	t->name = ekka_unpack_str(u, ekka_unpack_find(m, "n"));
	dir = ekka_unpack_i64(u, ekka_unpack_find(m, "d"));
	place = ekka_unpack_i64(u, ekka_unpack_find(m, "pl"));
	decode_shape(u, m, t);
	t->addr = ekka_unpack_u64(u, ekka_unpack_find(m, "p"));
	t->n_ptrs = ekka_unpack_u64(u, ekka_unpack_find(m, "np"));
	t->span_bytes = ekka_unpack_u64(u, ekka_unpack_find(m, "b"));
	wanted = ekka_unpack_u32(u, ekka_unpack_find(m, "w"));
	t->pre = wanted & 1;
	t->post = wanted & 2;
	t->alias_of = alias ? ekka_unpack_i32(u, alias) : -1;
	if (u->bad)
		return;
	t->dir = (enum ekka_dir)dir;
	t->place = (enum ekka_place)place;
	if (dir < EKKA_IN || dir > EKKA_INOUT || place < EKKA_HOST || place > EKKA_DEVICE)
		u->bad = "a tensor with no known direction or place";
	else if (ekka_dtype_from_name(ekka_unpack_str(u, ekka_unpack_find(m, "t")), &t->dtype) < 0)
		u->bad = "a tensor of no known element type";
	else if (!ekka_tensor_blob_bytes(t, &blob_bytes) || !ekka_tensor_in_span(t))
		u->bad = "a tensor whose elements do not lie within its bytes";
	else if (t->n_ptrs > 0 && (t->n_dims == 0 || (uint64_t)t->dim[0] != t->n_ptrs || t->stride[0] != 0))
		u->bad = "a tensor whose first dimension is not its pointer array";
}

/* Whoever follows alias_of arrives somewhere. */
static void check_aliases(struct unpack *u, const struct ekka_rec_call *r)
{
	for (unsigned i = 0; !u->bad && i < r->n_tensors; i++) {
		unsigned steps = 0;
		int at = (int)i;

		while (at >= 0 && at < (int)r->n_tensors && r->tensors[at].alias_of >= 0 && steps++ < r->n_tensors)
			at = r->tensors[at].alias_of;
		if (at < 0 || at >= (int)r->n_tensors || steps > r->n_tensors || r->tensors[at].alias_of < -1)
			u->bad = "tensors that are views of each other, or of none";
	}
}

static void decode_values(struct unpack *u, const msgpack_object *m, struct ekka_rec_call *r)
{
	const msgpack_object *attrs = ekka_unpack_find(m, "x");
	const msgpack_object *args;
	struct ekka_value *values;
	struct ekka_attr *copy;

	args = ekka_unpack_array(u, ekka_unpack_find(m, "a"), EKKA_MAX_ARGS, &r->n_args);
	values = ekka_unpack_alloc(u, r->n_args, sizeof *values);
	for (unsigned i = 0; values && i < r->n_args; i++)
		values[i] = ekka_unpack_value(u, &args[i]);
	r->args = values;
	if (!attrs || u->bad)
		return;
	if (attrs->type != MSGPACK_OBJECT_MAP || attrs->via.map.size > EKKA_MAX_ATTRS) {
		u->bad = "attributes that are no map, or too many";
		return;
	}
	r->n_attrs = attrs->via.map.size;
	copy = ekka_unpack_alloc(u, r->n_attrs, sizeof *copy);
	for (unsigned i = 0; copy && i < r->n_attrs; i++) {
		copy[i].name = ekka_unpack_str(u, &attrs->via.map.ptr[i].key);
		copy[i].value = ekka_unpack_value(u, &attrs->via.map.ptr[i].val);
	}
	r->attrs = copy;
}

const char *ekka_decode_call(const struct ekka_decode_zones *zones, const uint8_t *body, size_t n, struct ekka_rec_call *ret)
{
	struct unpack u = { .zones = zones };
	msgpack_object m = ekka_unpack_body(&u, body, n);
	const msgpack_object *items;
	struct ekka_tensor *tensors;

	*ret = (struct ekka_rec_call){ 0 };
	ret->event = ekka_unpack_u64(&u, ekka_unpack_find(&m, "ev"));
	ret->parent = ekka_unpack_u64(&u, ekka_unpack_find(&m, "par"));
	ret->fn = ekka_unpack_u32(&u, ekka_unpack_find(&m, "fn"));
	ret->depth = ekka_unpack_u32(&u, ekka_unpack_find(&m, "depth"));
	ret->group = ekka_unpack_u32(&u, ekka_unpack_find(&m, "group"));
	ret->tid = ekka_unpack_i32(&u, ekka_unpack_find(&m, "tid"));
	ret->device = ekka_unpack_i32(&u, ekka_unpack_find(&m, "dev"));
	ret->stream = ekka_unpack_u64(&u, ekka_unpack_find(&m, "strm"));
	ret->t_ns = ekka_unpack_u64(&u, ekka_unpack_find(&m, "t"));
	ret->stack = ekka_unpack_u64(&u, ekka_unpack_find(&m, "stk"));
	ret->bad_args = ekka_unpack_str_or_null(&u, ekka_unpack_find(&m, "bad"));
	decode_values(&u, &m, ret);
	items = ekka_unpack_array(&u, ekka_unpack_find(&m, "tn"), EKKA_MAX_TENSORS, &ret->n_tensors);
	tensors = ekka_unpack_alloc(&u, ret->n_tensors, sizeof *tensors);
	for (unsigned i = 0; tensors && i < ret->n_tensors; i++)
		decode_tensor(&u, &items[i], &tensors[i]);
	ret->tensors = tensors;
	check_aliases(&u, ret);
	return u.bad;
}
