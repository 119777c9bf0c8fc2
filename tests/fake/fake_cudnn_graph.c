/* SPDX-License-Identifier: Apache-2.0 */
/* libcudnn_graph.so.9: handles, and descriptors that keep whatever is set. Heuristics offer one engine. */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "tests/fake/fake_cudnn.h"

FAKE_EXPORT size_t cudnnGetVersion(void)
{
	return CUDNN_VERSION;
}

FAKE_EXPORT cudnnStatus_t cudnnCreate(cudnnHandle_t *handle)
{
	fake_make_current();
	*handle = calloc(1, sizeof(**handle));
	return *handle != NULL ? CUDNN_STATUS_SUCCESS : CUDNN_STATUS_INTERNAL_ERROR_HOST_ALLOCATION_FAILED;
}

FAKE_EXPORT cudnnStatus_t cudnnDestroy(cudnnHandle_t handle)
{
	free(handle);
	return CUDNN_STATUS_SUCCESS;
}

FAKE_EXPORT cudnnStatus_t cudnnSetStream(cudnnHandle_t handle, cudaStream_t stream)
{
	handle->stream = stream;
	return CUDNN_STATUS_SUCCESS;
}

FAKE_EXPORT cudnnStatus_t cudnnGetStream(cudnnHandle_t handle, cudaStream_t *ret_stream)
{
	*ret_stream = handle->stream;
	return CUDNN_STATUS_SUCCESS;
}

/* ---- attributes ------------------------------------------------------- */

static size_t element_size(int type)
{
	switch (type) {
	case CUDNN_TYPE_HANDLE: case CUDNN_TYPE_INT64: case CUDNN_TYPE_DOUBLE: case CUDNN_TYPE_VOID_PTR: case CUDNN_TYPE_BACKEND_DESCRIPTOR: return 8;
	case CUDNN_TYPE_BOOLEAN: case CUDNN_TYPE_CHAR: return 1;
	case CUDNN_TYPE_FRACTION: return 16;
	default: return 4;
	}
}

const struct fake_attribute *fake_attribute(const struct fake_descriptor *d, int name)
{
	for (unsigned i = 0; d != NULL && i < d->n_attributes; i++)
		if (d->attribute[i].name == name)
			return &d->attribute[i];
	return NULL;
}

int64_t fake_int(const struct fake_descriptor *d, int name, int64_t otherwise)
{
	const struct fake_attribute *a = fake_attribute(d, name);

	if (a == NULL)
		return otherwise;
	switch (element_size(a->type)) {
	case 8: return *(const int64_t *)a->data;
	case 4: return *(const int32_t *)a->data;
	default: return *(const uint8_t *)a->data;
	}
}

double fake_real(const struct fake_descriptor *d, int name, double otherwise)
{
	const struct fake_attribute *a = fake_attribute(d, name);

	return a == NULL ? otherwise : a->type == CUDNN_TYPE_DOUBLE ? *(const double *)a->data : (double)*(const float *)a->data;
}

struct fake_descriptor *fake_child(const struct fake_descriptor *d, int name)
{
	const struct fake_attribute *a = fake_attribute(d, name);

	return a != NULL ? *(struct fake_descriptor *const *)a->data : NULL;
}

FAKE_EXPORT cudnnStatus_t cudnnBackendCreateDescriptor(cudnnBackendDescriptorType_t type, cudnnBackendDescriptor_t *ret)
{
	struct fake_descriptor *d = calloc(1, sizeof(*d));

	if (d == NULL)
		return CUDNN_STATUS_INTERNAL_ERROR_HOST_ALLOCATION_FAILED;
	d->type = (int)type;
	*ret = d;
	return CUDNN_STATUS_SUCCESS;
}

FAKE_EXPORT cudnnStatus_t cudnnBackendDestroyDescriptor(cudnnBackendDescriptor_t descriptor)
{
	struct fake_descriptor *d = descriptor;

	for (unsigned i = 0; d != NULL && i < d->n_attributes; i++)
		free(d->attribute[i].data);
	free(d);
	return CUDNN_STATUS_SUCCESS;
}

static cudnnStatus_t set(struct fake_descriptor *d, int name, int type, int64_t count, const void *elements)
{
	struct fake_attribute *a = (struct fake_attribute *)(uintptr_t)fake_attribute(d, name);
	size_t bytes = (size_t)count * element_size(type);

	if (a == NULL) {
		if (d->n_attributes == sizeof(d->attribute) / sizeof(d->attribute[0]))
			return CUDNN_STATUS_NOT_SUPPORTED;
		a = &d->attribute[d->n_attributes++];
	}
	free(a->data);
	*a = (struct fake_attribute){ name, type, count, malloc(bytes + 1) };
	memcpy(a->data, elements, bytes);
	return CUDNN_STATUS_SUCCESS;
}

FAKE_EXPORT cudnnStatus_t cudnnBackendSetAttribute(cudnnBackendDescriptor_t descriptor, cudnnBackendAttributeName_t name,
						   cudnnBackendAttributeType_t type, int64_t count, const void *elements)
{
	struct fake_descriptor *d = descriptor;

	if (d == NULL || elements == NULL || count < 0)
		return CUDNN_STATUS_BAD_PARAM;
	return d->finalized ? CUDNN_STATUS_BAD_PARAM : set(d, (int)name, (int)type, count, elements);
}

FAKE_EXPORT cudnnStatus_t cudnnBackendFinalize(cudnnBackendDescriptor_t descriptor)
{
	((struct fake_descriptor *)descriptor)->finalized = true;
	return CUDNN_STATUS_SUCCESS;
}

/* One engine configuration for the heuristics' graph, into the caller's descriptor. */
static cudnnStatus_t offer_engine(struct fake_descriptor *heuristics, int64_t requested, int64_t *count, void *elements)
{
	struct fake_descriptor *config, *engine = calloc(1, sizeof(*engine)), *graph = fake_child(heuristics, CUDNN_ATTR_ENGINEHEUR_OPERATION_GRAPH);

	*count = 1;
	if (requested < 1 || engine == NULL) {
		free(engine);
		return CUDNN_STATUS_SUCCESS;
	}
	config = *(struct fake_descriptor **)elements;
	engine->type = CUDNN_BACKEND_ENGINE_DESCRIPTOR;
	set(engine, CUDNN_ATTR_ENGINE_OPERATION_GRAPH, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &graph);
	engine->finalized = config->finalized = true;
	return set(config, CUDNN_ATTR_ENGINECFG_ENGINE, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &engine);
}

/* The caller's descriptor becomes a copy of the configuration's engine. */
static cudnnStatus_t give_engine(const struct fake_descriptor *config, int64_t *count, void *elements)
{
	struct fake_descriptor *to = *(struct fake_descriptor **)elements;
	const struct fake_descriptor *engine = fake_child(config, CUDNN_ATTR_ENGINECFG_ENGINE);
	struct fake_descriptor *graph = fake_child(engine, CUDNN_ATTR_ENGINE_OPERATION_GRAPH);

	if (to == NULL || to->type != CUDNN_BACKEND_ENGINE_DESCRIPTOR)
		return CUDNN_STATUS_BAD_PARAM;
	*count = 1;
	to->finalized = true;
	return set(to, CUDNN_ATTR_ENGINE_OPERATION_GRAPH, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &graph);
}

/* Tensor cores, but where the first tensor is f32. */
static cudnnStatus_t give_notes(const struct fake_descriptor *engine, int64_t requested, int64_t *count, void *elements)
{
	const struct fake_descriptor *op = fake_child(fake_child(engine, CUDNN_ATTR_ENGINE_OPERATION_GRAPH), CUDNN_ATTR_OPERATIONGRAPH_OPS);

	if (op == NULL)
		return CUDNN_STATUS_BAD_PARAM;
	*count = fake_int(fake_child(op, fake_edges(op->type)->name), CUDNN_ATTR_TENSOR_DATA_TYPE, 0) != CUDNN_DATA_FLOAT;
	if (requested > 0 && *count > 0)
		*(cudnnBackendNumericalNote_t *)elements = CUDNN_NUMERICAL_NOTE_TENSOR_CORE;
	return CUDNN_STATUS_SUCCESS;
}

static cudnnStatus_t give_json(const struct fake_descriptor *plan, int64_t requested, int64_t *count, void *elements)
{
	char *text = fake_plan_json(plan);
	int64_t n = (int64_t)strlen(text) + 1;

	*count = requested > 0 && requested < n ? requested : n;
	if (requested > 0)
		memcpy(elements, text, (size_t)*count);
	free(text);
	return CUDNN_STATUS_SUCCESS;
}

FAKE_EXPORT cudnnStatus_t cudnnBackendGetAttribute(cudnnBackendDescriptor_t const descriptor, cudnnBackendAttributeName_t name,
						   cudnnBackendAttributeType_t type, int64_t requested, int64_t *count, void *elements)
{
	struct fake_descriptor *d = descriptor;
	int64_t unused;

	(void)type;
	count = count != NULL ? count : &unused;
	if (!d->finalized && d->type != CUDNN_BACKEND_ENGINECFG_DESCRIPTOR)
		return CUDNN_STATUS_BAD_PARAM_NOT_FINALIZED;
	switch ((int)name) {
	case CUDNN_ATTR_ENGINEHEUR_RESULTS:
		return offer_engine(d, requested, count, elements);
	case CUDNN_ATTR_ENGINECFG_ENGINE:
		return give_engine(d, count, elements);
	case CUDNN_ATTR_ENGINE_NUMERICAL_NOTE:
		return give_notes(d, requested, count, elements);
	case CUDNN_ATTR_EXECUTION_PLAN_WORKSPACE_SIZE:
		*(int64_t *)elements = 0;
		*count = 1;
		return CUDNN_STATUS_SUCCESS;
	case CUDNN_ATTR_EXECUTION_PLAN_JSON_REPRESENTATION:
		return give_json(d, requested, count, elements);
	default: return CUDNN_STATUS_NOT_SUPPORTED; /* a variant pack does not give back what was put in */
	}
}

/* ---- graphs ----------------------------------------------------------- */

const struct fake_edge *fake_edges(int operation_type)
{
	static const struct fake_edge matmul[] = {
		{ CUDNN_ATTR_OPERATION_MATMUL_ADESC, "matA", false }, { CUDNN_ATTR_OPERATION_MATMUL_BDESC, "matB", false },
		{ CUDNN_ATTR_OPERATION_MATMUL_CDESC, "matC", true }, { 0 },
	};
	static const struct fake_edge pointwise[] = {
		{ CUDNN_ATTR_OPERATION_POINTWISE_XDESC, "X", false }, { CUDNN_ATTR_OPERATION_POINTWISE_YDESC, "Y", true },
		{ CUDNN_ATTR_OPERATION_POINTWISE_BDESC, "B", false }, { CUDNN_ATTR_OPERATION_POINTWISE_TDESC, "T", false }, { 0 },
	};
	static const struct fake_edge reduction[] = {
		{ CUDNN_ATTR_OPERATION_REDUCTION_XDESC, "X", false }, { CUDNN_ATTR_OPERATION_REDUCTION_YDESC, "Y", true }, { 0 },
	};
	static const struct fake_edge convolution[] = {
		{ CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_X, "X", false }, { CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_W, "W", false },
		{ CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_Y, "Y", true }, { 0 },
	};

	static const struct fake_edge gradient[] = {
		{ CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DY, "dY", false }, { CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_W, "W", false },
		{ CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DX, "dX", true }, { 0 },
	};

	static const struct fake_edge norm[] = {
		{ CUDNN_ATTR_OPERATION_NORM_FWD_XDESC, "X", false }, { CUDNN_ATTR_OPERATION_NORM_FWD_MEAN_DESC, "Mean", false },
		{ CUDNN_ATTR_OPERATION_NORM_FWD_INV_VARIANCE_DESC, "InvVariance", false }, { CUDNN_ATTR_OPERATION_NORM_FWD_SCALE_DESC, "Scale", false },
		{ CUDNN_ATTR_OPERATION_NORM_FWD_BIAS_DESC, "Bias", false }, { CUDNN_ATTR_OPERATION_NORM_FWD_EPSILON_DESC, "epsilonDesc", false },
		{ CUDNN_ATTR_OPERATION_NORM_FWD_YDESC, "Y", true }, { 0 },
	};
	static const struct fake_edge resample[] = {
		{ CUDNN_ATTR_OPERATION_RESAMPLE_FWD_XDESC, "X", false }, { CUDNN_ATTR_OPERATION_RESAMPLE_FWD_YDESC, "Y", true }, { 0 },
	};

	switch (operation_type) {
	case CUDNN_BACKEND_OPERATION_NORM_FORWARD_DESCRIPTOR: return norm;
	case CUDNN_BACKEND_OPERATION_RESAMPLE_FWD_DESCRIPTOR: return resample;
	case CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_DATA_DESCRIPTOR: return gradient;
	case CUDNN_BACKEND_OPERATION_MATMUL_DESCRIPTOR: return matmul;
	case CUDNN_BACKEND_OPERATION_POINTWISE_DESCRIPTOR: return pointwise;
	case CUDNN_BACKEND_OPERATION_REDUCTION_DESCRIPTOR: return reduction;
	case CUDNN_BACKEND_OPERATION_CONVOLUTION_FORWARD_DESCRIPTOR: return convolution;
	default: abort();
	}
}

unsigned fake_operations(const struct fake_descriptor *plan, struct fake_descriptor **ret)
{
	const struct fake_descriptor *config = fake_child(plan, CUDNN_ATTR_EXECUTION_PLAN_ENGINE_CONFIG);
	const struct fake_descriptor *engine = fake_child(config, CUDNN_ATTR_ENGINECFG_ENGINE);
	const struct fake_attribute *ops = fake_attribute(fake_child(engine, CUDNN_ATTR_ENGINE_OPERATION_GRAPH), CUDNN_ATTR_OPERATIONGRAPH_OPS);

	if (ops == NULL || ops->count >= 64)
		return 0;
	memcpy(ret, ops->data, (size_t)ops->count * sizeof(ret[0]));
	return (unsigned)ops->count;
}

FAKE_EXPORT cudnnStatus_t cudnnBackendExecute(cudnnHandle_t handle, cudnnBackendDescriptor_t plan, cudnnBackendDescriptor_t pack)
{
	if (!((struct fake_descriptor *)plan)->finalized || !((struct fake_descriptor *)pack)->finalized)
		return CUDNN_STATUS_BAD_PARAM_NOT_FINALIZED;
	return fake_execute(handle, plan, pack);
}
