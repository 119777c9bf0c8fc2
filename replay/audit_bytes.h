/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Audits that look at bytes: an op can be right for an input that is not what it was taken for. Findings go to verdict.audit (compare/audit.h).
 *
 * Element types. The first 16 KiB of a dense input are taken apart into words of half an element or of two; what those words are as bfloat16 numbers tells
 * numbers from noise: numbers of ordinary size (or float16 ones) have exponents between 2^-63 and 2^23, a third of all exponents that there are, and random bits
 * (a float's low half) have any. Only different words count, so that a constant cannot decide. Reported are
 *
 *	f16, bf16 that hold f32:	the words at odd places are numbers (95 % of them), those at even places are not (at most half)
 *	f32 that holds f16 or bf16:	the low halves are numbers, too (95 %, at least 64 different ones)
 *	f16 that holds bf16:		numbers of both signs, 64 or more different ones, all between 1/8 and 8: bf16's exponents, in f16's place, vary slowly
 *	f32, f64 that hold integers:	all that is not zero is denormal, and below 2^20 as an integer
 *	i64 that holds i32:		both halves of all elements are below 2^24, half of the upper ones not zero
 *
 * Scales (tensors with "scale" in their name): NaN, infinite or negative, or nothing but zeros.
 */
#ifndef EKKA_REPLAY_AUDIT_BYTES_H
#define EKKA_REPLAY_AUDIT_BYTES_H

#include "compare/verdict.h"
#include "trace/reader.h"

struct ekka_blobs;

/* Of all inputs whose bytes are in the trace (blobs: some of them may be in memory, or NULL); those that cannot be read are passed over. Thread-safe on distinct verdicts. */
void ekka_audit_bytes(struct ekka_blobs *, struct ekka_trace *, const struct ekka_event *, struct ekka_verdict *);

/* Is this input a scale, by its name. */
bool ekka_is_scale(const struct ekka_tensor *);

#endif
