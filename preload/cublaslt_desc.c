/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "preload/cublaslt_desc.h"

#include <stddef.h>

/* Attributes that older headers lack (cublasLt.h of CUDA 13). */
enum {
	LAYOUT_BATCH_MODE = 8,
	DESC_SCALE_MODE_A = 31, DESC_SCALE_MODE_B, DESC_SCALE_MODE_C, DESC_SCALE_MODE_D, DESC_SCALE_MODE_AUX, DESC_OUT_SCALE,
	DESC_OUT_SCALE_MODE
};

EKKA_GETTER_SET(getters, "cublaslt", EKKA_LT_GETTERS);

const struct ekka_lt_api *ekka_lt_api(const void *real)
{
	const struct ekka_lt_api *api = ekka_getters(real, &getters);

	return api != NULL && api->layout != NULL && api->desc != NULL ? api : NULL;
}

/* Of all structures read here: which attribute goes where. */
struct field { int attr; uint16_t at, size; };
#define FIELD(type, attr, member) { attr, offsetof(struct type, member), sizeof(((struct type *)0)->member) }

void ekka_lt_read_layout(const struct ekka_lt_api *api, cublasLtMatrixLayout_t layout, struct ekka_lt_layout *ret)
{
	static const struct field fields[] = {
		FIELD(ekka_lt_layout, CUBLASLT_MATRIX_LAYOUT_TYPE, type),
		FIELD(ekka_lt_layout, CUBLASLT_MATRIX_LAYOUT_ORDER, order),
		FIELD(ekka_lt_layout, CUBLASLT_MATRIX_LAYOUT_ROWS, rows),
		FIELD(ekka_lt_layout, CUBLASLT_MATRIX_LAYOUT_COLS, cols),
		FIELD(ekka_lt_layout, CUBLASLT_MATRIX_LAYOUT_LD, ld),
		FIELD(ekka_lt_layout, CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT, batch),
		FIELD(ekka_lt_layout, CUBLASLT_MATRIX_LAYOUT_STRIDED_BATCH_OFFSET, stride),
		FIELD(ekka_lt_layout, CUBLASLT_MATRIX_LAYOUT_PLANE_OFFSET, plane),
		FIELD(ekka_lt_layout, LAYOUT_BATCH_MODE, batch_mode),
	};

	*ret = (struct ekka_lt_layout){ .type = -1, .batch = 1 };
	if (layout == NULL)
		return;
	ret->known = true;
	for (unsigned i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
		size_t written;
		cublasStatus_t status = api->layout(layout, (cublasLtMatrixLayoutAttribute_t)fields[i].attr, (char *)ret + fields[i].at,
						    fields[i].size, &written);

		/* What makes a matrix at all must be known. */
		if (status != CUBLAS_STATUS_SUCCESS && fields[i].attr <= CUBLASLT_MATRIX_LAYOUT_LD)
			ret->known = false;
	}
}

void ekka_lt_read_desc(const struct ekka_lt_api *api, cublasLtMatmulDesc_t desc, struct ekka_lt_desc *ret)
{
	static const struct field fields[] = {
		FIELD(ekka_lt_desc, CUBLASLT_MATMUL_DESC_COMPUTE_TYPE, compute),
		FIELD(ekka_lt_desc, CUBLASLT_MATMUL_DESC_SCALE_TYPE, scale_type),
		FIELD(ekka_lt_desc, CUBLASLT_MATMUL_DESC_POINTER_MODE, pointer_mode),
		FIELD(ekka_lt_desc, CUBLASLT_MATMUL_DESC_TRANSA, trans[0]),
		FIELD(ekka_lt_desc, CUBLASLT_MATMUL_DESC_TRANSB, trans[1]),
		FIELD(ekka_lt_desc, CUBLASLT_MATMUL_DESC_FILL_MODE, fill_mode),
		FIELD(ekka_lt_desc, CUBLASLT_MATMUL_DESC_EPILOGUE, epilogue),
		FIELD(ekka_lt_desc, CUBLASLT_MATMUL_DESC_BIAS_POINTER, bias),
		FIELD(ekka_lt_desc, CUBLASLT_MATMUL_DESC_BIAS_BATCH_STRIDE, bias_stride),
		FIELD(ekka_lt_desc, CUBLASLT_MATMUL_DESC_BIAS_DATA_TYPE, bias_type),
		FIELD(ekka_lt_desc, CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_POINTER, aux),
		FIELD(ekka_lt_desc, CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_LD, aux_ld),
		FIELD(ekka_lt_desc, CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_BATCH_STRIDE, aux_stride),
		FIELD(ekka_lt_desc, CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_DATA_TYPE, aux_type),
		FIELD(ekka_lt_desc, CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_SCALE_POINTER, scale[EKKA_LT_AUX]),
		FIELD(ekka_lt_desc, CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_AMAX_POINTER, aux_amax),
		FIELD(ekka_lt_desc, CUBLASLT_MATMUL_DESC_ALPHA_VECTOR_BATCH_STRIDE, alpha_stride),
		FIELD(ekka_lt_desc, CUBLASLT_MATMUL_DESC_A_SCALE_POINTER, scale[EKKA_LT_A]),
		FIELD(ekka_lt_desc, CUBLASLT_MATMUL_DESC_B_SCALE_POINTER, scale[EKKA_LT_B]),
		FIELD(ekka_lt_desc, CUBLASLT_MATMUL_DESC_C_SCALE_POINTER, scale[EKKA_LT_C]),
		FIELD(ekka_lt_desc, CUBLASLT_MATMUL_DESC_D_SCALE_POINTER, scale[EKKA_LT_D]),
		FIELD(ekka_lt_desc, CUBLASLT_MATMUL_DESC_AMAX_D_POINTER, amax),
		FIELD(ekka_lt_desc, CUBLASLT_MATMUL_DESC_FAST_ACCUM, fast_accum),
		FIELD(ekka_lt_desc, CUBLASLT_MATMUL_DESC_SM_COUNT_TARGET, sm_count),
		FIELD(ekka_lt_desc, DESC_SCALE_MODE_A, scale_mode[EKKA_LT_A]),
		FIELD(ekka_lt_desc, DESC_SCALE_MODE_B, scale_mode[EKKA_LT_B]),
		FIELD(ekka_lt_desc, DESC_SCALE_MODE_C, scale_mode[EKKA_LT_C]),
		FIELD(ekka_lt_desc, DESC_SCALE_MODE_D, scale_mode[EKKA_LT_D]),
		FIELD(ekka_lt_desc, DESC_SCALE_MODE_AUX, scale_mode[EKKA_LT_AUX]),
		FIELD(ekka_lt_desc, DESC_OUT_SCALE, out_scale),
		FIELD(ekka_lt_desc, DESC_OUT_SCALE_MODE, out_scale_mode),
	};

	*ret = (struct ekka_lt_desc){ .compute = -1, .scale_type = -1, .fill_mode = CUBLAS_FILL_MODE_FULL,
				      .epilogue = CUBLASLT_EPILOGUE_DEFAULT, .bias_type = -1, .aux_type = -1 };
	for (unsigned i = 0; desc != NULL && i < sizeof(fields) / sizeof(fields[0]); i++) {
		size_t written;

		(void)api->desc(desc, (cublasLtMatmulDescAttributes_t)fields[i].attr, (char *)ret + fields[i].at, fields[i].size, &written);
	}
}

void ekka_lt_read_transform(const struct ekka_lt_api *api, cublasLtMatrixTransformDesc_t desc, struct ekka_lt_transform *ret)
{
	static const struct field fields[] = {
		FIELD(ekka_lt_transform, CUBLASLT_MATRIX_TRANSFORM_DESC_SCALE_TYPE, scale_type),
		FIELD(ekka_lt_transform, CUBLASLT_MATRIX_TRANSFORM_DESC_POINTER_MODE, pointer_mode),
		FIELD(ekka_lt_transform, CUBLASLT_MATRIX_TRANSFORM_DESC_TRANSA, trans[0]),
		FIELD(ekka_lt_transform, CUBLASLT_MATRIX_TRANSFORM_DESC_TRANSB, trans[1]),
	};

	*ret = (struct ekka_lt_transform){ .scale_type = -1 };
	for (unsigned i = 0; desc != NULL && api->transform != NULL && i < sizeof(fields) / sizeof(fields[0]); i++) {
		size_t written;

		(void)api->transform(desc, (cublasLtMatrixTransformDescAttributes_t)fields[i].attr, (char *)ret + fields[i].at,
				     fields[i].size, &written);
	}
}

bool ekka_lt_read_algo(const struct ekka_lt_api *api, const cublasLtMatmulAlgo_t *algo, struct ekka_lt_algo *ret)
{
	static const struct field fields[] = {
		FIELD(ekka_lt_algo, CUBLASLT_ALGO_CONFIG_ID, id),
		FIELD(ekka_lt_algo, CUBLASLT_ALGO_CONFIG_TILE_ID, tile),
		FIELD(ekka_lt_algo, CUBLASLT_ALGO_CONFIG_STAGES_ID, stages),
		FIELD(ekka_lt_algo, CUBLASLT_ALGO_CONFIG_SPLITK_NUM, split_k),
		FIELD(ekka_lt_algo, CUBLASLT_ALGO_CONFIG_REDUCTION_SCHEME, reduction),
		FIELD(ekka_lt_algo, CUBLASLT_ALGO_CONFIG_CTA_SWIZZLING, swizzle),
		FIELD(ekka_lt_algo, CUBLASLT_ALGO_CONFIG_CUSTOM_OPTION, custom),
		FIELD(ekka_lt_algo, CUBLASLT_ALGO_CONFIG_INNER_SHAPE_ID, inner_shape),
		FIELD(ekka_lt_algo, CUBLASLT_ALGO_CONFIG_CLUSTER_SHAPE_ID, cluster),
	};

	*ret = (struct ekka_lt_algo){ 0 };
	if (algo == NULL || api->algo == NULL)
		return false;
	for (unsigned i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
		size_t written;

		if (api->algo(algo, (cublasLtMatmulAlgoConfigAttributes_t)fields[i].attr, (char *)ret + fields[i].at, fields[i].size,
			      &written) != CUBLAS_STATUS_SUCCESS && fields[i].attr <= CUBLASLT_ALGO_CONFIG_REDUCTION_SCHEME)
			return false;
	}
	return true;
}
