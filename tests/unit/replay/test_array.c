/* SPDX-License-Identifier: Apache-2.0 */
/* Arrays of any layout against plain index arithmetic. */
#include <criterion/criterion.h>
#include <string.h>

#include "replay/array.h"
#include "tests/unit/replay/fake_event.h"

static struct fake_event f;

static int load(int index, enum ekka_phase phase, struct ekka_array *ret, struct ekka_verdict *v)
{
	struct ekka_op_context ctx = { .trace = &f.trace };
	struct ekka_error err = { 0 };

	memset(v, 0, sizeof *v);
	return ekka_array_load(&ctx, &f.event, index, phase, ret, v, &err);
}

static void check_layout(const char *dims, const char *strides)
{
	static float bytes[4096];
	struct ekka_verdict v;
	struct ekka_array a;
	double got[4096];
	int64_t ints[4096], index[EKKA_MAX_DIMS], n;

	for (int i = 0; i < 4096; i++)
		bytes[i] = (float)i;
	fake_event_init(&f, "elementwise");
	fake_event_tensor(&f, "x", EKKA_IN, EKKA_F32, dims, strides, bytes, NULL);
	cr_assert_eq(load(0, EKKA_PRE, &a, &v), 1, "%s: %s", dims, v.reason);
	n = a.n;
	for (int64_t first = 0; first < n; first += 7) {
		ekka_array_get(&a, first, (size_t)(n - first), got);
		ekka_array_get_int(&a, first, (size_t)(n - first), ints);
		for (int64_t i = first; i < n; i++) {
			int64_t rest = i, at = a.offset;
			double one;

			for (unsigned d = a.n_dims; d-- > 0; rest /= a.dim[d]) {
				index[d] = rest % a.dim[d];
				at += index[d] * a.stride[d];
			}
			cr_assert_eq(got[i - first], (double)at, "%s by %s, element %lld", dims, strides ? strides : "", (long long)i);
			cr_assert_eq(ints[i - first], at);
			cr_assert(ekka_array_at(&a, index, &one) && one == (double)at);
		}
	}
	if (a.n_dims) {
		index[a.n_dims - 1] = a.dim[a.n_dims - 1];
		cr_expect(!ekka_array_at(&a, index, &got[0]));
		index[a.n_dims - 1] = -1;
		cr_expect(!ekka_array_at(&a, index, &got[0]));
	}
	ekka_array_release(&a);
}

Test(array, elements_come_in_row_major_order_of_the_dims)
{
	check_layout("", NULL);
	check_layout("17", NULL);
	check_layout("17", "-2");
	check_layout("5x7", NULL);
	check_layout("5x7", "1x5");
	check_layout("5x7", "9x1");
	check_layout("5x7", "0x1");
	check_layout("5x7", "1x0");
	check_layout("2x3x4x5", NULL);
	check_layout("2x3x4x5", "60x-20x1x4");
	check_layout("2x1x3x1x4x5", "1x7x40x3x0x8");
	check_layout("3x1x4x5", "25x9x5x1");
}

Test(array, what_does_not_fit_its_bytes_is_incomplete)
{
	static const char bytes[64];
	struct ekka_array a;
	struct ekka_verdict v;

	fake_event_init(&f, "elementwise");
	fake_event_tensor(&f, "x", EKKA_INOUT, EKKA_F32, "4x4", NULL, bytes, bytes);
	fake_event_tensor(&f, "y", EKKA_OUT, EKKA_F32, "4x4", "0x1", bytes, bytes);
	fake_event_tensor(&f, "z", EKKA_IN, EKKA_F32, "4", NULL, NULL, NULL);
	f.trace.blob_bytes[1] = 63;
	cr_expect_eq(load(0, EKKA_PRE, &a, &v), 1);
	ekka_array_release(&a);
	cr_expect_eq(load(0, EKKA_POST, &a, &v), 0);
	cr_expect(v.status == EKKA_INCOMPLETE && strstr(v.reason, "too few"), "%s", v.reason);
	f.tensor[0].dim[0] = INT64_MAX / 2;
	cr_expect_eq(load(0, EKKA_PRE, &a, &v), 0);
	f.tensor[0].dim[0] = 4;
	f.tensor[0].offset = -1;
	cr_expect_eq(load(0, EKKA_PRE, &a, &v), 0);
	cr_expect_eq(load(1, EKKA_PRE, &a, &v), 1, "an input may repeat itself");
	ekka_array_release(&a);
	cr_expect_eq(load(1, EKKA_POST, &a, &v), 0, "an output may not");
	cr_expect_eq(load(2, EKKA_PRE, &a, &v), 0);
	cr_expect(strstr(v.reason, "z before the call: not recorded"), "%s", v.reason);
}

Test(array, a_view_lies_where_its_address_says)
{
	static const float bytes[16] = { 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15 };
	struct ekka_array a;
	struct ekka_verdict v;
	double got[2];

	fake_event_init(&f, "elementwise");
	fake_event_tensor(&f, "x", EKKA_IN, EKKA_F32, "16", NULL, bytes, NULL);
	fake_event_tensor(&f, "k", EKKA_IN, EKKA_F32, "2", "3", NULL, NULL);
	f.tensor[1].alias_of = 0;
	f.tensor[1].addr = f.tensor[0].addr + 40;
	cr_assert_eq(load(1, EKKA_PRE, &a, &v), 1);
	ekka_array_get(&a, 0, 2, got);
	cr_expect(got[0] == 10 && got[1] == 13);
	ekka_array_release(&a);
	f.tensor[1].addr += 12;
	cr_expect_eq(load(1, EKKA_PRE, &a, &v), 0, "beyond the end");
}

Test(array, broadcasting_repeats_dims_of_one)
{
	static const int64_t bytes[3] = { 1, (int64_t)1 << 62, -5 };
	const int64_t dim[3] = { 2, 3, 2 }, wrong[2] = { 4, 2 };
	int64_t got[12];
	struct ekka_array a;
	struct ekka_verdict v;

	fake_event_init(&f, "elementwise");
	fake_event_tensor(&f, "x", EKKA_IN, EKKA_I64, "3x1", NULL, bytes, NULL);
	cr_assert_eq(load(0, EKKA_PRE, &a, &v), 1);
	cr_expect(!ekka_array_broadcast(&a, 2, wrong));
	cr_assert(ekka_array_broadcast(&a, 3, dim));
	ekka_array_get_int(&a, 0, 12, got);
	for (int i = 0; i < 12; i++)
		cr_expect_eq(got[i], bytes[i / 2 % 3]);
	ekka_array_release(&a);
}
