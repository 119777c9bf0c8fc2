/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "preload/cudnn_plan.h"
#include "preload/lock.h"

#include <string.h>
#include <sys/mman.h>

enum { BUCKETS = 1024, JSON_MAX = 64 << 20, NONE = -1 };

static struct ekka_lock lock;				/* guards the table; a leaf */
static struct ekka_cudnn_plan plans[EKKA_CUDNN_PLANS];	/* never moves or goes away: calls borrow from it */
static int next[EKKA_CUDNN_PLANS];			/* in its bucket, +1; 0 ends */
static int bucket[BUCKETS];				/* +1 */
static int free_list;					/* +1 */
static int n_ever;					/* used at least once */
static int oldest;					/* next to be given up when all are in use */

static void *map(size_t n)
{
	void *p = mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return p != MAP_FAILED ? p : NULL;
}

static int *head_of(const void *handle)
{
	return &bucket[(uint64_t)(uintptr_t)handle * 0x9e3779b97f4a7c15u >> 54 & (BUCKETS - 1)];
}

static int find(const void *handle)
{
	int i;

	for (i = *head_of(handle); i != 0 && plans[i - 1].handle != handle; i = next[i - 1])
		;
	return i - 1;
}

/* Takes it off its list. The graph's text stays until the entry is used again: its call may still be under way. */
static void give_up(int at)
{
	int *link = head_of(plans[at].handle);

	while (*link != at + 1)
		link = &next[*link - 1];
	*link = next[at];
	plans[at].handle = NULL;
	next[at] = free_list;
	free_list = at + 1;
}

static int take(const void *handle)
{
	int at, *head = head_of(handle);

	if (free_list == 0 && n_ever < EKKA_CUDNN_PLANS) {
		at = n_ever++;
	} else {
		if (free_list == 0) {
			give_up(oldest);
			oldest = (oldest + 1) % EKKA_CUDNN_PLANS;
		}
		at = free_list - 1;
		free_list = next[at];
	}
	if (plans[at].graph != NULL)
		munmap(plans[at].graph, plans[at].graph_bytes);
	plans[at].handle = handle;
	plans[at].graph = NULL;
	next[at] = *head;
	*head = at + 1;
	return at;
}

/* The plan's JSON, in a mapping of its own; NULL when the library does not give it. */
static char *fetch(const void *handle, ekka_cudnn_get *get, int64_t *ret_n)
{
	cudnnBackendDescriptor_t d = (cudnnBackendDescriptor_t)(uintptr_t)handle;
	int64_t n = 0;
	char *text;

	*ret_n = 0;
	if (get(d, CUDNN_ATTR_EXECUTION_PLAN_JSON_REPRESENTATION, CUDNN_TYPE_CHAR, 0, &n, NULL) != CUDNN_STATUS_SUCCESS || n <= 0 || n > JSON_MAX)
		return NULL;
	text = map((size_t)n);
	if (text == NULL)
		return NULL;
	if (get(d, CUDNN_ATTR_EXECUTION_PLAN_JSON_REPRESENTATION, CUDNN_TYPE_CHAR, n, ret_n, text) != CUDNN_STATUS_SUCCESS || *ret_n > n) {
		munmap(text, (size_t)n);
		return NULL;
	}
	/* The size includes a terminating NUL. */
	while (*ret_n > 0 && text[*ret_n - 1] == '\0')
		(*ret_n)--;
	return text;
}

static void decode(struct ekka_cudnn_plan *p, ekka_cudnn_get *get)
{
	int64_t n;
	char *text = fetch(p->handle, get, &n);

	ekka_cudnn_decode(p, text != NULL ? text : "", text != NULL ? (uint64_t)n : 0);
	if (text != NULL)
		munmap(text, (size_t)n + 1);
}

const struct ekka_cudnn_plan *ekka_cudnn_plan(const void *handle, ekka_cudnn_get *get)
{
	int at;

	if (!ekka_lock_take(&lock))
		return NULL;
	at = find(handle);
	if (at < 0) {
		at = take(handle);
		decode(&plans[at], get);
	}
	ekka_lock_release(&lock);
	return &plans[at];
}

void ekka_cudnn_plan_forget(const void *handle)
{
	int at;

	if (handle == NULL || !ekka_lock_take(&lock))
		return;
	at = find(handle);
	if (at >= 0)
		give_up(at);
	ekka_lock_release(&lock);
}

/* ---- filling a plan --------------------------------------------------- */

bool ekka_cudnn_add_operand(struct ekka_cudnn_plan *p, const struct ekka_cudnn_graph *g, const char *name, enum ekka_dir dir, int tensor)
{
	const struct ekka_cudnn_tensor *t = &g->tensor[tensor < 0 ? 0 : tensor];
	struct ekka_cudnn_operand *o = &p->operand[p->n_operands];

	if (tensor < 0 || p->n_operands == EKKA_MAX_TENSORS || t->is_virtual || t->by_value || t->odd || t->ragged >= 0 || t->dtype < 0 || t->n_dims > EKKA_MAX_DIMS)
		return false;
	*o = (struct ekka_cudnn_operand){ .uid = t->uid, .dir = dir, .dtype = (enum ekka_dtype)t->dtype, .n_dims = t->n_dims };
	for (unsigned i = 0; name[i] != '\0' && i < sizeof(o->name) - 1; i++)
		o->name[i] = name[i];
	memcpy(o->dim, t->dim, t->n_dims * sizeof(o->dim[0]));
	memcpy(o->stride, t->stride, t->n_dims * sizeof(o->stride[0]));
	p->n_operands++;
	return true;
}

static struct ekka_cudnn_fact *add_fact(struct ekka_cudnn_plan *p, const char *name, enum ekka_value_kind kind)
{
	if (p->n_facts == EKKA_CUDNN_FACTS)
		return NULL;
	p->fact[p->n_facts] = (struct ekka_cudnn_fact){ .name = name, .kind = kind };
	return &p->fact[p->n_facts++];
}

bool ekka_cudnn_add_text(struct ekka_cudnn_plan *p, const char *name, const char *text)
{
	struct ekka_cudnn_fact *f = add_fact(p, name, EKKA_V_STR);

	if (f != NULL)
		f->s = text;
	return f != NULL;
}

bool ekka_cudnn_add_int(struct ekka_cudnn_plan *p, const char *name, int64_t i)
{
	struct ekka_cudnn_fact *f = add_fact(p, name, EKKA_V_INT);

	if (f != NULL)
		f->i = i;
	return f != NULL;
}

bool ekka_cudnn_add_real(struct ekka_cudnn_plan *p, const char *name, double r)
{
	struct ekka_cudnn_fact *f = add_fact(p, name, EKKA_V_REAL);

	if (f != NULL)
		f->r = r;
	return f != NULL;
}

bool ekka_cudnn_add_by_value(struct ekka_cudnn_plan *p, const struct ekka_cudnn_graph *g, const char *name, int tensor)
{
	struct ekka_cudnn_fact *f;

	if (tensor < 0 || !g->tensor[tensor].by_value || g->tensor[tensor].dtype < 0)
		return false;
	f = add_fact(p, name, EKKA_V_NIL);
	if (f == NULL)
		return false;
	f->uid = g->tensor[tensor].uid;
	f->dtype = (enum ekka_dtype)g->tensor[tensor].dtype;
	return true;
}

/* A list of integers, or of fractions [3,1] that are; their number, or -1. */
static int whole_numbers(struct ekka_json list, int64_t ret[EKKA_CUDNN_DIMS])
{
	struct ekka_json key, value;
	int64_t fraction[2];
	size_t pos = 0;
	int n = 0;

	for (; ekka_json_next(list, &pos, &key, &value); n++) {
		if (n == EKKA_CUDNN_DIMS)
			return -1;
		if (ekka_json_int(value, &ret[n]))
			continue;
		if (ekka_json_ints(value, fraction, 2) != 2 || fraction[1] < 1 || fraction[0] % fraction[1] != 0)
			return -1;
		ret[n] = fraction[0] / fraction[1];
	}
	return n;
}

bool ekka_cudnn_add_list(struct ekka_cudnn_plan *p, unsigned text, const char *name, const struct ekka_cudnn_node *n, const char *key)
{
	char *to = p->texts[text];
	int64_t item[EKKA_CUDNN_DIMS];
	struct ekka_json list;
	size_t at = 0;
	int items = ekka_json_member(n->object, key, &list) ? whole_numbers(list, item) : -1;

	for (int i = 0; i < items; i++) {
		char digits[8];
		unsigned n_digits = 0;

		if (item[i] < 0 || item[i] > 99999)
			return false;
		do
			digits[n_digits++] = (char)('0' + item[i] % 10);
		while ((item[i] /= 10) > 0);
		if (at + n_digits + 2 > sizeof(p->texts[0]))
			return false;
		if (i > 0)
			to[at++] = ',';
		while (n_digits > 0)
			to[at++] = digits[--n_digits];
	}
	to[at] = '\0';
	return items > 0 && ekka_cudnn_add_text(p, name, to);
}

bool ekka_cudnn_broadcast(struct ekka_cudnn_operand *o, const int64_t *dim, unsigned n)
{
	if (o->n_dims != n)
		return false;
	for (unsigned i = 0; i < n; i++) {
		if (o->dim[i] != dim[i] && o->dim[i] != 1)
			return false;
		if (o->dim[i] != dim[i])
			o->stride[i] = 0;
		o->dim[i] = dim[i];
	}
	return true;
}

/* ---- a graph without a reference -------------------------------------- */

/* "X_120": the key of the tensor's first edge and its id. */
static void name_by_edge(const struct ekka_cudnn_graph *g, int tensor, char *to, size_t size)
{
	uint64_t uid = (uint64_t)(g->tensor[tensor].uid < 0 ? -g->tensor[tensor].uid : g->tensor[tensor].uid);
	struct ekka_json key = { "t", NULL };
	char digits[24];
	unsigned n_digits = 0;
	size_t at = 0;

	key.end = key.p + 1;
	for (unsigned i = g->n_nodes; i > 0; i--)
		for (unsigned e = g->node[i - 1].n_edges; e > 0; e--)
			if (g->node[i - 1].edge[e - 1].tensor == tensor)
				key = g->node[i - 1].edge[e - 1].key;
	do
		digits[n_digits++] = (char)('0' + uid % 10);
	while ((uid /= 10) > 0);
	while (key.p < key.end && at + n_digits + 2 < size)
		to[at++] = *key.p++;
	to[at++] = '_';
	while (n_digits > 0 && at + 1 < size)
		to[at++] = digits[--n_digits];
	to[at] = '\0';
}

static void describe_all(struct ekka_cudnn_plan *p, const struct ekka_cudnn_graph *g)
{
	char name[sizeof(p->operand[0].name)];

	p->n_operands = p->n_facts = p->n_diagonals = p->n_fills = 0;
	p->padded = false;
	p->keep = 0;
	p->same_table[0] = p->same_table[1] = 0;
	for (unsigned i = 0; i < g->n_tensors; i++) {
		const struct ekka_cudnn_tensor *t = &g->tensor[i];

		name_by_edge(g, (int)i, name, sizeof(name));
		(void)ekka_cudnn_add_operand(p, g, name, !t->written ? EKKA_IN : t->read ? EKKA_INOUT : EKKA_OUT, (int)i);
	}
}

static void keep_graph(struct ekka_cudnn_plan *p, const struct ekka_cudnn_graph *g)
{
	size_t n = (size_t)(g->text.end - g->text.p);

	p->graph = map(n);
	if (p->graph == NULL)
		return;
	memcpy(p->graph, g->text.p, n);
	p->graph_bytes = n;
}

static bool all_used(const struct ekka_cudnn_graph *g)
{
	for (unsigned i = 0; i < g->n_nodes; i++)
		if (!g->node[i].used)
			return false;
	return true;
}

void ekka_cudnn_decode(struct ekka_cudnn_plan *p, const char *text, uint64_t n)
{
	static struct ekka_cudnn_graph g;	/* too large for an engine's stack; under the lock */
	static bool (*const decoders[])(struct ekka_cudnn_plan *, struct ekka_cudnn_graph *) = {
		ekka_cudnn_decode_sdpa, ekka_cudnn_decode_conv, ekka_cudnn_decode_matmul, ekka_cudnn_decode_norm, ekka_cudnn_decode_pool,
		ekka_cudnn_decode_pointwise,
	};
	const void *handle = p->handle;
	const char *why = n > 0 ? ekka_cudnn_graph_read(&g, text, n) : "the library does not tell the plan's graph";

	*p = (struct ekka_cudnn_plan){ .handle = handle, .op = "", .why = why };
	if (why != NULL) {
		p->undescribed = true;
		return;
	}
	for (unsigned i = 0; i < sizeof(decoders) / sizeof(decoders[0]); i++) {
		if (decoders[i](p, &g) && all_used(&g)) {
			(void)ekka_cudnn_add_int(p, "engine", g.engine);
			return;
		}
		for (unsigned k = 0; k < g.n_nodes; k++)
			g.node[k].used = false;
		describe_all(p, &g);
	}
	p->op = "";
	if (p->why == NULL)
		p->why = "this operation graph has no reference";
	(void)ekka_cudnn_add_int(p, "engine", g.engine);
	keep_graph(p, &g);
}
