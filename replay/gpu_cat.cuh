/* SPDX-License-Identifier: Apache-2.0 */
/* Op cat: every element of the output against the one of the input that belongs there, as bits. */
#include "replay/gpu_device.cuh"
#include "replay/rows_job.h"

EKKA_KERNEL ekka_gpu_cat(const struct ekka_cat_job *j)
{
	struct ekka_gpu_part p = nothing_found();

	FOR_EACH(e, j->out.array.n) {
		i64 line = quotient(e, j->inner), outer = quotient(line, j->length), along = line - outer * j->length;
		int i = 0;

		while (i + 1 < j->n_parts && (along < j->part[i].at || along >= j->part[i].at + j->part[i].length))
			i++;
		note_int(&p, e, array_int(&j->out.array, e),
			 array_int(&j->part[i].array, (outer * j->part[i].length + along - j->part[i].at) * j->inner + (e - line * j->inner)));
	}
	tell((struct ekka_gpu_part *)(size_t)j->out.parts, p);
}
