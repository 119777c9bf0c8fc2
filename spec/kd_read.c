/* SPDX-License-Identifier: Apache-2.0 */
/* Parameters of a launch: every read is checked against the bytes that are there. */
#include "config.h"

#include "spec/kd_value.h"

#include <string.h>

/* Binary16 and its relatives: sign, exponent, mantissa. */
static double small_float(uint32_t bits, unsigned mantissa_bits, unsigned exponent_bits)
{
	uint32_t exponent = bits >> mantissa_bits & ((1u << exponent_bits) - 1), mantissa = bits & ((1u << mantissa_bits) - 1);
	uint32_t sign = bits >> (mantissa_bits + exponent_bits) & 1, wide;
	double v = mantissa;
	int e = (int)exponent - (1 << (exponent_bits - 1)) + 1 - (int)mantissa_bits;
	float f;

	if (exponent == (1u << exponent_bits) - 1) {	/* infinities and NaN: as binary32's */
		wide = sign << 31 | 0x7f800000u | mantissa << (23 - mantissa_bits);
		memcpy(&f, &wide, sizeof(f));
		return f;
	}
	if (exponent)
		v += 1u << mantissa_bits;
	else
		e++;
	for (; e > 0; e--)
		v *= 2;
	for (; e < 0; e++)
		v /= 2;
	return sign ? -v : v;
}

static unsigned fn_bytes(enum kd_fn fn)
{
	static const uint8_t bytes[] = {
		[KD_FN_I8] = 1, [KD_FN_U8] = 1, [KD_FN_I16] = 2, [KD_FN_U16] = 2, [KD_FN_I32] = 4, [KD_FN_U32] = 4, [KD_FN_I64] = 8,
		[KD_FN_U64] = 8, [KD_FN_F16] = 2, [KD_FN_BF16] = 2, [KD_FN_F32] = 4, [KD_FN_F64] = 8, [KD_FN_PTR] = 8, [KD_FN_BOOL] = 1,
	};

	return bytes[fn];
}

static bool decode(enum kd_fn fn, const uint8_t *p, struct kd_value *ret)
{
	uint64_t u = 0;
	double d;
	float f;

	memcpy(&u, p, fn_bytes(fn));	/* little-endian, as every host of a GPU */
	switch (fn) {
	case KD_FN_I8: return kd_set_int(ret, (int8_t)u);
	case KD_FN_I16: return kd_set_int(ret, (int16_t)u);
	case KD_FN_I32: return kd_set_int(ret, (int32_t)u);
	case KD_FN_BOOL: return kd_set_int(ret, u != 0);
	case KD_FN_F16: return kd_set_real(ret, small_float((uint32_t)u, 10, 5));
	case KD_FN_BF16: return kd_set_real(ret, small_float((uint32_t)u, 7, 8));
	case KD_FN_F32: memcpy(&f, p, sizeof(f)); return kd_set_real(ret, f);
	case KD_FN_F64: memcpy(&d, p, sizeof(d)); return kd_set_real(ret, d);
	default: return kd_set_int(ret, (int64_t)u);
	}
}

bool kd_read_place(struct kd_run *r, const struct kd_node *n, enum kd_fn fn, const struct kd_value *at, struct kd_value *ret)
{
	const struct ekka_launch_facts *launch = r->launch;
	unsigned bytes = fn_bytes(fn);

	if (!launch)
		return kd_refuse(r, n->line, "a parameter before there is a launch");
	if (at->kind != KD_PLACE)
		return kd_refuse(r, n->line, "%s where a parameter's place belongs", kd_kind_name(at->kind));
	if (at->place.param < 0 || at->place.param >= launch->n_params || !launch->param[at->place.param])
		return kd_refuse(r, n->line, "there is no parameter p%lld", (long long)at->place.param);
	if (at->place.offset < 0 || launch->param_bytes[at->place.param] < bytes ||
	    at->place.offset > launch->param_bytes[at->place.param] - (int64_t)bytes)
		return kd_refuse(r, n->line, "%u bytes at %lld of parameter p%lld, which has %u", bytes, (long long)at->place.offset,
				 (long long)at->place.param, launch->param_bytes[at->place.param]);
	return decode(fn, (const uint8_t *)launch->param[at->place.param] + at->place.offset, ret);
}

/* An element of a type. */
bool kd_read_value(struct kd_run *r, const struct kd_node *n, const struct kd_value *type, const struct kd_value *at, struct kd_value *ret)
{
	static const struct { enum ekka_dtype t; enum kd_fn fn; } fns[] = {
		{ EKKA_F64, KD_FN_F64 }, { EKKA_F32, KD_FN_F32 }, { EKKA_F16, KD_FN_F16 }, { EKKA_BF16, KD_FN_BF16 }, { EKKA_I8, KD_FN_I8 },
		{ EKKA_U8, KD_FN_U8 }, { EKKA_I16, KD_FN_I16 }, { EKKA_U16, KD_FN_U16 }, { EKKA_I32, KD_FN_I32 }, { EKKA_U32, KD_FN_U32 }, { EKKA_I64, KD_FN_I64 }, { EKKA_U64, KD_FN_U64 },
	};

	for (size_t i = 0; type->kind == KD_DTYPE && i < sizeof(fns) / sizeof(*fns); i++)
		if (fns[i].t == type->t)
			return kd_read_place(r, n, fns[i].fn, at, ret);
	return kd_refuse(r, n->line, "value takes a type of real or whole numbers, not %s",
			 type->kind == KD_DTYPE ? ekka_dtype_name(type->t) : kd_kind_name(type->kind));
}
