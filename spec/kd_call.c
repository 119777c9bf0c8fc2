/* SPDX-License-Identifier: Apache-2.0 */
/* Functions of expressions. */
#include "config.h"

#include "spec/kd_value.h"

#include <string.h>

/* "3", "-1", "true", "(ns::Enum)2" */
static bool text_int(const char *s, int64_t *ret)
{
	const char *cast = *s == '(' ? strrchr(s, ')') : NULL;
	bool negative;
	int64_t v = 0;

	if (strcmp(s, "true") == 0 || strcmp(s, "false") == 0) {
		*ret = *s == 't';
		return true;
	}
	s = cast ? cast + 1 : s;
	negative = *s == '-';
	s += negative;
	if (!*s)
		return false;
	for (; *s; s++)
		if (*s < '0' || *s > '9' || __builtin_mul_overflow(v, 10, &v) || __builtin_add_overflow(v, *s - '0', &v))
			return false;
	*ret = negative ? -v : v;
	return true;
}

static bool text_has(const char *text, const char *part)
{
	for (; *text; text++) {
		const char *a = text, *b = part;

		for (; *b; b++) {
			while (*a == ' ')
				a++;
			if (*b != ' ' && *a++ != *b)
				break;
		}
		if (!*b)
			return true;
	}
	return !*part;
}
static bool min_max(struct kd_run *r, const struct kd_node *n, const struct kd_value *a, const struct kd_value *b, struct kd_value *ret)
{
	bool less;

	if (!kd_is_number(a) || !kd_is_number(b))
		return kd_refuse(r, n->line, "min and max take numbers");
	less = a->kind == KD_INT && b->kind == KD_INT ? a->i < b->i : kd_real_of(a) < kd_real_of(b);
	*ret = less == (n->op == KD_FN_MIN) ? *a : *b;
	return true;
}

static bool ceil_div(struct kd_run *r, const struct kd_node *n, const struct kd_value *a, const struct kd_value *b, struct kd_value *ret)
{
	if (a->kind != KD_INT || b->kind != KD_INT || a->i < 0 || b->i <= 0)
		return kd_refuse(r, n->line, "ceil_div takes a whole number from 0 and one from 1");
	return kd_set_int(ret, a->i / b->i + (a->i % b->i != 0));
}

static bool absolute(struct kd_run *r, const struct kd_node *n, const struct kd_value *a, struct kd_value *ret)
{
	if (!kd_is_number(a))
		return kd_refuse(r, n->line, "abs takes a number");
	if (a->kind == KD_REAL)
		return kd_set_real(ret, a->r < 0 ? -a->r : a->r);
	return a->i == INT64_MIN ? kd_overflow(r, n) : kd_set_int(ret, a->i < 0 ? -a->i : a->i);
}

/* Functions of a text. */
static bool of_text(struct kd_run *r, const struct kd_node *n, const struct kd_value *a, const struct kd_value *b, struct kd_value *ret)
{
	enum ekka_dtype t;
	int64_t i;

	if (a->kind == KD_DTYPE && n->op == KD_FN_DTYPE)
		return kd_set_dtype(ret, a->t);
	if (a->kind != KD_TEXT || (b && b->kind != KD_TEXT))
		return kd_refuse(r, n->line, "%s where a text belongs", kd_kind_name(a->kind != KD_TEXT ? a->kind : b->kind));
	if (b)
		return kd_set_int(ret, text_has(a->s, b->s));
	if (n->op == KD_FN_DTYPE)
		return kd_dtype(a->s, &t) ? kd_set_dtype(ret, t) : kd_refuse(r, n->line, "'%.100s' is no known element type", a->s);
	if (!text_int(a->s, &i))
		return kd_refuse(r, n->line, "'%.100s' is no whole number", a->s);
	return n->op == KD_FN_INT ? kd_set_int(ret, i) : kd_set_real(ret, (double)i);
}

/* Functions of a number that say something about types and parameters. */
static bool of_number(struct kd_run *r, const struct kd_node *n, const struct kd_value *a, struct kd_value *ret)
{
	enum ekka_dtype t;

	if (a->kind != KD_INT)
		return kd_refuse(r, n->line, "%s where a whole number belongs", kd_kind_name(a->kind));
	if (n->op == KD_FN_PARAM)
		return kd_set_place(ret, a->i, 0);
	if (n->op == KD_FN_SCALAR_TYPE)
		return kd_scalar_type(a->i, &t) ? kd_set_dtype(ret, t) : kd_refuse(r, n->line, "no element type for scalar type %lld", (long long)a->i);
	if (a->i < 0 || a->i >= r->shared->arity)
		return kd_refuse(r, n->line, "the functor has no argument %lld", (long long)a->i);
	return kd_set_dtype(ret, r->shared->arg[a->i]);
}

static bool bytes_of(struct kd_run *r, const struct kd_node *n, const struct kd_value *a, struct kd_value *ret)
{
	if (a->kind != KD_PLACE || !r->launch)
		return kd_refuse(r, n->line, "bytes takes a parameter");
	return kd_set_int(ret, a->place.param >= 0 && a->place.param < r->launch->n_params ? r->launch->param_bytes[a->place.param] : 0);
}

/* Bytes from an address to the end of its allocation: for tensors of which no parameter says how long they are. */
static bool room_at(struct kd_run *r, const struct kd_node *n, const struct kd_value *a, struct kd_value *ret)
{
	const struct ekka_launch_facts *l = r->launch;
	uint64_t start, bytes;

	if (a->kind != KD_INT || !l)
		return kd_refuse(r, n->line, "room takes an address");
	if (!l->range && l->known && (bytes = l->known(l->arg, (uint64_t)a->i)) > 0)
		return kd_set_int(ret, (int64_t)bytes);
	if (!l->range)
		return kd_refuse(r, n->line, "allocations are not known here, and no parameter says how long this tensor is");
	if (!l->range(l->arg, (uint64_t)a->i, &start, &bytes) || (uint64_t)a->i < start || (uint64_t)a->i - start > bytes)
		return kd_refuse(r, n->line, "0x%llx lies in no live allocation", (unsigned long long)a->i);
	return kd_set_int(ret, (int64_t)(bytes - ((uint64_t)a->i - start)));
}

bool kd_call(struct kd_run *r, const struct kd_node *n, struct kd_value *ret)
{
	struct kd_value a, b;

	if (!kd_eval(r, n->a, &a) || (n->b && !kd_eval(r, n->b, &b)))
		return false;
	switch ((enum kd_fn)n->op) {
	case KD_FN_MIN:
	case KD_FN_MAX: return min_max(r, n, &a, &b, ret);
	case KD_FN_CEIL_DIV: return ceil_div(r, n, &a, &b, ret);
	case KD_FN_ABS: return absolute(r, n, &a, ret);
	case KD_FN_HAS:
	case KD_FN_DTYPE:
	case KD_FN_INT:
	case KD_FN_REAL: return of_text(r, n, &a, n->b ? &b : NULL, ret);
	case KD_FN_PARAM:
	case KD_FN_SCALAR_TYPE:
	case KD_FN_ARG: return of_number(r, n, &a, ret);
	case KD_FN_ROOM: return room_at(r, n, &a, ret);
	case KD_FN_BYTES: return bytes_of(r, n, &a, ret);
	case KD_FN_SIZE:
	case KD_FN_NAME:
		if (a.kind != KD_DTYPE)
			return kd_refuse(r, n->line, "%s where an element type belongs", kd_kind_name(a.kind));
		if (n->op == KD_FN_SIZE)
			return kd_set_int(ret, (int64_t)ekka_dtype_bytes(a.t));
		*ret = (struct kd_value){ .kind = KD_TEXT, .s = ekka_dtype_name(a.t) };
		return true;
	case KD_FN_VALUE: return kd_read_value(r, n, &a, &b, ret);
	default: return kd_read_place(r, n, (enum kd_fn)n->op, &a, ret);
	}
}
