/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Op "matmul": cublasLtMatmul as preload/cublaslt.c describes it, D = epilogue(alpha A B + beta C), by the references of op gemm and
 * replay/epilogue.h. Tensors come by name. Secondary outputs are judged too (replay/matmul.h). Inputs with factors for their blocks
 * are multiplied by them, exactly, as they are loaded (fp8 times f32 fits a double): replay/matmul_blocks.c. Block-scaled outputs:
 * replay/matmul_quantized.c.
 *
 * Unsupported: scales of blocks of aux, scales per batch item by pointers, beta as a vector, tiled orders, triangles.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "compare/audit.h"
#include "replay/gemm_blocks.h"
#include "replay/matmul.h"

static const double E2M1_UNIT = 0.25, E2M1_HALF = 0.25, E2M1_MOST = 6;	/* half its spacing is 0.25 at least */

enum { REDUCTION_INPLACE = 1, REDUCTION_OUTPUT_TYPE = 4, FILL_MODE_FULL = 2 };

int ekka_matmul_tensor(const struct ekka_matmul *x, const char *name)
{
	return ekka_event_tensor_index(x->job.event, name);
}

/* What the scale mode of a matrix (A, B, C, D, aux) has no reference for; NULL when it has one. */
static const char *unsupported_mode(int64_t mode, unsigned of)
{
	switch (mode) {
	case EKKA_SCALE_SCALAR:
		return NULL;
	case EKKA_SCALE_OUTER_VECTOR:
		return of <= EKKA_MATMUL_B ? NULL : "no reference for vectors of scales of C, D or aux";
	case EKKA_SCALE_VEC128: case EKKA_SCALE_BLK128:
		return of <= EKKA_MATMUL_B ? NULL : "no reference for blocks of 128 of C, D or aux";
	case EKKA_SCALE_VEC16_UE4M3: case EKKA_SCALE_VEC32_UE8M0:
		return of <= EKKA_MATMUL_C ? NULL : "no reference for scales of blocks that D or aux is to have";
	default:
		return "no reference for this mode of scales";
	}
}

/* What has no reference; NULL when all has. */
static const char *unsupported(const struct ekka_matmul *x)
{
	const struct ekka_event *e = x->job.event;
	const struct ekka_value *why = ekka_event_attr(e, "undescribed");
	int beta = ekka_matmul_tensor(x, "beta");

	if (why && why->kind == EKKA_V_STR)
		return why->s;
	if (!strcmp(x->name, "unknown"))
		return "no reference for this epilogue";
	if (ekka_matmul_takes_gradient(x->name) && ekka_matmul_tensor(x, "scaleAux") >= 0)
		return "no reference for a scaled input of a gradient";
	for (unsigned i = 0; i < EKKA_MATMUL_SCALES; i++) {
		const char *mode = unsupported_mode(ekka_job_attr(e, ekka_matmul_scale_modes[i], EKKA_SCALE_SCALAR), i);

		if (mode)
			return mode;
	}
	if (ekka_job_attr(e, "block_scaled_output", 0))
		return "no reference for a scalar that the output computes";
	if (ekka_job_attr(e, "fill_mode", FILL_MODE_FULL) != FILL_MODE_FULL)
		return "no reference for a triangle of a product";
	if (beta >= 0 && e->call.tensors[beta].n_dims > 1)
		return "no reference for beta as a vector";
	return NULL;
}

/* Is a factor of a block an f32, which only promoted sums are multiplied by. */
static bool of_f32(const struct ekka_matmul *x)
{
	return ekka_matmul_block(ekka_job_attr(x->job.event, ekka_matmul_scale_modes[0], EKKA_SCALE_SCALAR)) == EKKA_BOUND_CHUNK ||
	       ekka_matmul_block(ekka_job_attr(x->job.event, ekka_matmul_scale_modes[1], EKKA_SCALE_SCALAR)) == EKKA_BOUND_CHUNK;
}

void ekka_matmul_facts(const struct ekka_matmul *x, enum ekka_dtype out, struct ekka_bound_facts *ret)
{
	const struct ekka_event *e = x->job.event;
	int64_t split_k = ekka_job_attr(e, "split_k", -1), reduction = ekka_job_attr(e, "reduction", -1);
	const struct ekka_gemm *g = &x->job.gemm;
	int a = ekka_matmul_tensor(x, "A"), b = ekka_matmul_tensor(x, "B");
	bool blocks = x->vector[EKKA_MATMUL_BLOCKS_A] || x->vector[EKKA_MATMUL_BLOCKS_B], f32_blocks = blocks && of_f32(x);

	*ret = (struct ekka_bound_facts){
		.a = g->has_product ? g->a.dtype : a >= 0 ? e->call.tensors[a].dtype : out,
		.b = g->has_product ? g->b.dtype : b >= 0 ? e->call.tensors[b].dtype : out, .out = out, .k = x->job.gemm.k,
		.compute = ekka_job_compute_type(e), .math = -1, .on_device = true,
		.promotes = ekka_job_attr(e, "fast_accum", -1) == 0 && (!blocks || f32_blocks), .fast_accum = ekka_job_attr(e, "fast_accum", -1) == 1,
		.block_scaled = f32_blocks, .micro_scaled = blocks && !f32_blocks,
		.splits_known = split_k >= 0 && reduction >= 0,
	};
	/* What is quantized at last needs its largest element first: no partial sum can have been stored so. */
	ret->splits_known |= ekka_matmul_quantizes(x);
	if (!ekka_matmul_quantizes(x) && ret->splits_known && split_k > 1 && (reduction & (REDUCTION_INPLACE | REDUCTION_OUTPUT_TYPE)))
		ret->splits = split_k < UINT16_MAX ? (unsigned)split_k : UINT16_MAX;
	if (out == EKKA_F32)
		ret->splits = 0;
	ekka_job_device(&x->job, ret);
}

static void complete(struct ekka_matmul *x)
{
	struct ekka_job *job = &x->job;
	struct ekka_gemm *g = &job->gemm;
	struct ekka_bound_facts facts;

	g->a.conj = ekka_job_attr(job->event, "conja", 0) != 0;
	g->b.conj = ekka_job_attr(job->event, "conjb", 0) != 0;
	if (!ekka_job_consistent(g)) {
		ekka_job_settle(job, EKKA_INCOMPLETE, "the recorded dimensions do not fit together");
		return;
	}
	ekka_matmul_facts(x, g->c.dtype, &facts);
	if (ekka_bound_model_init(&g->model, &facts) < 0)
		ekka_job_settle(job, EKKA_UNSUPPORTED, g->model.text);
	if (x->unpacked[EKKA_MATMUL_D]) {
		g->model.u_out = E2M1_UNIT;
		g->model.tiny_out = E2M1_HALF;
		g->model.max_out = E2M1_MOST;
	}
}

static int prepare(struct ekka_matmul *x, struct ekka_error *err)
{
	const struct ekka_value *name = ekka_event_attr(x->job.event, "epilogue");
	struct ekka_gemm *g = &x->job.gemm;
	const char *why;
	int d = ekka_matmul_tensor(x, "D"), r;

	x->name = name && name->kind == EKKA_V_STR ? name->s : "unknown";
	why = unsupported(x);
	if (why) {
		ekka_job_settle(&x->job, EKKA_UNSUPPORTED, why);
		return 0;
	}
	if (d < 0) {
		ekka_job_settle(&x->job, EKKA_PASS, "nothing is computed");
		return 0;
	}
	r = ekka_job_matrix(&x->job, d, EKKA_POST, EKKA_SLOT_C, &g->c, err);
	if (r < 0 || x->job.settled)
		return r;
	g->output = "D";
	g->batched = x->job.event->call.tensors[d].n_dims == 3;
	g->m = g->c.rows;
	g->n = g->c.cols;
	g->batch = g->c.batch;
	x->stored = g->c;
	r = ekka_matmul_unpack(x, EKKA_MATMUL_D, &g->c, err);
	if (r < 0 || x->job.settled)
		return r;
	g->m = g->c.rows;
	r = ekka_matmul_take_factors(x, err);
	if (r == 0 && !x->job.settled)
		r = ekka_matmul_take_matrices(x, err);
	if (r == 0 && !x->job.settled)
		r = ekka_matmul_take_epilogue(x, err);
	if (r == 0 && !x->job.settled)
		complete(x);
	return r;
}

/* What the output's range held before, to see what lies between its elements; 0 bytes where that was not recorded. */
static int take_before(struct ekka_matmul *x, int d, uint64_t *ret_bytes, struct ekka_error *err)
{
	const struct ekka_event_data *before = &x->job.event->data[d][EKKA_PRE];
	struct ekka_matrix m = { 0 };
	int r;

	*ret_bytes = 0;
	if (x->job.settled || !before->present || before->rec.missing || !ekka_trace_blob_present(x->job.ctx->trace, &before->rec.id, NULL))
		return 0;
	r = ekka_job_matrix(&x->job, d, EKKA_PRE, EKKA_SLOT_BEFORE, &m, err);
	*ret_bytes = m.n_bytes;
	ekka_matrix_release(&m);
	return r;
}

/*
 * D, and the scales of its blocks. Where an item's factors lie is known of the first one alone: when that is right by itself, what is wrong of
 * others is no proof.
 */
static int judge_product(struct ekka_matmul *x, const struct ekka_gemm_options *o, struct ekka_error *err)
{
	struct ekka_verdict *v = x->job.verdict, of_first = { .event = v->event };
	struct ekka_gemm first;
	struct ekka_epilogue epilogue;
	int r = ekka_gemm_judge(&x->job.gemm, o, v, err);

	if (r == 0)
		r = ekka_matmul_judge_out_scales(x, o, err);
	if (r < 0)
		return r;
	if (v->status != EKKA_FAIL || !ekka_matmul_assumes_places(x) || strcmp(v->output, "D") != 0)
		return 0;
	first = ekka_gemm_copy(&x->job.gemm, &epilogue);
	first.batch = 1;
	epilogue.blocks.largest = NULL;
	r = ekka_gemm_judge(&first, o, &of_first, err);
	ekka_gemm_copy_release(&first);
	if (r == 0 && of_first.status != EKKA_FAIL) {
		v->status = EKKA_UNDECIDED;
		(void)snprintf(v->reason, sizeof v->reason, "the first item is right, others are not: where their scales of blocks lie is not documented");
	}
	return r;
}

/* Of D as it lies in memory. */
static void judge_gaps(struct ekka_matmul *x, uint64_t before)
{
	struct ekka_matrix numbers = x->job.gemm.c;

	x->job.gemm.c = x->stored;
	ekka_job_gaps(&x->job, x->job.loaded[EKKA_SLOT_BEFORE], before);
	x->job.gemm.c = numbers;
}

static int judge_matmul(const struct ekka_op_context *ctx, const struct ekka_event *event, struct ekka_verdict *v, struct ekka_error *err)
{
	struct ekka_matmul x = { .job = { .ctx = ctx, .event = event, .verdict = v, .room = ctx->memory_bytes / 4 * 3 }, .aux = -1 };
	struct ekka_gemm_options o = { .exact = ctx->options->exact, .delta = ctx->options->screen_delta, .team = ctx->team,
				       .backend = ctx->backend };
	int d = ekka_event_tensor_index(event, "D"), r = prepare(&x, err);
	uint64_t before = 0;

	if (r == 0 && !x.job.settled)
		r = take_before(&x, d, &before, err);
	o.memory_bytes = ctx->memory_bytes / 4 + x.job.room;
	if (r == 0 && !x.job.settled)
		r = judge_product(&x, &o, err);
	if (r == 0 && !x.job.settled)
		judge_gaps(&x, before);
	if (r == 0 && !x.job.settled && v->status != EKKA_FAIL)
		r = ekka_matmul_judge_outputs(&x, &o, err);
	ekka_job_audit_numbers(&x.job);
	ekka_job_release(&x.job);
	for (unsigned i = 0; i < EKKA_MATMUL_VECTORS; i++)
		free(x.vector[i]);
	for (unsigned i = 0; i < EKKA_MATMUL_MATRICES; i++)
		free(x.unpacked[i]);
	return r;
}

const struct ekka_op ekka_op_matmul = { "matmul", judge_matmul };
