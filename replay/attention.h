/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Scaled dot product attention, one event: geometry, reference and bound. Owner is op_attention.c; one thread per event.
 *
 * For query row i of a head, with c = scale, over the keys j that the row may see,
 *
 *	s_j = softcap(c q.k_j) + bias_j + alibi_j	softcap(x) = t tanh(x / t)
 *	p_j = exp(s_j - m), m = max s_j;  l = sum p_j;  out = sum p_j v_j / l;  lse = m + log l
 *
 * Row i of M sees, of N keys (both of this batch item), those with i + o - left <= j <= i + o + right, o = N - M ("bottom-right", also without
 * `causal`) or 0 ("top-left"); causal is right = 0. ALiBi adds -slope |i + N - M - j|. Reference: float64, online over tiles of keys; memory
 * O(rows of the heads that share a K head), not O(M N). Rows behind a batch item's length are not judged: engines leave there what they like.
 *
 * Kernels that split the keys, to be combined by another one, write parts: row i is then query i / parts over the keys [s, s + 1) * partition,
 * s = i % parts. Rows whose part begins behind the last key are not judged.
 *
 * Bound of one element, u = 2^-24 (2^-53 for f64):
 *
 *   Logits. The product q.k_j is off by at most g |q| |k_j| in Euclidean norms: compare/bound.h's model of the sum for D terms, its 2^e and S
 *   both being at most |q| |k_j| (Cauchy and Schwarz); f32 on a device is taken as three tf32 products (2^-19, three times the steps), which
 *   plain f32 does not exceed. Scaling, the factor log2 e, and each addition round once: 4 u (|c q.k_j| + |bias| + |alibi| + |s_j| + |m|).
 *   A softcap's tanh.approx.f32 has a relative error of 2^-10.9 (PTX ISA): 2^-10 |s_j|. Sum: eta_j. The running maximum's
 *   differences telescope, so that rescaling adds to the argument no more than that.
 *
 *   Weights. p_j is off by the factor e^(+-eta_j) (1 + x)^(T + 2): x = 2^-22 for ex2.approx.f32 and its relatives (2 ulp), T = N / 32 + 4
 *   tiles and splits, each of which may multiply by an exponential and round; once more 2^-13 on Blackwell, where kernels
 *   may take a cubic polynomial instead. Before P V it is rounded to P's type: u_P per rounding, the smallest subnormal at the bottom.
 *
 *   Sum P V. A = f sum p_j |v_j|, f as g for N terms. The denominator adds f32 numbers in any order: (N + T) u.
 *
 * With W_j = (expm1(eta_j) + r) p_j, r = roundings u_P + (T + 2) (x + u) + f, and lambda = sum p_j expm1(eta_j) / l + (N + T) u + (T + 2) x + u_P
 * (some kernels add up the rounded P):
 *
 *	|error| <= (sum W_j |v_j| / l + lambda |out|) / (1 - lambda) + 4 u |out|
 *	|error of lse| <= (lambda - u_P) (1 + lambda) + 4 u (|m| + |lse| + 1)
 *
 * Simulated kernels (tests/unit/replay/attention_sim.c) in bf16 and f16 reach 0.02 to 0.05 of this in the median and 0.5 at most; in f32 2 * 10^-4 and
 * 0.004, because the bound lets three tf32 products truncate at the size of |q| |k_j| and of sum p |v| in every step.
 *
 * Columns together. What the weights are off by is one number a key, whatever the column: with y = out - what it should be, a row's own errors,
 *
 *	y.y <= (sum W'_j |v_j.y| / l + sum_c |y_c| f' sum p_j |v_jc| / l + lambda |y.out|) / (1 - lambda) + sum_c |y_c| (store and 4 u |out|)
 *
 * W' and f' as W and f, but for the rescaling, which is in both. By Cauchy's inequality a lost key among N of the same size exceeds this up to
 * N = sqrt(Dv) / u_P, about, and a column's own bound up to N = 2 / u_P. It holds where P is rounded to a 16-bit type once, and V has that type; looked at
 * are the rows whose errors are the largest part of their bounds.
 *
 * A weight error eta_j enters numerator and denominator, 2 eta in all, as in e^(2 eta) - 1, but with its own p_j instead of the row's
 * worst. The sum over |v| is done in f32 and widened by 2^-10. Rows that see no key may hold 0 or NaN (lse: an infinity, or NaN); rows all of whose
 * logits are below -2^100 (masked by a large negative bias) anything that does not exceed the largest |v|.
 */
#ifndef EKKA_REPLAY_ATTENTION_H
#define EKKA_REPLAY_ATTENTION_H

#include "compare/elements.h"
#include "replay/array.h"

struct ekka_backend;
struct ekka_team;

/* Rounding errors of one kernel; see above. */
struct ekka_attention_error {
	double u;		/* of the type it computes in */
	double product;		/* g */
	double sum;		/* f */
	double p_round;		/* roundings times u_P */
	double p_tiny;
	double exponential;	/* (T + 2) x */
	double order;		/* (N + T) u */
	double rescale;		/* (T + 2) u */
	double softcap;		/* 2^-10, or 0 */
	char text[EKKA_TEXT];
};

/* A broadcast view of an optional [B, H, M, N] operand. */
struct ekka_attention_view {
	const struct ekka_array *array;		/* NULL: none */
	int64_t stride[4];			/* 0 where broadcast */
};

struct ekka_attention {
	const struct ekka_array *q, *k, *v, *out;
	struct ekka_attention_view bias, mask;
	const double *alibi;			/* [heads], or NULL */
	int64_t batch, heads, heads_k;
	int64_t m, n;				/* most rows of out (queries times parts) and keys of a batch item */
	int64_t d, dv;
	const int64_t *q_start, *q_len, *k_start, *k_len;	/* [batch]; queries and keys; start: row in the tensor, for packed ones */
	bool packed_q, packed_k;		/* all batch items lie one behind another in batch item 0 */
	const int64_t *pages;			/* [batch, n_pages] rows of k and v, or NULL */
	int64_t n_pages, page;			/* keys a page */
	double scale, k_scale, v_scale;
	double softcap;				/* 0: none */
	bool top_left;
	int64_t left, right;			/* -1: unlimited */
	int64_t partition, parts;		/* keys a part, parts; 0 and 1 when keys are not parted */
	double lse_unit;			/* 1, or 1 / log 2 */
	struct ekka_attention_error error;
	/* Only in hypotheses: how a faulty kernel might read its operands. */
	int64_t fault_right;			/* keys more that a mask at the right lets through */
	int64_t fault_drop;			/* keys lost at the end */
	int fault_head_k, fault_head_v;		/* added to the head of K and V */
	bool fault_groups;			/* head h reads K head h % heads_k */
	bool fault_lengths;			/* every batch item has n keys */
	bool fault_softmax;			/* P is not normalised */
};

/* Keys [*ret_lo, *ret_hi) that row i of batch item b sees; empty: lo >= hi. */
void ekka_attention_range(const struct ekka_attention *, int64_t b, int64_t i, int64_t *ret_lo, int64_t *ret_hi);

/* Head of K for head h. */
int64_t ekka_attention_head_k(const struct ekka_attention *, int64_t h);

/* How many rows of out batch item b has. */
int64_t ekka_attention_rows(const struct ekka_attention *, int64_t b);

/* The query of row i of head h; and the row's number in out, in row-major order. */
void ekka_attention_q_line(const struct ekka_attention *, int64_t b, int64_t h, int64_t i, double *ret);
int64_t ekka_attention_out_row(const struct ekka_attention *, int64_t b, int64_t h, int64_t i);

/* Lines j0..j0+n-1 of K ([n, d]) or V ([n, dv]), times k_scale or v_scale. */
void ekka_attention_k_lines(const struct ekka_attention *, int64_t b, int64_t hk, int64_t j0, int64_t n, double *ret);
void ekka_attention_v_lines(const struct ekka_attention *, int64_t b, int64_t hk, int64_t j0, int64_t n, double *ret);

/*
 * From products q.k_j, j = j0..j0+n-1, to logits, in place; keys that row i does not see get -inf. magnitude: what eta_j multiplies by 4 u, or NULL.
 */
void ekka_attention_logits(const struct ekka_attention *, int64_t b, int64_t h, int64_t i, int64_t j0, int64_t n, double *s, double *magnitude,
			   double *scratch);

/*
 * What the logits of row i get besides c q.k_j: bias and ALiBi, -inf where the mask has none; 0 where neither is. `scratch` as long as `ret`, n. True with
 * something to add. Not for both bias and ALiBi.
 */
bool ekka_attention_added(const struct ekka_attention *, int64_t b, int64_t h, int64_t i, int64_t j0, int64_t n, double *ret, double *scratch);

/* Fills x->error from types, sizes and the device. 0, or -1 with the reason in x->error.text. */
struct ekka_attention_facts {
	enum ekka_dtype p;		/* type P is rounded to */
	bool on_device, tf32;
	int cc_major, cc_minor;
	int64_t roundings;		/* of P on its way into the sum */
};
int ekka_attention_error_init(struct ekka_attention *x, const struct ekka_attention_facts *);

/* A row that was found wrong. */
struct ekka_attention_row { int64_t b, h, i; };
enum { EKKA_ATTENTION_ROWS = 8 };

/* What the judgement calls for every row; ref and bound [dv]; lse and its bound; arrays are borrowed for the call. */
struct ekka_attention_result {
	struct ekka_attention_row row;
	enum { EKKA_ROW_PLAIN, EKKA_ROW_EMPTY, EKKA_ROW_ABSORBED } kind;
	const double *ref, *bound;	/* ABSORBED: bound is the largest |v| */
	double lse, lse_bound, lse_shift;	/* lse_shift: what ALiBi's other form adds, 0 otherwise */
	double max, sum, sum_bound;
};

/* What computes: threads that may help, memory for groups of heads (0: as little as will do), and a backend; all may be unset. */
struct ekka_attention_means {
	struct ekka_team *team;
	struct ekka_backend *backend;
	uint64_t memory_bytes;
};

/* Computes every row and calls `row` for each, in order, from one thread at a time. Negative with err filled when there is no memory. */
int ekka_attention_run(const struct ekka_attention *, const struct ekka_attention_means *, void (*row)(void *arg, const struct ekka_attention_result *), void *arg,
		       struct ekka_error *err);

/* One row by the definition, for hypotheses: out [dv], and lse. Negative on lack of memory. */
int ekka_attention_one(const struct ekka_attention *, struct ekka_attention_row, double *ret, double *ret_lse, struct ekka_error *err);

/*
 * One row that is within its bounds: how much of what its errors may be in their own direction they are, to *ret; beyond 1 it is wrong. 0 where nothing is known. out: [dv], u_out: unit
 * roundoff of what it is stored as. Finite operands. Negative on lack of memory.
 */
int ekka_attention_aligned(const struct ekka_attention *, struct ekka_attention_row, const double *out, double u_out, double *ret, struct ekka_error *err);

/* What an event has stored, and what a backend found in it. */
enum { EKKA_ATTENTION_OUT, EKKA_ATTENTION_LSE, EKKA_ATTENTION_MAX, EKKA_ATTENTION_SUM, EKKA_ATTENTION_OUTPUTS };
struct ekka_attention_outputs { const struct ekka_array *array[EKKA_ATTENTION_OUTPUTS]; };	/* NULL: not there */
struct ekka_attention_found {
	struct ekka_elements_part part[EKKA_ATTENTION_OUTPUTS];
	double *near;			/* [rows of out], the caller's: squares of a row's errors over squares of its bounds, summed over columns; negative: it sees no key */
};

/*
 * Puts into text (EKKA_TEXT) which known fault reproduces the wrong rows, or leaves it alone. lse: those of the rows are wrong, while out is right as far as can be
 * told; NULL: out is wrong. Negative on lack of memory.
 */
int ekka_attention_explain(const struct ekka_attention *, const struct ekka_array *lse, const struct ekka_attention_row *rows, unsigned n_rows, char *text,
			   struct ekka_error *err);

#endif
