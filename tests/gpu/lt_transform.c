/* SPDX-License-Identifier: Apache-2.0 */
/* cublasLtMatrixTransform, C = alpha op(A) + beta op(B), checked by the program itself. Part of the subject lt-cases. */
#include "config.h"

#include <string.h>

#include "tests/gpu/lt_buffers.h"

struct transform_case {
	const char *name;
	cudaDataType type_a, type_b, type_c, scale;
	int m, n;			/* of C */
	int ta, tb;			/* transposed */
	cublasLtOrder_t order_a, order_c;	/* B has A's */
	double alpha, beta, tolerance;
	int batch;
	int on_device;			/* alpha and beta */
	int padding;			/* of every leading dimension */
};

#define F32_3 CUDA_R_32F, CUDA_R_32F, CUDA_R_32F, CUDA_R_32F
#define BF16_3 CUDA_R_16BF, CUDA_R_16BF, CUDA_R_16BF, CUDA_R_32F
#define COL CUBLASLT_ORDER_COL
#define ROW CUBLASLT_ORDER_ROW

static const struct transform_case cases[] = {
	{ "transform-f32", F32_3, 33, 20, 0, 0, COL, COL, 1.5, -0.5, 1e-6, .batch = 1 },
	{ "transform-f32-transposed", F32_3, 48, 48, 1, 0, COL, COL, 2, 0, 1e-6, .batch = 1 },
	{ "transform-f32-both", F32_3, 40, 24, 1, 1, COL, COL, 1, 0.25, 1e-6, .padding = 8 },
	{ "transform-bf16-to-row", BF16_3, 40, 24, 0, 0, COL, ROW, 1, 0, 5e-3, .batch = 1 },
	{ "transform-bf16-batch", BF16_3, 24, 16, 0, 1, COL, COL, 0.5, 1.25, 5e-3, .batch = 3 },
	{ "transform-f32-device", F32_3, 33, 20, 0, 1, ROW, COL, 1.25, 0.75, 1e-6, .on_device = 1 },
	{ "transform-f16-f32", CUDA_R_16F, CUDA_R_16F, CUDA_R_32F, CUDA_R_32F, 16, 40, 0, 0, COL, COL, 1, 1, 1e-6, .batch = 1 },
	{ "transform-i8-f32", CUDA_R_8I, CUDA_R_8I, CUDA_R_8I, CUDA_R_32F, 32, 32, 0, 0, COL, COL, 1.5, 0, 0.51, .batch = 1 },
	{ "transform-tiled", CUDA_R_8I, CUDA_R_8I, CUDA_R_8I, CUDA_R_32F, 32, 64, 0, 0, COL, CUBLASLT_ORDER_COL32, 1, 0, 0, .batch = 1 },
};

struct matrix { struct buffer buffer; cublasLtMatrixLayout_t layout; int rows, cols, ld; long long stride; cublasLtOrder_t order; };

static struct matrix matrix(const struct transform_case *c, cudaDataType type, int rows, int cols, cublasLtOrder_t order, unsigned seed)
{
	int32_t batch = c->batch ? c->batch : 1, as_order = (int32_t)order;
	struct matrix m = { .rows = rows, .cols = cols, .order = order };
	int64_t stride;

	m.ld = (order == ROW ? cols : order == COL ? rows : 32 * rows) + (order == CUBLASLT_ORDER_COL32 ? 0 : c->padding);
	stride = m.stride = (long long)m.ld * (order == ROW ? rows : order == COL ? cols : (cols + 31) / 32);
	m.buffer = make(type, (size_t)(m.stride * batch), seed);
	MUST(cublasLtMatrixLayoutCreate(&m.layout, type, (uint64_t)rows, (uint64_t)cols, m.ld));
	MUST(cublasLtMatrixLayoutSetAttribute(m.layout, CUBLASLT_MATRIX_LAYOUT_ORDER, &as_order, sizeof(as_order)));
	if (batch > 1) {
		MUST(cublasLtMatrixLayoutSetAttribute(m.layout, CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT, &batch, sizeof(batch)));
		MUST(cublasLtMatrixLayoutSetAttribute(m.layout, CUBLASLT_MATRIX_LAYOUT_STRIDED_BATCH_OFFSET, &stride, sizeof(stride)));
	}
	return m;
}

static double at(const struct matrix *m, int transposed, int item, int i, int j)
{
	int r = transposed ? j : i, c = transposed ? i : j;
	long long place = m->order == ROW ? (long long)r * m->ld + c : m->order == COL ? r + (long long)c * m->ld :
										  c / 32 * (long long)m->ld + r * 32 + c % 32;

	return number_load(m->buffer.type, m->buffer.host, item * m->stride + place);
}

static int check(const struct transform_case *c, const struct matrix *a, const struct matrix *b, struct matrix *out)
{
	fetch(&out->buffer);
	for (int item = 0; item < (c->batch ? c->batch : 1); item++)
		for (int i = 0; i < c->m; i++)
			for (int j = 0; j < c->n; j++) {
				double want = c->alpha * at(a, c->ta, item, i, j) + c->beta * at(b, c->tb, item, i, j);
				double got = at(out, 0, item, i, j);

				if (out->buffer.type == CUDA_R_8I)
					want = fmax(-128, fmin(127, want));
				if (fabs(got - want) <= c->tolerance * (1 + (out->buffer.type == CUDA_R_8I ? 0 : fabs(want))))
					continue;
				fprintf(stderr, "%s: item %d, element (%d, %d): %g instead of %g\n", c->name, item, i, j, got, want);
				return 1;
			}
	return 0;
}

/* 0 right, 1 wrong, -1 the library does not take it. */
static int run(cublasLtHandle_t handle, cudaStream_t stream, const struct transform_case *c)
{
	struct matrix a = matrix(c, c->type_a, c->ta ? c->n : c->m, c->ta ? c->m : c->n, c->order_a, 11);
	struct matrix b = matrix(c, c->type_b, c->tb ? c->n : c->m, c->tb ? c->m : c->n, c->order_a, 12);
	struct matrix out = matrix(c, c->type_c, c->m, c->n, c->order_c, 13);
	int32_t ta = c->ta ? CUBLAS_OP_T : CUBLAS_OP_N, tb = c->tb ? CUBLAS_OP_T : CUBLAS_OP_N, mode = CUBLASLT_POINTER_MODE_DEVICE;
	float factor[2] = { (float)c->alpha, (float)c->beta };
	struct buffer scalars = make(CUDA_R_32F, 2, 14);
	const float *factors = c->on_device ? scalars.device : factor;
	cublasLtMatrixTransformDesc_t desc;
	int wrong;

	MUST(cudaMemcpy(scalars.device, factor, sizeof(factor), cudaMemcpyHostToDevice));
	MUST(cublasLtMatrixTransformDescCreate(&desc, c->scale));
	MUST(cublasLtMatrixTransformDescSetAttribute(desc, CUBLASLT_MATRIX_TRANSFORM_DESC_TRANSA, &ta, sizeof(ta)));
	MUST(cublasLtMatrixTransformDescSetAttribute(desc, CUBLASLT_MATRIX_TRANSFORM_DESC_TRANSB, &tb, sizeof(tb)));
	if (c->on_device)
		MUST(cublasLtMatrixTransformDescSetAttribute(desc, CUBLASLT_MATRIX_TRANSFORM_DESC_POINTER_MODE, &mode, sizeof(mode)));
	if (cublasLtMatrixTransform(handle, desc, factors, a.buffer.device, a.layout, factors + 1, c->beta != 0 ? b.buffer.device : NULL,
				    c->beta != 0 ? b.layout : NULL, out.buffer.device, out.layout, stream) != CUBLAS_STATUS_SUCCESS) {
		wrong = -1;
	} else {
		MUST(cudaMemsetAsync(a.buffer.device, 0, a.buffer.bytes, stream));
		MUST(cudaStreamSynchronize(stream));
		wrong = check(c, &a, &b, &out);
	}
	MUST(cublasLtMatrixTransformDescDestroy(desc));
	for (unsigned i = 0; i < 3; i++) {
		struct matrix *m = i == 0 ? &a : i == 1 ? &b : &out;

		MUST(cublasLtMatrixLayoutDestroy(m->layout));
		drop(&m->buffer);
	}
	drop(&scalars);
	return wrong;
}

int lt_transforms(cublasLtHandle_t handle, cudaStream_t stream, const char *only)
{
	int n_wrong = 0;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		int wrong;

		if (only != NULL && strcmp(only, cases[i].name) != 0)
			continue;
		wrong = run(handle, stream, &cases[i]);
		printf("%s %s\n", wrong > 0 ? "WRONG" : wrong < 0 ? "skipped" : "ok", cases[i].name);
		fflush(stdout);
		n_wrong += wrong > 0;
	}
	return n_wrong;
}
