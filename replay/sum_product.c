/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Three rows and eight vectors are 24 sums that stay in registers; for a tile of rows the vectors' stretch stays in the first-level cache and the tile itself in the
 * second, so that memory is read once.
 */
#include "replay/sum_product.h"

#include <string.h>

#include "compare/clones.h"

enum { ROWS = 3, SQUARE = 32 };

bool ekka_sum_product_can(const struct ekka_matrix *m)
{
	size_t size = ekka_dtype_bytes(m->dtype);

	return m->bytes && !m->scale && size && (uintptr_t)m->bytes % size == 0 && m->item_bytes % size == 0 &&
	       (m->dtype == EKKA_F64 || m->dtype == EKKA_F32 || m->dtype == EKKA_F16 || m->dtype == EKKA_BF16);
}

/* Sixteen 16-bit numbers as floats, or eight of them: half.h's ways, a vector at a time. */
typedef float floats16 __attribute__((vector_size(64)));
typedef uint32_t words16 __attribute__((vector_size(64)));
typedef float floats8 __attribute__((vector_size(32)));
typedef uint32_t words8 __attribute__((vector_size(32)));

#define FROM_BF16(n, v) ((floats##n)(__builtin_convertvector(v, words##n) << 16))
#define FROM_F16(n, v)                                                                                                       \
	({                                                                                                                   \
		words##n h_ = __builtin_convertvector(v, words##n);                                                          \
		floats##n f_ = (floats##n)((h_ & 0x7fff) << 13) * 0x1p112f;                                                  \
		(floats##n)((words##n)f_ | ((words##n)(f_ >= 65536.0f) & 0x7f800000u) | (h_ & 0x8000) << 16);                \
	})

#define NAME(x) x##_f64
#define STORED double
#define FLOAT double
#define CONVERT(to, from) ((to) = (from))
#define VECTORS(v) (v)->d
#include "replay/sum_product_typed.h"

#define NAME(x) x##_f32
#define STORED float
#define FLOAT double
#define CONVERT(to, from) ((to) = __builtin_convertvector(from, wide_f32))
#define VECTORS(v) (v)->d
#include "replay/sum_product_typed.h"

#define NAME(x) x##_bf16
#define STORED uint16_t
#define FLOAT double
#define CONVERT(to, from) ((to) = __builtin_convertvector(FROM_BF16(8, from), wide_bf16))
#define VECTORS(v) (v)->d
#include "replay/sum_product_typed.h"

#define NAME(x) x##_f16
#define STORED uint16_t
#define FLOAT double
#define CONVERT(to, from) ((to) = __builtin_convertvector(FROM_F16(8, from), wide_f16))
#define VECTORS(v) (v)->d
#include "replay/sum_product_typed.h"

#define NAME(x) x##_bf16_single
#define STORED uint16_t
#define FLOAT float
#define CONVERT(to, from) ((to) = FROM_BF16(16, from))
#define VECTORS(v) (v)->f
#include "replay/sum_product_typed.h"

#define NAME(x) x##_f16_single
#define STORED uint16_t
#define FLOAT float
#define CONVERT(to, from) ((to) = FROM_F16(16, from))
#define VECTORS(v) (v)->f
#include "replay/sum_product_typed.h"

void ekka_sum_product(const struct ekka_matrix *m, int64_t b, int64_t r0, int64_t nr, const struct ekka_sum_vectors *v, void *scratch, double *out,
		      int64_t stride)
{
	const unsigned char *from = m->bytes + (uint64_t)b * m->item_bytes;

	from += (m->offset + b * m->bs + r0 * m->rs) * (int64_t)ekka_dtype_bytes(m->dtype);
	for (int64_t r = 0; r < nr; r++)
		memset(out + r * stride, 0, (size_t)v->n * sizeof *out);
	switch (m->dtype) {
	case EKKA_F64: product_f64(from, m, nr, v, scratch, out, stride); break;
	case EKKA_F32: product_f32(from, m, nr, v, scratch, out, stride); break;
	case EKKA_F16: (v->f ? product_f16_single : product_f16)(from, m, nr, v, scratch, out, stride); break;
	case EKKA_BF16: (v->f ? product_bf16_single : product_bf16)(from, m, nr, v, scratch, out, stride); break;
	default: break;
	}
}
