/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A simulated attention kernel, independent of the reference: tiles of keys, an online softmax in f32 through exp2, sums that truncate as tensor
 * cores do, P rounded to the operands' type. It can be told to be faulty.
 */
#ifndef EKKA_TESTS_ATTENTION_SIM_H
#define EKKA_TESTS_ATTENTION_SIM_H

#include "tests/unit/replay/fake_event.h"

enum sim_fault {
	SIM_RIGHT,
	SIM_NO_SCALE, SIM_SCALE_TWICE, SIM_STALE_SCALE, SIM_ZERO_SCALE,
	SIM_MASK_MORE, SIM_MASK_LESS, SIM_MASK_ALIGNMENT, SIM_NO_MASK,
	SIM_LAST_TILE, SIM_GROUPS, SIM_V_HEAD, SIM_NO_SOFTCAP, SIM_LENGTHS, SIM_NAN_ROW,
	SIM_NOT_NORMALISED, SIM_NO_RESCALE, SIM_WRONG_LSE, SIM_LSE_BASE, SIM_NO_ALIBI, SIM_WINDOW, SIM_PAGE, SIM_MASKED_NAN, SIM_MASKED_MEAN,
	SIM_WRONG_MAX, SIM_WRONG_SUM
};

struct sim {
	enum ekka_dtype dtype;
	int64_t batch, heads, heads_k, m, n, d, dv;
	bool causal, top_left;
	int64_t left, right;		/* -1: unlimited */
	double scale;			/* 0: 1 / sqrt(d) */
	double softcap;
	int64_t tile;			/* keys */
	bool alibi, bias, mask, lse, base2;
	bool interleaved;		/* memory order [B, M, H, D] instead of [B, H, M, D] */
	const int32_t *len_k, *cu_q, *cu_k;	/* [batch], [batch + 1] */
	int32_t unit;			/* 0, or cu_seqlens are told in elements: a row is so many for q and k, twice that for out and v */
	int64_t page;			/* 0: not paged */
	bool vector_cache;		/* paged K as [blocks, heads, d / 8, page, 8] */
	int64_t partition;		/* 0, or keys a part: [B, M, H, parts, Dv] in memory, with maxima and sums */
	double size;			/* of q and k; 0: 1 */
	double bias_mean;
	bool scale_tensor;
	enum sim_fault fault;
	const char *lie;		/* the event says other lengths than there are */
	const int32_t *lie_numbers;
	bool lie_page;			/* a page that does not exist */
	int64_t odd_v;			/* bf16: the first value of V's line of that number is infinite in memory; 0: none */
	/* Filled by sim_run; owned. */
	float *q, *k, *v, *out, *lse_out, *bias_in, *slopes, *max_out, *sum_out, scale_in;
	unsigned char *mask_in;
	int32_t *table, *lens;
	unsigned char *raw[5];		/* q, k, v, out in their types, and the bias */
	struct fake_event event;
	struct ekka_backend *backend;	/* that judges; NULL: the CPU */
};

/* Fills operands, computes, and makes the event. */
void sim_run(struct sim *);
struct ekka_verdict sim_judge(struct sim);	/* runs, judges, releases */
void sim_release(struct sim *);

#endif
