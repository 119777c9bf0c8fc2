/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Factors of blocks of an operand, and operands of four bits, of op matmul. Factors are multiplied in exactly, as the operand is loaded.
 *
 * 128 elements along k, or 128 x 128: f32, a matrix of its own (spec/README.md).
 *
 * 32 elements along k (UE8M0) or 16 (UE4M3): bytes, in tiles of 128 lines by 4 blocks, that of line i and block j of a tile at i % 32 * 16 + i / 32 * 4 + j; tiles of
 * the same lines one behind another, then those of the next 128 (NVIDIA, cuBLAS library, "1D Block Scaling Factors Layout"). UE8M0 is 2^(b - 127), 255 NaN;
 * UE4M3 is e4m3 without its sign (OCP Microscaling Formats 1.0, section 5.4).
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

/* f32 factors of an operand with `along` elements of k and `line` lines each. */
static int take_f32(struct ekka_matmul *x, int index, struct ekka_matrix *operand, double **all, struct ekka_error *err)
{
	struct ekka_matrix m = { 0 };
	struct ekka_panel p = { 0 };
	int r = ekka_job_matrix(&x->job, index, EKKA_PRE, EKKA_SLOT_AUX, &m, err);

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

/* Factors that are bytes in tiles, as a matrix [lines, blocks]. */
static int take_tiles(struct ekka_matmul *x, int index, bool of_a, int64_t mode, struct ekka_matrix *operand, double **all, struct ekka_error *err)
{
	int64_t lines = of_a ? operand->rows : operand->cols, blocks = ((of_a ? operand->cols : operand->rows) - 1) / ekka_matmul_block(mode) + 1;
	int64_t across = (blocks + TILE_BLOCKS - 1) / TILE_BLOCKS, n = (lines + TILE_LINES - 1) / TILE_LINES * across * TILE_BYTES;
	const struct ekka_tensor *t = &x->job.event->call.tensors[index];
	double *bytes = NULL;
	int r;

	if (t->dtype != EKKA_U8 || t->n_dims != 2 || t->dim[0] != n) {
		ekka_job_settle(&x->job, EKKA_INCOMPLETE, "there are fewer block scales than blocks");
		return 0;
	}
	r = ekka_matmul_take_vector(x, index, n, &bytes, err);
	if (r < 0 || x->job.settled)
		return r;
	*all = malloc((size_t)(lines * blocks) * sizeof **all);
	for (int64_t i = 0; *all && i < lines; i++)
		for (int64_t j = 0; j < blocks; j++) {
			int64_t tile = i / TILE_LINES * across + j / TILE_BLOCKS, line = i % TILE_LINES;

			(*all)[i * blocks + j] = factor(mode, (unsigned)bytes[tile * TILE_BYTES + line % 32 * 16 + line / 32 * TILE_BLOCKS + j % TILE_BLOCKS]);
		}
	free(bytes);
	operand->scale = *all;
	operand->scale_rs = of_a ? blocks : 1;
	operand->scale_cs = of_a ? 1 : blocks;
	return *all ? 0 : ekka_error_set(err, EKKA_ERR_NOMEM, "no memory for block scales");
}

int ekka_matmul_take_blocks(struct ekka_matmul *x, bool of_a, struct ekka_matrix *operand, struct ekka_error *err)
{
	double **all = &x->vector[of_a ? EKKA_MATMUL_BLOCKS_A : EKKA_MATMUL_BLOCKS_B];
	int64_t mode = ekka_job_attr(x->job.event, ekka_matmul_scale_modes[of_a ? 0 : 1], EKKA_SCALE_SCALAR), line = mode == EKKA_SCALE_BLK128 ? SQUARE : 1;
	int index = ekka_matmul_tensor(x, of_a ? "scaleA" : "scaleB");

	if (ekka_matmul_block(mode) == 0)
		return 0;
	operand->scale_rows = of_a ? line : ekka_matmul_block(mode);
	operand->scale_cols = of_a ? ekka_matmul_block(mode) : line;
	if (index < 0 || !is_fp8(operand->dtype) || operand->batch != 1) {
		ekka_job_settle(&x->job, EKKA_UNSUPPORTED, "no reference for block scales but of single products of fp8 and fp4");
		return 0;
	}
	return ekka_matmul_block(mode) == SQUARE ? take_f32(x, index, operand, all, err) : take_tiles(x, index, of_a, mode, operand, all, err);
}

int ekka_matmul_unpack(struct ekka_matmul *x, bool of_a, struct ekka_matrix *operand, struct ekka_error *err)
{
	static const unsigned char codes[] = { 0x00, 0x30, 0x38, 0x3c, 0x40, 0x44, 0x48, 0x4c };	/* e4m3 */
	const struct ekka_value *type = ekka_event_attr(x->job.event, of_a ? "A_packed" : "B_packed");
	int64_t lines = of_a ? operand->rows : operand->cols, n = of_a ? operand->cols : operand->rows, step = of_a ? operand->rs : operand->cs;
	unsigned char *to;

	if (!type)
		return 0;
	if (type->kind != EKKA_V_STR || strcmp(type->s, "e2m1") != 0 || operand->dtype != EKKA_U8 || operand->batch != 1 || (of_a ? operand->cs : operand->rs) != 1 ||
	    !operand->bytes) {
		ekka_job_settle(&x->job, EKKA_UNSUPPORTED, "no reference for packed operands but of single products of e2m1 in memory");
		return 0;
	}
	to = x->unpacked[of_a ? 0 : 1] = malloc((size_t)(lines * n) * 2);
	if (!to)
		return ekka_error_set(err, EKKA_ERR_NOMEM, "no memory for %lld numbers of four bits", (long long)(lines * n * 2));
	for (int64_t i = 0; i < lines; i++)
		for (int64_t j = 0; j < 2 * n; j++) {
			unsigned half = operand->bytes[operand->offset + i * step + j / 2] >> j % 2 * 4 & 15;

			*to++ = (unsigned char)((half & 8) << 4 | codes[half & 7]);
		}
	*operand = (struct ekka_matrix){ .dtype = EKKA_E4M3, .batch = 1, .rows = of_a ? lines : 2 * n, .cols = of_a ? 2 * n : lines, .rs = of_a ? 2 * n : 1,
					 .cs = of_a ? 1 : 2 * n, .n_bytes = (uint64_t)(lines * n * 2), .bytes = x->unpacked[of_a ? 0 : 1] };
	return 0;
}
