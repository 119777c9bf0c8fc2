/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where references are computed, when not on the CPU: a backend takes the parts that cost most and gives back the numbers from which the CPU makes
 * references, bounds and verdicts. So both give the same verdicts, and margins that differ by the rounding of float64.
 *
 * A backend may decline anything; what it declines, or fails to do, the CPU does. All functions may be called from several threads at once.
 */
#ifndef EKKA_REPLAY_BACKEND_H
#define EKKA_REPLAY_BACKEND_H

#include <stdbool.h>
#include <stdint.h>

#include "compare/verdict.h"
#include "trace/error.h"

struct ekka_attention;
struct ekka_attention_found;
struct ekka_attention_outputs;
struct ekka_attention_work;
struct ekka_elements;
struct ekka_elements_part;
struct ekka_expr_work;
struct ekka_gemm;
struct ekka_gemm_work;
struct ekka_rows_work;

/* One product that is being judged; a backend puts its own behind this. */
struct ekka_backend_gemm {
	/*
	 * As the CPU's product in replay/gemm_exact.c: fills w's ref, lo, abs, prefix, chunk, variation, group, a_max and b_max, which are zero, for
	 * the block. False: it could not; what it wrote counts for nothing.
	 */
	bool (*sums)(struct ekka_backend_gemm *, struct ekka_gemm_work *w, int64_t b, int64_t i0, int64_t ni, int64_t j0, int64_t nj);
};

struct ekka_backend {
	char name[EKKA_TEXT];		/* for the report: "GPU (NVIDIA H200)" */
	/* NULL: not for this backend, because it is too small or does not fit. g is borrowed until end. */
	struct ekka_backend_gemm *(*gemm_begin)(struct ekka_backend *, const struct ekka_gemm *g);
	void (*gemm_end)(struct ekka_backend_gemm *);
	/*
	 * Recomputes every element of g and compares it: true when all are within their bounds, and no doubt is left; *ret then has what was found, in which
	 * `index` is row-major of [batch, m, n]. False: not for this backend, it could not, or something is wrong or doubtful, for the CPU to look at.
	 */
	bool (*product)(struct ekka_backend *, const struct ekka_gemm *g, struct ekka_elements_part *ret);
	/*
	 * Judges all rows of an attention event: true when none is wrong; *ret then has what was found. False: not for this backend, it could not, or something
	 * is wrong or seldom.
	 */
	bool (*attention_event)(struct ekka_backend *, const struct ekka_attention *, const struct ekka_attention_outputs *, struct ekka_attention_found *ret);
	/*
	 * Attention's sums of one group of rows, q and q_norm given: fills o, w, max, sum, eta, largest and v_sum as attention_run.c does it tile by tile.
	 * False: not for this backend, or it could not; what it wrote counts for nothing. NULL: never.
	 */
	bool (*attention)(struct ekka_backend *, struct ekka_attention_work *);
	/*
	 * Compares all outputs of an event that goes row by row (replay/rows_job.h): ret[i]: what was found of output i. False: not for this backend, or it could
	 * not; what it wrote counts for nothing. NULL: never.
	 */
	bool (*rows)(struct ekka_backend *, const struct ekka_rows_work *, struct ekka_elements_part *ret);
	/*
	 * Op elementwise: compares all outputs. False, with nothing added to the comparison: not for this backend, it could not, or something is wrong, which
	 * only the CPU describes. NULL: never.
	 */
	bool (*elementwise)(struct ekka_backend *, const struct ekka_expr_work *, struct ekka_elements *);
	/* Said once, before any event: the bytes of tensors that there are to judge. NULL: no matter. */
	void (*expect)(struct ekka_backend *, uint64_t bytes);
	/* Why events that it might have taken went to the CPU (no device, no memory, an error) into text, EKKA_TEXT; "" when there was nothing of the kind. */
	void (*note)(struct ekka_backend *, char *text);
	void (*close)(struct ekka_backend *);
};

/* ---- the GPU: replay/gpu.c ---- */

/* Takes everything that it can, also where the CPU would be faster: for tests. */
enum { EKKA_GPU_ALWAYS = 1 };

/*
 * The first CUDA device, if there is one whose float64 was seen to work: NULL otherwise, with the reason in err. CUDA's libraries are looked for at run time.
 * The caller closes it when no event is being judged.
 */
struct ekka_backend *ekka_gpu_open(unsigned flags, struct ekka_error *err);

/*
 * The same for events that are done sooner there. It is opened when the first product comes that is worth the half second that this takes, or, when much is
 * expected, at once and beside: the CPU judges until it is there. NULL: the CPU alone.
 */
struct ekka_backend *ekka_gpu_when_it_pays(void);

#endif
