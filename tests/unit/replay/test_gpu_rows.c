/* SPDX-License-Identifier: Apache-2.0 */
/* Ops that go row by row on the GPU backend against the CPU, on a stand-in and on the machine's own GPU if there is one. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "replay/gpu.h"
#include "tests/unit/replay/fake_event.h"
#include "tests/unit/replay/gpu_stand_in.h"
#include "tests/unit/replay/samples.h"

/* ---- backends ---------------------------------------------------------- */

static struct ekka_backend *real;
static int taken;		/* events of which the device found all elements good */

static bool counted(struct ekka_backend *b, const struct ekka_rows_work *w, struct ekka_elements_part *ret)
{
	bool done = real->rows(real, w, ret), good = done;

	(void)b;
	for (unsigned i = 0; good && i < w->n_out; i++)
		good = ret[i].n_bad == 0 && ret[i].n == (uint64_t)w->out[i].from->n;
	taken += good;
	return done;
}

static struct ekka_backend counting = { .rows = counted };

static bool open_backend(bool own)
{
	struct ekka_error err = { 0 };

	real = own ? ekka_gpu_open(EKKA_GPU_ALWAYS, &err) : ekka_gpu_open_with(&gpu_stand_in, &gpu_stand_in, EKKA_GPU_ALWAYS, &err);
	cr_assert(real || own, "%s", err.message);
	return real;
}

static void both(bool own, void (*check)(void))
{
	if (!open_backend(own))
		cr_skip_test("no GPU");
	check();
	real->close(real);
}

/* ---- events ------------------------------------------------------------ */

static uint64_t state;

static int64_t below(int64_t n)
{
	state = state * 6364136223846793005u + 1442695040888963407u;
	return (int64_t)((state >> 33) % (uint64_t)n);
}

/* [rows, n] somewhere in memory. */
struct matrix { enum ekka_dtype type; int64_t rows, n, row_step, step; void *bytes; char dims[64], strides[64]; };

/* layout 0: dense; 1: rows apart; 2: transposed; 3: every second element; 4: every row the same bytes (inputs). */
static struct matrix matrix_new(enum ekka_dtype type, int64_t rows, int64_t n, int64_t layout)
{
	struct matrix m = { .type = type, .rows = rows, .n = n, .row_step = n, .step = 1 };

	if (layout == 1)
		m.row_step = n + 5;
	if (layout == 2) {
		m.row_step = 1;
		m.step = rows + 3;
	}
	if (layout == 3) {
		m.row_step = 2 * n + 1;
		m.step = 2;
	}
	if (layout == 4)
		m.row_step = 0;
	m.bytes = samples_new(type, (rows - 1) * m.row_step + (n - 1) * m.step + 1);
	(void)snprintf(m.dims, sizeof m.dims, "%lldx%lld", (long long)rows, (long long)n);
	(void)snprintf(m.strides, sizeof m.strides, "%lldx%lld", (long long)m.row_step, (long long)m.step);
	return m;
}

static void put(struct matrix *m, int64_t r, int64_t i, double v) { samples_put(m->type, m->bytes, r * m->row_step + i * m->step, v); }
static double get(const struct matrix *m, int64_t r, int64_t i) { return samples_get(m->type, m->bytes, r * m->row_step + i * m->step); }

static void fill(struct matrix *m, enum data kind, double size)
{
	void *x = samples_new(m->type, m->rows * m->n);

	samples_fill(m->type, x, m->rows * m->n, kind, size, state);
	for (int64_t e = 0; e < m->rows * m->n; e++)
		put(m, e / m->n, e % m->n, samples_get(m->type, x, e));
	free(x);
}

static double rounded(enum ekka_dtype t, double v)
{
	unsigned char b[8];

	samples_put(t, b, 0, v);
	return samples_get(t, b, 0);
}

static void add(struct fake_event *f, const char *name, enum ekka_dir dir, const struct matrix *m, const void *before)
{
	(void)fake_event_tensor(f, name, dir, m->type, m->dims, m->strides, dir == EKKA_IN ? m->bytes : before, dir == EKKA_IN ? NULL : m->bytes);
}

static struct ekka_verdict alike(struct fake_event *f, const char *what, unsigned long long seed)
{
	struct ekka_verdict cpu = fake_event_judge(f), gpu = fake_event_judge_on(f, &counting);
	/* Of what was computed in float64, the reference errs as much itself, and sums in another order are others. */
	double same = f->tensor[0].dtype == EKKA_F64 ? 0.25 : 1e-6 * cpu.margin + 1e-12;

	cr_expect_eq(cpu.status, gpu.status, "%s %llu: %s on the CPU, %s on the GPU: margins %g and %g, %s", what, seed, ekka_status_name(cpu.status),
		     ekka_status_name(gpu.status), cpu.margin, gpu.margin, cpu.reason);
	cr_expect(cpu.margin == gpu.margin || (isnan(cpu.margin) && isnan(gpu.margin)) || fabs(cpu.margin - gpu.margin) <= same,
		  "%s %llu: margins %.17g and %.17g of %s and %s", what, seed, cpu.margin, gpu.margin, cpu.output, gpu.output);
	cr_expect(cpu.n_elements == gpu.n_elements && cpu.n_bad == gpu.n_bad, "%s %llu", what, seed);
	cr_expect_str_eq(cpu.reason, gpu.reason);
	cr_expect_str_eq(cpu.looks_like, gpu.looks_like);
	cr_expect_str_eq(cpu.where, gpu.where);
	cr_expect_str_eq(cpu.bound, gpu.bound);
	return gpu;
}

/* The device compared it, and it passed; or it has wrong elements, and the CPU's words. */
static void passes(struct fake_event *f, const char *what, unsigned long long seed)
{
	int before = taken;
	struct ekka_verdict v = alike(f, what, seed);

	cr_expect(v.status == EKKA_PASS || v.status == EKKA_UNDECIDED, "%s %llu: %s, margin %g: %g for %g of %s, %s", what, seed, ekka_status_name(v.status),
		  v.margin, v.worst_out[0], v.worst_ref[0], v.output, v.reason);
	cr_expect_eq(taken, before + 1, "%s %llu: the device did nothing", what, seed);
}

/* ---- norms ------------------------------------------------------------- */

struct norm {
	struct fake_event f;
	struct matrix x, y, residual, stored, weight, bias;
	void *before, *mean, *rstd;
	bool layer, fused, wide, weighted, biased, round_first, plus;
	unsigned seed;
};

/* What the norm is taken of; wide: the sum before it was rounded. */
static double norm_h(const struct norm *k, int64_t r, int64_t i)
{
	double h = get(&k->x, r, i) + (k->fused ? get(&k->residual, r, i) : 0);

	return k->fused && !k->wide ? rounded(k->stored.type, h) : h;
}

static void norm_row(struct norm *k, int64_t r)
{
	double sum = 0, squares = 0, n = (double)k->x.n, mean, rstd;

	for (int64_t i = 0; i < k->x.n; i++) {
		put(&k->stored, r, i, norm_h(k, r, i));
		sum += norm_h(k, r, i);
	}
	mean = k->layer ? sum / n : 0;
	for (int64_t i = 0; i < k->x.n; i++)
		squares += (norm_h(k, r, i) - mean) * (norm_h(k, r, i) - mean);
	rstd = 1 / sqrt(squares / n + 1e-5);
	samples_put(EKKA_F32, k->mean, r, mean);
	samples_put(EKKA_F32, k->rstd, r, rstd);
	for (int64_t i = 0; i < k->x.n; i++) {
		double y = (norm_h(k, r, i) - mean) * rstd;

		y = k->round_first ? rounded(k->y.type, y) : y;
		y = k->weighted ? y * (get(&k->weight, r % k->weight.rows, i) + k->plus) : y;
		put(&k->y, r, i, k->biased ? y + get(&k->bias, r % k->bias.rows, i) : y);
	}
}

static void norm_event(struct norm *k)
{
	char rows[32];

	(void)snprintf(rows, sizeof rows, "%lld", (long long)k->x.rows);
	fake_event_init(&k->f, "norm");
	add(&k->f, "x", EKKA_IN, &k->x, NULL);
	add(&k->f, "y", EKKA_OUT, &k->y, NULL);
	if (k->weighted)
		add(&k->f, "weight", EKKA_IN, &k->weight, NULL);
	if (k->biased)
		add(&k->f, "bias", EKKA_IN, &k->bias, NULL);
	if (k->fused) {
		add(&k->f, "residual", EKKA_IN, &k->residual, NULL);
		add(&k->f, "residual_out", EKKA_OUT, &k->stored, NULL);
		if (!k->wide)
			fake_event_text(&k->f, "round_residual", ekka_dtype_name(k->x.type));
	}
	if (k->layer)
		fake_event_tensor(&k->f, "mean", EKKA_OUT, EKKA_F32, rows, NULL, NULL, k->mean);
	if (k->seed % 3)
		fake_event_tensor(&k->f, "rstd", EKKA_OUT, EKKA_F32, rows, NULL, NULL, k->rstd);
	fake_event_text(&k->f, "kind", k->layer ? "layer" : "rms");
	fake_event_real(&k->f, "eps", 1e-5);
	if (k->plus)
		fake_event_int(&k->f, "weight_plus", 1);
	if (k->round_first)
		fake_event_text(&k->f, "round_before_weight", ekka_dtype_name(k->y.type));
	if (k->seed % 5 == 0)
		fake_event_int(&k->f, "one_pass", 1);
	if (k->seed % 7 == 0)
		fake_event_int(&k->f, "depth", 40);
}

/* Every form, shape and layout by the bits of a number. */
static void norm_new(struct norm *k, unsigned seed)
{
	static const enum ekka_dtype types[] = { EKKA_BF16, EKKA_F32, EKKA_F16, EKKA_F64 };
	enum ekka_dtype t = types[seed % 4];
	int64_t rows, n;

	state = seed;
	rows = 2 * (1 + below(20));
	n = seed % 9 == 8 ? 1 + below(9000) : 1 + below(130);
	*k = (struct norm){ .layer = below(2), .fused = below(2), .weighted = below(2), .biased = below(2), .round_first = below(2), .plus = below(2), .wide = below(2), .seed = seed };
	k->x = matrix_new(t, rows, n, below(5));
	(void)snprintf(k->x.dims, sizeof k->x.dims, "%lldx2x%lld", (long long)rows / 2, (long long)n);	/* for weights of two rows */
	(void)snprintf(k->x.strides, sizeof k->x.strides, "%lldx%lldx%lld", (long long)k->x.row_step * 2, (long long)k->x.row_step, (long long)k->x.step);
	k->y = matrix_new(t, rows, n, below(4));
	k->residual = matrix_new(t, rows, n, below(5));
	k->stored = matrix_new(t, rows, n, below(4));
	k->weight = matrix_new(t, 1 + below(2), n, 0);
	k->bias = matrix_new(t, 1 + below(2), n, 0);
	k->mean = samples_new(EKKA_F32, rows);
	k->rstd = samples_new(EKKA_F32, rows);
	fill(&k->x, (enum data)below(DATA_KINDS), 1);
	fill(&k->residual, GAUSS, 1);
	fill(&k->weight, ABOVE_ZERO, 1);
	fill(&k->bias, GAUSS, 0.3);
	for (int64_t r = 0; r < rows; r++)
		norm_row(k, r);
	norm_event(k);
}

static void norm_free(struct norm *k)
{
	void *all[] = { k->x.bytes, k->y.bytes, k->residual.bytes, k->stored.bytes, k->weight.bytes, k->bias.bytes, k->mean, k->rstd };

	for (unsigned i = 0; i < sizeof all / sizeof all[0]; i++)
		free(all[i]);
}

static void norms(void)
{
	for (unsigned seed = 1; seed <= 250; seed++) {
		struct norm k;
		int64_t r, i;

		norm_new(&k, seed);
		passes(&k.f, "norm", seed);
		r = below(k.x.rows);
		i = below(k.x.n);
		if (seed % 2) {		/* not a number, or infinite: what that makes of its row is right */
			put(&k.x, r, i, seed % 4 == 1 ? NAN : INFINITY);
			for (int64_t row = 0; row < k.x.rows; row++)
				norm_row(&k, row);
			(void)alike(&k.f, "odd norm", seed);
		} else if (seed % 4 == 0) {
			put(&k.y, r, i, get(&k.y, r, i) + 1);
			cr_expect_neq(alike(&k.f, "wrong norm", seed).status, EKKA_PASS, "%u", seed);
		} else {
			samples_put(EKKA_F32, k.rstd, r, 3 * samples_get(EKKA_F32, k.rstd, r));
			put(&k.stored, r, i, get(&k.stored, r, i) + 1);
			(void)alike(&k.f, "wrong norm", seed);
		}
		norm_free(&k);
	}
}

Test(gpu_rows, norms_are_judged_alike_on_the_stand_in) { both(false, norms); }
Test(gpu_rows, norms_are_judged_alike_on_the_gpu) { both(true, norms); }

/* ---- reductions -------------------------------------------------------- */

static const char *const kinds[] = { "sum", "mean", "max", "min", "any", "all", "argmax", "argmin", "norm2", "var", "std", "prod" };
enum { KINDS = sizeof kinds / sizeof kinds[0] };

struct reduction { struct fake_event f; struct matrix x; enum ekka_dtype out; void *y, *second; const char *kind; bool index, integers; };

static void reduce_row(struct reduction *k, int64_t r)
{
	double sum = 0, squares = 0, product = 1, best = get(&k->x, r, 0), n = (double)k->x.n, m2 = 0, v;
	bool any = false, all = true, least = strstr(k->kind, "min"), integers = k->integers;
	uint64_t whole = 0, whole_product = 1;
	int64_t at = 0;

	for (int64_t i = 0; i < k->x.n; i++) {
		double x = get(&k->x, r, i);

		sum += x;
		squares += x * x;
		product *= x;
		whole += integers ? (uint64_t)(int64_t)x : 0;
		whole_product *= integers ? (uint64_t)(int64_t)x : 0;
		any |= x != 0;
		all &= x != 0;
		if (!isnan(best) && (isnan(x) || (least ? x < best : x > best))) {
			best = x;
			at = i;
		}
	}
	for (int64_t i = 0; i < k->x.n; i++)
		m2 += (get(&k->x, r, i) - sum / n) * (get(&k->x, r, i) - sum / n);
	v = !strcmp(k->kind, "sum") ? sum : !strcmp(k->kind, "mean") ? sum / n : !strcmp(k->kind, "any") ? any : !strcmp(k->kind, "all") ? all :
	    !strncmp(k->kind, "arg", 3) ? (double)at : !strcmp(k->kind, "norm2") ? sqrt(squares) : !strcmp(k->kind, "var") ? m2 / (n - 1) :
	    !strcmp(k->kind, "std") ? sqrt(m2 / (n - 1)) : !strcmp(k->kind, "prod") ? product : best;
	samples_put(k->out, k->y, r, v);
	if (integers && (!strcmp(k->kind, "sum") || !strcmp(k->kind, "prod")))
		memcpy((char *)k->y + (int64_t)ekka_dtype_bytes(k->out) * r, k->kind[0] == 's' ? &whole : &whole_product, ekka_dtype_bytes(k->out));
	samples_put(k->index ? EKKA_I64 : EKKA_F32, k->second, r, k->index ? (double)at : sum / n);
}

static void reduction_new(struct reduction *k, unsigned seed)
{
	static const enum ekka_dtype types[] = { EKKA_BF16, EKKA_F32, EKKA_I32, EKKA_F16, EKKA_U8 };
	enum ekka_dtype t = types[seed % 5];
	bool integers = t == EKKA_I32 || t == EKKA_U8;
	char kept[32];

	state = seed;
	*k = (struct reduction){ .kind = kinds[seed % 8 == 7 ? (int64_t)(seed / 8 % KINDS) : below(KINDS)] };
	k->x = matrix_new(t, seed % 8 == 7 ? 1 + below(3) : 1 + below(40), seed % 8 == 7 ? 1 + below(60000) : 1 + below(seed % 8 == 3 ? 6 : 200), below(5));
	fill(&k->x, (enum data)below(DATA_KINDS), integers ? 100 : 1);
	for (int64_t e = 0; (seed % 4 == 2 || seed % 8 == 7) && e < k->x.rows * k->x.n; e++)	/* one that is 0 or, further on, one that is not */
		if (k->kind[1] == 'n' || k->kind[1] == 'l')
			put(&k->x, e / k->x.n, e % k->x.n, (e % k->x.n == below(k->x.n)) == (k->kind[1] == 'n'));
	for (int64_t e = 0; seed % 16 == 3 && !integers && e < k->x.rows * k->x.n; e++)	/* below what a lane begins with */
		put(&k->x, e / k->x.n, e % k->x.n, -1 - (double)(e % 7));
	if (seed % 3 == 0)	/* ties */
		for (int64_t i = 0; i < k->x.n; i += 3)
			put(&k->x, 0, i, 1);
	k->integers = integers && strcmp(k->kind, "mean") != 0 && k->kind[0] != 'n' && k->kind[0] != 'v' && strcmp(k->kind, "std") != 0;
	k->out = k->integers && (!strcmp(k->kind, "sum") || !strcmp(k->kind, "prod")) ? (seed % 3 ? EKKA_I64 : seed % 2 ? EKKA_I16 : EKKA_U8) :
		 k->integers || !strncmp(k->kind, "arg", 3) ? EKKA_I64 : !strcmp(k->kind, "any") || !strcmp(k->kind, "all") ? EKKA_U8 : EKKA_F32;
	k->index = !strcmp(k->kind, "max") || !strcmp(k->kind, "min");
	k->y = samples_new(EKKA_I64, k->x.rows);
	k->second = samples_new(EKKA_I64, k->x.rows);
	for (int64_t r = 0; r < k->x.rows; r++)
		reduce_row(k, r);
	(void)snprintf(kept, sizeof kept, "%lld", (long long)k->x.rows);
	fake_event_init(&k->f, "reduce");
	add(&k->f, "in0", EKKA_IN, &k->x, NULL);
	fake_event_tensor(&k->f, "out0", EKKA_OUT, k->out, kept, NULL, NULL, k->y);
	if (k->index || k->kind[0] == 'v' || !strcmp(k->kind, "std"))
		fake_event_tensor(&k->f, "out1", EKKA_OUT, k->index ? EKKA_I64 : EKKA_F32, kept, NULL, NULL, k->second);
	fake_event_text(&k->f, "kind", k->kind);
	fake_event_int(&k->f, "reduced", 1);
	if (k->index)
		fake_event_int(&k->f, "index", 1);
	if (seed % 4 == 0)
		fake_event_text(&k->f, "ties", "first");
}

static void reduction_free(struct reduction *k)
{
	free(k->x.bytes);
	free(k->y);
	free(k->second);
}

static void reductions(void)
{
	for (unsigned seed = 1; seed <= 400; seed++) {
		struct reduction k;
		int before = taken;
		int64_t r;

		reduction_new(&k, seed);
		if (!strcmp(k.kind, "prod") && !k.integers) {
			(void)alike(&k.f, k.kind, seed);
			cr_expect_eq(taken, before, "products of reals are the CPU's");
		} else {
			passes(&k.f, k.kind, seed);
		}
		r = below(k.x.rows);
		if (seed % 2 && ekka_dtype_unit_roundoff(k.x.type) > 0) {
			put(&k.x, r, below(k.x.n), seed % 4 == 1 ? NAN : -INFINITY);
			put(&k.x, r, below(k.x.n), seed % 3 == 1 ? NAN : INFINITY);
			for (int64_t row = 0; row < k.x.rows; row++)
				reduce_row(&k, row);
			(void)alike(&k.f, k.kind, seed);
		}
		samples_put(k.out, k.y, r, samples_get(k.out, k.y, r) + 7);
		(void)alike(&k.f, k.kind, seed);
		reduction_free(&k);
	}
}

Test(gpu_rows, reductions_are_judged_alike_on_the_stand_in) { both(false, reductions); }
Test(gpu_rows, reductions_are_judged_alike_on_the_gpu) { both(true, reductions); }

/* ---- softmax ----------------------------------------------------------- */

enum mask { ADDED, KEEPS, DROPS, NO_MASK };
struct softmax { struct fake_event f; struct matrix x, y, m; enum mask mask; bool log, zero, scaled; };

/* As the CPU's formula has it. */
static double softmax_logit(const struct softmax *k, int64_t r, int64_t i)
{
	double s = get(&k->x, r, i) * (k->scaled ? 0.125 : 1), m = k->mask == NO_MASK ? 0 : get(&k->m, k->m.rows == 1 ? 0 : r, i);

	return k->mask == ADDED ? (k->scaled ? s + m : (double)(float)(s + m)) : (k->mask == KEEPS && m == 0) || (k->mask == DROPS && m != 0) ? -INFINITY : s;
}

static void softmax_row(struct softmax *k, int64_t r)
{
	double max = -INFINITY, sum = 0;

	for (int64_t i = 0; i < k->x.n; i++)
		max = fmax(max, softmax_logit(k, r, i));
	for (int64_t i = 0; i < k->x.n; i++)
		sum += exp(softmax_logit(k, r, i) - max);
	for (int64_t i = 0; i < k->x.n; i++) {
		double d = softmax_logit(k, r, i) - max, y = k->log ? d - log(sum) : exp(d) / sum;

		put(&k->y, r, i, max == -INFINITY ? (k->zero ? 0 : NAN) : y);
	}
}

static void softmax_new(struct softmax *k, unsigned seed)
{
	static const enum ekka_dtype types[] = { EKKA_BF16, EKKA_F32, EKKA_F16, EKKA_F32 };
	enum ekka_dtype t = types[seed % 4];
	int64_t rows, n;

	state = seed;
	rows = 1 + below(30);
	n = seed % 9 == 8 ? 1 + below(9000) : 1 + below(130);
	*k = (struct softmax){ .mask = (enum mask)below(4), .log = below(2), .zero = below(2), .scaled = below(2) };
	k->x = matrix_new(t, rows, n, below(5));
	k->y = matrix_new(seed % 3 ? t : EKKA_F32, rows, n, below(4));
	k->m = matrix_new(k->mask == ADDED ? EKKA_F32 : EKKA_U8, below(2) ? rows : 1, n, below(5));
	fill(&k->x, (enum data)below(DATA_KINDS), t == EKKA_F32 && seed % 8 == 1 ? 3e6 : below(2) ? 1 : 30);	/* of the largest a bound says nothing */
	for (int64_t e = 0; e < k->m.rows * n; e++)	/* with rows of which nothing is left */
		put(&k->m, e / n, e % n, k->mask == ADDED ? (below(3) ? 0.25 * (double)below(9) : -INFINITY) : (double)(below(2) && e / n != 1) * (double)(1 + below(3)));
	for (int64_t r = 0; r < rows; r++)
		softmax_row(k, r);
	fake_event_init(&k->f, "softmax");
	add(&k->f, "x", EKKA_IN, &k->x, NULL);
	add(&k->f, "y", EKKA_OUT, &k->y, NULL);
	if (k->mask != NO_MASK)
		add(&k->f, "mask", EKKA_IN, &k->m, NULL);
	if (k->mask == KEEPS || k->mask == DROPS)
		fake_event_int(&k->f, k->mask == KEEPS ? "mask_keep" : "mask_drop", 1);
	if (k->scaled)
		fake_event_real(&k->f, "scale", 0.125);
	if (k->log)
		fake_event_int(&k->f, "log", 1);
	if (k->zero)
		fake_event_text(&k->f, "empty", "zero");
	if (seed % 5 == 0)
		fake_event_int(&k->f, "exp2", 0);
}

static void softmax_free(struct softmax *k)
{
	free(k->x.bytes);
	free(k->y.bytes);
	free(k->m.bytes);
}

static void softmaxes(void)
{
	for (unsigned seed = 1; seed <= 250; seed++) {
		struct softmax k;
		int64_t r;

		softmax_new(&k, seed);
		passes(&k.f, "softmax", seed);
		r = below(k.x.rows);
		if (seed % 2) {
			put(&k.x, r, below(k.x.n), seed % 4 == 1 ? NAN : INFINITY);
			(void)alike(&k.f, "odd softmax", seed);
			for (int64_t row = 0; row < k.x.rows; row++)
				for (int64_t i = 0; i < k.x.n; i++)
					put(&k.y, row, i, NAN);
			(void)alike(&k.f, "odd softmax, all NaN", seed);
		} else {
			put(&k.y, r, below(k.x.n), 2);
			cr_expect_neq(alike(&k.f, "wrong softmax", seed).status, EKKA_PASS, "%u", seed);
		}
		softmax_free(&k);
	}
}

Test(gpu_rows, softmax_is_judged_alike_on_the_stand_in) { both(false, softmaxes); }
Test(gpu_rows, softmax_is_judged_alike_on_the_gpu) { both(true, softmaxes); }

/* ---- quantisation ------------------------------------------------------ */

struct quantize { struct fake_event f; struct matrix x, y, scale, zero; bool dynamic, asymmetric, inverse, power2; int64_t block_rows, block; };

static double to_type(enum ekka_dtype t, double v)
{
	double high = t == EKKA_E4M3 ? 448 : t == EKKA_E5M2 ? 57344 : t == EKKA_I8 ? 127 : 255, low = t == EKKA_I8 ? -128 : t == EKKA_U8 ? 0 : -high;

	return v < low ? low : v > high ? high : v;
}

static void quantize_block(struct quantize *k, int64_t i, int64_t j)
{
	double low = INFINITY, high = -INFINITY, s, z = 0, least = k->y.type == EKKA_I8 ? -128 : 0;
	bool integer = k->y.type == EKKA_I8 || k->y.type == EKKA_U8;
	int64_t r0 = i * k->block_rows, r1 = r0 + k->block_rows < k->x.rows ? r0 + k->block_rows : k->x.rows;
	int64_t c0 = j * k->block, c1 = c0 + k->block < k->x.n ? c0 + k->block : k->x.n;

	for (int64_t r = r0; r < r1; r++)
		for (int64_t c = c0; c < c1; c++) {
			low = fmin(low, get(&k->x, r, c));
			high = fmax(high, get(&k->x, r, c));
		}
	s = fmax(fmax(-low, high), 1e-3) / to_type(k->y.type, 1e9);
	s = k->asymmetric ? (high - low) / 255 : k->power2 ? exp2(ceil(log2(s))) : s;
	put(&k->scale, i, j, k->dynamic ? (k->inverse && !k->asymmetric ? 1 / s : s) : 0.01 * (double)(1 + below(9)));
	s = get(&k->scale, i, j);
	if (k->asymmetric)
		put(&k->zero, i, j, z = rint(least - low / s));
	for (int64_t r = r0; r < r1; r++)
		for (int64_t c = c0; c < c1; c++) {
			double q = k->inverse ? get(&k->x, r, c) * s : get(&k->x, r, c) / s;

			put(&k->y, r, c, to_type(k->y.type, integer ? rint(q) + z : q));
		}
}

static void quantize_new(struct quantize *k, unsigned seed)
{
	static const enum ekka_dtype in[] = { EKKA_BF16, EKKA_F32, EKKA_F16 }, out[] = { EKKA_E4M3, EKKA_I8, EKKA_E5M2, EKKA_U8 };
	int64_t rows, n;

	state = seed;
	rows = seed % 11 == 9 ? 200 : 1 + below(20);	/* blocks of several pieces */
	n = 1 + below(130);
	*k = (struct quantize){ .dynamic = below(3) || seed % 11 == 9, .inverse = below(4) == 0, .power2 = below(4) == 0 };
	k->y = matrix_new(out[seed % 4], rows, n, below(4));
	k->asymmetric = k->dynamic && seed % 2 && below(2);
	k->inverse = k->inverse && !k->asymmetric;
	k->block_rows = seed % 3 == 0 || seed % 11 == 9 ? rows : seed % 3 == 1 ? 1 : 1 + below(rows);
	k->block = seed % 3 < 2 ? n : 1 + below(n);
	k->x = matrix_new(in[seed % 3], rows, n, below(4));
	k->scale = matrix_new(EKKA_F32, (rows - 1) / k->block_rows + 1, (n - 1) / k->block + 1, 0);
	k->zero = matrix_new(EKKA_I32, k->scale.rows, k->scale.n, 0);
	fill(&k->x, GAUSS, 1);
	put(&k->x, 0, 0, 1);	/* of both signs, where there are two */
	put(&k->x, 0, n - 1, -1);
	for (int64_t b = 0; b < k->scale.rows * k->scale.n; b++)
		quantize_block(k, b / k->scale.n, b % k->scale.n);
	fake_event_init(&k->f, "quantize");
	add(&k->f, "x", EKKA_IN, &k->x, NULL);
	add(&k->f, "y", EKKA_OUT, &k->y, NULL);
	add(&k->f, "scale", k->dynamic ? EKKA_OUT : EKKA_IN, &k->scale, NULL);
	if (k->asymmetric)
		add(&k->f, "zero", EKKA_OUT, &k->zero, NULL);
	fake_event_int(&k->f, "block_rows", k->block_rows);
	fake_event_int(&k->f, "block", k->block);
	fake_event_real(&k->f, "eps", 1e-3);
	if (k->inverse)
		fake_event_int(&k->f, "inverse", 1);
	if (k->power2)
		fake_event_int(&k->f, "power2", 1);
}

static void quantize_free(struct quantize *k)
{
	free(k->x.bytes);
	free(k->y.bytes);
	free(k->scale.bytes);
	free(k->zero.bytes);
}

static void quantizations(void)
{
	for (unsigned seed = 1; seed <= 300; seed++) {
		struct quantize k;
		int64_t r, c;

		quantize_new(&k, seed);
		passes(&k.f, "quantize", seed);
		r = below(k.x.rows);
		c = below(k.x.n);
		if (seed % 3 == 0) {
			put(&k.x, r, c, seed % 2 ? NAN : INFINITY);
			(void)alike(&k.f, "odd quantize", seed);
		} else if (seed % 3 == 1) {
			put(&k.y, r, c, get(&k.y, r, c) > 10 ? 1 : 100);
			(void)alike(&k.f, "wrong quantize", seed);
		} else {
			put(&k.scale, k.scale.rows - 1, 0, 1.5 * get(&k.scale, k.scale.rows - 1, 0));
			put(&k.zero, 0, 0, 1 + get(&k.zero, 0, 0));
			(void)alike(&k.f, "wrong scales", seed);
		}
		quantize_free(&k);
	}
}

Test(gpu_rows, quantizations_are_judged_alike_on_the_stand_in) { both(false, quantizations); }
Test(gpu_rows, quantizations_are_judged_alike_on_the_gpu) { both(true, quantizations); }

/* ---- rotary embedding -------------------------------------------------- */

struct rope {
	struct fake_event f;
	int64_t tokens, heads, d, rot, known;
	bool interleaved, cache, full, computed, positions;
	enum ekka_dtype type, table_type;
	int64_t at[40];
	int32_t offset[40];
	void *x[2], *y[2], *table[2];
};

static double rope_angle(const struct rope *k, int64_t position, int64_t pair)
{
	return (double)position * pow(10000, -2.0 * (double)pair / (double)k->rot);
}

static void rope_turn(struct rope *k, int64_t token, int64_t base, int i)
{
	int64_t at = (k->positions ? k->at[token] + k->offset[token] : token);

	for (int64_t c = 0; c < k->d; c++)
		samples_put(k->type, k->y[i], base + c, samples_get(k->type, k->x[i], base + c));
	for (int64_t pair = 0; pair < k->rot / 2; pair++) {
		int64_t first = base + (k->interleaved ? 2 * pair : pair), second = k->interleaved ? first + 1 : first + k->rot / 2;
		enum ekka_dtype t = k->computed ? EKKA_F64 : k->table_type;
		double c = rounded(t, cos(rope_angle(k, at, pair))), s = rounded(t, sin(rope_angle(k, at, pair)));
		double a = samples_get(k->type, k->x[i], first), b = samples_get(k->type, k->x[i], second);

		samples_put(k->type, k->y[i], first, a * c - b * s);
		samples_put(k->type, k->y[i], second, b * c + a * s);
	}
}

static void rope_tables(struct rope *k)
{
	int64_t half = k->rot / 2, width = k->cache || k->full ? k->rot : half;
	char dims[64];

	for (int i = 0; i < 2; i++) {
		k->table[i] = samples_new(k->table_type, k->known * width);
		for (int64_t e = 0; e < k->known * width; e++) {
			int64_t c = e % width, pair = k->full && !k->cache && k->interleaved ? c / 2 : c % half;
			bool sine = k->cache ? c >= half : i == 1;

			samples_put(k->table_type, k->table[i], e, sine ? sin(rope_angle(k, e / width, pair)) : cos(rope_angle(k, e / width, pair)));
		}
	}
	(void)snprintf(dims, sizeof dims, "%lldx%lld", (long long)k->known, (long long)width);
	fake_event_tensor(&k->f, k->cache ? "cache" : "cos", EKKA_IN, k->table_type, dims, NULL, k->table[0], NULL);
	if (!k->cache)
		fake_event_tensor(&k->f, "sin", EKKA_IN, k->table_type, dims, NULL, k->table[1], NULL);
}

static void rope_new(struct rope *k, unsigned seed)
{
	static const enum ekka_dtype types[] = { EKKA_BF16, EKKA_F32, EKKA_F16 };
	char dims[64];

	state = seed;
	*k = (struct rope){ .tokens = 1 + below(40), .heads = 1 + below(4), .d = 2 + 2 * below(20), .known = 80, .interleaved = below(2), .cache = below(2),
			    .full = below(2), .computed = below(4) == 0, .positions = below(2), .type = types[seed % 3], .table_type = types[seed / 3 % 2] };
	k->rot = below(2) ? k->d : 2 + 2 * below(k->d / 2);
	fake_event_init(&k->f, "rope");
	for (int64_t t = 0; t < k->tokens; t++) {
		k->at[t] = below(60);
		k->offset[t] = (int32_t)below(20);
	}
	for (int i = 0; i < 2; i++) {
		int64_t heads = i ? 1 : k->heads, n = k->tokens * heads * k->d;

		k->x[i] = samples_new(k->type, n);
		k->y[i] = samples_new(k->type, n);
		samples_fill(k->type, k->x[i], n, GAUSS, 1, seed + (unsigned)i);
		for (int64_t row = 0; row < k->tokens * heads; row++)
			rope_turn(k, row / heads, row * k->d, i);
		(void)snprintf(dims, sizeof dims, "%lldx%lldx%lld", (long long)k->tokens, (long long)heads, (long long)k->d);
		if (seed % 2 && i)
			continue;
		fake_event_tensor(&k->f, i ? "x2" : "x", EKKA_IN, k->type, dims, NULL, k->x[i], NULL);
		fake_event_tensor(&k->f, i ? "y2" : "y", EKKA_OUT, k->type, dims, NULL, NULL, k->y[i]);
	}
	if (!k->computed)
		rope_tables(k);
	(void)snprintf(dims, sizeof dims, "%lld", (long long)k->tokens);
	if (k->positions) {
		fake_event_tensor(&k->f, "positions", EKKA_IN, EKKA_I64, dims, NULL, k->at, NULL);
		fake_event_tensor(&k->f, "offsets", EKKA_IN, EKKA_I32, dims, NULL, k->offset, NULL);
	}
	if (k->computed)
		fake_event_real(&k->f, "theta", 10000);
	fake_event_text(&k->f, "style", k->interleaved ? "interleaved" : "neox");
	fake_event_int(&k->f, "rotary_dim", k->rot);
}

static void ropes(void)
{
	for (unsigned seed = 1; seed <= 200; seed++) {
		struct rope k;
		int64_t e;

		rope_new(&k, seed);
		passes(&k.f, "rope", seed);
		e = below(k.tokens * k.heads * k.d);
		if (seed % 3 == 0) {
			k.at[k.tokens / 2] = seed % 2 ? 80 : -21;
			(void)alike(&k.f, "position outside", seed);
		} else if (seed % 3 == 1) {
			samples_put(k.type, k.x[0], e, seed % 2 ? NAN : INFINITY);
			(void)alike(&k.f, "odd rope", seed);
		} else {
			samples_put(k.type, k.y[0], e, samples_get(k.type, k.y[0], e) + 1);
			cr_expect_neq(alike(&k.f, "wrong rope", seed).status, EKKA_PASS);
		}
		for (int i = 0; i < 2; i++) {
			free(k.x[i]);
			free(k.y[i]);
			free(k.table[i]);
		}
	}
}

Test(gpu_rows, rotations_are_judged_alike_on_the_stand_in) { both(false, ropes); }
Test(gpu_rows, rotations_are_judged_alike_on_the_gpu) { both(true, ropes); }

/* ---- what pays --------------------------------------------------------- */

/* Is an even softmax of this shape compared on a device that is not told to take all. */
static bool pays(int64_t rows, int64_t n)
{
	struct matrix x = matrix_new(EKKA_F32, rows, n, 0), y = matrix_new(EKKA_F32, rows, n, 0);
	struct fake_event f;
	int before = taken;

	for (int64_t e = 0; e < rows * n; e++)
		put(&y, e / n, e % n, 1 / (double)n);
	fake_event_init(&f, "softmax");
	add(&f, "x", EKKA_IN, &x, NULL);
	add(&f, "y", EKKA_OUT, &y, NULL);
	cr_expect_eq(alike(&f, "softmax", (unsigned)rows).status, EKKA_PASS);
	free(x.bytes);
	free(y.bytes);
	return taken > before;
}

Test(gpu_rows, small_events_and_few_long_rows_stay_on_the_cpu)
{
	struct ekka_error err = { 0 };

	real = ekka_gpu_open_with(&gpu_stand_in, &gpu_stand_in, 0, &err);
	cr_assert(real, "%s", err.message);
	cr_expect(pays(64, 300));
	cr_expect_not(pays(20, 30));
	cr_expect_not(pays(4, 5000));
	real->close(real);
}

/* ---- devices that fail ------------------------------------------------- */

Test(gpu_rows, a_device_that_fails_in_between_or_finds_no_memory_changes_nothing)
{
	for (int after = -1; after < 4; after++) {
		struct reduction k;
		struct norm norm;
		char note[EKKA_TEXT];

		gpu_launches = 0;
		gpu_fail_after = -1;
		(void)open_backend(false);
		gpu_fail_after = after;
		gpu_memory_lacks = after < 0;
		reduction_new(&k, 7);
		norm_new(&norm, 9);
		taken = 0;
		(void)alike(&k.f, "reduction", 7);
		(void)alike(&norm.f, "norm", 9);
		cr_expect_eq(taken, after < 2 ? 0 : after < 3 ? 1 : 2, "after %d: %d", after, taken);
		gpu_memory_lacks = false;
		real->note(real, note);
		cr_expect(after == 3 ? !note[0] : strstr(note, after < 0 ? "no memory" : "failed (CUDA error 719)") != NULL, "after %d: '%s'", after, note);
		real->close(real);
		gpu_fail_after = -1;
		reduction_free(&k);
		norm_free(&norm);
	}
}
