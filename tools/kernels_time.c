/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/kernels_time.h"

#include "tools/message.h"

#include <stdlib.h>

struct inner { uint64_t parent, ns; size_t kernel; };

void ekka_kernels_time_add(struct ekka_kernels_time *t, const struct ekka_event *e)
{
	if (e->call.parent == 0)
		t->total_ns += e->gpu_ns;
}

void ekka_kernels_time_add_inner(struct ekka_kernels_time *t, const struct ekka_event *parent, size_t kernel)
{
	if (!parent->timed)
		return;
	if ((t->n & (t->n - 1)) == 0)	/* grows in powers of two */
		t->inner = reallocarray(t->inner, t->n ? 2 * t->n : 1, sizeof(*t->inner));
	if (!t->inner)
		exit(ekka_fatal("out of memory"));
	t->inner[t->n++] = (struct inner){ parent->number, parent->gpu_ns, kernel };
}

static int by_parent(const void *pa, const void *pb)
{
	const struct inner *a = pa, *b = pb;

	return a->parent < b->parent ? -1 : a->parent > b->parent;
}

void ekka_kernels_time_split(struct ekka_kernels_time *t, void (*give)(void *arg, size_t kernel, uint64_t ns), void *arg)
{
	size_t end;

	if (t->n)
		qsort(t->inner, t->n, sizeof(*t->inner), by_parent);
	for (size_t i = 0; i < t->n; i = end) {
		for (end = i + 1; end < t->n && t->inner[end].parent == t->inner[i].parent; end++)
			;
		if (end == i + 1)
			give(arg, t->inner[i].kernel, t->inner[i].ns);
		else
			t->nobodys_ns += t->inner[i].ns;
	}
}

void ekka_kernels_time_release(struct ekka_kernels_time *t)
{
	free(t->inner);
}
