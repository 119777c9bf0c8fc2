/* SPDX-License-Identifier: Apache-2.0 */
/* What wrappers say in the corner cases of their APIs: nothing to read, gaps, invalid arguments, types, pointer modes, groups. */
#include "config.h"
#include "spec/gen/ids.h"
#include "tests/unit/spec/problem.h"

#include <criterion/criterion.h>
#include <string.h>

void cblas_sgemm(int, int, int, int, int, int, float, const float *, int, const float *, int, float, float *, int);
void cblas_sgemv(int, int, int, int, float, const float *, int, const float *, int, float, float *, int);
float cblas_sdot(int, const float *, int, const float *, int);
void cblas_ssyrk(int, int, int, int, int, float, const float *, int, float, float *, int);
void cblas_cherk(int, int, int, int, int, float, const void *, int, float, void *, int);
void cblas_sgemm_batch(int, const int *, const int *, const int *, const int *, const int *, const float *, const float **, const int *,
		       const float **, const int *, const float *, float **, const int *, int, const int *);
void sgemm_batch_64_(const char *, const char *, const int64_t *, const int64_t *, const int64_t *, const float *, const float **,
		     const int64_t *, const float **, const int64_t *, const float *, float **, const int64_t *, const int64_t *,
		     const int64_t *, size_t, size_t);

enum { ROW = 101, COL = 102, NO = 111, TRANS = 112, CONJ = 113, UPPER = 121, LOWER = 122 };

static float a[64], b[64], c[64];

static const struct ekka_call *call_seen(void)
{
	cr_assert_eq(seen.n_events, 1u);
	return &seen.event[0].copy;
}

static void check_matrix(const struct ekka_tensor *t, int64_t rows, int64_t columns, int64_t row_stride, int64_t column_stride)
{
	cr_assert(t);
	cr_assert_eq(t->n_dims, 2u);
	cr_assert(t->dim[0] == rows && t->dim[1] == columns, "%s is [%ld, %ld]", t->name, (long)t->dim[0], (long)t->dim[1]);
	cr_assert(t->stride[0] == row_stride && t->stride[1] == column_stride, "%s has strides [%ld, %ld]", t->name, (long)t->stride[0],
		  (long)t->stride[1]);
}

Test(details, column_major_and_row_major_matrices, .init = seen_reset)
{
	cblas_sgemm(COL, NO, TRANS, 2, 3, 4, 1, a, 5, b, 6, 1, c, 7);
	check_matrix(seen_tensor(call_seen(), "A"), 2, 4, 1, 5);
	check_matrix(seen_tensor(call_seen(), "B"), 4, 3, 6, 1);
	check_matrix(seen_tensor(call_seen(), "C"), 2, 3, 1, 7);
	cr_assert_eq(seen_tensor(call_seen(), "C")->span_bytes, (2 * 7 + 2) * sizeof(float));
	cr_assert_eq(seen_tensor(call_seen(), "A")->addr, (uintptr_t)a);

	seen_reset();
	cblas_sgemm(ROW, NO, TRANS, 2, 3, 4, 1, a, 5, b, 6, 1, c, 7);
	check_matrix(seen_tensor(call_seen(), "A"), 2, 4, 5, 1);
	check_matrix(seen_tensor(call_seen(), "B"), 4, 3, 1, 6);
	check_matrix(seen_tensor(call_seen(), "C"), 2, 3, 7, 1);
}

Test(details, factors_are_not_described_when_alpha_or_k_is_zero, .init = seen_reset)
{
	cblas_sgemm(COL, NO, NO, 2, 3, 4, 0, NULL, 2, NULL, 4, 2, c, 2);
	cr_assert(!seen_tensor(call_seen(), "A") && !seen_tensor(call_seen(), "B"));
	cr_assert_eq(seen_tensor(call_seen(), "C")->dir, EKKA_INOUT);
	seen_reset();
	cblas_sgemm(COL, NO, NO, 2, 3, 0, 1, NULL, 2, NULL, 1, 2, c, 2);
	cr_assert(!seen_tensor(call_seen(), "A") && seen_tensor(call_seen(), "C"));
	seen_reset();
	cblas_sgemm(COL, NO, NO, 0, 3, 4, 1, a, 1, b, 4, 2, c, 1);
	cr_assert_eq(call_seen()->rec.n_tensors, 0u);
	cr_assert_null(call_seen()->rec.bad_args);
}

Test(details, output_is_read_before_only_if_beta_or_gaps_ask_for_it, .init = seen_reset)
{
	cblas_sgemm(COL, NO, NO, 2, 3, 4, 1, a, 2, b, 4, 0, c, 2);
	cr_assert_eq(seen_tensor(call_seen(), "C")->dir, EKKA_OUT);
	cr_assert(!seen_tensor(call_seen(), "C")->pre && seen_tensor(call_seen(), "C")->post);
	seen_reset();
	cblas_sgemm(COL, NO, NO, 2, 3, 4, 1, a, 2, b, 4, 0, c, 3);
	cr_assert_eq(seen_tensor(call_seen(), "C")->dir, EKKA_OUT);
	cr_assert(seen_tensor(call_seen(), "C")->pre);
	seen_reset();
	cblas_sgemm(COL, NO, NO, 2, 3, 4, 1, a, 2, b, 4, 1, c, 2);
	cr_assert_eq(seen_tensor(call_seen(), "C")->dir, EKKA_INOUT);
	cr_assert(seen_tensor(call_seen(), "C")->pre);
	seen_reset();
	cblas_ssyrk(COL, LOWER, NO, 3, 2, 1, a, 3, 0, c, 3);
	cr_assert(seen_tensor(call_seen(), "C")->pre, "the other triangle must be compared");
}

Test(details, negative_increment_starts_at_the_far_end, .init = seen_reset)
{
	const struct ekka_tensor *x;

	cblas_sgemv(COL, NO, 2, 3, 1, a, 2, b, -4, 0, c, 1);
	x = seen_tensor(call_seen(), "x");
	check_matrix(x, 3, 1, -4, 1);
	cr_assert_eq(x->offset, 8);
	cr_assert_eq(x->addr, (uintptr_t)b);
	cr_assert_eq(x->span_bytes, 9 * sizeof(float));
	cr_assert(!seen_tensor(call_seen(), "y")->pre);
	seen_reset();
	cblas_sgemv(COL, NO, 2, 3, 1, a, 2, b, 1, 0, c, 2);
	cr_assert(seen_tensor(call_seen(), "y")->pre, "elements between those of y");
}

Test(details, gemv_without_columns_leaves_y_alone, .init = seen_reset)
{
	cblas_sgemv(COL, NO, 2, 0, 1, a, 2, b, 1, 3, c, 1);
	cr_assert_eq(call_seen()->rec.n_tensors, 0u);
}

Test(details, dot_of_nothing_has_only_a_result, .init = seen_reset)
{
	cblas_sdot(0, NULL, 1, NULL, 1);
	cr_assert_eq(call_seen()->rec.n_tensors, 1u);
	check_matrix(seen_tensor(call_seen(), "result"), 1, 1, 1, 1);
}

Test(details, rank_k_update_views_one_factor_twice, .init = seen_reset)
{
	const struct ekka_call *call;

	cblas_cherk(ROW, UPPER, CONJ, 3, 2, 1, a, 4, 1, c, 5);
	call = call_seen();
	check_matrix(seen_tensor(call, "A"), 3, 2, 1, 4);
	check_matrix(seen_tensor(call, "B"), 2, 3, 4, 1);
	cr_assert_eq(seen_tensor(call, "B")->alias_of, 0);
	cr_assert_eq(seen_tensor(call, "A")->alias_of, -1);
	cr_assert(seen_attr_int(call, "conja") == 1 && seen_attr_int(call, "conjb") == 0 && seen_attr_int(call, "hermitian") == 1);
	cr_assert_str_eq(seen_attr(call, "uplo")->s, "upper");
}

Test(details, invalid_arguments_are_said_and_nothing_is_described)
{
	static const struct { const char *why; int order, ta, tb, m, n, k, lda, ldb, ldc; } bad[] = {
		{ "the layout is neither 101 nor 102", 0, NO, NO, 2, 3, 4, 9, 9, 9 },
		{ "transa is not 111 to 114", COL, 110, NO, 2, 3, 4, 9, 9, 9 },
		{ "transb is not 111 to 114", COL, NO, 115, 2, 3, 4, 9, 9, 9 },
		{ "a dimension is negative", COL, NO, NO, -1, 3, 4, 9, 9, 9 },
		{ "a dimension is negative", COL, NO, NO, 2, 3, -1, 9, 9, 9 },
		{ "lda is too small", COL, NO, NO, 2, 3, 4, 1, 9, 9 },
		{ "lda is too small", COL, TRANS, NO, 2, 3, 4, 3, 9, 9 },
		{ "lda is too small", ROW, NO, NO, 2, 3, 4, 3, 9, 9 },
		{ "ldb is too small", COL, NO, NO, 2, 3, 4, 2, 3, 9 },
		{ "ldb is too small", ROW, NO, TRANS, 2, 3, 4, 4, 3, 9 },
		{ "ldc is too small", COL, NO, NO, 2, 3, 4, 2, 4, 1 },
		{ "ldc is too small", ROW, NO, NO, 2, 3, 4, 4, 3, 2 },
		{ "lda is too small", COL, NO, NO, 0, 3, 4, 0, 9, 9 },
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		seen_reset();
		cblas_sgemm(bad[i].order, bad[i].ta, bad[i].tb, bad[i].m, bad[i].n, bad[i].k, 1, NULL, bad[i].lda, NULL, bad[i].ldb, 1, NULL,
			    bad[i].ldc);
		cr_assert(call_seen()->rec.bad_args, "case %zu is taken", i);
		cr_assert_str_eq(call_seen()->rec.bad_args, bad[i].why);
		cr_assert_eq(call_seen()->rec.n_tensors, 0u);
		cr_assert_eq(call_seen()->rec.n_args, 14u);
	}
}

/* ---- groups --------------------------------------------------------------- */

Test(details, groups_are_events_of_one_call, .init = seen_reset)
{
	const int ta[] = { NO, TRANS, NO }, m[] = { 2, 3, 4 }, n[] = { 5, 6, 7 }, k[] = { 1, 2, 3 }, ld[] = { 10, 11, 12 }, size[] = { 2, 0, 3 };
	const float alpha[] = { 1, 2, 0 }, beta[] = { 0, 1, 2 }, *pa[5] = { a }, *pb[5] = { b };
	float *pc[5] = { c };

	cblas_sgemm_batch(COL, ta, ta, m, n, k, alpha, pa, ld, pb, ld, beta, pc, ld, 3, size);
	cr_assert_eq(seen.n_events, 3u);
	cr_assert_eq(seen.n_real, 1u);
	for (unsigned g = 0; g < 3; g++) {
		cr_assert_eq(seen.event[g].copy.rec.group, g);
		cr_assert_eq(seen.event[g].begun, g + 1);
		cr_assert_eq(seen.event[g].ended, 6 - g, "the first event ends last");
		cr_assert_eq(seen.event[g].copy.rec.n_args, 16u);
		cr_assert_eq(seen_attr(&seen.event[g].copy, "alpha")->r[0], alpha[g]);
		cr_assert_eq(seen_attr(&seen.event[g].copy, "beta")->r[0], beta[g]);
	}
	const struct ekka_tensor *t = seen_tensor(&seen.event[0].copy, "A");

	cr_assert(t->n_dims == 3 && t->dim[0] == 2 && t->dim[1] == 2 && t->dim[2] == 1);
	cr_assert(t->stride[0] == 0 && t->stride[1] == 1 && t->stride[2] == 10);
	cr_assert(t->n_ptrs == 2 && t->addr == (uintptr_t)pa && t->span_bytes == 2 * sizeof(float));
	cr_assert_eq(seen.event[1].copy.rec.n_tensors, 0u, "an empty group has no tensors");
	cr_assert_eq(seen.event[2].copy.rec.n_tensors, 1u, "alpha is 0");
	t = seen_tensor(&seen.event[2].copy, "C");
	cr_assert(t->n_ptrs == 3 && t->addr == (uintptr_t)(pc + 2) && t->dir == EKKA_INOUT);
	cr_assert_eq(seen.dropped_parts, 0u);
}

Test(details, groups_beyond_the_limit_are_counted, .init = seen_reset)
{
	enum { GROUPS = 35 };
	char t[GROUPS];
	int64_t one[GROUPS], groups = GROUPS;
	float alpha[GROUPS];
	const float *pa[GROUPS] = { a };
	float *pc[GROUPS] = { c };

	for (int i = 0; i < GROUPS; i++) {
		t[i] = 'n';
		one[i] = 1;
		alpha[i] = 1;
	}
	sgemm_batch_64_(t, t, one, one, one, alpha, pa, one, pa, one, alpha, pc, one, &groups, one, 1, 1);
	cr_assert_eq(seen.n_events, 32u);
	cr_assert_eq(seen.dropped_parts, 3u);
	for (unsigned g = 0; g < 32; g++) {
		cr_assert(seen.event[g].ended);
		cr_assert_eq(seen_tensor(&seen.event[g].copy, "A")->addr, (uintptr_t)(pa + g));
		cr_assert_eq(seen_tensor(&seen.event[g].copy, "B")->addr, (uintptr_t)(pa + g));
		cr_assert_eq(seen_tensor(&seen.event[g].copy, "C")->addr, (uintptr_t)(pc + g));
	}
	groups = 0;
	seen_reset();
	sgemm_batch_64_(NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, &groups, NULL, 1, 1);
	cr_assert_str_eq(call_seen()->rec.bad_args, "there is no group");
}

Test(details, batch_strides_are_in_elements_and_may_be_zero)
{
	const struct ekka_fn *fn = &ekka_fns[EKKA_FN_cblas_dgemm_batch_strided];
	struct problem p = problem_random(fn, 1);
	struct raw_arg args[RAW_MAX];
	struct raw_frame got;
	const struct ekka_tensor *t;

	p.batch = 3;
	p.pad_c = 0;
	seen_reset();
	raw_call(wrapper_of(fn), args, problem_args(&p, fn, args), &got);
	t = seen_tensor(call_seen(), "C");
	cr_assert(t->n_dims == 3 && t->dim[0] == 3 && t->stride[0] == PROBLEM_STRIDE && !t->n_ptrs);
	cr_assert(t->dir == EKKA_OUT && t->pre, "bytes between the items are compared");
}

#ifdef HAVE_CUDA
/* ---- cuBLAS ------------------------------------------------------------------ */

static const struct ekka_call *cublas(unsigned id, const struct problem *p)
{
	struct raw_arg args[RAW_MAX];
	struct raw_frame got;

	raw_call(wrapper_of(&ekka_fns[id]), args, problem_args(p, &ekka_fns[id], args), &got);
	return call_seen();
}

static struct problem some_problem(void)
{
	return (struct problem){ .m = 2, .n = 3, .k = 4, .batch = 5, .incx = 1, .incy = 1, .alpha = { 1 }, .beta = { 1 } };
}

Test(details, cublas_scalars_on_the_device_are_tensors, .init = seen_reset)
{
	struct problem p = some_problem();
	const struct ekka_call *call;

	p.beta[0] = 0;	/* not known to the wrapper */
	setup.device_pointer_mode = true;
	call = cublas(EKKA_FN_cublasSgemm_v2, &p);
	cr_assert_eq(call->rec.n_tensors, 5u);
	cr_assert_str_eq(call->tensors[0].name, "alpha");
	cr_assert_str_eq(call->tensors[1].name, "beta");
	cr_assert_null(seen_attr(call, "alpha"));
	cr_assert_eq(seen_tensor(call, "C")->dir, EKKA_INOUT);
	cr_assert(seen_tensor(call, "C")->pre);
	cr_assert_eq(seen.handle, mem_c, "the handle reaches the context");
}

Test(details, cublas_dot_writes_where_the_pointer_mode_says, .init = seen_reset)
{
	struct problem p = some_problem();

	cr_assert_eq(seen_tensor(cublas(EKKA_FN_cublasSdot_v2, &p), "result")->place, EKKA_HOST);
	seen_reset();
	setup.device_pointer_mode = true;
	cr_assert_eq(seen_tensor(cublas(EKKA_FN_cublasSdot_v2, &p), "result")->place, EKKA_DEVICE);
}

Test(details, cublas_pointer_arrays_lie_on_the_device)
{
	static const unsigned ids[] = { EKKA_FN_cublasSgemmBatched, EKKA_FN_cublasGemmBatchedEx_64, EKKA_FN_cublasHSHgemvBatched };
	struct problem p = some_problem();

	for (size_t i = 0; i < sizeof(ids) / sizeof(*ids); i++) {
		const struct ekka_call *call;

		seen_reset();
		call = cublas(ids[i], &p);
		cr_assert_null(call->rec.bad_args, "%s", ekka_fns[ids[i]].name);
		cr_assert_eq(call->rec.n_tensors, 3u);
		for (unsigned j = 0; j < 3; j++) {
			cr_assert(call->tensors[j].n_ptrs == 5 && call->tensors[j].dim[0] == 5 && call->tensors[j].stride[0] == 0);
			cr_assert_eq(call->tensors[j].place, EKKA_DEVICE);
		}
	}
}

Test(details, gemm_ex_types_come_from_its_arguments)
{
	static const struct { int a, c, compute; enum ekka_dtype ta, tc, scale; const char *name; } rows[] = {
		{ 14, 14, 68, EKKA_BF16, EKKA_BF16, EKKA_F32, "f32" },
		{ 2, 2, 64, EKKA_F16, EKKA_F16, EKKA_F16, "f16" },
		{ 2, 0, 68, EKKA_F16, EKKA_F32, EKKA_F32, "f32" },
		{ 0, 0, 77, EKKA_F32, EKKA_F32, EKKA_F32, "tf32" },
		{ 0, 0, 78, EKKA_F32, EKKA_F32, EKKA_F32, "bf16x9" },
		{ 0, 0, 74, EKKA_F32, EKKA_F32, EKKA_F32, "f32_fast_16f" },
		{ 0, 0, 0, EKKA_F32, EKKA_F32, EKKA_F32, "f32" },
		{ 1, 1, 70, EKKA_F64, EKKA_F64, EKKA_F64, "f64" },
		{ 3, 10, 72, EKKA_I8, EKKA_I32, EKKA_I32, "i32" },
		{ 4, 4, 68, EKKA_C64, EKKA_C64, EKKA_C64, "f32" },
		{ 5, 5, 71, EKKA_C128, EKKA_C128, EKKA_C128, "f64_pedantic" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct problem p = some_problem();
		const struct ekka_call *call;

		p.cuda_type[0] = p.cuda_type[1] = rows[i].a;
		p.cuda_type[2] = rows[i].c;
		p.compute = rows[i].compute;
		seen_reset();
		setup.device_pointer_mode = true;	/* so that the scalars' dtype shows */
		call = cublas(EKKA_FN_cublasGemmEx, &p);
		cr_assert_null(call->rec.bad_args, "row %zu: %s", i, call->rec.bad_args);
		cr_assert_eq(seen_tensor(call, "A")->dtype, rows[i].ta);
		cr_assert_eq(seen_tensor(call, "C")->dtype, rows[i].tc);
		cr_assert_eq(seen_tensor(call, "alpha")->dtype, rows[i].scale, "row %zu", i);
		cr_assert_eq(seen_tensor(call, "beta")->dtype, rows[i].scale, "row %zu", i);
		cr_assert_str_eq(seen_attr(call, "compute")->s, rows[i].name);
		cr_assert_eq(seen_attr(call, "algo")->i, -1);
	}
}

Test(details, types_without_a_description_are_said)
{
	struct problem p = some_problem();

	p.cuda_type[1] = 33;	/* CUDA_R_4F_E2M1 */
	seen_reset();
	cr_assert_str_eq(cublas(EKKA_FN_cublasGemmEx, &p)->rec.bad_args, "a data type is not one that ekkatrace describes");
	p = some_problem();
	p.compute = 12345;
	seen_reset();
	cr_assert_str_eq(cublas(EKKA_FN_cublasGemmEx, &p)->rec.bad_args, "the compute type is not one that ekkatrace describes");
}

Test(details, mixed_gemv_types)
{
	struct problem p = some_problem();
	const struct ekka_call *call;

	seen_reset();
	call = cublas(EKKA_FN_cublasTSSgemvStridedBatched, &p);
	cr_assert_eq(seen_tensor(call, "A")->dtype, EKKA_BF16);
	cr_assert_eq(seen_tensor(call, "x")->dtype, EKKA_BF16);
	cr_assert_eq(seen_tensor(call, "y")->dtype, EKKA_F32);
	cr_assert_str_eq(seen_attr(call, "compute")->s, "f32");
	seen_reset();
	call = cublas(EKKA_FN_cublasHgemm, &p);
	cr_assert_str_eq(seen_attr(call, "compute")->s, "f16");
}

Test(details, herkx_has_two_factors_of_one_shape, .init = seen_reset)
{
	struct problem p = some_problem();
	const struct ekka_call *call;

	p.opa = OP_C;
	call = cublas(EKKA_FN_cublasCherkx, &p);
	cr_assert_null(call->rec.bad_args);
	check_matrix(seen_tensor(call, "A"), 3, 4, 4, 1);
	check_matrix(seen_tensor(call, "B"), 4, 3, 1, 4);
	cr_assert_eq(seen_tensor(call, "B")->alias_of, -1);
	cr_assert_eq(seen_attr_int(call, "conja"), 1);
}

Test(details, products_by_three_multiplications_are_marked)
{
	struct problem p = some_problem();

	seen_reset();
	cr_assert_eq(seen_attr_int(cublas(EKKA_FN_cublasCgemm3m, &p), "3m"), 1);
	seen_reset();
	cr_assert_null(seen_attr(cublas(EKKA_FN_cublasCgemm_v2, &p), "3m"));
}
#endif
