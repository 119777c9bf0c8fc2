/* SPDX-License-Identifier: Apache-2.0 */
/* Evaluates an expression block by block: every node writes its register. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "replay/convert.h"
#include "replay/expr_internal.h"

struct ekka_expr_state {
	const char *table;		/* the first read out of range, NULL: none */
	unsigned dim;
	int64_t index, limit;
	struct ekka_expr_register reg[];
};

static const double ZEROS[EKKA_EXPR_BLOCK];

/* What the compute type makes of a number. */
double ekka_expr_number_error(const struct ekka_expr *x, const struct ekka_expr_node *node)
{
	double v = node->number;
	bool rounds = isfinite(v) && ekka_format_round(&x->format, v, false) != v;

	return rounds ? x->format.unit * fabs(v) + fmin(fabs(v), x->format.normal) : 0;
}

static void fill_number(const struct ekka_expr *x, const struct ekka_expr_node *node, struct ekka_expr_register *r)
{
	double e = ekka_expr_number_error(x, node);

	r->exact = e == 0;
	for (size_t i = 0; i < EKKA_EXPR_BLOCK; i++) {
		r->re[i] = node->number;
		r->error[i] = e;
	}
}

struct ekka_expr_state *ekka_expr_state_new(const struct ekka_expr *x)
{
	struct ekka_expr_state *s = calloc(1, sizeof *s + x->n_regs * sizeof s->reg[0]);

	for (unsigned i = 0; s && i < x->n_nodes; i++) {
		struct ekka_expr_register *r = &s->reg[x->reg[i]];

		if (x->node[i].op == EKKA_X_NUMBER) {
			fill_number(x, &x->node[i], r);
		} else if (x->node[i].op == EKKA_X_INTEGER) {
			r->exact = true;
			for (size_t k = 0; k < EKKA_EXPR_BLOCK; k++)
				r->ints[k] = x->node[i].integer;
		}
	}
	return s;
}

void ekka_expr_state_free(struct ekka_expr_state *s)
{
	free(s);
}

static void take_input(const struct ekka_expr_node *node, size_t n, const struct ekka_expr_input *in, struct ekka_expr_register *r)
{
	r->exact = node->is_int || !in->error;
	if (node->is_int)
		memcpy(r->ints, in->ints, n * sizeof *r->ints);
	else
		memcpy(r->re, in->re, n * sizeof *r->re);
	if (!r->exact)
		memcpy(r->error, in->error, n * sizeof *r->error);
}

/* `last`: it is stored as it is, and rounded by that alone. */
static void to_real(const struct ekka_format *f, bool is_unsigned, bool last, size_t n, const struct ekka_expr_register *a, struct ekka_expr_register *r)
{
	bool all_small = true;
	double limit = last ? INFINITY : 1 / f->unit;

	for (size_t i = 0; i < n; i++) {
		r->re[i] = is_unsigned ? (double)(uint64_t)a->ints[i] : (double)a->ints[i];
		all_small &= fabs(r->re[i]) <= limit;
	}
	r->exact = a->exact && all_small;
	for (size_t i = 0; !r->exact && i < n; i++)
		r->error[i] = ekka_expr_real_error(r->re[i], a->exact ? 0 : a->error[i], f->unit, limit);
}

static void choose(const struct ekka_expr_node *node, size_t n, const struct ekka_expr_register *const *arg, struct ekka_expr_register *r)
{
	const struct ekka_expr_register *c = arg[0], *a = arg[1], *b = arg[2];
	const double *ea = a->exact ? ZEROS : a->error, *eb = b->exact ? ZEROS : b->error;

	if (node->is_int)
		for (size_t i = 0; i < n; i++)
			r->ints[i] = c->ints[i] ? a->ints[i] : b->ints[i];
	else
		for (size_t i = 0; i < n; i++)
			r->re[i] = c->ints[i] ? a->re[i] : b->re[i];
	r->exact = a->exact && b->exact && c->exact;
	if (r->exact)
		return;
	for (size_t i = 0; i < n; i++) {
		struct ekka_real x = { node->is_int ? (double)a->ints[i] : a->re[i], ea[i] }, y = { node->is_int ? (double)b->ints[i] : b->re[i], eb[i] };

		r->error[i] = ekka_expr_choice_error(c->ints[i], c->exact ? 0 : c->error[i], x, y);
	}
}

/* Where element i's entry lies; -1: out of range, -2: an index is not certain. */
static int64_t entry(const struct ekka_expr_node *node, size_t i, const struct ekka_expr_register *const *arg, struct ekka_expr_state *s)
{
	const struct ekka_array *t = node->table;
	int64_t at = t->offset;

	for (unsigned d = 0; d < node->n_args; d++) {
		int64_t index = arg[d]->ints[i];

		if (!arg[d]->exact && arg[d]->error[i] != 0)
			return -2;
		if (index < 0 || index >= t->dim[d]) {
			if (!s->table) {
				s->table = node->name;
				s->dim = d;
				s->index = index;
				s->limit = t->dim[d];
			}
			return -1;
		}
		at += index * t->stride[d];
	}
	return at;
}

static void read_table(const struct ekka_expr_node *node, size_t n, const struct ekka_expr_register *const *arg, struct ekka_expr_state *s,
		       struct ekka_expr_register *r)
{
	const struct ekka_array *t = node->table;
	unsigned char raw[EKKA_EXPR_BLOCK * 16] = { 0 };
	size_t size = ekka_dtype_bytes(t->dtype);

	r->exact = true;
	for (size_t i = 0; i < n; i++) {
		int64_t at = entry(node, i, arg, s);

		r->error[i] = at >= 0 ? 0 : at == -1 ? NAN : INFINITY;
		r->exact &= at >= 0;
		if (at >= 0)
			memcpy(raw + i * size, t->bytes + (uint64_t)at * size, size);
	}
	if (node->is_int) {
		struct ekka_array line = { .dtype = t->dtype, .n = (int64_t)n, .bytes = raw, .n_walk = 1, .walk_dim = { (int64_t)n },
					   .walk_stride = { 1 } };

		ekka_array_get_int(&line, 0, n, r->ints);
	} else if (ekka_dtype_is_complex(t->dtype)) {
		r->exact = false;
		for (size_t i = 0; i < n; i++)
			r->error[i] = INFINITY;
	} else {
		ekka_convert(t->dtype, raw, 1, n, r->re, NULL);
	}
}

struct ekka_expr_rounding ekka_expr_rounding_of(const struct ekka_expr *x, const struct ekka_expr_node *node)
{
	double k = node->op == EKKA_X_DIV && x->compute != EKKA_F64 ? 4 : 1;

	k -= node->last && node->op != EKKA_X_FUNCTION && node->op != EKKA_X_POW ? 1 : 0;	/* of these it is one of several */
	return (struct ekka_expr_rounding){ .unit = k * x->format.unit + 0x1p-52, .normal = x->format.normal,
					    .overflow = x->compute == EKKA_F64 ? INFINITY : x->format.overflow,
					    .contracts = node->contracts,
					    .single = x->compute == EKKA_F32 && node->op != EKKA_X_DIV, .ieee = x->compute == EKKA_F64 };
}

static void evaluate_real(const struct ekka_expr *x, const struct ekka_expr_node *node, size_t n, struct ekka_expr_state *s,
			  const struct ekka_expr_register *const *arg, struct ekka_expr_register *r)
{
	struct ekka_expr_rounding p = ekka_expr_rounding_of(x, node);
	struct ekka_format f;

	switch (node->op) {
	case EKKA_X_TO_REAL: to_real(&x->format, node->is_unsigned, node->last, n, arg[0], r); return;
	case EKKA_X_TABLE: read_table(node, n, arg, s, r); return;
	case EKKA_X_WHERE: choose(node, n, arg, r); return;
	case EKKA_X_POW: ekka_expr_pow(n, arg[0], arg[1], r, &p); return;
	case EKKA_X_FUNCTION: ekka_expr_apply(node->function, n, arg[0], r, &p); return;
	case EKKA_X_ROUND_TO:
		f = ekka_format_of(node->dtype);
		ekka_expr_round_to(n, arg[0], r, &f, node->dtype == EKKA_E4M3 || node->dtype == EKKA_E5M2);
		return;
	default:
		ekka_expr_arith(node->op, n, arg[0], node->n_args > 1 ? arg[1] : NULL, node->n_args > 2 ? arg[2] : NULL, r, &p);
		return;
	}
}

void ekka_expr_eval(const struct ekka_expr *x, struct ekka_expr_state *s, size_t n, const struct ekka_expr_input *input,
		    const int64_t *const index[EKKA_MAX_DIMS], struct ekka_expr_result *results)
{
	const struct ekka_expr_register *arg[EKKA_EXPR_ARGS];

	for (unsigned i = 0; i < x->n_nodes; i++) {
		const struct ekka_expr_node *node = &x->node[i];
		struct ekka_expr_register *r = &s->reg[x->reg[i]];

		for (unsigned k = 0; k < node->n_args; k++)
			arg[k] = &s->reg[x->reg[node->arg[k]]];
		if (node->op == EKKA_X_NUMBER || node->op == EKKA_X_INTEGER) {
			continue;
		} else if (node->op == EKKA_X_INPUT) {
			take_input(node, n, &input[node->input], r);
		} else if (node->op == EKKA_X_INDEX) {
			r->exact = true;
			memcpy(r->ints, index[node->input], n * sizeof *r->ints);
		} else if (!node->is_int) {
			evaluate_real(x, node, n, s, arg, r);
		} else if (node->op == EKKA_X_TABLE) {
			read_table(node, n, arg, s, r);
		} else if (node->op == EKKA_X_WHERE) {
			choose(node, n, arg, r);
		} else {
			ekka_expr_integers(node, n, arg, node->n_args > 0 && !x->node[node->arg[0]].is_int, r);
		}
	}
	for (unsigned k = 0; k < x->n_results; k++) {
		const struct ekka_expr_register *r = &s->reg[x->reg[x->result[k].node]];
		bool is_int = x->node[x->result[k].node].is_int;

		results[k] = (struct ekka_expr_result){ .re = is_int ? NULL : r->re, .ints = is_int ? r->ints : NULL,
							.error = r->exact ? ZEROS : r->error, .exact = r->exact };
	}
}

bool ekka_expr_out_of_range(const struct ekka_expr_state *s, char text[EKKA_TEXT])
{
	if (s->table)
		(void)snprintf(text, EKKA_TEXT, "%s is read at index %lld of dimension %u, which has %lld", s->table, (long long)s->index,
			       s->dim, (long long)s->limit);
	return s->table != NULL;
}
