/* SPDX-License-Identifier: Apache-2.0 */
#include "preload/capture.h"
#include "preload/count.h"
#include "preload/snapshot.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <fenv.h>
#include <string.h>
#include <sys/mman.h>

static const struct ekka_fn cpu_fn = { .name = "cblas_sgemm", .library = "cblas", .op = "gemm" };
static const struct ekka_fn gpu_fn = { .name = "cublasSgemm_v2", .library = "cublas", .op = "gemm" };
static struct ekka_call call;

static void begin(const struct ekka_fn *fn)
{
	memset(&call, 0, sizeof(call));
	call.fn = fn;
	call.rec.device = -1;
	call.rec.args = call.args;
}

Test(describe, span_reaches_from_the_lowest_to_behind_the_highest_element)
{
	begin(&cpu_fn);
	int i = ekka_tensor(&call, &(struct ekka_tensor){ .dtype = EKKA_F32, .n_dims = 2, .dim = { 3, 4 }, .stride = { 10, 1 } });
	cr_assert(eq(int, i, 0));
	cr_expect(eq(u64, call.tensors[0].span_bytes, (2 * 10 + 3 + 1) * 4));
	cr_expect(eq(i64, call.tensors[0].offset, 0));
}

Test(describe, a_negative_stride_moves_the_first_element_up)
{
	begin(&cpu_fn);
	ekka_tensor(&call, &(struct ekka_tensor){ .dtype = EKKA_F64, .n_dims = 1, .dim = { 5 }, .stride = { -2 } });
	cr_expect(eq(u64, call.tensors[0].span_bytes, 9 * 8));
	cr_expect(eq(i64, call.tensors[0].offset, 8));
}

Test(describe, items_of_a_pointer_array_are_measured_one_by_one)
{
	begin(&cpu_fn);
	ekka_tensor(&call, &(struct ekka_tensor){ .dtype = EKKA_F32, .n_dims = 3, .dim = { 7, 2, 2 }, .stride = { 0, 2, 1 },
						  .n_ptrs = 7 });
	cr_expect(eq(u64, call.tensors[0].span_bytes, 16));
}

Test(describe, empty_tensors_are_left_out)
{
	begin(&cpu_fn);
	cr_expect(eq(int, ekka_tensor(&call, &(struct ekka_tensor){ .n_dims = 2, .dim = { 3, 0 }, .stride = { 1, 1 } }), -1));
	cr_expect(eq(uint, call.rec.n_tensors, 0));
}

Test(describe, an_extent_that_overflows_is_a_bad_argument)
{
	begin(&cpu_fn);
	cr_expect(eq(int, ekka_tensor(&call, &(struct ekka_tensor){ .dtype = EKKA_F64, .n_dims = 2, .dim = { INT64_MAX, 2 },
								    .stride = { INT64_MAX, 1 } }), -1));
	cr_expect(call.rec.bad_args != NULL);
}

Test(describe, what_has_no_room_is_counted)
{
	struct ekka_count drops[EKKA_COUNT_NAMES];

	begin(&cpu_fn);
	ekka_count_reset();
	for (int i = 0; i < EKKA_MAX_ARGS + 3; i++)
		ekka_arg_int(&call, i);
	cr_expect(eq(uint, call.rec.n_args, EKKA_MAX_ARGS));
	cr_assert(eq(uint, ekka_count_drops(drops), 1));
	cr_expect(eq(u64, drops[0].n, 3));
}

static double scalar(enum ekka_dtype t, const void *p)
{
	begin(&cpu_fn);
	ekka_attr_scalar(&call, "alpha", t, p);
	return call.attrs[0].value.kind == EKKA_V_REAL ? call.attrs[0].value.r[0] : (double)call.attrs[0].value.i;
}

Test(describe, scalars_of_all_types_are_read_exactly)
{
	cr_expect(eq(dbl, scalar(EKKA_F16, &(uint16_t){ 0x3c00 }), 1));
	cr_expect(eq(dbl, scalar(EKKA_F16, &(uint16_t){ 0xfbff }), -65504));
	cr_expect(eq(dbl, scalar(EKKA_F16, &(uint16_t){ 0x0001 }), 0x1p-24));
	cr_expect(eq(dbl, scalar(EKKA_F16, &(uint16_t){ 0x0400 }), 0x1p-14));
	cr_expect(eq(dbl, scalar(EKKA_F16, &(uint16_t){ 0xfc00 }), -__builtin_inf()));
	cr_expect(eq(dbl, scalar(EKKA_BF16, &(uint16_t){ 0x3f80 }), 1));
	cr_expect(eq(dbl, scalar(EKKA_BF16, &(uint16_t){ 0xc040 }), -3));
	cr_expect(eq(dbl, scalar(EKKA_F32, &(float){ 0x1p-149f }), 0x1p-149));
	cr_expect(eq(dbl, scalar(EKKA_F64, &(double){ 0x1.8p-1074 }), 0x1.8p-1074));
	cr_expect(eq(dbl, scalar(EKKA_I32, &(int32_t){ -5 }), -5));
	cr_expect(eq(dbl, scalar(EKKA_U8, &(uint8_t){ 200 }), 200));
	cr_expect(eq(dbl, scalar(EKKA_U32, &(uint32_t){ 4000000000u }), 4e9));
}

Test(describe, zero_is_told_by_bits_without_raising_flags)
{
	const uint32_t signalling = 0x7fa00000;

	begin(&cpu_fn);
	feclearexcept(FE_ALL_EXCEPT);
	cr_expect(ekka_scalar_is_zero(&call, EKKA_F32, &(float){ -0.0f }));
	cr_expect(ekka_scalar_is_zero(&call, EKKA_C64, &(float[2]){ 0.0f, -0.0f }));
	cr_expect(not(ekka_scalar_is_zero(&call, EKKA_C64, &(float[2]){ 0.0f, 1e-40f })));
	cr_expect(not(ekka_scalar_is_zero(&call, EKKA_F32, &signalling)));
	cr_expect(not(ekka_scalar_is_zero(&call, EKKA_I8, &(int8_t){ -128 })));
	cr_expect(not(ekka_scalar_is_zero(&call, EKKA_F32, NULL)));
	cr_expect(eq(int, fetestexcept(FE_ALL_EXCEPT), 0));
}

Test(describe, a_pointer_that_may_be_the_devices_is_not_followed)
{
	void *hole = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	begin(&gpu_fn);
	cr_expect(not(ekka_scalar_is_zero(&call, EKKA_F32, hole)));
	ekka_attr_scalar(&call, "alpha", EKKA_F32, hole);
	cr_expect(eq(int, call.attrs[0].value.kind, EKKA_V_NIL));
	call.device_pointer_mode = true;
	ekka_attr_scalar(&call, "beta", EKKA_F32, hole);
	cr_assert(eq(uint, call.rec.n_tensors, 1));
	cr_expect(eq(int, call.tensors[0].place, EKKA_DEVICE));
	cr_expect(eq(u64, call.tensors[0].span_bytes, 4));
}
