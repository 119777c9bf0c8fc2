/* SPDX-License-Identifier: Apache-2.0 */
/* Op quantize on a device: all of it but explaining what is wrong, and tensors with NaN whose scales were found. */
#include "replay/op_quantize.h"
#include "replay/rows_device.h"

/* Teams that keep a device busy, and elements that are worth one. */
enum { TEAMS = 4096, PIECE = 2048 };

static int64_t least(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

/* Two kernels before: each block's extremes, then its scale. */
static void find_scales(const struct ekka_quantize *q, struct ekka_quantize_job *job, struct ekka_rows_work *w)
{
	int64_t n = job->block_rows * job->block, blocks = q->r * q->g, wanted = blocks < TEAMS ? TEAMS / blocks : 1, worth = n / PIECE;
	int64_t pieces = least(wanted, worth);

	job->piece = pieces > 1 ? (n + pieces - 1) / pieces : n;
	job->pieces = (n + job->piece - 1) / job->piece;
	w->step[w->n_steps].kernel = EKKA_ROWS_quantize_extremes;
	w->step[w->n_steps++].teams = blocks * job->pieces;
	w->step[w->n_steps].kernel = EKKA_ROWS_quantize_scales;
	w->step[w->n_steps++].teams = blocks;
	w->scratch = (uint64_t)(blocks * job->pieces) * sizeof(struct ekka_quantize_extremes);
	w->scratch_at = &job->found;
}

bool ekka_quantize_device(struct ekka_rows *r, const struct ekka_quantize *q, const struct ekka_array *scale, const struct ekka_array *zero,
			  const struct ekka_array *scale_out, const struct ekka_array *zero_out, const struct ekka_scaling *how)
{
	struct ekka_quantize_job job = { .rows = q->rows, .n = q->n, .r = q->r, .g = q->g, .block_rows = least(q->block_rows, q->rows), .block = least(q->block, q->n), .range = q->range,
					 .how = *how, .u = q->u, .inverse = q->inverse };
	struct ekka_rows_work w = { .job = &job, .bytes = sizeof job };

	ekka_rows_work_in(&w, q->x, &job.x);
	ekka_rows_work_in(&w, scale, &job.scale);
	ekka_rows_work_in(&w, zero, &job.zero);
	ekka_rows_work_out(&w, q->y, &job.y);
	ekka_rows_work_out(&w, scale_out, &job.scale_out);
	ekka_rows_work_out(&w, zero_out, &job.zero_out);
	if (scale_out)
		find_scales(q, &job, &w);
	w.step[w.n_steps].kernel = EKKA_ROWS_quantize;
	w.step[w.n_steps++].teams = ekka_rows_teams(q->x->n);
	return ekka_rows_on_device(r, &w);
}
