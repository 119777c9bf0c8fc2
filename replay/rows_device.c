/* SPDX-License-Identifier: Apache-2.0 */
#include "replay/rows_device.h"

#include "compare/format.h"
#include "replay/backend.h"

void ekka_rows_work_in(struct ekka_rows_work *w, const struct ekka_array *a, struct ekka_gpu_array *to)
{
	if (!a)
		return;
	w->in[w->n_in].from = a;
	w->in[w->n_in++].to = to;
}

void ekka_rows_work_out(struct ekka_rows_work *w, const struct ekka_array *a, struct ekka_rows_output *to)
{
	if (!a)
		return;
	to->format = ekka_format_of(a->dtype);
	w->out[w->n_out].from = a;
	w->out[w->n_out++].to = to;
}

int64_t ekka_rows_teams(int64_t n)
{
	return n / EKKA_GPU_TEAM + (n % EKKA_GPU_TEAM > 0);
}

bool ekka_rows_on_device(struct ekka_rows *r, struct ekka_rows_work *w)
{
	struct ekka_elements_part part[EKKA_ROWS_TENSORS];
	struct ekka_backend *b = r->ctx->backend;

	if (!b || !b->rows || !b->rows(b, w, part))
		return false;
	for (unsigned i = 0; i < w->n_out; i++)
		if (part[i].n_bad || part[i].n != (uint64_t)w->out[i].from->n)
			return false;
	for (unsigned i = 0; i < w->n_out; i++)
		(void)ekka_elements_take(r->elements, w->out[i].from->tensor, &part[i]);
	return true;
}
