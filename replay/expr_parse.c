/* SPDX-License-Identifier: Apache-2.0 */
/* Recursive descent over C's operators, from text to nodes in the order of evaluation; equal nodes are shared. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "replay/expr_internal.h"

enum { DEPTH = 60 };

struct parser {
	const char *text, *at;
	const struct ekka_expr_symbol *symbol;
	unsigned n_symbols, depth;
	struct ekka_expr *x;
	struct ekka_error *err;
	int failed;
};

static int expression(struct parser *p);

/* All of these return a node's number; 0 after a failure, which `failed` tells. */
static int fail(struct parser *p, const char *what, const char *name)
{
	if (!p->failed)
		p->failed = ekka_error_set(p->err, EKKA_ERR_INVALID, "expression '%.100s', at %zu: %s%s%s%s", p->text,
					   (size_t)(p->at - p->text), what, name ? " '" : "", name ? name : "", name ? "'" : "");
	return 0;
}

static bool same(const struct ekka_expr_node *a, const struct ekka_expr_node *b)
{
	return a->op == b->op && a->is_int == b->is_int && a->n_args == b->n_args && !memcmp(a->arg, b->arg, sizeof a->arg) &&
	       a->input == b->input && a->dtype == b->dtype && !memcmp(&a->number, &b->number, sizeof a->number) &&
	       a->integer == b->integer && a->table == b->table && a->function == b->function;
}

/* As in C, u64 with anything else is u64. */
static bool takes_unsigned(const struct parser *p, const struct ekka_expr_node *n)
{
	bool found = false;

	if (n->op == EKKA_X_WRAP || n->op == EKKA_X_TO_INT)
		return n->dtype == EKKA_U64;
	if (n->op == EKKA_X_TABLE)
		return n->table->dtype == EKKA_U64;
	if (n->op == EKKA_X_LEFT || n->op == EKKA_X_RIGHT)
		return ekka_expr_node_unsigned(&p->x->node[n->arg[0]]);
	for (unsigned i = n->op == EKKA_X_WHERE ? 1 : 0; i < n->n_args; i++)
		found |= ekka_expr_node_unsigned(&p->x->node[n->arg[i]]);
	return n->is_unsigned || found;
}

static int add(struct parser *p, struct ekka_expr_node n)
{
	n.is_unsigned = takes_unsigned(p, &n);
	for (unsigned i = 0; i < p->x->n_nodes; i++)
		if (same(&p->x->node[i], &n))
			return (int)i;
	if (p->x->n_nodes == EKKA_EXPR_NODES)
		return fail(p, "too long", NULL);
	p->x->node[p->x->n_nodes] = n;
	return (int)p->x->n_nodes++;
}

static bool is_int(const struct parser *p, int node)
{
	return p->x->node[node].is_int;
}

static int real_of(struct parser *p, int a)
{
	return is_int(p, a) ? add(p, (struct ekka_expr_node){ .op = EKKA_X_TO_REAL, .n_args = 1, .arg = { (uint8_t)a } }) : a;
}

static int int_of(struct parser *p, int a)
{
	return is_int(p, a) ? a : add(p, (struct ekka_expr_node){ .op = EKKA_X_TO_INT, .is_int = true, .dtype = EKKA_I64, .n_args = 1,
								  .arg = { (uint8_t)a } });
}

/* An integer that is 0 exactly where the value is. */
static int truth_of(struct parser *p, int a)
{
	int zero;

	if (is_int(p, a))
		return a;
	zero = add(p, (struct ekka_expr_node){ .op = EKKA_X_NUMBER });
	return add(p, (struct ekka_expr_node){ .op = EKKA_X_NE, .is_int = true, .n_args = 2, .arg = { (uint8_t)a, (uint8_t)zero } });
}

/* A node of one or two arguments that are of one kind: real as soon as one of them is. */
static int alike(struct parser *p, enum ekka_expr_op op, int a, int b, bool gives_int)
{
	bool ints = is_int(p, a) && (b < 0 || is_int(p, b));
	struct ekka_expr_node n = { .op = op, .is_int = gives_int || ints, .n_args = b < 0 ? 1 : 2 };

	n.arg[0] = (uint8_t)(ints ? a : real_of(p, a));
	if (b >= 0)
		n.arg[1] = (uint8_t)(ints ? b : real_of(p, b));
	return add(p, n);
}

/* A node of integers. */
static int integers(struct parser *p, enum ekka_expr_op op, int a, int b)
{
	return add(p, (struct ekka_expr_node){ .op = op, .is_int = true, .n_args = b < 0 ? 1 : 2, .arg = { (uint8_t)a, b < 0 ? 0 : (uint8_t)b } });
}

static int where(struct parser *p, int c, int a, int b)
{
	bool ints = is_int(p, a) && is_int(p, b);

	return add(p, (struct ekka_expr_node){ .op = EKKA_X_WHERE, .is_int = ints, .n_args = 3,
					       .arg = { (uint8_t)truth_of(p, c), (uint8_t)(ints ? a : real_of(p, a)),
							(uint8_t)(ints ? b : real_of(p, b)) } });
}

static void blanks(struct parser *p)
{
	while (isspace((unsigned char)*p->at))
		p->at++;
}

/* Takes `token` when it is next. An operator is not taken for the beginning of a longer one. */
static bool take(struct parser *p, const char *token)
{
	size_t n = strlen(token);

	blanks(p);
	if (strncmp(p->at, token, n))
		return false;
	if (n == 1 && strchr("<>=!&|", *token) && (p->at[1] == '=' || (p->at[1] == *token && *token != '!')))
		return false;
	p->at += n;
	return true;
}

static void expect(struct parser *p, const char *token)
{
	if (!take(p, token))
		(void)fail(p, "expected", token);
}

static bool name(struct parser *p, char ret[EKKA_EXPR_NAME])
{
	const char *end = p->at;

	blanks(p);
	end = p->at;
	if (!isalpha((unsigned char)*end) && *end != '_')
		return false;
	while (isalnum((unsigned char)*end) || *end == '_')
		end++;
	if (end - p->at >= EKKA_EXPR_NAME) {
		(void)fail(p, "too long a name", NULL);
		return false;
	}
	memcpy(ret, p->at, (size_t)(end - p->at));
	ret[end - p->at] = '\0';
	p->at = end;
	return true;
}

static int integer(struct parser *p, int64_t v)
{
	return add(p, (struct ekka_expr_node){ .op = EKKA_X_INTEGER, .is_int = true, .integer = v });
}

static int number(struct parser *p)
{
	char *real_end, *int_end;
	double v = strtod(p->at, &real_end);
	long long i = strtoll(p->at, &int_end, p->at[0] == '0' && tolower((unsigned char)p->at[1]) == 'x' ? 16 : 10);

	if (int_end == real_end) {
		p->at = int_end;
		return integer(p, i);
	}
	p->at = real_end;
	return add(p, (struct ekka_expr_node){ .op = EKKA_X_NUMBER, .number = v });
}

/* Arguments between brackets, the opening one taken. Returns how many. */
static unsigned arguments(struct parser *p, const char *end, int ret[EKKA_EXPR_ARGS])
{
	unsigned n = 0;

	if (take(p, end))
		return 0;
	do {
		if (n == EKKA_EXPR_ARGS) {
			(void)fail(p, "too many arguments", NULL);
			return 0;
		}
		ret[n++] = expression(p);
	} while (!p->failed && take(p, ","));
	expect(p, end);
	return n;
}

static int table(struct parser *p, const struct ekka_expr_symbol *s)
{
	struct ekka_expr_node n = { .op = EKKA_X_TABLE, .is_int = ekka_dtype_is_integer(s->table->dtype), .table = s->table };
	int arg[EKKA_EXPR_ARGS] = { 0 };

	expect(p, "[");
	if (p->failed)
		return 0;
	n.n_args = arguments(p, "]", arg);
	if (!p->failed && n.n_args != s->table->n_dims)
		return fail(p, "wrong number of indices of", s->name);
	for (unsigned i = 0; i < n.n_args && !p->failed; i++)
		n.arg[i] = (uint8_t)int_of(p, arg[i]);
	n.name = s->name;
	return p->failed ? 0 : add(p, n);
}

static int symbol(struct parser *p, const struct ekka_expr_symbol *s)
{
	blanks(p);
	if (s->table && *p->at == '[')
		return table(p, s);
	switch (s->kind) {
	case EKKA_EXPR_REAL:
	case EKKA_EXPR_INT: return add(p, (struct ekka_expr_node){ .op = EKKA_X_INPUT, .is_int = s->kind == EKKA_EXPR_INT, .is_unsigned = s->is_unsigned,
								   .input = s->input });
	case EKKA_EXPR_NUMBER: return add(p, (struct ekka_expr_node){ .op = EKKA_X_NUMBER, .number = s->number });
	case EKKA_EXPR_INTEGER: return integer(p, s->integer);
	case EKKA_EXPR_TABLE: return table(p, s);
	}
	return 0;
}

static int cast(struct parser *p, enum ekka_dtype t, int a)
{
	if (ekka_dtype_is_complex(t))
		return fail(p, "complex numbers are not known", NULL);
	if (!ekka_dtype_is_integer(t))
		return add(p, (struct ekka_expr_node){ .op = EKKA_X_ROUND_TO, .dtype = t, .n_args = 1, .arg = { (uint8_t)real_of(p, a) } });
	return add(p, (struct ekka_expr_node){ .op = is_int(p, a) ? EKKA_X_WRAP : EKKA_X_TO_INT, .is_int = true, .dtype = t, .n_args = 1,
					       .arg = { (uint8_t)a } });
}

/* The functions that are nodes of their own. */
static const struct { const char *name; unsigned n_args; enum ekka_expr_op op; } builtins[] = {
	{ "neg", 1, EKKA_X_NEG }, { "abs", 1, EKKA_X_ABS }, { "sign", 1, EKKA_X_SIGN }, { "min", 2, EKKA_X_MIN }, { "max", 2, EKKA_X_MAX },
	{ "fmod", 2, EKKA_X_REM }, { "pow", 2, EKKA_X_POW }, { "fma", 3, EKKA_X_FMA }, { "isnan", 1, EKKA_X_ISNAN },
	{ "isinf", 1, EKKA_X_ISINF }, { "isfinite", 1, EKKA_X_ISFINITE }, { "where", 3, EKKA_X_WHERE }, { "clamp", 3, EKKA_X_MAX },
	{ "bool", 1, EKKA_X_NE }, { "relu", 1, EKKA_X_MAX },
};

static int builtin(struct parser *p, const char *fn, enum ekka_expr_op op, const int a[])
{
	struct ekka_expr_node n = { .op = op };

	switch (op) {
	case EKKA_X_WHERE: return where(p, a[0], a[1], a[2]);
	case EKKA_X_NE: return alike(p, op, a[0], integer(p, 0), true);
	case EKKA_X_ISNAN:
	case EKKA_X_ISINF:
	case EKKA_X_ISFINITE:
		n.is_int = true;
		break;
	case EKKA_X_POW:
	case EKKA_X_FMA:
		break;
	default:
		if (!strcmp(fn, "clamp"))
			return alike(p, EKKA_X_MIN, alike(p, EKKA_X_MAX, a[0], a[1], false), a[2], false);
		if (!strcmp(fn, "relu"))
			return alike(p, op, a[0], integer(p, 0), false);
		if (op == EKKA_X_NEG || op == EKKA_X_ABS || op == EKKA_X_SIGN)
			return alike(p, op, a[0], -1, false);
		return alike(p, op, a[0], a[1], false);
	}
	n.n_args = op == EKKA_X_FMA ? 3 : op == EKKA_X_POW ? 2 : 1;
	for (unsigned i = 0; i < n.n_args; i++)
		n.arg[i] = (uint8_t)real_of(p, a[i]);
	return add(p, n);
}

static int call(struct parser *p, const char *fn)
{
	const struct ekka_expr_function *f = ekka_expr_function_find(fn);
	int a[EKKA_EXPR_ARGS] = { 0 };
	unsigned n = arguments(p, ")", a);
	enum ekka_dtype t;

	if (p->failed)
		return 0;
	for (size_t i = 0; i < sizeof builtins / sizeof builtins[0]; i++)
		if (!strcmp(builtins[i].name, fn))
			return n == builtins[i].n_args ? builtin(p, fn, builtins[i].op, a) : fail(p, "wrong number of arguments of", fn);
	if (!f && ekka_dtype_from_name(fn, &t) < 0)
		return fail(p, "no function", fn);
	if (n != 1)
		return fail(p, "one argument is expected of", fn);
	if (!f)
		return cast(p, t, a[0]);
	return add(p, (struct ekka_expr_node){ .op = EKKA_X_FUNCTION, .function = f, .n_args = 1, .arg = { (uint8_t)real_of(p, a[0]) } });
}

static int named(struct parser *p, const char *s)
{
	if (take(p, "("))
		return call(p, s);
	for (unsigned i = 0; i < p->n_symbols; i++)
		if (!strcmp(p->symbol[i].name, s))
			return symbol(p, &p->symbol[i]);
	for (unsigned i = p->x->n_results; i-- > 0;)
		if (!strcmp(p->x->result[i].name, s))
			return p->x->result[i].node;
	if (s[0] == 'i' && s[1] >= '0' && s[1] < '0' + EKKA_MAX_DIMS && !s[2])
		return add(p, (struct ekka_expr_node){ .op = EKKA_X_INDEX, .is_int = true, .input = (unsigned)(s[1] - '0') });
	if (!strcmp(s, "inf") || !strcmp(s, "nan"))
		return add(p, (struct ekka_expr_node){ .op = EKKA_X_NUMBER, .number = s[0] == 'i' ? INFINITY : NAN });
	return fail(p, "no input, attribute or function", s);
}

static int primary(struct parser *p)
{
	char s[EKKA_EXPR_NAME];
	int a;

	blanks(p);
	if (isdigit((unsigned char)*p->at) || (*p->at == '.' && isdigit((unsigned char)p->at[1])))
		return number(p);
	if (take(p, "(")) {
		a = expression(p);
		expect(p, ")");
		return a;
	}
	return name(p, s) ? named(p, s) : fail(p, *p->at ? "not understood" : "ends too early", NULL);
}

static int negative(struct parser *p, int a)
{
	const struct ekka_expr_node n = p->x->node[a];

	if (n.op == EKKA_X_INTEGER)
		return integer(p, (int64_t)(0 - (uint64_t)n.integer));
	if (n.op == EKKA_X_NUMBER)
		return add(p, (struct ekka_expr_node){ .op = n.op, .number = -n.number });
	return alike(p, EKKA_X_NEG, a, -1, false);
}

static int unary(struct parser *p)
{
	int a;

	if (p->failed || p->depth > DEPTH)
		return fail(p, "nested too deeply", NULL);
	p->depth++;
	if (take(p, "-")) {
		a = unary(p);
		a = p->failed ? 0 : negative(p, a);
	} else if (take(p, "+")) {
		a = unary(p);
	} else if (take(p, "!")) {
		a = unary(p);
		a = p->failed ? 0 : integers(p, EKKA_X_NOT, truth_of(p, a), -1);
	} else if (take(p, "~")) {
		a = unary(p);
		a = p->failed ? 0 : integers(p, EKKA_X_BIT_NOT, int_of(p, a), -1);
	} else {
		a = primary(p);
	}
	p->depth--;
	return a;
}

/* C's binary operators; `swap`: a > b is b < a. */
static const struct { const char *token; unsigned level; enum ekka_expr_op op; bool swap; } operators[] = {
	{ "||", 1, EKKA_X_OR, false }, { "&&", 2, EKKA_X_AND, false }, { "|", 3, EKKA_X_BIT_OR, false }, { "^", 4, EKKA_X_BIT_XOR, false },
	{ "&", 5, EKKA_X_BIT_AND, false }, { "==", 6, EKKA_X_EQ, false }, { "!=", 6, EKKA_X_NE, false }, { "<<", 8, EKKA_X_LEFT, false },
	{ ">>", 8, EKKA_X_RIGHT, false }, { "<=", 7, EKKA_X_LE, false }, { ">=", 7, EKKA_X_LE, true }, { "<", 7, EKKA_X_LT, false },
	{ ">", 7, EKKA_X_LT, true }, { "+", 9, EKKA_X_ADD, false }, { "-", 9, EKKA_X_SUB, false }, { "*", 10, EKKA_X_MUL, false },
	{ "/", 10, EKKA_X_DIV, false }, { "%", 10, EKKA_X_REM, false },
};

static int combine(struct parser *p, enum ekka_expr_op op, int a, int b)
{
	if (p->failed)
		return 0;
	switch (op) {
	case EKKA_X_OR:
	case EKKA_X_AND: return integers(p, op, truth_of(p, a), truth_of(p, b));
	case EKKA_X_BIT_OR:
	case EKKA_X_BIT_XOR:
	case EKKA_X_BIT_AND:
	case EKKA_X_LEFT:
	case EKKA_X_RIGHT: return integers(p, op, int_of(p, a), int_of(p, b));
	case EKKA_X_EQ:
	case EKKA_X_NE:
	case EKKA_X_LE:
	case EKKA_X_LT: return alike(p, op, a, b, true);
	default: return alike(p, op, a, b, false);
	}
}

/* Operators of at least `level`, from left to right. */
static int binary(struct parser *p, unsigned level)
{
	int a = unary(p);

	while (!p->failed) {
		size_t i = 0, n = sizeof operators / sizeof operators[0];
		int b;

		while (i < n && !(operators[i].level >= level && take(p, operators[i].token)))
			i++;
		if (i == n)
			break;
		b = binary(p, operators[i].level + 1);
		a = combine(p, operators[i].op, operators[i].swap ? b : a, operators[i].swap ? a : b);
	}
	return a;
}

static int expression(struct parser *p)
{
	int c, a, b;

	if (p->failed || p->depth > DEPTH)
		return fail(p, "nested too deeply", NULL);
	p->depth++;
	c = binary(p, 1);
	if (!p->failed && take(p, "?")) {
		a = expression(p);
		expect(p, ":");
		b = expression(p);
		c = p->failed ? 0 : where(p, c, a, b);
	}
	p->depth--;
	return c;
}

static void result(struct parser *p)
{
	struct ekka_expr *x = p->x;
	const char *start = p->at;
	char s[EKKA_EXPR_NAME] = "";
	int node;

	if (x->n_results == EKKA_EXPR_RESULTS) {
		(void)fail(p, "too many results", NULL);
		return;
	}
	if (!name(p, s) || !take(p, "=")) {
		p->at = start;
		s[0] = '\0';
	}
	node = expression(p);
	memcpy(x->result[x->n_results].name, s, sizeof s);
	x->result[x->n_results++].node = (uint8_t)node;
}

int ekka_expr_parse(const char *text, const struct ekka_expr_symbol *symbols, unsigned n_symbols, enum ekka_dtype compute,
		    struct ekka_expr **ret, struct ekka_error *err)
{
	struct parser p = { .text = text, .at = text, .symbol = symbols, .n_symbols = n_symbols, .err = err };

	p.x = calloc(1, sizeof *p.x);
	if (!p.x)
		return ekka_error_set(err, EKKA_ERR_NOMEM, "no memory for an expression");
	p.x->compute = compute;
	p.x->format = ekka_format_of(compute);
	do {
		blanks(&p);
		if (!*p.at && p.x->n_results)
			break;		/* a ; at the end */
		result(&p);
	} while (!p.failed && (take(&p, ";") || take(&p, ",")));
	blanks(&p);
	if (!p.failed && *p.at)
		(void)fail(&p, "not understood", NULL);
	if (!p.failed)
		p.failed = ekka_expr_lay_out(p.x, err);
	if (p.failed) {
		ekka_expr_free(p.x);
		return p.failed;
	}
	*ret = p.x;
	return 0;
}
