/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "cupti/launch.h"

#include "cupti/graph.h"
#include "cupti/meaning.h"
#include "cupti/params.h"

#include "preload/conf.h"
#include "preload/count.h"
#include "preload/guard.h"
#include "preload/init.h"
#include "preload/resolve.h"
#include "preload/versions.h"

#include <string.h>

void ekka_launch_from_config(struct ekka_launch *launch, const CUlaunchConfig *c, bool per_thread)
{
	launch->config = c;
	if (!c)
		return;
	launch->grid[0] = c->gridDimX, launch->grid[1] = c->gridDimY, launch->grid[2] = c->gridDimZ;
	launch->block[0] = c->blockDimX, launch->block[1] = c->blockDimY, launch->block[2] = c->blockDimZ;
	launch->shared_bytes = c->sharedMemBytes;
	launch->stream = c->hStream || !per_thread ? c->hStream : CU_STREAM_PER_THREAD;
}

static void attr_dims(struct ekka_call *call, const char *const names[3], const unsigned dims[3])
{
	for (unsigned i = 0; i < 3; i++)
		ekka_attr_int(call, names[i], dims[i]);
}

/* What cuLaunchKernelEx was told beyond the configuration itself, as far as it changes what the kernel sees. */
static void describe_attributes(struct ekka_call *call, const CUlaunchConfig *c, bool *cooperative)
{
	static const char *const names[] = { "cluster_x", "cluster_y", "cluster_z" };

	for (unsigned i = 0; c && c->attrs && i < c->numAttrs; i++) {
		const CUlaunchAttributeValue *v = &c->attrs[i].value;

		if (c->attrs[i].id == CU_LAUNCH_ATTRIBUTE_CLUSTER_DIMENSION)
			attr_dims(call, names, (const unsigned[]){ v->clusterDim.x, v->clusterDim.y, v->clusterDim.z });
		else if (c->attrs[i].id == CU_LAUNCH_ATTRIBUTE_COOPERATIVE)
			*cooperative = v->cooperative != 0;
	}
}

static void describe(struct ekka_call *call, const struct ekka_launch *launch, const struct ekka_kernel_facts *kernel)
{
	static const char *const grid[] = { "grid_x", "grid_y", "grid_z" }, *const block[] = { "block_x", "block_y", "block_z" };
	bool cooperative = launch->cooperative;

	attr_dims(call, grid, launch->grid);
	attr_dims(call, block, launch->block);
	ekka_attr_int(call, "shared", launch->shared_bytes);
	describe_attributes(call, launch->config, &cooperative);
	if (cooperative)
		ekka_attr_int(call, "cooperative", 1);
	ekka_params_describe(call, kernel, launch->params, launch->extra);
}

/* Between the engine and a callback lie only we, CUPTI and the driver. */
static bool above_engine(const void *pc)
{
	const char *path = ekka_is_ours(pc) ? NULL : ekka_object_path(pc), *base;

	if (ekka_is_ours(pc))
		return true;
	base = path ? strrchr(path, '/') : NULL;
	base = base ? base + 1 : path;
	return base && (strncmp(base, "libcupti.", 9) == 0 || strncmp(base, "libcuda.", 8) == 0);
}

/* What the launch is, and with call->full what it means and which bytes it touches. */
static void tell(struct ekka_call *call, const struct ekka_cuda_driver *drv, const struct ekka_launch *launch,
		 const struct ekka_kernel_facts *kernel, struct ekka_slot_memory *slot)
{
	CUdevice device;
	bool captured;

	call->rec.stream = (uintptr_t)launch->stream;
	if (drv->p_cuCtxGetDevice(&device) == CUDA_SUCCESS)
		call->rec.device = device;
	describe(call, launch, kernel);
	captured = ekka_is_captured(drv, launch->stream);
	if (captured)
		ekka_attr_int(call, "captured", 1);
	if (!call->full)
		return;
	if (slot)
		ekka_meaning_tell(slot, launch, kernel, drv);
	else
		ekka_count_drop("launches at once", 1);
	for (unsigned i = 0; captured && i < call->rec.n_tensors; i++)
		call->tensors[i].pre = call->tensors[i].post = false;	/* it does not run now: there are no bytes to miss */
	call->full = call->rec.n_tensors > 0 && !captured;
}

struct ekka_launch_mark ekka_launch_record(const struct ekka_launch *launch)
{
	const struct ekka_cuda_driver *drv = ekka_self.inside ? NULL : ekka_cuda_driver();
	const struct ekka_kernel_facts *kernel = NULL;
	struct ekka_slot_memory *slot = NULL;
	struct ekka_launch_mark mark = { 0 };
	struct ekka_call here, *call = &here;	/* enough for a launch without bytes */

	if (!drv || ekka_left_out())
		return mark;
	ekka_self.inside = true;	/* the driver is ours for a moment */
	kernel = ekka_kernel_facts(drv, launch->f, launch->symbol);
	ekka_self.inside = false;
	if (!kernel) {
		ekka_versions_wrote_anything();
		return mark;
	}
	if (ekka_conf.level == EKKA_LEVEL_FULL && (slot = ekka_slot_take()))
		call = &slot->call;
	if (ekka_launch_enter(call, &kernel->kernel, __builtin_frame_address(0), launch->caller, above_engine)) {
		if (call->describe)
			tell(call, drv, launch, kernel, slot);
		mark = ekka_launch_begin(call);
	}
	if (slot && mark.event != 0 && call->full)
		slot->mark = mark;
	else if (slot)
		ekka_slot_give();
	return mark;
}

void ekka_launch_end(struct ekka_launch_mark mark, int64_t result)
{
	struct ekka_slot_memory *slot = ekka_slot_of(mark);

	ekka_launch_finish(slot ? &slot->call : NULL, mark, result);
	if (slot)
		ekka_slot_give();
}
