/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

#include "tools/margins.h"

static struct ekka_rec_fn fn = { .name = "kern", .library = "kernel" };

static void add(struct ekka_margins *m, const char *op, enum ekka_dtype in, enum ekka_dtype out, enum ekka_status status, double margin)
{
	struct ekka_tensor tensors[] = { { .name = "x", .dir = EKKA_IN, .dtype = in }, { .name = "y", .dir = EKKA_OUT, .dtype = out } };
	struct ekka_attr attr = { "op", { .kind = EKKA_V_STR, .s = op } };
	struct ekka_event e = { .fn = &fn, .call = { .tensors = tensors, .n_tensors = 2, .attrs = &attr, .n_attrs = 1 } };
	struct ekka_verdict v = { .status = status, .margin = margin };

	cr_assert_eq(ekka_margins_add(m, &e, &v), 0);
}

static const char *text(struct json_object *group, const char *key)
{
	return json_object_get_string(json_object_object_get(group, key));
}

static double number(struct json_object *group, const char *key)
{
	return json_object_get_double(json_object_object_get(group, key));
}

Test(margins, of_what_passed_by_op_and_types)
{
	struct ekka_margins *m = ekka_margins_new();
	struct json_object *list, *g;

	for (int i = 0; i < 150; i++)	/* 1..150 hundredths, in no order */
		add(m, "softmax", EKKA_BF16, EKKA_BF16, EKKA_PASS, (double)((i * 7 + 3) % 150 + 1) / 100);
	add(m, "softmax", EKKA_BF16, EKKA_BF16, EKKA_FAIL, 1000);
	add(m, "softmax", EKKA_BF16, EKKA_BF16, EKKA_UNDECIDED, 500);
	add(m, "softmax", EKKA_BF16, EKKA_BF16, EKKA_PASS, NAN);
	add(m, "softmax", EKKA_BF16, EKKA_F32, EKKA_PASS, 0.25);
	add(m, "norm", EKKA_F32, EKKA_F32, EKKA_PASS, NAN);
	list = ekka_margins_json(m);
	cr_assert_eq(json_object_array_length(list), 3);
	g = json_object_array_get_idx(list, 0);
	cr_expect_str_eq(text(g, "op"), "norm");
	cr_expect_eq(number(g, "events"), 1);
	cr_expect_eq(number(g, "measured"), 0);
	cr_expect_null(json_object_object_get(g, "median"));
	g = json_object_array_get_idx(list, 1);
	cr_expect_str_eq(text(g, "dtype"), "bf16");
	cr_expect_eq(number(g, "events"), 151);
	cr_expect_eq(number(g, "measured"), 150);
	cr_expect_float_eq(number(g, "median"), 0.755, 1e-12);
	cr_expect_float_eq(number(g, "p99"), 1.49, 1e-12, "148.5 of 150 are 99 %%: the 149th");
	cr_expect_float_eq(number(g, "max"), 1.5, 1e-12);
	g = json_object_array_get_idx(list, 2);
	cr_expect_str_eq(text(g, "dtype"), "bf16>f32");
	cr_expect_float_eq(number(g, "p99"), 0.25, 1e-12);
	json_object_put(list);
	ekka_margins_free(m);
}
