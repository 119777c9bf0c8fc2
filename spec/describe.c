/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "spec/describe.h"

#include "spec/kd.h"

#include <string.h>

const struct ekka_binding *ekka_descriptions_bind(struct ekka_descriptions *set, const char *name)
{
	struct ekka_binding *binding = NULL;
	struct kd_bound *first = NULL, **end = &first;

	if (!ekka_lock_take(&set->lock))
		return NULL;
	if (ekka_demangle(name, set->scratch, KD_NAME_BYTES)) {
		kd_normalise(set->scratch, true);
		for (const struct kd_desc *d = set->kernels; d; d = d->next) {
			*end = kd_bind(set, d, set->scratch, 0);
			if (*end)
				end = &(*end)->next;
		}
		binding = first ? ekka_arena_take(&set->arena, sizeof(*binding)) : NULL;
		if (binding)
			binding->first = first;
	}
	ekka_lock_release(&set->lock);
	return binding;
}

static void clear(struct ekka_meaning *m)
{
	m->op = NULL;
	m->nothing = false;
	m->n_attrs = 0;
	m->n_tensors = 0;
	m->text_len = 0;
}

static bool has_output(const struct ekka_meaning *m)
{
	for (unsigned i = 0; i < m->n_tensors; i++)
		if (m->tensors[i].dir & EKKA_OUT)
			return true;
	return false;
}

/* What only the whole tells. */
static bool conclude(struct kd_run *r)
{
	struct ekka_meaning *m = r->meaning;

	if (!m->nothing && !m->op)
		return kd_refuse(r, r->line, "neither op nor nothing was said");
	if (!m->nothing && !has_output(m) && r->shared->emptied_outs == 0)
		return kd_refuse(r, r->line, "there is no output");
	if (!has_output(m))
		m->nothing = true;	/* a launch for tensors without elements */
	if (m->nothing)
		m->op = NULL;
	return true;
}

void ekka_describe(const struct ekka_binding *binding, const struct ekka_launch_facts *facts, struct ekka_meaning *m)
{
	struct kd_shared shared;
	const struct kd_bound *b;

	m->refused[0] = '\0';
	for (b = binding->first; b; b = b->next) {
		struct kd_run r = { .launch = facts, .meaning = m, .bound = b, .shared = &shared };
		enum kd_outcome outcome;

		shared = (struct kd_shared){ 0 };
		clear(m);
		m->description = b->desc->place;
		outcome = kd_run(&r);
		if (outcome == KD_DONE && conclude(&r))
			return;
		if (outcome == KD_MISFIT)
			continue;
		clear(m);
		memcpy(m->refused, shared.refused, sizeof(m->refused));
		return;
	}
	clear(m);
	memcpy(m->refused, "the facts of no description hold", sizeof("the facts of no description hold"));
}
