/* SPDX-License-Identifier: Apache-2.0 */
/* Op list: every item is judged as its op judges it, by its own tensors and attributes and those of all. */
#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

#include "tests/unit/replay/fake_event.h"

static struct fake_event f;
static float x[3][40], y[3][40], shared[1] = { 3 };

/* Items of 7, 40 and 1 elements: y = scalar_k x + shared. */
static void begin(void)
{
	static const char *const in[3] = { "in0_0", "in0_1", "in0_2" }, *const out[3] = { "out0_0", "out0_1", "out0_2" };
	static const char *const factor[3] = { "scalar_0", "scalar_1", "scalar_2" }, *const dims[3] = { "7", "40", "1" };

	fake_event_init(&f, "list");
	for (int k = 0; k < 3; k++) {
		for (int i = 0; i < 40; i++) {
			x[k][i] = (float)(i * 3 + k) / 7;
			y[k][i] = (float)(k + 2) * x[k][i] + 3;
		}
		(void)fake_event_tensor(&f, out[k], EKKA_OUT, EKKA_F32, dims[k], NULL, NULL, y[k]);
		(void)fake_event_tensor(&f, in[k], EKKA_IN, EKKA_F32, dims[k], NULL, x[k], NULL);
		fake_event_real(&f, factor[k], k + 2);
	}
	(void)fake_event_tensor(&f, "shared", EKKA_IN, EKKA_F32, "1", NULL, shared, NULL);
	fake_event_text(&f, "of", "elementwise");
	fake_event_text(&f, "expr", "in0 * scalar + shared");
}

Test(list, items_that_are_right_pass)
{
	struct ekka_verdict v;

	begin();
	v = fake_event_judge(&f);
	cr_expect_eq(v.status, EKKA_PASS, "%s %s", v.reason, v.where);
	cr_expect_eq(v.n_elements, 48);
	cr_expect(v.margin > 0 && v.margin < 1, "%g", v.margin);
}

Test(list, a_wrong_item_is_named)
{
	static const struct { int item, at; const char *output; } wrong[] = { { 0, 6, "out0_0" }, { 1, 33, "out0_1" }, { 2, 0, "out0_2" } };

	for (int i = 0; i < 3; i++) {
		struct ekka_verdict v;

		begin();
		y[wrong[i].item][wrong[i].at] += 0.01f;
		v = fake_event_judge(&f);
		cr_expect_eq(v.status, EKKA_FAIL);
		cr_expect_str_eq(v.output, wrong[i].output);
		cr_expect_eq(v.worst[0], wrong[i].at);
		cr_expect_eq(v.n_bad, 1);
		cr_expect_eq(v.n_elements, 48);
	}
}

Test(list, the_item_that_is_furthest_off_is_shown)
{
	struct ekka_verdict v;

	begin();
	y[0][1] += 0.01f;
	y[1][2] += 0.5f;
	y[2][0] += 0.02f;
	v = fake_event_judge(&f);
	cr_expect_eq(v.status, EKKA_FAIL);
	cr_expect_str_eq(v.output, "out0_1");
	cr_expect_eq(v.n_bad, 3);
}

Test(list, what_one_item_lacks_is_told_unless_another_is_wrong)
{
	struct ekka_verdict v;

	begin();
	f.event.data[3][EKKA_PRE].present = false;	/* in0_1 */
	v = fake_event_judge(&f);
	cr_expect_eq(v.status, EKKA_INCOMPLETE, "%s", ekka_status_name(v.status));
	y[2][0] += 1;
	v = fake_event_judge(&f);
	cr_expect_eq(v.status, EKKA_FAIL);
	cr_expect_str_eq(v.output, "out0_2");
}

Test(list, items_without_outputs_are_none)
{
	struct ekka_verdict v;

	begin();
	f.tensor[2].dir = EKKA_IN;	/* out0_1 */
	v = fake_event_judge(&f);
	cr_expect_eq(v.status, EKKA_PASS, "%s", v.reason);
	cr_expect_eq(v.n_elements, 8);
	f.tensor[0].dir = f.tensor[4].dir = EKKA_IN;
	v = fake_event_judge(&f);
	cr_expect_eq(v.status, EKKA_UNSUPPORTED);
}

Test(list, findings_of_items_are_kept)
{
	static int64_t at[2] = { 1, 9 };
	static float table[4] = { 5, 6, 7, 8 }, out[2] = { 6, 0 };
	struct ekka_verdict v;

	fake_event_init(&f, "list");
	(void)fake_event_tensor(&f, "out0_0", EKKA_OUT, EKKA_F32, "1", NULL, NULL, out);
	(void)fake_event_tensor(&f, "in0_0", EKKA_IN, EKKA_I64, "1", NULL, at, NULL);
	(void)fake_event_tensor(&f, "out0_1", EKKA_OUT, EKKA_F32, "1", NULL, NULL, out + 1);
	(void)fake_event_tensor(&f, "in0_1", EKKA_IN, EKKA_I64, "1", NULL, at + 1, NULL);
	(void)fake_event_tensor(&f, "table", EKKA_IN, EKKA_F32, "4", NULL, table, NULL);
	fake_event_text(&f, "of", "elementwise");
	fake_event_text(&f, "expr", "table[in0]");
	v = fake_event_judge(&f);
	cr_expect(strstr(v.audit, "table is read at index 9"), "'%s'", v.audit);
}

Test(list, lists_of_lists_and_of_nothing_known_are_not_supported)
{
	static const char *const of[] = { "list", "nonsense" };

	for (int i = 0; i < 2; i++) {
		begin();
		fake_event_text(&f, "op", "list");
		for (unsigned j = 0; j < f.event.call.n_attrs; j++)
			if (strcmp(f.attr[j].name, "of") == 0)
				f.attr[j].value.s = of[i];
		cr_expect_eq(fake_event_judge(&f).status, EKKA_UNSUPPORTED, "%s", of[i]);
	}
}

/* In place, and a name that ends in a number of its own. */
Test(list, names_are_taken_apart_at_the_last_number)
{
	static float before[2] = { 1, 2 }, after[2] = { 3, 4 };

	fake_event_init(&f, "list");
	(void)fake_event_tensor(&f, "out0_0", EKKA_INOUT, EKKA_F32, "2", NULL, before, after);
	fake_event_real(&f, "add_2_0", 2);
	fake_event_text(&f, "of", "elementwise");
	fake_event_text(&f, "expr", "out0 + add_2");
	cr_expect_eq(fake_event_judge(&f).status, EKKA_PASS, "%s", fake_event_judge(&f).reason);
	after[1] = 5;
	cr_expect_eq(fake_event_judge(&f).status, EKKA_FAIL);
}
