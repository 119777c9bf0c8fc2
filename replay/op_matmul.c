/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Op "matmul": cublasLtMatmul as preload/cublaslt.c describes it, D = epilogue(alpha A B + beta C), by the references of op gemm and
 * replay/epilogue.h. Tensors come by name. Secondary outputs are judged too (replay/matmul.h). Operands with f32 factors for 128 elements
 * or 128 x 128 are multiplied by them, exactly, as they are loaded (e4m3 times f32 fits a double).
 *
 * Unsupported: block scales of 16 and 32 elements (ue4m3, ue8m0) and per item, block-scaled outputs, beta as a vector, tiled orders, triangles.
 */
#include <stdlib.h>
#include <string.h>

#include "compare/audit.h"
#include "replay/matmul.h"

enum { REDUCTION_INPLACE = 1, REDUCTION_OUTPUT_TYPE = 4, FILL_MODE_FULL = 2 };
/* cublasLtMatmulMatrixScale_t */
enum { SCALE_SCALAR, SCALE_VEC16_UE4M3, SCALE_VEC32_UE8M0, SCALE_OUTER_VECTOR, SCALE_VEC128, SCALE_BLK128 };
enum { BLOCK = 128 };

int ekka_matmul_tensor(const struct ekka_matmul *x, const char *name)
{
	return ekka_event_tensor_index(x->job.event, name);
}

static const char *const scale_modes[] = { "scaleA_mode", "scaleB_mode", "scaleC_mode", "scaleD_mode", "scaleAux_mode" };

static bool is_fp8(enum ekka_dtype t)
{
	return t == EKKA_E4M3 || t == EKKA_E5M2;
}

/* What a matrix's scale mode has no reference for; NULL when it has one. */
static const char *unsupported_mode(int64_t mode, bool of_operand)
{
	switch (mode) {
	case SCALE_SCALAR:
		return NULL;
	case SCALE_OUTER_VECTOR:
		return of_operand ? NULL : "no reference for vectors of scales of C, D or aux";
	case SCALE_VEC128: case SCALE_BLK128:
		return of_operand ? NULL : "no reference for a block-scaled output";
	case SCALE_VEC16_UE4M3:
		return "no reference for a scale for every 16 elements (ue4m3)";
	case SCALE_VEC32_UE8M0:
		return "no reference for a scale for every 32 elements (ue8m0)";
	default:
		return "no reference for this mode of scales";
	}
}

static bool takes_gradient(const char *epilogue)
{
	return !strncmp(epilogue, "drelu", 5) || !strncmp(epilogue, "dgelu", 5);
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
	if (takes_gradient(x->name) && ekka_matmul_tensor(x, "scaleAux") >= 0)
		return "no reference for a scaled input of a gradient";
	for (unsigned i = 0; i < sizeof scale_modes / sizeof scale_modes[0]; i++) {
		const char *mode = unsupported_mode(ekka_job_attr(e, scale_modes[i], SCALE_SCALAR), i < 2);

		if (mode)
			return mode;
	}
	if (ekka_job_attr(e, "block_scaled_output", 0))
		return "no reference for a block-scaled output";
	if (ekka_job_attr(e, "fill_mode", FILL_MODE_FULL) != FILL_MODE_FULL)
		return "no reference for a triangle of a product";
	if (beta >= 0 && e->call.tensors[beta].n_dims > 1)
		return "no reference for beta as a vector";
	return NULL;
}

/* Tensor `index`, of `n` elements, as doubles. NULL when the verdict is settled. */
static int take_vector(struct ekka_matmul *x, int index, int64_t n, double **ret, struct ekka_error *err)
{
	struct ekka_matrix m = { 0 };
	struct ekka_panel p = { 0 };
	int r = ekka_job_matrix(&x->job, index, EKKA_PRE, EKKA_SLOT_AUX, &m, err);

	if (r == 0 && !x->job.settled && m.batch * m.rows * m.cols < n)
		ekka_job_settle(&x->job, EKKA_INCOMPLETE, "a vector of the epilogue is shorter than the output");
	if (r == 0 && !x->job.settled) {
		*ret = malloc((size_t)(m.batch * m.rows * m.cols) * sizeof **ret);
		if (!*ret)
			r = ekka_error_set(err, EKKA_ERR_NOMEM, "no memory for a vector of %lld elements", (long long)n);
		for (int64_t b = 0; r == 0 && b < m.batch; b++) {
			p.re = *ret + b * m.rows * m.cols;
			r = ekka_matrix_load(&m, b, 0, m.rows, 0, m.cols, &p, err);
		}
	}
	ekka_matrix_release(&m);
	free(x->job.loaded[EKKA_SLOT_AUX]);
	x->job.loaded[EKKA_SLOT_AUX] = NULL;
	return r;
}

/* alpha and beta with the per-tensor scales in them, and factors per row and column. */
static int take_factors(struct ekka_matmul *x, struct ekka_error *err)
{
	static const char *const names[] = { "scaleA", "scaleB" };
	struct ekka_gemm *g = &x->job.gemm;
	double scale[2] = { 1, 0 };
	int alpha = ekka_matmul_tensor(x, "alpha"), index, r = 0;

	g->alpha[0] = 1;
	if (alpha >= 0 && x->job.event->call.tensors[alpha].n_dims > 1)
		r = take_vector(x, alpha, g->m, &x->vector[EKKA_MATMUL_ROW_ALPHA], err);
	else
		r = ekka_job_scalar(&x->job, "alpha", 1, g->alpha, err);
	for (int i = 0; i < 2 && r == 0 && !x->job.settled; i++) {
		int64_t mode = ekka_job_attr(x->job.event, scale_modes[i], SCALE_SCALAR);

		if (mode == SCALE_VEC128 || mode == SCALE_BLK128)
			continue;	/* with the matrices */
		index = ekka_matmul_tensor(x, names[i]);
		if (index >= 0 && mode == SCALE_OUTER_VECTOR) {
			r = take_vector(x, index, i == 0 ? g->m : g->n, &x->vector[i == 0 ? EKKA_MATMUL_ROW_SCALE : EKKA_MATMUL_COL_SCALE], err);
			continue;
		}
		r = ekka_job_scalar(&x->job, names[i], 1, scale, err);
		g->alpha[0] *= scale[0];
		g->alpha[1] *= scale[0];
	}
	if (r == 0 && !x->job.settled)
		r = ekka_job_scalar(&x->job, "beta", 0, g->beta, err);
	if (r == 0 && !x->job.settled)
		r = ekka_job_scalar(&x->job, "scaleC", 1, scale, err);
	g->beta[0] *= scale[0];
	g->beta[1] *= scale[0];
	if (x->vector[EKKA_MATMUL_ROW_ALPHA] && x->vector[EKKA_MATMUL_ROW_SCALE])
		for (int64_t i = 0; i < g->m; i++)
			x->vector[EKKA_MATMUL_ROW_SCALE][i] *= x->vector[EKKA_MATMUL_ROW_ALPHA][i];
	x->epilogue.row_scale = x->vector[EKKA_MATMUL_ROW_SCALE] ? x->vector[EKKA_MATMUL_ROW_SCALE] : x->vector[EKKA_MATMUL_ROW_ALPHA];
	x->epilogue.col_scale = x->vector[EKKA_MATMUL_COL_SCALE];
	return r;
}

static int take_mask(struct ekka_matmul *x, int aux, enum ekka_phase phase, struct ekka_error *err)
{
	struct ekka_matrix m = { 0 };
	int r = ekka_job_matrix(&x->job, aux, phase, EKKA_SLOT_INPUT, &m, err);

	if (r < 0 || x->job.settled)
		return r;
	if (!m.bytes || m.rows < x->job.gemm.n || m.cols * 8 < x->job.gemm.m) {
		ekka_job_settle(&x->job, EKKA_INCOMPLETE, "the ReLU mask does not fit into memory, or is smaller than the output");
		return 0;
	}
	x->epilogue.mask = m.bytes;
	x->epilogue.mask_column = m.rs;
	x->epilogue.mask_item = m.bs;
	return 0;
}

/* What the gradient of the activation was taken at. */
static int take_gradient(struct ekka_matmul *x, int aux, struct ekka_error *err)
{
	const struct ekka_gemm *g = &x->job.gemm;
	int r;

	if (aux < 0) {
		ekka_job_settle(&x->job, EKKA_INCOMPLETE, "the input of the gradient was not recorded");
		return 0;
	}
	if (x->epilogue.activation == EKKA_ACT_DRELU)
		return take_mask(x, aux, EKKA_PRE, err);
	r = ekka_job_matrix(&x->job, aux, EKKA_PRE, EKKA_SLOT_INPUT, &x->input, err);
	if (r == 0 && !x->job.settled &&
	    (!x->input.bytes || x->input.rows != g->m || x->input.cols != g->n || x->input.batch != g->batch || ekka_dtype_is_complex(x->input.dtype)))
		ekka_job_settle(&x->job, EKKA_INCOMPLETE, "the input of the gradient does not fit into memory, or has another shape than the output");
	x->epilogue.input = &x->input;
	return r;
}

/* Room for the sums of D's rows. */
static int take_row_sums(struct ekka_matmul *x, struct ekka_error *err)
{
	int64_t rows = x->job.gemm.batch * x->job.gemm.m;
	double *sums = calloc((size_t)rows * 3, sizeof *sums);

	if (!sums)
		return ekka_error_set(err, EKKA_ERR_NOMEM, "no memory for %lld sums", (long long)rows);
	x->vector[EKKA_MATMUL_ROW_SUMS] = sums;
	x->epilogue.row_sum = sums;
	x->epilogue.row_bound = sums + rows;
	x->epilogue.row_abs = sums + 2 * rows;
	x->epilogue.row_sums_item = x->job.gemm.m;
	return 0;
}

static enum ekka_activation activation_of(const char *epilogue)
{
	static const struct { const char *prefix; enum ekka_activation activation; } known[] = {
		{ "relu", EKKA_ACT_RELU }, { "gelu", EKKA_ACT_GELU }, { "drelu", EKKA_ACT_DRELU }, { "dgelu", EKKA_ACT_DGELU },
	};

	for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
		if (!strncmp(epilogue, known[i].prefix, strlen(known[i].prefix)))
			return known[i].activation;
	return EKKA_ACT_NONE;
}

/* Second inputs and outputs. */
static int take_aux(struct ekka_matmul *x, struct ekka_error *err)
{
	struct ekka_epilogue *e = &x->epilogue;
	double scale[2];
	int r = 0;

	x->mask = e->activation == EKKA_ACT_RELU;
	x->aux = strstr(x->name, "_aux") ? ekka_matmul_tensor(x, "aux") : -1;
	if (x->aux >= 0 && x->mask)
		r = take_mask(x, x->aux, EKKA_POST, err);
	else if (takes_gradient(x->name))
		r = take_gradient(x, ekka_matmul_tensor(x, "aux"), err);
	if (r == 0 && !x->job.settled && strstr(x->name, "_bgrad"))
		r = take_row_sums(x, err);
	if (r == 0 && !x->job.settled) {
		r = ekka_job_scalar(&x->job, "scaleAux", 1, scale, err);
		x->aux_scale = scale[0];
	}
	return r;
}

/* The epilogue's operands. Leaves gemm.epilogue NULL when there is none at all. */
static int take_epilogue(struct ekka_matmul *x, struct ekka_error *err)
{
	struct ekka_epilogue *e = &x->epilogue;
	enum ekka_dtype out = x->job.gemm.c.dtype;
	int bias = ekka_matmul_tensor(x, "bias"), r = 0;
	double scale[2];

	e->activation = activation_of(x->name);
	e->saturates = out == EKKA_E4M3 || out == EKKA_E5M2 || out == EKKA_I8;
	r = ekka_job_scalar(&x->job, "scaleD", 1, scale, err);
	e->scale = scale[0];
	if (strstr(x->name, "bias") && bias < 0)
		ekka_job_settle(&x->job, EKKA_INCOMPLETE, "the bias was not recorded");
	if (r == 0 && !x->job.settled && bias >= 0) {
		r = take_vector(x, bias, x->job.gemm.m, &x->vector[EKKA_MATMUL_BIAS], err);
		e->bias = x->vector[EKKA_MATMUL_BIAS];
		e->bias_step = x->job.event->call.tensors[bias].n_dims == 3 ? x->job.gemm.m : 0;
	}
	if (r == 0 && !x->job.settled)
		r = take_aux(x, err);
	e->every = e->activation != EKKA_ACT_NONE || e->col_scale || e->saturates || e->scale != 1 || ekka_matmul_tensor(x, "amax") >= 0;
	if (e->bias || e->row_scale || e->every)
		x->job.gemm.epilogue = e;
	return r;
}

void ekka_matmul_facts(const struct ekka_matmul *x, enum ekka_dtype out, struct ekka_bound_facts *ret)
{
	const struct ekka_event *e = x->job.event;
	int64_t split_k = ekka_job_attr(e, "split_k", -1), reduction = ekka_job_attr(e, "reduction", -1);
	int a = ekka_matmul_tensor(x, "A"), b = ekka_matmul_tensor(x, "B");

	*ret = (struct ekka_bound_facts){
		.a = a >= 0 ? e->call.tensors[a].dtype : out, .b = b >= 0 ? e->call.tensors[b].dtype : out, .out = out, .k = x->job.gemm.k,
		.compute = ekka_job_compute_type(e), .math = -1, .on_device = true,
		.promotes = ekka_job_attr(e, "fast_accum", -1) == 0, .fast_accum = ekka_job_attr(e, "fast_accum", -1) == 1,
		.block_scaled = x->vector[EKKA_MATMUL_BLOCKS_A] || x->vector[EKKA_MATMUL_BLOCKS_B],
		.splits_known = split_k >= 0 && reduction >= 0,
	};
	if (ret->splits_known && split_k > 1 && (reduction & (REDUCTION_INPLACE | REDUCTION_OUTPUT_TYPE)))
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
}

/* The factors of an operand's blocks, by the mode; none in the other modes. */
static int take_blocks(struct ekka_matmul *x, bool of_a, struct ekka_matrix *operand, struct ekka_error *err)
{
	double **all = &x->vector[of_a ? EKKA_MATMUL_BLOCKS_A : EKKA_MATMUL_BLOCKS_B];
	int64_t mode = ekka_job_attr(x->job.event, scale_modes[of_a ? 0 : 1], SCALE_SCALAR), line = mode == SCALE_BLK128 ? BLOCK : 1;
	int index = ekka_matmul_tensor(x, of_a ? "scaleA" : "scaleB"), r;
	struct ekka_matrix m = { 0 };
	struct ekka_panel p = { 0 };

	if (mode != SCALE_VEC128 && mode != SCALE_BLK128)
		return 0;
	operand->scale_rows = of_a ? line : BLOCK;
	operand->scale_cols = of_a ? BLOCK : line;
	if (index < 0 || !is_fp8(operand->dtype) || operand->batch != 1) {
		ekka_job_settle(&x->job, EKKA_UNSUPPORTED, "no reference for block scales but of single products of fp8");
		return 0;
	}
	r = ekka_job_matrix(&x->job, index, EKKA_PRE, EKKA_SLOT_AUX, &m, err);
	if (r == 0 && !x->job.settled &&
	    ((operand->rows - 1) / operand->scale_rows >= m.rows || (operand->cols - 1) / operand->scale_cols >= m.cols))
		ekka_job_settle(&x->job, EKKA_INCOMPLETE, "there are fewer block scales than blocks");
	if (r == 0 && !x->job.settled) {
		*all = p.re = malloc((size_t)(m.rows * m.cols) * sizeof **all);
		r = p.re ? ekka_matrix_load(&m, 0, 0, m.rows, 0, m.cols, &p, err) : ekka_error_set(err, EKKA_ERR_NOMEM, "no memory for block scales");
	}
	operand->scale = *all;
	operand->scale_rs = p.rs;
	operand->scale_cs = p.cs;
	ekka_matrix_release(&m);
	free(x->job.loaded[EKKA_SLOT_AUX]);
	x->job.loaded[EKKA_SLOT_AUX] = NULL;
	return r;
}

static int take_matrices(struct ekka_matmul *x, struct ekka_error *err)
{
	struct ekka_gemm *g = &x->job.gemm;
	int a = ekka_matmul_tensor(x, "A"), b = ekka_matmul_tensor(x, "B"), c = ekka_matmul_tensor(x, "C"), r = 0;

	g->has_product = a >= 0 && b >= 0 && (g->alpha[0] != 0 || g->alpha[1] != 0);
	g->has_c0 = g->beta[0] != 0 || g->beta[1] != 0;
	if (g->has_c0 && c < 0)
		ekka_job_settle(&x->job, EKKA_INCOMPLETE, "C was not recorded");
	if (!x->job.settled && g->has_product)
		r = ekka_job_matrix(&x->job, a, EKKA_PRE, EKKA_SLOT_A, &g->a, err);
	if (r == 0 && !x->job.settled && g->has_product)
		r = ekka_job_matrix(&x->job, b, EKKA_PRE, EKKA_SLOT_B, &g->b, err);
	if (r == 0 && !x->job.settled && g->has_c0)
		r = ekka_job_matrix(&x->job, c, EKKA_PRE, EKKA_SLOT_C0, &g->c0, err);
	if (r == 0 && !x->job.settled && g->has_product)
		r = take_blocks(x, true, &g->a, err);
	if (r == 0 && !x->job.settled && g->has_product)
		r = take_blocks(x, false, &g->b, err);
	g->k = g->has_product ? g->a.cols : 0;
	return r;
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
	r = take_factors(x, err);
	if (r == 0 && !x->job.settled)
		r = take_matrices(x, err);
	if (r == 0 && !x->job.settled)
		r = take_epilogue(x, err);
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
		r = ekka_gemm_judge(&x.job.gemm, &o, v, err);
	if (r == 0 && !x.job.settled)
		ekka_job_gaps(&x.job, x.job.loaded[EKKA_SLOT_BEFORE], before);
	if (r == 0 && !x.job.settled && v->status != EKKA_FAIL)
		r = ekka_matmul_judge_outputs(&x, &o, err);
	ekka_job_audit_numbers(&x.job);
	ekka_job_release(&x.job);
	for (unsigned i = 0; i < EKKA_MATMUL_VECTORS; i++)
		free(x.vector[i]);
	return r;
}

const struct ekka_op ekka_op_matmul = { "matmul", judge_matmul };
