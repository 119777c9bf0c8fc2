/* SPDX-License-Identifier: Apache-2.0 */
/* Operators: what does not fit 64 bits refuses the launch. */
#include "config.h"

#include "spec/kd_value.h"

#include <limits.h>

bool kd_overflow(struct kd_run *r, const struct kd_node *n)
{
	return kd_refuse(r, n->line, "a number that does not fit 64 bits");
}

static bool compare(struct kd_run *r, const struct kd_node *n, int order, struct kd_value *ret)
{
	switch (n->op) {
	case KD_OP_EQ: return kd_set_int(ret, order == 0);
	case KD_OP_NE: return kd_set_int(ret, order != 0);
	case '<': return kd_set_int(ret, order < 0);
	case '>': return kd_set_int(ret, order > 0);
	case KD_OP_LE: return kd_set_int(ret, order <= 0);
	case KD_OP_GE: return kd_set_int(ret, order >= 0);
	default: return kd_refuse(r, n->line, "an operator that its operands do not have");
	}
}

static bool int_op(struct kd_run *r, const struct kd_node *n, int64_t a, int64_t b, struct kd_value *ret)
{
	int64_t v;

	switch (n->op) {
	case '+': return __builtin_add_overflow(a, b, &v) ? kd_overflow(r, n) : kd_set_int(ret, v);
	case '-': return __builtin_sub_overflow(a, b, &v) ? kd_overflow(r, n) : kd_set_int(ret, v);
	case '*': return __builtin_mul_overflow(a, b, &v) ? kd_overflow(r, n) : kd_set_int(ret, v);
	case '/':
	case '%':
		if (b == 0)
			return kd_refuse(r, n->line, "a division by zero");
		if (b == -1)
			return n->op == '%' ? kd_set_int(ret, 0) : a == INT64_MIN ? kd_overflow(r, n) : kd_set_int(ret, -a);
		return kd_set_int(ret, n->op == '/' ? a / b : a % b);
	case '&': return kd_set_int(ret, a & b);
	case '|': return kd_set_int(ret, a | b);
	case '^': return kd_set_int(ret, a ^ b);
	case KD_OP_SHL:
	case KD_OP_SHR:
		if (b < 0 || b > 63)
			return kd_refuse(r, n->line, "a shift by %lld", (long long)b);
		return kd_set_int(ret, n->op == KD_OP_SHL ? (int64_t)((uint64_t)a << b) : a >> b);
	default: return compare(r, n, a < b ? -1 : a > b, ret);
	}
}

static bool real_op(struct kd_run *r, const struct kd_node *n, double a, double b, struct kd_value *ret)
{
	switch (n->op) {
	case '+': return kd_set_real(ret, a + b);
	case '-': return kd_set_real(ret, a - b);
	case '*': return kd_set_real(ret, a * b);
	case '/': return kd_set_real(ret, a / b);
	case KD_OP_EQ: return kd_set_int(ret, a == b);
	case KD_OP_NE: return kd_set_int(ret, a != b);
	case '<': return kd_set_int(ret, a < b);
	case '>': return kd_set_int(ret, a > b);
	case KD_OP_LE: return kd_set_int(ret, a <= b);
	case KD_OP_GE: return kd_set_int(ret, a >= b);
	default: return kd_refuse(r, n->line, "an operator that real numbers do not have");
	}
}

/* A place and a distance, or the difference of nothing else. */
static bool place_op(struct kd_run *r, const struct kd_node *n, const struct kd_value *a, const struct kd_value *b, struct kd_value *ret)
{
	const struct kd_value *place = a->kind == KD_PLACE ? a : b, *by = a->kind == KD_PLACE ? b : a;
	int64_t offset;

	if (by->kind != KD_INT || (n->op != '+' && !(n->op == '-' && place == a)))
		return kd_refuse(r, n->line, "a place takes + and - with a whole number");
	if (n->op == '+' ? __builtin_add_overflow(place->place.offset, by->i, &offset)
			 : __builtin_sub_overflow(place->place.offset, by->i, &offset))
		return kd_overflow(r, n);
	return kd_set_place(ret, place->place.param, offset);
}

static bool text_op(struct kd_run *r, const struct kd_node *n, const struct kd_value *a, const struct kd_value *b, struct kd_value *ret)
{
	const char *x = a->kind == KD_DTYPE ? ekka_dtype_name(a->t) : a->s, *y = b->kind == KD_DTYPE ? ekka_dtype_name(b->t) : b->s;

	if (n->op == '+')
		return kd_join(r, n, x, y, ret);
	if (n->op != KD_OP_EQ && n->op != KD_OP_NE)
		return kd_refuse(r, n->line, "texts and types have ==, != and + alone");
	return kd_set_int(ret, kd_text_same(x, y) == (n->op == KD_OP_EQ));
}

static bool is_text(const struct kd_value *v)
{
	return v->kind == KD_TEXT || v->kind == KD_DTYPE;
}

bool kd_binary(struct kd_run *r, const struct kd_node *n, struct kd_value *ret)
{
	struct kd_value a, b;
	bool x, y;

	if (n->op == KD_OP_AND || n->op == KD_OP_OR) {
		if (!kd_eval_true(r, n->a, &x))
			return false;
		if (x == (n->op == KD_OP_OR))
			return kd_set_int(ret, x);
		return kd_eval_true(r, n->b, &y) && kd_set_int(ret, y);
	}
	if (!kd_eval(r, n->a, &a) || !kd_eval(r, n->b, &b))
		return false;
	if (a.kind == KD_INT && b.kind == KD_INT)
		return int_op(r, n, a.i, b.i, ret);
	if (kd_is_number(&a) && kd_is_number(&b))
		return real_op(r, n, kd_real_of(&a), kd_real_of(&b), ret);
	if (is_text(&a) && is_text(&b))
		return text_op(r, n, &a, &b, ret);
	if (a.kind == KD_PLACE || b.kind == KD_PLACE)
		return place_op(r, n, &a, &b, ret);
	return kd_refuse(r, n->line, "%s and %s do not go together", kd_kind_name(a.kind), kd_kind_name(b.kind));
}

bool kd_unary(struct kd_run *r, const struct kd_node *n, struct kd_value *ret)
{
	struct kd_value a;
	bool x;

	if (n->op == '!')
		return kd_eval_true(r, n->a, &x) && kd_set_int(ret, !x);
	if (!kd_eval(r, n->a, &a))
		return false;
	if (a.kind == KD_REAL && n->op == '-')
		return kd_set_real(ret, -a.r);
	if (a.kind != KD_INT)
		return kd_refuse(r, n->line, "%s where a number belongs", kd_kind_name(a.kind));
	if (n->op == '~')
		return kd_set_int(ret, ~a.i);
	return a.i == INT64_MIN ? kd_overflow(r, n) : kd_set_int(ret, -a.i);
}
