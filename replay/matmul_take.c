/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "replay/blobs.h"
#include "replay/matmul.h"

const char *const ekka_matmul_scale_modes[] = { "scaleA_mode", "scaleB_mode", "scaleC_mode", "scaleD_mode", "scaleAux_mode" };

bool ekka_matmul_takes_gradient(const char *epilogue)
{
	return !strncmp(epilogue, "drelu", 5) || !strncmp(epilogue, "dgelu", 5);
}

int ekka_matmul_take_vector(struct ekka_matmul *x, int index, enum ekka_phase phase, int64_t n, double **ret, struct ekka_error *err)
{
	struct ekka_matrix m = { 0 };
	struct ekka_panel p = { 0 };
	int r = ekka_job_matrix(&x->job, index, phase, EKKA_SLOT_AUX, &m, err);

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
	ekka_blobs_let_go(x->job.loaded[EKKA_SLOT_AUX]);
	x->job.loaded[EKKA_SLOT_AUX] = NULL;
	return r;
}

int ekka_matmul_take_factors(struct ekka_matmul *x, struct ekka_error *err)
{
	static const char *const names[] = { "scaleA", "scaleB" };
	struct ekka_gemm *g = &x->job.gemm;
	double scale[2] = { 1, 0 };
	int alpha = ekka_matmul_tensor(x, "alpha"), index, r = 0;

	g->alpha[0] = 1;
	if (alpha >= 0 && x->job.event->call.tensors[alpha].n_dims > 1)
		r = ekka_matmul_take_vector(x, alpha, EKKA_PRE, g->m, &x->vector[EKKA_MATMUL_ROW_ALPHA], err);
	else
		r = ekka_job_scalar(&x->job, "alpha", 1, g->alpha, err);
	for (int i = 0; i < 2 && r == 0 && !x->job.settled; i++) {
		int64_t mode = ekka_job_attr(x->job.event, ekka_matmul_scale_modes[i], EKKA_SCALE_SCALAR);

		if (ekka_matmul_block(mode) != 0)
			continue;	/* with the matrices */
		index = ekka_matmul_tensor(x, names[i]);
		if (index >= 0 && mode == EKKA_SCALE_OUTER_VECTOR) {
			r = ekka_matmul_take_vector(x, index, EKKA_PRE, i == 0 ? g->m : g->n, &x->vector[i == 0 ? EKKA_MATMUL_ROW_SCALE : EKKA_MATMUL_COL_SCALE], err);
			continue;
		}
		r = ekka_job_scalar(&x->job, names[i], 1, scale, err);
		g->alpha[0] *= scale[0];
		g->alpha[1] *= scale[0];
	}
	if (r == 0 && !x->job.settled)
		r = ekka_job_scalar(&x->job, "beta", 0, g->beta, err);
	scale[0] = 1;
	if (r == 0 && !x->job.settled && ekka_matmul_block(ekka_job_attr(x->job.event, ekka_matmul_scale_modes[EKKA_MATMUL_C], EKKA_SCALE_SCALAR)) == 0)
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
	if (!m.bytes || m.rows < x->job.gemm.n || m.cols * 8 < x->job.gemm.m || m.item_bytes || (m.bs && m.batch < x->job.gemm.batch)) {
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
	else if (ekka_matmul_takes_gradient(x->name))
		r = take_gradient(x, ekka_matmul_tensor(x, "aux"), err);
	if (r == 0 && !x->job.settled && strstr(x->name, "_bgrad"))
		r = take_row_sums(x, err);
	if (r == 0 && !x->job.settled) {
		r = ekka_job_scalar(&x->job, "scaleAux", 1, scale, err);
		x->aux_scale = scale[0];
	}
	return r;
}

int ekka_matmul_take_epilogue(struct ekka_matmul *x, struct ekka_error *err)
{
	struct ekka_epilogue *e = &x->epilogue;
	enum ekka_dtype out = x->job.gemm.c.dtype;
	int bias = ekka_matmul_tensor(x, "bias"), r = 0;
	double scale[2];

	e->activation = activation_of(x->name);
	e->saturates = out == EKKA_E4M3 || out == EKKA_E5M2 || out == EKKA_I8;
	r = ekka_job_scalar(&x->job, "scaleD", 1, scale, err);
	e->scale = scale[0];
	if (r == 0 && !x->job.settled)
		r = ekka_matmul_take_out_scales(x, err);
	if (strstr(x->name, "bias") && bias < 0)
		ekka_job_settle(&x->job, EKKA_INCOMPLETE, "the bias was not recorded");
	if (r == 0 && !x->job.settled && bias >= 0) {
		e->bias_step = x->job.event->call.tensors[bias].n_dims == 3 ? x->job.gemm.m : 0;
		r = ekka_matmul_take_vector(x, bias, EKKA_PRE, e->bias_step ? x->job.gemm.batch * x->job.gemm.m : x->job.gemm.m, &x->vector[EKKA_MATMUL_BIAS], err);
		e->bias = x->vector[EKKA_MATMUL_BIAS];
	}
	if (r == 0 && !x->job.settled)
		r = take_aux(x, err);
	e->every = e->activation != EKKA_ACT_NONE || e->col_scale || e->blocks.scale || e->saturates || e->scale != 1 || ekka_matmul_tensor(x, "amax") >= 0;
	if (e->bias || e->row_scale || e->every)
		x->job.gemm.epilogue = e;
	return r;
}

int ekka_matmul_take_matrices(struct ekka_matmul *x, struct ekka_error *err)
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
	for (unsigned i = EKKA_MATMUL_A; i <= EKKA_MATMUL_C; i++) {
		struct ekka_matrix *const matrix = i == EKKA_MATMUL_A ? &g->a : i == EKKA_MATMUL_B ? &g->b : &g->c0;
		bool counts = i == EKKA_MATMUL_C ? g->has_c0 : g->has_product;

		if (r == 0 && !x->job.settled && counts)
			r = ekka_matmul_unpack(x, (enum ekka_matmul_matrix)i, matrix, err);
		if (r == 0 && !x->job.settled && counts)
			r = ekka_matmul_take_blocks(x, (enum ekka_matmul_matrix)i, matrix, err);
	}
	g->k = g->has_product ? g->a.cols : 0;
	return r;
}
