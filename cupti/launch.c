/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "cupti/launch.h"

#include "cupti/params.h"

#include "preload/guard.h"
#include "preload/init.h"
#include "preload/resolve.h"

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

struct ekka_launch_mark ekka_launch_record(const struct ekka_launch *launch)
{
	const struct ekka_launch_mark none = { 0 };
	const struct ekka_cuda_driver *drv = ekka_self.inside ? NULL : ekka_cuda_driver();
	const struct ekka_kernel_facts *kernel = NULL;
	struct ekka_call call;
	CUdevice device;

	if (!drv)
		return none;
	ekka_self.inside = true;	/* the driver is ours for a moment */
	kernel = ekka_kernel_facts(drv, launch->f, launch->symbol);
	ekka_self.inside = false;
	if (!kernel || !ekka_launch_enter(&call, &kernel->kernel, launch->caller, above_engine))
		return none;
	if (call.describe) {
		call.rec.stream = (uintptr_t)launch->stream;
		if (drv->p_cuCtxGetDevice(&device) == CUDA_SUCCESS)
			call.rec.device = device;
		describe(&call, launch, kernel);
	}
	return ekka_launch_begin(&call);
}
