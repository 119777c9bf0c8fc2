/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From here to "The call" every exported program is the same.
 *
 * Element (b, r, c) of a tensor is at b * item_bytes + (offset + b*bs + r*rs + c*cs) * size bytes of its span.
 */
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum dtype { F64, F32, F16, BF16, E4M3, E5M2, C64, C128, I8, U8, I32, U32, I64, U64, CI8 };

/* Bytes in the safetensors file, counted from behind its header; bytes 0: not recorded. */
struct piece { long long at, bytes; };

struct tensor {
	const char *name;
	enum dtype dtype;
	int size;			/* bytes of an element */
	long long batch, rows, cols, bs, rs, cs, offset, item_bytes;
	long long n_items, span_bytes;	/* items apart in memory, bytes of each */
	struct piece pre, post;
	const struct tensor *view_of;	/* the same memory as that tensor, with other strides; or NULL */
	int on_device;
	unsigned char *data;		/* host copy of the spans, one after another */
	unsigned char *recorded;	/* the same as they were after the recorded call, or NULL */
	void **items;			/* where the call finds each item */
	void **item_array;		/* the same array where the call can read it */
};

static void die(const char *what)
{
	fprintf(stderr, "cannot run: %s\n", what);
	exit(2);
}

static void *allocate(long long bytes)
{
	void *p = NULL;

	/* Aligned as large allocations are; kernels may choose by it. */
	if (posix_memalign(&p, 4096, bytes > 0 ? (size_t)bytes : 1) != 0)
		die("out of memory");
	return p;
}

#ifdef ON_DEVICE
/* Declared here so that no CUDA header is needed; enumerations are int in the ABI. */
int cudaMalloc(void **p, size_t bytes);
int cudaMemcpy(void *to, const void *from, size_t bytes, int kind);
int cudaDeviceSynchronize(void);
int cublasCreate_v2(void **handle);
int cublasSetPointerMode_v2(void *handle, int mode);

static void *to_device(const void *from, long long bytes)
{
	void *p;

	if (cudaMalloc(&p, bytes > 0 ? (size_t)bytes : 1) != 0 || cudaMemcpy(p, from, (size_t)bytes, 1) != 0)
		die("cannot copy to the device");
	return p;
}
#endif

/* Memory for a matrix that the call has no use for (alpha is 0), in case it reads it all the same. */
static inline void *unread(long long bytes)
{
	void *zeros = memset(allocate(bytes), 0, (size_t)bytes);

#ifdef ON_DEVICE
	return to_device(zeros, bytes);
#else
	return zeros;
#endif
}

/* A piece of the file; `start` is where its data begins. */
static unsigned char *load_piece(FILE *f, long long start, struct piece p)
{
	unsigned char *data = allocate(p.bytes);

	if (fseeko(f, (off_t)(start + p.at), SEEK_SET) != 0 || fread(data, 1, (size_t)p.bytes, f) != (size_t)p.bytes)
		die("the safetensors file is cut short");
	return data;
}

/* Reads a tensor's bytes and places them for the call. Output bytes that were not recorded become NaN or -1. */
static void load(struct tensor *t, FILE *f, long long start)
{
	long long bytes = t->n_items * t->span_bytes;

	if (t->view_of) {
		t->data = t->view_of->data;
		t->items = t->view_of->items;
		t->item_array = t->view_of->item_array;
		return;
	}
	if (t->pre.bytes) {
		t->data = load_piece(f, start, t->pre);
	} else {
		t->data = allocate(bytes);
		memset(t->data, 0xff, (size_t)bytes);
	}
	t->recorded = t->post.bytes ? load_piece(f, start, t->post) : NULL;
	t->items = allocate(t->n_items * (long long)sizeof(void *));
	for (long long i = 0; i < t->n_items; i++) {
		const unsigned char *from = t->data + i * t->span_bytes;

		if (t->on_device) {
#ifdef ON_DEVICE
			t->items[i] = to_device(from, t->span_bytes);
#endif
		} else {
			t->items[i] = memcpy(allocate(t->span_bytes), from, (size_t)t->span_bytes);
		}
	}
	t->item_array = t->items;
#ifdef ON_DEVICE
	if (t->on_device)
		t->item_array = to_device(t->items, t->n_items * (long long)sizeof(void *));
#endif
}

/* Fetches what the call has left in memory. */
static void fetch(struct tensor *t)
{
	for (long long i = 0; i < t->n_items; i++) {
		unsigned char *to = t->data + i * t->span_bytes;

		if (!t->on_device)
			memcpy(to, t->items[i], (size_t)t->span_bytes);
#ifdef ON_DEVICE
		else if (cudaMemcpy(to, t->items[i], (size_t)t->span_bytes, 2) != 0)
			die("cannot copy from the device");
#endif
	}
}

static double small_float(unsigned bits, int exponent_bits, int fraction_bits)
{
	int bias = (1 << (exponent_bits - 1)) - 1;
	int e = (int)(bits >> fraction_bits) & ((1 << exponent_bits) - 1);
	double f = bits & ((1u << fraction_bits) - 1);
	double sign = bits >> (exponent_bits + fraction_bits) ? -1 : 1;

	if (exponent_bits == 4) {	/* e4m3: no infinities */
		if ((bits & 0x7f) == 0x7f)
			return NAN;
	} else if (e == (1 << exponent_bits) - 1) {
		return f != 0 ? NAN : sign * INFINITY;
	}
	return sign * (e ? ldexp(1 + ldexp(f, -fraction_bits), e - bias) : ldexp(f, 1 - bias - fraction_bits));
}

static real number(enum dtype t, const unsigned char *p)
{
	union { double d; float f; uint16_t h; int8_t i8; uint8_t u8; int32_t i32; uint32_t u32; int64_t i64; uint64_t u64; } v;
	float f;
	uint32_t bits;

	memcpy(&v, p, t == F64 || t == C128 || t == I64 || t == U64 ? 8 : t == F32 || t == C64 || t == I32 || t == U32 ? 4 :
	       t == F16 || t == BF16 ? 2 : 1);
	switch (t) {
	case F64: case C128: return v.d;
	case F32: case C64: return v.f;
	case F16: return small_float(v.h, 5, 10);
	case BF16:
		bits = (uint32_t)v.h << 16;
		memcpy(&f, &bits, 4);
		return f;
	case E4M3: return small_float(v.u8, 4, 3);
	case E5M2: return small_float(v.u8, 5, 2);
	case I8: case CI8: return v.i8;
	case U8: return v.u8;
	case I32: return v.i32;
	case U32: return v.u32;
	case I64: return (real)v.i64;
	case U64: return (real)v.u64;
	}
	return 0;
}

static long long position(const struct tensor *t, long long b, long long r, long long c)
{
	return b * t->item_bytes + (t->offset + b * t->bs + r * t->rs + c * t->cs) * t->size;
}

static void element(const struct tensor *t, const unsigned char *data, long long b, long long r, long long c, real *re, real *im)
{
	const unsigned char *p = data + position(t, b, r, c);

	*re = number(t->dtype, p);
	*im = t->dtype == C64 || t->dtype == C128 || t->dtype == CI8 ? number(t->dtype, p + t->size / 2) : 0;
}

/* The facts that the reference needs: C = alpha op(A) op(B) + beta C, on the lower (-1), upper (1) or whole (0) C. */
struct facts {
	real alpha[2], beta[2];
	int conj_a, conj_b, triangle, hermitian;
	double u_acc, u_out, tiny;	/* unit roundoffs of the accumulation and of the output, its smallest number */
	double u_split;			/* roundoff of partial sums that pass through the output's type (split K), or 0 */
};

enum { CHUNK = 128 };	/* fewest products in a partial sum */

/*
 * One element of the reference, the sum of absolute values that its bound hangs on, and the size of partial sums. before: C
 * before the call.
 */
static void reference(const struct facts *f, const struct tensor *a, const struct tensor *b, const struct tensor *c,
		      const unsigned char *before, long long i, long long row, long long col, real ref[2], real *mag,
		      real *parts)
{
	real sum[2] = { 0, 0 }, chunk[2] = { 0, 0 }, abs_sum = 0, x[2], y[2], alpha;

	*parts = 0;
	for (long long k = 0; a && k < a->cols; k++) {
		element(a, a->data, i, row, k, &x[0], &x[1]);
		element(b, b->data, i, k, col, &y[0], &y[1]);
		if (f->conj_a)
			x[1] = -x[1];
		if (f->conj_b)
			y[1] = -y[1];
		sum[0] += x[0] * y[0] - x[1] * y[1];
		sum[1] += x[0] * y[1] + x[1] * y[0];
		abs_sum += (fabsl(x[0]) + fabsl(x[1])) * (fabsl(y[0]) + fabsl(y[1]));
		if (k % CHUNK == CHUNK - 1 || k == a->cols - 1) {
			*parts += fabsl(sum[0] - chunk[0]) + fabsl(sum[1] - chunk[1]);
			chunk[0] = sum[0], chunk[1] = sum[1];
		}
	}
	if (a && a->cols < 2 * CHUNK)
		*parts = abs_sum;
	ref[0] = a ? f->alpha[0] * sum[0] - f->alpha[1] * sum[1] : 0;
	ref[1] = a ? f->alpha[0] * sum[1] + f->alpha[1] * sum[0] : 0;
	alpha = fabsl(f->alpha[0]) + fabsl(f->alpha[1]);
	*mag = a ? alpha * abs_sum : 0;
	*parts *= alpha;
	if (f->beta[0] != 0 || f->beta[1] != 0) {
		element(c, before, i, row, col, &x[0], &x[1]);
		if (f->hermitian && row == col)
			x[1] = 0;	/* by definition, whatever is stored */
		ref[0] += f->beta[0] * x[0] - f->beta[1] * x[1];
		ref[1] += f->beta[0] * x[1] + f->beta[1] * x[0];
		*mag += (fabsl(f->beta[0]) + fabsl(f->beta[1])) * (fabsl(x[0]) + fabsl(x[1]));
	}
}

/* Do the two differ by more than the bound: margin of one part of an element, infinite when one is NaN or Inf and the other not. */
static double margin_of(real got, real ref, double bound)
{
	if (isnan(got) || isnan(ref))
		return isnan(got) && isnan(ref) ? 0 : INFINITY;
	if (isinf(got) || isinf(ref))
		return got == ref ? 0 : INFINITY;
	return got == ref ? 0 : (double)(fabsl(got - ref) / bound);
}

/* Compares `out` (spans of c) with the reference; returns the number of elements beyond their bounds. */
static long long judge(const char *title, const struct facts *f, const struct tensor *a, const struct tensor *b,
		       const struct tensor *c, const unsigned char *before, const unsigned char *out)
{
	double worst = -1, error = 0;
	long long bad = 0, at[3] = { 0, 0, 0 };
	real got[2], ref[2], mag, parts, worst_got = 0, worst_ref = 0;
	double terms = (a ? (double)a->cols : 0) + 3;

	for (long long i = 0; i < c->batch; i++)
		for (long long row = 0; row < c->rows; row++)
			for (long long col = 0; col < c->cols; col++) {
				if ((f->triangle < 0 && col > row) || (f->triangle > 0 && col < row))
					continue;
				reference(f, a, b, c, before, i, row, col, ref, &mag, &parts);
				element(c, out, i, row, col, &got[0], &got[1]);
				int beyond = 0;
				for (int part = 0; part < 2; part++) {
					/* Any order of summation: gamma_K |A||B| (Higham); then the rounding of the result. */
					double bound = 2 * terms * f->u_acc * (double)mag +
						       f->u_out * (double)fabsl(ref[part]) +
						       f->u_split * (double)parts + f->tiny;
					double margin = margin_of(got[part], ref[part], bound);

					beyond |= margin > 1;
					if (margin > worst) {
						worst = margin;
						error = (double)fabsl(got[part] - ref[part]);
						at[0] = i, at[1] = row, at[2] = col;
						worst_got = got[part], worst_ref = ref[part];
					}
				}
				bad += beyond;
			}
	printf("%s: max error %.6g, %.3g times its bound, at %s[%lld,%lld,%lld]: %.17g, should be %.17g; %lld elements beyond the bound\n",
	       title, error, worst < 0 ? 0 : worst, c->name, at[0], at[1], at[2], (double)worst_got, (double)worst_ref, bad);
	return bad;
}

/* Elements whose bytes are not those of the recorded output. */
static long long differing(const struct tensor *c)
{
	long long n = 0;

	for (long long i = 0; i < c->batch; i++)
		for (long long row = 0; row < c->rows; row++)
			for (long long col = 0; col < c->cols; col++) {
				long long p = position(c, i, row, col);

				n += memcmp(c->data + p, c->recorded + p, (size_t)c->size) != 0;
			}
	return n;
}

/* Bytes of `out` that are no part of the result (gaps, the other triangle) and are not as before. */
static long long strays(const struct facts *f, const struct tensor *c, const unsigned char *before, const unsigned char *out)
{
	long long bytes = c->n_items * c->span_bytes, n = 0;
	unsigned char *result = allocate(bytes);

	memset(result, 0, (size_t)bytes);
	for (long long i = 0; i < c->batch; i++)
		for (long long row = 0; row < c->rows; row++)
			for (long long col = 0; col < c->cols; col++)
				if (!(f->triangle < 0 && col > row) && !(f->triangle > 0 && col < row))
					memset(result + position(c, i, row, col), 1, (size_t)c->size);
	for (long long i = 0; i < bytes; i++)
		n += !result[i] && out[i] != before[i];
	free(result);
	if (n)
		printf("%lld bytes were written that are no part of the result\n", n);
	return n;
}

/* Opens the safetensors file; *start is where its data begins. */
static FILE *open_file(const char *path, long long *start)
{
	unsigned char head[8];
	FILE *f = fopen(path, "rb");

	if (!f) {
		perror(path);
		exit(2);
	}
	if (fread(head, 1, 8, f) != 8)
		die("the safetensors file is cut short");
	*start = 8;
	for (int i = 0; i < 8; i++)
		*start += (long long)head[i] << 8 * i;
	return f;
}

/* Loads, calls, judges what came out and what had come out when it was recorded. Returns the exit status. */
static int run(const char *path, struct tensor *const *all, int n, const struct facts *facts, const struct tensor *a,
	       const struct tensor *b, struct tensor *c, void (*call)(void))
{
	long long start, bad, bytes = c->n_items * c->span_bytes;
	FILE *f = open_file(path, &start);
	unsigned char *before = allocate(bytes);

	for (int i = 0; i < n; i++)
		load(all[i], f, start);
	fclose(f);
	memcpy(before, c->data, (size_t)bytes);
	call();
	fetch(c);
	bad = judge("this run", facts, a, b, c, before, c->data);
	bad += strays(facts, c, before, c->data);
	if (c->recorded) {
		judge("recorded", facts, a, b, c, before, c->recorded);
		if (c->pre.bytes)
			strays(facts, c, before, c->recorded);
		printf("this run against the recorded one: %lld elements differ in their bytes\n", differing(c));
	}
	puts(bad ? "WRONG" : "OK");
	return bad != 0;
}
