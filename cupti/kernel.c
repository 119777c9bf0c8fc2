/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "cupti/kernel.h"

#include "cupti/cubin.h"
#include "cupti/launch.h"
#include "cupti/meaning.h"
#include "cupti/module.h"

#include "preload/conf.h"
#include "preload/count.h"
#include "preload/lock.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

enum { SLOTS = 1 << 14, PAGE_BYTES = 256 << 10, TYPE_BYTES = 32, NAME_MAX_BYTES = 4096 + 1 /* as the format cuts it */ };

/*
 * Open addressing by handle. A slot's handle is set once; its facts may be replaced, when the handle has come to mean another kernel.
 * `epoch` says up to which unloading of a module they are known to be right.
 */
static struct {
	_Atomic uintptr_t handle;
	_Atomic uint32_t epoch;
	_Atomic(const struct ekka_kernel_facts *) facts;
} slots[SLOTS];
static _Atomic uint32_t epoch = 1;

/* Writers: one at a time. Memory is handed out from one page run and never comes back. */
static struct ekka_lock lock;
static unsigned n_slots;
static struct { char *at; size_t left; } memory;

static void *take(size_t bytes)
{
	void *p;

	bytes = (bytes + 15) / 16 * 16;
	if (bytes > memory.left) {
		p = mmap(NULL, PAGE_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (p == MAP_FAILED || bytes > PAGE_BYTES)
			return NULL;
		memory.at = p;
		memory.left = PAGE_BYTES;
	}
	p = memory.at;
	memory.at += bytes;
	memory.left -= bytes;
	return p;
}

static const char *keep(const char *text)
{
	size_t n = strnlen(text, NAME_MAX_BYTES - 1);
	char *copy = take(n + 1);

	if (copy) {
		memcpy(copy, text, n);
		copy[n] = '\0';
	}
	return copy;
}

static const char *param_name(unsigned i)
{
	static char names[EKKA_MAX_ARGS][4];

	if (!names[i][0])	/* under the lock */
		(void)snprintf(names[i], sizeof(names[i]), "p%u", i);
	return names[i];
}

static const char *name_of(const struct ekka_cuda_driver *drv, CUfunction f, const char *symbol)
{
	const char *name = NULL;

	if (drv->p_cuFuncGetName && drv->p_cuFuncGetName(&name, f) == CUDA_SUCCESS && name)
		return name;
	if (drv->p_cuKernelGetName && drv->p_cuKernelGetName(&name, (CUkernel)f) == CUDA_SUCCESS && name)
		return name;
	return symbol;
}

/* Offset and size of parameter i. The driver takes either kind of handle for its own kind of question only. */
static bool param_of(const struct ekka_cuda_driver *drv, CUfunction f, unsigned i, size_t *ret_offset, size_t *ret_bytes)
{
	if (drv->p_cuFuncGetParamInfo && drv->p_cuFuncGetParamInfo(f, i, ret_offset, ret_bytes) == CUDA_SUCCESS)
		return true;
	return drv->p_cuKernelGetParamInfo && drv->p_cuKernelGetParamInfo((CUkernel)f, i, ret_offset, ret_bytes) == CUDA_SUCCESS;
}

enum { PARAMS_MAX = 4096 };	/* a block of 32764 bytes, the most there can be, has fewer that are not bytes */

/* For drivers that do not tell. */
static void read_layout(struct ekka_kernel_facts *k)
{
	struct ekka_cubin_layout l;

	if (!k->kernel.image || !ekka_cubin_layout(k->kernel.image, k->kernel.name, &l))
		return;
	k->layout_known = true;
	k->n_params = l.n_params;
	memcpy(k->offset, l.offset, sizeof(k->offset));
	memcpy(k->bytes, l.bytes, sizeof(k->bytes));
	k->block_bytes = l.block_bytes;
}

static void ask_layout(const struct ekka_cuda_driver *drv, CUfunction f, struct ekka_kernel_facts *k)
{
	size_t offset, bytes;

	k->layout_known = drv->p_cuFuncGetParamInfo || drv->p_cuKernelGetParamInfo;
	if (!k->layout_known)
		read_layout(k);
	while (k->n_params < PARAMS_MAX && param_of(drv, f, k->n_params, &offset, &bytes)) {
		if (k->n_params < EKKA_MAX_ARGS) {
			k->offset[k->n_params] = (uint32_t)offset;
			k->bytes[k->n_params] = (uint32_t)bytes;
		}
		if (offset + bytes > k->block_bytes)
			k->block_bytes = (uint32_t)(offset + bytes);
		k->n_params++;
	}
}

/* Texts that the `fn` record wants. */
static bool describe_args(struct ekka_kernel_facts *k)
{
	unsigned n = k->n_params < EKKA_MAX_ARGS ? k->n_params : EKKA_MAX_ARGS;
	struct ekka_arg_info *args = take(n * sizeof(*args));

	if (!args)
		return false;
	for (unsigned i = 0; i < n; i++) {
		char *type = take(TYPE_BYTES);
		if (!type)
			return false;
		(void)snprintf(type, TYPE_BYTES, "%u bytes at %u", k->bytes[i], k->offset[i]);
		args[i] = (struct ekka_arg_info){ .name = param_name(i), .type = type };
	}
	k->kernel.args = args;
	k->kernel.n_args = n;
	return true;
}

static bool same(const struct ekka_kernel_facts *a, const struct ekka_kernel_facts *b)
{
	return a->kernel.image == b->kernel.image && strncmp(a->kernel.name, b->kernel.name, NAME_MAX_BYTES - 1) == 0 && a->layout_known == b->layout_known &&
	       a->n_params == b->n_params && a->block_bytes == b->block_bytes &&
	       memcmp(a->offset, b->offset, sizeof(a->offset)) == 0 && memcmp(a->bytes, b->bytes, sizeof(a->bytes)) == 0;
}

/* What the driver says now; `old` when that is still right. */
static const struct ekka_kernel_facts *ask(const struct ekka_cuda_driver *drv, CUfunction f, const char *symbol,
					   const struct ekka_kernel_facts *old)
{
	struct ekka_kernel_facts k = { 0 }, *kept;

	k.kernel.name = name_of(drv, f, symbol);
	if (!k.kernel.name)
		return NULL;
	k.kernel.image = ekka_module_image(drv, f);
	ask_layout(drv, f, &k);
	if (old && same(old, &k))
		return old;
	k.kernel.name = keep(k.kernel.name);
	kept = take(sizeof(*kept));
	if (!k.kernel.name || !kept || !describe_args(&k))
		return NULL;
	k.kernel.via = ekka_launch_via();
	k.kernel.wanted = ekka_conf_wants(&ekka_conf, k.kernel.name);
	if (k.kernel.wanted && ekka_conf.level == EKKA_LEVEL_FULL)
		k.binding = ekka_meaning_bind(k.kernel.name);
	*kept = k;
	return kept;
}

static unsigned find(uintptr_t handle)
{
	unsigned i = (unsigned)(handle * 0x9e3779b97f4a7c15u >> 50) % SLOTS;
	uintptr_t seen;

	while ((seen = atomic_load_explicit(&slots[i].handle, memory_order_acquire)) != handle && seen != 0)
		i = (i + 1) % SLOTS;
	return i;
}

static const struct ekka_kernel_facts *learn(const struct ekka_cuda_driver *drv, CUfunction f, const char *symbol)
{
	CUstreamCaptureMode mode = ekka_cuda_relaxed_begin(drv);	/* finding a function may load it */
	uint32_t now = atomic_load(&epoch);
	const struct ekka_kernel_facts *k = NULL;

	if (ekka_lock_take(&lock)) {
		unsigned i = find((uintptr_t)f);
		const struct ekka_kernel_facts *old = atomic_load(&slots[i].facts);

		k = ask(drv, f, symbol, old);
		if (k && (old || n_slots < SLOTS / 2)) {
			n_slots += !old;
			atomic_store_explicit(&slots[i].facts, k, memory_order_release);
			atomic_store_explicit(&slots[i].epoch, now, memory_order_release);
			atomic_store_explicit(&slots[i].handle, (uintptr_t)f, memory_order_release);
		} else if (k) {
			k = NULL;	/* without a slot it would be asked for, and kept, at every launch */
		}
		ekka_lock_release(&lock);
	}
	ekka_cuda_relaxed_end(drv, mode);
	if (!k)
		ekka_count_drop("unknown kernel", 1);
	return k;
}

const struct ekka_kernel_facts *ekka_kernel_facts(const struct ekka_cuda_driver *drv, CUfunction f, const char *symbol)
{
	unsigned i = find((uintptr_t)f);

	if (atomic_load_explicit(&slots[i].handle, memory_order_acquire) == (uintptr_t)f && f &&
	    atomic_load_explicit(&slots[i].epoch, memory_order_acquire) == atomic_load(&epoch))
		return atomic_load_explicit(&slots[i].facts, memory_order_acquire);
	return learn(drv, f, symbol);
}

void ekka_kernels_expire(void)
{
	atomic_fetch_add(&epoch, 1);
}
