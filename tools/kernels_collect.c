/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/kernels_collect.h"

#include "tools/command.h"
#include "tools/kernel_name.h"
#include "tools/message.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A larger array of n + 1 items; ends the command when there is no memory. */
static void *one_more(void *array, size_t n, size_t item_bytes)
{
	/* Grows in powers of two. */
	if (n & (n - 1))
		return array;
	array = reallocarray(array, n ? 2 * n : 1, item_bytes);
	if (!array)
		exit(ekka_fatal("out of memory"));
	return array;
}

static struct ekka_kernel_uses *kernel_of(struct ekka_kernels *all, const char *name)
{
	struct ekka_kernel_uses *k;

	for (size_t i = 0; i < all->n; i++)
		if (all->k[i].name == name || strcmp(all->k[i].name, name) == 0)
			return &all->k[i];
	all->k = one_more(all->k, all->n, sizeof(*all->k));
	k = &all->k[all->n++];
	*k = (struct ekka_kernel_uses){ .name = name, .text = ekka_kernel_demangle(name) };
	if (!k->text)
		exit(ekka_fatal("out of memory"));
	k->binding = ekka_descriptions_bind(all->descriptions, name);
	return k;
}

static void add_refusal(struct ekka_kernel_uses *k, const char *reason)
{
	k->refused++;
	if (!k->reason)
		k->reason = strdup(reason);
}

static void add_meaning(struct ekka_kernel_uses *k, const struct ekka_event *e)
{
	static struct ekka_meaning m;
	static struct ekka_relaunch launch;

	if (!k->binding)
		return;
	if (!ekka_relaunch_init(&launch, e)) {
		add_refusal(k, "the trace does not have its parameters");
		return;
	}
	ekka_describe(k->binding, &launch.facts, &m);
	k->covered += e->call.parent == 0 && (m.nothing || m.op);
	if (m.nothing) {
		k->nothing++;
	} else if (m.op) {
		k->described++;
		if (!k->op[0])
			snprintf(k->op, sizeof(k->op), "%s", m.op);
	} else {
		add_refusal(k, m.refused);
	}
}

static void add_shape(struct ekka_kernel_uses *k, const struct ekka_event *e)
{
	static const char *const names[] = { "grid_x", "grid_y", "grid_z", "block_x", "block_y", "block_z" };
	uint64_t h = 0;

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		const struct ekka_value *v = ekka_event_attr(e, names[i]);

		h = (h ^ (v ? v->u : 0)) * 0x9e3779b97f4a7c15u;
		h ^= h >> 29;
	}
	for (size_t i = 0; i < k->n_shapes; i++)
		if (k->shapes[i] == h)
			return;
	k->shapes = one_more(k->shapes, k->n_shapes, sizeof(*k->shapes));
	k->shapes[k->n_shapes++] = h;
}

static void add_parent(struct ekka_kernel_uses *k, const char *name)
{
	for (size_t i = 0; i < k->n_parents; i++) {
		if (strcmp(k->parents[i].name, name) == 0) {
			k->parents[i].launches++;
			return;
		}
	}
	k->parents = one_more(k->parents, k->n_parents, sizeof(*k->parents));
	k->parents[k->n_parents++] = (struct ekka_kernel_parent){ name, 1 };
}

static void add_time(void *arg, size_t kernel, uint64_t ns)
{
	struct ekka_kernels *all = arg;

	all->k[kernel].gpu_ns += ns;
	all->k[kernel].timed++;
}

/* Where it was made, and whose its time is. Launches of one call follow each other: `parent` keeps what was read last. */
static void add_place(struct ekka_kernels *all, struct ekka_kernel_uses *k, struct ekka_trace *trace, const struct ekka_event *e, struct ekka_event *parent)
{
	size_t kernel = (size_t)(k - all->k);
	struct ekka_error err = { 0 };

	if (e->call.parent == 0) {
		add_parent(k, "");
		if (e->timed)
			add_time(all, kernel, e->gpu_ns);
	} else if (parent->number != e->call.parent && ekka_trace_event_read(trace, e->call.parent, parent, &err) < 0) {
		add_parent(k, "?");
	} else {
		add_parent(k, parent->fn->name);
		ekka_kernels_time_add_inner(&all->time, parent, kernel);
	}
}

int ekka_kernels_collect(struct ekka_kernels *all, struct ekka_trace *trace)
{
	struct ekka_event e = { 0 }, parent = { 0 };
	struct ekka_error err = { 0 };
	int status = EKKA_EXIT_CLEAN;

	for (uint64_t i = 1; i <= ekka_trace_n_events(trace); i++) {
		if (ekka_trace_event_read(trace, i, &e, &err) < 0) {
			ekka_message("event %" PRIu64 ": %s", i, err.message);
			status = EKKA_EXIT_FATAL;
			continue;
		}
		ekka_kernels_time_add(&all->time, &e);
		if (!ekka_event_is_launch(&e))
			continue;
		struct ekka_kernel_uses *k = kernel_of(all, e.fn->name);
		k->first = k->first ? k->first : i;
		k->launches++;
		k->outside += e.call.parent == 0;
		all->launches++;
		add_shape(k, &e);
		add_meaning(k, &e);
		add_place(all, k, trace, &e, &parent);
	}
	ekka_kernels_time_split(&all->time, add_time, all);
	ekka_event_release(&e);
	ekka_event_release(&parent);
	return status;
}

void ekka_kernels_release(struct ekka_kernels *all)
{
	for (size_t i = 0; i < all->n; i++) {
		free(all->k[i].text);
		free(all->k[i].shapes);
		free(all->k[i].parents);
		free(all->k[i].reason);
	}
	free(all->k);
	ekka_kernels_time_release(&all->time);
}
