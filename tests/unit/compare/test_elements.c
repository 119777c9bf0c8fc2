/* SPDX-License-Identifier: Apache-2.0 */
/* What passes element by element, what does not, and what is said about it. */
#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

#include "compare/elements.h"

static struct ekka_tensor tensor(enum ekka_dtype dtype, unsigned n_dims, int64_t a, int64_t b)
{
	return (struct ekka_tensor){ .name = "y", .dir = EKKA_OUT, .dtype = dtype, .n_dims = n_dims, .dim = { a, b }, .alias_of = -1 };
}

static struct ekka_verdict judge(enum ekka_dtype dtype, size_t n, const double *out, const double *ref, const double *bound, bool saturates)
{
	struct ekka_tensor t = tensor(dtype, 1, (int64_t)n, 0);
	struct ekka_elements *e = ekka_elements_new();
	struct ekka_verdict v = { .margin = NAN };

	ekka_elements_output(e, &t);
	ekka_elements_add(e, 0, n, out, ref, bound, saturates);
	ekka_elements_verdict(e, "test", &v);
	ekka_elements_free(e);
	return v;
}

static enum ekka_status one(enum ekka_dtype dtype, double out, double ref, double bound)
{
	return judge(dtype, 1, &out, &ref, &bound, false).status;
}

Test(elements, half_an_ulp_is_allowed_and_no_more)
{
	static const struct { enum ekka_dtype t; double ulp, tiny; } formats[] = {
		{ EKKA_F64, 0x1p-52, 0x1p-1074 }, { EKKA_F32, 0x1p-23, 0x1p-149 }, { EKKA_F16, 0x1p-10, 0x1p-24 },
		{ EKKA_BF16, 0x1p-7, 0x1p-133 }, { EKKA_E4M3, 0x1p-3, 0x1p-9 }, { EKKA_E5M2, 0x1p-2, 0x1p-16 },
	};

	for (size_t i = 0; i < sizeof formats / sizeof formats[0]; i++) {
		double u = formats[i].ulp, tiny = formats[i].tiny;

		cr_expect_eq(one(formats[i].t, 1 + u, 1, 0), EKKA_FAIL, "%zu", i);
		cr_expect_eq(one(formats[i].t, 1, 1, 0), EKKA_PASS);
		cr_expect_eq(one(formats[i].t, 1 - u / 2, 1, 0), EKKA_FAIL, "below a power of 2 the neighbour is half as far");
		cr_expect_eq(one(formats[i].t, 1 + u, 1, u), EKKA_PASS);
		cr_expect_eq(one(formats[i].t, 1 + 3 * u, 1, u), EKKA_FAIL);
		cr_expect_eq(one(formats[i].t, 3 * tiny, tiny, 0), EKKA_FAIL);
		if (formats[i].t == EKKA_F64)
			continue;
		cr_expect_eq(one(formats[i].t, 1 + u, 1 + u / 2, 0), EKKA_PASS, "a tie may go either way");
		cr_expect_eq(one(formats[i].t, 1 + u, 1 + 0.49 * u, 0), EKKA_FAIL);
		cr_expect_eq(one(formats[i].t, tiny, tiny / 2, 0), EKKA_PASS);
		cr_expect_eq(one(formats[i].t, 0, tiny * 0.51, 0), EKKA_FAIL);
	}
	cr_expect_eq(one(EKKA_I32, 4, 3, 0), EKKA_FAIL);
	cr_expect_eq(one(EKKA_I32, 4, 3, 1), EKKA_PASS);
}

Test(elements, nan_and_infinity_must_agree)
{
	cr_expect_eq(one(EKKA_F32, NAN, NAN, 0), EKKA_PASS);
	cr_expect_eq(one(EKKA_F32, NAN, 1, 0), EKKA_FAIL);
	cr_expect_eq(one(EKKA_F32, 1, NAN, 0), EKKA_FAIL);
	cr_expect_eq(one(EKKA_F32, INFINITY, INFINITY, 0), EKKA_PASS);
	cr_expect_eq(one(EKKA_F32, -INFINITY, INFINITY, 0), EKKA_FAIL);
	cr_expect_eq(one(EKKA_F32, 1e38, INFINITY, 0), EKKA_FAIL);
	cr_expect_eq(one(EKKA_F32, INFINITY, 1e38, 0), EKKA_FAIL);
	cr_expect_eq(one(EKKA_F32, 1, 2, INFINITY), EKKA_UNDECIDED);
	cr_expect_eq(one(EKKA_F32, 1, 2, NAN), EKKA_UNDECIDED);
}

Test(elements, overflow_is_infinity_saturation_is_the_largest_number)
{
	double big = 70000, max = 65504, inf = INFINITY, near = 65519;

	cr_expect_eq(one(EKKA_F16, inf, big, 0), EKKA_PASS);
	cr_expect_eq(one(EKKA_F16, max, big, 0), EKKA_FAIL);
	cr_expect_eq(one(EKKA_F16, -inf, big, 0), EKKA_FAIL);
	cr_expect_eq(one(EKKA_F16, inf, near, 0), EKKA_FAIL);
	cr_expect_eq(one(EKKA_F16, inf, near, 2), EKKA_UNDECIDED);
	cr_expect_eq(one(EKKA_F16, max, near, 2), EKKA_PASS);
	cr_expect_eq(one(EKKA_E4M3, NAN, 465, 0), EKKA_PASS);
	cr_expect_eq(one(EKKA_E4M3, NAN, 447, 0), EKKA_FAIL);
	cr_expect_eq(judge(EKKA_E4M3, 1, (double[]){ 448 }, (double[]){ 1e9 }, NULL, true).status, EKKA_PASS);
	cr_expect_eq(judge(EKKA_E4M3, 1, (double[]){ -448 }, (double[]){ -INFINITY }, NULL, true).status, EKKA_PASS);
	cr_expect_eq(judge(EKKA_E4M3, 1, (double[]){ 416 }, (double[]){ 1e9 }, NULL, true).status, EKKA_FAIL);
	cr_expect_eq(judge(EKKA_F16, 1, &inf, &big, NULL, true).status, EKKA_FAIL);
}

Test(elements, the_worst_element_is_named)
{
	struct ekka_tensor t = tensor(EKKA_F32, 2, 50, 60);
	struct ekka_elements *e = ekka_elements_new();
	static double out[3000], ref[3000], bound[3000];
	struct ekka_verdict v = { .margin = NAN };

	for (int i = 0; i < 3000; i++) {
		ref[i] = 1 + i;
		out[i] = ref[i] + 0.25;
		bound[i] = 1;
	}
	out[1234] = ref[1234] + 0.75;
	ekka_elements_output(e, &t);
	ekka_elements_add(e, 0, 1000, out, ref, bound, false);
	ekka_elements_add(e, 1000, 2000, out + 1000, ref + 1000, bound + 1000, false);
	ekka_elements_verdict(e, "test", &v);
	cr_expect(v.status == EKKA_PASS && v.n_elements == 3000 && v.n_bad == 0);
	cr_expect_float_eq(v.margin, 0.75, 0.001);
	cr_expect_eq(v.max_abs_error, 0.75);
	cr_expect(v.n_worst == 2 && v.worst[0] == 20 && v.worst[1] == 34);
	cr_expect_str_eq(v.output, "y");
	ekka_elements_free(e);
}

/* Wherever in a block the largest margin and the largest error are: not the same element, since their bounds differ. */
Test(elements, the_largest_of_ordinary_elements_are_found)
{
	enum { MOST = 40 };

	for (size_t n = 2; n < MOST; n++)
		for (size_t at = 0; at < n; at++) {
			double ref[MOST], out[MOST], bound[MOST];
			size_t other = (at + n / 2) % n;
			struct ekka_verdict v;

			for (size_t i = 0; i < n; i++) {
				ref[i] = 1000;
				out[i] = 1000.25;
				bound[i] = 1;
			}
			out[at] = 1000.75;
			out[other] = 999;
			bound[other] = 2;
			v = judge(EKKA_F64, n, out, ref, bound, false);
			cr_assert_eq(v.status, EKKA_PASS);
			cr_assert_float_eq(v.margin, 0.75, 1e-9);
			cr_assert_eq(v.worst[0], (int64_t)at);
			cr_assert_eq(v.max_abs_error, 1.0);
		}
}

Test(elements, a_bound_as_large_as_the_result_leaves_doubt)
{
	double out[4] = { 1, 1, 1, 1 }, ref[4] = { 1.5, 1.5, 1.5, 1 }, bound[4] = { 1, 1, 1, 1 };

	cr_expect_eq(judge(EKKA_F32, 4, out, ref, bound, false).status, EKKA_UNDECIDED);
	ref[2] = 1;
	cr_expect_eq(judge(EKKA_F32, 4, out, ref, bound, false).status, EKKA_PASS);
}

Test(elements, integers_are_compared_to_the_bit)
{
	struct ekka_tensor t = tensor(EKKA_I64, 1, 4, 0);
	const int64_t big = ((int64_t)1 << 60) + 1, ref[4] = { 1, 2, big, 4 };
	int64_t out[4] = { 1, 2, big, 4 };

	for (int bad = 0; bad < 2; bad++) {
		struct ekka_elements *e = ekka_elements_new();
		struct ekka_verdict v = { .margin = NAN };

		out[2] = big - bad;
		ekka_elements_output(e, &t);
		ekka_elements_add_int(e, 0, 4, out, ref);
		ekka_elements_verdict(e, "exact", &v);
		cr_expect_eq(v.status, bad ? EKKA_FAIL : EKKA_PASS);
		cr_expect(v.n_bad == (uint64_t)bad && v.n_elements == 4);
		cr_expect(!bad || v.worst[0] == 2);
		ekka_elements_free(e);
	}
}

/* ---- where, and what it looks like -------------------------------------------- */

enum { ROWS = 20, COLS = 16, ALL = ROWS * COLS };

static double reference(int i)
{
	return 1 + (double)(i * 37 % 101) / 8;
}

static double held_before[ALL];

static bool before(void *arg, int64_t index, double *ret)
{
	cr_assert_eq(arg, held_before);
	*ret = held_before[index];
	return true;
}

/* The verdict on `out` in two passes, as an op makes them. */
static struct ekka_verdict explain(unsigned n_dims, const double *out)
{
	struct ekka_tensor t = tensor(EKKA_F32, 2, ROWS, COLS), flat = tensor(EKKA_F32, 1, ALL, 0);
	struct ekka_elements *e = ekka_elements_new();
	struct ekka_verdict v = { .margin = NAN };
	double ref[ALL];

	for (int i = 0; i < ALL; i++)
		ref[i] = reference(i);
	do {
		ekka_elements_output(e, n_dims == 2 ? &t : &flat);
		ekka_elements_before(e, before, held_before);
		for (int i = 0; i < ALL; i += 64)
			ekka_elements_add(e, i, 64, out + i, ref + i, NULL, false);
	} while (ekka_elements_again(e));
	ekka_elements_verdict(e, "test", &v);
	cr_expect_eq(v.n_elements, ALL, "a second look does not count");
	ekka_elements_free(e);
	return v;
}

/* Out as the reference, but element i where wrong(i, &out) says otherwise. */
static struct ekka_verdict spoilt(unsigned n_dims, bool (*wrong)(int i, double *out))
{
	double out[ALL];

	for (int i = 0; i < ALL; i++) {
		double v = reference(i);

		held_before[i] = -reference(i) * 3 + i;
		out[i] = wrong(i, &v) ? v : reference(i);
	}
	return explain(n_dims, out);
}

#define WRONG(name, where, value)                        \
	static bool name(int i, double *v)               \
	{                                                \
		int r = i / COLS, c = i % COLS;          \
		(void)r;                                 \
		(void)c;                                 \
		*v = value;                              \
		return where;                            \
	}
WRONG(zero_tail, i >= ALL - 7, 0)
WRONG(tile, r >= 4 && r < 8 && c < 8, *v * 2)
WRONG(column, c == 3, -*v)
WRONG(every_fourth, i % 4 == 1, NAN)
WRONG(stale_rows, r == 5 || r == 6, held_before[i])
WRONG(factor, true, *v / 3)
WRONG(offset, true, *v + 5)
WRONG(left_neighbour, c > 0, reference(i - 1))
WRONG(row_before, r > 0, reference(i - COLS))
WRONG(halves, true, reference(r * COLS + (c + COLS / 2) % COLS))
WRONG(pairs, true, reference(i ^ 1))
WRONG(stretch, i >= 50 && i < 90, INFINITY)
WRONG(noise, true, *v + 1 + (double)(i * 61 % 97) / 13)
WRONG(single, i == 37, 0)
WRONG(tail_columns, c >= 12, 0)

Test(elements, where_and_what_it_looks_like_are_said)
{
	static const struct { bool (*wrong)(int, double *); unsigned n_dims; const char *where, *looks_like; } cases[] = {
		{ zero_tail, 1, "elements 313-319 (the last 7)", "as if it ended at element 313 of 320: the last 7 were not computed: zeros" },
		{ tile, 2, "rows 4-7, columns 0-7", "a constant factor: 2 times what it should be" },
		{ column, 2, "column 3 of every row", "the sign is flipped" },
		{ every_fourth, 1, "every 4th element from 1", "NaN everywhere there" },
		{ stale_rows, 2, "rows 5-6", "not written: as before the call" },
		{ factor, 2, "everything", "a constant factor: 0.333333 (1/3) of what it should be" },
		{ offset, 2, "everything", "off by a constant: 5 added" },
		{ left_neighbour, 2, "columns 1-15 (the last 15) of every row", "as if shifted: each holds its left neighbour's result" },
		{ row_before, 2, "rows 1-19 (the last 19)", "as if shifted by a row: each holds the result of the row before" },
		{ halves, 2, "everything", "as if the halves of each row were swapped" },
		{ pairs, 2, "everything", "as if even and odd columns were swapped" },
		{ stretch, 2, "elements 50-89 in row-major order", "infinities" },
		{ noise, 2, "everything", "" },
		{ single, 2, "one element: row 2, column 5", "zeros" },
		{ tail_columns, 2, "columns 12-15 (the last 4) of every row", "as if the last 4 of 16 columns were not computed: zeros" },
	};

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct ekka_verdict v = spoilt(cases[i].n_dims, cases[i].wrong);

		cr_expect_eq(v.status, EKKA_FAIL);
		cr_expect_str_eq(v.where, cases[i].where);
		cr_expect_str_eq(v.looks_like, cases[i].looks_like, "%zu: '%s'", i, v.looks_like);
	}
}

/* Few elements, or integers, have many explanations: which count. */
static const char *looks(enum ekka_dtype type, int n, const double *out, const double *ref)
{
	static struct ekka_verdict v;
	const struct ekka_tensor t = { .name = "y", .dtype = type, .n_dims = 1, .dim = { n }, .stride = { 1 }, .alias_of = -1 };
	struct ekka_elements *e = ekka_elements_new();
	int64_t out_ints[8], ref_ints[8];

	v = (struct ekka_verdict){ 0 };
	do {
		ekka_elements_output(e, &t);
		for (int i = 0; i < n; i++) {
			out_ints[i] = (int64_t)out[i];
			ref_ints[i] = (int64_t)ref[i];
		}
		if (type == EKKA_I32)
			ekka_elements_add_int(e, 0, (size_t)n, out_ints, ref_ints);
		else
			ekka_elements_add(e, 0, (size_t)n, out, ref, NULL, false);
	} while (ekka_elements_again(e));
	ekka_elements_verdict(e, "exact", &v);
	cr_assert_eq(v.status, EKKA_FAIL);
	ekka_elements_free(e);
	return v.looks_like;
}

Test(elements, few_samples_and_integers)
{
	const double a[] = { 3, 5, 8, 13 }, twice[] = { 6, 10, 16, 26 }, more[] = { 4, 6, 9, 14 }, half[] = { 1.5, 2.5, 4, 6.5 }, odd[] = { 3.3, 5.5, 8.8, 14.3 },
		     nines[] = { 99, 99, 99, 99 }, hundreds[] = { 100, 100, 100, 100 };

	cr_expect_str_eq(looks(EKKA_F32, 1, twice, a), "a constant factor: 2 times what it should be");
	cr_expect_str_eq(looks(EKKA_F32, 1, half, a), "a constant factor: 0.5 (1/2) of what it should be");
	cr_expect_str_eq(looks(EKKA_F32, 1, odd, a), "");
	cr_expect_str_eq(looks(EKKA_F32, 1, more, a), "");
	cr_expect_str_eq(looks(EKKA_F32, 1, (const double[]){ 7.2 }, a), "");
	cr_expect_str_eq(looks(EKKA_I32, 1, twice, a), "");
	cr_expect_str_eq(looks(EKKA_I32, 2, more, a), "off by a constant: 1 added");
	cr_expect_str_eq(looks(EKKA_I32, 4, hundreds, nines), "off by a constant: 1 added");
	cr_expect_str_eq(looks(EKKA_F32, 4, hundreds, nines), "a constant factor: 1.0101 times what it should be");
	cr_expect_str_eq(looks(EKKA_I32, 4, twice, a), "a constant factor: 2 times what it should be");
}
