/* SPDX-License-Identifier: Apache-2.0 */
/* Descriptions for one kernel: what patterns capture, which functors are used. Memory comes from the set's arena, under its lock. */
#include "config.h"

#include "spec/kd.h"

#include <string.h>

static const char **keep_captures(struct ekka_arena *arena, const struct kd_pattern *pattern, const struct kd_span *spans)
{
	const char **texts = ekka_arena_take(arena, (pattern->n_captures + 1) * sizeof(*texts));

	for (unsigned i = 0; texts && i < pattern->n_captures; i++) {
		texts[i] = ekka_arena_text(arena, spans[i].p, spans[i].n);
		if (!texts[i])
			return NULL;
	}
	return texts;
}

/* The names of the functors that a description uses, as far as its captured texts alone tell them. */
static void find_names(struct ekka_descriptions *set, struct kd_bound *b)
{
	struct kd_shared shared = { 0 };
	struct kd_run r = { .meaning = set->scratch_meaning, .bound = b, .shared = &shared };

	set->scratch_meaning->text_len = 0;
	set->scratch_meaning->n_attrs = 0;
	for (const struct kd_stmt *s = b->desc->stmts; s; s = s->next) {
		const char *text;

		if (s->kind == KD_S_LET && !kd_eval(&r, s->e, &r.slots[s->slot]))
			r.slots[s->slot].kind = KD_UNSET;
		else if (s->kind == KD_S_USE && kd_eval_text(&r, s->e, &text))
			b->uses[s->slot].text = ekka_arena_text(&set->arena, text, strlen(text));
		shared.refused[0] = '\0';
	}
}

static struct kd_bound *functors_for(struct ekka_descriptions *set, const char *text, unsigned depth)
{
	struct kd_bound *first = NULL, **end = &first;
	unsigned n = 0;

	for (const struct kd_desc *d = set->functors; d && n < KD_USE_CANDIDATES_MAX; d = d->next) {
		*end = kd_bind(set, d, text, depth);
		if (*end) {
			end = &(*end)->next;
			n++;
		}
	}
	return first;
}

struct kd_bound *kd_bind(struct ekka_descriptions *set, const struct kd_desc *d, const char *name, unsigned depth)
{
	struct kd_span spans[KD_CAPTURES_MAX];
	struct kd_bound *b;

	if (depth > KD_USE_DEPTH_MAX || !kd_pattern_match(&d->pattern, name, spans))
		return NULL;
	b = ekka_arena_take(&set->arena, sizeof(*b));
	if (!b)
		return NULL;
	b->desc = d;
	b->captures = keep_captures(&set->arena, &d->pattern, spans);
	b->uses = ekka_arena_take(&set->arena, (d->n_uses + 1) * sizeof(*b->uses));
	if (!b->captures || !b->uses)
		return NULL;
	find_names(set, b);
	for (unsigned i = 0; i < d->n_uses; i++)
		if (b->uses[i].text)
			b->uses[i].bound = functors_for(set, b->uses[i].text, depth + 1);
	return b;
}
