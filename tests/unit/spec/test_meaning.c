/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a wrapper says of a call is what the library computes: for random problems, C = alpha A B + beta C evaluated from
 * the described tensors and attributes alone equals what OpenBLAS leaves in memory. Spellings that OpenBLAS lacks must
 * describe the same problem as one that it has.
 */
#include "spec/gen/ids.h"
#include "tests/unit/spec/problem.h"

#include <complex.h>
#include <criterion/criterion.h>
#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

enum { ROUNDS = 60, MAX_OUT = 256 };

static void *item(const struct ekka_tensor *t, const int64_t *index)
{
	char *base = t->n_ptrs ? ((char **)t->addr)[index[0]] : (char *)t->addr;
	int64_t at = t->offset;

	for (unsigned d = 0; d < t->n_dims; d++)
		at += index[d] * t->stride[d];
	cr_assert_geq(at, 0);
	cr_assert_leq((uint64_t)(at + 1) * ekka_dtype_bytes(t->dtype), t->span_bytes);
	return base + at * (int64_t)ekka_dtype_bytes(t->dtype);
}

static double complex load(const struct ekka_tensor *t, const int64_t *index)
{
	const void *p = item(t, index);

	switch (t->dtype) {
	case EKKA_F32: return *(const float *)p;
	case EKKA_F64: return *(const double *)p;
	case EKKA_C64: return *(const float complex *)p;
	case EKKA_C128: return *(const double complex *)p;
	default: cr_assert_fail("dtype %s", ekka_dtype_name(t->dtype)); return 0;
	}
}

static double complex attr_number(const struct ekka_call *call, const char *name)
{
	const struct ekka_value *v = seen_attr(call, name);

	cr_assert(v && (v->kind == EKKA_V_REAL || v->kind == EKKA_V_COMPLEX), "%s: %s", call->fn->name, name);
	return v->kind == EKKA_V_REAL ? v->r[0] : v->r[0] + v->r[1] * I;
}

/* The output and the factors (NULL when absent) of a described call. */
static const struct ekka_tensor *roles(const struct ekka_call *call, const struct ekka_tensor **a, const struct ekka_tensor **b)
{
	const struct ekka_tensor *c = NULL;

	*a = *b = NULL;
	for (unsigned i = 0; i < call->rec.n_tensors; i++) {
		const struct ekka_tensor *t = &call->tensors[i];

		if (t->dir & EKKA_OUT)
			c = t;
		else if (!*a)
			*a = t;
		else
			*b = t;
	}
	return c;
}

static double complex expected[MAX_OUT];
static double scale[MAX_OUT];		/* sum of absolute values that went into it */

static bool written(const struct ekka_call *call, int64_t i, int64_t j)
{
	const struct ekka_value *uplo = seen_attr(call, "uplo");

	return !uplo || i == j || (i > j) == !strcmp(uplo->s, "lower");
}

static double complex element(const struct ekka_call *call, const struct ekka_tensor *a, const struct ekka_tensor *b,
			      const struct ekka_tensor *c, const int64_t *at, double *size)
{
	unsigned d = c->n_dims - 2;	/* first matrix dimension */
	double complex sum = 0, value = 0;

	for (int64_t l = 0; a && l < a->dim[d + 1]; l++) {
		int64_t ia[3] = { at[0], d ? at[1] : l, l }, ib[3] = { d ? at[0] : l, d ? l : at[1], at[2] };
		double complex va = load(a, ia), vb = load(b, ib);

		sum += (seen_attr_int(call, "conja") ? conj(va) : va) * (seen_attr_int(call, "conjb") ? conj(vb) : vb);
		*size += cabs(va) * cabs(vb);
	}
	value = attr_number(call, "alpha") * sum;
	*size = *size * cabs(attr_number(call, "alpha")) + 1;
	if (c->dir == EKKA_INOUT) {
		double complex old = load(c, at);

		if (seen_attr_int(call, "hermitian") && at[d] == at[d + 1])
			old = creal(old);
		value += attr_number(call, "beta") * old;
		*size += cabs(old) * cabs(attr_number(call, "beta"));
	}
	return value;
}

static void evaluate(struct seen_event *e)
{
	const struct ekka_call *call = &e->copy;
	const struct ekka_tensor *a, *b, *c = roles(call, &a, &b);
	int64_t at[3] = { 0 }, n = 0;

	cr_assert(c && !call->rec.bad_args, "%s: %s", call->fn->name, call->rec.bad_args ? call->rec.bad_args : "no output");
	cr_assert_eq(!a, !b);
	cr_assert(c->post);
	cr_assert(c->dir == EKKA_OUT || c->pre);
	if (b && b->alias_of >= 0)
		cr_assert(!b->pre && b->addr == a->addr && call->tensors[b->alias_of].pre);
	for (int64_t p = 0; p < (c->n_dims == 3 ? c->dim[0] : 1); p++)
		for (int64_t i = 0; i < c->dim[c->n_dims - 2]; i++)
			for (int64_t j = 0; j < c->dim[c->n_dims - 1]; j++, n++) {
				unsigned d = c->n_dims - 2;

				at[0] = p;
				at[d] = i;
				at[d + 1] = j;
				scale[n] = 0;
				expected[n] = written(call, i, j) ? element(call, a, b, c, at, &scale[n]) : load(c, at);
			}
}

static void compare(struct seen_event *e)
{
	const struct ekka_call *call = &e->copy;
	const struct ekka_tensor *a, *b, *c = roles(call, &a, &b);
	double unit;
	int64_t at[3] = { 0 }, n = 0;

	cr_assert(c);
	unit = c->dtype == EKKA_F64 || c->dtype == EKKA_C128 ? 1e-14 : 1e-5;
	if (a && a->dtype == EKKA_F32)
		unit = 1e-5;
	for (int64_t p = 0; p < (c->n_dims == 3 ? c->dim[0] : 1); p++)
		for (int64_t i = 0; i < c->dim[c->n_dims - 2]; i++)
			for (int64_t j = 0; j < c->dim[c->n_dims - 1]; j++, n++) {
				unsigned d = c->n_dims - 2;
				double complex got;

				at[0] = p;
				at[d] = i;
				at[d + 1] = j;
				got = load(c, at);
				cr_assert_leq(cabs(got - expected[n]), unit * scale[n], "%s [%ld %ld %ld]: %g%+gi, described as %g%+gi",
					      call->fn->name, (long)p, (long)i, (long)j, creal(got), cimag(got), creal(expected[n]),
					      cimag(expected[n]));
			}
}

static void *openblas(const char *symbol)
{
	static void *lib;

	if (!lib)
		lib = dlopen("libopenblas.so.0", RTLD_NOW | RTLD_LOCAL);
	cr_assert(lib, "%s", dlerror());
	return dlsym(lib, symbol);
}

/* Runs one problem through a wrapper. */
static void run(const struct ekka_fn *fn, const struct problem *p, void *real, bool judge)
{
	struct raw_arg args[RAW_MAX];
	struct raw_frame got;
	unsigned n = problem_args(p, fn, args);

	seen_reset();
	setup.real = real;
	setup.on_begin = judge ? evaluate : NULL;
	setup.on_end = judge ? compare : NULL;
	raw_call(wrapper_of(fn), args, n, &got);
	cr_assert_eq(seen.n_events, 1u);
}

Test(meaning, described_problems_are_what_openblas_computes)
{
	unsigned functions = 0;

	for (unsigned id = 0; id < ekka_n_fns; id++) {
		const struct ekka_fn *fn = &ekka_fns[id];
		void *real = !strcmp(fn->library, "cublas") ? NULL : openblas(fn->name);

		if (!real)
			continue;
		functions++;
		for (unsigned round = 0; round < ROUNDS; round++) {
			struct problem p = problem_random(fn, round);

			problem_fill(problem_in_dtype(fn));
			run(fn, &p, real, true);
		}
	}
	/* s d c z gemm gemv, four syrk, two herk, two gemm3m, sdot ddot dsdot and four complex dots; also as _sub in C. */
	cr_assert_geq(functions, 2u * 23u + 4u);
}

/* ---- spellings that are not in this OpenBLAS -------------------------------- */

/* The Fortran or plain C name of the same problem; false when there is none. */
static bool plain_name(const char *name, char *ret, size_t size)
{
	static const struct { const char *from, *to; } ex[] = {
		{ "cublasGemmEx", "sgemm_" }, { "cublasSgemmEx", "sgemm_" }, { "cublasDotEx", "sdot_" },
		{ "cublasGemmStridedBatchedEx", "sgemm_batch_strided_" },
	};
	char base[64];
	size_t len;

	snprintf(base, sizeof(base), "%s", name + (strncmp(name, "scipy_", 6) ? 0 : 6));
	len = strlen(base);
	if (len > 3 && !strcmp(base + len - 3, "_64"))
		base[len - 3] = '\0';
	else if (len > 3 && !strcmp(base + len - 3, "64_"))
		base[len - 3] = '\0';
	for (size_t i = 0; i < sizeof(ex) / sizeof(*ex); i++)
		if (!strcmp(base, ex[i].from)) {
			snprintf(ret, size, "%s", ex[i].to);
			return true;
		}
	if (strncmp(base, "cublas", 6)) {
		snprintf(ret, size, "%s", base);
		return strcmp(ret, name);
	}
	if (!strchr("SDCZ", base[6]) || strstr(base, "Ex") || strstr(base, "rkx"))
		return false;
	len = strlen(base);
	if (!strcmp(base + len - 3, "_v2"))
		base[len - 3] = '\0';
	else if (strlen(base) > 18 && strstr(base, "gemmStridedBatched"))
		strcpy(strstr(base, "gemmStridedBatched"), "gemm_batch_strided");
	else if (!strstr(base, "gemm3m") || strstr(base, "atched"))
		return false;
	snprintf(ret, size, "%c%s_", base[6] - 'A' + 'a', base + 7);
	return true;
}

static const struct ekka_fn *find_fn(const char *name)
{
	for (unsigned id = 0; id < ekka_n_fns; id++)
		if (!strcmp(ekka_fns[id].name, name))
			return &ekka_fns[id];
	return NULL;
}

static void check_same_value(const struct ekka_call *a, const struct ekka_call *b, const char *name)
{
	const struct ekka_value *x = seen_attr(a, name), *y = seen_attr(b, name);

	cr_assert_eq(!x, !y, "%s against %s: %s", a->fn->name, b->fn->name, name);
	if (!x)
		return;
	cr_assert_eq(x->kind, y->kind, "%s: %s", a->fn->name, name);
	if (x->kind == EKKA_V_STR)
		cr_assert_str_eq(x->s, y->s);
	else
		cr_assert_eq(memcmp(&x->i, &y->i, x->kind == EKKA_V_COMPLEX ? 16 : 8), 0, "%s: %s", a->fn->name, name);
}

static void check_same(const struct ekka_call *a, const struct ekka_call *b)
{
	static const char *const names[] = { "alpha", "beta", "conja", "conjb", "compute", "uplo", "hermitian", "3m" };

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		check_same_value(a, b, names[i]);
	cr_assert_eq(a->rec.n_tensors, b->rec.n_tensors, "%s against %s", a->fn->name, b->fn->name);
	for (unsigned i = 0; i < a->rec.n_tensors; i++) {
		const struct ekka_tensor *x = &a->tensors[i], *y = &b->tensors[i];
		bool own_variable = !strcmp(x->name, "result");	/* a returned value against one in memory */

		cr_assert_str_eq(x->name, y->name);
		cr_assert(x->dir == y->dir && x->dtype == y->dtype && x->n_dims == y->n_dims && x->pre == y->pre && x->post == y->post,
			  "%s against %s: %s", a->fn->name, b->fn->name, x->name);
		cr_assert(x->alias_of == y->alias_of && x->offset == y->offset && (x->addr == y->addr || own_variable) &&
			  x->n_ptrs == y->n_ptrs && x->span_bytes == y->span_bytes, "%s against %s: %s", a->fn->name, b->fn->name, x->name);
		for (unsigned d = 0; d < x->n_dims; d++)
			cr_assert(x->dim[d] == y->dim[d] && x->stride[d] == y->stride[d], "%s against %s: %s, dimension %u", a->fn->name,
				  b->fn->name, x->name, d);
	}
}

Test(meaning, other_spellings_describe_the_same_problem)
{
	static struct ekka_call plain;
	unsigned functions = 0;
	char name[64];

	for (unsigned id = 0; id < ekka_n_fns; id++) {
		const struct ekka_fn *fn = &ekka_fns[id], *base;

		if (strstr(fn->name, "gemm_batch") && !strstr(fn->name, "strided"))
			continue;	/* test_groups.c */
		if (!strcmp(fn->library, "cublas_single"))
			continue;	/* settings */
		if (!plain_name(fn->name, name, sizeof(name)))
			continue;
		base = find_fn(name);
		cr_assert(base, "%s: no %s", fn->name, name);
		functions++;
		for (unsigned round = 0; round < ROUNDS; round++) {
			struct problem p = problem_random(fn, round);
			bool device = !strcmp(fn->library, "cublas");

			problem_fill(problem_in_dtype(fn));
			run(base, &p, (void *)raw_stub, false);
			plain = seen.event[0].copy;
			run(fn, &p, (void *)raw_stub, false);
			check_same(&seen.event[0].copy, &plain);
			for (unsigned i = 0; i < plain.rec.n_tensors; i++)
				if (strcmp(plain.tensors[i].name, "result"))
					cr_assert_eq(seen.event[0].copy.tensors[i].place, device ? EKKA_DEVICE : EKKA_HOST, "%s", fn->name);
		}
	}
	cr_assert_geq(functions, 150u);
}
