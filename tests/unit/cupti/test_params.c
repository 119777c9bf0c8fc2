/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "cupti/params.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <string.h>

static struct ekka_call call;
static struct ekka_kernel_facts kernel;
static int64_t cut;
static const char *why;

/* What params.c calls. */
void ekka_attr_int(struct ekka_call *c, const char *name, int64_t v)
{
	cr_assert(c == &call && strcmp(name, "cut") == 0);
	cut = v;
}

void ekka_attr_str(struct ekka_call *c, const char *name, const char *text)
{
	cr_assert(c == &call && strcmp(name, "params") == 0);
	why = text;
}

static void begin(unsigned n, const uint32_t (*layout)[2])
{
	memset(&call, 0, sizeof(call));
	memset(&kernel, 0, sizeof(kernel));
	cut = 0;
	why = NULL;
	kernel.layout_known = true;
	kernel.n_params = kernel.kernel.n_args = n;
	for (unsigned i = 0; i < n; i++) {
		kernel.offset[i] = layout[i][0];
		kernel.bytes[i] = layout[i][1];
		kernel.block_bytes = layout[i][0] + layout[i][1];
	}
}

Test(params, small_ones_are_integers_of_their_bits)
{
	uint8_t a = 0xff;
	int16_t b = -2;
	float c = -1.5f;
	int64_t d = -3;

	begin(4, (const uint32_t[][2]){ { 0, 1 }, { 2, 2 }, { 4, 4 }, { 8, 8 } });
	ekka_params_describe(&call, &kernel, (void *[]){ &a, &b, &c, &d }, NULL);
	cr_assert(eq(uint, call.rec.n_args, 4));
	cr_expect(eq(i64, call.args[0].i, 0xff));
	cr_expect(eq(i64, call.args[1].i, 0xfffe));
	cr_expect(eq(i64, call.args[2].i, 0xbfc00000));
	cr_expect(call.args[3].kind == EKKA_V_UINT && call.args[3].u == (uint64_t)-3);
	cr_expect(eq(i64, cut, 0));
}

Test(params, eight_bytes_are_an_address_only_where_one_can_be)
{
	static const struct { uint64_t v; enum ekka_value_kind kind; } t[] = {
		{ 0, EKKA_V_INT }, { 0xffffffff, EKKA_V_INT }, { 0x100000000, EKKA_V_PTR }, { 0x7f63de58b000, EKKA_V_PTR },
		{ ((uint64_t)1 << 57) - 1, EKKA_V_PTR }, { (uint64_t)1 << 57, EKKA_V_INT }, { UINT64_MAX, EKKA_V_UINT },
	};

	for (unsigned i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		begin(1, (const uint32_t[][2]){ { 0, 8 } });
		ekka_params_describe(&call, &kernel, (void *[]){ (void *)(uintptr_t)&t[i].v }, NULL);
		cr_expect(call.args[0].kind == t[i].kind, "%lx is of kind %d", (unsigned long)t[i].v, call.args[0].kind);
		cr_expect(eq(u64, call.args[0].u, t[i].v));
	}
}

Test(params, structures_stay_bytes_where_they_lie)
{
	char s[12] = "hello world";

	begin(1, (const uint32_t[][2]){ { 0, 12 } });
	ekka_params_describe(&call, &kernel, (void *[]){ s }, NULL);
	cr_expect(call.args[0].kind == EKKA_V_BIN && call.args[0].bin.p == (const uint8_t *)s && call.args[0].bin.n == 12);
}

Test(params, a_packed_block_is_taken_apart)
{
	uint32_t block[4] = { 7, 0, 0x1234, 0x5 };
	size_t bytes = sizeof(block);

	begin(2, (const uint32_t[][2]){ { 0, 4 }, { 8, 8 } });
	ekka_params_describe(&call, &kernel, NULL, (void *[]){ CU_LAUNCH_PARAM_BUFFER_SIZE, &bytes, CU_LAUNCH_PARAM_BUFFER_POINTER, block,
							      CU_LAUNCH_PARAM_END });
	cr_expect(eq(i64, call.args[0].i, 7));
	cr_expect(call.args[1].kind == EKKA_V_PTR && call.args[1].u == 0x500001234);
}

Test(params, a_block_that_is_too_short_is_not_read_beyond_its_end)
{
	uint32_t block[3] = { 7, 0, 9 };
	size_t bytes = sizeof(block);

	begin(2, (const uint32_t[][2]){ { 0, 4 }, { 8, 8 } });
	ekka_params_describe(&call, &kernel, NULL, (void *[]){ CU_LAUNCH_PARAM_BUFFER_POINTER, block, CU_LAUNCH_PARAM_BUFFER_SIZE, &bytes,
							      CU_LAUNCH_PARAM_END });
	cr_expect(eq(i64, call.args[0].i, 7));
	cr_expect(call.args[1].kind == EKKA_V_NIL);
	cr_expect(eq(i64, cut, 8));
}

Test(params, what_does_not_fit_is_cut_and_said)
{
	static uint8_t big[6000];

	begin(2, (const uint32_t[][2]){ { 0, 6000 }, { 6000, 6000 } });
	ekka_params_describe(&call, &kernel, (void *[]){ big, big }, NULL);
	cr_expect(eq(u64, call.args[0].bin.n, 6000));
	cr_expect(eq(u64, call.args[1].bin.n, EKKA_PARAMS_BYTES_MAX - 6000));
	cr_expect(eq(i64, cut, 12000 - EKKA_PARAMS_BYTES_MAX));
}

Test(params, more_parameters_than_arguments_are_cut_and_said)
{
	static uint32_t layout[EKKA_MAX_ARGS][2];
	void *params[EKKA_MAX_ARGS];
	uint32_t v = 1;

	for (unsigned i = 0; i < EKKA_MAX_ARGS; i++) {
		layout[i][0] = 4 * i, layout[i][1] = 4;
		params[i] = &v;
	}
	begin(EKKA_MAX_ARGS, layout);
	kernel.n_params += 3;
	kernel.block_bytes += 12;
	ekka_params_describe(&call, &kernel, params, NULL);
	cr_expect(eq(uint, call.rec.n_args, EKKA_MAX_ARGS));
	cr_expect(eq(i64, cut, 12));
}

Test(params, without_a_layout_a_packed_block_is_kept_whole)
{
	uint8_t block[5] = { 1, 2, 3, 4, 5 };
	size_t bytes = sizeof(block);

	begin(0, NULL);
	kernel.layout_known = false;
	ekka_params_describe(&call, &kernel, NULL, (void *[]){ CU_LAUNCH_PARAM_BUFFER_POINTER, block, CU_LAUNCH_PARAM_BUFFER_SIZE, &bytes,
							      CU_LAUNCH_PARAM_END });
	cr_expect(call.rec.n_args == 1 && call.args[0].kind == EKKA_V_BIN && call.args[0].bin.n == 5);
	begin(0, NULL);
	kernel.layout_known = false;
	ekka_params_describe(&call, &kernel, (void *[]){ block }, NULL);
	cr_expect(call.rec.n_args == 0 && why);
}

Test(params, are_located_in_either_form)
{
	struct { uint64_t p; int32_t n; } block = { 1, 2 };
	size_t bytes = sizeof(block.p) + sizeof(block.n), too_short = sizeof(block.p);
	const void *at[EKKA_MAX_ARGS];

	begin(2, (const uint32_t[][2]){ { 0, 8 }, { 8, 4 } });
	cr_expect(ekka_params_locate(&kernel, (void *[]){ &block.p, &block.n }, NULL, at));
	cr_expect(at[0] == &block.p && at[1] == &block.n);
	cr_expect(ekka_params_locate(&kernel, NULL, (void *[]){ CU_LAUNCH_PARAM_BUFFER_POINTER, &block, CU_LAUNCH_PARAM_BUFFER_SIZE, &bytes,
								CU_LAUNCH_PARAM_END }, at));
	cr_expect(at[0] == &block.p && at[1] == &block.n);
	cr_expect(not(ekka_params_locate(&kernel, NULL, (void *[]){ CU_LAUNCH_PARAM_BUFFER_POINTER, &block, CU_LAUNCH_PARAM_BUFFER_SIZE,
								    &too_short, CU_LAUNCH_PARAM_END }, at)));
	cr_expect(at[0] == &block.p && at[1] == NULL);
	cr_expect(not(ekka_params_locate(&kernel, NULL, NULL, at)));
	kernel.layout_known = false;
	cr_expect(not(ekka_params_locate(&kernel, (void *[]){ &block.p, &block.n }, NULL, at)));
}

Test(params, more_than_the_array_holds_are_not_all_there)
{
	const void *at[EKKA_MAX_ARGS];
	void *params[EKKA_MAX_ARGS + 1];
	uint32_t layout[EKKA_MAX_ARGS][2], v = 0;

	for (uint32_t i = 0; i < EKKA_MAX_ARGS; i++)
		layout[i][0] = 4 * i, layout[i][1] = 4, params[i] = &v;
	begin(EKKA_MAX_ARGS, layout);
	cr_expect(ekka_params_locate(&kernel, params, NULL, at));
	kernel.n_params++;
	cr_expect(not(ekka_params_locate(&kernel, params, NULL, at)));
}
