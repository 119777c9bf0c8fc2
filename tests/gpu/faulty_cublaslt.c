/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The part of libfaulty-cublas.so that spoils cublasLtMatmul and cublasLtMatrixTransform; environment as in faulty_cublas.c, kinds below. Descriptors are changed
 * for the one call and set back; the library then chooses its algorithm itself.
 */
#include "config.h"

#include <cublasLt.h>
#include <dlfcn.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EXPORT __attribute__((visibility("default")))

struct matmul {
	cublasLtHandle_t handle;
	cublasLtMatmulDesc_t desc;
	const void *alpha, *a, *b, *beta, *c;
	void *d;
	cublasLtMatrixLayout_t la, lb, lc, ld;
	const cublasLtMatmulAlgo_t *algo;
	void *workspace;
	size_t workspace_bytes;
	cudaStream_t stream;
};

/* Bits of cublasLtEpilogue_t's values. */
static const uint32_t EPILOGUE_AUX = 128, EPILOGUE_BGRAD = 16, EPILOGUE_DGELU = 64;

/* What older headers lack. */
enum { DESC_A_SCALE_MODE = 31, DESC_OUT_SCALE = 36, SCALE_VEC128 = 4 };

/* As in the library that is loaded, whoever wraps it. */
static void *next(const char *name)
{
	static const char *const sonames[] = { "libcublasLt.so.13", "libcublasLt.so.12" };
	void *f = dlsym(RTLD_NEXT, name);

	for (unsigned i = 0; f == NULL && i < sizeof(sonames) / sizeof(sonames[0]); i++) {
		void *lib = dlopen(sonames[i], RTLD_LAZY | RTLD_NOLOAD);

		f = lib != NULL ? dlsym(lib, name) : NULL;
	}
	if (f == NULL) {
		fprintf(stderr, "faulty-cublas: no %s\n", name);
		abort();
	}
	return f;
}

#define NEXT(name) ((__typeof__(name) *)next(#name))

static cublasStatus_t real(const struct matmul *x)
{
	return NEXT(cublasLtMatmul)(x->handle, x->desc, x->alpha, x->a, x->la, x->b, x->lb, x->beta, x->c, x->lc, x->d, x->ld, x->algo,
				    x->workspace, x->workspace_bytes, x->stream);
}

static uint64_t get(const struct matmul *x, int attr, size_t size)
{
	uint64_t v = 0;
	size_t written;

	(void)NEXT(cublasLtMatmulDescGetAttribute)(x->desc, (cublasLtMatmulDescAttributes_t)attr, &v, size, &written);
	return v;
}

static void set(const struct matmul *x, int attr, uint64_t v, size_t size)
{
	(void)NEXT(cublasLtMatmulDescSetAttribute)(x->desc, (cublasLtMatmulDescAttributes_t)attr, &v, size);
}

/* The call with one attribute changed. */
static bool with(struct matmul *x, int attr, uint64_t v, size_t size, cublasStatus_t *ret)
{
	uint64_t old = get(x, attr, size);

	x->algo = NULL;
	set(x, attr, v, size);
	*ret = real(x);
	set(x, attr, old, size);
	return true;
}

static uint32_t epilogue(const struct matmul *x)
{
	return (uint32_t)get(x, CUBLASLT_MATMUL_DESC_EPILOGUE, 4);
}

/* The call with another epilogue. A real cublasLt refuses pointers that the epilogue has no use for. */
static bool with_epilogue(struct matmul *x, uint32_t e, cublasStatus_t *ret)
{
	uint64_t bias = get(x, CUBLASLT_MATMUL_DESC_BIAS_POINTER, 8), aux = get(x, CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_POINTER, 8);

	if (!(e & (CUBLASLT_EPILOGUE_BIAS | EPILOGUE_BGRAD)))
		set(x, CUBLASLT_MATMUL_DESC_BIAS_POINTER, 0, 8);
	if (!(e & EPILOGUE_AUX))
		set(x, CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_POINTER, 0, 8);
	with(x, CUBLASLT_MATMUL_DESC_EPILOGUE, e, 4, ret);
	set(x, CUBLASLT_MATMUL_DESC_BIAS_POINTER, bias, 8);
	set(x, CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_POINTER, aux, 8);
	return true;
}

/* ---- kinds: each returns false when it does not fit the call, else the status ---- */

static bool without(struct matmul *x, uint32_t bit, cublasStatus_t *ret)
{
	uint32_t e = epilogue(x), rest = e & ~bit;

	return (e & bit) && !(e & EPILOGUE_AUX) && with_epilogue(x, rest ? rest : CUBLASLT_EPILOGUE_DEFAULT, ret);
}

static bool no_bias(struct matmul *x, cublasStatus_t *ret)
{
	return without(x, CUBLASLT_EPILOGUE_BIAS, ret);
}

static bool no_relu(struct matmul *x, cublasStatus_t *ret)
{
	return without(x, CUBLASLT_EPILOGUE_RELU, ret);
}

static bool no_gelu(struct matmul *x, cublasStatus_t *ret)
{
	return without(x, CUBLASLT_EPILOGUE_GELU, ret);
}

/* Another vector than the bias is added: the start of A. */
static bool wrong_bias(struct matmul *x, cublasStatus_t *ret)
{
	return (epilogue(x) & CUBLASLT_EPILOGUE_BIAS) && with(x, CUBLASLT_MATMUL_DESC_BIAS_POINTER, (uint64_t)x->a, 8, ret);
}

/* The product is rounded to D's type before the bias is added to it; as good as invisible where that type is f32. */
static bool rounded_bias(struct matmul *x, cublasStatus_t *ret)
{
	float zero = 0, one = 1;
	struct matmul second = *x;
	uint32_t type = CUDA_R_32F;
	size_t written;

	(void)NEXT(cublasLtMatrixLayoutGetAttribute)(x->ld, CUBLASLT_MATRIX_LAYOUT_TYPE, &type, sizeof(type), &written);
	if (type == CUDA_R_32F || epilogue(x) != CUBLASLT_EPILOGUE_BIAS || get(x, CUBLASLT_MATMUL_DESC_POINTER_MODE, 4) != 0 || *(const float *)x->beta != 0)
		return false;
	with_epilogue(x, CUBLASLT_EPILOGUE_DEFAULT, ret);
	second.algo = NULL;
	second.alpha = &zero;
	second.beta = &one;
	second.c = second.d;
	second.lc = second.ld;
	*ret = *ret == CUBLAS_STATUS_SUCCESS ? real(&second) : *ret;
	return true;
}

/* The second half of a split K is lost. Operands that are k by m and k by n, column by column. */
static bool lost_split(struct matmul *x, cublasStatus_t *ret)
{
	uint64_t k = 0, half;
	size_t written;

	if (get(x, CUBLASLT_MATMUL_DESC_TRANSA, 4) != CUBLAS_OP_T || get(x, CUBLASLT_MATMUL_DESC_TRANSB, 4) != CUBLAS_OP_N)
		return false;
	(void)NEXT(cublasLtMatrixLayoutGetAttribute)(x->la, CUBLASLT_MATRIX_LAYOUT_ROWS, &k, sizeof(k), &written);
	half = k / 2;
	x->algo = NULL;
	(void)NEXT(cublasLtMatrixLayoutSetAttribute)(x->la, CUBLASLT_MATRIX_LAYOUT_ROWS, &half, sizeof(half));
	(void)NEXT(cublasLtMatrixLayoutSetAttribute)(x->lb, CUBLASLT_MATRIX_LAYOUT_ROWS, &half, sizeof(half));
	*ret = real(x);
	(void)NEXT(cublasLtMatrixLayoutSetAttribute)(x->la, CUBLASLT_MATRIX_LAYOUT_ROWS, &k, sizeof(k));
	(void)NEXT(cublasLtMatrixLayoutSetAttribute)(x->lb, CUBLASLT_MATRIX_LAYOUT_ROWS, &k, sizeof(k));
	return true;
}

/* A is scaled by B's scale. */
static bool wrong_scale(struct matmul *x, cublasStatus_t *ret)
{
	uint64_t b = get(x, CUBLASLT_MATMUL_DESC_B_SCALE_POINTER, 8);

	return b != 0 && with(x, CUBLASLT_MATMUL_DESC_A_SCALE_POINTER, b, 8, ret);
}

static bool no_output_scale(struct matmul *x, cublasStatus_t *ret)
{
	return get(x, CUBLASLT_MATMUL_DESC_D_SCALE_POINTER, 8) != 0 && with(x, CUBLASLT_MATMUL_DESC_D_SCALE_POINTER, 0, 8, ret);
}

static bool stale_amax(struct matmul *x, cublasStatus_t *ret)
{
	return get(x, CUBLASLT_MATMUL_DESC_AMAX_D_POINTER, 8) != 0 && with(x, CUBLASLT_MATMUL_DESC_AMAX_D_POINTER, 0, 8, ret);
}

static bool stale_aux_amax(struct matmul *x, cublasStatus_t *ret)
{
	return get(x, CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_AMAX_POINTER, 8) != 0 && with(x, CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_AMAX_POINTER, 0, 8, ret);
}

/* The scales of D's blocks go where C lies, which has room for them and is not read. */
static bool stale_out_scale(struct matmul *x, cublasStatus_t *ret)
{
	return get(x, DESC_OUT_SCALE, 8) != 0 && x->c != NULL && with(x, DESC_OUT_SCALE, (uint64_t)x->c, 8, ret);
}

static bool no_aux_scale(struct matmul *x, cublasStatus_t *ret)
{
	return get(x, CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_SCALE_POINTER, 8) != 0 && with(x, CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_SCALE_POINTER, 0, 8, ret);
}

/* The second input of the activation's gradient is not written. */
static bool stale_aux(struct matmul *x, cublasStatus_t *ret)
{
	uint32_t e = epilogue(x);

	return (e & EPILOGUE_AUX) && with_epilogue(x, e & ~EPILOGUE_AUX, ret);
}

/* The bias gradient is not written. */
static bool stale_bias_gradient(struct matmul *x, cublasStatus_t *ret)
{
	uint32_t e = epilogue(x);

	if (e == CUBLASLT_EPILOGUE_BGRADA || e == CUBLASLT_EPILOGUE_BGRADB)
		return with_epilogue(x, CUBLASLT_EPILOGUE_DEFAULT, ret);
	return (e & EPILOGUE_BGRAD) && with_epilogue(x, e & ~EPILOGUE_BGRAD, ret);
}

/* The gradient of the GELU is taken at C's elements in place of its input's. */
static bool wrong_input(struct matmul *x, cublasStatus_t *ret)
{
	return (epilogue(x) & EPILOGUE_DGELU) && x->c != NULL &&
	       with(x, CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_POINTER, (uint64_t)x->c, 8, ret);
}

/* The gradient of the ReLU is the product itself. */
static bool no_gradient(struct matmul *x, cublasStatus_t *ret)
{
	return epilogue(x) == CUBLASLT_EPILOGUE_DRELU && with_epilogue(x, CUBLASLT_EPILOGUE_DEFAULT, ret);
}

/* A's scales for blocks are read 4 further on. The room is the subject's to provide. */
static bool shifted_blocks(struct matmul *x, cublasStatus_t *ret)
{
	uint64_t scales = get(x, CUBLASLT_MATMUL_DESC_A_SCALE_POINTER, 8);

	return scales != 0 && get(x, DESC_A_SCALE_MODE, 4) >= SCALE_VEC128 && with(x, CUBLASLT_MATMUL_DESC_A_SCALE_POINTER, scales + 16, 8, ret);
}

static bool alpha_scaled(struct matmul *x, cublasStatus_t *ret)
{
	float alpha;

	if (get(x, CUBLASLT_MATMUL_DESC_POINTER_MODE, 4) != 0 || get(x, CUBLASLT_MATMUL_DESC_SCALE_TYPE, 4) != CUDA_R_32F)
		return false;
	alpha = *(const float *)x->alpha * 1.03125f;
	x->alpha = &alpha;
	*ret = real(x);
	return true;
}

static const struct { const char *name; bool (*strike)(struct matmul *, cublasStatus_t *); } kinds[] = {
	{ "lt-no-bias", no_bias },	     { "lt-no-relu", no_relu },	    { "lt-no-gelu", no_gelu },
	{ "lt-wrong-bias", wrong_bias },     { "lt-rounded-bias", rounded_bias }, { "lt-lost-split", lost_split },
	{ "lt-wrong-scale", wrong_scale },   { "lt-no-output-scale", no_output_scale }, { "lt-stale-amax", stale_amax },
	{ "lt-stale-aux", stale_aux },	     { "lt-alpha", alpha_scaled },
	{ "lt-stale-bgrad", stale_bias_gradient }, { "lt-wrong-input", wrong_input }, { "lt-no-gradient", no_gradient },
	{ "lt-shifted-blocks", shifted_blocks }, { "lt-stale-aux-amax", stale_aux_amax }, { "lt-no-aux-scale", no_aux_scale },
	{ "lt-stale-out-scale", stale_out_scale },
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static unsigned long n_calls;
static bool struck;

static void say(unsigned long number, const char *function, cublasLtMatrixLayout_t out)
{
	const char *path = getenv("FAULTY_LOG");
	FILE *f = path != NULL ? fopen(path, "w") : NULL;
	uint64_t m = 0, n = 0;
	size_t written;

	if (f == NULL)
		return;
	(void)NEXT(cublasLtMatrixLayoutGetAttribute)(out, CUBLASLT_MATRIX_LAYOUT_ROWS, &m, sizeof(m), &written);
	(void)NEXT(cublasLtMatrixLayoutGetAttribute)(out, CUBLASLT_MATRIX_LAYOUT_COLS, &n, sizeof(n), &written);
	fprintf(f, "%lu %s %lu %lu\n", number, function, (unsigned long)m, (unsigned long)n);
	fclose(f);
}

/* Is a call with this number to be struck. */
static bool due(unsigned long number)
{
	const char *first = getenv("FAULTY_CALL");

	return !struck && number >= strtoul(first != NULL ? first : "1", NULL, 10);
}

EXPORT cublasStatus_t cublasLtMatmul(cublasLtHandle_t handle, cublasLtMatmulDesc_t desc, const void *alpha, const void *A,
				     cublasLtMatrixLayout_t la, const void *B, cublasLtMatrixLayout_t lb, const void *beta, const void *C,
				     cublasLtMatrixLayout_t lc, void *D, cublasLtMatrixLayout_t ld, const cublasLtMatmulAlgo_t *algo,
				     void *workspace, size_t workspace_bytes, cudaStream_t stream)
{
	struct matmul x = { handle, desc, alpha, A, B, beta, C, D, la, lb, lc, ld, algo, workspace, workspace_bytes, stream };
	const char *kind = getenv("FAULTY_KIND");
	cublasStatus_t status = CUBLAS_STATUS_SUCCESS;
	struct matmul as_called = x;
	unsigned long number;
	bool mine = false;

	pthread_mutex_lock(&lock);
	number = ++n_calls;
	if (kind != NULL && due(number))
		for (unsigned i = 0; i < sizeof(kinds) / sizeof(kinds[0]) && !mine; i++)
			mine = strcmp(kinds[i].name, kind) == 0 && kinds[i].strike(&x, &status);
	struck |= mine;
	if (mine)
		say(number, "cublasLtMatmul", ld);
	pthread_mutex_unlock(&lock);
	return mine ? status : real(&as_called);
}

/* The attribute is set for one call to what makes A come as it lies, or B. */
static bool untransposed(cublasLtMatrixTransformDesc_t desc, int attr, int32_t *ret_old)
{
	int32_t none = CUBLAS_OP_N;
	size_t written;

	(void)NEXT(cublasLtMatrixTransformDescGetAttribute)(desc, (cublasLtMatrixTransformDescAttributes_t)attr, ret_old, sizeof(*ret_old), &written);
	if (*ret_old == CUBLAS_OP_N)
		return false;
	(void)NEXT(cublasLtMatrixTransformDescSetAttribute)(desc, (cublasLtMatrixTransformDescAttributes_t)attr, &none, sizeof(none));
	return true;
}

static bool is_square(cublasLtMatrixLayout_t l)
{
	uint64_t m = 0, n = 0;
	size_t written;

	(void)NEXT(cublasLtMatrixLayoutGetAttribute)(l, CUBLASLT_MATRIX_LAYOUT_ROWS, &m, sizeof(m), &written);
	(void)NEXT(cublasLtMatrixLayoutGetAttribute)(l, CUBLASLT_MATRIX_LAYOUT_COLS, &n, sizeof(n), &written);
	return m == n;
}

/* Kinds: lt-untransposed, a square A is not transposed; lt-no-sum, beta is taken for 0. */
EXPORT cublasStatus_t cublasLtMatrixTransform(cublasLtHandle_t handle, cublasLtMatrixTransformDesc_t desc, const void *alpha, const void *A,
					      cublasLtMatrixLayout_t la, const void *beta, const void *B, cublasLtMatrixLayout_t lb, void *C,
					      cublasLtMatrixLayout_t lc, cudaStream_t stream)
{
	const char *kind = getenv("FAULTY_KIND");
	bool turn = false, leave = false;
	int32_t old = 0, mode = 0;
	const float zero = 0;
	size_t written;
	cublasStatus_t status;
	unsigned long number;

	pthread_mutex_lock(&lock);
	number = ++n_calls;
	(void)NEXT(cublasLtMatrixTransformDescGetAttribute)(desc, CUBLASLT_MATRIX_TRANSFORM_DESC_POINTER_MODE, &mode, sizeof(mode), &written);
	if (kind != NULL && due(number)) {
		turn = !strcmp(kind, "lt-untransposed") && is_square(la) && untransposed(desc, CUBLASLT_MATRIX_TRANSFORM_DESC_TRANSA, &old);
		leave = !strcmp(kind, "lt-no-sum") && B != NULL && mode == CUBLASLT_POINTER_MODE_HOST;
	}
	struck |= turn || leave;
	status = NEXT(cublasLtMatrixTransform)(handle, desc, alpha, A, la, leave ? &zero : beta, B, lb, C, lc, stream);
	if (turn)
		(void)NEXT(cublasLtMatrixTransformDescSetAttribute)(desc, CUBLASLT_MATRIX_TRANSFORM_DESC_TRANSA, &old, sizeof(old));
	if (turn || leave)
		say(number, "cublasLtMatrixTransform", lc);
	pthread_mutex_unlock(&lock);
	return status;
}
