/* SPDX-License-Identifier: Apache-2.0 */
/* libcublasLt.so: descriptors, and the product with its forward epilogues, computed late on the stream's thread. */
#include "config.h"

#include <cublasLt.h>
#include <stdlib.h>
#include <string.h>

#include "tests/fake/fake.h"
#include "tests/gpu/number.h"

#define EXPORT FAKE_EXPORT

enum { ATTRIBUTES = 40, FAST_ACCUM_SIZE = 1 };
enum { SCALE_MODES = 31, SCALE_MODES_END = 36, OUTER_VECTOR = 3 };

/* Behind both kinds of descriptors: attribute i's bytes. */
struct store { uint64_t value[ATTRIBUTES]; };

static size_t layout_size(int attr)
{
	switch (attr) {
	case CUBLASLT_MATRIX_LAYOUT_TYPE: case CUBLASLT_MATRIX_LAYOUT_ORDER: case CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT: case 8: return 4;
	default: return attr >= 0 && attr < 8 ? 8 : 0;
	}
}

static size_t desc_size(int attr)
{
	switch (attr) {
	case CUBLASLT_MATMUL_DESC_COMPUTE_TYPE: case CUBLASLT_MATMUL_DESC_SCALE_TYPE: case CUBLASLT_MATMUL_DESC_POINTER_MODE:
	case CUBLASLT_MATMUL_DESC_TRANSA: case CUBLASLT_MATMUL_DESC_TRANSB: case CUBLASLT_MATMUL_DESC_TRANSC:
	case CUBLASLT_MATMUL_DESC_FILL_MODE: case CUBLASLT_MATMUL_DESC_EPILOGUE: case CUBLASLT_MATMUL_DESC_SM_COUNT_TARGET:
	case CUBLASLT_MATMUL_DESC_BIAS_DATA_TYPE: case CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_DATA_TYPE: return 4;
	case CUBLASLT_MATMUL_DESC_FAST_ACCUM: return FAST_ACCUM_SIZE;
	default: return attr >= SCALE_MODES && attr < SCALE_MODES_END ? 4 : attr >= 0 && attr < 37 ? 8 : 0;
	}
}

static cublasStatus_t set(void *desc, int attr, const void *buf, size_t size, size_t expected)
{
	if (expected == 0 || size != expected)
		return CUBLAS_STATUS_INVALID_VALUE;
	memcpy(&((struct store *)desc)->value[attr], buf, size);
	return CUBLAS_STATUS_SUCCESS;
}

static cublasStatus_t get(const void *desc, int attr, void *buf, size_t size, size_t *written, size_t expected)
{
	if (expected == 0 || size != expected)
		return CUBLAS_STATUS_INVALID_VALUE;
	memcpy(buf, &((const struct store *)desc)->value[attr], size);
	*written = size;
	return CUBLAS_STATUS_SUCCESS;
}

EXPORT cublasStatus_t cublasLtCreate(cublasLtHandle_t *handle)
{
	fake_make_current();
	*handle = calloc(1, 8);
	return CUBLAS_STATUS_SUCCESS;
}

EXPORT cublasStatus_t cublasLtDestroy(cublasLtHandle_t handle)
{
	free(handle);
	return CUBLAS_STATUS_SUCCESS;
}

EXPORT cublasStatus_t cublasLtMatrixLayoutCreate(cublasLtMatrixLayout_t *layout, cudaDataType type, uint64_t rows, uint64_t cols, int64_t ld)
{
	struct store *s = calloc(1, sizeof(*s));

	if (s == NULL)
		return CUBLAS_STATUS_ALLOC_FAILED;
	s->value[CUBLASLT_MATRIX_LAYOUT_TYPE] = (uint64_t)type;
	s->value[CUBLASLT_MATRIX_LAYOUT_ROWS] = rows;
	s->value[CUBLASLT_MATRIX_LAYOUT_COLS] = cols;
	s->value[CUBLASLT_MATRIX_LAYOUT_LD] = (uint64_t)ld;
	s->value[CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT] = 1;
	*layout = (cublasLtMatrixLayout_t)s;
	return CUBLAS_STATUS_SUCCESS;
}

EXPORT cublasStatus_t cublasLtMatrixLayoutDestroy(cublasLtMatrixLayout_t layout)
{
	free(layout);
	return CUBLAS_STATUS_SUCCESS;
}

EXPORT cublasStatus_t cublasLtMatrixLayoutSetAttribute(cublasLtMatrixLayout_t layout, cublasLtMatrixLayoutAttribute_t attr, const void *buf,
						       size_t size)
{
	return set(layout, attr, buf, size, layout_size(attr));
}

EXPORT cublasStatus_t cublasLtMatrixLayoutGetAttribute(cublasLtMatrixLayout_t layout, cublasLtMatrixLayoutAttribute_t attr, void *buf,
						       size_t size, size_t *written)
{
	return get(layout, attr, buf, size, written, layout_size(attr));
}

EXPORT cublasStatus_t cublasLtMatmulDescCreate(cublasLtMatmulDesc_t *desc, cublasComputeType_t compute, cudaDataType_t scale)
{
	struct store *s = calloc(1, sizeof(*s));

	if (s == NULL)
		return CUBLAS_STATUS_ALLOC_FAILED;
	s->value[CUBLASLT_MATMUL_DESC_COMPUTE_TYPE] = (uint64_t)compute;
	s->value[CUBLASLT_MATMUL_DESC_SCALE_TYPE] = (uint64_t)scale;
	s->value[CUBLASLT_MATMUL_DESC_EPILOGUE] = CUBLASLT_EPILOGUE_DEFAULT;
	s->value[CUBLASLT_MATMUL_DESC_FILL_MODE] = CUBLAS_FILL_MODE_FULL;
	s->value[CUBLASLT_MATMUL_DESC_BIAS_DATA_TYPE] = s->value[CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_DATA_TYPE] = UINT32_MAX;
	*desc = (cublasLtMatmulDesc_t)s;
	return CUBLAS_STATUS_SUCCESS;
}

EXPORT cublasStatus_t cublasLtMatmulDescDestroy(cublasLtMatmulDesc_t desc)
{
	free(desc);
	return CUBLAS_STATUS_SUCCESS;
}

EXPORT cublasStatus_t cublasLtMatmulDescSetAttribute(cublasLtMatmulDesc_t desc, cublasLtMatmulDescAttributes_t attr, const void *buf, size_t size)
{
	return set(desc, attr, buf, size, desc_size(attr));
}

EXPORT cublasStatus_t cublasLtMatmulDescGetAttribute(cublasLtMatmulDesc_t desc, cublasLtMatmulDescAttributes_t attr, void *buf, size_t size,
						     size_t *written)
{
	return get(desc, attr, buf, size, written, desc_size(attr));
}

EXPORT cublasStatus_t cublasLtMatmulPreferenceCreate(cublasLtMatmulPreference_t *pref)
{
	*pref = calloc(1, sizeof(**pref));
	return CUBLAS_STATUS_SUCCESS;
}

EXPORT cublasStatus_t cublasLtMatmulPreferenceDestroy(cublasLtMatmulPreference_t pref)
{
	free(pref);
	return CUBLAS_STATUS_SUCCESS;
}

EXPORT cublasStatus_t cublasLtMatmulPreferenceSetAttribute(cublasLtMatmulPreference_t pref, cublasLtMatmulPreferenceAttributes_t attr,
							   const void *buf, size_t size)
{
	(void)pref, (void)attr, (void)buf, (void)size;
	return CUBLAS_STATUS_SUCCESS;
}

EXPORT cublasStatus_t cublasLtMatmulAlgoGetHeuristic(cublasLtHandle_t handle, cublasLtMatmulDesc_t desc, cublasLtMatrixLayout_t a,
						     cublasLtMatrixLayout_t b, cublasLtMatrixLayout_t c, cublasLtMatrixLayout_t d,
						     cublasLtMatmulPreference_t pref, int n, cublasLtMatmulHeuristicResult_t results[], int *ret_n)
{
	(void)handle, (void)desc, (void)a, (void)b, (void)c, (void)d, (void)pref;
	*ret_n = n > 0;
	if (n > 0)
		memset(&results[0], 0, sizeof(results[0]));
	return CUBLAS_STATUS_SUCCESS;
}

/* One sequence along k, no splits. */
EXPORT cublasStatus_t cublasLtMatmulAlgoConfigGetAttribute(const cublasLtMatmulAlgo_t *algo, cublasLtMatmulAlgoConfigAttributes_t attr, void *buf,
							   size_t size, size_t *written)
{
	(void)algo;
	if (size != (attr >= CUBLASLT_ALGO_CONFIG_INNER_SHAPE_ID ? 2 : 4))
		return CUBLAS_STATUS_INVALID_VALUE;
	memset(buf, 0, size);
	if (attr == CUBLASLT_ALGO_CONFIG_SPLITK_NUM)
		*(int32_t *)buf = 1;
	*written = size;
	return CUBLAS_STATUS_SUCCESS;
}

/* ---- the product ------------------------------------------------------ */

struct matmul {
	struct store desc, a, b, c, d;
	bool has_c;
	uint64_t alpha, beta, at_a, at_b, at_c, at_d;
	double host_alpha, host_beta;
};

static int32_t attr(const struct matmul *x, int which)
{
	return (int32_t)x->desc.value[which];
}

static const void *pointer(const struct matmul *x, int which)
{
	return x->desc.value[which] != 0 ? fake_bytes(x->desc.value[which]) : NULL;
}

static int64_t place(const struct store *l, int64_t item, int64_t r, int64_t c)
{
	int64_t ld = (int64_t)l->value[CUBLASLT_MATRIX_LAYOUT_LD];

	return item * (int64_t)l->value[CUBLASLT_MATRIX_LAYOUT_STRIDED_BATCH_OFFSET] +
	       (l->value[CUBLASLT_MATRIX_LAYOUT_ORDER] == CUBLASLT_ORDER_ROW ? r * ld + c : r + c * ld);
}

static double operand(const struct store *l, uint64_t at, bool transposed, int64_t item, int64_t r, int64_t c)
{
	return number_load((cudaDataType)l->value[CUBLASLT_MATRIX_LAYOUT_TYPE], fake_bytes(at),
			   transposed ? place(l, item, c, r) : place(l, item, r, c));
}

static double scale_of(const struct matmul *x, int which, int mode, int64_t i)
{
	const float *p = pointer(x, which);

	return p == NULL ? 1 : p[attr(x, mode) == OUTER_VECTOR ? i : 0];
}

/* A scalar of the desc's scale type, from the host or the device; vectors by row. */
static double scalar(const struct matmul *x, uint64_t at, double host, bool vector, int64_t i)
{
	if (attr(x, CUBLASLT_MATMUL_DESC_POINTER_MODE) == CUBLASLT_POINTER_MODE_HOST || (!vector && attr(x, CUBLASLT_MATMUL_DESC_POINTER_MODE) > 1))
		return host;
	return number_load((cudaDataType)attr(x, CUBLASLT_MATMUL_DESC_SCALE_TYPE), fake_bytes(at), vector ? i : 0);
}

/* What comes before the activation. */
static double sum_at(const struct matmul *x, int64_t item, int64_t i, int64_t j)
{
	bool ta = attr(x, CUBLASLT_MATMUL_DESC_TRANSA) != CUBLAS_OP_N, tb = attr(x, CUBLASLT_MATMUL_DESC_TRANSB) != CUBLAS_OP_N;
	bool vector = attr(x, CUBLASLT_MATMUL_DESC_POINTER_MODE) > 1;
	int64_t k = (int64_t)x->a.value[ta ? CUBLASLT_MATRIX_LAYOUT_ROWS : CUBLASLT_MATRIX_LAYOUT_COLS];
	double sum = 0, beta = scalar(x, x->beta, x->host_beta, false, 0);
	int bias_type = attr(x, CUBLASLT_MATMUL_DESC_BIAS_DATA_TYPE);

	for (int64_t l = 0; l < k; l++)
		sum += operand(&x->a, x->at_a, ta, item, i, l) * operand(&x->b, x->at_b, tb, item, l, j);
	sum *= scalar(x, x->alpha, x->host_alpha, vector, i) * scale_of(x, CUBLASLT_MATMUL_DESC_A_SCALE_POINTER, SCALE_MODES, i) *
	       scale_of(x, CUBLASLT_MATMUL_DESC_B_SCALE_POINTER, SCALE_MODES + 1, j);
	if (beta != 0 && x->has_c)
		sum += beta * operand(&x->c, x->at_c, false, item, i, j) * scale_of(x, CUBLASLT_MATMUL_DESC_C_SCALE_POINTER, SCALE_MODES + 2, 0);
	if (attr(x, CUBLASLT_MATMUL_DESC_EPILOGUE) & CUBLASLT_EPILOGUE_BIAS)
		sum += number_load(bias_type >= 0 ? (cudaDataType)bias_type : (cudaDataType)x->d.value[CUBLASLT_MATRIX_LAYOUT_TYPE],
				   pointer(x, CUBLASLT_MATMUL_DESC_BIAS_POINTER),
				   i + item * (int64_t)x->desc.value[CUBLASLT_MATMUL_DESC_BIAS_BATCH_STRIDE]);
	return sum;
}

static void store_aux(const struct matmul *x, int64_t item, int64_t i, int64_t j, double t)
{
	int64_t at = item * (int64_t)x->desc.value[CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_BATCH_STRIDE] +
		     j * (int64_t)x->desc.value[CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_LD] + i;
	unsigned char *p = (unsigned char *)pointer(x, CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_POINTER);
	int type = attr(x, CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_DATA_TYPE);

	if (attr(x, CUBLASLT_MATMUL_DESC_EPILOGUE) & CUBLASLT_EPILOGUE_RELU)
		p[at / 8] = (unsigned char)((p[at / 8] & ~(1 << at % 8)) | (t > 0) << at % 8);
	else
		number_store(type >= 0 ? (cudaDataType)type : (cudaDataType)x->d.value[CUBLASLT_MATRIX_LAYOUT_TYPE], p, at, t);
}

static void run(void *arg)
{
	const struct matmul *x = arg;
	int64_t m = (int64_t)x->d.value[CUBLASLT_MATRIX_LAYOUT_ROWS], n = (int64_t)x->d.value[CUBLASLT_MATRIX_LAYOUT_COLS];
	int32_t epilogue = attr(x, CUBLASLT_MATMUL_DESC_EPILOGUE);
	float *amax = (float *)pointer(x, CUBLASLT_MATMUL_DESC_AMAX_D_POINTER);
	double most = 0;

	for (int64_t item = 0; item < (int32_t)x->d.value[CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT]; item++)
		for (int64_t j = 0; j < n; j++)
			for (int64_t i = 0; i < m; i++) {
				double t = sum_at(x, item, i, j);

				if (epilogue & 128)
					store_aux(x, item, i, j, t);
				t = epilogue & CUBLASLT_EPILOGUE_RELU ? fmax(t, 0) : epilogue & CUBLASLT_EPILOGUE_GELU ? number_gelu(t) : t;
				most = fmax(most, fabs(t));
				t *= scale_of(x, CUBLASLT_MATMUL_DESC_D_SCALE_POINTER, SCALE_MODES + 3, 0);
				number_store((cudaDataType)x->d.value[CUBLASLT_MATRIX_LAYOUT_TYPE], fake_bytes(x->at_d), place(&x->d, item, i, j), t);
			}
	if (amax != NULL)
		*amax = (float)most;
}

EXPORT cublasStatus_t cublasLtMatmul(cublasLtHandle_t handle, cublasLtMatmulDesc_t desc, const void *alpha, const void *A,
				     cublasLtMatrixLayout_t a, const void *B, cublasLtMatrixLayout_t b, const void *beta, const void *C,
				     cublasLtMatrixLayout_t c, void *D, cublasLtMatrixLayout_t d, const cublasLtMatmulAlgo_t *algo,
				     void *workspace, size_t workspace_bytes, cudaStream_t stream)
{
	struct matmul x = { .desc = *(struct store *)desc, .a = *(struct store *)a, .b = *(struct store *)b, .d = *(struct store *)d,
			    .has_c = c != NULL, .alpha = (uint64_t)alpha, .beta = (uint64_t)beta, .at_a = (uint64_t)A, .at_b = (uint64_t)B,
			    .at_c = (uint64_t)C, .at_d = (uint64_t)D };
	int32_t mode = attr(&x, CUBLASLT_MATMUL_DESC_POINTER_MODE);
	cudaDataType scale = (cudaDataType)attr(&x, CUBLASLT_MATMUL_DESC_SCALE_TYPE);

	(void)handle, (void)algo, (void)workspace, (void)workspace_bytes;
	if (c != NULL)
		x.c = *(struct store *)c;
	if (x.a.value[CUBLASLT_MATRIX_LAYOUT_LD] == 0 || (attr(&x, CUBLASLT_MATMUL_DESC_EPILOGUE) & ~(2 | 4 | 32 | 128 | 1)))
		return CUBLAS_STATUS_NOT_SUPPORTED; /* by this stand-in */
	if (mode == CUBLASLT_POINTER_MODE_HOST)
		x.host_alpha = number_load(scale, alpha, 0);
	if (mode == CUBLASLT_POINTER_MODE_HOST || mode == CUBLASLT_POINTER_MODE_ALPHA_DEVICE_VECTOR_BETA_HOST)
		x.host_beta = number_load(scale, beta, 0);
	return fake_enqueue(fake_stream_of((CUstream)stream), run, &x, sizeof(x)) == CUDA_SUCCESS ? CUBLAS_STATUS_SUCCESS :
												     CUBLAS_STATUS_EXECUTION_FAILED;
}
