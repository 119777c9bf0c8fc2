/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cuDNN's graph API: the wrappers that watch descriptors, and what cudnnBackendExecute is described as.
 * Zone: inside the host process (preload/capture.h has its rules).
 */
#include "config.h"

#include "preload/cudnn.h"
#include "preload/cuda_cublas.h"
#include "preload/cudnn_getters.h"
#include "preload/cudnn_notes.h"
#include "preload/cudnn_pack.h"
#include "preload/cudnn_plan.h"
#include "preload/probe.h"
#include "spec/gen/ids.h"

#include <errno.h>
#include <math.h>
#include <string.h>

void ekka_cudnn_context(struct ekka_call *call, cudnnHandle_t handle)
{
	const struct ekka_cudnn_getters *g = ekka_cudnn_getters(call);
	cudaStream_t stream = NULL;

	call->rec.device = ekka_cuda_current_device();
	if (g != NULL && g->stream != NULL && handle != NULL && g->stream(handle, &stream) == CUDNN_STATUS_SUCCESS)
		call->rec.stream = (uint64_t)stream;
}

/* ---- by value --------------------------------------------------------- */

/* A number that the pack brings along: host memory. */
static bool number(const struct ekka_cudnn_pack *pack, int64_t uid, enum ekka_dtype dtype, double *ret)
{
	union { float f; double d; int32_t i; int64_t l; } x;
	const void *p;

	if (!ekka_cudnn_pack_pointer(pack, uid, &p) || p == NULL || ekka_dtype_bytes(dtype) > sizeof(x) ||
	    !ekka_probe_copy(&x, (uintptr_t)p, ekka_dtype_bytes(dtype)))
		return false;
	switch (dtype) {
	case EKKA_F32: *ret = (double)x.f; return true;
	case EKKA_F64: *ret = x.d; return true;
	case EKKA_I32: *ret = x.i; return true;
	case EKKA_I64: *ret = (double)x.l; return true;
	default: return false;
	}
}

/* ---- masks ------------------------------------------------------------ */

struct band {
	bool has_upper, has_lower, by_length;
	int64_t upper, lower;		/* col <= row + upper, col >= row - lower */
};

static bool band_of(const struct ekka_cudnn_plan *plan, const struct ekka_cudnn_pack *pack, struct band *ret)
{
	*ret = (struct band){ 0 };
	for (unsigned i = 0; i < plan->n_diagonals; i++) {
		const struct ekka_cudnn_diagonal *d = &plan->diagonal[i];
		double sum = (double)d->constant, x;

		for (unsigned t = 0; t < d->n_terms; t++) {
			if (!number(pack, d->term[t].uid, d->term[t].dtype, &x))
				return false;
			sum += d->term[t].sign * x;
		}
		if ((d->upper ? ret->has_upper : ret->has_lower) || !(sum > -1e15 && sum < 1e15) || sum != (double)(int64_t)sum)
			return false;
		if (d->upper) {
			ret->has_upper = true;
			ret->by_length = d->by_length;
			ret->upper = (int64_t)sum;
		} else {
			ret->has_lower = true;
			ret->lower = (int64_t)sum;
		}
	}
	return true;
}

/* Says a band in op attention's words; NULL, or why it cannot be said. */
static const char *describe_band(struct ekka_call *call, const struct ekka_cudnn_plan *plan, const struct band *b)
{
	int64_t offset = plan->keys - plan->rows;
	bool from_top = !b->has_upper && !b->has_lower ? false : !b->by_length && (plan->padded || !b->has_upper || b->upper == 0);
	int64_t upper = b->upper, lower = b->lower;

	if (!b->has_upper && !b->has_lower)
		return NULL;
	if (from_top) {
		/* The op counts from the top only below the diagonal. Without padding a lower edge alone counts from the bottom as well. */
		if (b->has_upper && upper == 0) {
			ekka_attr_str(call, "causal", "top-left");
		} else if (plan->padded) {
			return "attention with a band that goes with no corner of the padded square";
		} else {
			lower += offset;
		}
	} else {
		/* By length the sums are from the bottom right already. */
		if (!b->by_length) {
			upper -= offset;
			lower += offset;
		} else if (b->has_lower) {
			return "attention with a window in padded sequences";
		}
		if (upper == 0)
			ekka_attr_str(call, "causal", "bottom-right");
		else if (upper > 0)
			ekka_attr_int(call, "window_right", upper);
		else
			return "attention with a band beside the diagonal";
	}
	if (b->has_lower && lower < 0)
		return "attention with a band beside the diagonal";
	if (b->has_lower)
		ekka_attr_int(call, "window_left", lower);
	return NULL;
}

/* Masked logits become what no weight survives. */
static bool fills_mask(const struct ekka_cudnn_plan *plan, const struct ekka_cudnn_pack *pack)
{
	double x;

	for (unsigned i = 0; i < plan->n_fills; i++)
		if (!number(pack, plan->fill[i], EKKA_F32, &x) || !(x < -1e30))
			return false;
	return true;
}

static const char *describe_mask(struct ekka_call *call, const struct ekka_cudnn_plan *plan, const struct ekka_cudnn_pack *pack)
{
	const void *table[2] = { NULL, NULL };
	struct band band;
	double made_up;

	if (plan->same_table[0] != plan->same_table[1] &&
	    (!ekka_cudnn_pack_pointer(pack, plan->same_table[0], &table[0]) || !ekka_cudnn_pack_pointer(pack, plan->same_table[1], &table[1]) ||
	     table[0] != table[1]))
		return "attention with page tables of their own for keys and values";
	if (plan->keep > 0 && (!number(pack, plan->keep_scale, EKKA_F32, &made_up) || fabs(made_up * plan->keep - 1) > 1e-4))
		return "attention whose dropout is not made up for";
	if (!fills_mask(plan, pack))
		return "attention with a mask that lets masked keys count";
	if (!band_of(plan, pack, &band))
		return "attention with a mask that is not known here";
	return describe_band(call, plan, &band);
}

/* ---- cudnnBackendExecute ---------------------------------------------- */

static void describe_facts(struct ekka_call *call, const struct ekka_cudnn_plan *plan, const struct ekka_cudnn_pack *pack)
{
	for (unsigned i = 0; i < plan->n_facts; i++) {
		const struct ekka_cudnn_fact *f = &plan->fact[i];
		double x;

		if (f->kind == EKKA_V_INT)
			ekka_attr_int(call, f->name, f->i);
		else if (f->kind == EKKA_V_REAL)
			ekka_attr_real(call, f->name, f->r);
		else if (f->kind == EKKA_V_STR)
			ekka_attr_str(call, f->name, f->s);
		else if (number(pack, f->uid, f->dtype, &x))
			ekka_attr_real(call, f->name, x);
	}
}

/* How products are computed. An engine of which nothing is known may cut f32 to tf32: op conv takes that for granted, op matmul is told. */
static void describe_engine(struct ekka_call *call, const struct ekka_cudnn_plan *plan, const void *handle)
{
	bool conv = strcmp(plan->op, "conv") == 0, matmul = strcmp(plan->op, "matmul") == 0;
	const char *compute = matmul ? plan->operand[0].dtype == EKKA_F32 ? "tf32" : "f32" : NULL;
	uint32_t notes;

	if (ekka_cudnn_notes(handle, &notes)) {
		ekka_attr_int(call, "numerical_notes", notes);
		if (conv || matmul)
			compute = ekka_cudnn_notes_compute(notes, plan->operand[0].dtype) ? ekka_cudnn_notes_compute(notes, plan->operand[0].dtype) : compute;
		if (conv)
			ekka_attr_str(call, "algorithm", ekka_cudnn_notes_algorithm(notes));
	}
	if (compute != NULL)
		ekka_attr_str(call, "compute", compute);
}

/* Where packed sequences end is known to the device only: at the end of their memory at the latest. False: not even that is known. */
static bool find_room(const struct ekka_cudnn_plan *plan, const struct ekka_cudnn_pack *pack, int64_t tokens[2])
{
	tokens[0] = tokens[1] = INT64_MAX;
	for (unsigned i = 0; i < plan->n_operands; i++) {
		const struct ekka_cudnn_operand *o = &plan->operand[i];
		int64_t last = (o->dim[1] - 1) * o->stride[1] + (o->dim[3] - 1) * o->stride[3] + 1, most, *to;
		const void *p;
		uint64_t room;

		if (o->packed == 0)
			continue;
		to = &tokens[o->packed - 1];
		if (!ekka_cudnn_pack_pointer(pack, o->uid, &p) || !ekka_cuda_bytes_behind((uintptr_t)p, &room) || last < 1 ||
		    (most = (int64_t)(room / ekka_dtype_bytes(o->dtype))) < last)
			return false;
		most = (most - last) / o->stride[2] + 1;
		most = most < o->dim[2] ? most : o->dim[2];
		*to = most < *to ? most : *to;
	}
	return true;
}

static void describe_operands(struct ekka_call *call, const struct ekka_cudnn_plan *plan, const struct ekka_cudnn_pack *pack, const int64_t tokens[2])
{
	for (unsigned i = 0; i < plan->n_operands; i++) {
		const struct ekka_cudnn_operand *o = &plan->operand[i];
		struct ekka_tensor t = { .name = o->name, .dir = o->dir, .dtype = o->dtype, .place = EKKA_DEVICE, .n_dims = o->n_dims, .alias_of = -1,
					 .pre = o->dir != EKKA_OUT, .post = o->dir != EKKA_IN };
		const void *p;

		if (!ekka_cudnn_pack_pointer(pack, o->uid, &p) || p == NULL)
			continue;
		t.addr = (uintptr_t)p;
		memcpy(t.dim, o->dim, sizeof(t.dim));
		memcpy(t.stride, o->stride, sizeof(t.stride));
		if (o->packed != 0)
			t.dim[2] = tokens[o->packed - 1];
		(void)ekka_tensor(call, &t);
	}
}

static void describe_graph(struct ekka_call *call, const struct ekka_cudnn_plan *plan)
{
	if (plan->graph != NULL)
		(void)ekka_tensor(call, &(struct ekka_tensor){
			.name = "graph", .dir = EKKA_IN, .dtype = EKKA_U8, .place = EKKA_HOST, .n_dims = 1, .dim = { (int64_t)plan->graph_bytes },
			.stride = { 1 }, .addr = (uintptr_t)plan->graph, .alias_of = -1, .pre = true });
}

static void describe_workspace(struct ekka_call *call, ekka_cudnn_get *get, cudnnBackendDescriptor_t plan, const void *workspace)
{
	int64_t n = 0, bytes = 0;

	ekka_attr_int(call, "workspace", (int64_t)(uintptr_t)workspace);
	if (get(plan, CUDNN_ATTR_EXECUTION_PLAN_WORKSPACE_SIZE, CUDNN_TYPE_INT64, 1, &n, &bytes) == CUDNN_STATUS_SUCCESS && n == 1)
		ekka_attr_int(call, "workspace_bytes", bytes);
}

void ekka_cudnn_execute(struct ekka_call *call, cudnnBackendDescriptor_t executionPlan, cudnnBackendDescriptor_t variantPack)
{
	const struct ekka_cudnn_getters *g = ekka_cudnn_getters(call);
	const struct ekka_cudnn_plan *plan = g != NULL && g->attribute != NULL ? ekka_cudnn_plan(executionPlan, g->attribute) : NULL;
	struct ekka_cudnn_pack pack;
	int64_t tokens[2];
	bool has_room;
	const char *why;

	if (plan == NULL || !ekka_cudnn_pack_get(variantPack, &pack) || pack.too_many || pack.overridden) {
		ekka_attr_str(call, "refused", plan == NULL ? "the plan cannot be read" : "the variant pack is not known");
		return;
	}
	why = plan->why;
	has_room = find_room(plan, &pack, tokens);
	if (plan->op[0] != '\0')
		why = has_room ? describe_mask(call, plan, &pack) : "attention on packed sequences whose memory is not known";
	if (why != NULL)
		ekka_attr_str(call, "refused", why);
	else
		ekka_attr_str(call, "op", plan->op);
	describe_facts(call, plan, &pack);
	describe_engine(call, plan, executionPlan);
	if (pack.workspace != NULL)
		describe_workspace(call, g->attribute, executionPlan, pack.workspace);
	if (has_room)
		describe_operands(call, plan, &pack, tokens);
	describe_graph(call, plan);
}

/* ---- wrappers that record nothing ------------------------------------- */

EKKA_PUBLIC cudnnStatus_t cudnnBackendSetAttribute(cudnnBackendDescriptor_t descriptor, cudnnBackendAttributeName_t attributeName,
						   cudnnBackendAttributeType_t attributeType, int64_t elementCount, const void *arrayOfElements)
{
	const void *caller = __builtin_return_address(0);
	__typeof__(cudnnBackendSetAttribute) *real = (__typeof__(cudnnBackendSetAttribute) *)ekka_real(EKKA_FN_cudnnBackendSetAttribute, caller);
	cudnnStatus_t ret;

	if (!real)
		return CUDNN_STATUS_NOT_INITIALIZED;
	ret = real(descriptor, attributeName, attributeType, elementCount, arrayOfElements);
	int saved = errno;
	if (ret == CUDNN_STATUS_SUCCESS && attributeName == CUDNN_ATTR_EXECUTION_PLAN_ENGINE_CONFIG && elementCount == 1)
		ekka_cudnn_notes_see(descriptor, *(void *const *)arrayOfElements, ekka_cudnn_getters_of((const void *)real));
	else if (ret == CUDNN_STATUS_SUCCESS)
		ekka_cudnn_pack_set(descriptor, (int)attributeName, elementCount, arrayOfElements);
	errno = saved;
	return ret;
}

EKKA_PUBLIC cudnnStatus_t cudnnBackendFinalize(cudnnBackendDescriptor_t descriptor)
{
	const void *caller = __builtin_return_address(0);
	__typeof__(cudnnBackendFinalize) *real = (__typeof__(cudnnBackendFinalize) *)ekka_real(EKKA_FN_cudnnBackendFinalize, caller);

	if (!real)
		return CUDNN_STATUS_NOT_INITIALIZED;
	int saved = errno;
	ekka_cudnn_plan_forget(descriptor);
	errno = saved;
	return real(descriptor);
}

EKKA_PUBLIC cudnnStatus_t cudnnBackendDestroyDescriptor(cudnnBackendDescriptor_t descriptor)
{
	const void *caller = __builtin_return_address(0);
	__typeof__(cudnnBackendDestroyDescriptor) *real =
		(__typeof__(cudnnBackendDestroyDescriptor) *)ekka_real(EKKA_FN_cudnnBackendDestroyDescriptor, caller);

	if (!real)
		return CUDNN_STATUS_NOT_INITIALIZED;
	int saved = errno;
	ekka_cudnn_plan_forget(descriptor);
	ekka_cudnn_notes_forget(descriptor);
	ekka_cudnn_pack_forget(descriptor);
	errno = saved;
	return real(descriptor);
}
