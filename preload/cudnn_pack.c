/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "preload/cudnn_pack.h"
#include "preload/lock.h"

#include <string.h>

enum { PACKS = 256 };

static struct ekka_lock lock;		/* guards everything below; a leaf */
static const void *owner[PACKS];
static struct ekka_cudnn_pack packs[PACKS];
static unsigned oldest;			/* next to be given to another owner */

static struct ekka_cudnn_pack *find(const void *descriptor)
{
	for (unsigned i = 0; i < PACKS; i++)
		if (owner[i] == descriptor)
			return &packs[i];
	return NULL;
}

static struct ekka_cudnn_pack *find_or_make(const void *descriptor)
{
	struct ekka_cudnn_pack *p = find(descriptor);
	unsigned at;

	if (p != NULL)
		return p;
	p = find(NULL);
	if (p == NULL) {
		p = &packs[oldest];
		oldest = (oldest + 1) % PACKS;
	}
	at = (unsigned)(p - packs);
	owner[at] = descriptor;
	p->n_uids = p->n_pointers = 0;
	p->workspace = NULL;
	p->too_many = p->overridden = false;
	return p;
}

static unsigned keep(void *to, const void *from, int64_t count, size_t size, bool *too_many)
{
	unsigned n = count < 0 ? 0 : count > EKKA_CUDNN_PACK_TENSORS ? EKKA_CUDNN_PACK_TENSORS : (unsigned)count;

	*too_many |= count > EKKA_CUDNN_PACK_TENSORS;
	memcpy(to, from, n * size);
	return n;
}

void ekka_cudnn_pack_set(const void *descriptor, int name, int64_t count, const void *elements)
{
	struct ekka_cudnn_pack *p;

	if (name < CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS || name >= CUDNN_ATTR_LAYOUT_INFO_TENSOR_UID || descriptor == NULL || elements == NULL)
		return;
	if (!ekka_lock_take(&lock))
		return;
	p = find_or_make(descriptor);
	if (name == CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS)
		p->n_uids = keep(p->uid, elements, count, sizeof(p->uid[0]), &p->too_many);
	else if (name == CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS)
		p->n_pointers = keep(p->pointer, elements, count, sizeof(p->pointer[0]), &p->too_many);
	else if (name == CUDNN_ATTR_VARIANT_PACK_WORKSPACE && count > 0)
		memcpy(&p->workspace, elements, sizeof(p->workspace));
	else if (name > CUDNN_ATTR_VARIANT_PACK_WORKSPACE && count > 0)
		p->overridden = true;
	ekka_lock_release(&lock);
}

void ekka_cudnn_pack_forget(const void *descriptor)
{
	struct ekka_cudnn_pack *p;

	if (descriptor == NULL || !ekka_lock_take(&lock))
		return;
	p = find(descriptor);
	if (p != NULL)
		owner[p - packs] = NULL;
	ekka_lock_release(&lock);
}

bool ekka_cudnn_pack_get(const void *descriptor, struct ekka_cudnn_pack *ret)
{
	const struct ekka_cudnn_pack *p;

	if (descriptor == NULL || !ekka_lock_take(&lock))
		return false;
	p = find(descriptor);
	if (p != NULL)
		*ret = *p;
	ekka_lock_release(&lock);
	return p != NULL;
}

bool ekka_cudnn_pack_pointer(const struct ekka_cudnn_pack *p, int64_t uid, const void **ret)
{
	for (unsigned i = 0; i < p->n_uids && i < p->n_pointers; i++) {
		if (p->uid[i] == uid) {
			*ret = p->pointer[i];
			return true;
		}
	}
	return false;
}
