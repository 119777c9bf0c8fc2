/* SPDX-License-Identifier: Apache-2.0 */
/* Arguments, attributes and tensors of a call, as its wrapper tells them. Zone: inside the host process. */
#include "config.h"

#include "preload/count.h"
#include "preload/probe.h"
#include "preload/snapshot.h"

#include <string.h>

/*
 * Where the next argument or attribute goes, or NULL. Only the fields in use are stored there: a whole structure made elsewhere and
 * copied in wider pieces than it was written in costs several times as much.
 */
static struct ekka_value *next_arg(struct ekka_call *call, enum ekka_value_kind kind)
{
	if (call->rec.n_args == EKKA_MAX_ARGS) {
		ekka_count_drop("argument", 1);
		return NULL;
	}
	struct ekka_value *v = &call->args[call->rec.n_args++];
	v->kind = kind;
	return v;
}

void ekka_arg_int(struct ekka_call *call, int64_t i)
{
	struct ekka_value *v = next_arg(call, EKKA_V_INT);

	if (v)
		v->i = i;
}

void ekka_arg_real(struct ekka_call *call, double r)
{
	struct ekka_value *v = next_arg(call, EKKA_V_REAL);

	if (v)
		v->r[0] = r;
}

void ekka_arg_complex(struct ekka_call *call, double re, double im)
{
	struct ekka_value *v = next_arg(call, EKKA_V_COMPLEX);

	if (v) {
		v->r[0] = re;
		v->r[1] = im;
	}
}

void ekka_arg_ptr(struct ekka_call *call, const void *p)
{
	struct ekka_value *v = next_arg(call, EKKA_V_PTR);

	if (v)
		v->u = (uintptr_t)p;
}

static struct ekka_value *next_attr(struct ekka_call *call, const char *name, enum ekka_value_kind kind)
{
	if (call->rec.n_attrs == EKKA_MAX_ATTRS) {
		ekka_count_drop("attribute", 1);
		return NULL;
	}
	struct ekka_attr *a = &call->attrs[call->rec.n_attrs++];
	a->name = name;
	a->value.kind = kind;
	return &a->value;
}

void ekka_attr_int(struct ekka_call *call, const char *name, int64_t i)
{
	struct ekka_value *v = next_attr(call, name, EKKA_V_INT);

	if (v)
		v->i = i;
}

void ekka_attr_real(struct ekka_call *call, const char *name, double r)
{
	struct ekka_value *v = next_attr(call, name, EKKA_V_REAL);

	if (v)
		v->r[0] = r;
}

void ekka_attr_complex(struct ekka_call *call, const char *name, double re, double im)
{
	struct ekka_value *v = next_attr(call, name, EKKA_V_COMPLEX);

	if (v) {
		v->r[0] = re;
		v->r[1] = im;
	}
}

void ekka_attr_str(struct ekka_call *call, const char *name, const char *static_string)
{
	struct ekka_value *v = next_attr(call, name, EKKA_V_STR);

	if (v)
		v->s = static_string;
}

static double half_to_double(uint16_t h)
{
	unsigned exponent = h >> 10 & 31;
	double magnitude;

	if (exponent == 31)
		magnitude = h & 1023 ? __builtin_nan("") : __builtin_inf();
	else if (exponent == 0)
		magnitude = (h & 1023) * 0x1p-24;
	else
		magnitude = (1024 + (h & 1023)) * 0x1p-25 * (double)(1u << exponent);
	return h & 0x8000 ? -magnitude : magnitude;
}

static double bfloat_to_double(uint16_t b)
{
	uint32_t bits = (uint32_t)b << 16;
	float f;

	memcpy(&f, &bits, sizeof(f));
	return (double)f;
}

/* The scalar at `raw` as a value. */
static struct ekka_value scalar_value(enum ekka_dtype dtype, const void *raw)
{
	struct ekka_value v = { .kind = EKKA_V_REAL };
	union { float f[2]; double d[2]; uint16_t h; int32_t i32; int64_t i64; int8_t i8; uint8_t u8; uint32_t u32; } x;

	memcpy(&x, raw, ekka_dtype_bytes(dtype));
	switch (dtype) {
	case EKKA_F64: v.r[0] = x.d[0]; break;
	case EKKA_F32: v.r[0] = (double)x.f[0]; break;
	case EKKA_F16: v.r[0] = half_to_double(x.h); break;
	case EKKA_BF16: v.r[0] = bfloat_to_double(x.h); break;
	case EKKA_C64: v = (struct ekka_value){ .kind = EKKA_V_COMPLEX, .r = { (double)x.f[0], (double)x.f[1] } }; break;
	case EKKA_C128: v = (struct ekka_value){ .kind = EKKA_V_COMPLEX, .r = { x.d[0], x.d[1] } }; break;
	case EKKA_I8: v = (struct ekka_value){ .kind = EKKA_V_INT, .i = x.i8 }; break;
	case EKKA_U8: v = (struct ekka_value){ .kind = EKKA_V_INT, .i = x.u8 }; break;
	case EKKA_I32: v = (struct ekka_value){ .kind = EKKA_V_INT, .i = x.i32 }; break;
	case EKKA_U32: v = (struct ekka_value){ .kind = EKKA_V_INT, .i = x.u32 }; break;
	case EKKA_I64: case EKKA_U64: v = (struct ekka_value){ .kind = EKKA_V_INT, .i = x.i64 }; break;
	default: v.kind = EKKA_V_NIL; break;
	}
	return v;
}

/* The raw scalar behind a host pointer. False when p is NULL, on the device, or not readable. */
static bool scalar_read(const struct ekka_call *call, enum ekka_dtype dtype, const void *p, void *ret_raw)
{
	size_t n = ekka_dtype_bytes(dtype);

	if (!p || call->device_pointer_mode || n == 0 || n > 16)
		return false;
	/* A CPU library is about to read it itself. With a device in play the pointer could belong there. */
	if (call->rec.device < 0 && strncmp(call->fn->library, "cu", 2) != 0) {
		memcpy(ret_raw, p, n);
		return true;
	}
	return ekka_probe_copy(ret_raw, (uintptr_t)p, n);
}

void ekka_attr_scalar(struct ekka_call *call, const char *name, enum ekka_dtype dtype, const void *p)
{
	unsigned char raw[16];

	if (p && call->device_pointer_mode) {
		ekka_tensor(call, &(struct ekka_tensor){
			.name = name, .dir = EKKA_IN, .dtype = dtype, .place = EKKA_DEVICE, .n_dims = 1, .dim = { 1 },
			.stride = { 1 }, .addr = (uintptr_t)p, .alias_of = -1, .pre = true });
		return;
	}
	bool known = scalar_read(call, dtype, p, raw);
	struct ekka_value *v = next_attr(call, name, EKKA_V_NIL);

	if (known && v)
		*v = scalar_value(dtype, raw);
}

bool ekka_scalar_is_zero(const struct ekka_call *call, enum ekka_dtype dtype, const void *p)
{
	unsigned char raw[16];
	size_t bytes = ekka_dtype_bytes(dtype);
	bool is_complex = ekka_dtype_is_complex(dtype);
	size_t part = is_complex ? bytes / 2 : bytes;
	bool is_float = ekka_dtype_unit_roundoff(dtype) > 0;

	if (!scalar_read(call, dtype, p, raw))
		return false;
	/* By bits, little-endian: comparing would raise the invalid flag for a signalling NaN. The sign does not count. */
	for (size_t i = 0; i < bytes; i++) {
		bool has_sign = is_float && i % part == part - 1;
		if (raw[i] & (has_sign ? 0x7f : 0xff))
			return false;
	}
	return true;
}

/* Offset and span of one item. False on overflow. */
static bool measure(struct ekka_tensor *t)
{
	int64_t low = 0, high = 0, reach;
	uint64_t elements;

	for (unsigned d = t->n_ptrs > 0 ? 1 : 0; d < t->n_dims; d++) {
		if (__builtin_mul_overflow(t->dim[d] - 1, t->stride[d], &reach) ||
		    __builtin_add_overflow(t->stride[d] < 0 ? low : high, reach, t->stride[d] < 0 ? &low : &high))
			return false;
	}
	elements = (uint64_t)high - (uint64_t)low + 1;
	t->offset = -low;
	return !__builtin_mul_overflow(elements, (uint64_t)ekka_dtype_bytes(t->dtype), &t->span_bytes) &&
	       t->span_bytes <= INT64_MAX;
}

int ekka_tensor(struct ekka_call *call, const struct ekka_tensor *from)
{
	struct ekka_tensor *t = &call->tensors[call->rec.n_tensors];

	if (call->rec.n_tensors == EKKA_MAX_TENSORS || from->n_dims > EKKA_MAX_DIMS) {
		ekka_count_drop("tensor", 1);
		return -1;
	}
	for (unsigned d = 0; d < from->n_dims; d++)
		if (from->dim[d] <= 0)
			return -1;
	*t = *from;
	if (!measure(t)) {
		ekka_call_bad_args(call, "extent overflows");
		return -1;
	}
	return (int)call->rec.n_tensors++;
}

void ekka_call_bad_args(struct ekka_call *call, const char *static_reason)
{
	call->rec.bad_args = static_reason;
	call->rec.n_tensors = 0;
}
