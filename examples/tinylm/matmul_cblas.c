/* SPDX-License-Identifier: Apache-2.0 */
/* Products by any CBLAS on the host. */
#include "matmul.h"

#include <cblas.h>
#include <stdio.h>
#include <stdlib.h>

static float *memory;

float *matmul_open(size_t count)
{
	memory = calloc(count, sizeof *memory);
	if (!memory)
		fprintf(stderr, "tinylm: out of memory\n");
	return memory;
}

int matmul_freeze(size_t count)
{
	(void)count;
	return 0;
}

int matmul(const struct matmul *p)
{
	for (int i = 0; i < p->batch; i++) {
		const float *a = p->a + i * p->stride_a, *b = p->b + i * p->stride_b;
		float *c = p->c + i * p->stride_c;

		if (p->m > 1)
			cblas_sgemm(CblasRowMajor, CblasNoTrans, p->trans_b ? CblasTrans : CblasNoTrans, p->m, p->n, p->k,
				    p->alpha, a, p->lda, b, p->ldb, p->beta, c, p->ldc);
		else if (p->trans_b)
			cblas_sgemv(CblasRowMajor, CblasNoTrans, p->n, p->k, p->alpha, b, p->ldb, a, 1, p->beta, c, 1);
		else
			cblas_sgemv(CblasRowMajor, CblasTrans, p->k, p->n, p->alpha, b, p->ldb, a, 1, p->beta, c, 1);
	}
	return 0;
}

void matmul_close(void)
{
	free(memory);
	memory = NULL;
}
