/* SPDX-License-Identifier: Apache-2.0 */
/* What is settled about an expression once its nodes are there: registers, roundings, names; and what others ask of it. */
#include <stdlib.h>
#include <string.h>

#include "replay/expr_internal.h"

/* A register for every node. Numbers, filled in once, have theirs alone, results keep theirs; others are taken over after their last use. */
static void allocate(struct ekka_expr *x)
{
	unsigned last[EKKA_EXPR_NODES + EKKA_EXPR_RESULTS], n_free = 0;
	uint8_t free_regs[EKKA_EXPR_NODES + EKKA_EXPR_RESULTS];

	for (unsigned i = 0; i < x->n_nodes; i++) {
		last[i] = x->node[i].op == EKKA_X_NUMBER || x->node[i].op == EKKA_X_INTEGER ? UINT32_MAX : i;
		for (unsigned k = 0; k < x->node[i].n_args; k++)
			if (last[x->node[i].arg[k]] != UINT32_MAX)
				last[x->node[i].arg[k]] = i;
	}
	for (unsigned k = 0; k < x->n_results; k++)
		last[x->result[k].node] = UINT32_MAX;
	for (unsigned i = 0; i < x->n_nodes; i++) {
		bool keeps = x->node[i].op == EKKA_X_NUMBER || x->node[i].op == EKKA_X_INTEGER;

		x->reg[i] = n_free && !keeps ? free_regs[--n_free] : (uint8_t)x->n_regs++;
		for (unsigned k = 0; k < i; k++)
			if (last[k] == i)
				free_regs[n_free++] = x->reg[k];
	}
}

/* Products that only sums use may be contracted with them; what only a rounding to the compute type uses is rounded once, by that. */
static void mark_roundings(struct ekka_expr *x)
{
	bool not_sum[EKKA_EXPR_NODES] = { false }, not_cast[EKKA_EXPR_NODES] = { false };

	for (unsigned k = 0; k < x->n_results; k++)
		not_sum[x->result[k].node] = not_cast[x->result[k].node] = true;
	for (unsigned i = 0; i < x->n_nodes; i++)
		for (unsigned k = 0; k < x->node[i].n_args; k++) {
			const struct ekka_expr_node *user = &x->node[i];

			not_sum[user->arg[k]] |= user->is_int || (user->op != EKKA_X_ADD && user->op != EKKA_X_SUB);
			not_cast[user->arg[k]] |= user->op != EKKA_X_ROUND_TO || user->dtype != x->compute;
		}
	for (unsigned i = 0; i < x->n_nodes; i++) {
		x->node[i].contracts = !not_sum[i] && x->node[i].op == EKKA_X_MUL && !x->node[i].is_int;
		x->node[i].last = !not_cast[i];
	}
}

/* Table names outlive the symbols. */
static int keep_names(struct ekka_expr *x, struct ekka_error *err)
{
	size_t n = 1;
	char *at;

	for (unsigned i = 0; i < x->n_nodes; i++)
		n += x->node[i].name ? strlen(x->node[i].name) + 1 : 0;
	at = x->text = malloc(n);
	if (!at)
		return ekka_error_set(err, EKKA_ERR_NOMEM, "no memory for an expression");
	for (unsigned i = 0; i < x->n_nodes; i++)
		if (x->node[i].name) {
			size_t len = strlen(x->node[i].name) + 1;

			x->node[i].name = memcpy(at, x->node[i].name, len);
			at += len;
		}
	return 0;
}

int ekka_expr_lay_out(struct ekka_expr *x, struct ekka_error *err)
{
	int r = keep_names(x, err);

	if (r < 0)
		return r;
	mark_roundings(x);
	allocate(x);
	return 0;
}

void ekka_expr_free(struct ekka_expr *x)
{
	if (x)
		free(x->text);
	free(x);
}

unsigned ekka_expr_n_results(const struct ekka_expr *x)
{
	return x->n_results;
}

const char *ekka_expr_result_name(const struct ekka_expr *x, unsigned k)
{
	return x->result[k].name;
}

int ekka_expr_result_index(const struct ekka_expr *x, const char *s)
{
	for (unsigned k = x->n_results; k-- > 0;)
		if (!strcmp(x->result[k].name, s))
			return (int)k;
	return -1;
}

bool ekka_expr_is_integer(const struct ekka_expr *x, unsigned k)
{
	return x->node[x->result[k].node].is_int;
}

void ekka_expr_stored_as(struct ekka_expr *x, unsigned k, enum ekka_dtype dtype)
{
	uint8_t node = x->result[k].node;
	struct ekka_expr_node cast = { .op = x->node[node].is_int ? EKKA_X_WRAP : EKKA_X_TO_INT, .is_int = true, .dtype = dtype, .n_args = 1,
				       .arg = { node } };
	bool used = false;

	for (unsigned i = 0; i < x->n_nodes; i++)
		for (unsigned a = 0; a < x->node[i].n_args; a++)
			used |= x->node[i].arg[a] == node;
	if (dtype == x->compute && !used)
		x->node[node].last = true;
	if (!ekka_dtype_is_integer(dtype)) {
		if (!x->node[node].is_int)
			return;
		cast = (struct ekka_expr_node){ .op = EKKA_X_TO_REAL, .is_unsigned = ekka_expr_node_unsigned(&x->node[node]), .last = dtype == x->compute,
						.n_args = 1, .arg = { node } };
	}
	x->node[x->n_nodes] = cast;
	x->result[k].node = (uint8_t)x->n_nodes++;
	x->n_regs = 0;
	allocate(x);
}

bool ekka_expr_uses_index(const struct ekka_expr *x, unsigned d)
{
	for (unsigned i = 0; i < x->n_nodes; i++)
		if (x->node[i].op == EKKA_X_INDEX && x->node[i].input == d)
			return true;
	return false;
}
