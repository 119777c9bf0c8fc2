/* SPDX-License-Identifier: Apache-2.0 */
/* Op cat: copies to the bit along any dimension; every way of being wrong is seen and named. */
#include <criterion/criterion.h>
#include <string.h>

#include "tests/unit/replay/fake_event.h"

static struct fake_event f;

/* [2, 3, 4] of the one and [2, 2, 4] of the other along dimension 1; the first is stored with rows of 5. */
enum { A = 3, B = 2, W = 4, STRIDE = 5 };
static uint16_t a[2 * A * STRIDE], b[2 * B * W], out[2 * (A + B) * W];

static void fill(void)
{
	for (unsigned i = 0; i < sizeof a / sizeof *a; i++)
		a[i] = (uint16_t)(0x7f80 + i);		/* infinities and NaNs as bf16: bits matter, not values */
	for (unsigned i = 0; i < sizeof b / sizeof *b; i++)
		b[i] = (uint16_t)(0x100 + i);
	for (unsigned i = 0; i < 2; i++)
		for (unsigned j = 0; j < A + B; j++)
			for (unsigned k = 0; k < W; k++)
				out[(i * (A + B) + j) * W + k] = j < A ? a[(i * A + j) * STRIDE + k] : b[(i * B + j - A) * W + k];
}

static void event(enum ekka_dtype t)
{
	fake_event_init(&f, "cat");
	fake_event_tensor(&f, "out0", EKKA_OUT, t, "2x5x4", NULL, NULL, out);
	fake_event_tensor(&f, "in0", EKKA_IN, t, "2x3x4", "15x5x1", a, NULL);
	fake_event_tensor(&f, "in1", EKKA_IN, t, "2x2x4", NULL, b, NULL);
	fake_event_int(&f, "dim", 1);
	fake_event_int(&f, "offset0", 0);
	fake_event_int(&f, "offset1", A);
}

static void change(const char *name, int64_t value)
{
	for (unsigned i = 0; i < f.event.call.n_attrs; i++)
		if (strcmp(f.attr[i].name, name) == 0)
			f.attr[i].value.i = value;
}

static enum ekka_status judge(struct ekka_verdict *ret)
{
	*ret = fake_event_judge(&f);
	return ret->status;
}

Test(cat, right)
{
	const enum ekka_dtype types[] = { EKKA_U16, EKKA_BF16, EKKA_F16 };
	struct ekka_verdict v;

	fill();
	for (unsigned i = 0; i < 3; i++) {
		event(types[i]);
		cr_expect_eq(judge(&v), EKKA_PASS, "%s: %s", ekka_dtype_name(types[i]), v.reason);
	}
}

Test(cat, one_bit)
{
	struct ekka_verdict v;

	fill();
	for (unsigned i = 0; i < sizeof out / sizeof *out; i++) {
		event(EKKA_BF16);
		out[i] ^= 1;
		cr_expect_eq(judge(&v), EKKA_FAIL, "element %u", i);
		out[i] ^= 1;
	}
}

/* The second input is not there: no elements. */
Test(cat, without_elements)
{
	struct ekka_verdict v;

	fill();
	fake_event_init(&f, "cat");
	fake_event_tensor(&f, "out0", EKKA_OUT, EKKA_U16, "2x2x4", NULL, NULL, b);
	fake_event_tensor(&f, "in1", EKKA_IN, EKKA_U16, "2x2x4", NULL, b, NULL);
	fake_event_int(&f, "dim", 1);
	fake_event_int(&f, "offset1", 0);
	cr_expect_eq(judge(&v), EKKA_PASS, "%s", v.reason);
}

Test(cat, what_it_looks_like)
{
	struct ekka_verdict v;

	fill();
	for (unsigned i = 0; i < 2; i++)
		memcpy(out + (i * (A + B) + A) * W, a + i * A * STRIDE, W * sizeof *a);		/* a row of the second is the first's */
	event(EKKA_U16);
	cr_expect_eq(judge(&v), EKKA_FAIL);
	cr_expect_str_eq(v.looks_like, "in0 where in1 belongs");
	fill();
	for (unsigned i = 0; i < 2; i++)
		memcpy(out + (i * (A + B) + 1) * W, a + i * A * STRIDE, W * sizeof *a);
	event(EKKA_U16);
	cr_expect_eq(judge(&v), EKKA_FAIL);
	cr_expect_str_eq(v.looks_like, "in0 shifted by one along the dimension");
}

/* A pointer that is off takes rows over into the next ones. */
Test(cat, an_input_read_from_elsewhere)
{
	static uint16_t in[2][40 * 64], to[40 * 128];
	struct ekka_verdict v;

	for (unsigned i = 0; i < 2 * 40 * 64; i++)
		in[i / 2560][i % 2560] = (uint16_t)(i * 40503u);
	for (int i = 0; i < 40 * 128; i++) {
		int row = i / 128, at = i % 128, from = row * 64 + at % 64 - (at >= 64 ? 32 : 0);

		to[i] = from < 0 ? 7 : in[at / 64][from];
	}
	fake_event_init(&f, "cat");
	fake_event_tensor(&f, "out0", EKKA_OUT, EKKA_BF16, "40x128", NULL, NULL, to);
	fake_event_tensor(&f, "in0", EKKA_IN, EKKA_BF16, "40x64", NULL, in[0], NULL);
	fake_event_tensor(&f, "in1", EKKA_IN, EKKA_BF16, "40x64", NULL, in[1], NULL);
	fake_event_int(&f, "dim", 1);
	cr_expect_eq(judge(&v), EKKA_FAIL);
	cr_expect_str_eq(v.looks_like, "as if in1 was read 32 elements before");
}

/* What does not fit together is not judged. */
Test(cat, misfits)
{
	struct ekka_verdict v;

	fill();
	event(EKKA_U16);
	change("dim", 3);
	cr_expect_eq(judge(&v), EKKA_INCOMPLETE);
	event(EKKA_U16);
	change("dim", 0);
	cr_expect_eq(judge(&v), EKKA_INCOMPLETE);
	event(EKKA_U16);
	change("offset1", A - 1);		/* they overlap */
	cr_expect_eq(judge(&v), EKKA_INCOMPLETE);
	event(EKKA_U16);
	f.event.call.n_tensors--;		/* the last rows are nobody's */
	cr_expect_eq(judge(&v), EKKA_INCOMPLETE);
	event(EKKA_U16);
	f.tensor[2].dtype = EKKA_U8;
	cr_expect_eq(judge(&v), EKKA_INCOMPLETE);
}
