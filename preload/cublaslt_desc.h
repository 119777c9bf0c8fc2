/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What cuBLASLt's opaque descriptors say, as plain structures. Zone: inside the host process.
 *
 * Read with the getters of the library that the call goes to. An attribute that this version of the library does not know keeps
 * its documented default. Thread-safe; the structures belong to the caller.
 */
#ifndef EKKA_PRELOAD_CUBLASLT_DESC_H
#define EKKA_PRELOAD_CUBLASLT_DESC_H

#include <stdbool.h>
#include <stdint.h>

#include <cublasLt.h>

#include "preload/getters.h"

#define EKKA_LT_GETTERS(F)                                                                                                       \
	F(layout, cublasLtMatrixLayoutGetAttribute) F(desc, cublasLtMatmulDescGetAttribute) F(algo, cublasLtMatmulAlgoConfigGetAttribute) \
	F(transform, cublasLtMatrixTransformDescGetAttribute)

/* The getters that belong to one real cublasLtMatmul or cublasLtMatrixTransform. */
struct ekka_lt_api { EKKA_LT_GETTERS(EKKA_GETTER_MEMBER) } EKKA_GETTER_STRUCT;

/* NULL when the library's getters cannot be found. Only the first call for a `real` takes the loader's lock. */
const struct ekka_lt_api *ekka_lt_api(const void *real);

struct ekka_lt_layout {
	bool known;			/* there is a layout, and it was read */
	int32_t type, order;		/* cudaDataType, cublasLtOrder_t */
	uint64_t rows, cols;
	int64_t ld, stride, plane;	/* elements; stride between batch items */
	int32_t batch, batch_mode;	/* batch_mode 1: the address is that of an array of pointers */
};
void ekka_lt_read_layout(const struct ekka_lt_api *, cublasLtMatrixLayout_t, struct ekka_lt_layout *ret);

struct ekka_lt_transform { int32_t scale_type, pointer_mode, trans[2]; };	/* scale_type -1: it could not be read */
void ekka_lt_read_transform(const struct ekka_lt_api *, cublasLtMatrixTransformDesc_t, struct ekka_lt_transform *ret);

/* The matrices of a product, in the order of the arrays below. */
enum ekka_lt_matrix { EKKA_LT_A, EKKA_LT_B, EKKA_LT_C, EKKA_LT_D, EKKA_LT_AUX, EKKA_LT_MATRICES };

struct ekka_lt_desc {
	int32_t compute, scale_type, pointer_mode, trans[2], fill_mode;
	uint32_t epilogue;
	const void *bias, *aux;
	int32_t bias_type, aux_type;	/* cudaDataType, -1 default */
	int64_t bias_stride, aux_ld, aux_stride, alpha_stride;
	const void *scale[EKKA_LT_MATRICES];
	int32_t scale_mode[EKKA_LT_MATRICES];
	const void *amax, *aux_amax, *out_scale;
	int32_t out_scale_mode;
	int8_t fast_accum;
	int32_t sm_count;		/* 0: all */
};
void ekka_lt_read_desc(const struct ekka_lt_api *, cublasLtMatmulDesc_t, struct ekka_lt_desc *ret);

struct ekka_lt_algo { int32_t id; uint32_t tile, stages, reduction, swizzle, custom; int32_t split_k; uint16_t inner_shape, cluster; };
/* False without an algorithm: the library chooses one itself. */
bool ekka_lt_read_algo(const struct ekka_lt_api *, const cublasLtMatmulAlgo_t *, struct ekka_lt_algo *ret);

#endif
