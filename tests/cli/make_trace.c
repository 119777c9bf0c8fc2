/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writes a small trace for the tests of the commands, without a shim: make_trace DIR KIND [N].
 *
 *	clean	a float product, a padded double one, a complex one, a nested call
 *	chosen	the same, and calls that the settings left out
 *	faulty	the same, and a float product whose last quarter of K is missing, event 3
 *	nan	a float product with a NaN in its output that the inputs do not explain
 *	hostile	names that would move a cursor, or leave a comment in C
 *	budget	a call whose input went over the budget, and nothing else amiss
 *	partial	a call whose input went over the budget, one that never returned, one of an unknown op; no trailer
 *	many	N tiny products
 *	sample	the format's own sample: every kind of record and value
 */
#include "tests/unit/trace/trace_builder.h"

#include <cblas.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct ekka_arg_info gemm_args[] = {
	{ "order", "CBLAS_LAYOUT" }, { "transa", "CBLAS_TRANSPOSE" }, { "transb", "CBLAS_TRANSPOSE" }, { "m", "int" }, { "n", "int" },
	{ "k", "int" }, { "alpha", "float" }, { "A", "const float *" }, { "lda", "int" }, { "B", "const float *" }, { "ldb", "int" },
	{ "beta", "float" }, { "C", "float *" }, { "ldc", "int" },
};
enum { N_ARGS = sizeof(gemm_args) / sizeof(*gemm_args), FN_SGEMM = 1, FN_DGEMM, FN_ZGEMM, FN_OTHER };

static struct trace_builder b;
static uint64_t n_events;
static bool hostile;
static struct ekka_arg_info typed_args[3][N_ARGS];

/* The same parameters with other element types. */
static void put_fn(unsigned id, const char *name, const char *scalar, const char *in, const char *out)
{
	struct ekka_arg_info *args = typed_args[id - 1];

	memcpy(args, gemm_args, sizeof(gemm_args));
	args[6].type = args[11].type = scalar;
	args[7].type = args[9].type = in;
	args[12].type = out;
	if (hostile) {
		name = id == FN_SGEMM ? "\033[2Jname" : name;
		args[0].name = "*/ int x; /*";
		args[1].type = "\033[2Jtype";
	}
	ekka_encode_fn(&b.buf, &(struct ekka_rec_fn){ .id = id, .name = name, .library = "cblas", .op = "gemm",
						      .object = "/usr/lib/libopenblas.so.0", .args = args, .n_args = N_ARGS });
	trace_builder_put(&b);
}

static void put_preamble(void)
{
	static const struct ekka_pyframe py[] = { { "/home/u/model.py", "forward", 42 }, { "/home/u/main.py", "<module>", 7 } };
	static const uint64_t pcs[] = { 0x401000, 0x402000 };

	put_fn(FN_SGEMM, "cblas_sgemm", "float", "const float *", "float *");
	put_fn(FN_DGEMM, "cblas_dgemm", "double", "const double *", "double *");
	put_fn(FN_ZGEMM, "cblas_zgemm", "const void *", "const void *", "void *");
	ekka_encode_fn(&b.buf, &(struct ekka_rec_fn){ .id = FN_OTHER, .name = "cblas_mystery", .library = "cblas", .op = "" });
	trace_builder_put(&b);
	ekka_encode_stack(&b.buf, &(struct ekka_rec_stack){ .id = 1, .pc = pcs, .n_pc = 2, .py = py, .n_py = 2 });
	trace_builder_put(&b);
}

static void put_data(uint32_t tensor, enum ekka_phase phase, const void *p, uint64_t n, const char *missing)
{
	struct ekka_rec_data r = { .event = n_events, .tensor = tensor, .phase = phase, .bytes = n, .missing = missing };

	if (!missing)
		r.id = trace_builder_blob(&b, p, n);
	ekka_encode_data(&b.buf, &r);
	trace_builder_put(&b);
}

/* One row-major product, dims m x k times k x n, rows of C ldc apart. */
struct product {
	unsigned fn;
	enum ekka_dtype dtype;
	int m, n, k, ldc, computed_k;
	double alpha[2], beta[2];
	uint64_t parent;
	const char *missing;	/* of A, or NULL */
	bool begun;		/* it never returned */
	bool nan;		/* the output begins with one */
};

static void compute(const struct product *p, const void *A, const void *B, void *C)
{
	float alpha = (float)p->alpha[0], beta = (float)p->beta[0];

	if (p->dtype == EKKA_F32)
		cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, p->m, p->n, p->computed_k, alpha, A, p->k, B, p->n, beta, C, p->ldc);
	else if (p->dtype == EKKA_F64)
		cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, p->m, p->n, p->computed_k, p->alpha[0], A, p->k, B, p->n, p->beta[0],
			    C, p->ldc);
	else
		cblas_zgemm(CblasRowMajor, CblasNoTrans, CblasConjTrans, p->m, p->n, p->computed_k, p->alpha, A, p->k, B, p->k, p->beta, C,
			    p->ldc);
}

/* n values; the first is denormal in its type, the second zero, so that statistics have something to count. */
static void *values(enum ekka_dtype dtype, size_t n)
{
	size_t parts = ekka_dtype_is_complex(dtype) ? 2 * n : n;
	float *f = calloc(parts, sizeof(double));
	double *d = (double *)f;

	for (size_t i = 0; f && i < parts; i++) {
		double v = i == 0 ? (dtype == EKKA_F32 ? 1e-40 : 5e-324) : i == 1 ? 0 : rand() / (RAND_MAX + 1.0) - 0.5;

		if (dtype == EKKA_F32)
			f[i] = (float)v;
		else
			d[i] = v;
	}
	return f;
}

static void put_call(const struct product *p)
{
	bool is_complex = ekka_dtype_is_complex(p->dtype);
	int64_t bytes = (int64_t)ekka_dtype_bytes(p->dtype);
	enum ekka_value_kind scalar = is_complex ? EKKA_V_COMPLEX : EKKA_V_REAL;
	struct ekka_value alpha = { .kind = is_complex ? EKKA_V_PTR : EKKA_V_REAL, .r = { p->alpha[0] } };
	struct ekka_value beta = { .kind = is_complex ? EKKA_V_PTR : EKKA_V_REAL, .r = { p->beta[0] } };
	const struct ekka_value args[N_ARGS] = {
		{ .kind = EKKA_V_INT, .i = 101 }, { .kind = EKKA_V_INT, .i = 111 }, { .kind = EKKA_V_INT, .i = is_complex ? 113 : 111 },
		{ .kind = EKKA_V_INT, .i = p->m }, { .kind = EKKA_V_INT, .i = p->n }, { .kind = EKKA_V_INT, .i = p->k }, alpha,
		{ .kind = EKKA_V_PTR, .u = 0x10000 }, { .kind = EKKA_V_INT, .i = p->k }, { .kind = EKKA_V_PTR, .u = 0x20000 },
		{ .kind = EKKA_V_INT, .i = is_complex ? p->k : p->n }, beta, { .kind = EKKA_V_PTR, .u = 0x30000 },
		{ .kind = EKKA_V_INT, .i = p->ldc },
	};
	const struct ekka_attr attrs[] = {
		{ "alpha", { .kind = scalar, .r = { p->alpha[0], p->alpha[1] } } }, { "beta", { .kind = scalar, .r = { p->beta[0], p->beta[1] } } },
		{ "conja", { .kind = EKKA_V_INT, .i = 0 } }, { "conjb", { .kind = EKKA_V_INT, .i = is_complex } },
		{ "compute", { .kind = EKKA_V_STR, .s = p->dtype == EKKA_F32 ? "f32" : "f64" } },
	};
	bool reads = p->beta[0] != 0 || p->beta[1] != 0;
	const struct ekka_tensor tensors[] = {
		{ .name = "A", .dir = EKKA_IN, .dtype = p->dtype, .n_dims = 2, .dim = { p->m, p->k }, .stride = { p->k, 1 }, .addr = 0x10000,
		  .span_bytes = (uint64_t)(p->m * p->k * bytes), .alias_of = -1, .pre = true },
		{ .name = "B", .dir = EKKA_IN, .dtype = p->dtype, .n_dims = 2, .dim = { p->k, p->n },
		  .stride = { is_complex ? 1 : p->n, is_complex ? p->k : 1 }, .addr = 0x20000, .span_bytes = (uint64_t)(p->k * p->n * bytes),
		  .alias_of = -1, .pre = true },
		{ .name = "C", .dir = reads ? EKKA_INOUT : EKKA_OUT, .dtype = p->dtype, .n_dims = 2, .dim = { p->m, p->n },
		  .stride = { p->ldc, 1 }, .addr = 0x30000, .span_bytes = (uint64_t)(((p->m - 1) * p->ldc + p->n) * bytes), .alias_of = -1,
		  .pre = reads || p->ldc > p->n, .post = true },
	};

	n_events++;
	ekka_encode_call(&b.buf, &(struct ekka_rec_call){
		.event = n_events, .parent = p->parent, .fn = p->fn, .depth = p->parent != 0, .tid = 1234 + (p->fn == FN_DGEMM), .device = -1,
		.t_ns = 1000000000 + n_events * 1000000, .stack = p->fn == FN_ZGEMM ? 0 : 1, .args = args, .n_args = N_ARGS, .attrs = attrs,
		.n_attrs = 5, .tensors = tensors, .n_tensors = 3 });
	trace_builder_put(&b);
}

static void put_product(const struct product *p)
{
	size_t size = ekka_dtype_bytes(p->dtype);
	size_t c_bytes = (size_t)((p->m - 1) * p->ldc + p->n) * size;
	void *A = values(p->dtype, (size_t)p->m * (size_t)p->k), *B = values(p->dtype, (size_t)p->k * (size_t)p->n);
	void *C = values(p->dtype, (size_t)p->m * (size_t)p->ldc);
	bool pre = p->beta[0] != 0 || p->ldc > p->n;

	if (!A || !B || !C)
		abort();
	put_call(p);
	put_data(0, EKKA_PRE, A, (size_t)p->m * (size_t)p->k * size, p->missing);
	put_data(1, EKKA_PRE, B, (size_t)p->k * (size_t)p->n * size, NULL);
	if (pre)
		put_data(2, EKKA_PRE, C, c_bytes, NULL);
	if (!p->begun) {
		compute(p, A, B, C);
		if (p->nan)
			*(float *)C = NAN;
		ekka_encode_ret(&b.buf, &(struct ekka_rec_ret){ .event = n_events, .t_ns = 1000000000 + n_events * 1000000 + 2500 });
		trace_builder_put(&b);
		put_data(2, EKKA_POST, C, c_bytes, NULL);
		ekka_encode_end(&b.buf, &(struct ekka_rec_end){ .event = n_events, .t_ns = 1000000000 + n_events * 1000000 + 3000 });
		trace_builder_put(&b);
	}
	free(A);
	free(B);
	free(C);
}

static void put_clean(void)
{
	put_product(&(struct product){ FN_SGEMM, EKKA_F32, 64, 32, 128, 32, 128, { 1, 0 }, { 0, 0 }, 0, NULL, false, false });
	put_product(&(struct product){ FN_DGEMM, EKKA_F64, 17, 9, 33, 12, 33, { 0.5, 0 }, { 2, 0 }, 0, NULL, false, false });
}

static void put_more(void)
{
	put_product(&(struct product){ FN_ZGEMM, EKKA_C128, 7, 5, 11, 5, 11, { 1, -1 }, { 0, 0 }, 0, NULL, false, false });
	put_product(&(struct product){ FN_SGEMM, EKKA_F32, 8, 8, 8, 8, 8, { 1, 0 }, { 0, 0 }, n_events, NULL, false, false });
}

static void put_partial(void)
{
	put_product(&(struct product){ FN_SGEMM, EKKA_F32, 8, 8, 8, 8, 8, { 1, 0 }, { 0, 0 }, 0, "budget", false, false });
	n_events++;
	ekka_encode_call(&b.buf, &(struct ekka_rec_call){ .event = n_events, .fn = FN_OTHER, .tid = 1234, .device = -1, .t_ns = 1005000000 });
	trace_builder_put(&b);
	ekka_encode_ret(&b.buf, &(struct ekka_rec_ret){ .event = n_events, .t_ns = 1005000500 });
	trace_builder_put(&b);
	ekka_encode_end(&b.buf, &(struct ekka_rec_end){ .event = n_events, .t_ns = 1005000600 });
	trace_builder_put(&b);
	put_product(&(struct product){ FN_SGEMM, EKKA_F32, 8, 8, 8, 8, 8, { 1, 0 }, { 0, 0 }, 0, NULL, true, false });
}

int main(int argc, char **argv)
{
	static const char *const arguments[] = { "engine" };
	const struct ekka_rec_open open = { .version = 1, .pid = 1234, .ppid = 1, .unix_ns = 1700000000000000000, .mono_ns = 1000000000,
					    .exe = "/usr/bin/engine", .argv = arguments, .n_argv = 1, .level = "full",
					    .tool = "ekkatrace", .arch = "x86_64", .cpu = "a processor" };
	const char *kind = argc > 2 ? argv[2] : "";

	if (strcmp(kind, "sample") == 0) {
		trace_builder_sample(argv[1]);
		return 0;
	}
	if (argc < 3)
		return 2;
	srand(1);
	hostile = strcmp(kind, "hostile") == 0;
	trace_builder_begin(&b, argv[1], &open, 0);
	put_preamble();
	if (strcmp(kind, "partial") == 0) {
		put_partial();
		return fflush(NULL) == 0 ? 0 : 2;
	}
	if (strcmp(kind, "many") == 0) {
		for (long n = argc > 3 ? atol(argv[3]) : 1000; n > 0; n--)
			put_product(&(struct product){ FN_SGEMM, EKKA_F32, 2, 2, 2, 2, 2, { 1, 0 }, { 0, 0 }, 0, NULL, false, false });
	} else if (strcmp(kind, "budget") == 0) {
		put_product(&(struct product){ FN_SGEMM, EKKA_F32, 8, 8, 8, 8, 8, { 1, 0 }, { 0, 0 }, 0, "budget", false, false });
	} else if (strcmp(kind, "nan") == 0) {
		put_product(&(struct product){ FN_SGEMM, EKKA_F32, 8, 8, 8, 8, 8, { 1, 0 }, { 0, 0 }, 0, NULL, false, true });
	} else {
		put_clean();
		if (strcmp(kind, "faulty") == 0)
			put_product(&(struct product){ FN_SGEMM, EKKA_F32, 64, 32, 128, 32, 96, { 1, 0 }, { 0, 0 }, 0, NULL, false, false });
		put_more();
	}
	ekka_encode_close(&b.buf, &(struct ekka_rec_close){ .t_ns = 2000000000, .events = n_events, .seen_bytes = 1, .stored_bytes = 1,
							    .left_out = strcmp(kind, "chosen") == 0 ? 7 : 0, .why = "exit" });
	trace_builder_put(&b);
	trace_builder_finish(&b, argv[1], &open, 0, true);
	return 0;
}
