/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Factors of blocks of a matrix, and matrices of four bits, of op matmul. An input's factors are multiplied in exactly, as it is loaded.
 *
 * 128 elements along k, or 128 x 128: f32, a matrix of its own (spec/README.md).
 *
 * 32 elements along k (UE8M0) or 16 (UE4M3), of C and D along m: bytes, in tiles of 128 lines by 4 blocks, that of line i and block j of a tile at
 * i % 32 * 16 + i / 32 * 4 + j; tiles of the same lines one behind another, then those of the next 128 (NVIDIA, cuBLAS library, "1D Block Scaling
 * Factors Layout"). UE8M0 is 2^(b - 127), 255 NaN; UE4M3 is e4m3 without its sign (OCP Microscaling Formats 1.0, section 5.4).
 *
 * Where the factors of a batch's second item lie is not documented; whole tiles, or whole matrices, one behind another are assumed, as CUTLASS has them. An item
 * behind the first that is wrong by that is no proof (op_matmul.c).
 *
 * E2M1: 0, 0.5, 1, 1.5, 2, 3, 4, 6 and their negatives (the same, section 5.3.3), two in a byte, the first in the lower half. All of them are e4m3 numbers,
 * and they are taken as such.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "replay/blobs.h"
#include "replay/convert.h"
#include "replay/matmul.h"

enum { SQUARE = 128, TILE_LINES = 128, TILE_BLOCKS = 4, TILE_BYTES = TILE_LINES * TILE_BLOCKS };

int64_t ekka_matmul_block(int64_t mode)
{
	return mode == EKKA_SCALE_VEC16_UE4M3 ? 16 : mode == EKKA_SCALE_VEC32_UE8M0 ? 32 : mode == EKKA_SCALE_VEC128 || mode == EKKA_SCALE_BLK128 ? SQUARE : 0;
}

static bool is_fp8(enum ekka_dtype t)
{
	return t == EKKA_E4M3 || t == EKKA_E5M2;
}

/* f32 factors of an operand. */
static int take_f32(struct ekka_matmul *x, int index, struct ekka_matrix *operand, double **all, struct ekka_error *err)
{
	struct ekka_matrix m = { 0 };
	struct ekka_panel p = { 0 };
	int r = ekka_job_matrix(&x->job, index, EKKA_PRE, EKKA_SLOT_AUX, &m, err);

	if (r == 0 && !x->job.settled &&
	    ((operand->rows - 1) / operand->scale_rows >= m.rows || (operand->cols - 1) / operand->scale_cols >= m.cols || m.batch != operand->batch))
		ekka_job_settle(&x->job, EKKA_INCOMPLETE, "there are fewer block scales than blocks");
	if (r == 0 && !x->job.settled) {
		*all = malloc((size_t)(m.batch * m.rows * m.cols) * sizeof **all);
		r = *all ? 0 : ekka_error_set(err, EKKA_ERR_NOMEM, "no memory for block scales");
	}
	for (int64_t b = 0; r == 0 && !x->job.settled && b < m.batch; b++) {
		p.re = *all + b * m.rows * m.cols;
		r = ekka_matrix_load(&m, b, 0, m.rows, 0, m.cols, &p, err);
	}
	operand->scale = *all;
	operand->scale_bs = m.rows * m.cols;
	operand->scale_rs = p.rs;
	operand->scale_cs = p.cs;
	ekka_matrix_release(&m);
	ekka_blobs_let_go(x->job.loaded[EKKA_SLOT_AUX]);
	x->job.loaded[EKKA_SLOT_AUX] = NULL;
	return r;
}

static double factor(int64_t mode, unsigned byte)
{
	unsigned char code = byte & 0x7f;
	double v;

	if (mode == EKKA_SCALE_VEC32_UE8M0)
		return byte == 255 ? NAN : ldexp(1, (int)byte - 127);
	ekka_convert(EKKA_E4M3, &code, 1, 1, &v, NULL);
	return v;
}

int ekka_matmul_take_tiles(struct ekka_matmul *x, int index, enum ekka_phase phase, int64_t mode, int64_t lines, int64_t blocks, double **ret,
			   struct ekka_error *err)
{
	int64_t across = (blocks + TILE_BLOCKS - 1) / TILE_BLOCKS, n = (lines + TILE_LINES - 1) / TILE_LINES * across * TILE_BYTES, batch = x->job.gemm.batch;
	const struct ekka_tensor *t = &x->job.event->call.tensors[index];
	bool batched = t->n_dims == 3;
	double *bytes = NULL;
	int r;

	if (t->dtype != EKKA_U8 || (t->n_dims != 2 && !batched) || t->dim[batched] != n || t->dim[batched + 1] != 1 || (batched ? t->dim[0] : 1) != batch) {
		ekka_job_settle(&x->job, EKKA_INCOMPLETE, "there are fewer block scales than blocks");
		return 0;
	}
	r = ekka_matmul_take_vector(x, index, phase, batch * n, &bytes, err);
	if (r < 0 || x->job.settled)
		return r;
	*ret = malloc((size_t)(batch * lines * blocks) * sizeof **ret);
	for (int64_t at = 0; *ret && at < batch * lines * blocks; at++) {
		int64_t j = at % blocks, i = at / blocks % lines, tile = i / TILE_LINES * across + j / TILE_BLOCKS, line = i % TILE_LINES;
		const double *item = bytes + at / (lines * blocks) * n;

		(*ret)[at] = factor(mode, (unsigned)item[tile * TILE_BYTES + line % 32 * 16 + line / 32 * TILE_BLOCKS + j % TILE_BLOCKS]);
	}
	free(bytes);
	return *ret ? 0 : ekka_error_set(err, EKKA_ERR_NOMEM, "no memory for block scales");
}

static int64_t scale_mode(const struct ekka_matmul *x, enum ekka_matmul_matrix which)
{
	return ekka_job_attr(x->job.event, ekka_matmul_scale_modes[which], EKKA_SCALE_SCALAR);
}

/* Byte factors of a matrix with blocks along its columns (A), or its rows. */
static int take_bytes(struct ekka_matmul *x, int index, bool of_a, int64_t mode, struct ekka_matrix *m, double **all, struct ekka_error *err)
{
	int64_t lines = of_a ? m->rows : m->cols, blocks = ((of_a ? m->cols : m->rows) - 1) / ekka_matmul_block(mode) + 1;
	int r = ekka_matmul_take_tiles(x, index, EKKA_PRE, mode, lines, blocks, all, err);

	m->scale = *all;
	m->scale_bs = lines * blocks;
	m->scale_rs = of_a ? blocks : 1;
	m->scale_cs = of_a ? 1 : blocks;
	return r;
}

int ekka_matmul_take_blocks(struct ekka_matmul *x, enum ekka_matmul_matrix which, struct ekka_matrix *m, struct ekka_error *err)
{
	static const char *const names[] = { "scaleA", "scaleB", "scaleC" };
	double **all = &x->vector[EKKA_MATMUL_BLOCKS_A + which];
	int64_t mode = scale_mode(x, which), line = mode == EKKA_SCALE_BLK128 ? SQUARE : 1;
	int index = ekka_matmul_tensor(x, names[which]);
	bool of_a = which == EKKA_MATMUL_A;

	if (ekka_matmul_block(mode) == 0)
		return 0;
	m->scale_rows = of_a ? line : ekka_matmul_block(mode);
	m->scale_cols = of_a ? ekka_matmul_block(mode) : line;
	if (index < 0 || !is_fp8(m->dtype) || m->batch != x->job.gemm.batch || (which == EKKA_MATMUL_C && m->rows > 1 && m->rs != 1)) {
		ekka_job_settle(&x->job, EKKA_UNSUPPORTED, "no reference for block scales but of fp8 and fp4");
		return 0;
	}
	return ekka_matmul_block(mode) == SQUARE ? take_f32(x, index, m, all, err) : take_bytes(x, index, of_a, mode, m, all, err);
}

bool ekka_matmul_assumes_places(const struct ekka_matmul *x)
{
	bool blocks = ekka_matmul_quantizes(x);

	for (unsigned i = EKKA_MATMUL_A; i <= EKKA_MATMUL_C; i++)
		blocks |= ekka_matmul_block(scale_mode(x, (enum ekka_matmul_matrix)i)) != 0;
	return blocks && x->job.gemm.batch > 1;
}

/* Two numbers of every byte of a line of n bytes. */
static unsigned char *unpack_line(const unsigned char *from, int64_t n, unsigned char *to)
{
	static const unsigned char codes[] = { 0x00, 0x30, 0x38, 0x3c, 0x40, 0x44, 0x48, 0x4c };	/* e4m3 */

	for (int64_t j = 0; j < 2 * n; j++) {
		unsigned half = from[j / 2] >> j % 2 * 4 & 15;

		*to++ = (unsigned char)((half & 8) << 4 | codes[half & 7]);
	}
	return to;
}

int ekka_matmul_unpack(struct ekka_matmul *x, enum ekka_matmul_matrix which, struct ekka_matrix *m, struct ekka_error *err)
{
	static const char *const names[] = { "A_packed", "B_packed", "C_packed", "D_packed" };
	const struct ekka_value *type = ekka_event_attr(x->job.event, names[which]);
	bool of_a = which == EKKA_MATMUL_A;
	int64_t lines = of_a ? m->rows : m->cols, n = of_a ? m->cols : m->rows, step = of_a ? m->rs : m->cs, along = of_a ? m->cs : m->rs;
	unsigned char *to;

	if (!type)
		return 0;
	if (type->kind != EKKA_V_STR || strcmp(type->s, "e2m1") != 0 || m->dtype != EKKA_U8 || (n > 1 && along != 1) || !m->bytes || m->item_bytes) {
		ekka_job_settle(&x->job, EKKA_UNSUPPORTED, "no reference for packed matrices but of e2m1 in memory");
		return 0;
	}
	to = x->unpacked[which] = malloc((size_t)(m->batch * lines * n) * 2);
	if (!to)
		return ekka_error_set(err, EKKA_ERR_NOMEM, "no memory for %lld numbers of four bits", (long long)(m->batch * lines * n * 2));
	for (int64_t i = 0; i < m->batch * lines; i++)
		to = unpack_line(m->bytes + m->offset + i / lines * m->bs + i % lines * step, n, to);
	*m = (struct ekka_matrix){ .dtype = EKKA_E4M3, .batch = m->batch, .bs = m->batch > 1 ? lines * 2 * n : 0, .rows = of_a ? lines : 2 * n,
				   .cols = of_a ? 2 * n : lines, .rs = of_a ? 2 * n : 1, .cs = of_a ? 1 : 2 * n,
				   .n_bytes = (uint64_t)(m->batch * lines * n * 2), .bytes = x->unpacked[which] };
	return 0;
}
