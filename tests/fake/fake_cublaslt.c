/* SPDX-License-Identifier: Apache-2.0 */
/* libcublasLt.so: descriptors, products with their epilogues and transformations, computed late on the stream's thread. */
#include "config.h"

#include <cublasLt.h>
#include <stdlib.h>
#include <string.h>

#include "tests/fake/fake.h"
#include "tests/gpu/number.h"

#define EXPORT FAKE_EXPORT

enum { ATTRIBUTES = 40, FAST_ACCUM_SIZE = 1 };
enum { SCALE_MODES = 31, SCALE_MODES_END = 36, OUT_SCALE = 36, OUT_SCALE_MODE = 37, VEC16 = 1, VEC32 = 2, OUTER_VECTOR = 3, VEC128 = 4, BLK128 = 5 };
enum { DRELU_BIT = 8, BGRAD_BIT = 16, DGELU_BIT = 64, AUX_BIT = 128, ALL_BITS = 1023 };

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
	default: return (attr >= SCALE_MODES && attr < SCALE_MODES_END) || attr == OUT_SCALE_MODE ? 4 : attr >= 0 && attr <= OUT_SCALE ? 8 : 0;
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

/* Of an operand's element l of line i of an item, where scales belong to blocks; 1 where they do not. Those of an item follow on the last one's. */
static double block_scale(const struct matmul *x, int which, int mode, int64_t lines, int64_t k, int64_t item, int64_t i, int64_t l)
{
	const float *p = pointer(x, which);
	int32_t how = attr(x, mode);
	int64_t lines128 = (lines + 127) / 128, blocks128 = (k + 127) / 128;

	if (p != NULL && (how == VEC16 || how == VEC32)) {
		int64_t elements = how == VEC16 ? 16 : 32, blocks = (k + elements - 1) / elements;
		uint8_t byte = ((const uint8_t *)p)[item * lines128 * ((blocks + 3) / 4) * 512 + number_scale_place(i, l / elements, blocks)];

		return how == VEC32 ? ldexp(1, byte - 127) : fp8_to_double(byte & 0x7f, 3, 7);
	}
	if (p == NULL || how < VEC128)
		return 1;
	if (how == VEC128)
		return p[(item * blocks128 + l / 128) * lines + i];
	return p[(item * lines128 + i / 128) * ((blocks128 + 3) / 4 * 4) + l / 128];
}

static double scale_of(const struct matmul *x, int which, int mode, int64_t i)
{
	const float *p = attr(x, mode) == 0 || attr(x, mode) == OUTER_VECTOR ? pointer(x, which) : NULL;

	return p == NULL ? 1 : p[attr(x, mode) == OUTER_VECTOR ? i : 0];
}

/* A scalar of the desc's scale type, from the host or the device; vectors by row. */
static double scalar(const struct matmul *x, uint64_t at, double host, bool vector, int64_t i)
{
	if (attr(x, CUBLASLT_MATMUL_DESC_POINTER_MODE) == CUBLASLT_POINTER_MODE_HOST || (!vector && attr(x, CUBLASLT_MATMUL_DESC_POINTER_MODE) > 1))
		return host;
	return number_load((cudaDataType)attr(x, CUBLASLT_MATMUL_DESC_SCALE_TYPE), fake_bytes(at), vector ? i : 0);
}

static cudaDataType type_or(const struct matmul *x, int which)
{
	return attr(x, which) >= 0 ? (cudaDataType)attr(x, which) : (cudaDataType)x->d.value[CUBLASLT_MATRIX_LAYOUT_TYPE];
}

/* What comes before the activation. */
static double sum_at(const struct matmul *x, int64_t item, int64_t i, int64_t j)
{
	bool ta = attr(x, CUBLASLT_MATMUL_DESC_TRANSA) != CUBLAS_OP_N, tb = attr(x, CUBLASLT_MATMUL_DESC_TRANSB) != CUBLAS_OP_N;
	bool vector = attr(x, CUBLASLT_MATMUL_DESC_POINTER_MODE) > 1;
	int64_t k = (int64_t)x->a.value[ta ? CUBLASLT_MATRIX_LAYOUT_ROWS : CUBLASLT_MATRIX_LAYOUT_COLS];
	int64_t m = (int64_t)x->d.value[CUBLASLT_MATRIX_LAYOUT_ROWS], n = (int64_t)x->d.value[CUBLASLT_MATRIX_LAYOUT_COLS];
	double sum = 0, beta = scalar(x, x->beta, x->host_beta, false, 0);

	for (int64_t l = 0; l < k; l++)
		sum += operand(&x->a, x->at_a, ta, item, i, l) * operand(&x->b, x->at_b, tb, item, l, j) *
		       block_scale(x, CUBLASLT_MATMUL_DESC_A_SCALE_POINTER, SCALE_MODES, m, k, item, i, l) *
		       block_scale(x, CUBLASLT_MATMUL_DESC_B_SCALE_POINTER, SCALE_MODES + 1, n, k, item, j, l);
	sum *= scalar(x, x->alpha, x->host_alpha, vector, i) * scale_of(x, CUBLASLT_MATMUL_DESC_A_SCALE_POINTER, SCALE_MODES, i) *
	       scale_of(x, CUBLASLT_MATMUL_DESC_B_SCALE_POINTER, SCALE_MODES + 1, j);
	if (beta != 0 && x->has_c)
		sum += beta * operand(&x->c, x->at_c, false, item, i, j) * scale_of(x, CUBLASLT_MATMUL_DESC_C_SCALE_POINTER, SCALE_MODES + 2, 0);
	if (attr(x, CUBLASLT_MATMUL_DESC_EPILOGUE) & CUBLASLT_EPILOGUE_BIAS)
		sum += number_load(type_or(x, CUBLASLT_MATMUL_DESC_BIAS_DATA_TYPE), pointer(x, CUBLASLT_MATMUL_DESC_BIAS_POINTER),
				   i + item * (int64_t)x->desc.value[CUBLASLT_MATMUL_DESC_BIAS_BATCH_STRIDE]);
	return sum;
}

static int64_t aux_at(const struct matmul *x, int64_t item, int64_t i, int64_t j)
{
	return item * (int64_t)x->desc.value[CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_BATCH_STRIDE] +
	       j * (int64_t)x->desc.value[CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_LD] + i;
}

static void store_aux(const struct matmul *x, int64_t at, double t)
{
	unsigned char *p = (unsigned char *)pointer(x, CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_POINTER);

	if (attr(x, CUBLASLT_MATMUL_DESC_EPILOGUE) & CUBLASLT_EPILOGUE_RELU)
		p[at / 8] = (unsigned char)((p[at / 8] & ~(1 << at % 8)) | (t > 0) << at % 8);
	else
		number_store(type_or(x, CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_DATA_TYPE), p, at,
			     t * scale_of(x, CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_SCALE_POINTER, SCALE_MODES + 4, 0));
}

/* What the epilogue makes of the sum; the second matrix is read or written. */
static double finish(const struct matmul *x, int64_t item, int64_t i, int64_t j, double t)
{
	int32_t epilogue = attr(x, CUBLASLT_MATMUL_DESC_EPILOGUE);
	const unsigned char *aux = pointer(x, CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_POINTER);
	float *aux_amax = (float *)pointer(x, CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_AMAX_POINTER);
	int64_t at = aux_at(x, item, i, j);

	if (epilogue & DRELU_BIT)
		return aux[at / 8] >> at % 8 & 1 ? t : 0;
	if (epilogue & DGELU_BIT)
		return t * number_gelu_slope(number_load(type_or(x, CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_DATA_TYPE), aux, at));
	if (epilogue & AUX_BIT) {
		store_aux(x, at, t);
		if (aux_amax != NULL)
			*aux_amax = fmaxf(*aux_amax, (float)fabs(t));
	}
	return epilogue & CUBLASLT_EPILOGUE_RELU ? fmax(t, 0) : epilogue & CUBLASLT_EPILOGUE_GELU ? number_gelu(t) : t;
}

/* The bias gradient of A or of B; that of D is summed with it. */
static void sum_operand(const struct matmul *x)
{
	bool of_a = attr(x, CUBLASLT_MATMUL_DESC_EPILOGUE) == CUBLASLT_EPILOGUE_BGRADA;
	bool ta = attr(x, CUBLASLT_MATMUL_DESC_TRANSA) != CUBLAS_OP_N, tb = attr(x, CUBLASLT_MATMUL_DESC_TRANSB) != CUBLAS_OP_N;
	int64_t k = (int64_t)x->a.value[ta ? CUBLASLT_MATRIX_LAYOUT_ROWS : CUBLASLT_MATRIX_LAYOUT_COLS];
	int64_t n = (int64_t)x->d.value[of_a ? CUBLASLT_MATRIX_LAYOUT_ROWS : CUBLASLT_MATRIX_LAYOUT_COLS];

	for (int64_t i = 0; i < n; i++) {
		double sum = 0;

		for (int64_t l = 0; l < k; l++)
			sum += of_a ? operand(&x->a, x->at_a, ta, 0, i, l) : operand(&x->b, x->at_b, tb, 0, l, i);
		number_store(type_or(x, CUBLASLT_MATMUL_DESC_BIAS_DATA_TYPE), (void *)pointer(x, CUBLASLT_MATMUL_DESC_BIAS_POINTER), i, sum);
	}
}

/* A column of m results, its scales and what is stored: "1D Block Quantization". */
static void quantize(const struct matmul *x, int64_t item, int64_t j, int64_t m, int64_t n, const double *t)
{
	cudaDataType type = (cudaDataType)x->d.value[CUBLASLT_MATRIX_LAYOUT_TYPE];
	bool four_bits = attr(x, OUT_SCALE_MODE) == VEC16;
	int64_t size = four_bits ? 16 : 32, blocks = (m + size - 1) / size;
	uint8_t *scales = (uint8_t *)pointer(x, OUT_SCALE) + item * ((n + 127) / 128) * ((blocks + 3) / 4) * 512;
	double most = four_bits ? 6 : type == CUDA_R_8F_E4M3 ? 448 : 57344;

	for (int64_t b = 0; b < blocks; b++) {
		int64_t end = (b + 1) * size < m ? (b + 1) * size : m;
		double amax = 0, s;
		uint8_t byte;

		for (int64_t i = b * size; i < end; i++)
			amax = fmax(amax, fabs(t[i]));
		byte = four_bits ? double_to_fp8(amax / most, 3, 7, 448) : (uint8_t)fmax(0, fmin(254, ceil(log2(amax / most)) + 127));
		scales[number_scale_place(j, b, blocks)] = byte;
		s = four_bits ? fp8_to_double(byte, 3, 7) : ldexp(1, byte - 127);
		for (int64_t i = b * size; i < end; i++)
			number_store(type, fake_bytes(x->at_d), place(&x->d, item, i, j), s > 0 ? t[i] / s : 0);
	}
}

static void run(void *arg)
{
	const struct matmul *x = arg;
	int64_t m = (int64_t)x->d.value[CUBLASLT_MATRIX_LAYOUT_ROWS], n = (int64_t)x->d.value[CUBLASLT_MATRIX_LAYOUT_COLS];
	int32_t epilogue = attr(x, CUBLASLT_MATMUL_DESC_EPILOGUE);
	float *amax = (float *)pointer(x, CUBLASLT_MATMUL_DESC_AMAX_D_POINTER);
	float *aux_amax = (float *)pointer(x, CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_AMAX_POINTER);
	double most = 0, *row = calloc((size_t)m, sizeof(*row)), *column = calloc((size_t)m, sizeof(*column));

	if (row == NULL || column == NULL)
		abort();
	if (aux_amax != NULL)
		*aux_amax = 0;
	for (int64_t item = 0; item < (int32_t)x->d.value[CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT]; item++)
		for (int64_t j = 0; j < n; j++) {
			for (int64_t i = 0; i < m; i++) {
				double t = finish(x, item, i, j, sum_at(x, item, i, j));

				row[i] += t;
				most = fmax(most, fabs(t));
				column[i] = t * scale_of(x, CUBLASLT_MATMUL_DESC_D_SCALE_POINTER, SCALE_MODES + 3, 0);
			}
			if (attr(x, OUT_SCALE_MODE) != 0)
				quantize(x, item, j, m, n, column);
			for (int64_t i = 0; i < m && attr(x, OUT_SCALE_MODE) == 0; i++)
				number_store((cudaDataType)x->d.value[CUBLASLT_MATRIX_LAYOUT_TYPE], fake_bytes(x->at_d), place(&x->d, item, i, j), column[i]);
		}
	if (amax != NULL)
		*amax = (float)most;
	for (int64_t i = 0; i < m && epilogue & BGRAD_BIT; i++)
		number_store(type_or(x, CUBLASLT_MATMUL_DESC_BIAS_DATA_TYPE), (void *)pointer(x, CUBLASLT_MATMUL_DESC_BIAS_POINTER), i, row[i]);
	if (epilogue & (CUBLASLT_EPILOGUE_BGRADA | CUBLASLT_EPILOGUE_BGRADB))
		sum_operand(x);
	free(row);
	free(column);
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
	if (x.a.value[CUBLASLT_MATRIX_LAYOUT_LD] == 0 || (attr(&x, CUBLASLT_MATMUL_DESC_EPILOGUE) & ~ALL_BITS))
		return CUBLAS_STATUS_NOT_SUPPORTED; /* by this stand-in */
	if (mode == CUBLASLT_POINTER_MODE_HOST)
		x.host_alpha = number_load(scale, alpha, 0);
	if (mode == CUBLASLT_POINTER_MODE_HOST || mode == CUBLASLT_POINTER_MODE_ALPHA_DEVICE_VECTOR_BETA_HOST)
		x.host_beta = number_load(scale, beta, 0);
	return fake_enqueue(fake_stream_of((CUstream)stream), run, &x, sizeof(x)) == CUDA_SUCCESS ? CUBLAS_STATUS_SUCCESS :
												     CUBLAS_STATUS_EXECUTION_FAILED;
}

/* ---- transformations -------------------------------------------------- */

EXPORT cublasStatus_t cublasLtMatrixTransformDescCreate(cublasLtMatrixTransformDesc_t *desc, cudaDataType scale)
{
	struct store *s = calloc(1, sizeof(*s));

	if (s == NULL)
		return CUBLAS_STATUS_ALLOC_FAILED;
	s->value[CUBLASLT_MATRIX_TRANSFORM_DESC_SCALE_TYPE] = (uint64_t)scale;
	*desc = (cublasLtMatrixTransformDesc_t)s;
	return CUBLAS_STATUS_SUCCESS;
}

EXPORT cublasStatus_t cublasLtMatrixTransformDescDestroy(cublasLtMatrixTransformDesc_t desc)
{
	free(desc);
	return CUBLAS_STATUS_SUCCESS;
}

EXPORT cublasStatus_t cublasLtMatrixTransformDescSetAttribute(cublasLtMatrixTransformDesc_t desc, cublasLtMatrixTransformDescAttributes_t which,
							      const void *buf, size_t size)
{
	return set(desc, which, buf, size, which <= CUBLASLT_MATRIX_TRANSFORM_DESC_TRANSB ? 4 : 0);
}

EXPORT cublasStatus_t cublasLtMatrixTransformDescGetAttribute(cublasLtMatrixTransformDesc_t desc, cublasLtMatrixTransformDescAttributes_t which,
							      void *buf, size_t size, size_t *written)
{
	return get(desc, which, buf, size, written, which <= CUBLASLT_MATRIX_TRANSFORM_DESC_TRANSB ? 4 : 0);
}

struct transform {
	struct store desc, a, b, c;
	uint64_t alpha, beta, at_a, at_b, at_c;
	bool has_b, on_device;
	float host[2];
};

/* Columns in tiles of 32, too. */
static int64_t tiled_place(const struct store *l, int64_t item, int64_t r, int64_t c)
{
	if (l->value[CUBLASLT_MATRIX_LAYOUT_ORDER] != CUBLASLT_ORDER_COL32)
		return place(l, item, r, c);
	return c / 32 * (int64_t)l->value[CUBLASLT_MATRIX_LAYOUT_LD] + r * 32 + c % 32;
}

static void run_transform(void *arg)
{
	const struct transform *x = arg;
	bool ta = x->desc.value[CUBLASLT_MATRIX_TRANSFORM_DESC_TRANSA] != CUBLAS_OP_N;
	bool tb = x->desc.value[CUBLASLT_MATRIX_TRANSFORM_DESC_TRANSB] != CUBLAS_OP_N;
	double alpha = x->on_device ? number_load(CUDA_R_32F, fake_bytes(x->alpha), 0) : x->host[0];
	double beta = !x->has_b ? 0 : x->on_device ? number_load(CUDA_R_32F, fake_bytes(x->beta), 0) : x->host[1];

	for (int64_t item = 0; item < (int32_t)x->c.value[CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT]; item++)
		for (int64_t i = 0; i < (int64_t)x->c.value[CUBLASLT_MATRIX_LAYOUT_ROWS]; i++)
			for (int64_t j = 0; j < (int64_t)x->c.value[CUBLASLT_MATRIX_LAYOUT_COLS]; j++) {
				double t = alpha * operand(&x->a, x->at_a, ta, item, i, j);

				if (x->has_b && beta != 0)
					t += beta * operand(&x->b, x->at_b, tb, item, i, j);
				number_store((cudaDataType)x->c.value[CUBLASLT_MATRIX_LAYOUT_TYPE], fake_bytes(x->at_c),
					     tiled_place(&x->c, item, i, j), t);
			}
}

EXPORT cublasStatus_t cublasLtMatrixTransform(cublasLtHandle_t handle, cublasLtMatrixTransformDesc_t desc, const void *alpha, const void *A,
					      cublasLtMatrixLayout_t a, const void *beta, const void *B, cublasLtMatrixLayout_t b, void *C,
					      cublasLtMatrixLayout_t c, cudaStream_t stream)
{
	struct transform x = { .desc = *(struct store *)desc, .a = *(struct store *)a, .c = *(struct store *)c, .alpha = (uint64_t)alpha,
			       .beta = (uint64_t)beta, .at_a = (uint64_t)A, .at_b = (uint64_t)B, .at_c = (uint64_t)C, .has_b = b != NULL && B != NULL };

	(void)handle;
	if (b != NULL)
		x.b = *(struct store *)b;
	x.on_device = x.desc.value[CUBLASLT_MATRIX_TRANSFORM_DESC_POINTER_MODE] == CUBLASLT_POINTER_MODE_DEVICE;
	if (x.desc.value[CUBLASLT_MATRIX_TRANSFORM_DESC_SCALE_TYPE] != CUDA_R_32F)
		return CUBLAS_STATUS_NOT_SUPPORTED; /* by this stand-in */
	if (!x.on_device) {
		x.host[0] = *(const float *)alpha;
		x.host[1] = x.has_b ? *(const float *)beta : 0;
	}
	return fake_enqueue(fake_stream_of((CUstream)stream), run_transform, &x, sizeof(x)) == CUDA_SUCCESS ? CUBLAS_STATUS_SUCCESS :
													      CUBLAS_STATUS_EXECUTION_FAILED;
}
