/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "cupti/buffers.h"

#include "cupti/alloc.h"
#include "cupti/params.h"

#include "preload/conf.h"
#include "preload/starts.h"

#include <stdio.h>
#include <string.h>

struct found { uint64_t addr, end; unsigned param, at; };	/* end: of the allocation; at: bytes into the parameter */
struct search { struct found found[EKKA_MAX_TENSORS]; unsigned n; uint64_t more; };

/* Asked once for each start: the driver takes a while to answer. */
static bool is_managed(const struct ekka_cuda_driver *drv, uint64_t addr)
{
	unsigned managed = 0;

	return !ekka_starts_known(addr) &&
	       drv->p_cuPointerGetAttribute(&managed, CU_POINTER_ATTRIBUTE_IS_MANAGED, addr) == CUDA_SUCCESS && managed;
}

static bool is_known(const struct search *s, uint64_t addr)
{
	for (unsigned i = 0; i < s->n; i++)
		if (s->found[i].addr == addr)
			return true;
	return false;
}

static void look_at(struct search *s, const struct ekka_cuda_driver *drv, uint64_t addr, unsigned param, unsigned at)
{
	uint64_t start, bytes;

	if (!ekka_looks_like_address(addr) || is_known(s, addr) || !ekka_alloc_range(addr, &start, &bytes) || is_managed(drv, addr))
		return;
	if (s->n < EKKA_MAX_TENSORS)
		s->found[s->n++] = (struct found){ addr, start + bytes, param, at };
	else
		s->more++;
	ekka_starts_note(addr);
}

static void search(struct search *s, const void *const *param, const struct ekka_kernel_facts *kernel, const struct ekka_cuda_driver *drv)
{
	enum { WORD = sizeof(uint64_t) };
	uint64_t word;

	for (unsigned i = 0; i < kernel->kernel.n_args; i++)
		for (unsigned at = (WORD - kernel->offset[i] % WORD) % WORD; param[i] && at + WORD <= kernel->bytes[i]; at += WORD) {
			memcpy(&word, (const char *)param[i] + at, WORD);
			look_at(s, drv, word, i, at);
		}
}

/* How far the buffer reaches, and what bounds it. */
static uint64_t extent(const struct found *f, const char **ret_bound)
{
	uint64_t end = f->end, next = ekka_starts_next(f->addr);

	*ret_bound = "allocation";
	if (next < end) {
		end = next;
		*ret_bound = "neighbour";
	}
	if (end - f->addr > ekka_conf.buffer_bytes) {
		end = f->addr + ekka_conf.buffer_bytes;
		*ret_bound = "cap";
	}
	return end - f->addr;
}

void ekka_buffers_tell(struct ekka_slot_memory *slot, const struct ekka_kernel_facts *kernel, const struct ekka_cuda_driver *drv)
{
	struct search s = { .n = 0 };
	const char *bound;

	search(&s, slot->param, kernel, drv);
	for (unsigned i = 0; i < s.n; i++) {
		const struct found *f = &s.found[i];
		char *name = slot->buffer[i].name;
		int64_t bytes = (int64_t)extent(f, &bound);

		(void)snprintf(name, EKKA_BUFFER_NAME, f->at ? "p%u+%u" : "p%u", f->param, f->at);
		(void)snprintf(slot->buffer[i].extent, EKKA_EXTENT_NAME, f->at ? "extent_p%u+%u" : "extent_p%u", f->param, f->at);
		ekka_tensor(&slot->call, &(struct ekka_tensor){
			.name = name, .dir = EKKA_INOUT, .dtype = EKKA_U8, .place = EKKA_DEVICE, .n_dims = 1, .dim = { bytes }, .stride = { 1 },
			.addr = f->addr, .alias_of = -1, .pre = true, .post = true });
		ekka_attr_str(&slot->call, slot->buffer[i].extent, bound);
	}
	if (s.more)
		ekka_attr_int(&slot->call, "more_buffers", (int64_t)s.more);
}
