/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/spec/problem.h"

#include <string.h>

_Alignas(16) unsigned char mem_a[1 << 15], mem_b[1 << 15], mem_c[1 << 15];

uint32_t random_below(uint32_t n)
{
	static uint64_t state = 0x9e3779b97f4a7c15;

	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (uint32_t)(state >> 32) % n;
}

static bool has(const struct ekka_fn *fn, const char *part)
{
	return strstr(fn->name, part) || strstr(ekka_spec_find(fn->name)->signature, part);
}

static enum ekka_dtype dtype_named(const char *name)
{
	enum ekka_dtype t = EKKA_F32;	/* types that arguments give: problem_args says CUDA_R_32F */

	(void)ekka_dtype_from_name(name, &t);
	return t;
}

enum ekka_dtype problem_in_dtype(const struct ekka_fn *fn)
{
	return dtype_named(ekka_spec_find(fn->name)->tensors[0].dtype);
}

enum ekka_dtype problem_out_dtype(const struct ekka_fn *fn)
{
	const struct ekka_spec_fn *row = ekka_spec_find(fn->name);

	return dtype_named(row->tensors[row->n_tensors - 1].dtype);
}

static bool is_rank_k(const struct ekka_fn *fn) { return has(fn, "syrk") || has(fn, "herk"); }
static bool is_hermitian(const struct ekka_fn *fn) { return has(fn, "herk"); }

struct problem problem_random(const struct ekka_fn *fn, unsigned round)
{
	bool complex_type = ekka_dtype_is_complex(problem_out_dtype(fn));
	struct problem p = {
		.row = random_below(2), .opa = random_below(3), .opb = random_below(3),
		.m = 1 + random_below(6), .n = 1 + random_below(6), .k = 1 + random_below(6), .batch = 1 + random_below(3),
		.pad_a = random_below(4), .pad_b = random_below(4), .pad_c = random_below(4),
		.incx = (int64_t)random_below(7) - 3, .incy = (int64_t)random_below(7) - 3, .lower = random_below(2),
		.alpha = { 1.25, complex_type && !is_hermitian(fn) ? -0.5 : 0 }, .beta = { -0.75, complex_type && !is_hermitian(fn) ? 2 : 0 },
	};

	if (has(fn, "gemm") || has(fn, "gemv")) {
		p.opa = random_below(4);
		p.opb = random_below(4);
	}
	p.incx += !p.incx;
	p.incy += !p.incy;
	if (is_rank_k(fn))
		p.opa = !random_below(2) ? OP_N : is_hermitian(fn) ? OP_C : OP_T;
	if (round % 5 == 1)
		p.beta[0] = p.beta[1] = 0;
	if (round % 7 == 2)
		p.alpha[0] = p.alpha[1] = 0;
	if (round % 3 == 0)
		p.pad_a = p.pad_b = p.pad_c = 0;
	return p;
}

void problem_fill(enum ekka_dtype t)
{
	unsigned char *mem[] = { mem_a, mem_b, mem_c };

	for (int i = 0; i < 3; i++) {
		for (size_t j = 0; j < sizeof(mem_a) / 8; j++) {
			double d = (double)random_below(2001) / 1000 - 1;
			float f[2] = { (float)d, (float)random_below(100) / 100 };

			memcpy(mem[i] + 8 * j, t == EKKA_F64 || t == EKKA_C128 ? (void *)&d : (void *)f, 8);
		}
	}
}

/* Rows and columns of A as stored, before any padding; B and C likewise. */
static bool row_major(const struct problem *p, const struct ekka_fn *fn)
{
	return p->row && !strcmp(fn->library, "cblas");
}

static int64_t least(bool row, int64_t rows, int64_t columns) { return row ? columns : rows; }
static bool flips(enum op op) { return op == OP_T || op == OP_C; }

int64_t problem_lda(const struct problem *p, const struct ekka_fn *fn)
{
	bool row = row_major(p, fn), t = flips(p->opa);

	if (has(fn, "gemv"))
		return least(row, p->m, p->n) + p->pad_a;
	if (is_rank_k(fn))
		return (t ? least(row, p->k, p->n) : least(row, p->n, p->k)) + p->pad_a;
	return (t ? least(row, p->k, p->m) : least(row, p->m, p->k)) + p->pad_a;
}

int64_t problem_ldb(const struct problem *p, const struct ekka_fn *fn)
{
	bool row = row_major(p, fn), t = flips(p->opb);

	if (is_rank_k(fn))
		return problem_lda(p, fn);
	return (t ? least(row, p->n, p->k) : least(row, p->k, p->n)) + p->pad_b;
}

int64_t problem_ldc(const struct problem *p, const struct ekka_fn *fn)
{
	return (is_rank_k(fn) ? p->n : least(row_major(p, fn), p->m, p->n)) + p->pad_c;
}

static int64_t op_value(const struct ekka_fn *fn, enum op op)
{
	if (!strcmp(fn->library, "cublas"))
		return op;
	return !strcmp(fn->library, "blas") ? "NTCR"[op] : 111 + (int)op;
}

/* The integer that parameter `name` stands for; false when it is no integer. */
static bool integer(const struct problem *p, const struct ekka_fn *fn, const char *name, int64_t *ret)
{
	const struct { const char *name; int64_t value; } table[] = {
		{ "order", p->row ? 101 : 102 }, { "transa", op_value(fn, p->opa) }, { "trans", op_value(fn, p->opa) },
		{ "transb", op_value(fn, p->opb) }, { "m", p->m }, { "n", p->n }, { "k", p->k }, { "batch", p->batch },
		{ "lda", problem_lda(p, fn) }, { "ldb", problem_ldb(p, fn) }, { "ldc", problem_ldc(p, fn) },
		{ "incx", p->incx }, { "incy", p->incy },
		{ "strideA", PROBLEM_STRIDE }, { "strideB", PROBLEM_STRIDE }, { "strideC", PROBLEM_STRIDE },
		{ "stridex", PROBLEM_STRIDE }, { "stridey", PROBLEM_STRIDE },
		{ "uplo", !strcmp(fn->library, "cublas") ? !p->lower : !strcmp(fn->library, "blas") ? "UL"[p->lower] : 121 + p->lower },
		{ "Atype", p->cuda_type[0] }, { "Btype", p->cuda_type[1] }, { "Ctype", p->cuda_type[2] },
		{ "xType", p->cuda_type[0] }, { "yType", p->cuda_type[1] }, { "resultType", p->cuda_type[2] },
		{ "executionType", p->compute }, { "computeType", p->compute }, { "algo", -1 },	/* CUBLAS_GEMM_DEFAULT */
	};

	for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++)
		if (!strcmp(table[i].name, name)) {
			*ret = table[i].value;
			return true;
		}
	return false;
}

/* alpha or beta as the parameter's type wants it: bits by value, or the address of a copy. */
static uint64_t scalar(const struct ekka_fn *fn, const char *type, const double *v, void *store)
{
	bool wide = !strcmp(type, "double") || strstr(type, "double") || strstr(type, "Double") || strstr(fn->name, "_z") || fn->name[0] == 'z';
	float f[2] = { (float)v[0], (float)v[1] };
	uint64_t bits = 0;

	if (strstr(type, "float") || strstr(type, "cuComplex"))
		wide = false;
	memcpy(store, wide ? (const void *)v : (const void *)f, wide ? 16 : 8);
	if (strchr(type, '*'))
		return (uintptr_t)store;
	memcpy(&bits, store, wide ? 8 : 4);
	return bits;
}

unsigned problem_args(const struct problem *p, const struct ekka_fn *fn, struct raw_arg *args)
{
	static int64_t by_reference[RAW_MAX];
	static _Alignas(16) unsigned char alpha[16], beta[16];
	unsigned i;

	for (i = 0; i < fn->n_args; i++) {
		const char *name = fn->args[i].name, *type = fn->args[i].type;

		args[i] = (struct raw_arg){ .how = word_bytes(type) ? RAW_WORD : RAW_REAL };
		if (integer(p, fn, name, &by_reference[i]))
			args[i].bits = strchr(type, '*') ? (uintptr_t)&by_reference[i] : (uint64_t)by_reference[i];
		else if (!strcmp(name, "alpha") || !strcmp(name, "beta"))
			args[i].bits = scalar(fn, type, *name == 'a' ? p->alpha : p->beta, *name == 'a' ? alpha : beta);
		else
			args[i].bits = (uintptr_t)(!strcmp(name, "A") || (!strcmp(name, "x") && has(fn, "dot")) ? mem_a :
						   !strcmp(name, "B") || !strcmp(name, "x") || (!strcmp(name, "y") && has(fn, "dot")) ? mem_b : mem_c);
	}
	if (!strcmp(fn->library, "blas"))
		for (int j = 0; j < 2; j++)
			args[i++] = (struct raw_arg){ .how = RAW_WORD, .bits = 1 };
	return i;
}
