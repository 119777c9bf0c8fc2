/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench-layer DIR PROMPT STEPS: writes a trace as an engine's run through one decoder layer would leave it, with the calls and launches that PyTorch makes of it
 * and the sizes of a Llama of 1.2 billion parameters (hidden 2048, 32 heads, 8 of them for keys, 8192 between), batch 2, bf16: one prefill of PROMPT tokens and
 * STEPS decode steps. All of it is right. For `ekka replay`: where its time goes at sizes that matter, without a GPU to record on.
 */
#include "bench/bench.h"
#include "tests/unit/trace/trace_builder.h"

#include <cblas.h>
#include <math.h>
#include <stdbool.h>
#include <string.h>

enum { BATCH = 2, HIDDEN = 2048, HEADS = 32, KV_HEADS = 8, D = HIDDEN / HEADS, KV = KV_HEADS * D, BETWEEN = 8192 };

/* Values as floats, which all of them are exactly, and the bytes in the trace. */
struct buffer {
	enum ekka_dtype dtype;
	size_t n;
	float *v;
	uint64_t addr;			/* none overlaps another */
	bool stored;
	struct ekka_blob_id id;
};

struct view {
	const char *name;
	enum ekka_dir dir;
	struct buffer *buffer;
	unsigned n_dims;
	int64_t dim[4], stride[4];
};

static struct trace_builder trace;
static uint64_t event;
static uint64_t seed = 1;

static float round_to(enum ekka_dtype t, float v)
{
	uint32_t u;

	if (t == EKKA_F32)
		return v;
	memcpy(&u, &v, sizeof u);
	u = (u + 0x7fff + (u >> 16 & 1)) & 0xffff0000u;
	memcpy(&v, &u, sizeof v);
	return v;
}

static struct buffer make(enum ekka_dtype t, size_t n)
{
	static uint64_t addr = 0x100000000;
	struct buffer b = { .dtype = t, .n = n, .v = malloc(n * sizeof *b.v), .addr = addr };

	if (!b.v)
		abort();
	addr += (n * ekka_dtype_bytes(t) + 4095) / 4096 * 4096;
	return b;
}

static struct buffer random_one(size_t n, float size)
{
	struct buffer b = make(EKKA_BF16, n);

	bench_fill(b.v, n, &seed);
	for (size_t i = 0; i < n; i++)
		b.v[i] = round_to(EKKA_BF16, b.v[i] * size);
	return b;
}

static void store(struct buffer *b)
{
	uint16_t *half;

	if (b->stored)
		return;
	b->stored = true;
	if (b->dtype == EKKA_F32) {
		b->id = trace_builder_blob(&trace, b->v, b->n * sizeof *b->v);
		return;
	}
	half = malloc(b->n * sizeof *half);
	if (!half)
		abort();
	for (size_t i = 0; i < b->n; i++)
		memcpy(&half[i], (char *)&b->v[i] + 2, sizeof half[i]);
	b->id = trace_builder_blob(&trace, half, b->n * sizeof *half);
	free(half);
}

static void put(size_t encoded)
{
	if (!encoded)
		abort();
	trace_builder_put(&trace);
}

static void put_data(const struct view *v, unsigned at, enum ekka_phase phase)
{
	store(v->buffer);
	put(ekka_encode_data(&trace.buf, &(struct ekka_rec_data){ .event = event, .tensor = at, .phase = phase, .id = v->buffer->id,
								  .bytes = v->buffer->n * ekka_dtype_bytes(v->buffer->dtype) }));
}

/* One event: fn 0 is a kernel, whose op is an attribute, fn 1 cublasGemmEx. */
static void put_event(uint32_t fn, const struct ekka_attr *attrs, unsigned n_attrs, const struct view *view, unsigned n)
{
	struct ekka_tensor tensor[4];

	event++;
	for (unsigned i = 0; i < n; i++) {
		const struct view *v = &view[i];

		tensor[i] = (struct ekka_tensor){ .name = v->name, .dir = v->dir, .dtype = v->buffer->dtype, .place = EKKA_DEVICE, .n_dims = v->n_dims,
						  .addr = v->buffer->addr, .alias_of = -1,
						  .span_bytes = v->buffer->n * ekka_dtype_bytes(v->buffer->dtype),
						  .pre = v->dir == EKKA_IN, .post = v->dir == EKKA_OUT };
		memcpy(tensor[i].dim, v->dim, sizeof v->dim);
		memcpy(tensor[i].stride, v->stride, sizeof v->stride);
	}
	put(ekka_encode_call(&trace.buf, &(struct ekka_rec_call){ .event = event, .fn = fn, .tid = 1, .t_ns = event, .attrs = attrs, .n_attrs = n_attrs,
								  .tensors = tensor, .n_tensors = n }));
	for (unsigned i = 0; i < n; i++)
		if (view[i].dir == EKKA_IN)
			put_data(&view[i], i, EKKA_PRE);
	put(ekka_encode_ret(&trace.buf, &(struct ekka_rec_ret){ .event = event, .t_ns = event }));
	for (unsigned i = 0; i < n; i++)
		if (view[i].dir == EKKA_OUT)
			put_data(&view[i], i, EKKA_POST);
	put(ekka_encode_end(&trace.buf, &(struct ekka_rec_end){ .event = event, .t_ns = event }));
}

#define TEXT(key, text) { key, { .kind = EKKA_V_STR, .s = text } }
#define REAL(key, x) { key, { .kind = EKKA_V_REAL, .r = { x } } }

/* rows x cols elements; an operand that has only rows or only cols of them is repeated. */
static struct view plane(const char *name, struct buffer *b, int64_t rows, int64_t cols)
{
	bool by_row = b->n == (size_t)rows && cols > 1, by_col = b->n == (size_t)cols && rows > 1;

	return (struct view){ name, name[0] == 'o' ? EKKA_OUT : EKKA_IN, b, 2, { rows, cols }, { by_row ? 1 : by_col ? 0 : cols, by_row ? 0 : 1 } };
}

static struct buffer elementwise(const char *expr, float (*f)(float, float), enum ekka_dtype t, int64_t rows, int64_t cols, struct buffer *a, struct buffer *b)
{
	const struct ekka_attr attrs[] = { TEXT("op", "elementwise"), TEXT("expr", expr), TEXT("compute", "f32") };
	struct buffer out = make(t, (size_t)(rows * cols));
	struct view v[3] = { plane("out0", &out, rows, cols), plane("in0", a, rows, cols), b ? plane("in1", b, rows, cols) : v[0] };

	for (int64_t i = 0; i < rows; i++)
		for (int64_t j = 0; j < cols; j++) {
			float x = a->v[i * v[1].stride[0] + j * v[1].stride[1]], y = b ? b->v[i * v[2].stride[0] + j * v[2].stride[1]] : 0;

			out.v[i * cols + j] = round_to(t, f(x, y));
		}
	put_event(0, attrs, 3, v, b ? 3 : 2);
	return out;
}

static float first(float a, float b) { (void)b; return a; }
static float product(float a, float b) { return a * b; }
static float square(float a, float b) { (void)b; return a * a; }
static float sum(float a, float b) { return a + b; }
static float negative(float a, float b) { (void)b; return -a; }
static float a_bit_more(float a, float b) { (void)b; return a + 1e-6F; }
static float inverse_root(float a, float b) { (void)b; return 1 / sqrtf(a); }
static float silu(float a, float b) { (void)b; return a / (1 + expf(-a)); }

static struct buffer mean(int64_t rows, int64_t cols, struct buffer *a)
{
	static const struct ekka_attr attrs[] = { TEXT("op", "reduce"), TEXT("kind", "mean"), { "reduced", { .kind = EKKA_V_INT, .i = 1 } } };
	struct buffer out = make(EKKA_F32, (size_t)rows);
	const struct view v[] = { { "out0", EKKA_OUT, &out, 1, { rows }, { 1 } }, plane("in0", a, rows, cols) };

	for (int64_t i = 0; i < rows; i++) {
		double s = 0;

		for (int64_t j = 0; j < cols; j++)
			s += (double)a->v[i * cols + j];
		out.v[i] = (float)(s / (double)cols);
	}
	put_event(0, attrs, 3, v, 2);
	return out;
}

/* x [rows, k] times w [cols, k] transposed, as PyTorch has cuBLAS do it. */
static struct buffer linear(int64_t rows, int64_t cols, int64_t k, struct buffer *x, struct buffer *w)
{
	static const struct ekka_attr attrs[] = { REAL("alpha", 1), REAL("beta", 0), TEXT("compute", "f32") };
	struct buffer out = make(EKKA_BF16, (size_t)(rows * cols));
	const struct view v[] = { { "A", EKKA_IN, w, 2, { cols, k }, { k, 1 } }, { "B", EKKA_IN, x, 2, { k, rows }, { 1, k } },
				  { "C", EKKA_OUT, &out, 2, { cols, rows }, { 1, cols } } };

	cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, (int)rows, (int)cols, (int)k, 1, x->v, (int)k, w->v, (int)k, 0, out.v, (int)cols);
	for (size_t i = 0; i < out.n; i++)
		out.v[i] = round_to(EKKA_BF16, out.v[i]);
	put_event(1, attrs, 3, v, 3);
	return out;
}

/* One head's row: what it sees of `n` keys, softmax, sum. */
static void attend(const float *q, const float *k, const float *v, int64_t n, int64_t stride, float *s, float *out)
{
	float most = -INFINITY, all = 0;

	for (int64_t j = 0; j < n; j++) {
		s[j] = cblas_sdot(D, q, 1, k + j * stride, 1) * 0.125F;
		most = fmaxf(most, s[j]);
	}
	memset(out, 0, D * sizeof *out);
	for (int64_t j = 0; j < n; j++) {
		s[j] = expf(s[j] - most);
		all += s[j];
		cblas_saxpy(D, round_to(EKKA_BF16, s[j]), v + j * stride, 1, out, 1);
	}
	for (int64_t c = 0; c < D; c++)
		out[c] = round_to(EKKA_BF16, out[c] / all);
}

/* q [batch, m, heads, d], k and v [batch, n, key heads, d]; causal, query i at key n - m + i. */
static struct buffer attention(int64_t m, int64_t n, struct buffer *q, struct buffer *k, struct buffer *v)
{
	static const struct ekka_attr attrs[] = { TEXT("op", "attention"), TEXT("causal", "bottom-right"), REAL("scale", 0.125) };
	struct buffer out = make(EKKA_BF16, q->n);
	const struct view views[] = { { "q", EKKA_IN, q, 4, { BATCH, HEADS, m, D }, { m * HIDDEN, D, HIDDEN, 1 } },
				      { "k", EKKA_IN, k, 4, { BATCH, KV_HEADS, n, D }, { n * KV, D, KV, 1 } },
				      { "v", EKKA_IN, v, 4, { BATCH, KV_HEADS, n, D }, { n * KV, D, KV, 1 } },
				      { "out", EKKA_OUT, &out, 4, { BATCH, HEADS, m, D }, { m * HIDDEN, D, HIDDEN, 1 } } };
	float *s = malloc((size_t)n * sizeof *s);

	for (int64_t b = 0; b < BATCH; b++)
		for (int64_t h = 0; h < HEADS; h++)
			for (int64_t i = 0; s && i < m; i++) {
				int64_t at = (b * m + i) * HIDDEN + h * D, from = b * n * KV + h / (HEADS / KV_HEADS) * D;

				attend(q->v + at, k->v + from, v->v + from, n - m + i + 1, KV, s, out.v + at);
			}
	free(s);
	put_event(0, attrs, 3, views, 4);
	return out;
}

static void drop(struct buffer *b)
{
	free(b->v);
}

static struct buffer norm(int64_t rows, struct buffer *x, struct buffer *weight)
{
	struct buffer wide = elementwise("in0", first, EKKA_F32, rows, HIDDEN, x, NULL), two = elementwise("in0 * in0", square, EKKA_F32, rows, HIDDEN, &wide, NULL);
	struct buffer m = mean(rows, HIDDEN, &two), more = elementwise("in0 + 1e-6", a_bit_more, EKKA_F32, rows, 1, &m, NULL);
	struct buffer root = elementwise("rsqrt(in0)", inverse_root, EKKA_F32, rows, 1, &more, NULL);
	struct buffer scaled = elementwise("in0 * in1", product, EKKA_F32, rows, HIDDEN, &wide, &root);
	struct buffer half = elementwise("in0", first, EKKA_BF16, rows, HIDDEN, &scaled, NULL);
	struct buffer out = elementwise("in0 * in1", product, EKKA_BF16, rows, HIDDEN, &half, weight);

	drop(&wide), drop(&two), drop(&m), drop(&more), drop(&root), drop(&scaled), drop(&half);
	return out;
}

struct weights { struct buffer norm, q, k, v, o, gate, up, down; };

static struct buffer rotated(int64_t rows, int64_t cols, struct buffer *x, struct buffer *angle)
{
	struct buffer a = elementwise("in0 * in1", product, EKKA_BF16, rows, cols, x, angle), minus = elementwise("-in0", negative, EKKA_BF16, rows, cols, x, NULL);
	struct buffer b = elementwise("in0 * in1", product, EKKA_BF16, rows, cols, &minus, angle), out = elementwise("in0 + in1", sum, EKKA_BF16, rows, cols, &a, &b);

	drop(&a), drop(&minus), drop(&b);
	return out;
}

static void layer(struct weights *w, int64_t m, int64_t n)
{
	int64_t rows = BATCH * m;
	struct buffer x = random_one((size_t)(rows * HIDDEN), 1), angle = random_one((size_t)rows, 1);
	struct buffer h = norm(rows, &x, &w->norm), q = linear(rows, HIDDEN, HIDDEN, &h, &w->q), k = linear(rows, KV, HIDDEN, &h, &w->k),
		      v = linear(rows, KV, HIDDEN, &h, &w->v);
	struct buffer turned = rotated(rows, HIDDEN, &q, &angle), turned_k = rotated(rows, KV, &k, &angle);
	struct buffer cache_k = random_one((size_t)(BATCH * n * KV), 1), cache_v = random_one((size_t)(BATCH * n * KV), 1);
	struct buffer seen = attention(m, n, &turned, m == n ? &turned_k : &cache_k, m == n ? &v : &cache_v), o = linear(rows, HIDDEN, HIDDEN, &seen, &w->o);
	struct buffer between = elementwise("in0 + in1", sum, EKKA_BF16, rows, HIDDEN, &o, &x), h2 = norm(rows, &between, &w->norm);
	struct buffer gate = linear(rows, BETWEEN, HIDDEN, &h2, &w->gate), up = linear(rows, BETWEEN, HIDDEN, &h2, &w->up);
	struct buffer open = elementwise("silu(in0)", silu, EKKA_BF16, rows, BETWEEN, &gate, NULL);
	struct buffer both = elementwise("in0 * in1", product, EKKA_BF16, rows, BETWEEN, &open, &up), down = linear(rows, HIDDEN, BETWEEN, &both, &w->down);
	struct buffer out = elementwise("in0 + in1", sum, EKKA_BF16, rows, HIDDEN, &down, &between);
	struct buffer *const all[] = { &x, &angle, &h, &q, &k, &v, &turned, &turned_k, &cache_k, &cache_v, &seen, &o, &between, &h2, &gate, &up, &open, &both, &down, &out };

	for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
		drop(all[i]);
}

int main(int argc, char **argv)
{
	static const char *const args[] = { "bench-layer" };
	struct ekka_rec_open head = { .version = EKKA_FORMAT_VERSION, .pid = 1, .ppid = 1, .exe = "bench-layer", .argv = args, .n_argv = 1, .level = "full",
				      .tool = "bench-layer", .arch = "x86_64", .cpu = "" };
	int64_t prompt = argc == 4 ? atoi(argv[2]) : 0, steps = argc == 4 ? atoi(argv[3]) : 0;
	struct weights w;

	if (prompt <= 0 || steps < 0) {
		fprintf(stderr, "usage: bench-layer DIR PROMPT STEPS\n");
		return 2;
	}
	w = (struct weights){ random_one(HIDDEN, 1), random_one((size_t)HIDDEN * HIDDEN, 0.04F), random_one((size_t)KV * HIDDEN, 0.04F),
			      random_one((size_t)KV * HIDDEN, 0.04F), random_one((size_t)HIDDEN * HIDDEN, 0.04F), random_one((size_t)BETWEEN * HIDDEN, 0.04F),
			      random_one((size_t)BETWEEN * HIDDEN, 0.04F), random_one((size_t)BETWEEN * HIDDEN, 0.04F) };
	trace_builder_begin(&trace, argv[1], &head, 0);
	put(ekka_encode_fn(&trace.buf, &(struct ekka_rec_fn){ .id = 0, .name = "_Z6kernelv", .library = "kernel", .op = "" }));
	put(ekka_encode_fn(&trace.buf, &(struct ekka_rec_fn){ .id = 1, .name = "cublasGemmEx", .library = "cublas", .op = "gemm" }));
	put(ekka_encode_device(&trace.buf, &(struct ekka_rec_device){ .ordinal = 0, .name = "none", .cc_major = 9, .driver = 13000, .runtime = 13000 }));
	layer(&w, prompt, prompt);
	for (int64_t i = 0; i < steps; i++)
		layer(&w, 1, prompt + 1 + i);
	put(ekka_encode_close(&trace.buf, &(struct ekka_rec_close){ .t_ns = event + 1, .events = event, .why = "exit" }));
	trace_builder_finish(&trace, argv[1], &head, 0, true);
	return 0;
}
