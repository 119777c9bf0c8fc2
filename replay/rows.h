/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the ops that go row by row share (reduce, scan, softmax, norm, sort, conv): tensors and attributes by name, working memory, the comparison
 * of all outputs, and the bytes between an output's elements. One struct ekka_rows is one event judged by one thread.
 *
 * Functions that return int return 0 or, negative with err filled, that memory ran out or a blob is damaged. What keeps an event from being
 * judged otherwise settles the verdict: `settled` is then true and nothing more is to be done.
 *
 * Bounds in these ops: u is the unit roundoff of the type that the kernel computes in (attribute `compute`, else f64 for f64 tensors and f32
 * for all others). A sum of n terms, added in any order, is wrong by at most (n - 1) u sum |x| (Jeannerod and Rump, Improved error bounds for
 * inner products in floating-point arithmetic, 2013, theorem 3.1: no higher-order terms, no restriction on n), or h u' sum |x|, u' = u with
 * higher orders, when no term goes through more than h additions: attribute `depth`.
 */
#ifndef EKKA_REPLAY_ROWS_H
#define EKKA_REPLAY_ROWS_H

#include "compare/elements.h"
#include "replay/array.h"
#include "replay/narrow.h"

enum { EKKA_ROWS_CHUNK = 8192, EKKA_ROWS_WRONG = 32 };	/* elements that are converted at a time; wrong ones remembered */

/* An element beyond its bound: material for hypotheses. */
struct ekka_wrong { const struct ekka_array *output; int64_t index; double got; };

struct ekka_rows {
	const struct ekka_op_context *ctx;
	const struct ekka_event *event;
	struct ekka_verdict *verdict;
	struct ekka_elements *elements;
	struct ekka_array array[EKKA_MAX_TENSORS][2];	/* by tensor and phase, loaded where n_dims or n is set */
	double *buffer[16];		/* owned */
	unsigned n_buffers;
	bool settled, explained;
	int64_t row_length;		/* at most one wrong element is remembered of this many in a row; 0: 1 */
	struct ekka_wrong wrong[EKKA_ROWS_WRONG];
	unsigned n_wrong;
	/* Set by an op's prepare whose compare goes over the rows first..end - 1 alone, so that threads can share them; 0: it goes over all there is. */
	int64_t n_rows, elements_of_row;
	int64_t first, end;
};

int ekka_rows_init(struct ekka_rows *, const struct ekka_op_context *, const struct ekka_event *, struct ekka_verdict *, struct ekka_error *err);
void ekka_rows_release(struct ekka_rows *);

/* How an op that goes row by row judges an event. Its structure begins with a struct ekka_rows and is what all functions get. */
struct ekka_rows_op {
	size_t bytes;				/* of the structure; it begins as zeros */
	int (*prepare)(void *, struct ekka_error *);	/* finds tensors and attributes; settles what cannot be judged */
	void (*compare)(void *);		/* all outputs; called again when a second look at them would tell more */
	void (*bound)(const void *, char text[EKKA_TEXT]);	/* says what the bound is made of */
	void (*explain)(void *);		/* says what a FAIL looks like */
	void (*release)(void *);		/* what prepare took besides; NULL: nothing */
	bool (*device)(void *);			/* the same as compare by the backend (replay/rows_device.h); false: it has to be done here; NULL: never */
};
int ekka_rows_run(const struct ekka_rows_op *, const struct ekka_op_context *, const struct ekka_event *, struct ekka_verdict *, struct ekka_error *err);

/* An op's whole judge function where rows are all that it keeps: judge() with rows that are released behind it. */
int ekka_rows_judge(const struct ekka_op_context *, const struct ekka_event *, int (*judge)(struct ekka_rows *, struct ekka_error *),
		    struct ekka_verdict *, struct ekka_error *err);
void ekka_rows_settle(struct ekka_rows *, enum ekka_status, const char *reason);

/* Tensor `name` in memory as it was in `phase`; *ret NULL when the event has none (the verdict is settled if `needed`) or it cannot be had. */
int ekka_rows_take(struct ekka_rows *, const char *name, enum ekka_phase phase, bool needed, struct ekka_array **ret, struct ekka_error *err);

/* Has the output `name` of the event; *ret NULL when there is none. Begins its comparison. */
int ekka_rows_output(struct ekka_rows *, const char *name, struct ekka_array **ret, struct ekka_error *err);

/* n zeroes that live as long as the rows; NULL with err filled when there is no memory. */
double *ekka_rows_buffer(struct ekka_rows *, int64_t n, struct ekka_error *err);

/* Attributes: `fallback` when absent or of another kind. */
double ekka_rows_number(const struct ekka_rows *, const char *name, double fallback);
const char *ekka_rows_text(const struct ekka_rows *, const char *name, const char *fallback);

/* The type named by attribute `name`; `fallback` when absent or unknown. */
enum ekka_dtype ekka_rows_dtype(const struct ekka_rows *, const char *name, enum ekka_dtype fallback);

/* The type the kernel computes in, for inputs of this type. */
enum ekka_dtype ekka_rows_compute(const struct ekka_rows *, enum ekka_dtype input);

/* Factor of u sum |x| for sums of n terms: n - 1, or what attribute `depth` gives when that is less. */
double ekka_rows_additions(const struct ekka_rows *, int64_t n, double u);

/* Product of the dims before `last`, and behind: how many rows, and how long. */
int64_t ekka_rows_count(const struct ekka_array *, unsigned trailing);
int64_t ekka_rows_length(const struct ekka_array *, unsigned trailing);

/*
 * Compares elements first..first+n-1 of an output with their references; bound: of the value before it is rounded to the output's type; NULL: the
 * output must be the reference itself, rounded if its type is narrower.
 */
void ekka_rows_compare(struct ekka_rows *, const struct ekka_array *out, int64_t first, int64_t n, const double *ref, const double *bound);

/* The same for integers. */
void ekka_rows_compare_int(struct ekka_rows *, const struct ekka_array *out, int64_t first, int64_t n, const int64_t *ref);

/* Is `got` of this type what x may become when it is rounded to it. */
bool ekka_near_holds(enum ekka_dtype, double got, struct ekka_near x);

/* Says what a failed event looks like, printf-like, unless that was said before. What the comparison alone makes of it (zeros, a factor) gives way, but for "not written". */
void ekka_rows_looks_like(struct ekka_rows *, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The verdict of all outputs, and whether what lies between their elements was left alone. */
int ekka_rows_verdict(struct ekka_rows *, const char *bound, struct ekka_error *err);

#endif
