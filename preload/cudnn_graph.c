/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "preload/cudnn_graph.h"

#include <string.h>

static const struct { const char *name; int dtype; } dtypes[] = {
	{ "CUDNN_DATA_FLOAT", EKKA_F32 }, { "CUDNN_DATA_DOUBLE", EKKA_F64 }, { "CUDNN_DATA_HALF", EKKA_F16 },
	{ "CUDNN_DATA_BFLOAT16", EKKA_BF16 }, { "CUDNN_DATA_FP8_E4M3", EKKA_E4M3 }, { "CUDNN_DATA_FP8_E5M2", EKKA_E5M2 },
	{ "CUDNN_DATA_INT8", EKKA_I8 }, { "CUDNN_DATA_UINT8", EKKA_U8 }, { "CUDNN_DATA_BOOLEAN", EKKA_U8 },
	{ "CUDNN_DATA_INT32", EKKA_I32 }, { "CUDNN_DATA_INT64", EKKA_I64 },
};

/* Edges that are results. */
static const char *const outputs[] = {
	"Y", "matC", "O", "Stats", "stats", "dX", "dW", "dQ", "dK", "dV", "mean", "invVariance", "sum", "sqsum", "Idx",
};

/* Statistics, which a norm computes in training and takes otherwise. */
static const char *const statistics[] = { "Mean", "InvVariance", "OutRunningMean", "OutRunningVar" };

static bool is_output(struct ekka_json object, struct ekka_json key)
{
	struct ekka_json v;

	if (ekka_json_member(object, "fmode", &v) && ekka_json_is(v, "CUDNN_NORM_FWD_TRAINING"))
		for (unsigned i = 0; i < sizeof(statistics) / sizeof(statistics[0]); i++)
			if (ekka_json_key_is(key, statistics[i]))
				return true;
	for (unsigned i = 0; i < sizeof(outputs) / sizeof(outputs[0]); i++)
		if (ekka_json_key_is(key, outputs[i]))
			return true;
	return false;
}

static bool read_tensor(struct ekka_cudnn_graph *g, struct ekka_json object)
{
	struct ekka_cudnn_tensor *t = &g->tensor[g->n_tensors];
	struct ekka_json v, key, offsets;
	int64_t vectors = 1;
	size_t pos = 0;
	int dims, strides;

	if (g->n_tensors == EKKA_CUDNN_TENSORS)
		return false;
	*t = (struct ekka_cudnn_tensor){ .dtype = -1, .ragged = -1 };
	if (!ekka_json_member(object, "name", &v) || !ekka_json_int(v, &t->uid) || !ekka_json_member(object, "dataType", &v))
		return false;
	for (unsigned i = 0; i < sizeof(dtypes) / sizeof(dtypes[0]); i++)
		if (ekka_json_is(v, dtypes[i].name))
			t->dtype = dtypes[i].dtype;
	dims = ekka_json_member(object, "dim", &v) ? ekka_json_ints(v, t->dim, EKKA_CUDNN_DIMS) : -1;
	strides = ekka_json_member(object, "stride", &v) ? ekka_json_ints(v, t->stride, EKKA_CUDNN_DIMS) : -1;
	if (dims < 1 || dims != strides)
		return false;
	t->n_dims = (unsigned)dims;
	t->is_virtual = ekka_json_member(object, "isVirtual", &v) && ekka_json_true(v);
	t->by_value = ekka_json_member(object, "isByValue", &v) && ekka_json_true(v);
	if (ekka_json_member(object, "vectCount", &v) && (!ekka_json_int(v, &vectors) || vectors != 1))
		t->odd = true;
	if (ekka_json_member(object, "reordering", &v) && !ekka_json_is(v, "CUDNN_TENSOR_REORDERING_NONE"))
		t->odd = true;
	g->n_tensors++;
	if (!ekka_json_member(object, "isRagged", &v))
		return true;
	if (!ekka_json_next(v, &pos, &key, &offsets)) {
		t->odd = true;
		return true;
	}
	/* Where each item begins: read whatever the nodes say. */
	t->ragged = (int)g->n_tensors;
	if (!read_tensor(g, offsets))
		return false;
	g->tensor[t->ragged].read = true;
	return true;
}

static int find_tensor(const struct ekka_cudnn_graph *g, int64_t uid)
{
	for (unsigned i = 0; i < g->n_tensors; i++)
		if (g->tensor[i].uid == uid)
			return (int)i;
	return -1;
}

static bool read_node(struct ekka_cudnn_graph *g, struct ekka_json object)
{
	struct ekka_cudnn_node *n = &g->node[g->n_nodes];
	struct ekka_json key, value;
	int64_t uid;
	int tensor;

	if (g->n_nodes == EKKA_CUDNN_NODES)
		return false;
	*n = (struct ekka_cudnn_node){ .object = object };
	if (!ekka_json_member(object, "operation", &n->operation))
		return false;
	for (size_t pos = 0; ekka_json_next(object, &pos, &key, &value);) {
		if (!ekka_json_is_string(value) || !ekka_json_int(value, &uid))
			continue;
		tensor = find_tensor(g, uid);
		if (tensor < 0 || n->n_edges == EKKA_CUDNN_EDGES)
			return false;
		n->edge[n->n_edges++] = (struct ekka_cudnn_edge){ key, tensor };
		if (is_output(object, key))
			g->tensor[tensor].written = true;
		else
			g->tensor[tensor].read = true;
	}
	g->n_nodes++;
	return true;
}

const char *ekka_cudnn_graph_read(struct ekka_cudnn_graph *ret, const char *text, size_t n)
{
	struct ekka_json plan, v, key, item;
	size_t pos = 0;

	ret->n_tensors = ret->n_nodes = 0;
	ret->engine = -1;
	if (!ekka_json_parse(text, n, &plan))
		return "the plan's JSON cannot be read";
	if (!ekka_json_member(plan, "operationGraph", &ret->text) || !ekka_json_member(ret->text, "tensors", &v))
		return "the plan's JSON has no operation graph";
	while (ekka_json_next(v, &pos, &key, &item))
		if (!read_tensor(ret, item))
			return "a tensor of the plan's JSON cannot be read";
	pos = 0;
	if (!ekka_json_member(ret->text, "nodes", &v))
		return "the plan's JSON has no operation graph";
	while (ekka_json_next(v, &pos, &key, &item))
		if (!read_node(ret, item))
			return "a node of the plan's JSON cannot be read";
	if (ekka_json_member(plan, "engine", &v) && ekka_json_member(v, "engineId", &item) && !ekka_json_int(item, &ret->engine))
		ret->engine = -1;
	return NULL;
}

bool ekka_cudnn_is(const struct ekka_cudnn_node *n, const char *what)
{
	static const char prefix[] = "CUDNN_BACKEND_OPERATION_", suffix[] = "_DESCRIPTOR";
	struct ekka_json s = n->operation;
	size_t before = sizeof(prefix) - 1, behind = sizeof(suffix) - 1;

	if (!ekka_json_is_string(s) || (size_t)(s.end - s.p) < before + behind + 2)
		return false;
	s.p++;
	s.end--;
	if (memcmp(s.p, prefix, before) != 0 || memcmp(s.end - behind, suffix, behind) != 0)
		return false;
	s.p += before;
	s.end -= behind;
	return ekka_json_key_is(s, what);
}

bool ekka_cudnn_is_pointwise(const struct ekka_cudnn_node *n, const char *mode)
{
	static const char prefix[] = "\"CUDNN_POINTWISE_";
	struct ekka_json v;

	if (!ekka_cudnn_is(n, "POINTWISE") || !ekka_json_member(n->object, "pointwiseMode", &v) ||
	    (size_t)(v.end - v.p) < sizeof(prefix) || memcmp(v.p, prefix, sizeof(prefix) - 1) != 0)
		return false;
	v.p += sizeof(prefix) - 1;
	v.end--;
	return ekka_json_key_is(v, mode);
}

int ekka_cudnn_edge(const struct ekka_cudnn_node *n, const char *key)
{
	for (unsigned i = 0; i < n->n_edges; i++)
		if (ekka_json_key_is(n->edge[i].key, key))
			return n->edge[i].tensor;
	return -1;
}

struct ekka_cudnn_node *ekka_cudnn_producer(struct ekka_cudnn_graph *g, int tensor)
{
	for (unsigned i = 0; tensor >= 0 && i < g->n_nodes; i++)
		for (unsigned e = 0; e < g->node[i].n_edges; e++)
			if (g->node[i].edge[e].tensor == tensor && is_output(g->node[i].object, g->node[i].edge[e].key))
				return &g->node[i];
	return NULL;
}

unsigned ekka_cudnn_readers(const struct ekka_cudnn_graph *g, int tensor)
{
	unsigned readers = 0;

	for (unsigned i = 0; i < g->n_nodes; i++)
		for (unsigned e = 0; e < g->node[i].n_edges; e++)
			readers += g->node[i].edge[e].tensor == tensor && !is_output(g->node[i].object, g->node[i].edge[e].key);
	return readers;
}

static bool listed(const char *keys, struct ekka_json key)
{
	size_t n = (size_t)(key.end - key.p);

	for (const char *k = keys; *k != '\0'; k += strcspn(k, " "), k += *k == ' ')
		if (strcspn(k, " ") == n && memcmp(k, key.p, n) == 0)
			return true;
	return false;
}

/* Members that only say what is always so, or in what precision. */
static bool changes_nothing(struct ekka_json key, struct ekka_json value)
{
	double x;

	if (ekka_json_key_is(key, "alpha1") || ekka_json_key_is(key, "alpha2"))
		return ekka_json_real(value, &x) && x == 1;
	return ekka_json_key_is(key, "operation") || ekka_json_key_is(key, "pointwiseMode") || ekka_json_key_is(key, "mathPrec") ||
	       ekka_json_key_is(key, "isDeterministic");
}

bool ekka_cudnn_only(const struct ekka_cudnn_node *n, const char *keys)
{
	struct ekka_json key, value;

	for (size_t pos = 0; ekka_json_next(n->object, &pos, &key, &value);)
		if (!listed(keys, key) && !changes_nothing(key, value))
			return false;
	return true;
}

double ekka_cudnn_number(const struct ekka_cudnn_node *n, const char *key, double otherwise)
{
	struct ekka_json v;
	double x;

	return ekka_json_member(n->object, key, &v) && ekka_json_real(v, &x) ? x : otherwise;
}
