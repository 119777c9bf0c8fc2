/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The exported functions: real single and double precision gemm, gemv, syrk and dot, as CBLAS and as Fortran, in the plain,
 * `64_` (64-bit integers) and `scipy_` (NumPy's and SciPy's own builds) spellings. Without $FAULTY_BLAS each is one
 * call of the real function with the very arguments.
 */
#include "faulty.h"

#include <stdatomic.h>
#include <stddef.h>

#define EXPORT __attribute__((visibility("default")))

/* CBLAS enumerations have these values in every implementation. */
enum { ROW_MAJOR = 101, COL_MAJOR = 102, NO_TRANS = 111, TRANS = 112, UPPER = 121, LOWER = 122 };

static void *find(_Atomic(void *) *cached, const char *name)
{
	void *f = atomic_load_explicit(cached, memory_order_relaxed);

	if (!f) {
		f = real_function(name);
		atomic_store_explicit(cached, f, memory_order_relaxed);
	}
	return f;
}

/* op(p) of a stored matrix, rows x cols after the transpose. */
static struct operand operand(const void *p, long rows, long cols, long ld, bool row_major, bool trans)
{
	bool lines_are_rows = row_major != trans;

	return (struct operand){ (void *)p, rows, cols, lines_are_rows ? ld : 1, lines_are_rows ? 1 : ld };
}

static struct operand vector(const void *p, long n, long inc)
{
	return (struct operand){ (void *)p, n, 1, inc, 1 };
}

static struct product gemm(bool row_major, bool ta, bool tb, long m, long n, long k, double alpha, const void *a, long lda,
			   const void *b, long ldb, double beta, void *c, long ldc)
{
	return (struct product){ .entry = GEMM, .m = m, .n = n, .k = k, .alpha = alpha, .beta = beta,
		.a = operand(a, m, k, lda, row_major, ta), .b = operand(b, k, n, ldb, row_major, tb),
		.c = operand(c, m, n, ldc, row_major, false),
		.row_major = row_major, .trans_a = ta, .trans_b = tb, .lda = lda, .ldb = ldb, .ldc = ldc };
}

/* rows x cols: the matrix as stored. */
static struct product gemv(bool row_major, bool trans, long rows, long cols, double alpha, const void *a, long lda,
			   const void *x, long incx, double beta, void *y, long incy)
{
	long m = trans ? cols : rows, k = trans ? rows : cols;

	return (struct product){ .entry = GEMV, .m = m, .n = 1, .k = k, .alpha = alpha, .beta = beta,
		.a = operand(a, m, k, lda, row_major, trans), .b = vector(x, k, incx), .c = vector(y, m, incy),
		.row_major = row_major, .trans_a = trans, .lda = lda, .ldb = incx, .ldc = incy };
}

static struct product syrk(bool row_major, bool upper, bool trans, long n, long k, double alpha, const void *a, long lda,
			   double beta, void *c, long ldc)
{
	return (struct product){ .entry = SYRK, .m = n, .n = n, .k = k, .alpha = alpha, .beta = beta,
		.a = operand(a, n, k, lda, row_major, trans), .b = operand(a, k, n, lda, row_major, !trans),
		.c = operand(c, n, n, ldc, row_major, false),
		.row_major = row_major, .upper = upper, .trans_a = trans, .lda = lda, .ldc = ldc };
}

static struct product dot(long n, const void *x, long incx, const void *y, long incy, void *result)
{
	return (struct product){ .entry = DOT, .m = 1, .n = 1, .k = n, .alpha = 1,
		.a = { (void *)x, 1, n, 1, incx }, .b = vector(y, n, incy), .c = vector(result, 1, 1), .lda = incx, .ldb = incy };
}

/* What the four kinds of wrapper have in common. `T` real type, `I` integer type. */
#define FIND(symbol) \
	static _Atomic(void *) cached; \
	void *real = find(&cached, #symbol)
#define RUN(T, symbol, call) do { \
		struct product p_ = call; \
		p_.is_double = sizeof(T) == sizeof(double); \
		p_.name = #symbol; \
		p_.run = run_##symbol; \
		p_.real = real; \
		product_run(&p_); \
	} while (0)
#define ORDER(p) ((p)->row_major ? ROW_MAJOR : COL_MAJOR)
#define CTRANS(t) ((t) ? TRANS : NO_TRANS)
#define FTRANS(t) ((t) ? "T" : "N")
#define IS_TRANS(c) ((c) != 'N' && (c) != 'n')

/* ---- CBLAS ---- */

#define CBLAS_GEMM(T, I, symbol) \
	typedef void symbol##_fn(int, int, int, I, I, I, T, const T *, I, const T *, I, T, T *, I); \
	EXPORT symbol##_fn symbol; \
	static void run_##symbol(const struct product *p) \
	{ \
		((symbol##_fn *)p->real)(ORDER(p), CTRANS(p->trans_a), CTRANS(p->trans_b), p->m, p->n, p->k, p->alpha, p->a.p, \
					 p->lda, p->b.p, p->ldb, p->beta, p->c.p, p->ldc); \
	} \
	void symbol(int order, int ta, int tb, I m, I n, I k, T alpha, const T *a, I lda, const T *b, I ldb, T beta, T *c, I ldc) \
	{ \
		FIND(symbol); \
		if (faults_wanted()) \
			RUN(T, symbol, gemm(order == ROW_MAJOR, ta != NO_TRANS, tb != NO_TRANS, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc)); \
		else \
			((symbol##_fn *)real)(order, ta, tb, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc); \
	}

/* A fault changes k only, which is the stored matrix's columns, or its rows when it is transposed. */
#define CBLAS_GEMV(T, I, symbol) \
	typedef void symbol##_fn(int, int, I, I, T, const T *, I, const T *, I, T, T *, I); \
	EXPORT symbol##_fn symbol; \
	static void run_##symbol(const struct product *p) \
	{ \
		((symbol##_fn *)p->real)(ORDER(p), CTRANS(p->trans_a), p->trans_a ? p->k : p->m, p->trans_a ? p->m : p->k, p->alpha, \
					 p->a.p, p->lda, p->b.p, p->ldb, p->beta, p->c.p, p->ldc); \
	} \
	void symbol(int order, int trans, I rows, I cols, T alpha, const T *a, I lda, const T *x, I incx, T beta, T *y, I incy) \
	{ \
		FIND(symbol); \
		if (faults_wanted()) \
			RUN(T, symbol, gemv(order == ROW_MAJOR, trans != NO_TRANS, rows, cols, alpha, a, lda, x, incx, beta, y, incy)); \
		else \
			((symbol##_fn *)real)(order, trans, rows, cols, alpha, a, lda, x, incx, beta, y, incy); \
	}

#define CBLAS_SYRK(T, I, symbol) \
	typedef void symbol##_fn(int, int, int, I, I, T, const T *, I, T, T *, I); \
	EXPORT symbol##_fn symbol; \
	static void run_##symbol(const struct product *p) \
	{ \
		((symbol##_fn *)p->real)(ORDER(p), p->upper ? UPPER : LOWER, CTRANS(p->trans_a), p->n, p->k, p->alpha, p->a.p, p->lda, \
					 p->beta, p->c.p, p->ldc); \
	} \
	void symbol(int order, int uplo, int trans, I n, I k, T alpha, const T *a, I lda, T beta, T *c, I ldc) \
	{ \
		FIND(symbol); \
		if (faults_wanted()) \
			RUN(T, symbol, syrk(order == ROW_MAJOR, uplo == UPPER, trans != NO_TRANS, n, k, alpha, a, lda, beta, c, ldc)); \
		else \
			((symbol##_fn *)real)(order, uplo, trans, n, k, alpha, a, lda, beta, c, ldc); \
	}

#define CBLAS_DOT(T, I, symbol) \
	typedef T symbol##_fn(I, const T *, I, const T *, I); \
	EXPORT symbol##_fn symbol; \
	static void run_##symbol(const struct product *p) \
	{ \
		*(T *)p->c.p = p->alpha * ((symbol##_fn *)p->real)(p->k, p->a.p, p->lda, p->b.p, p->ldb); \
	} \
	T symbol(I n, const T *x, I incx, const T *y, I incy) \
	{ \
		T result = 0; \
		FIND(symbol); \
		if (!faults_wanted()) \
			return ((symbol##_fn *)real)(n, x, incx, y, incy); \
		RUN(T, symbol, dot(n, x, incx, y, incy, &result)); \
		return result; \
	}

/* ---- Fortran: everything by address, then the lengths of the strings ---- */

#define FORTRAN_GEMM(T, I, symbol) \
	typedef void symbol##_fn(const char *, const char *, const I *, const I *, const I *, const T *, const T *, const I *, \
				 const T *, const I *, const T *, T *, const I *, size_t, size_t); \
	EXPORT symbol##_fn symbol; \
	static void run_##symbol(const struct product *p) \
	{ \
		I m = p->m, n = p->n, k = p->k, lda = p->lda, ldb = p->ldb, ldc = p->ldc; \
		T alpha = p->alpha, beta = p->beta; \
		((symbol##_fn *)p->real)(FTRANS(p->trans_a), FTRANS(p->trans_b), &m, &n, &k, &alpha, p->a.p, &lda, p->b.p, &ldb, \
					 &beta, p->c.p, &ldc, 1, 1); \
	} \
	void symbol(const char *ta, const char *tb, const I *m, const I *n, const I *k, const T *alpha, const T *a, const I *lda, \
		    const T *b, const I *ldb, const T *beta, T *c, const I *ldc, size_t len_ta, size_t len_tb) \
	{ \
		FIND(symbol); \
		if (faults_wanted()) \
			RUN(T, symbol, gemm(false, IS_TRANS(*ta), IS_TRANS(*tb), *m, *n, *k, *alpha, a, *lda, b, *ldb, *beta, c, *ldc)); \
		else \
			((symbol##_fn *)real)(ta, tb, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc, len_ta, len_tb); \
	}

#define FORTRAN_GEMV(T, I, symbol) \
	typedef void symbol##_fn(const char *, const I *, const I *, const T *, const T *, const I *, const T *, const I *, \
				 const T *, T *, const I *, size_t); \
	EXPORT symbol##_fn symbol; \
	static void run_##symbol(const struct product *p) \
	{ \
		I rows = p->trans_a ? p->k : p->m, cols = p->trans_a ? p->m : p->k, lda = p->lda, incx = p->ldb, incy = p->ldc; \
		T alpha = p->alpha, beta = p->beta; \
		((symbol##_fn *)p->real)(FTRANS(p->trans_a), &rows, &cols, &alpha, p->a.p, &lda, p->b.p, &incx, &beta, p->c.p, &incy, 1); \
	} \
	void symbol(const char *trans, const I *rows, const I *cols, const T *alpha, const T *a, const I *lda, const T *x, \
		    const I *incx, const T *beta, T *y, const I *incy, size_t len) \
	{ \
		FIND(symbol); \
		if (faults_wanted()) \
			RUN(T, symbol, gemv(false, IS_TRANS(*trans), *rows, *cols, *alpha, a, *lda, x, *incx, *beta, y, *incy)); \
		else \
			((symbol##_fn *)real)(trans, rows, cols, alpha, a, lda, x, incx, beta, y, incy, len); \
	}

#define FORTRAN_SYRK(T, I, symbol) \
	typedef void symbol##_fn(const char *, const char *, const I *, const I *, const T *, const T *, const I *, const T *, T *, \
				 const I *, size_t, size_t); \
	EXPORT symbol##_fn symbol; \
	static void run_##symbol(const struct product *p) \
	{ \
		I n = p->n, k = p->k, lda = p->lda, ldc = p->ldc; \
		T alpha = p->alpha, beta = p->beta; \
		((symbol##_fn *)p->real)(p->upper ? "U" : "L", FTRANS(p->trans_a), &n, &k, &alpha, p->a.p, &lda, &beta, p->c.p, &ldc, 1, 1); \
	} \
	void symbol(const char *uplo, const char *trans, const I *n, const I *k, const T *alpha, const T *a, const I *lda, \
		    const T *beta, T *c, const I *ldc, size_t len_uplo, size_t len_trans) \
	{ \
		FIND(symbol); \
		if (faults_wanted()) \
			RUN(T, symbol, syrk(false, *uplo == 'U' || *uplo == 'u', IS_TRANS(*trans), *n, *k, *alpha, a, *lda, *beta, c, *ldc)); \
		else \
			((symbol##_fn *)real)(uplo, trans, n, k, alpha, a, lda, beta, c, ldc, len_uplo, len_trans); \
	}

#define FORTRAN_DOT(T, I, symbol) \
	typedef T symbol##_fn(const I *, const T *, const I *, const T *, const I *); \
	EXPORT symbol##_fn symbol; \
	static void run_##symbol(const struct product *p) \
	{ \
		I n = p->k, incx = p->lda, incy = p->ldb; \
		*(T *)p->c.p = p->alpha * ((symbol##_fn *)p->real)(&n, p->a.p, &incx, p->b.p, &incy); \
	} \
	T symbol(const I *n, const T *x, const I *incx, const T *y, const I *incy) \
	{ \
		T result = 0; \
		FIND(symbol); \
		if (!faults_wanted()) \
			return ((symbol##_fn *)real)(n, x, incx, y, incy); \
		RUN(T, symbol, dot(*n, x, *incx, y, *incy, &result)); \
		return result; \
	}

/* ---- every function in every spelling ---- */

#define CBLAS_SPELLINGS(DEFINE, T, f) \
	DEFINE(T, int, cblas_##f) \
	DEFINE(T, long, cblas_##f##64_) \
	DEFINE(T, int, scipy_cblas_##f) \
	DEFINE(T, long, scipy_cblas_##f##64_)

#define FORTRAN_SPELLINGS(DEFINE, T, f) \
	DEFINE(T, int, f##_) \
	DEFINE(T, long, f##_64_) \
	DEFINE(T, int, scipy_##f##_) \
	DEFINE(T, long, scipy_##f##_64_)

CBLAS_SPELLINGS(CBLAS_GEMM, float, sgemm)
CBLAS_SPELLINGS(CBLAS_GEMM, double, dgemm)
CBLAS_SPELLINGS(CBLAS_GEMV, float, sgemv)
CBLAS_SPELLINGS(CBLAS_GEMV, double, dgemv)
CBLAS_SPELLINGS(CBLAS_SYRK, float, ssyrk)
CBLAS_SPELLINGS(CBLAS_SYRK, double, dsyrk)
CBLAS_SPELLINGS(CBLAS_DOT, float, sdot)
CBLAS_SPELLINGS(CBLAS_DOT, double, ddot)
FORTRAN_SPELLINGS(FORTRAN_GEMM, float, sgemm)
FORTRAN_SPELLINGS(FORTRAN_GEMM, double, dgemm)
FORTRAN_SPELLINGS(FORTRAN_GEMV, float, sgemv)
FORTRAN_SPELLINGS(FORTRAN_GEMV, double, dgemv)
FORTRAN_SPELLINGS(FORTRAN_SYRK, float, ssyrk)
FORTRAN_SPELLINGS(FORTRAN_SYRK, double, dsyrk)
FORTRAN_SPELLINGS(FORTRAN_DOT, float, sdot)
FORTRAN_SPELLINGS(FORTRAN_DOT, double, ddot)
