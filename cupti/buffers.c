/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "cupti/buffers.h"

#include "cupti/alloc.h"
#include "cupti/params.h"
#include "cupti/uploads.h"

#include "preload/conf.h"
#include "preload/starts.h"

#include <stdio.h>
#include <string.h>

enum { WORD = sizeof(uint64_t), NO_ITEM = -1 };

/* end: of the allocation; at: bytes into the parameter; item: of the array that the word there points to, or NO_ITEM. */
struct found { uint64_t addr, end; unsigned param, at; int item; };
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

static void look_at(struct search *s, const struct ekka_cuda_driver *drv, uint64_t addr, unsigned param, unsigned at, int item)
{
	uint64_t start, bytes;

	if (!ekka_looks_like_address(addr) || is_known(s, addr) || !ekka_alloc_range(addr, &start, &bytes) || is_managed(drv, addr))
		return;
	if (s->n < EKKA_MAX_TENSORS)
		s->found[s->n++] = (struct found){ addr, start + bytes, param, at, item };
	else
		s->more++;
	ekka_starts_note(addr);
}

static void search(struct search *s, const void *const *param, const struct ekka_kernel_facts *kernel, const struct ekka_cuda_driver *drv)
{
	uint64_t word;

	for (unsigned i = 0; i < kernel->kernel.n_args; i++)
		for (unsigned at = (WORD - kernel->offset[i] % WORD) % WORD; param[i] && at + WORD <= kernel->bytes[i]; at += WORD) {
			memcpy(&word, (const char *)param[i] + at, WORD);
			look_at(s, drv, word, i, at, NO_ITEM);
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

struct items { struct { uint64_t at, word; } item[EKKA_UPLOAD_BYTES / WORD]; unsigned n; };

static void take_item(void *arg, uint64_t at, uint64_t word)
{
	struct items *items = arg;

	if (at % WORD == 0 && items->n < sizeof(items->item) / sizeof(items->item[0])) {
		items->item[items->n].at = at;
		items->item[items->n++].word = word;
	}
}

/* Buffers that the found ones lead to, where the host sent addresses there: arrays of pointers, one level deep. */
static void search_arrays(struct search *s, const struct ekka_cuda_driver *drv)
{
	unsigned n = s->n;
	const char *bound;

	for (unsigned i = 0; i < n; i++) {
		const struct found f = s->found[i];
		struct items items = { .n = 0 };
		uint64_t bytes = extent(&f, &bound);

		ekka_uploads_find(f.addr, bytes < EKKA_UPLOAD_BYTES ? bytes : EKKA_UPLOAD_BYTES, take_item, &items);
		for (unsigned k = 0; k < items.n; k++)
			look_at(s, drv, items.item[k].word, f.param, f.at, (int)(items.item[k].at / WORD));
	}
}

/* "p3", "p3+16", "p3+16[2]" behind a prefix. */
static void name_buffer(char *to, size_t size, const char *prefix, const struct found *f)
{
	int n = snprintf(to, size, f->at ? "%sp%u+%u" : "%sp%u", prefix, f->param, f->at);

	if (f->item != NO_ITEM && n > 0 && (size_t)n < size)
		(void)snprintf(to + n, size - (size_t)n, "[%d]", f->item);
}

void ekka_buffers_tell(struct ekka_slot_memory *slot, const struct ekka_kernel_facts *kernel, const struct ekka_cuda_driver *drv)
{
	struct search s = { .n = 0 };
	const char *bound;

	search(&s, slot->param, kernel, drv);
	search_arrays(&s, drv);
	for (unsigned i = 0; i < s.n; i++) {
		const struct found *f = &s.found[i];
		char *name = slot->buffer[i].name;
		int64_t bytes = (int64_t)extent(f, &bound);

		name_buffer(name, EKKA_BUFFER_NAME, "", f);
		name_buffer(slot->buffer[i].extent, EKKA_EXTENT_NAME, "extent_", f);
		ekka_tensor(&slot->call, &(struct ekka_tensor){
			.name = name, .dir = EKKA_INOUT, .dtype = EKKA_U8, .place = EKKA_DEVICE, .n_dims = 1, .dim = { bytes }, .stride = { 1 },
			.addr = f->addr, .alias_of = -1, .pre = true, .post = true });
		ekka_attr_str(&slot->call, slot->buffer[i].extent, bound);
	}
	if (s.more)
		ekka_attr_int(&slot->call, "more_buffers", (int64_t)s.more);
}
