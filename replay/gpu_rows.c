/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Events that go row by row, on the device: their tensors are there already or are copied, one to three kernels go through all rows (gpu_rows.cuh and those beside
 * it), and what comes back is what their teams found.
 */
#include "replay/gpu.h"

/* Bytes of tensors below which the CPU is done sooner, and teams: a few go through long rows more slowly than the CPU. */
static const uint64_t PAYS = 64 << 10;
enum { FEW_TEAMS = 16 };

/* Of the kernel that has most; the parts of each output are for them, whichever kernel tells. */
static int64_t most_teams(const struct ekka_rows_work *w)
{
	int64_t most = 0;

	for (unsigned i = 0; i < w->n_steps; i++)
		most = w->step[i].teams > most ? w->step[i].teams : most;
	return most;
}

bool ekka_gpu_rows_pays(const struct ekka_rows_work *w)
{
	uint64_t bytes = 0;

	for (unsigned i = 0; i < w->n_in; i++)
		bytes += (uint64_t)w->in[i].from->n * ekka_dtype_bytes(w->in[i].from->dtype);
	for (unsigned i = 0; i < w->n_out; i++)
		bytes += (uint64_t)w->out[i].from->n * ekka_dtype_bytes(w->out[i].from->dtype);
	return bytes >= PAYS && most_teams(w) >= FEW_TEAMS;
}

static bool place(struct ekka_gpu *gpu, struct ekka_gpu_lane *l, const struct ekka_rows_work *w)
{
	int64_t n = most_teams(w) * EKKA_GPU_TEAM;

	for (unsigned i = 0; i < w->n_in; i++)
		if (!ekka_gpu_array(gpu, l, w->in[i].from, w->in[i].to))
			return false;
	for (unsigned i = 0; i < w->n_out; i++) {
		w->out[i].to->parts = ekka_gpu_parts(gpu, l, n);
		if (!w->out[i].to->parts || !ekka_gpu_array(gpu, l, w->out[i].from, &w->out[i].to->array))
			return false;
	}
	if (w->scratch_at)
		*w->scratch_at = l->memory;
	return true;
}

static bool compare(struct ekka_gpu *gpu, struct ekka_gpu_lane *l, const struct ekka_rows_work *w, struct ekka_elements_part *ret)
{
	static const enum ekka_gpu_kernel kernels[] = {
#define KERNEL(name) EKKA_GPU_##name,
		EKKA_ROWS_KERNELS(KERNEL)
#undef KERNEL
	};
	CUdeviceptr job = place(gpu, l, w) ? ekka_gpu_put(gpu, l, w->job, w->bytes) : 0;
	void *params[] = { &job };
	bool good = job != 0;

	for (unsigned i = 0; i < w->n_steps; i++)
		good = good && ekka_gpu_look(gpu, l, kernels[w->step[i].kernel], w->step[i].teams * EKKA_GPU_TEAM, params);
	for (unsigned i = 0; i < w->n_out; i++)
		good = good && ekka_gpu_found(gpu, l, w->out[i].to->parts, most_teams(w) * EKKA_GPU_TEAM, &ret[i]);
	return good;
}

bool ekka_gpu_rows(struct ekka_backend *base, const struct ekka_rows_work *w, struct ekka_elements_part *ret)
{
	struct ekka_gpu *gpu = (struct ekka_gpu *)base;
	struct ekka_gpu_lane *l = gpu->flags & EKKA_GPU_ALWAYS || ekka_gpu_rows_pays(w) ? ekka_gpu_take(gpu, w->scratch) : NULL;
	bool good = l && compare(gpu, l, w, ret);

	if (l) {
		good = ekka_gpu_finish(gpu, l) && good;		/* what is under way reads tensors that are about to be let go */
		ekka_gpu_give(gpu, l);
	}
	return good;
}
