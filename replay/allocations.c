/* SPDX-License-Identifier: Apache-2.0 */
#include "replay/allocations.h"

#include <string.h>
#include <strings.h>

static bool is_driver(const struct ekka_event *e)
{
	return e->fn->library && strcmp(e->fn->library, "driver") == 0;
}

bool ekka_allocates(const struct ekka_event *e)
{
	return is_driver(e) && strstr(e->fn->name, "Alloc");
}

static uint64_t number_of(const struct ekka_value *v)
{
	return v->kind == EKKA_V_INT ? (uint64_t)v->i : v->kind == EKKA_V_UINT || v->kind == EKKA_V_PTR ? v->u : 0;
}

static int keep(void *arg, const struct ekka_interval *piece)
{
	*(struct ekka_interval *)arg = *piece;
	return 1;	/* the first will do */
}

int ekka_allocations_follow(struct ekka_allocations *a, const struct ekka_event *e)
{
	static const char *const ends[] = { "cuCtxDestroy", "cuDevicePrimaryCtx", "cuMemMap", "cuMemUnmap", "cuMemAddress" };
	const struct ekka_tensor *t = e->call.tensors;
	struct ekka_interval freed = { 0 };
	uint64_t addr = e->call.n_args > 0 ? number_of(&e->call.args[0]) : 0;

	if (!is_driver(e))
		return 0;
	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++)
		if (strncmp(e->fn->name, ends[i], strlen(ends[i])) == 0)
			ekka_interval_release(&a->live);
	if (ekka_allocates(e) && e->call.n_tensors == 1 && t->place == EKKA_DEVICE)
		return ekka_interval_set(&a->live, t->addr, t->addr + t->span_bytes, e->number);
	if (strncmp(e->fn->name, "cuMemFree", strlen("cuMemFree")) != 0 || !addr || !ekka_interval_each(&a->live, addr, UINT64_MAX, keep, &freed) ||
	    freed.start != addr)
		return 0;
	return ekka_interval_set(&a->live, freed.start, freed.end, 0);
}

void ekka_allocations_release(struct ekka_allocations *a)
{
	ekka_interval_release(&a->live);
}

uint64_t ekka_allocations_beyond(const struct ekka_allocations *a, const struct ekka_tensor *t, uint64_t *ret_event)
{
	struct ekka_interval first = { 0 };
	uint64_t end = t->addr + t->span_bytes;

	if (t->place != EKKA_DEVICE || t->n_ptrs || !ekka_interval_each(&a->live, t->addr, end, keep, &first) || !first.value || first.start != t->addr)
		return 0;
	*ret_event = first.value;
	return end - first.end;
}

bool ekka_workspace_of(const struct ekka_event *e, uint64_t *ret_addr, uint64_t *ret_bytes)
{
	static const char name[] = "workspace";
	const size_t n = sizeof(name) - 1;

	*ret_addr = 0;
	*ret_bytes = UINT64_MAX;
	for (unsigned i = 0; i < e->call.n_attrs; i++)
		if (strncmp(e->call.attrs[i].name, name, n) == 0)
			*(e->call.attrs[i].name[n] ? ret_bytes : ret_addr) = number_of(&e->call.attrs[i].value);
	for (unsigned i = 0; i < e->call.n_args && i < e->fn->n_args; i++)
		if (strncasecmp(e->fn->args[i].name, name, n) == 0)
			*(e->fn->args[i].name[n] ? ret_bytes : ret_addr) = number_of(&e->call.args[i]);
	return *ret_addr != 0;
}
