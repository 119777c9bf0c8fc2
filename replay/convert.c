/* SPDX-License-Identifier: Apache-2.0 */
#include "replay/convert.h"

#include <math.h>
#include <string.h>

#include "compare/clones.h"
#include "replay/half.h"

static double e4m3_value(uint8_t b)
{
	unsigned e = b >> 3 & 15, f = b & 7;
	double v = e == 15 && f == 7 ? NAN : e ? ldexp(8 + f, (int)e - 10) : ldexp(f, -9);

	return b & 0x80 ? -v : v;
}

static inline double e5m2_value(uint8_t b)
{
	return ekka_f16_value((uint16_t)(b << 8));
}

/* Contiguous loops: these carry nearly all of the traffic and must vectorise. */
#define CONTIGUOUS(name, type, expr)                                                    \
	EKKA_CLONES static void name(const unsigned char *src, size_t n, double *restrict re) \
	{                                                                               \
		for (size_t i = 0; i < n; i++) {                                        \
			type v;                                                         \
			memcpy(&v, src + i * sizeof v, sizeof v);                       \
			re[i] = expr;                                                   \
		}                                                                       \
	}
CONTIGUOUS(line_f32, float, (double)v)
CONTIGUOUS(line_f16, uint16_t, ekka_f16_value(v))
CONTIGUOUS(line_bf16, uint16_t, ekka_bf16_value(v))
CONTIGUOUS(line_i8, int8_t, (double)v)
CONTIGUOUS(line_u8, uint8_t, (double)v)
CONTIGUOUS(line_i32, int32_t, (double)v)
CONTIGUOUS(line_i64, int64_t, (double)v)

static double real_at(enum ekka_dtype dtype, const unsigned char *p)
{
#define AS(type)                          \
	({                                \
		type v_;                  \
		memcpy(&v_, p, sizeof v_); \
		v_;                       \
	})
	switch (dtype) {
	case EKKA_F64: return AS(double);
	case EKKA_F32: return AS(float);
	case EKKA_F16: return ekka_f16_value(AS(uint16_t));
	case EKKA_BF16: return ekka_bf16_value(AS(uint16_t));
	case EKKA_E4M3: return e4m3_value(*p);
	case EKKA_E5M2: return e5m2_value(*p);
	case EKKA_I8: return AS(int8_t);
	case EKKA_U8: return *p;
	case EKKA_I16: return AS(int16_t);
	case EKKA_U16: return AS(uint16_t);
	case EKKA_I32: return AS(int32_t);
	case EKKA_U32: return AS(uint32_t);
	case EKKA_I64: return (double)AS(int64_t);
	case EKKA_U64: return (double)AS(uint64_t);
	default: return NAN;	/* complex types never come here, and the trace reader admits no others */
	}
#undef AS
}

/* Elements `step` bytes apart: the type is looked at once for all of them. */
#define STRIDED(type, expr)                                       \
	do {                                                      \
		for (size_t i = 0; i < n; i++, p += step) {       \
			type v;                                   \
			memcpy(&v, p, sizeof v);                  \
			re[i] = expr;                             \
		}                                                 \
		return;                                           \
	} while (0)

static void strided(enum ekka_dtype dtype, const unsigned char *p, int64_t step, size_t n, double *re)
{
	switch (dtype) {
	case EKKA_F64: STRIDED(double, v);
	case EKKA_F32: STRIDED(float, (double)v);
	case EKKA_F16: STRIDED(uint16_t, ekka_f16_value(v));
	case EKKA_BF16: STRIDED(uint16_t, ekka_bf16_value(v));
	default:
		for (size_t i = 0; i < n; i++, p += step)
			re[i] = real_at(dtype, p);
	}
}

/* The real type that a complex one consists of. */
static enum ekka_dtype component(enum ekka_dtype dtype)
{
	return dtype == EKKA_C64 ? EKKA_F32 : dtype == EKKA_C128 ? EKKA_F64 : EKKA_I8;
}

void ekka_convert(enum ekka_dtype dtype, const void *src, int64_t stride, size_t n, double *re, double *im)
{
	const unsigned char *p = src;
	int64_t step = stride * (int64_t)ekka_dtype_bytes(dtype);

	if (ekka_dtype_is_complex(dtype)) {
		enum ekka_dtype part = component(dtype);
		size_t half = ekka_dtype_bytes(part);

		for (size_t i = 0; i < n; i++, p += step) {
			re[i] = real_at(part, p);
			im[i] = real_at(part, p + half);
		}
		return;
	}
	if (stride == 1) {
		switch (dtype) {
		case EKKA_F64: memcpy(re, p, n * sizeof *re); return;
		case EKKA_F32: line_f32(p, n, re); return;
		case EKKA_F16: line_f16(p, n, re); return;
		case EKKA_BF16: line_bf16(p, n, re); return;
		case EKKA_I8: line_i8(p, n, re); return;
		case EKKA_U8: line_u8(p, n, re); return;
		case EKKA_I32: line_i32(p, n, re); return;
		case EKKA_I64: line_i64(p, n, re); return;
		default: break;
		}
	}
	strided(dtype, p, step, n, re);
}
