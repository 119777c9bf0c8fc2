/* SPDX-License-Identifier: Apache-2.0 */
/* Products judged wholly on the GPU against the CPU, twice: on a stand-in and on the machine's own GPU if there is one. */
#include <criterion/criterion.h>
#include <math.h>

#include "compare/elements.h"
#include "replay/gpu.h"
#include "tests/unit/replay/fake_event.h"
#include "tests/unit/replay/gpu_stand_in.h"
#include "tests/unit/replay/problem.h"

static void both(bool own, void (*check)(struct ekka_backend *))
{
	struct ekka_error err = { 0 };
	struct ekka_backend *b = own ? ekka_gpu_open(EKKA_GPU_ALWAYS, &err) : ekka_gpu_open_with(&gpu_stand_in, &gpu_stand_in, EKKA_GPU_ALWAYS, &err);

	if (!b && own)
		cr_skip_test("no GPU");
	cr_assert(b, "%s", err.message);
	check(b);
	b->close(b);
}

#define ALIKE(name, check)                                                                                                       \
	Test(gpu_product, name##_on_the_stand_in) { both(false, check); }                                                        \
	Test(gpu_product, name##_on_the_gpu) { both(true, check); }

static bool judges(struct ekka_backend *b, const struct problem *p, struct ekka_elements_part *ret)
{
	struct ekka_gemm g = problem_gemm(p);

	return b->product(b, &g, ret);
}

static bool near(double a, double b)
{
	return a == b || fabs(a - b) <= 1e-6 * (fabs(a) + fabs(b));
}

/* What the backend found is what the CPU finds in all elements. */
static void found_alike(struct problem *p, struct ekka_backend *b, uint64_t seed)
{
	const char *what = ekka_dtype_name(p->ta);
	struct ekka_verdict cpu = problem_judge(p, true), gpu;
	struct ekka_elements_part found;
	int before = gpu_launches;

	cr_assert(judges(b, p, &found), "%s %llu: %lld x %lld x %lld is not judged; %s on the CPU", what, (unsigned long long)seed, (long long)p->m,
		  (long long)p->n, (long long)p->k, ekka_status_name(cpu.status));
	if (strstr(b->name, "stand-in"))
		cr_expect_gt(gpu_launches, before);
	gpu = problem_judge_with(p, &(struct ekka_gemm_options){ .backend = b });
	cr_expect_eq(cpu.status, EKKA_PASS);
	cr_expect_eq(gpu.status, EKKA_PASS);
	cr_expect(!gpu.screened);
	cr_expect(near(cpu.margin, gpu.margin), "%s %llu: margins %.17g and %.17g", what, (unsigned long long)seed, cpu.margin, gpu.margin);
	cr_expect(near(cpu.max_abs_error, gpu.max_abs_error), "%s %llu: errors %.17g and %.17g", what, (unsigned long long)seed, cpu.max_abs_error, gpu.max_abs_error);
	cr_expect_eq(cpu.n_elements, gpu.n_elements);
	cr_expect_eq(cpu.n_worst, gpu.n_worst);
	cr_expect(near(cpu.max_bound, gpu.max_bound), "%s %llu: bounds %.17g and %.17g", what, (unsigned long long)seed, cpu.max_bound, gpu.max_bound);
	for (unsigned i = 0; i < cpu.n_worst; i++)
		cr_expect_eq(cpu.worst[i], gpu.worst[i], "%s %llu: worst element, dimension %u", what, (unsigned long long)seed, i);
	cr_expect_eq(cpu.worst_out[0], gpu.worst_out[0]);
	cr_expect(near(cpu.worst_ref[0], gpu.worst_ref[0]));
	cr_expect_str_eq(cpu.bound, gpu.bound);
}

/* Types, compute types and math modes: each has another bound. */
static const struct { enum ekka_dtype a, c; int64_t compute, math; int32_t cc; } kinds[] = {
	{ EKKA_BF16, EKKA_BF16, 68, 0, 9 }, { EKKA_F16, EKKA_F16, 68, 0, 9 }, { EKKA_F16, EKKA_F16, 64, 0, 8 }, { EKKA_F32, EKKA_F32, 68, 0, 9 },
	{ EKKA_F32, EKKA_F32, 77, 0, 8 }, { EKKA_BF16, EKKA_F32, 68, 0, 10 }, { EKKA_F32, EKKA_F32, 75, 0, 9 }, { EKKA_BF16, EKKA_BF16, 68, 16, 9 },
};
enum { KINDS = sizeof kinds / sizeof kinds[0] };

static void make(struct problem *p, uint64_t seed, int64_t m, int64_t n, int64_t k, int64_t batch)
{
	size_t kind = seed % KINDS;
	/* What is not tiny, huge or cancelling: there the CPU says UNDECIDED. */
	problem_init(p, kinds[kind].a, kinds[kind].c, m, n, k, batch, seed / KINDS % 2 ? POSITIVE : GAUSSIAN, seed);
	problem_bound(p, &(struct ekka_bound_facts){ .compute = kinds[kind].compute, .math = kinds[kind].math, .on_device = true, .cc_major = kinds[kind].cc });
	if (seed % 3 == 0) {
		p->alpha[0] = -0.37;
		p->beta[0] = 1.25;
	}
	problem_compute(p, SEQUENTIAL);
}

static void right_products(struct ekka_backend *b)
{
	static const int64_t some_k[] = { 1, 5, 63, 64, 127, 128, 129, 300, 1000, 2500 };

	for (uint64_t seed = 1; seed <= 100; seed++) {
		int64_t few = 1 + (int64_t)(seed % 9), many = 1 + (int64_t)(seed * 7 % 43);
		struct problem p;

		make(&p, seed, seed % 2 ? few : many, seed % 2 ? many : few, some_k[seed % 10], seed % 4 ? 1 : 3);
		found_alike(&p, b, seed);
		problem_release(&p);
	}
}
ALIKE(right_products_are_judged_there, right_products)

/* What a library does behind the sum, in float64, to what is stored. */
static void finish(struct problem *p, const struct ekka_epilogue *e)
{
	for (int64_t b = 0; b < p->batch; b++)
		for (int64_t i = 0; i < p->m; i++)
			for (int64_t j = 0; j < p->n; j++) {
				double c[2], t;

				problem_get(p, OPERAND_C, b, i, j, c);
				t = c[0] * ekka_epilogue_factor(e, i, j) + (e->bias ? e->bias[b * e->bias_step + i] : 0);
				t = e->activation == EKKA_ACT_RELU ? fmax(t, 0) : e->activation == EKKA_ACT_GELU ? ekka_gelu(t) * (1 + 0x1p-13) : t;	/* as tanh.approx.f32 may be */
				problem_set(p, OPERAND_C, b, i, j, t * e->scale, 0);
			}
}

static void epilogues(struct ekka_backend *b)
{
	static const uint64_t kind[] = { 3, 4, 5, 6 };	/* f32 is stored: rounded twice here, which shows in no bound */
	double bias[3 * 40], row[40], col[40];

	for (int i = 0; i < 40; i++) {
		row[i] = 0.5 + i % 5;
		col[i] = 1.5 - i % 3;
	}
	for (int i = 0; i < 3 * 40; i++)
		bias[i] = 10 * sin(i);
	for (uint64_t n = 0; n < 48; n++) {
		struct ekka_epilogue e = { .activation = (enum ekka_activation)(n / 4 % 3), .bias = n / 2 % 3 ? bias : NULL, .bias_step = n % 5 ? 40 : 0,
					   .row_scale = n % 7 == 1 ? row : NULL, .col_scale = n % 7 < 2 ? col : NULL, .scale = n % 3 ? 1 : 0.25 };
		bool thin = n % 2;
		struct problem p;
		double c[2];

		make(&p, kind[n % 4] + KINDS * n, thin ? 2 : 37, 29, 300, thin ? 1 : 3);
		p.beta[0] = 0;
		problem_compute(&p, SEQUENTIAL);
		finish(&p, &e);
		p.g.epilogue = &e;
		found_alike(&p, b, n);
		problem_get(&p, OPERAND_C, p.batch - 1, p.m - 1, 28, c);
		problem_set(&p, OPERAND_C, p.batch - 1, p.m - 1, 28, c[0] + 100, 0);
		cr_expect(!judges(b, &p, &(struct ekka_elements_part){ 0 }));
		e.every = true;
		problem_set(&p, OPERAND_C, p.batch - 1, p.m - 1, 28, c[0], 0);
		cr_expect(!judges(b, &p, &(struct ekka_elements_part){ 0 }), "largest magnitudes are the CPU's");
		problem_release(&p);
	}
}
ALIKE(epilogues_are_judged_there, epilogues)

static void several_blocks(struct ekka_backend *b)
{
	struct problem p;

	make(&p, 8, 430, 12, 20000, 1);	/* panels of 209 lines */
	found_alike(&p, b, 8);
	problem_set(&p, OPERAND_C, 0, 429, 11, 1e4, 0);
	cr_expect(!judges(b, &p, &(struct ekka_elements_part){ 0 }));
	problem_release(&p);
}
ALIKE(several_blocks_are_judged_there, several_blocks)

/* A single wrong element, wherever it is, is the CPU's to explain. */
static void wrong_elements(struct ekka_backend *b)
{
	static const double wrong[] = { 1, NAN, INFINITY };

	for (int thin = 0; thin < 2; thin++)
		for (int64_t at = 0; at < 2 * 12 * (thin ? 3 : 10); at += 5) {
			int64_t n = thin ? 3 : 10, item = at / (12 * n), i = at / n % 12, j = at % n;
			struct problem p;
			double c[2];

			make(&p, 3, 12, n, 200, thin ? 1 : 2);
			item = thin ? 0 : item;
			problem_get(&p, OPERAND_C, item, i, j, c);
			problem_set(&p, OPERAND_C, item, i, j, c[0] + wrong[at % 3], 0);
			cr_expect(!judges(b, &p, &(struct ekka_elements_part){ 0 }), "%d: (%lld, %lld, %lld)", thin, (long long)item, (long long)i, (long long)j);
			cr_expect_eq(problem_judge_with(&p, &(struct ekka_gemm_options){ .exact = true, .backend = b }).status, EKKA_FAIL);
			problem_release(&p);
		}
}
ALIKE(one_wrong_element_is_left_to_the_cpu, wrong_elements)

/* Results that are all off by the same part: what the CPU is in doubt about is not passed. */
static void doubtful(struct ekka_backend *b)
{
	static const struct { size_t kind; int64_t k; enum values values; double off; const char *reason; } some[] = {
		{ 3, 500, POSITIVE, 2e-5, "further off than rounding makes" },
		{ 2, 2500, GAUSSIAN, 0.05, "the bound exceeds half" },
	};

	for (uint64_t n = 0; n < 8; n++) {
		bool thin = n / 2 % 2;
		struct ekka_verdict cpu;
		struct problem p;

		problem_init(&p, kinds[some[n % 2].kind].a, kinds[some[n % 2].kind].c, thin ? 3 : 12, thin ? 20 : 13, some[n % 2].k, 1, some[n % 2].values, n);
		problem_bound(&p, &(struct ekka_bound_facts){ .compute = kinds[some[n % 2].kind].compute, .math = 0, .on_device = true, .cc_major = 9 });
		problem_compute(&p, SEQUENTIAL);
		for (int64_t i = 0; i < p.m; i++)
			for (int64_t j = 0; j < p.n; j++) {
				double c[2];

				problem_get(&p, OPERAND_C, 0, i, j, c);
				problem_set(&p, OPERAND_C, 0, i, j, c[0] * (1 + some[n % 2].off), 0);
			}
		cpu = problem_judge(&p, true);
		cr_expect(cpu.status == EKKA_UNDECIDED && strstr(cpu.reason, some[n % 2].reason), "%llu: %s on the CPU, %s", (unsigned long long)n, ekka_status_name(cpu.status),
			  cpu.reason);
		cr_expect(!judges(b, &p, &(struct ekka_elements_part){ 0 }), "%llu", (unsigned long long)n);
		cr_expect_eq(problem_judge_with(&p, &(struct ekka_gemm_options){ .exact = true, .backend = b }).status, EKKA_UNDECIDED);
		problem_release(&p);
	}
}
ALIKE(doubt_is_left_to_the_cpu, doubtful)

/* Infinities and NaNs that belong there. */
static void odd_operands(struct ekka_backend *b)
{
	for (uint64_t seed = 0; seed < 24; seed++) {
		struct problem p;
		struct ekka_verdict cpu, gpu;

		make(&p, seed, seed % 2 ? 3 : 12, 14, 200, 1);
		problem_set(&p, OPERAND_A, 0, 1, 150, seed % 4 < 2 ? INFINITY : NAN, 0);
		problem_compute(&p, SEQUENTIAL);
		if (seed % 5 == 0)
			problem_set(&p, OPERAND_C, 0, 1, 3, 1, 0);
		cpu = problem_judge(&p, true);
		gpu = problem_judge_with(&p, &(struct ekka_gemm_options){ .exact = true, .backend = b });
		cr_expect_eq(cpu.status, gpu.status, "%llu: %s and %s", (unsigned long long)seed, ekka_status_name(cpu.status), ekka_status_name(gpu.status));
		cr_expect_eq(cpu.n_bad, gpu.n_bad);
		cr_expect(near(cpu.margin, gpu.margin), "%llu: margins %g and %g", (unsigned long long)seed, cpu.margin, gpu.margin);
		problem_release(&p);
	}
}
ALIKE(infinities_and_nans_are_judged_alike, odd_operands)

/* An operand that binary16 does not hold excuses infinities in its row and column, on whichever side it is. */
static void too_large_operands(struct ekka_backend *b)
{
	for (uint64_t n = 0; n < 32; n++) {
		bool thin = n / 4 % 2, of_a = n / 8 % 2;	/* lower bits are the layout */
		int64_t rows = thin ? 3 : 12;
		struct problem p;

		problem_init(&p, EKKA_F32, EKKA_F32, rows, 20, 200, 1, GAUSSIAN, n);
		problem_bound(&p, &(struct ekka_bound_facts){ .compute = 74, .math = 0, .on_device = true, .cc_major = 9 });
		problem_set(&p, of_a ? OPERAND_A : OPERAND_B, 0, of_a ? 1 : 130, of_a ? 130 : 1, 70000, 0);
		problem_compute(&p, SEQUENTIAL);
		for (int64_t i = 0; i < (of_a ? 20 : rows); i++)
			problem_set(&p, OPERAND_C, 0, of_a ? 1 : i, of_a ? i : 1, INFINITY, 0);
		found_alike(&p, b, n);
		problem_set(&p, OPERAND_C, 0, 2, 2, INFINITY, 0);
		cr_expect(!judges(b, &p, &(struct ekka_elements_part){ 0 }));
		problem_release(&p);
	}
}
ALIKE(operands_beyond_their_type_are_judged_alike, too_large_operands)

static void declined(struct ekka_backend *b)
{
	static const enum ekka_dtype types[] = { EKKA_F64, EKKA_C64, EKKA_C128 };
	struct ekka_elements_part found;

	for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
		struct problem p;

		problem_init(&p, types[i], types[i], 10, 10, 10, 1, GAUSSIAN, i);
		problem_compute(&p, SEQUENTIAL);
		cr_expect(!judges(b, &p, &found));
		problem_release(&p);
	}
}
ALIKE(what_float64_is_not_enough_for_is_declined, declined)

Test(gpu_product, a_device_that_fails_in_between_or_has_no_memory_changes_nothing)
{
	for (int after = -1; after < 8; after++)
		for (uint64_t thin = 0; thin < 2; thin++) {
			struct ekka_elements_part found;
			struct ekka_error err = { 0 };
			struct ekka_backend *b = ekka_gpu_open_with(&gpu_stand_in, &gpu_stand_in, EKKA_GPU_ALWAYS, &err);
			struct problem p;
			int needed = thin ? 3 : 5;

			make(&p, 8, thin ? 2 : 20, 50, 300, 1);
			gpu_launches = 0;
			gpu_fail_after = after;
			gpu_memory_lacks = after < 0;
			cr_expect_eq(judges(b, &p, &found), after >= needed, "%d", after);
			gpu_fail_after = -1;
			gpu_memory_lacks = false;
			cr_expect_eq(problem_judge_with(&p, &(struct ekka_gemm_options){ .exact = true, .backend = b }).status, EKKA_PASS);
			problem_release(&p);
			b->close(b);
		}
}

static bool (*product)(struct ekka_backend *, const struct ekka_gemm *, struct ekka_elements_part *);
static int n_product, n_held;
static bool counted(struct ekka_backend *b, const struct ekka_gemm *g, struct ekka_elements_part *ret)
{
	bool good = product(b, g, ret);

	n_product += good;
	n_held += g->a.held && g->b.held && g->c.held;
	return good;
}

/* From a trace: operands are kept blobs, whose mirrors are read. */
static void events(struct ekka_backend *b)
{
	static float a[30 * 200], w[200 * 40], c[30 * 40];
	struct fake_event f;

	for (int i = 0; i < 30 * 200; i++)
		a[i] = (float)(i * 37 % 101) / 64;
	for (int i = 0; i < 200 * 40; i++)
		w[i] = (float)(i * 53 % 97) / 64 - 0.75f;
	for (int i = 0; i < 30 * 40; i++) {
		c[i] = 0;
		for (int k = 0; k < 200; k++)
			c[i] += a[i / 40 * 200 + k] * w[k * 40 + i % 40];
	}
	product = b->product;
	b->product = counted;
	for (int wrong = 0; wrong < 2; wrong++) {
		n_product = n_held = 0;
		fake_event_init(&f, "gemm");
		fake_event_tensor(&f, "A", EKKA_IN, EKKA_F32, "30x200", NULL, a, NULL);
		fake_event_tensor(&f, "B", EKKA_IN, EKKA_F32, "200x40", NULL, w, NULL);
		fake_event_tensor(&f, "C", EKKA_OUT, EKKA_F32, "30x40", NULL, NULL, c);
		cr_expect_eq(fake_event_judge_on(&f, b).status, wrong ? EKKA_FAIL : EKKA_PASS);
		cr_expect_eq(n_product, !wrong);
		cr_expect_eq(n_held, 1);
		c[777] += 1;
	}
}
ALIKE(events_of_a_trace_are_judged_there, events)

/* So small an event is with the CPU before the device has heard of it. */
Test(gpu_product, small_events_are_the_cpus)
{
	struct ekka_error err = { 0 };
	struct ekka_backend *b = ekka_gpu_open_with(&gpu_stand_in, &gpu_stand_in, 0, &err);
	struct ekka_elements_part found;
	struct problem p;

	make(&p, 8, 20, 50, 300, 1);
	cr_expect(!judges(b, &p, &found));
	problem_release(&p);
	make(&p, 8, 20, 200, 300, 1);
	cr_expect(judges(b, &p, &found));
	problem_release(&p);
	b->close(b);
}
