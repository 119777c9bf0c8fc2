/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "cupti/memory.h"

#include "cupti/alloc.h"
#include "cupti/graph.h"
#include "cupti/uploads.h"

#include "preload/conf.h"
#include "preload/cuda.h"
#include "preload/cuda_driver.h"
#include "preload/guard.h"
#include "preload/init.h"
#include "preload/versions.h"

#include <errno.h>
#include <string.h>

bool ekka_memory_on(void)
{
	if (ekka_conf.launches == EKKA_LAUNCHES_OFF || atomic_load_explicit(&ekka_state, memory_order_relaxed) != EKKA_STATE_ON || ekka_self.inside)
		return false;
	if (ekka_in_child()) {
		int saved = errno;
		ekka_self.inside = true;
		ekka_child_start();
		ekka_self.inside = false;
		errno = saved;
	}
	return true;
}

bool ekka_memory_make_room(void)
{
	int saved = errno;
	bool ok;

	if (!ekka_memory_on())
		return false;
	ekka_self.inside = true;
	ok = ekka_cuda_make_room();
	ekka_self.inside = false;
	errno = saved;
	return ok;
}

void ekka_memory_context_ends(CUcontext ctx, int device)
{
	int saved = errno, state = atomic_load(&ekka_state);

	if ((state != EKKA_STATE_ON && state != EKKA_STATE_ENDED) || ekka_self.inside || ekka_in_child())
		return;
	ekka_self.inside = true;
	ekka_cuda_context_ends(ctx, device);
	ekka_self.inside = false;
	errno = saved;
}

static bool is_wanted(struct ekka_driver_fn *fn)
{
	uint8_t wanted = atomic_load_explicit(&fn->wanted, memory_order_relaxed);

	if (wanted == 0) {
		wanted = ekka_conf_wants(&ekka_conf, fn->fn.name) ? 1 : 2;
		atomic_store_explicit(&fn->wanted, wanted, memory_order_relaxed);
	}
	return wanted == 1;
}

bool ekka_memory_enter(struct ekka_call *call, struct ekka_driver_fn *fn, const void *caller)
{
	if ((fn->fn.aside && !ekka_conf.lineage) || !ekka_memory_on() || ekka_left_out())
		return false;
	if (!is_wanted(fn)) {
		ekka_versions_wrote_anything();
		return false;
	}
	return ekka_driver_enter(call, &fn->fn, caller);
}

void ekka_memory_tell(struct ekka_call *call, CUstream stream, const struct ekka_value *args, unsigned n_args)
{
	const struct ekka_cuda_driver *drv = ekka_cuda_driver();
	CUdevice device;

	call->rec.stream = (uintptr_t)stream;
	if (drv && drv->p_cuCtxGetDevice(&device) == CUDA_SUCCESS)
		call->rec.device = device;
	if (drv && ekka_is_captured(drv, stream))
		ekka_attr_int(call, "captured", 1);
	if (n_args > 0)
		memcpy(call->args, args, n_args * sizeof(*args));
	call->rec.n_args = n_args;
}

enum ekka_place ekka_memory_place(uint64_t addr)
{
	uint64_t start, bytes;

	return ekka_alloc_range(addr, &start, &bytes) ? EKKA_DEVICE : EKKA_HOST;
}

void ekka_memory_tensor(struct ekka_call *call, const char *name, enum ekka_dir dir, enum ekka_place place, uint64_t addr,
			struct ekka_box box)
{
	const int64_t dim[] = { (int64_t)box.depth, (int64_t)box.rows, (int64_t)box.bytes };
	const int64_t stride[] = { (int64_t)box.slice, (int64_t)box.pitch, 1 };
	unsigned skip = box.depth > 1 ? 0 : box.rows > 1 ? 1 : 2;
	struct ekka_tensor t = { .name = name, .dir = dir, .dtype = EKKA_U8, .place = place, .n_dims = 3 - skip, .addr = addr, .alias_of = -1 };

	if (addr == 0 || box.depth == 0 || box.rows == 0)
		return;
	memcpy(t.dim, dim + skip, t.n_dims * sizeof(t.dim[0]));
	memcpy(t.stride, stride + skip, t.n_dims * sizeof(t.stride[0]));
	if (ekka_tensor(call, &t) >= 0 && place == EKKA_DEVICE && (dir & EKKA_OUT))
		ekka_uploads_wrote(addr, call->tensors[call->rec.n_tensors - 1].span_bytes);
}

void ekka_memory_attr(struct ekka_call *call, const char *name, const void *handle)
{
	if (call->rec.n_attrs < EKKA_MAX_ATTRS)
		call->attrs[call->rec.n_attrs++] = (struct ekka_attr){ name, { .kind = EKKA_V_PTR, .u = (uintptr_t)handle } };
}
