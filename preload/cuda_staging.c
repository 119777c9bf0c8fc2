/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "preload/cuda_staging.h"

#include "preload/conf.h"
#include "preload/cuda.h"
#include "preload/lock.h"
#include "preload/say.h"

enum {
	STAGING_MIN = 16 << 20,		/* bytes; below this staging is not worth having */
	GROW_SHARE = 4,			/* of the free memory, a quarter at most is taken again */
	QUIET_MS = 10000, QUIET_MAX_MS = 600000,
};
static const uint64_t default_max = 1ull << 30; /* bytes */
static const uint64_t ms_ns = 1000000;
unsigned ekka_cuda_staging_quiet_ms = QUIET_MS;

/* ---- getting it ------------------------------------------------------- */

static CUmemAllocationProp properties(const struct ekka_cuda_context *c)
{
	return (CUmemAllocationProp){ .type = CU_MEM_ALLOCATION_TYPE_PINNED,
				      .location = { .type = CU_MEM_LOCATION_TYPE_DEVICE, .id = c->device } };
}

/* What sizes of mapped memory are multiples of; 0: it cannot be had. */
static uint64_t granularity(const struct ekka_cuda_driver *drv, const struct ekka_cuda_context *c)
{
	CUmemAllocationProp prop = properties(c);
	size_t grain = 0;

	if (!drv->p_cuMemGetAllocationGranularity || !drv->p_cuMemCreate || !drv->p_cuMemRelease || !drv->p_cuMemAddressReserve ||
	    !drv->p_cuMemAddressFree || !drv->p_cuMemMap || !drv->p_cuMemSetAccess || !drv->p_cuMemUnmap ||
	    drv->p_cuMemGetAllocationGranularity(&grain, &prop, CU_MEM_ALLOC_GRANULARITY_MINIMUM) != CUDA_SUCCESS)
		return 0;
	return grain;
}

struct slab { CUdeviceptr p; uint64_t bytes; };

/* The mapping alone keeps the memory. */
static CUresult map(const struct ekka_cuda_driver *drv, const struct ekka_cuda_context *c, uint64_t bytes, struct slab *ret)
{
	CUmemAllocationProp prop = properties(c);
	CUmemAccessDesc access = { .location = prop.location, .flags = CU_MEM_ACCESS_FLAGS_PROT_READWRITE };
	CUmemGenericAllocationHandle handle;
	CUdeviceptr p = 0;
	CUresult res;

	CU_GOTO(cuMemAddressReserve(&p, bytes, 0, 0, 0), out);
	CU_GOTO(cuMemCreate(&handle, bytes, &prop, 0), unreserve);
	CU_GOTO(cuMemMap(p, bytes, 0, handle, 0), release);
	CU_GOTO(cuMemSetAccess(p, bytes, &access, 1), unmap);
	(void)drv->p_cuMemRelease(handle);
	*ret = (struct slab){ p, bytes };
	return CUDA_SUCCESS;
unmap:
	(void)drv->p_cuMemUnmap(p, bytes);
release:
	(void)drv->p_cuMemRelease(handle);
unreserve:
	(void)drv->p_cuMemAddressFree(p, bytes);
out:
	return res;
}

/* Never more than `bytes`; returns how much. */
static uint64_t get(const struct ekka_cuda_driver *drv, struct ekka_cuda_context *c, uint64_t grain, uint64_t bytes)
{
	uint64_t whole = grain ? bytes / grain * grain : 0;
	struct slab s = { 0 };
	CUresult res = whole ? map(drv, c, whole, &s) : CUDA_ERROR_NOT_SUPPORTED;

	if (res == CUDA_SUCCESS) {
		c->staging = s.p;
		c->staging_mapped = s.bytes;
		return whole;
	}
	if (res == CUDA_ERROR_OUT_OF_MEMORY || drv->p_cuMemAlloc(&c->staging, bytes) != CUDA_SUCCESS) {
		c->staging = 0;
		return 0;
	}
	return bytes;
}

/* What is allowed; where the user says nothing by what is free. */
static uint64_t cap(const struct ekka_cuda_driver *drv, uint64_t *ret_free)
{
	size_t free_bytes = 0, total_bytes = 0;
	uint64_t share;

	if (drv->p_cuMemGetInfo(&free_bytes, &total_bytes) != CUDA_SUCCESS)
		free_bytes = 0;
	*ret_free = free_bytes;
	share = free_bytes / 16 < default_max ? free_bytes / 16 : default_max;
	return ekka_conf.cuda_staging ? ekka_conf.cuda_staging : share;
}

void ekka_cuda_staging_new(const struct ekka_cuda_driver *drv, struct ekka_cuda_context *c)
{
	uint64_t free_bytes, bytes = cap(drv, &free_bytes), grain = granularity(drv, c), got = 0;

	c->staging_quiet_ms = ekka_cuda_staging_quiet_ms;
	c->staging_quiet_until = ekka_now_ns() + c->staging_quiet_ms * ms_ns;
	while (bytes > 0 && (got = get(drv, c, grain, bytes)) == 0)
		bytes = bytes / 2 >= STAGING_MIN ? bytes / 2 : 0;
	if (got > 0)
		ekka_ring_init(&c->staging_ring, got);
}

/* ---- getting it again ------------------------------------------------- */

void ekka_cuda_staging_grow(const struct ekka_cuda_driver *drv, struct ekka_cuda_context *c)
{
	uint64_t free_bytes, bytes, grain;
	struct slab s = { 0 };
	bool due;

	pthread_mutex_lock(&ekka_cuda_lock);
	due = c->staging == 0 && !c->off && ekka_now_ns() >= c->staging_quiet_until;
	pthread_mutex_unlock(&ekka_cuda_lock);
	if (!due)
		return;
	grain = granularity(drv, c);
	bytes = cap(drv, &free_bytes);
	if (bytes > free_bytes / GROW_SHARE)
		bytes = free_bytes / GROW_SHARE;
	if (grain == 0 || bytes < grain || map(drv, c, bytes / grain * grain, &s) != CUDA_SUCCESS)
		s = (struct slab){ 0 };
	pthread_mutex_lock(&ekka_cuda_lock);
	c->staging_quiet_until = ekka_now_ns() + c->staging_quiet_ms * ms_ns;
	if (s.bytes > 0) {
		ekka_ring_init(&c->staging_ring, s.bytes);
		c->staging = s.p;
		c->staging_mapped = s.bytes;
		c->staging_wanted = false;
	}
	pthread_mutex_unlock(&ekka_cuda_lock);
}

/* ---- ranges ----------------------------------------------------------- */

static bool is_usable(const struct ekka_cuda_context *c)
{
	return c->staging != 0 && !c->staging_wanted;
}

bool ekka_cuda_staging_take(struct ekka_cuda_context *c, struct ekka_cuda_copy *copy)
{
	uint64_t offset = 0;

	copy->staging_slot = is_usable(c) ? ekka_ring_take(&c->staging_ring, copy->bytes, &offset) : -1;
	if (copy->staging_slot < 0)
		return false;
	copy->staged = c->staging + offset;
	copy->older = c->youngest;
	if (c->youngest)
		c->youngest->younger = copy;
	c->youngest = copy;
	return true;
}

bool ekka_cuda_staging_could_fit(const struct ekka_cuda_context *c, uint64_t bytes)
{
	return is_usable(c) && ekka_ring_could_fit(&c->staging_ring, bytes);
}

/* ---- giving it back --------------------------------------------------- */

/* Takes the slab off the context; nobody has a range in it or ever will. With the lock held. */
static struct slab detach(struct ekka_cuda_context *c)
{
	struct slab s = { c->staging, c->staging_mapped };

	c->staging = 0;
	c->staging_mapped = 0;
	return s;
}

static void unmap_slab(const struct ekka_cuda_driver *drv, struct slab s)
{
	CUstreamCaptureMode mode = ekka_cuda_relaxed_begin(drv);

	if (drv->p_cuMemUnmap(s.p, s.bytes) == CUDA_SUCCESS)
		(void)drv->p_cuMemAddressFree(s.p, s.bytes);
	ekka_cuda_relaxed_end(drv, mode);
}

/* The slab, if it is wanted back and can be had. With the lock held. */
static struct slab take_back(struct ekka_cuda_context *c)
{
	return c->staging_wanted && c->staging_mapped && c->staging_ring.n == 0 ? detach(c) : (struct slab){ 0 };
}

static void unlink_copy(struct ekka_cuda_context *c, struct ekka_cuda_copy *copy)
{
	if (copy->older)
		copy->older->younger = copy->younger;
	if (copy->younger)
		copy->younger->older = copy->older;
	else
		c->youngest = copy->older;
	copy->older = copy->younger = NULL;
}

void ekka_cuda_staging_leave(struct ekka_cuda_copy *copy)
{
	const struct ekka_cuda_driver *drv = ekka_cuda_driver();
	struct ekka_cuda_context *c = copy->mark->context;
	struct slab s;

	if (copy->staging_slot < 0)
		return;
	pthread_mutex_lock(&ekka_cuda_lock);
	unlink_copy(c, copy);
	ekka_ring_release(&c->staging_ring, copy->staging_slot);
	copy->staging_slot = -1;
	s = take_back(c);
	pthread_cond_broadcast(&ekka_cuda_room);
	pthread_mutex_unlock(&ekka_cuda_lock);
	if (s.bytes && drv)
		unmap_slab(drv, s);
}

void ekka_cuda_staging_bury(const struct ekka_cuda_driver *drv, struct ekka_cuda_context *c)
{
	if (c->staging_mapped)
		unmap_slab(drv, detach(c));
}

bool ekka_cuda_make_room(void)
{
	const struct ekka_cuda_driver *drv = ekka_cuda_driver();
	struct slab slabs[EKKA_CUDA_CONTEXTS];
	struct ekka_cuda_context *c;
	static atomic_bool said;
	uint64_t bytes = 0;
	unsigned n = 0;
	CUdevice device;

	if (!drv || drv->p_cuCtxGetDevice(&device) != CUDA_SUCCESS)
		return false;
	pthread_mutex_lock(&ekka_cuda_lock);
	for (unsigned i = 0; (c = ekka_cuda_context_at(i)) != NULL; i++) {
		if (c->device != device)
			continue;
		if (c->staging_mapped && c->staging_quiet_ms < QUIET_MAX_MS)
			c->staging_quiet_ms *= 2;	/* it was wanted before: not so soon again */
		c->staging_quiet_until = ekka_now_ns() + c->staging_quiet_ms * ms_ns;
		if (!c->staging_mapped)
			continue;
		c->staging_wanted = true;
		bytes += c->staging_mapped;
		slabs[n] = take_back(c);
		n += slabs[n].bytes > 0;
	}
	pthread_mutex_unlock(&ekka_cuda_lock);
	for (unsigned i = 0; i < n; i++)
		unmap_slab(drv, slabs[i]);
	if (bytes > 0 && !atomic_exchange(&said, true))
		ekka_say("the program needs device memory: the %llu MiB kept for copies are given back", (unsigned long long)(bytes >> 20));
	return n > 0;
}
