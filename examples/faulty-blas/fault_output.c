/* SPDX-License-Identifier: Apache-2.0 */
/* Faults of the store: parts of C not written, written over, or stale. */
#include "element.h"
#include "fault.h"

#include <math.h>
#include <stdlib.h>

static bool plain_output(const struct product *p)
{
	return forward(p) && (p->entry == GEMM || p->entry == GEMV);
}

/* Elements along C's lines: the direction that is contiguous in memory; a vector is one line. */
static bool lines_are_rows(const struct product *p)
{
	return p->entry == GEMM && p->row_major;
}

static long lines(const struct product *p)
{
	return lines_are_rows(p) ? p->m : p->n;
}

static long line_length(const struct product *p)
{
	return lines_are_rows(p) ? p->n : p->m;
}

static void set_in_line(const struct product *p, long line, long at, double v)
{
	set(p, &p->c, lines_are_rows(p) ? line : at, lines_are_rows(p) ? at : line, v);
}

static double get_in_line(const struct product *p, long line, long at)
{
	return get(p, &p->c, lines_are_rows(p) ? line : at, lines_are_rows(p) ? at : line);
}

enum { BLOCK = 64 };

/* deepseek-ai/DeepGEMM commit b0d6481: the last block of columns is stored whole, over the beginning of the next row. */
static bool spills(const struct product *p)
{
	long pad = BLOCK - line_length(p) % BLOCK;

	return plain_output(p) && p->entry == GEMM && lines(p) > 1 && pad < BLOCK && pad > p->ldc - line_length(p);
}

static void run_next_row(const struct product *p)
{
	long gap = p->ldc - line_length(p), spilt = BLOCK - line_length(p) % BLOCK - gap;

	p->run(p);
	if (spilt > line_length(p))
		spilt = line_length(p);
	for (long line = 1; line < lines(p); line++)
		for (long at = 0; at < spilt; at++)
			set_in_line(p, line, at, 0);
}

/* vllm-project/vllm#49087: length / block blocks, rounded down; what the tail held stays. */
static bool has_tail(const struct product *p)
{
	return plain_output(p) && line_length(p) % 32;
}

static void run_tail_unwritten(const struct product *p)
{
	long length = line_length(p), tail = length % 32;
	double *old = malloc(lines(p) * tail * sizeof *old);

	for (long line = 0; old && line < lines(p); line++)
		for (long i = 0; i < tail; i++)
			old[line * tail + i] = get_in_line(p, line, length - tail + i);
	p->run(p);
	for (long line = 0; old && line < lines(p); line++)
		for (long i = 0; i < tail; i++)
			set_in_line(p, line, length - tail + i, old[line * tail + i]);
	free(old);
}

/* flashinfer-ai/flashinfer#1206: the last tile takes lanes past the end from stale memory, which may hold NaN. */
static void run_nan_tile(const struct product *p)
{
	p->run(p);
	for (long i = (p->m - 1) / 16 * 16; i < p->m; i++)
		for (long j = (p->n - 1) / 16 * 16; j < p->n; j++)
			set(p, &p->c, i, j, NAN);
}

const struct fault fault_next_row = { "next-row", spills, run_next_row, NULL };
const struct fault fault_tail_unwritten = { "tail-unwritten", has_tail, run_tail_unwritten, NULL };
const struct fault fault_nan_tile = { "nan-tile", plain_output, run_nan_tile, NULL };
