/* SPDX-License-Identifier: Apache-2.0 */
#include "replay/half_product.h"

#include <cblas.h>

#include "compare/clones.h"
#include "replay/half.h"

bool ekka_half_product_can(const struct ekka_matrix *a)
{
	return (a->dtype == EKKA_F16 || a->dtype == EKKA_BF16) && a->bytes && (a->rs == 1 || a->cs == 1);
}

EKKA_CLONES static void line_f16(const unsigned char *src, int64_t n, float *restrict out)
{
	for (int64_t i = 0; i < n; i++) {
		uint16_t h;

		memcpy(&h, src + 2 * i, sizeof h);
		out[i] = ekka_f16_value(h);
	}
}

EKKA_CLONES static void line_bf16(const unsigned char *src, int64_t n, float *restrict out)
{
	for (int64_t i = 0; i < n; i++) {
		uint16_t h;

		memcpy(&h, src + 2 * i, sizeof h);
		out[i] = ekka_bf16_value(h);
	}
}

void ekka_half_product(const struct ekka_matrix *a, int64_t b, int64_t r0, int64_t nr, int64_t k0, int64_t nk, const float *sums,
		       int64_t n, int64_t ld, float *scratch, float *acc)
{
	bool by_row = a->cs == 1;
	int64_t lines = by_row ? nr : nk, length = by_row ? nk : nr, step = by_row ? a->rs : a->cs;
	const unsigned char *from = a->bytes + (uint64_t)b * a->item_bytes;

	from += 2 * (a->offset + b * a->bs + r0 * a->rs + k0 * a->cs);
	for (int64_t l = 0; l < lines; l++)
		(a->dtype == EKKA_F16 ? line_f16 : line_bf16)(from + 2 * l * step, length, scratch + l * length);
	cblas_sgemm(CblasRowMajor, by_row ? CblasNoTrans : CblasTrans, CblasNoTrans, (int)nr, (int)n, (int)nk, 1, scratch, (int)length,
		    sums, (int)ld, 1, acc, (int)ld);
}
