/* SPDX-License-Identifier: Apache-2.0 */
/* Values of expressions. */
#include "config.h"

#include "spec/kd_value.h"

#include <stdio.h>
#include <string.h>

const char *kd_kind_name(enum kd_kind kind)
{
	static const char *const names[] = { "a value that is not known yet", "a whole number", "a real number", "a text", "an element type", "a place" };

	return names[kind];
}

bool kd_refuse(struct kd_run *r, unsigned line, const char *fmt, ...)
{
	struct kd_shared *shared = r->shared;
	va_list ap;
	int n;

	if (shared->refused[0])
		return false;
	n = snprintf(shared->refused, sizeof(shared->refused), "%.200s:%u: ", r->bound->desc->file, line);
	va_start(ap, fmt);
	(void)vsnprintf(shared->refused + n, sizeof(shared->refused) - (size_t)n, fmt, ap);
	va_end(ap);
	return false;
}

const char *kd_keep(struct kd_run *r, const char *text, size_t n)
{
	struct ekka_meaning *m = r->meaning;
	char *kept = m->text + m->text_len;

	if (n >= sizeof(m->text) - m->text_len) {
		kd_refuse(r, r->line, "names and texts of more than %zu bytes", sizeof(m->text));
		return NULL;
	}
	memcpy(kept, text, n);
	kept[n] = '\0';
	m->text_len += n + 1;
	return kept;
}
bool kd_eval_text(struct kd_run *r, const struct kd_node *n, const char **ret)
{
	struct kd_value v;
	char digits[32];

	if (!kd_eval(r, n, &v))
		return false;
	if (v.kind == KD_TEXT) {
		*ret = v.s;
	} else if (v.kind == KD_DTYPE) {
		*ret = ekka_dtype_name(v.t);
	} else if (v.kind == KD_INT) {
		int len = snprintf(digits, sizeof(digits), "%lld", (long long)v.i);

		*ret = kd_keep(r, digits, (size_t)len);
	} else {
		return kd_refuse(r, n->line, "%s in a text", kd_kind_name(v.kind));
	}
	return *ret != NULL;
}

bool kd_join(struct kd_run *r, const struct kd_node *n, const char *a, const char *b, struct kd_value *ret)
{
	char text[KD_TEXT_BYTES];
	size_t na = strlen(a), nb = strlen(b);

	if (na + nb >= sizeof(text))
		return kd_refuse(r, n->line, "a text of more than %d bytes", KD_TEXT_BYTES);
	memcpy(text, a, na);
	memcpy(text + na, b, nb);
	*ret = (struct kd_value){ .kind = KD_TEXT, .s = kd_keep(r, text, na + nb) };
	return ret->s != NULL;
}
/* sum and prod. */
static bool fold(struct kd_run *r, const struct kd_node *n, struct kd_value *ret)
{
	int64_t count, total = n->kind == KD_N_PROD;

	if (!kd_eval_int(r, n->a, &count))
		return false;
	if (count > KD_LOOP_MAX)
		return kd_refuse(r, n->line, "a loop of more than %d turns", KD_LOOP_MAX);
	for (int64_t i = 0; i < count; i++) {
		int64_t v;

		(void)kd_set_int(&r->slots[n->op], i);
		if (!kd_eval_int(r, n->b, &v))
			return false;
		if (n->kind == KD_N_PROD ? __builtin_mul_overflow(total, v, &total) : __builtin_add_overflow(total, v, &total))
			return kd_overflow(r, n);
	}
	return kd_set_int(ret, total);
}
static bool launch_fact(struct kd_run *r, const struct kd_node *n, struct kd_value *ret)
{
	const struct ekka_launch_facts *l = r->launch;

	if (!l)
		return kd_refuse(r, n->line, "a launch's facts before there is a launch");
	if (n->kind == KD_N_PARAMS)
		return kd_set_int(ret, l->n_params);
	return kd_set_int(ret, n->op < 3 ? l->grid[n->op] : n->op < 6 ? l->block[n->op - 3] : l->shared);
}

/* What the functor said. */
static bool functor_fact(struct kd_run *r, const struct kd_node *n, struct kd_value *ret)
{
	const struct ekka_meaning *m = r->meaning;

	if (n->kind == KD_N_ARITY)
		return kd_set_int(ret, r->shared->arity);
	if (n->kind == KD_N_RET)
		return r->shared->has_ret ? kd_set_dtype(ret, r->shared->ret) : kd_refuse(r, n->line, "no functor said what it returns");
	for (unsigned i = 0; i < m->n_attrs; i++) {
		if (strcmp(m->attrs[i].name, "expr") == 0) {
			*ret = (struct kd_value){ .kind = KD_TEXT, .s = m->attrs[i].value.s };
			return true;
		}
	}
	return kd_refuse(r, n->line, "there is no expr yet");
}

/* The last functor that lets the name. */
static bool exported(struct kd_run *r, const struct kd_node *n, struct kd_value *ret)
{
	for (unsigned i = r->shared->n_exports; i-- > 0;) {
		if (strcmp(r->shared->exports[i].name, n->value.s) == 0) {
			*ret = r->shared->exports[i].value;
			return true;
		}
	}
	return kd_refuse(r, n->line, "the functor says nothing of '%s'", n->value.s);
}

static bool known(struct kd_run *r, const struct kd_node *n, const struct kd_value *v, struct kd_value *ret)
{
	*ret = *v;
	return v->kind != KD_UNSET || kd_refuse(r, n->line, "%s", kd_kind_name(v->kind));
}

bool kd_eval(struct kd_run *r, const struct kd_node *n, struct kd_value *ret)
{
	const char *a, *b;
	bool x;

	if (++r->shared->steps > KD_STEPS_MAX)
		return kd_refuse(r, n->line, "more than %d steps", KD_STEPS_MAX);
	switch (n->kind) {
	case KD_N_CONST: *ret = n->value; return true;
	case KD_N_SLOT:
	case KD_N_SELF: return known(r, n, n->kind == KD_N_SLOT ? &r->slots[n->op] : &r->self, ret);
	case KD_N_EXPORT: return exported(r, n, ret);
	case KD_N_CAPTURE: *ret = (struct kd_value){ .kind = KD_TEXT, .s = r->bound->captures[n->op] }; return true;
	case KD_N_PARAM: return kd_set_place(ret, n->op, 0);
	case KD_N_FACT:
	case KD_N_PARAMS: return launch_fact(r, n, ret);
	case KD_N_ARITY:
	case KD_N_RET:
	case KD_N_EXPR: return functor_fact(r, n, ret);
	case KD_N_UNARY: return kd_unary(r, n, ret);
	case KD_N_BINARY: return kd_binary(r, n, ret);
	case KD_N_COND: return kd_eval_true(r, n->a, &x) && kd_eval(r, x ? n->b : n->c, ret);
	case KD_N_CALL: return kd_call(r, n, ret);
	case KD_N_SUM:
	case KD_N_PROD: return fold(r, n, ret);
	case KD_N_JOIN: return kd_eval_text(r, n->a, &a) && kd_eval_text(r, n->b, &b) && kd_join(r, n, a, b, ret);
	}
	return false;
}

bool kd_eval_int(struct kd_run *r, const struct kd_node *n, int64_t *ret)
{
	struct kd_value v;

	if (!kd_eval(r, n, &v))
		return false;
	if (v.kind != KD_INT)
		return kd_refuse(r, n->line, "%s where a whole number belongs", kd_kind_name(v.kind));
	*ret = v.i;
	return true;
}

bool kd_eval_true(struct kd_run *r, const struct kd_node *n, bool *ret)
{
	struct kd_value v;

	if (!kd_eval(r, n, &v))
		return false;
	if (!kd_is_number(&v))
		return kd_refuse(r, n->line, "%s where yes or no belongs", kd_kind_name(v.kind));
	*ret = v.kind == KD_INT ? v.i != 0 : v.r != 0;
	return true;
}

bool kd_each_item(struct kd_run *r, const struct kd_item *item, bool (*take)(struct kd_run *, const struct kd_value *, void *), void *arg)
{
	for (; item; item = item->next) {
		int64_t count = 1;

		if (item->count && !kd_eval_int(r, item->count, &count))
			return false;
		if (count > KD_LOOP_MAX)
			return kd_refuse(r, item->e->line, "a loop of more than %d turns", KD_LOOP_MAX);
		for (int64_t i = 0; i < count; i++) {
			struct kd_value v;

			if (item->slot >= 0)
				(void)kd_set_int(&r->slots[item->slot], i);
			if (!kd_eval(r, item->e, &v) || !take(r, &v, arg))
				return false;
		}
	}
	return true;
}
