/* SPDX-License-Identifier: Apache-2.0 */
/* Loops split over threads: every part once, taken in order, and the same verdicts as alone. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "replay/team.h"
#include "tests/unit/replay/fake_event.h"
#include "tests/unit/replay/problem.h"

enum { HELPERS = 5, SLOTS = 4, PARTS = 500 };

static struct ekka_team team = { .lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER, .threads = HELPERS + 1 };
static bool over;
static atomic_int by_helpers;	/* parts that helpers computed */
static pthread_t helper[HELPERS];

static void *help(void *arg)
{
	pthread_mutex_lock(&team.lock);
	while (!over)
		if (ekka_team_help(&team))
			atomic_fetch_add(&by_helpers, 1);
		else
			pthread_cond_wait(&team.changed, &team.lock);
	pthread_mutex_unlock(&team.lock);
	return arg;
}

static void begin(void)
{
	over = false;
	for (int i = 0; i < HELPERS; i++)
		cr_assert_eq(pthread_create(&helper[i], NULL, help, NULL), 0);
}

static void end(void)
{
	pthread_mutex_lock(&team.lock);
	over = true;
	pthread_cond_broadcast(&team.changed);
	pthread_mutex_unlock(&team.lock);
	for (int i = 0; i < HELPERS; i++)
		pthread_join(helper[i], NULL);
}

static struct { int64_t value[SLOTS], taken; atomic_int times[PARTS], in_slot[SLOTS], most, now; int64_t bad; } seen;

static int compute(void *arg, int64_t part, unsigned slot, struct ekka_error *err)
{
	int now = atomic_fetch_add(&seen.now, 1) + 1;

	(void)arg;
	if (now > atomic_load(&seen.most))
		atomic_store(&seen.most, now);
	cr_assert_eq(atomic_fetch_add(&seen.in_slot[slot], 1), 0, "a slot is one part's");
	(void)usleep((unsigned)(part * 7919 % 13) * 20);
	seen.value[slot] = part;
	atomic_fetch_add(&seen.times[part], 1);
	atomic_fetch_sub(&seen.now, 1);
	return part == seen.bad ? ekka_error_set(err, EKKA_ERR_INVALID, "part %d", (int)part) : 0;
}

static int take(void *arg, int64_t part, unsigned slot, struct ekka_error *err)
{
	(void)arg;
	(void)err;
	cr_assert_eq(part, seen.taken, "in order");
	cr_assert_eq(seen.value[slot], part);
	atomic_fetch_sub(&seen.in_slot[slot], 1);
	seen.taken++;
	return 0;
}

Test(team, every_part_is_computed_once_and_taken_in_order, .timeout = 30)
{
	const struct ekka_parts parts = { PARTS, SLOTS, compute, take, NULL };

	seen.bad = -1;
	begin();
	cr_expect_eq(ekka_team_run(&team, &parts, NULL), 0);
	end();
	cr_expect_eq(seen.taken, PARTS);
	for (int i = 0; i < PARTS; i++)
		cr_assert_eq(seen.times[i], 1);
	cr_expect_gt(seen.most, 1, "several at once");
	cr_expect_leq(seen.most, SLOTS);
}

Test(team, an_error_ends_the_loop, .timeout = 30)
{
	const struct ekka_parts parts = { PARTS, SLOTS, compute, take, NULL };
	struct ekka_error err = { 0 };

	seen.bad = 100;
	begin();
	cr_expect_eq(ekka_team_run(&team, &parts, &err), EKKA_ERR_INVALID);
	end();
	cr_expect_str_eq(err.message, "part 100");
	cr_expect_lt(seen.taken, 110);
	cr_expect_null(team.loops);
}

static void expect_same(const struct ekka_verdict *a, const struct ekka_verdict *b)
{
	cr_expect_eq(a->status, b->status);
	cr_expect(!memcmp(&a->margin, &b->margin, sizeof a->margin), "%.17g and %.17g", a->margin, b->margin);
	cr_expect_eq(a->n_bad, b->n_bad);
	cr_expect_eq(a->n_elements, b->n_elements);
	cr_expect(!memcmp(a->worst, b->worst, sizeof a->worst));
	cr_expect_str_eq(a->where, b->where);
	cr_expect_str_eq(a->looks_like, b->looks_like);
	cr_expect_eq(a->screened, b->screened);
}

/* One large elementwise event, with helpers and without. */
static void same(struct fake_event *f, const char *what, enum ekka_status status)
{
	struct ekka_verdict alone, helped;

	f->team = NULL;
	alone = fake_event_judge(f);
	f->team = &team;
	helped = fake_event_judge(f);
	cr_expect_eq(alone.status, status, "%s: %s", what, ekka_status_name(alone.status));
	expect_same(&alone, &helped);
	cr_expect_eq(alone.max_abs_error, helped.max_abs_error, "%s", what);
	cr_expect_str_eq(alone.audit, helped.audit, "%s", what);
	cr_expect_str_eq(alone.reason, helped.reason, "%s", what);
}

/* Right, one wrong element, many, and a read beyond a table. */
static void compare_elementwise(void)
{
	enum { N = 700 * 800 };
	float *a = malloc(N * sizeof *a), *y = malloc(N * sizeof *y), *table = malloc(16 * sizeof *table);
	int32_t *at = malloc(N * sizeof *at);
	static struct fake_event f;

	for (int i = 0; i < N; i++) {
		a[i] = (float)(i * 7919L % 10007 - 5000) * 0.001F;
		y[i] = expf(a[i]);
	}
	fake_event_init(&f, "elementwise");
	fake_event_text(&f, "expr", "exp(in0)");
	fake_event_tensor(&f, "out0", EKKA_OUT, EKKA_F32, "700x800", NULL, NULL, y);
	fake_event_tensor(&f, "in0", EKKA_IN, EKKA_F32, "700x800", NULL, a, NULL);
	same(&f, "right", EKKA_PASS);
	y[650 * 800 + 3] *= 2;
	same(&f, "one wrong", EKKA_FAIL);
	for (int i = 300 * 800; i < N; i++)
		y[i] = 0;
	same(&f, "many wrong", EKKA_FAIL);
	for (int i = 0; i < N; i++) {
		at[i] = i % 16;
		y[i] = table[i % 16] = (float)(i % 16) + (float)(i % 800);
	}
	for (int i = 0; i < N; i++)
		y[i] = table[i % 16] + (float)(i % 800);
	fake_event_init(&f, "elementwise");
	fake_event_text(&f, "expr", "table[in0] + i1");
	fake_event_tensor(&f, "out0", EKKA_OUT, EKKA_F32, "700x800", NULL, NULL, y);
	fake_event_tensor(&f, "in0", EKKA_IN, EKKA_I32, "700x800", NULL, at, NULL);
	fake_event_tensor(&f, "table", EKKA_IN, EKKA_F32, "16", NULL, table, NULL);
	same(&f, "table", EKKA_PASS);
	at[200 * 800] = 16;
	same(&f, "beyond the table", EKKA_UNDECIDED);
	free(a), free(y), free(table), free(at);
}

/* The event is shared: sooner or later a helper finds a part before the caller has taken all. */
static void is_shared(struct fake_event *f, const char *what)
{
	atomic_store(&by_helpers, 0);
	f->team = &team;
	for (int i = 0; i < 200 && !atomic_load(&by_helpers); i++)
		cr_assert_eq(fake_event_judge(f).status, EKKA_PASS);
	cr_expect_gt(atomic_load(&by_helpers), 0, "%s", what);
}

enum { ROW_COUNT = 1100, ROW = 500 };

/* Right, wrong in one of several outputs, and wrong in many rows. */
static void rows_of(struct fake_event *f, const char *what, float *y, float *second)
{
	float kept = y[900 * ROW + 7];

	same(f, what, EKKA_PASS);
	is_shared(f, what);
	y[900 * ROW + 7] += 1;
	same(f, what, EKKA_FAIL);
	y[900 * ROW + 7] = kept;
	if (second) {
		kept = second[1099];
		second[1099] = kept * 2 + 1;
		same(f, what, EKKA_FAIL);
		second[1099] = kept;
	}
	memset(y + 200 * ROW, 0, 600 * ROW * sizeof *y);
	same(f, what, EKKA_FAIL);
}

static void compare_norm(const float *x)
{
	float *y = malloc(ROW_COUNT * ROW * sizeof *y), mean[ROW_COUNT];
	static struct fake_event f;

	for (int i = 0; i < ROW_COUNT; i++) {
		double sum = 0, squares = 0;

		for (int j = 0; j < ROW; j++)
			sum += (double)x[i * ROW + j];
		sum /= ROW;
		for (int j = 0; j < ROW; j++)
			squares += ((double)x[i * ROW + j] - sum) * ((double)x[i * ROW + j] - sum);
		mean[i] = (float)sum;
		for (int j = 0; j < ROW; j++)
			y[i * ROW + j] = (float)(((double)x[i * ROW + j] - sum) / sqrt(squares / ROW + 1e-5));
	}
	fake_event_init(&f, "norm");
	fake_event_text(&f, "kind", "layer");
	fake_event_real(&f, "eps", 1e-5);
	fake_event_tensor(&f, "x", EKKA_IN, EKKA_F32, "1100x500", NULL, x, NULL);
	fake_event_tensor(&f, "y", EKKA_OUT, EKKA_F32, "1100x500", NULL, NULL, y);
	fake_event_tensor(&f, "mean", EKKA_OUT, EKKA_F32, "1100", NULL, NULL, mean);
	rows_of(&f, "norm", y, mean);
	free(y);
}

static void compare_softmax(const float *x)
{
	float *y = malloc(ROW_COUNT * ROW * sizeof *y);
	static struct fake_event f;

	for (int i = 0; i < ROW_COUNT; i++) {
		double sum = 0;

		for (int j = 0; j < ROW; j++)
			sum += exp((double)x[i * ROW + j]);
		for (int j = 0; j < ROW; j++)
			y[i * ROW + j] = (float)(exp((double)x[i * ROW + j]) / sum);
	}
	fake_event_init(&f, "softmax");
	fake_event_tensor(&f, "x", EKKA_IN, EKKA_F32, "1100x500", NULL, x, NULL);
	fake_event_tensor(&f, "y", EKKA_OUT, EKKA_F32, "1100x500", NULL, NULL, y);
	rows_of(&f, "softmax", y, NULL);
	free(y);
}

static void compare_reduce(const float *x)
{
	static float top[ROW_COUNT];
	static int64_t index[ROW_COUNT];
	static struct fake_event f;

	for (int i = 0; i < ROW_COUNT; i++) {
		index[i] = 0;
		for (int j = 1; j < ROW; j++)
			index[i] = x[i * ROW + j] > x[i * ROW + index[i]] ? j : index[i];
		top[i] = x[i * ROW + index[i]];
	}
	fake_event_init(&f, "reduce");
	fake_event_text(&f, "kind", "max");
	fake_event_int(&f, "reduced", 1);
	fake_event_int(&f, "index", 1);
	fake_event_tensor(&f, "in0", EKKA_IN, EKKA_F32, "1100x500", NULL, x, NULL);
	fake_event_tensor(&f, "out0", EKKA_OUT, EKKA_F32, "1100", NULL, NULL, top);
	fake_event_tensor(&f, "out1", EKKA_OUT, EKKA_I64, "1100", NULL, NULL, index);
	same(&f, "reduce", EKKA_PASS);
	is_shared(&f, "reduce");
	index[1000]++;
	same(&f, "reduce, a wrong index", EKKA_FAIL);
	top[3] += 1;
	same(&f, "reduce, both wrong", EKKA_FAIL);
}

Test(team, rows_do_not_depend_on_the_number_of_threads, .timeout = 60)
{
	float *x = malloc(ROW_COUNT * ROW * sizeof *x);

	for (int i = 0; i < ROW_COUNT * ROW; i++)
		x[i] = (float)(i * 7919L % 10007 - 5000) * 0.001F;
	begin();
	compare_norm(x);
	compare_softmax(x);
	compare_reduce(x);
	end();
	free(x);
}

/* Right, one wrong element, a wrong stripe of rows: screened and exact. */
Test(team, verdicts_do_not_depend_on_the_number_of_threads, .timeout = 60)
{
	begin();
	for (int kind = 0; kind < 6; kind++) {
		struct ekka_gemm_options alone = { .exact = kind % 2 == 0, .memory_bytes = (uint64_t)1 << 30 }, together = alone;
		struct ekka_verdict a, b;
		struct problem p;

		problem_init(&p, kind < 4 ? EKKA_F32 : EKKA_BF16, EKKA_F32, 700, 600, 150, 1, GAUSSIAN, (uint64_t)kind + 1);
		problem_compute(&p, SEQUENTIAL);
		if (kind / 2 == 1)
			problem_set(&p, OPERAND_C, 0, 650, 17, 1000, 0);
		for (int64_t i = 200; kind / 2 == 2 && i < 500; i++)
			for (int64_t j = 3; j < 600; j += 5)
				problem_set(&p, OPERAND_C, 0, i, j, 0, 0);
		together.team = &team;
		a = problem_judge_with(&p, &alone);
		b = problem_judge_with(&p, &together);
		cr_expect_eq(a.status, kind / 2 ? EKKA_FAIL : EKKA_PASS);
		/* Some of the stripe's right elements are near zero. */
		cr_expect(kind / 2 == 2 ? a.n_bad > 35900 && a.n_bad <= 36000 : a.n_bad == (unsigned)kind / 2, "%d: %llu", kind, (unsigned long long)a.n_bad);
		expect_same(&a, &b);
		problem_release(&p);
	}
	compare_elementwise();
	end();
}
