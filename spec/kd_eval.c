/* SPDX-License-Identifier: Apache-2.0 */
/* Values of expressions. Nothing here trusts a parameter: every read, sum and product is checked. */
#include "config.h"

#include "spec/kd.h"

#include <stdio.h>
#include <string.h>

static const char *kind_name(enum kd_kind kind)
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

static bool set_int(struct kd_value *v, int64_t i)
{
	*v = (struct kd_value){ .kind = KD_INT, .i = i };
	return true;
}

static bool set_real(struct kd_value *v, double d)
{
	*v = (struct kd_value){ .kind = KD_REAL, .r = d };
	return true;
}

static bool set_dtype(struct kd_value *v, enum ekka_dtype t)
{
	*v = (struct kd_value){ .kind = KD_DTYPE, .t = t };
	return true;
}

static bool set_place(struct kd_value *v, int64_t param, int64_t offset)
{
	*v = (struct kd_value){ .kind = KD_PLACE, .place = { param, offset } };
	return true;
}

static bool number(const struct kd_value *v)
{
	return v->kind == KD_INT || v->kind == KD_REAL;
}

static double real_of(const struct kd_value *v)
{
	return v->kind == KD_INT ? (double)v->i : v->r;
}

/* ---- parameters --------------------------------------------------------------- */

/* Binary16 and its relatives: sign, exponent, mantissa. */
static double small_float(uint32_t bits, unsigned mantissa_bits, unsigned exponent_bits)
{
	uint32_t exponent = bits >> mantissa_bits & ((1u << exponent_bits) - 1), mantissa = bits & ((1u << mantissa_bits) - 1);
	uint32_t sign = bits >> (mantissa_bits + exponent_bits) & 1, wide;
	double v = mantissa;
	int e = (int)exponent - (1 << (exponent_bits - 1)) + 1 - (int)mantissa_bits;
	float f;

	if (exponent == (1u << exponent_bits) - 1) {	/* infinities and NaN: as binary32's */
		wide = sign << 31 | 0x7f800000u | mantissa << (23 - mantissa_bits);
		memcpy(&f, &wide, sizeof(f));
		return f;
	}
	if (exponent)
		v += 1u << mantissa_bits;
	else
		e++;
	for (; e > 0; e--)
		v *= 2;
	for (; e < 0; e++)
		v /= 2;
	return sign ? -v : v;
}

static unsigned fn_bytes(enum kd_fn fn)
{
	static const uint8_t bytes[] = {
		[KD_FN_I8] = 1, [KD_FN_U8] = 1, [KD_FN_I16] = 2, [KD_FN_U16] = 2, [KD_FN_I32] = 4, [KD_FN_U32] = 4, [KD_FN_I64] = 8,
		[KD_FN_U64] = 8, [KD_FN_F16] = 2, [KD_FN_BF16] = 2, [KD_FN_F32] = 4, [KD_FN_F64] = 8, [KD_FN_PTR] = 8, [KD_FN_BOOL] = 1,
	};

	return bytes[fn];
}

static bool decode(enum kd_fn fn, const uint8_t *p, struct kd_value *ret)
{
	uint64_t u = 0;
	double d;
	float f;

	memcpy(&u, p, fn_bytes(fn));	/* little-endian, as every host of a GPU */
	switch (fn) {
	case KD_FN_I8: return set_int(ret, (int8_t)u);
	case KD_FN_I16: return set_int(ret, (int16_t)u);
	case KD_FN_I32: return set_int(ret, (int32_t)u);
	case KD_FN_BOOL: return set_int(ret, u != 0);
	case KD_FN_F16: return set_real(ret, small_float((uint32_t)u, 10, 5));
	case KD_FN_BF16: return set_real(ret, small_float((uint32_t)u, 7, 8));
	case KD_FN_F32: memcpy(&f, p, sizeof(f)); return set_real(ret, f);
	case KD_FN_F64: memcpy(&d, p, sizeof(d)); return set_real(ret, d);
	default: return set_int(ret, (int64_t)u);
	}
}

static bool read_place(struct kd_run *r, const struct kd_node *n, enum kd_fn fn, const struct kd_value *at, struct kd_value *ret)
{
	const struct ekka_launch_facts *launch = r->launch;
	unsigned bytes = fn_bytes(fn);

	if (!launch)
		return kd_refuse(r, n->line, "a parameter before there is a launch");
	if (at->kind != KD_PLACE)
		return kd_refuse(r, n->line, "%s where a parameter's place belongs", kind_name(at->kind));
	if (at->place.param < 0 || at->place.param >= launch->n_params || !launch->param[at->place.param])
		return kd_refuse(r, n->line, "there is no parameter p%lld", (long long)at->place.param);
	if (at->place.offset < 0 || launch->param_bytes[at->place.param] < bytes ||
	    at->place.offset > launch->param_bytes[at->place.param] - (int64_t)bytes)
		return kd_refuse(r, n->line, "%u bytes at %lld of parameter p%lld, which has %u", bytes, (long long)at->place.offset,
				 (long long)at->place.param, launch->param_bytes[at->place.param]);
	return decode(fn, (const uint8_t *)launch->param[at->place.param] + at->place.offset, ret);
}

/* An element of a type. */
static bool read_value(struct kd_run *r, const struct kd_node *n, const struct kd_value *type, const struct kd_value *at, struct kd_value *ret)
{
	static const struct { enum ekka_dtype t; enum kd_fn fn; } fns[] = {
		{ EKKA_F64, KD_FN_F64 }, { EKKA_F32, KD_FN_F32 }, { EKKA_F16, KD_FN_F16 }, { EKKA_BF16, KD_FN_BF16 }, { EKKA_I8, KD_FN_I8 },
		{ EKKA_U8, KD_FN_U8 }, { EKKA_I16, KD_FN_I16 }, { EKKA_U16, KD_FN_U16 }, { EKKA_I32, KD_FN_I32 }, { EKKA_U32, KD_FN_U32 }, { EKKA_I64, KD_FN_I64 }, { EKKA_U64, KD_FN_U64 },
	};

	for (size_t i = 0; type->kind == KD_DTYPE && i < sizeof(fns) / sizeof(*fns); i++)
		if (fns[i].t == type->t)
			return read_place(r, n, fns[i].fn, at, ret);
	return kd_refuse(r, n->line, "value takes a type of real or whole numbers, not %s",
			 type->kind == KD_DTYPE ? ekka_dtype_name(type->t) : kind_name(type->kind));
}

/* ---- texts ------------------------------------------------------------------------ */

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
		return kd_refuse(r, n->line, "%s in a text", kind_name(v.kind));
	}
	return *ret != NULL;
}

static bool join(struct kd_run *r, const struct kd_node *n, const char *a, const char *b, struct kd_value *ret)
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

/* ---- operators ---------------------------------------------------------------------- */

static bool overflow(struct kd_run *r, const struct kd_node *n)
{
	return kd_refuse(r, n->line, "a number that does not fit 64 bits");
}

static bool compare(struct kd_run *r, const struct kd_node *n, int order, struct kd_value *ret)
{
	switch (n->op) {
	case KD_OP_EQ: return set_int(ret, order == 0);
	case KD_OP_NE: return set_int(ret, order != 0);
	case '<': return set_int(ret, order < 0);
	case '>': return set_int(ret, order > 0);
	case KD_OP_LE: return set_int(ret, order <= 0);
	case KD_OP_GE: return set_int(ret, order >= 0);
	default: return kd_refuse(r, n->line, "an operator that its operands do not have");
	}
}

static bool int_op(struct kd_run *r, const struct kd_node *n, int64_t a, int64_t b, struct kd_value *ret)
{
	int64_t v;

	switch (n->op) {
	case '+': return __builtin_add_overflow(a, b, &v) ? overflow(r, n) : set_int(ret, v);
	case '-': return __builtin_sub_overflow(a, b, &v) ? overflow(r, n) : set_int(ret, v);
	case '*': return __builtin_mul_overflow(a, b, &v) ? overflow(r, n) : set_int(ret, v);
	case '/':
	case '%':
		if (b == 0)
			return kd_refuse(r, n->line, "a division by zero");
		if (b == -1)
			return n->op == '%' ? set_int(ret, 0) : a == INT64_MIN ? overflow(r, n) : set_int(ret, -a);
		return set_int(ret, n->op == '/' ? a / b : a % b);
	case '&': return set_int(ret, a & b);
	case '|': return set_int(ret, a | b);
	case '^': return set_int(ret, a ^ b);
	case KD_OP_SHL:
	case KD_OP_SHR:
		if (b < 0 || b > 63)
			return kd_refuse(r, n->line, "a shift by %lld", (long long)b);
		return set_int(ret, n->op == KD_OP_SHL ? (int64_t)((uint64_t)a << b) : a >> b);
	default: return compare(r, n, a < b ? -1 : a > b, ret);
	}
}

static bool real_op(struct kd_run *r, const struct kd_node *n, double a, double b, struct kd_value *ret)
{
	switch (n->op) {
	case '+': return set_real(ret, a + b);
	case '-': return set_real(ret, a - b);
	case '*': return set_real(ret, a * b);
	case '/': return set_real(ret, a / b);
	case KD_OP_EQ: return set_int(ret, a == b);
	case KD_OP_NE: return set_int(ret, a != b);
	case '<': return set_int(ret, a < b);
	case '>': return set_int(ret, a > b);
	case KD_OP_LE: return set_int(ret, a <= b);
	case KD_OP_GE: return set_int(ret, a >= b);
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
		return overflow(r, n);
	return set_place(ret, place->place.param, offset);
}

static bool text_op(struct kd_run *r, const struct kd_node *n, const struct kd_value *a, const struct kd_value *b, struct kd_value *ret)
{
	const char *x = a->kind == KD_DTYPE ? ekka_dtype_name(a->t) : a->s, *y = b->kind == KD_DTYPE ? ekka_dtype_name(b->t) : b->s;

	if (n->op == '+')
		return join(r, n, x, y, ret);
	if (n->op != KD_OP_EQ && n->op != KD_OP_NE)
		return kd_refuse(r, n->line, "texts and types have ==, != and + alone");
	return set_int(ret, kd_text_same(x, y) == (n->op == KD_OP_EQ));
}

static bool is_text(const struct kd_value *v)
{
	return v->kind == KD_TEXT || v->kind == KD_DTYPE;
}

static bool binary(struct kd_run *r, const struct kd_node *n, struct kd_value *ret)
{
	struct kd_value a, b;
	bool x, y;

	if (n->op == KD_OP_AND || n->op == KD_OP_OR) {
		if (!kd_eval_true(r, n->a, &x))
			return false;
		if (x == (n->op == KD_OP_OR))
			return set_int(ret, x);
		return kd_eval_true(r, n->b, &y) && set_int(ret, y);
	}
	if (!kd_eval(r, n->a, &a) || !kd_eval(r, n->b, &b))
		return false;
	if (a.kind == KD_INT && b.kind == KD_INT)
		return int_op(r, n, a.i, b.i, ret);
	if (number(&a) && number(&b))
		return real_op(r, n, real_of(&a), real_of(&b), ret);
	if (is_text(&a) && is_text(&b))
		return text_op(r, n, &a, &b, ret);
	if (a.kind == KD_PLACE || b.kind == KD_PLACE)
		return place_op(r, n, &a, &b, ret);
	return kd_refuse(r, n->line, "%s and %s do not go together", kind_name(a.kind), kind_name(b.kind));
}

static bool unary(struct kd_run *r, const struct kd_node *n, struct kd_value *ret)
{
	struct kd_value a;
	bool x;

	if (n->op == '!')
		return kd_eval_true(r, n->a, &x) && set_int(ret, !x);
	if (!kd_eval(r, n->a, &a))
		return false;
	if (a.kind == KD_REAL && n->op == '-')
		return set_real(ret, -a.r);
	if (a.kind != KD_INT)
		return kd_refuse(r, n->line, "%s where a number belongs", kind_name(a.kind));
	if (n->op == '~')
		return set_int(ret, ~a.i);
	return a.i == INT64_MIN ? overflow(r, n) : set_int(ret, -a.i);
}

/* ---- functions ------------------------------------------------------------------------ */

static bool min_max(struct kd_run *r, const struct kd_node *n, const struct kd_value *a, const struct kd_value *b, struct kd_value *ret)
{
	bool less;

	if (!number(a) || !number(b))
		return kd_refuse(r, n->line, "min and max take numbers");
	less = a->kind == KD_INT && b->kind == KD_INT ? a->i < b->i : real_of(a) < real_of(b);
	*ret = less == (n->op == KD_FN_MIN) ? *a : *b;
	return true;
}

static bool ceil_div(struct kd_run *r, const struct kd_node *n, const struct kd_value *a, const struct kd_value *b, struct kd_value *ret)
{
	if (a->kind != KD_INT || b->kind != KD_INT || a->i < 0 || b->i <= 0)
		return kd_refuse(r, n->line, "ceil_div takes a whole number from 0 and one from 1");
	return set_int(ret, a->i / b->i + (a->i % b->i != 0));
}

static bool absolute(struct kd_run *r, const struct kd_node *n, const struct kd_value *a, struct kd_value *ret)
{
	if (!number(a))
		return kd_refuse(r, n->line, "abs takes a number");
	if (a->kind == KD_REAL)
		return set_real(ret, a->r < 0 ? -a->r : a->r);
	return a->i == INT64_MIN ? overflow(r, n) : set_int(ret, a->i < 0 ? -a->i : a->i);
}

/* Functions of a text. */
static bool of_text(struct kd_run *r, const struct kd_node *n, const struct kd_value *a, const struct kd_value *b, struct kd_value *ret)
{
	enum ekka_dtype t;
	int64_t i;

	if (a->kind == KD_DTYPE && n->op == KD_FN_DTYPE)
		return set_dtype(ret, a->t);
	if (a->kind != KD_TEXT || (b && b->kind != KD_TEXT))
		return kd_refuse(r, n->line, "%s where a text belongs", kind_name(a->kind != KD_TEXT ? a->kind : b->kind));
	if (b)
		return set_int(ret, text_has(a->s, b->s));
	if (n->op == KD_FN_DTYPE)
		return kd_dtype(a->s, &t) ? set_dtype(ret, t) : kd_refuse(r, n->line, "'%.100s' is no known element type", a->s);
	if (!text_int(a->s, &i))
		return kd_refuse(r, n->line, "'%.100s' is no whole number", a->s);
	return n->op == KD_FN_INT ? set_int(ret, i) : set_real(ret, (double)i);
}

/* Functions of a number that say something about types and parameters. */
static bool of_number(struct kd_run *r, const struct kd_node *n, const struct kd_value *a, struct kd_value *ret)
{
	enum ekka_dtype t;

	if (a->kind != KD_INT)
		return kd_refuse(r, n->line, "%s where a whole number belongs", kind_name(a->kind));
	if (n->op == KD_FN_PARAM)
		return set_place(ret, a->i, 0);
	if (n->op == KD_FN_SCALAR_TYPE)
		return kd_scalar_type(a->i, &t) ? set_dtype(ret, t) : kd_refuse(r, n->line, "no element type for scalar type %lld", (long long)a->i);
	if (a->i < 0 || a->i >= r->shared->arity)
		return kd_refuse(r, n->line, "the functor has no argument %lld", (long long)a->i);
	return set_dtype(ret, r->shared->arg[a->i]);
}

static bool bytes_of(struct kd_run *r, const struct kd_node *n, const struct kd_value *a, struct kd_value *ret)
{
	if (a->kind != KD_PLACE || !r->launch)
		return kd_refuse(r, n->line, "bytes takes a parameter");
	return set_int(ret, a->place.param >= 0 && a->place.param < r->launch->n_params ? r->launch->param_bytes[a->place.param] : 0);
}

static bool call(struct kd_run *r, const struct kd_node *n, struct kd_value *ret)
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
	case KD_FN_BYTES: return bytes_of(r, n, &a, ret);
	case KD_FN_SIZE:
	case KD_FN_NAME:
		if (a.kind != KD_DTYPE)
			return kd_refuse(r, n->line, "%s where an element type belongs", kind_name(a.kind));
		if (n->op == KD_FN_SIZE)
			return set_int(ret, (int64_t)ekka_dtype_bytes(a.t));
		*ret = (struct kd_value){ .kind = KD_TEXT, .s = ekka_dtype_name(a.t) };
		return true;
	case KD_FN_VALUE: return read_value(r, n, &a, &b, ret);
	default: return read_place(r, n, (enum kd_fn)n->op, &a, ret);
	}
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

		(void)set_int(&r->slots[n->op], i);
		if (!kd_eval_int(r, n->b, &v))
			return false;
		if (n->kind == KD_N_PROD ? __builtin_mul_overflow(total, v, &total) : __builtin_add_overflow(total, v, &total))
			return overflow(r, n);
	}
	return set_int(ret, total);
}

/* ---- all ----------------------------------------------------------------------------------- */

static bool launch_fact(struct kd_run *r, const struct kd_node *n, struct kd_value *ret)
{
	const struct ekka_launch_facts *l = r->launch;

	if (!l)
		return kd_refuse(r, n->line, "a launch's facts before there is a launch");
	if (n->kind == KD_N_PARAMS)
		return set_int(ret, l->n_params);
	return set_int(ret, n->op < 3 ? l->grid[n->op] : n->op < 6 ? l->block[n->op - 3] : l->shared);
}

/* What the functor said. */
static bool functor_fact(struct kd_run *r, const struct kd_node *n, struct kd_value *ret)
{
	const struct ekka_meaning *m = r->meaning;

	if (n->kind == KD_N_ARITY)
		return set_int(ret, r->shared->arity);
	if (n->kind == KD_N_RET)
		return r->shared->has_ret ? set_dtype(ret, r->shared->ret) : kd_refuse(r, n->line, "no functor said what it returns");
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
	return v->kind != KD_UNSET || kd_refuse(r, n->line, "%s", kind_name(v->kind));
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
	case KD_N_PARAM: return set_place(ret, n->op, 0);
	case KD_N_FACT:
	case KD_N_PARAMS: return launch_fact(r, n, ret);
	case KD_N_ARITY:
	case KD_N_RET:
	case KD_N_EXPR: return functor_fact(r, n, ret);
	case KD_N_UNARY: return unary(r, n, ret);
	case KD_N_BINARY: return binary(r, n, ret);
	case KD_N_COND: return kd_eval_true(r, n->a, &x) && kd_eval(r, x ? n->b : n->c, ret);
	case KD_N_CALL: return call(r, n, ret);
	case KD_N_SUM:
	case KD_N_PROD: return fold(r, n, ret);
	case KD_N_JOIN: return kd_eval_text(r, n->a, &a) && kd_eval_text(r, n->b, &b) && join(r, n, a, b, ret);
	}
	return false;
}

bool kd_eval_int(struct kd_run *r, const struct kd_node *n, int64_t *ret)
{
	struct kd_value v;

	if (!kd_eval(r, n, &v))
		return false;
	if (v.kind != KD_INT)
		return kd_refuse(r, n->line, "%s where a whole number belongs", kind_name(v.kind));
	*ret = v.i;
	return true;
}

bool kd_eval_true(struct kd_run *r, const struct kd_node *n, bool *ret)
{
	struct kd_value v;

	if (!kd_eval(r, n, &v))
		return false;
	if (!number(&v))
		return kd_refuse(r, n->line, "%s where yes or no belongs", kind_name(v.kind));
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
				(void)set_int(&r->slots[item->slot], i);
			if (!kd_eval(r, item->e, &v) || !take(r, &v, arg))
				return false;
		}
	}
	return true;
}
