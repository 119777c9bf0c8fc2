/* SPDX-License-Identifier: Apache-2.0 */
/* Descriptions as a whole: from a file and a launch to its meaning. */
#include "describe_case.h"

#include <criterion/criterion.h>
#include <string.h>

#define FROM "from \"a test\"\n"

static bool one_allocation(void *arg, uint64_t addr, uint64_t *ret_start, uint64_t *ret_bytes)
{
	const uint64_t *range = arg;

	*ret_start = range[0];
	*ret_bytes = range[1];
	return addr >= range[0] && addr < range[0] + range[1];
}

static const char rms_norm[] =
	"# as in spec/kernels/README.md\n"
	"kernel \"vllm::rms_norm_kernel<$T, *>\"\n"
	"  " FROM
	"  let hidden = i32(p5)\n"
	"  let rows = i32(p4)\n"
	"  check \"the grid is not one block a token\" grid_x == rows\n"
	"  out y : dtype($T) at ptr(p0) dims rows, hidden\n"
	"  in x : dtype($T) at ptr(p1) dims rows, hidden strides i64(p2), 1\n"
	"  in weight : dtype($T) at ptr(p6) dims hidden\n"
	"  op norm\n"
	"  attr kind = \"rms\"\n"
	"  attr eps = f32(p3)\n";

struct norm { uint64_t y, x; int64_t stride; float eps; int rows, hidden; uint64_t weight; };

static void norm_case(struct ekka_describe_case *c, struct norm *n)
{
	*c = (struct ekka_describe_case){ .text = rms_norm,
		.name = "_ZN4vllm15rms_norm_kernelIN3c108BFloat16ELi8EEEvPT_PKS3_lfiiS6_", .facts = { .grid = { 4, 1, 1 }, .block = { 64, 1, 1 } } };
	*n = (struct norm){ 0x10000, 0x20000, 48, 1e-5f, 4, 32, 0x30000 };
	PARAM(c, n->y);
	PARAM(c, n->x);
	PARAM(c, n->stride);
	PARAM(c, n->eps);
	PARAM(c, n->rows);
	PARAM(c, n->hidden);
	PARAM(c, n->weight);
}

Test(describe, a_launch_gets_its_op_tensors_and_attributes)
{
	struct ekka_describe_case c;
	struct norm n;
	const struct ekka_meaning *m;
	const struct ekka_tensor *t;

	norm_case(&c, &n);
	m = describe_case_run(&c);
	cr_assert(m, "%s", c.problems);
	cr_assert_str_eq(m->refused, "");
	cr_assert_str_eq(m->op, "norm");
	cr_assert_str_eq(m->description, "case.kd:2");
	cr_assert(!m->nothing);
	cr_assert_eq(m->n_tensors, 3);
	cr_assert_eq(m->n_attrs, 2);
	cr_assert_str_eq(meaning_attr(m, "kind")->s, "rms");
	cr_assert_eq(meaning_attr(m, "eps")->kind, EKKA_V_REAL);
	cr_assert_eq(meaning_attr(m, "eps")->r[0], (double)1e-5f);
	t = meaning_tensor(m, "y");
	cr_assert(t->dir == EKKA_OUT && t->dtype == EKKA_BF16 && t->place == EKKA_DEVICE && t->addr == 0x10000 && t->n_dims == 2);
	cr_assert(t->dim[0] == 4 && t->dim[1] == 32 && t->stride[0] == 32 && t->stride[1] == 1);
	cr_assert(t->span_bytes == 4 * 32 * 2 && t->offset == 0 && t->alias_of == -1 && t->n_ptrs == 0);
	cr_assert(!t->pre && t->post, "a dense output is wanted afterwards only");
	t = meaning_tensor(m, "x");
	cr_assert(t->dir == EKKA_IN && t->stride[0] == 48 && t->pre && !t->post);
	cr_assert_eq(t->span_bytes, (3 * 48 + 32) * 2);
}

Test(describe, a_check_that_does_not_hold_refuses_with_its_reason)
{
	struct ekka_describe_case c;
	struct norm n;
	const struct ekka_meaning *m;

	norm_case(&c, &n);
	n.rows = 5;
	m = describe_case_run(&c);
	cr_assert_null(m->op);
	cr_assert_str_eq(m->refused, "case.kd:6: the grid is not one block a token");
	cr_assert_eq(m->n_tensors, 0);
	cr_assert_eq(m->n_attrs, 0);
}

Test(describe, a_tensor_must_lie_within_one_allocation)
{
	uint64_t range[2] = { 0x8000, 0x28000 + 64 };		/* to the end of the weight */
	struct ekka_describe_case c;
	struct norm n;

	norm_case(&c, &n);
	c.facts.range = one_allocation;
	c.facts.arg = range;
	cr_assert_str_eq(describe_case_run(&c)->refused, "");
	range[1]--;
	cr_assert(strstr(describe_case_run(&c)->refused, "goes over the end of its allocation"));
	range[1] = 0x20000;
	cr_assert(strstr(describe_case_run(&c)->refused, "in no live allocation"));
}

Test(describe, a_tensor_of_unknown_length_goes_to_the_end_of_its_allocation)
{
	static const char text[] = "kernel \"k\"\n  " FROM "  inout table : f16 at ptr(p0) dims room(ptr(p0)) / 8, 4\n  op norm\n";
	uint64_t range[2] = { 0x8000, 0x1000 }, addr = 0x8800;
	const struct ekka_meaning *m;
	struct ekka_describe_case c = { .text = text, .name = "k", .facts = { .grid = { 1, 1, 1 }, .block = { 1, 1, 1 } } };

	PARAM(&c, addr);
	cr_assert(strstr(describe_case_run(&c)->refused, "allocations are not known"));
	c.facts.range = one_allocation;
	c.facts.arg = range;
	m = describe_case_run(&c);
	cr_assert_str_eq(m->refused, "");
	cr_assert_eq(meaning_tensor(m, "table")->dim[0], 0x800 / 8);
	range[0] = 0x9000;
	cr_assert(strstr(describe_case_run(&c)->refused, "in no live allocation"));
}

Test(describe, a_kernel_without_a_description_binds_to_nothing)
{
	struct ekka_describe_case c;
	struct norm n;

	norm_case(&c, &n);
	c.name = "_ZN4vllm16rms_norm_kernel2IN3c108BFloat16ELi8EEEvPT_PKS3_lfiiS6_";
	cr_assert_null(describe_case_run(&c));
}

static void count_problem(void *arg, const char *text)
{
	++*(unsigned *)arg;
	cr_log_error("%s", text);
}

Test(describe, descriptions_that_are_built_in_compile)
{
	struct ekka_descriptions *set;
	struct ekka_error err = { 0 };
	unsigned problems = 0;

	cr_assert_eq(ekka_descriptions_load(NULL, &set, count_problem, &problems, &err), 0);
	cr_assert_eq(problems, 0);
}
