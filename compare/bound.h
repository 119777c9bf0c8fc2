/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How far a matrix product may legitimately lie from the exact one.
 *
 * For out = alpha * P + beta * C0, P = sum over k of a_k b_k, S = sum |a_k b_k| (for complex numbers with |z| = |re| + |im|, which
 * also covers the three-multiplication method):
 *
 *	bound = |alpha| * (B_in + B_acc + B_split) + 4 u_acc (|alpha P| + |beta C0|) + u_out * (|ref| + all of that)
 *		+ tiny_out + underflow terms + the reference's own error
 *
 * B_in: operands rounded to a narrower type first: (2u + u^2) S with u of that type, 2^-10 for tf32, which truncates.
 *
 * B_acc, any order: gamma_n S, gamma_n = n u / (1 - n u), n = K + 4; C0 is one more term of the sum (Higham, Accuracy and Stability
 * of Numerical Algorithms, 2002, section 3.1: any order of summation, with or without FMA). Complex: n = 2K + 8.
 *
 * B_acc, tensor cores (Fasi, Higham, Mikaitis, Pranesh 2021; MMA-Sim, arXiv 2511.10909; arXiv 2512.07004): a step adds k products
 * and the accumulator after aligning all to the largest exponent, keeps F fractional bits, truncates, and rounds the sum toward
 * zero to p bits. With e the products' largest exponent and acc the accumulator before the step:
 *
 *	error of a step <= (k + 1) 2^(1-F) * (2^e + |acc|) + 2^-p |acc|
 *
 * 2^e is bounded by the product of the operands' largest powers of two over `group` consecutive k, wide enough for a kernel
 * that permutes k within its tile; |acc| by M = min(S, 2 max |prefix sum| + 2 max S of one chunk of EKKA_BOUND_CHUNK k), which holds for any number of
 * accumulators over contiguous ranges of k (split-K, stream-K). Interleaved ranges (sliced K) are bounded so only when the
 * operands do not conspire with the slicing.
 *
 * B_split: partial sums rounded to the output type before they are added, where the math mode does not forbid it:
 * u_out * min(sum of |chunk sums|, 2 * max_splits * max |prefix sum|); with fewer than two chunks of k the partial sums are not
 * known and it is u_out * S. Seen on an H200: cuBLAS 13 rounds P to bf16 before it adds beta * C0 for m, n, k = 64, 48, 128.
 *
 * FP8 without fast accumulation adds the tensor core's sum to an f32 register after every EKKA_BOUND_CHUNK k, so that |acc| is at most
 * the S of such a stretch: over all of them steps * per-step error * S, plus gamma_n S with n = K / EKKA_BOUND_CHUNK + 4 for the additions.
 *
 * Block-scaled FP8: as without fast accumulation, each stretch's sum multiplied by its factors on the way (two roundings more). The
 * factors are taken into the operands, whose largest powers of two then are up to 4 times too small for 2^e: the group's term is taken 4 times.
 *
 * Factors of 16 or 32 k (Blackwell): each step's products, or their sum, are multiplied by two factors on the way, 2^-22 S for these roundings or
 * truncations; the group's term 4 times, as above. Nothing is promoted.
 *
 * Underflow: K tiny_acc (flushed sums and products) + K tiny_in (max |a| + max |b|) (flushed operands), tiny the smallest normal
 * number, since AMX and many engines flush subnormals.
 *
 * Not covered: Strassen-like algorithms, which no BLAS in the tables uses by default.
 */
#ifndef EKKA_COMPARE_BOUND_H
#define EKKA_COMPARE_BOUND_H

#include "compare/bound_element.h"
#include "compare/verdict.h"
#include "trace/model.h"

/* What is known about the call. Values of compute and math are cuBLAS's (cublas_api.h), -1 when not given. */
struct ekka_bound_facts {
	enum ekka_dtype a, b, out;
	int64_t k;
	int64_t compute, math;
	bool on_device;
	int32_t cc_major, cc_minor;	/* 0 when unknown: the loosest architecture is taken */
	bool promotes, fast_accum;	/* FP8 sums go to f32 after every EKKA_BOUND_CHUNK k; or the call asks not to. Neither: unknown */
	bool block_scaled;		/* FP8 with an f32 factor for every EKKA_BOUND_CHUNK k of a line, which are part of S */
	bool micro_scaled;		/* FP8 or FP4 with a narrow factor for every 16 or 32 k of a line, which are part of S */
	bool splits_known;		/* the algorithm says how split K is reduced: */
	unsigned splits;		/* partial sums that pass through the output type; 0: none */
};

struct ekka_bound_model {
	enum ekka_dtype out;
	union {				/* the same, by two names */
		struct ekka_bound_numbers numbers;
		struct { EKKA_BOUND_NUMBERS };
	};
	char text[EKKA_TEXT];		/* for verdict.bound */
	char policy[EKKA_TEXT];		/* for verdict.audit: a legitimate but lossy choice; empty when none */
};

/* 0, or -1 when nothing is known about this combination (verdict UNSUPPORTED; the reason in model->text). */
int ekka_bound_model_init(struct ekka_bound_model *model, const struct ekka_bound_facts *facts);

/* Error of alpha P + beta C0 before it is rounded to the output type; arguments as below. */
double ekka_bound_before(const struct ekka_bound_model *, const struct ekka_bound_sums *, double alpha, double p, double c0);
double ekka_bound_before_unusual(const struct ekka_bound_model *, const struct ekka_bound_sums *, double alpha, double p, double c0);
/* Error after a value of size `ref` with error `before` was rounded to the output type. */
double ekka_bound_rounded(const struct ekka_bound_model *, double before, double ref);

/* Bound for one element; alpha, p, c0 and ref are magnitudes (L1 for complex), c0 already times beta. */
double ekka_bound_element(const struct ekka_bound_model *, const struct ekka_bound_sums *, double alpha, double p, double c0,
			  double ref);

/* Error that rounding alone makes hardly ever: where round-to-nearest errors behave like a random walk (Higham and Mary 2019). */
double ekka_bound_unusual(const struct ekka_bound_model *, const struct ekka_bound_sums *, double alpha, double p, double c0, double ref);

/* May the output be infinite or NaN although the operands are not: some intermediate value can leave the type's range. */
bool ekka_bound_may_overflow(const struct ekka_bound_model *, const struct ekka_bound_sums *, double alpha, double c0, double ref,
			     double bound);

#endif
