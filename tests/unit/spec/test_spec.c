/* SPDX-License-Identifier: Apache-2.0 */
/* The tables of spec/ as the tools read them. */
#include "spec/spec.h"

#include <criterion/criterion.h>
#include <string.h>

Test(spec, every_row_is_found_by_its_name)
{
	cr_assert_gt(ekka_spec_n_fns, 0u);
	for (unsigned i = 0; i < ekka_spec_n_fns; i++)
		cr_assert_eq(ekka_spec_find(ekka_spec_fns[i].name), &ekka_spec_fns[i], "%s", ekka_spec_fns[i].name);
	cr_assert_null(ekka_spec_find("cblas_sgem"));
	cr_assert_null(ekka_spec_find(""));
}

Test(spec, rows_say_library_op_and_tensors)
{
	const struct ekka_spec_fn *fn = ekka_spec_find("scipy_cblas_zgemm64_");

	cr_assert(fn);
	cr_assert_str_eq(fn->library, "cblas");
	cr_assert_str_eq(fn->op, "gemm");
	cr_assert_str_eq(fn->signature, "cblas_gemm");
	cr_assert_str_eq(fn->returns, "void");
	cr_assert_eq(fn->class, EKKA_SPEC_CALL);
	cr_assert_eq(fn->n_tensors, 3u);
	cr_assert_str_eq(fn->tensors[0].name, "A");
	cr_assert_str_eq(fn->tensors[0].dir, "in");
	cr_assert_str_eq(fn->tensors[0].dtype, "c128");
	cr_assert_str_eq(fn->tensors[2].dims, "m, n");
	cr_assert_str_eq(fn->tensors[2].strides, "fc ? ldc : 1, fc ? 1 : ldc");
	cr_assert_eq(ekka_spec_find("cublasSetMathMode")->class, EKKA_SPEC_NOTHING);
	cr_assert_eq(ekka_spec_find("cublasStrsm_v2_64")->class, EKKA_SPEC_LATER);
	cr_assert_str_eq(ekka_spec_find("cublasSgemm_v2")->returns, "cublasStatus_t");
	cr_assert_str_eq(ekka_spec_find("cdotc_")->returns, "float _Complex");
}

Test(spec, enumeration_values_have_names)
{
	cr_assert_str_eq(ekka_enum_name("cublasOperation_t", 1), "CUBLAS_OP_T");
	cr_assert_str_eq(ekka_enum_name("const cublasOperation_t *", 2), "CUBLAS_OP_C");
	cr_assert_str_eq(ekka_enum_name("CBLAS_TRANSPOSE", 112), "CblasTrans");
	cr_assert_str_eq(ekka_enum_name("const blas_trans *", 'C'), "C");
	cr_assert_str_eq(ekka_enum_name("cudaDataType", 14), "CUDA_R_16BF");
	cr_assert_str_eq(ekka_enum_name("cudaDataType_t", 0), "CUDA_R_32F");
	cr_assert_str_eq(ekka_enum_name("cublasGemmAlgo_t", -1), "CUBLAS_GEMM_DEFAULT");
	cr_assert_null(ekka_enum_name("cublasOperation_t", 77));
	cr_assert_null(ekka_enum_name("int", 1));
	cr_assert_null(ekka_enum_name("const float *", 1));
}
