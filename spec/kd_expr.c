/* SPDX-License-Identifier: Apache-2.0 */
/* Expressions of descriptions: precedence climbing, as in C. Depth is bounded here, so that evaluation may recurse. */
#include "config.h"

#include "spec/kd_node.h"

#include <string.h>

static const struct { const char *name; enum kd_fn fn; unsigned n_args; } functions[] = {
	{ "i8", KD_FN_I8, 1 }, { "u8", KD_FN_U8, 1 }, { "i16", KD_FN_I16, 1 }, { "u16", KD_FN_U16, 1 }, { "i32", KD_FN_I32, 1 },
	{ "u32", KD_FN_U32, 1 }, { "i64", KD_FN_I64, 1 }, { "u64", KD_FN_U64, 1 }, { "f16", KD_FN_F16, 1 }, { "bf16", KD_FN_BF16, 1 },
	{ "f32", KD_FN_F32, 1 }, { "f64", KD_FN_F64, 1 }, { "ptr", KD_FN_PTR, 1 }, { "bool", KD_FN_BOOL, 1 },
	{ "param", KD_FN_PARAM, 1 }, { "bytes", KD_FN_BYTES, 1 }, { "int", KD_FN_INT, 1 }, { "real", KD_FN_REAL, 1 },
	{ "has", KD_FN_HAS, 2 }, { "dtype", KD_FN_DTYPE, 1 }, { "scalar_type", KD_FN_SCALAR_TYPE, 1 }, { "size", KD_FN_SIZE, 1 },
	{ "min", KD_FN_MIN, 2 }, { "max", KD_FN_MAX, 2 }, { "abs", KD_FN_ABS, 1 }, { "ceil_div", KD_FN_CEIL_DIV, 2 },
	{ "arg", KD_FN_ARG, 1 }, { "name", KD_FN_NAME, 1 }, { "value", KD_FN_VALUE, 2 }, { "room", KD_FN_ROOM, 1 },
};
static const struct { const char *name; enum kd_node_kind kind; int op; } words[] = {
	{ "grid_x", KD_N_FACT, 0 }, { "grid_y", KD_N_FACT, 1 }, { "grid_z", KD_N_FACT, 2 }, { "block_x", KD_N_FACT, 3 },
	{ "block_y", KD_N_FACT, 4 }, { "block_z", KD_N_FACT, 5 }, { "shared", KD_N_FACT, 6 },
	{ "params", KD_N_PARAMS, 0 }, { "self", KD_N_SELF, 0 }, { "arity", KD_N_ARITY, 0 }, { "ret", KD_N_RET, 0 }, { "expr", KD_N_EXPR, 0 },
};
/* What ends an expression, or begins a loop. */
static const char *const keywords[] = { "at", "dims", "strides", "if", "for", "with", "sum", "prod" };

enum { N_FUNCTIONS = sizeof(functions) / sizeof(*functions), N_WORDS = sizeof(words) / sizeof(*words),
       N_KEYWORDS = sizeof(keywords) / sizeof(*keywords) };

/* N of `pN`, or -1. */
static int param_number(struct kd_span s)
{
	int n = 0;

	if (s.n < 2 || s.n > 4 || s.p[0] != 'p')
		return -1;
	for (size_t i = 1; i < s.n; i++) {
		if (s.p[i] < '0' || s.p[i] > '9')
			return -1;
		n = n * 10 + (s.p[i] - '0');
	}
	return n;
}

bool kd_reserved(struct kd_span s)
{
	char name[16];
	enum ekka_dtype t;

	for (int i = 0; i < N_FUNCTIONS; i++)
		if (kd_span_is(s, functions[i].name))
			return true;
	for (int i = 0; i < N_WORDS; i++)
		if (kd_span_is(s, words[i].name))
			return true;
	for (int i = 0; i < N_KEYWORDS; i++)
		if (kd_span_is(s, keywords[i]))
			return true;
	if (s.n < sizeof(name)) {
		memcpy(name, s.p, s.n);
		name[s.n] = '\0';
		if (ekka_dtype_from_name(name, &t) == 0)
			return true;
	}
	return param_number(s) >= 0;
}

bool kd_parse_range(struct kd_parser *p, int *ret_slot, const struct kd_node **ret_count)
{
	struct kd_span name = p->token.span;

	if (p->token.kind != KD_T_NAME) {
		kd_fail(p, "a loop's variable is missing");
		return false;
	}
	kd_next(p);
	if (!kd_expect_op(p, '<', "'<' behind a loop's variable"))
		return false;
	*ret_count = kd_parse_expr(p);
	*ret_slot = kd_declare(p, name);
	return *ret_count && *ret_slot >= 0;
}

/* sum(I < N : EXPR) */
static struct kd_node *loop(struct kd_parser *p, enum kd_node_kind kind)
{
	struct kd_node *n = kd_node(p, kind, 0);
	const struct kd_node *count;
	int slot;

	kd_next(p);
	if (!n || !kd_expect_op(p, '(', "'('") || !kd_parse_range(p, &slot, &count) || !kd_expect_op(p, ':', "':' behind a loop's range"))
		return NULL;
	n->op = slot;
	n->a = count;
	n->b = kd_parse_expr(p);
	kd_forget(p, slot);
	return n->b && kd_expect_op(p, ')', "')'") ? kd_finish(p, n) : NULL;
}

static struct kd_node *call(struct kd_parser *p, int which)
{
	struct kd_node *n = kd_node(p, KD_N_CALL, (int)functions[which].fn);
	const struct kd_node *args[2] = { NULL };

	kd_next(p);	/* '(' */
	for (unsigned i = 0; n && i < functions[which].n_args; i++) {
		if (i && !kd_expect_op(p, ',', "',' and another argument"))
			return NULL;
		args[i] = kd_parse_expr(p);
		if (!args[i])
			return NULL;
	}
	if (!n || !kd_expect_op(p, ')', "')' behind the arguments"))
		return NULL;
	n->a = args[0];
	n->b = args[1];
	return kd_finish(p, n);
}

/* A name that only a functor may know: behind `use functor`. */
static struct kd_node *export(struct kd_parser *p, struct kd_span name)
{
	struct kd_node *n = kd_node(p, KD_N_EXPORT, 0);

	if (p->desc->n_uses == 0)
		return kd_fail(p, "nothing is called '%.*s'", (int)name.n, name.p);
	if (!n)
		return NULL;
	n->value = (struct kd_value){ .kind = KD_TEXT, .s = ekka_arena_text(&p->set->arena, name.p, name.n) };
	return n->value.s ? n : kd_fail(p, "out of memory");
}

static struct kd_node *word(struct kd_parser *p)
{
	struct kd_span name = p->token.span;
	char type[16] = "";
	enum ekka_dtype t;
	int i = kd_find_slot(p, name);

	if (kd_span_is(name, "sum") || kd_span_is(name, "prod"))
		return loop(p, name.p[0] == 's' ? KD_N_SUM : KD_N_PROD);
	kd_next(p);
	if (i >= 0)
		return kd_node(p, KD_N_SLOT, i);
	if (kd_is_op(p, '(')) {
		for (i = 0; i < N_FUNCTIONS; i++)
			if (kd_span_is(name, functions[i].name))
				return call(p, i);
		return kd_fail(p, "there is no function '%.*s'", (int)name.n, name.p);
	}
	for (i = 0; i < N_WORDS; i++)
		if (kd_span_is(name, words[i].name))
			return kd_node(p, words[i].kind, words[i].op);
	if (param_number(name) >= 0)
		return kd_node(p, KD_N_PARAM, param_number(name));
	if (name.n < sizeof(type))
		memcpy(type, name.p, name.n);
	if (ekka_dtype_from_name(type, &t) == 0 || (strcmp(type, "bool") == 0 && kd_dtype(type, &t)))
		return kd_constant(p, (struct kd_value){ .kind = KD_DTYPE, .t = t });
	return export(p, name);
}

static struct kd_node *primary(struct kd_parser *p)
{
	struct kd_token t = p->token;
	struct kd_node *n;

	switch (t.kind) {
	case KD_T_INT:
		kd_next(p);
		return kd_constant(p, (struct kd_value){ .kind = KD_INT, .i = t.i });
	case KD_T_REAL:
		kd_next(p);
		return kd_constant(p, (struct kd_value){ .kind = KD_REAL, .r = t.r });
	case KD_T_TEXT:
		kd_next(p);
		return kd_parse_text(p, t.s);
	case KD_T_CAPTURE:
		kd_next(p);
		return kd_capture(p, t.span);
	case KD_T_NAME:
		return word(p);
	default:
		if (!kd_accept_op(p, '('))
			return kd_fail(p, "a value is missing");
		n = (struct kd_node *)kd_parse_expr(p);
		return n && kd_expect_op(p, ')', "')'") ? n : NULL;
	}
}

static struct kd_node *unary(struct kd_parser *p)
{
	struct kd_node *n;
	int op = p->token.op;

	if (!kd_is_op(p, '-') && !kd_is_op(p, '!') && !kd_is_op(p, '~'))
		return primary(p);
	if (++p->depth > KD_DEPTH_MAX)
		return kd_fail(p, "an expression more than %d deep", KD_DEPTH_MAX);
	n = kd_node(p, KD_N_UNARY, op);
	kd_next(p);
	if (n)
		n->a = unary(p);
	p->depth--;
	return n && n->a ? kd_finish(p, n) : NULL;
}

static int precedence(const struct kd_parser *p)
{
	if (p->token.kind != KD_T_OP)
		return 0;
	switch (p->token.op) {
	case KD_OP_OR: return 1;
	case KD_OP_AND: return 2;
	case '|': return 3;
	case '^': return 4;
	case '&': return 5;
	case KD_OP_EQ: case KD_OP_NE: return 6;
	case '<': case '>': case KD_OP_LE: case KD_OP_GE: return 7;
	case KD_OP_SHL: case KD_OP_SHR: return 8;
	case '+': case '-': return 9;
	case '*': case '/': case '%': return 10;
	default: return 0;
	}
}

static struct kd_node *binary(struct kd_parser *p, int least)
{
	struct kd_node *left = unary(p), *n;
	int level;

	while (left && (level = precedence(p)) >= least && level) {
		n = kd_node(p, KD_N_BINARY, p->token.op);
		if (!n)
			return NULL;
		kd_next(p);
		n->a = left;
		n->b = binary(p, level + 1);
		left = n->b ? kd_finish(p, n) : NULL;
	}
	return left;
}

static const struct kd_node *conditional(struct kd_parser *p)
{
	struct kd_node *n = binary(p, 1), *c;

	if (!n || !kd_accept_op(p, '?'))
		return n;
	c = kd_node(p, KD_N_COND, 0);
	if (!c)
		return NULL;
	c->a = n;
	c->b = kd_parse_expr(p);
	if (!c->b || !kd_expect_op(p, ':', "':' of a '?'"))
		return NULL;
	c->c = kd_parse_expr(p);
	return c->c ? kd_finish(p, c) : NULL;
}

const struct kd_node *kd_parse_expr(struct kd_parser *p)
{
	const struct kd_node *n;

	if (++p->depth > KD_DEPTH_MAX)
		return kd_fail(p, "an expression more than %d deep", KD_DEPTH_MAX);
	n = conditional(p);
	p->depth--;
	return p->failed ? NULL : n;
}

/* A comprehension's variable is known only behind its expression: the line is read twice. */
static bool find_for(const struct kd_parser *p, struct kd_span *ret_name)
{
	struct kd_parser ahead = *p;
	struct ekka_error ignored = { 0 };
	int depth = 0;

	ahead.err = &ignored;
	for (; ahead.token.kind != KD_T_END && ahead.token.kind != KD_T_EOL; kd_next(&ahead)) {
		depth += kd_is_op(&ahead, '(') - kd_is_op(&ahead, ')');
		if (depth < 0 || (depth == 0 && (kd_is_op(&ahead, ',') || kd_is_name(&ahead, "dims") || kd_is_name(&ahead, "strides") ||
						 kd_is_name(&ahead, "if"))))
			return false;
		if (depth == 0 && kd_is_name(&ahead, "for")) {
			kd_next(&ahead);
			*ret_name = ahead.token.span;
			return ahead.token.kind == KD_T_NAME;
		}
	}
	return false;
}

static struct kd_item *item(struct kd_parser *p)
{
	struct kd_item *i = kd_take(p, sizeof(*i));
	struct kd_span name;
	bool each = i && find_for(p, &name);

	if (!i)
		return NULL;
	i->slot = each ? kd_declare(p, name) : -1;
	i->e = kd_parse_expr(p);
	kd_forget(p, i->slot);
	if (each && i->e) {
		kd_next(p);	/* for */
		kd_next(p);	/* its variable */
		if (!kd_expect_op(p, '<', "'<' behind a loop's variable"))
			return NULL;
		i->count = kd_parse_expr(p);
	}
	return i->e && !p->failed ? i : NULL;
}

struct kd_item *kd_parse_list(struct kd_parser *p)
{
	struct kd_item *first = item(p), *last = first;

	while (last && kd_accept_op(p, ',')) {
		last->next = item(p);
		last = last->next;
	}
	return p->failed ? NULL : first;
}
