/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Scaled dot product attention in cuDNN's graphs, as op attention. Zone: inside the host process.
 *
 * Either one SDPA_FWD node, or the pieces that cudnn-frontend's composite form makes, read backwards from the output:
 *
 *	O = (E / sum E) V;  E = exp(S - max S);  Stats = max S + log sum E
 *	S = scale Q K^T, then in any number and order: + bias; + slope (col - row); S = select(predicate, S, very negative)
 *	predicates: row + c >= col, col + c > row, each c a sum of numbers by value and of lengths; col < length and row < length
 *
 * Numbers by value are known at the call only: preload/cudnn.c decides there which mask the predicates are.
 */
#include "config.h"

#include "preload/cudnn_sdpa.h"

/* The producer of a tensor if it is a pointwise node of that mode, which is then used. */
static struct ekka_cudnn_node *pointwise(struct ekka_cudnn_sdpa *s, int tensor, const char *mode)
{
	struct ekka_cudnn_node *n = ekka_cudnn_producer(s->g, tensor);

	if (n == NULL || !ekka_cudnn_is_pointwise(n, mode) || !ekka_cudnn_only(n, "X B T Y axis"))
		return NULL;
	n->used = true;
	return n;
}

static bool reduction_of(struct ekka_cudnn_sdpa *s, int tensor, const char *kind, int *ret_x)
{
	struct ekka_cudnn_node *n = ekka_cudnn_producer(s->g, tensor);
	struct ekka_json v;

	if (n == NULL || !ekka_cudnn_is(n, "REDUCTION") || !ekka_cudnn_only(n, "X Y reductionOp") || !ekka_json_member(n->object, "reductionOp", &v) ||
	    !ekka_json_is(v, kind))
		return false;
	n->used = true;
	*ret_x = ekka_cudnn_edge(n, "X");
	return true;
}

static bool is_index(struct ekka_cudnn_sdpa *s, int tensor, double axis)
{
	struct ekka_cudnn_node *n = pointwise(s, tensor, "GEN_INDEX");

	return n != NULL && ekka_cudnn_number(n, "axis", -1) == axis;
}

static bool set_once(int *to, int tensor)
{
	bool ok = *to < 0 || *to == tensor;

	*to = tensor;
	return ok;
}

/* ---- predicates ------------------------------------------------------- */

static bool add_term(struct ekka_cudnn_sdpa *s, struct ekka_cudnn_diagonal *d, int tensor, int sign, int *lengths)
{
	const struct ekka_cudnn_tensor *t = &s->g->tensor[tensor < 0 ? 0 : tensor];

	if (tensor < 0 || t->is_virtual || t->dtype < 0)
		return false;
	if (!t->by_value) {
		/* Plus the length of the keys, minus that of the queries. */
		lengths[sign > 0 ? 0 : 1]++;
		return set_once(sign > 0 ? &s->lengths_k : &s->lengths_q, tensor);
	}
	if (d->n_terms == EKKA_CUDNN_TERMS)
		return false;
	d->term[d->n_terms].uid = t->uid;
	d->term[d->n_terms].sign = sign;
	d->term[d->n_terms++].dtype = (enum ekka_dtype)t->dtype;
	return true;
}

/* An index (axis 2 row, 3 column) plus terms. */
static bool sum_of(struct ekka_cudnn_sdpa *s, struct ekka_cudnn_diagonal *d, int tensor, double axis)
{
	int lengths[2] = { 0, 0 };

	while (!is_index(s, tensor, axis)) {
		struct ekka_cudnn_node *n = pointwise(s, tensor, "ADD");
		int sign = 1;

		if (n == NULL) {
			n = pointwise(s, tensor, "SUB");
			sign = -1;
		}
		if (n == NULL || !add_term(s, d, ekka_cudnn_edge(n, "B"), sign, lengths))
			return false;
		tensor = ekka_cudnn_edge(n, "X");
	}
	d->by_length = lengths[0] == 1 && lengths[1] == 1;
	return d->by_length || (lengths[0] == 0 && lengths[1] == 0);
}

/* row + c >= col, or col + c > row. */
static bool band_edge(struct ekka_cudnn_sdpa *s, int predicate)
{
	struct ekka_cudnn_diagonal *d = &s->plan->diagonal[s->plan->n_diagonals];
	struct ekka_cudnn_node *n = pointwise(s, predicate, "CMP_GE");
	bool upper = n != NULL;

	if (n == NULL)
		n = pointwise(s, predicate, "CMP_GT");
	if (n == NULL || s->plan->n_diagonals == EKKA_CUDNN_DIAGONALS)
		return false;
	/* col + c > row is col >= row - (c - 1). */
	*d = (struct ekka_cudnn_diagonal){ .upper = upper, .constant = upper ? 0 : -1 };
	if (!sum_of(s, d, ekka_cudnn_edge(n, "X"), upper ? 2 : 3) || !is_index(s, ekka_cudnn_edge(n, "B"), upper ? 3 : 2))
		return false;
	if (!upper && d->by_length)
		return false;	/* its lengths would have the other sign */
	s->plan->n_diagonals++;
	return true;
}

static bool within_length(struct ekka_cudnn_sdpa *s, int predicate)
{
	struct ekka_cudnn_node *n = pointwise(s, predicate, "CMP_LT");
	int x, b;

	if (n == NULL)
		return false;
	x = ekka_cudnn_edge(n, "X");
	b = ekka_cudnn_edge(n, "B");
	if (b < 0 || s->g->tensor[b].is_virtual || s->g->tensor[b].by_value)
		return false;
	return is_index(s, x, 3) ? set_once(&s->lengths_k, b) : is_index(s, x, 2) && set_once(&s->lengths_q, b);
}

static bool predicate(struct ekka_cudnn_sdpa *s, int tensor)
{
	struct ekka_cudnn_node *n = pointwise(s, tensor, "LOGICAL_AND");

	if (n != NULL)
		return within_length(s, ekka_cudnn_edge(n, "X")) && within_length(s, ekka_cudnn_edge(n, "B"));
	return within_length(s, tensor) || band_edge(s, tensor);
}

/* ---- logits ----------------------------------------------------------- */

/* slope (col - row), as an addend. */
static bool alibi(struct ekka_cudnn_sdpa *s, int tensor)
{
	struct ekka_cudnn_node *n = pointwise(s, tensor, "MUL"), *difference;

	if (n == NULL)
		return false;
	difference = pointwise(s, ekka_cudnn_edge(n, "X"), "SUB");
	if (difference == NULL || !is_index(s, ekka_cudnn_edge(difference, "X"), 3) || !is_index(s, ekka_cudnn_edge(difference, "B"), 2))
		return false;
	return s->alibi < 0 && (s->alibi = ekka_cudnn_edge(n, "B")) >= 0;
}

static bool product(struct ekka_cudnn_sdpa *s, struct ekka_cudnn_node *n)
{
	int m = ekka_cudnn_edge(n, "mOverride"), length = ekka_cudnn_edge(n, "nOverride");

	s->q = ekka_cudnn_edge(n, "matA");
	s->k = ekka_cudnn_edge(n, "matB");
	s->k_transposed = true;
	n->used = true;
	return ekka_cudnn_only(n, "matA matB matC mOverride nOverride") && (m < 0 || set_once(&s->lengths_q, m)) &&
	       (length < 0 || set_once(&s->lengths_k, length));
}

/* One step back from a tensor of logits; false when it cannot be understood. *tensor -1: arrived at the product. */
static bool logits_step(struct ekka_cudnn_sdpa *s, int *tensor)
{
	struct ekka_cudnn_node *n = ekka_cudnn_producer(s->g, *tensor);
	int b;

	if (n == NULL)
		return false;
	b = ekka_cudnn_edge(n, "B");
	if (ekka_cudnn_is(n, "MATMUL")) {
		*tensor = -1;
		return product(s, n);
	}
	if (!s->g->tensor[*tensor].is_virtual || b < 0)
		return false;
	if (pointwise(s, *tensor, "BINARY_SELECT") != NULL) {
		if (s->plan->n_fills == EKKA_CUDNN_DIAGONALS || !s->g->tensor[b].by_value || s->g->tensor[b].dtype != EKKA_F32)
			return false;
		s->plan->fill[s->plan->n_fills++] = s->g->tensor[b].uid;
		if (!predicate(s, ekka_cudnn_edge(n, "T")))
			return ekka_cudnn_sdpa_refuse(s, "attention with a mask that is not known here");
	} else if (pointwise(s, *tensor, "ADD") != NULL) {
		if (s->scale < 0 && s->bias < 0 && !s->g->tensor[b].is_virtual && !s->g->tensor[b].by_value)
			s->bias = b;
		else if (!s->g->tensor[b].is_virtual || !alibi(s, b))
			return ekka_cudnn_sdpa_refuse(s, "attention with an addend that is not known here");
	} else if (pointwise(s, *tensor, "MUL") != NULL) {
		if (s->scale >= 0 || s->g->tensor[b].is_virtual)
			return ekka_cudnn_sdpa_refuse(s, "attention with more than one scale");
		s->scale = b;
	} else {
		return ekka_cudnn_sdpa_refuse(s, "attention with an operation on the logits that is not known here");
	}
	*tensor = ekka_cudnn_edge(n, "X");
	return true;
}

/* The key or value cache behind a page table. */
static bool paged(struct ekka_cudnn_sdpa *s, int *cache, int *table)
{
	struct ekka_cudnn_node *n = ekka_cudnn_producer(s->g, *cache);

	if (n == NULL)
		return !s->g->tensor[*cache].is_virtual;
	if (!ekka_cudnn_is(n, "PAGED_CACHE_LOAD") || !ekka_cudnn_only(n, "container sequence pageTable Y"))
		return false;
	n->used = true;
	*cache = ekka_cudnn_edge(n, "container");
	*table = ekka_cudnn_edge(n, "pageTable");
	return *cache >= 0 && *table >= 0 && set_once(&s->lengths_k, ekka_cudnn_edge(n, "sequence"));
}

/* Stats = max + log(sum): unused where nobody wants them, then its tensor is virtual. */
static bool statistics(struct ekka_cudnn_sdpa *s, int max, int sum)
{
	for (unsigned i = 0; i < s->g->n_nodes; i++) {
		struct ekka_cudnn_node *n = &s->g->node[i], *logarithm;
		int y = ekka_cudnn_edge(n, "Y");

		if (!ekka_cudnn_is_pointwise(n, "ADD") || ekka_cudnn_edge(n, "X") != max || y < 0)
			continue;
		logarithm = pointwise(s, ekka_cudnn_edge(n, "B"), "LOG");
		if (logarithm == NULL || ekka_cudnn_edge(logarithm, "X") != sum || !ekka_cudnn_only(n, "X B Y"))
			return false;
		n->used = true;
		if (!s->g->tensor[y].is_virtual)
			s->lse = y;
	}
	/* Newer forms hand these out too. */
	return s->g->tensor[max].is_virtual && s->g->tensor[sum].is_virtual;
}

/* Weights are multiplied by random zeros and ones, and by a number that makes up for the zeros. */
static bool dropout(struct ekka_cudnn_sdpa *s, int *weights)
{
	struct ekka_cudnn_node *n, *rng;
	struct ekka_json v;

	while ((n = ekka_cudnn_producer(s->g, *weights)) != NULL && ekka_cudnn_is_pointwise(n, "MUL")) {
		int b = ekka_cudnn_edge(n, "B");

		if (pointwise(s, *weights, "MUL") == NULL || b < 0)
			return false;
		*weights = ekka_cudnn_edge(n, "X");
		rng = ekka_cudnn_producer(s->g, b);
		if (rng == NULL && s->g->tensor[b].by_value && s->keep_scale < 0) {
			s->keep_scale = b;
			continue;
		}
		if (rng == NULL || s->seed >= 0 || !ekka_cudnn_is(rng, "RNG") || !ekka_json_member(rng->object, "distribution", &v) ||
		    !ekka_json_is(v, "CUDNN_RNG_DISTRIBUTION_BERNOULLI") || !ekka_cudnn_only(rng, "distribution bernoulli_dist_probability Y seedTensor offset"))
			return false;
		rng->used = true;
		s->keep = ekka_cudnn_number(rng, "bernoulli_dist_probability", -1);
		s->seed = ekka_cudnn_edge(rng, "seedTensor");
		s->offset = ekka_cudnn_edge(rng, "offset");
	}
	return s->keep > 0 && s->keep <= 1 && (s->seed >= 0) == (s->keep_scale >= 0);
}

static bool composite(struct ekka_cudnn_sdpa *s, struct ekka_cudnn_node *last)
{
	int m = ekka_cudnn_edge(last, "mOverride"), length = ekka_cudnn_edge(last, "kOverride"), sum, max, exponent, of_sum, of_max, steps = 0, weights;
	struct ekka_cudnn_node *division, *exponential, *shift;

	s->out = ekka_cudnn_edge(last, "matC");
	s->v = ekka_cudnn_edge(last, "matB");
	last->used = true;
	if (!ekka_cudnn_only(last, "matA matB matC mOverride kOverride") || (m >= 0 && !set_once(&s->lengths_q, m)) ||
	    (length >= 0 && !set_once(&s->lengths_k, length)))
		return false;
	weights = ekka_cudnn_edge(last, "matA");
	if (!dropout(s, &weights))
		return ekka_cudnn_sdpa_refuse(s, "attention with a dropout that is not known here");
	division = pointwise(s, weights, "DIV");
	if (division == NULL)
		return false;
	exponent = ekka_cudnn_edge(division, "X");
	sum = ekka_cudnn_edge(division, "B");
	exponential = pointwise(s, exponent, "EXP");
	shift = exponential != NULL ? pointwise(s, ekka_cudnn_edge(exponential, "X"), "SUB") : NULL;
	if (shift == NULL || !reduction_of(s, sum, "CUDNN_REDUCE_TENSOR_ADD", &of_sum) || of_sum != exponent)
		return false;
	max = ekka_cudnn_edge(shift, "B");
	if (!reduction_of(s, max, "CUDNN_REDUCE_TENSOR_MAX", &of_max) || of_max != ekka_cudnn_edge(shift, "X") || !statistics(s, max, sum))
		return false;
	while (of_max >= 0)
		if (++steps > EKKA_CUDNN_NODES || !logits_step(s, &of_max))
			return false;
	return paged(s, &s->k, &s->table_k) && paged(s, &s->v, &s->table_v);
}

static bool unified(struct ekka_cudnn_sdpa *s, struct ekka_cudnn_node *n)
{
	s->q = ekka_cudnn_edge(n, "Q");
	s->k = ekka_cudnn_edge(n, "K");
	s->v = ekka_cudnn_edge(n, "V");
	s->out = ekka_cudnn_edge(n, "O");
	s->lse = ekka_cudnn_edge(n, "Stats");
	s->scale = ekka_cudnn_edge(n, "scale");
	s->lengths_q = ekka_cudnn_edge(n, "seqLenQ");
	s->lengths_k = ekka_cudnn_edge(n, "seqLenKV");
	s->table_k = ekka_cudnn_edge(n, "pageTableK");
	s->table_v = ekka_cudnn_edge(n, "pageTableV");
	n->used = true;
	return ekka_cudnn_only(n, "Q K V O Stats scale seqLenQ seqLenKV pageTableK pageTableV") ||
	       ekka_cudnn_sdpa_refuse(s, "attention with a setting that is not known here");
}

bool ekka_cudnn_decode_sdpa(struct ekka_cudnn_plan *plan, struct ekka_cudnn_graph *g)
{
	struct ekka_cudnn_sdpa s = { .plan = plan, .g = g, .q = -1, .k = -1, .v = -1, .out = -1, .lse = -1, .scale = -1, .bias = -1, .alibi = -1,
			  .lengths_q = -1, .lengths_k = -1, .table_k = -1, .table_v = -1, .keep_scale = -1, .seed = -1, .offset = -1, .keep = 1 };
	struct ekka_cudnn_node *last = NULL;
	bool found = false;

	if (g->n_nodes == 1 && ekka_cudnn_is(&g->node[0], "SDPA_FWD")) {
		found = unified(&s, &g->node[0]);
	} else {
		/* The last product: its output leaves the graph. */
		for (unsigned i = 0; i < g->n_nodes; i++) {
			int c = ekka_cudnn_is(&g->node[i], "MATMUL") ? ekka_cudnn_edge(&g->node[i], "matC") : -1;

			if (c >= 0 && !g->tensor[c].is_virtual)
				last = &g->node[i];
		}
		found = last != NULL && g->n_nodes > 4 && composite(&s, last);
	}
	if (!found || s.q < 0 || s.k < 0 || s.v < 0 || s.out < 0)
		return false;
	plan->op = "attention";
	return ekka_cudnn_sdpa_plan(&s);
}
