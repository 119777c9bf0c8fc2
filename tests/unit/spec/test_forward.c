/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every generated wrapper hands its arguments and the library's return value on untouched, calls the real function
 * once, and reports to capture in the order that preload/capture.h asks for. All rows, at machine level.
 */
#include "spec/gen/ids.h"
#include "spec/spec.h"
#include "tests/unit/spec/harness.h"

#include <criterion/criterion.h>
#include <string.h>

/* What pointer arguments point to: as integers 1, as floats tiny, as characters invalid. */
static int64_t pool[4096];

/* Hidden length arguments by the function's name; only Fortran has them. */
static unsigned hidden_of(const struct ekka_fn *fn)
{
	if (strcmp(fn->library, "blas") || strstr(fn->name, "dot"))
		return 0;
	return strstr(fn->name, "gemv") ? 1 : 2;
}

/* Distinct arguments for fn, hidden ones included; returns their number. */
static unsigned make_args(const struct ekka_fn *fn, struct raw_arg *args)
{
	unsigned n = fn->n_args + hidden_of(fn);

	for (unsigned i = 0; i < n; i++) {
		unsigned bytes = i < fn->n_args ? word_bytes(fn->args[i].type) : 8;
		double d = 1.5 + i;
		float f = (float)d;

		args[i] = (struct raw_arg){ .how = bytes ? RAW_WORD : RAW_REAL };
		if (i < fn->n_args && strchr(fn->args[i].type, '*'))
			args[i].bits = (uintptr_t)&pool[64 * i];
		else if (bytes == 8)
			args[i].bits = 0x7000000100000000u + i;
		else if (bytes == 4)
			args[i].bits = 0x01000000u + i;
		else
			memcpy(&args[i].bits, !strcmp(fn->args[i].type, "float") ? (void *)&f : (void *)&d,
			       !strcmp(fn->args[i].type, "float") ? 4 : 8);
	}
	return n;
}

/* Compares what the real function got with what was passed. */
static void check_args(const struct ekka_fn *fn, const struct raw_arg *args, unsigned n)
{
	unsigned words = 0, reals = 0, stack = 0;

	for (unsigned i = 0; i < n; i++) {
		unsigned bytes = i < fn->n_args ? word_bytes(fn->args[i].type) : 8;
		uint64_t got, mask = bytes == 4 || (!bytes && !strcmp(fn->args[i].type, "float")) ? UINT32_MAX : UINT64_MAX;

		if (args[i].how == RAW_WORD && words < 6)
			got = raw_seen.word[words++];
		else if (args[i].how == RAW_REAL && reals < 8)
			got = raw_seen.real[reals++];
		else
			got = raw_seen.stack[stack++];
		cr_assert_eq(got & mask, args[i].bits & mask, "%s: argument %u of %u", fn->name, i, n);
	}
}

static void check_ret(const struct ekka_fn *fn, const struct raw_frame *got)
{
	const struct ekka_spec_fn *row = ekka_spec_find(fn->name);
	const struct ekka_value *v = &seen.event[0].ret;
	double d[2];
	float f[2];

	memcpy(d, raw_seen.ret_real, sizeof(d));
	d[1] = strcmp(row->returns, "double _Complex") ? d[1] : 0;
	memcpy(f, raw_seen.ret_real, sizeof(f));
	if (!strcmp(row->returns, "void")) {
		cr_assert(setup.off || !seen.event[0].has_ret);
	} else if (!strcmp(row->returns, "cublasStatus_t") || !strcmp(row->returns, "cudnnStatus_t")) {
		cr_assert_eq((int)got->ret, (int)raw_seen.ret, "%s", fn->name);
		cr_assert(setup.off || (v->kind == EKKA_V_INT && v->i == (int)raw_seen.ret));
	} else if (!strcmp(row->returns, "float")) {
		cr_assert_eq((uint32_t)got->ret_real[0], (uint32_t)raw_seen.ret_real[0], "%s", fn->name);
		cr_assert(setup.off || (v->kind == EKKA_V_REAL && v->r[0] == f[0]));
	} else if (!strcmp(row->returns, "double")) {
		cr_assert_eq(got->ret_real[0], raw_seen.ret_real[0], "%s", fn->name);
		cr_assert(setup.off || (v->kind == EKKA_V_REAL && v->r[0] == d[0]));
	} else if (!strcmp(row->returns, "float _Complex")) {
		cr_assert_eq(got->ret_real[0], raw_seen.ret_real[0], "%s", fn->name);
		cr_assert(setup.off || (v->kind == EKKA_V_COMPLEX && v->r[0] == f[0] && v->r[1] == f[1]));
	} else {
		double im;

		memcpy(&im, &raw_seen.ret_real[2], sizeof(im));
		cr_assert_str_eq(row->returns, "double _Complex");
		cr_assert_eq(got->ret_real[0], raw_seen.ret_real[0], "%s", fn->name);
		cr_assert_eq(got->ret_real[2], raw_seen.ret_real[2], "%s", fn->name);
		cr_assert(setup.off || (v->kind == EKKA_V_COMPLEX && v->r[0] == d[0] && v->r[1] == im));
	}
}

/* Wrappers that only look on: they record no event. */
static bool looks_on(const struct ekka_fn *fn)
{
	return !strcmp(fn->name, "cudnnBackendFinalize") || !strcmp(fn->name, "cudnnBackendSetAttribute") ||
	       !strcmp(fn->name, "cudnnBackendDestroyDescriptor") || !strcmp(fn->library, "cublas_single");
}

static void call_one(unsigned id, bool off, bool no_describe)
{
	const struct ekka_fn *fn = &ekka_fns[id];
	const double re = 3.25, im = -7.5;
	struct raw_arg args[RAW_MAX];
	struct raw_frame got;
	void *wrapper = wrapper_of(fn);
	unsigned n = make_args(fn, args);

	off |= looks_on(fn);
	cr_assert(wrapper, "%s is not exported", fn->name);
	seen_reset();
	setup.off = off;
	setup.no_describe = no_describe;
	memset(&raw_seen, 0, sizeof(raw_seen));
	raw_seen.ret = 0x1234567;
	memcpy(&raw_seen.ret_real[0], &re, 8);
	memcpy(&raw_seen.ret_real[2], &im, 8);
	raw_call(wrapper, args, n, &got);

	cr_assert_eq(seen.n_real, 1u, "%s", fn->name);
	cr_assert_eq(seen.real_fn_id, id, "%s asked for %s", fn->name, ekka_fns[seen.real_fn_id].name);
	check_args(fn, args, n);
	check_ret(fn, &got);
	if (off) {
		cr_assert_eq(seen.n_events, 0u);
		return;
	}
	cr_assert_geq(seen.n_events, 1u);
	for (unsigned i = 0; i < seen.n_events; i++) {
		cr_assert(seen.event[i].begun && seen.event[i].ended, "%s: event %u", fn->name, i);
		cr_assert_eq(seen.event[i].copy.fn_id, id);
	}
	if (!no_describe)
		cr_assert_eq(seen.event[0].copy.rec.n_args, fn->n_args, "%s describes %u arguments of %u", fn->name,
			     seen.event[0].copy.rec.n_args, fn->n_args);
}

static void fill_pool(void)
{
	for (size_t i = 0; i < sizeof(pool) / sizeof(*pool); i++)
		pool[i] = 1;
}

Test(forward, every_wrapper_hands_on_its_arguments_when_nothing_is_recorded, .init = fill_pool)
{
	for (unsigned id = 0; id < ekka_n_fns; id++)
		call_one(id, true, false);
}

Test(forward, every_wrapper_hands_on_its_arguments_when_it_is_recorded, .init = fill_pool)
{
	for (unsigned id = 0; id < ekka_n_fns; id++)
		call_one(id, false, true);
}

Test(forward, every_wrapper_hands_on_its_arguments_when_it_is_described, .init = fill_pool)
{
	for (unsigned id = 0; id < ekka_n_fns; id++)
		call_one(id, false, false);
}

Test(forward, functions_are_in_strcmp_order_and_ids_are_their_places)
{
	for (unsigned id = 1; id < ekka_n_fns; id++)
		cr_assert_lt(strcmp(ekka_fns[id - 1].name, ekka_fns[id].name), 0);
	cr_assert_str_eq(ekka_fns[EKKA_FN_cblas_sgemm].name, "cblas_sgemm");
	cr_assert_str_eq(ekka_fns[EKKA_FN_scipy_dgemm_64_].name, "scipy_dgemm_64_");
	cr_assert_eq((unsigned)EKKA_FN_COUNT, ekka_n_fns);
}

Test(forward, caller_is_the_address_behind_the_call)
{
	struct raw_arg args[RAW_MAX];
	struct raw_frame got;

	fill_pool();
	seen_reset();
	raw_call(wrapper_of(&ekka_fns[EKKA_FN_cblas_sdot]), args, make_args(&ekka_fns[EKKA_FN_cblas_sdot], args), &got);
	cr_assert_gt((uintptr_t)seen.caller, (uintptr_t)raw_stub);
	cr_assert_lt((uintptr_t)seen.caller, (uintptr_t)raw_stub + 4096);
}
