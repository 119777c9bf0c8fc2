/* SPDX-License-Identifier: Apache-2.0 */
/* Interprets an operation graph node by node, in double precision with the roundings of the tensors' types, on the stream's thread. */
#include "config.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tests/fake/fake_cudnn.h"
#include "tests/gpu/number.h"

enum { EDGES = 7, TENSORS = 512 };

struct node {
	int type, mode;			/* operation; pointwise mode or reduction */
	int axis;
	double alpha1, alpha2;
	int64_t pad[FAKE_DIMS], stride[FAKE_DIMS], dilation[FAKE_DIMS], window[FAKE_DIMS];
	int x, b, t, y;			/* indices of tensors, -1 none; matA and X and so on */
	int edge[EDGES];		/* all of them, in fake_edges' order */
};

struct program { struct fake_tensor tensor[TENSORS]; double value[TENSORS]; unsigned n_tensors; struct node node[64]; unsigned n_nodes; };

static cudaDataType cuda_type(cudnnDataType_t type)
{
	switch (type) {
	case CUDNN_DATA_FLOAT: return CUDA_R_32F;
	case CUDNN_DATA_HALF: return CUDA_R_16F;
	case CUDNN_DATA_BFLOAT16: return CUDA_R_16BF;
	case CUDNN_DATA_INT32: return CUDA_R_32I;
	case CUDNN_DATA_BOOLEAN: case CUDNN_DATA_INT8: return CUDA_R_8I;
	default: abort();
	}
}

static int64_t offset(const struct fake_tensor *t, const int64_t *index)
{
	int64_t at = 0;

	for (int d = 0; d < t->n; d++)
		at += index[d] * t->stride[d];
	return at;
}

double fake_load(const struct fake_tensor *t, const int64_t *index)
{
	return number_load(cuda_type(t->type), t->data, offset(t, index));
}

void fake_store(const struct fake_tensor *t, const int64_t *index, double v)
{
	number_store(cuda_type(t->type), t->data, offset(t, index), v);
}

bool fake_next_index(const int64_t *dim, int n, int64_t *index)
{
	for (int d = n - 1; d >= 0; d--) {
		if (++index[d] < dim[d])
			return true;
		index[d] = 0;
	}
	return false;
}

/* An operand at an index of the result: its dims divide the result's. */
static double load_for(const struct fake_tensor *t, const struct fake_tensor *y, const int64_t *index)
{
	int64_t at[FAKE_DIMS];

	for (int d = 0; d < t->n; d++)
		at[d] = t->dim[d] == y->dim[d] ? index[d] : index[d] * t->dim[d] / y->dim[d];
	return fake_load(t, at);
}

static double pointwise(const struct program *p, const struct node *n, const int64_t *index)
{
	const struct fake_tensor *y = &p->tensor[n->y];
	double x = load_for(&p->tensor[n->x], y, index), b = n->b >= 0 ? n->alpha2 * load_for(&p->tensor[n->b], y, index) : 0;

	x *= n->alpha1;
	switch (n->mode) {
	case CUDNN_POINTWISE_ADD: return x + b;
	case CUDNN_POINTWISE_SUB: return x - b;
	case CUDNN_POINTWISE_MUL: return x * b;
	case CUDNN_POINTWISE_DIV: return x / b;
	case CUDNN_POINTWISE_ABS: return fabs(x);
	case CUDNN_POINTWISE_EXP: return exp(x);
	case CUDNN_POINTWISE_LOG: return log(x);
	case CUDNN_POINTWISE_RELU_FWD: return x > 0 ? x : 0;
	case CUDNN_POINTWISE_SIGMOID_FWD: return 1 / (1 + exp(-x));
	case CUDNN_POINTWISE_GELU_APPROX_TANH_FWD: return number_gelu(x);
	case CUDNN_POINTWISE_GEN_INDEX: return (double)index[n->axis];
	case CUDNN_POINTWISE_CMP_GE: return x >= b;
	case CUDNN_POINTWISE_BINARY_SELECT: return load_for(&p->tensor[n->t], y, index) != 0 ? x : b;
	default: abort();
	}
}

static double matmul(const struct program *p, const struct node *n, const int64_t *index)
{
	const struct fake_tensor *a = &p->tensor[n->x], *b = &p->tensor[n->b], *y = &p->tensor[n->y];
	int64_t at[FAKE_DIMS], bt[FAKE_DIMS];
	int rank = y->n;
	double sum = 0;

	for (int d = 0; d < rank - 2; d++) {
		at[d] = index[d] * a->dim[d] / y->dim[d];
		bt[d] = index[d] * b->dim[d] / y->dim[d];
	}
	at[rank - 2] = index[rank - 2];
	bt[rank - 1] = index[rank - 1];
	for (int64_t k = 0; k < a->dim[rank - 1]; k++) {
		at[rank - 1] = bt[rank - 2] = k;
		sum += fake_load(a, at) * fake_load(b, bt);
	}
	return sum;
}

static double reduction(const struct program *p, const struct node *n, const int64_t *index)
{
	const struct fake_tensor *x = &p->tensor[n->x], *y = &p->tensor[n->y];
	int64_t at[FAKE_DIMS], inner[FAKE_DIMS] = { 0 }, dim[FAKE_DIMS];
	double r = n->mode == CUDNN_REDUCE_TENSOR_MAX ? -INFINITY : 0;

	for (int d = 0; d < x->n; d++)
		dim[d] = y->dim[d] == 1 ? x->dim[d] : 1;
	do {
		for (int d = 0; d < x->n; d++)
			at[d] = index[d] + inner[d];
		r = n->mode == CUDNN_REDUCE_TENSOR_MAX ? fmax(r, fake_load(x, at)) : r + fake_load(x, at);
	} while (fake_next_index(dim, x->n, inner));
	return r;
}

static double convolution(const struct program *p, const struct node *n, const int64_t *index)
{
	const struct fake_tensor *x = &p->tensor[n->x], *w = &p->tensor[n->b], *y = &p->tensor[n->y];
	int64_t at[FAKE_DIMS], tap[FAKE_DIMS] = { 0 }, dim[FAKE_DIMS];
	int64_t groups = x->dim[1] / w->dim[1], group = index[1] / (y->dim[1] / groups);
	double sum = 0;

	memcpy(dim, w->dim, sizeof(dim));
	dim[0] = 1;
	do {
		int64_t at_w[FAKE_DIMS];
		bool inside = true;

		memcpy(at_w, tap, sizeof(at_w));
		at_w[0] = index[1];
		at[0] = index[0];
		at[1] = group * w->dim[1] + tap[1];
		for (int d = 2; d < x->n; d++) {
			at[d] = index[d] * n->stride[d - 2] - n->pad[d - 2] + tap[d] * n->dilation[d - 2];
			inside &= at[d] >= 0 && at[d] < x->dim[d];
		}
		if (inside)
			sum += fake_load(x, at) * fake_load(w, at_w);
	} while (fake_next_index(dim, w->n, tap));
	return n->alpha1 * sum;
}

/* What every output of the convolution that has this index among its inputs hands back. */
static double gradient(const struct program *p, const struct node *n, const int64_t *index)
{
	const struct fake_tensor *dy = &p->tensor[n->x], *w = &p->tensor[n->b], *dx = &p->tensor[n->y];
	int64_t at[FAKE_DIMS], tap[FAKE_DIMS] = { 0 }, dim[FAKE_DIMS];
	int64_t groups = dx->dim[1] / w->dim[1], rows = w->dim[0] / groups, group = index[1] / w->dim[1];
	double sum = 0;

	memcpy(dim, w->dim, sizeof(dim));
	dim[0] = rows;
	dim[1] = 1;
	do {
		int64_t at_w[FAKE_DIMS];
		bool inside = true;

		memcpy(at_w, tap, sizeof(at_w));
		at_w[0] = at[1] = group * rows + tap[0];
		at_w[1] = index[1] % w->dim[1];
		at[0] = index[0];
		for (int d = 2; d < dx->n; d++) {
			int64_t from = index[d] + n->pad[d - 2] - tap[d] * n->dilation[d - 2];

			at[d] = from / n->stride[d - 2];
			inside &= from >= 0 && from % n->stride[d - 2] == 0 && at[d] < dy->dim[d];
		}
		if (inside)
			sum += fake_load(dy, at) * fake_load(w, at_w);
	} while (fake_next_index(dim, w->n, tap));
	return n->alpha1 * sum;
}

/* A tensor's element for an index of the result; `otherwise` where it is none. */
static double load_or(const struct program *p, const struct node *n, int edge, const int64_t *index, double otherwise)
{
	return n->edge[edge] >= 0 ? load_for(&p->tensor[n->edge[edge]], &p->tensor[n->y], index) : otherwise;
}

/* Over the dims that the scale has, or over all positions of a channel; or with the statistics given. */
static double norm(const struct program *p, const struct node *n, const int64_t *index)
{
	const struct fake_tensor *x = &p->tensor[n->edge[0]], *scale = &p->tensor[n->edge[3]];
	double mean = load_or(p, n, 1, index, 0), rstd = load_or(p, n, 2, index, 0), sum = 0, squares = 0, count = 0;
	int64_t at[FAKE_DIMS], inner[FAKE_DIMS] = { 0 }, dim[FAKE_DIMS];

	if (n->mode != CUDNN_BATCH_NORM) {
		for (int d = 0; d < x->n; d++)
			dim[d] = (n->mode == CUDNN_INSTANCE_NORM ? d >= 2 : scale->dim[d] > 1) ? x->dim[d] : 1;
		for (int pass = 0; pass < 2; pass++)
			do {
				double v;

				for (int d = 0; d < x->n; d++)
					at[d] = dim[d] > 1 ? inner[d] : index[d];
				v = fake_load(x, at) - (n->mode == CUDNN_RMS_NORM || pass == 0 ? 0 : sum / count);
				sum += pass == 0 ? v : 0;
				count += pass == 0;
				squares += pass == 1 ? v * v : 0;
			} while (fake_next_index(dim, x->n, inner));
		mean = n->mode == CUDNN_RMS_NORM ? 0 : sum / count;
		rstd = 1 / sqrt(squares / count + load_or(p, n, 5, index, 0));
	}
	return (fake_load(x, index) - mean) * rstd * load_or(p, n, 3, index, 1) + load_or(p, n, 4, index, 0);
}

static double resample(const struct program *p, const struct node *n, const int64_t *index)
{
	const struct fake_tensor *x = &p->tensor[n->x];
	int64_t at[FAKE_DIMS] = { index[0], index[1] }, tap[FAKE_DIMS] = { 0 };
	double largest = -INFINITY, sum = 0, inside = 0, all = 0;

	do {
		bool is_inside = true;

		for (int d = 2; d < x->n; d++) {
			at[d] = index[d] * n->stride[d - 2] - n->pad[d - 2] + tap[d - 2];
			is_inside &= at[d] >= 0 && at[d] < x->dim[d];
		}
		all++;
		if (!is_inside)
			continue;
		largest = fmax(largest, fake_load(x, at));
		sum += fake_load(x, at);
		inside++;
	} while (fake_next_index(n->window, x->n - 2, tap));
	return n->mode == CUDNN_RESAMPLE_MAXPOOL ? largest : sum / (n->mode == CUDNN_RESAMPLE_AVGPOOL_EXCLUDE_PADDING ? inside : all);
}

static void run_node(const struct program *p, const struct node *n)
{
	const struct fake_tensor *y = &p->tensor[n->y];
	int64_t index[FAKE_DIMS] = { 0 };

	do {
		double v = n->type == CUDNN_BACKEND_OPERATION_MATMUL_DESCRIPTOR ? matmul(p, n, index) :
			   n->type == CUDNN_BACKEND_OPERATION_POINTWISE_DESCRIPTOR ? pointwise(p, n, index) :
			   n->type == CUDNN_BACKEND_OPERATION_REDUCTION_DESCRIPTOR ? reduction(p, n, index) :
			   n->type == CUDNN_BACKEND_OPERATION_NORM_FORWARD_DESCRIPTOR ? norm(p, n, index) :
			   n->type == CUDNN_BACKEND_OPERATION_RESAMPLE_FWD_DESCRIPTOR ? resample(p, n, index) :
			   n->type == CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_DATA_DESCRIPTOR ? gradient(p, n, index) : convolution(p, n, index);
		fake_store(y, index, v);
	} while (fake_next_index(y->dim, y->n, index));
}

static void run(void *arg)
{
	struct program *p = *(struct program **)arg;

	for (unsigned i = 0; i < p->n_tensors; i++) {
		struct fake_tensor *t = &p->tensor[i];
		size_t last = 0;

		for (int d = 0; d < t->n; d++)
			last += (size_t)((t->dim[d] - 1) * t->stride[d]);
		if (t->is_virtual)
			t->data = calloc(last + 1, 4);
	}
	for (unsigned i = 0; i < p->n_nodes; i++)
		run_node(p, &p->node[i]);
	for (unsigned i = 0; i < p->n_tensors; i++)
		if (p->tensor[i].is_virtual)
			free(p->tensor[i].data);
	free(p);
}

/* ---- from descriptors ------------------------------------------------- */

static void list(const struct fake_descriptor *d, int name, int64_t *ret)
{
	const struct fake_attribute *a = fake_attribute(d, name);

	memcpy(ret, a->data, (size_t)a->count * sizeof(ret[0]));
}

static const void *pointer_of(const struct fake_descriptor *pack, int64_t uid)
{
	const struct fake_attribute *ids = fake_attribute(pack, CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS);
	const struct fake_attribute *pointers = fake_attribute(pack, CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS);

	for (int64_t i = 0; i < ids->count; i++)
		if (((const int64_t *)ids->data)[i] == uid)
			return ((const void *const *)pointers->data)[i];
	return NULL;
}

/* Index of the tensor in the program, made if it is new; -1 without descriptor, -2 without pointer. */
static int tensor(struct program *p, const struct fake_descriptor *d, const struct fake_descriptor *pack)
{
	struct fake_tensor *t = &p->tensor[p->n_tensors];
	int64_t uid = fake_int(d, CUDNN_ATTR_TENSOR_UNIQUE_ID, -1);
	const void *at;

	if (d == NULL)
		return -1;
	for (unsigned i = 0; i < p->n_tensors; i++)
		if (p->tensor[i].uid == uid)
			return (int)i;
	*t = (struct fake_tensor){ .uid = uid, .type = (cudnnDataType_t)fake_int(d, CUDNN_ATTR_TENSOR_DATA_TYPE, 0),
				   .n = (int)fake_attribute(d, CUDNN_ATTR_TENSOR_DIMENSIONS)->count,
				   .is_virtual = fake_int(d, CUDNN_ATTR_TENSOR_IS_VIRTUAL, 0) != 0 };
	list(d, CUDNN_ATTR_TENSOR_DIMENSIONS, t->dim);
	list(d, CUDNN_ATTR_TENSOR_STRIDES, t->stride);
	if (!t->is_virtual) {
		at = pointer_of(pack, uid);
		if (at == NULL)
			return -2;
		if (fake_int(d, CUDNN_ATTR_TENSOR_IS_BY_VALUE, 0)) {
			memcpy(&p->value[p->n_tensors], at, number_size(cuda_type(t->type)));
			t->data = &p->value[p->n_tensors];
		} else {
			t->data = fake_bytes((uint64_t)at);
		}
	}
	return (int)p->n_tensors++;
}

static bool node(struct program *p, const struct fake_descriptor *op, const struct fake_descriptor *pack)
{
	struct node *n = &p->node[p->n_nodes++];
	const struct fake_descriptor *d;
	int edge[EDGES] = { -1, -1, -1, -1, -1, -1, -1 }, i = 0;
	bool forward;

	for (const struct fake_edge *e = fake_edges(op->type); e->name != 0; e++, i++) {
		edge[i] = tensor(p, fake_child(op, e->name), pack);
		if (edge[i] == -2)
			return false;
	}
	*n = (struct node){ .type = op->type, .alpha1 = 1, .alpha2 = 1, .x = edge[0], .b = -1, .t = -1 };
	memcpy(n->edge, edge, sizeof(edge));
	switch (op->type) {
	case CUDNN_BACKEND_OPERATION_POINTWISE_DESCRIPTOR:
		d = fake_child(op, CUDNN_ATTR_OPERATION_POINTWISE_PW_DESCRIPTOR);
		n->mode = (int)fake_int(d, CUDNN_ATTR_POINTWISE_MODE, 0);
		n->axis = (int)fake_int(d, CUDNN_ATTR_POINTWISE_AXIS, 0);
		n->alpha1 = fake_real(op, CUDNN_ATTR_OPERATION_POINTWISE_ALPHA1, 1);
		n->alpha2 = fake_real(op, CUDNN_ATTR_OPERATION_POINTWISE_ALPHA2, 1);
		n->y = edge[1], n->b = edge[2], n->t = edge[3];
		break;
	case CUDNN_BACKEND_OPERATION_REDUCTION_DESCRIPTOR:
		n->mode = (int)fake_int(fake_child(op, CUDNN_ATTR_OPERATION_REDUCTION_DESC), CUDNN_ATTR_REDUCTION_OPERATOR, 0);
		n->y = edge[1];
		break;
	case CUDNN_BACKEND_OPERATION_CONVOLUTION_FORWARD_DESCRIPTOR: case CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_DATA_DESCRIPTOR:
		forward = op->type == CUDNN_BACKEND_OPERATION_CONVOLUTION_FORWARD_DESCRIPTOR;
		d = fake_child(op, forward ? CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_CONV_DESC : CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_CONV_DESC);
		list(d, CUDNN_ATTR_CONVOLUTION_PRE_PADDINGS, n->pad);
		list(d, CUDNN_ATTR_CONVOLUTION_FILTER_STRIDES, n->stride);
		list(d, CUDNN_ATTR_CONVOLUTION_DILATIONS, n->dilation);
		n->alpha1 = fake_real(op, forward ? CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_ALPHA : CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_ALPHA, 1);
		n->b = edge[1], n->y = edge[2];
		break;
	case CUDNN_BACKEND_OPERATION_NORM_FORWARD_DESCRIPTOR:
		n->mode = (int)fake_int(op, CUDNN_ATTR_OPERATION_NORM_FWD_MODE, 0);
		n->y = edge[6];
		break;
	case CUDNN_BACKEND_OPERATION_RESAMPLE_FWD_DESCRIPTOR:
		d = fake_child(op, CUDNN_ATTR_OPERATION_RESAMPLE_FWD_DESC);
		n->mode = (int)fake_int(d, CUDNN_ATTR_RESAMPLE_MODE, 0);
		list(d, CUDNN_ATTR_RESAMPLE_WINDOW_DIMS, n->window);
		list(d, CUDNN_ATTR_RESAMPLE_STRIDES, n->stride);
		list(d, CUDNN_ATTR_RESAMPLE_PRE_PADDINGS, n->pad);
		n->y = edge[1];
		break;
	default: n->b = edge[1], n->y = edge[2]; break;
	}
	return true;
}

cudnnStatus_t fake_execute(cudnnHandle_t handle, const struct fake_descriptor *plan, const struct fake_descriptor *pack)
{
	struct program *p = calloc(1, sizeof(*p));
	struct fake_descriptor *op[64];
	unsigned n = fake_operations(plan, op);

	for (unsigned i = 0; i < n; i++) {
		if (!node(p, op[i], pack)) {
			free(p);
			return CUDNN_STATUS_BAD_PARAM;
		}
	}
	return fake_enqueue(fake_stream_of((CUstream)handle->stream), run, &p, sizeof(p)) == CUDA_SUCCESS ? CUDNN_STATUS_SUCCESS :
													     CUDNN_STATUS_EXECUTION_FAILED;
}
