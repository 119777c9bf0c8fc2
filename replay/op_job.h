/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From an event to struct ekka_gemm: what the ops gemm and matmul share. A job belongs to one thread and one event.
 *
 * Functions that return int return 0 or, negative with err filled, that memory ran out or a blob is damaged. What keeps an event from
 * being judged otherwise settles the verdict: `settled` is then true and nothing more is to be done.
 */
#ifndef EKKA_REPLAY_OP_JOB_H
#define EKKA_REPLAY_OP_JOB_H

#include "replay/gemm.h"
#include "replay/op.h"

/* Where a matrix's bytes come from when they are not in memory. */
struct ekka_job_blob { struct ekka_trace *trace; struct ekka_blob_id id; };

enum ekka_slot { EKKA_SLOT_A, EKKA_SLOT_B, EKKA_SLOT_C0, EKKA_SLOT_C, EKKA_SLOT_BEFORE, EKKA_SLOT_AUX, EKKA_SLOT_INPUT, EKKA_SLOTS };

struct ekka_job {
	const struct ekka_op_context *ctx;
	const struct ekka_event *event;
	struct ekka_verdict *verdict;
	struct ekka_gemm gemm;
	struct ekka_job_blob blob[EKKA_SLOTS];
	const unsigned char *loaded[EKKA_SLOTS];	/* whole operands in memory; held, replay/blobs.h */
	double returned[2];			/* dot's result */
	uint64_t room;				/* bytes of memory left for whole operands */
	bool settled;				/* verdict->status is final, nothing to compute */
};

void ekka_job_release(struct ekka_job *job);
void ekka_job_settle(struct ekka_job *job, enum ekka_status status, const char *reason);

/* The bytes of tensor `index` as they were in `phase`, as matrix *m. Settles the verdict when they are not to be had. */
int ekka_job_matrix(struct ekka_job *job, int index, enum ekka_phase phase, enum ekka_slot slot, struct ekka_matrix *m,
		    struct ekka_error *err);

/* A scalar: attribute `name`, or a one-element device tensor of that name. Settles the verdict when it is not known. */
int ekka_job_scalar(struct ekka_job *job, const char *name, double fallback, double ret[2], struct ekka_error *err);

/* An integer attribute, or `fallback`. */
int64_t ekka_job_attr(const struct ekka_event *e, const char *name, int64_t fallback);

/* The trace names the compute type (FORMAT: attribute "compute"); the bounds know it by cuBLAS's number. -1 when absent or unknown. */
int64_t ekka_job_compute_type(const struct ekka_event *e);

/* Do the dimensions of the operands fit together. */
bool ekka_job_consistent(const struct ekka_gemm *g);

/* The compute capability of the event's device. */
void ekka_job_device(const struct ekka_job *job, struct ekka_bound_facts *facts);

/*
 * Nothing but the output's elements should have changed. What did change raises doubt and no more: a thread that computes without
 * any BLAS may own what lies beside the output, and the trace cannot tell. `before`: the output's range before the call, or NULL.
 */
void ekka_job_gaps(struct ekka_job *job, const unsigned char *before, uint64_t before_bytes);

/* Findings about alpha, beta and the arithmetic. */
void ekka_job_audit_numbers(struct ekka_job *job);

#endif
