/* SPDX-License-Identifier: Apache-2.0 */
/* Nodes of expressions, the names that they may hold, and literal texts, in which {NAME} stands for a value. */
#include "config.h"

#include "spec/kd_node.h"

#include <string.h>

bool kd_span_is(struct kd_span s, const char *word)
{
	return strlen(word) == s.n && memcmp(word, s.p, s.n) == 0;
}
int kd_find_slot(const struct kd_parser *p, struct kd_span name)
{
	for (unsigned i = 0; p->desc && i < p->desc->n_slots; i++)
		if (p->slots[i] && kd_span_is(name, p->slots[i]))
			return (int)i;
	return -1;
}

int kd_declare(struct kd_parser *p, struct kd_span name)
{
	if (p->failed)
		return -1;
	if (kd_reserved(name)) {
		kd_fail(p, "'%.*s' has a meaning of its own and cannot be given another", (int)name.n, name.p);
	} else if (kd_find_slot(p, name) >= 0) {
		kd_fail(p, "'%.*s' has a value already", (int)name.n, name.p);
	} else {
		unsigned i = 0;

		while (i < p->desc->n_slots && p->slots[i])	/* one that a loop has left is free again */
			i++;
		if (i == KD_SLOTS_MAX) {
			kd_fail(p, "more than %d names", KD_SLOTS_MAX);
			return -1;
		}
		p->slots[i] = ekka_arena_text(&p->set->arena, name.p, name.n);
		p->desc->n_slots += i == p->desc->n_slots;
		if (p->slots[i])
			return (int)i;
		kd_fail(p, "out of memory");
	}
	return -1;
}

void kd_forget(struct kd_parser *p, int slot)
{
	if (slot >= 0)
		p->slots[slot] = NULL;
}

struct kd_node *kd_node(struct kd_parser *p, enum kd_node_kind kind, int op)
{
	struct kd_node *n = kd_take(p, sizeof(*n));

	if (n) {
		n->kind = kind;
		n->op = op;
		n->line = p->token.line;
	}
	return n;
}

static unsigned depth_of(const struct kd_node *n)
{
	return n ? n->depth : 0;
}

/* Counts a node's depth once its operands are known: the evaluator goes as deep. Hands the node on, or NULL: failed. */
struct kd_node *kd_finish(struct kd_parser *p, struct kd_node *n)
{
	unsigned a, b, c;

	if (!n)
		return NULL;
	a = depth_of(n->a);
	b = depth_of(n->b);
	c = depth_of(n->c);
	n->depth = 1 + (a > b ? a > c ? a : c : b > c ? b : c);
	return n->depth <= KD_DEPTH_MAX ? n : kd_fail(p, "an expression more than %d deep", KD_DEPTH_MAX);
}

struct kd_node *kd_constant(struct kd_parser *p, struct kd_value v)
{
	struct kd_node *n = kd_node(p, KD_N_CONST, 0);

	if (n)
		n->value = v;
	return n;
}

struct kd_node *kd_capture(struct kd_parser *p, struct kd_span name)
{
	const struct kd_pattern *pattern = &p->desc->pattern;

	for (unsigned i = 0; i < pattern->n_captures; i++)
		if (kd_span_is(name, pattern->captures[i]))
			return kd_node(p, KD_N_CAPTURE, (int)i);
	return kd_fail(p, "the pattern has no $%.*s", (int)name.n, name.p);
}

static struct kd_node *join(struct kd_parser *p, struct kd_node *a, struct kd_node *b)
{
	struct kd_node *n;

	if (!a || !b)
		return a ? a : b;
	n = kd_node(p, KD_N_JOIN, 0);
	if (n) {
		n->a = a;
		n->b = b;
	}
	return kd_finish(p, n);
}

/* The end of a `{NAME}` or `{$NAME}` that begins at s, or NULL. */
static const char *placeholder(const char *s, struct kd_span *ret_name)
{
	const char *from = s + 1 + (s[1] == '$');
	size_t n = strspn(from, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789");

	if (n == 0 || from[n] != '}')
		return NULL;
	*ret_name = (struct kd_span){ from, n };
	return from + n + 1;
}

static struct kd_node *literal_part(struct kd_parser *p, const char *from, const char *to)
{
	char *copy = kd_take(p, (size_t)(to - from) + 1);

	if (!copy)
		return NULL;
	memcpy(copy, from, (size_t)(to - from));
	return kd_constant(p, (struct kd_value){ .kind = KD_TEXT, .s = copy });
}

/* A literal text with its {NAME}s. */
struct kd_node *kd_parse_text(struct kd_parser *p, const char *s)
{
	struct kd_node *all = NULL;
	const char *from = s;

	while ((s = strchr(s, '{')) && !p->failed) {
		struct kd_span name;
		const char *end = placeholder(s, &name);
		int slot;

		if (!end) {
			s++;
			continue;
		}
		slot = s[1] == '$' ? -1 : kd_find_slot(p, name);
		if (s[1] != '$' && slot < 0)
			return kd_fail(p, "nothing is called '%.*s'", (int)name.n, name.p);
		if (s > from)
			all = join(p, all, literal_part(p, from, s));
		if (!all)
			all = literal_part(p, from, from);
		all = join(p, all, slot < 0 ? kd_capture(p, name) : kd_node(p, KD_N_SLOT, slot));
		from = s = end;
	}
	if (*from || !all)
		all = join(p, all, literal_part(p, from, from + strlen(from)));
	return p->failed ? NULL : all;
}

const struct kd_node *kd_constant_text(struct kd_parser *p, const char *s)
{
	return kd_constant(p, (struct kd_value){ .kind = KD_TEXT, .s = s });
}

const struct kd_node *kd_parse_name(struct kd_parser *p, const char *what)
{
	const char *name = kd_take_name(p, what);
	struct kd_node *n = name ? kd_parse_text(p, name) : NULL;

	if (n && n->kind == KD_N_CONST && strpbrk(n->value.s, "{}"))
		return kd_fail(p, "'%s' is no name", name);
	return n;
}
