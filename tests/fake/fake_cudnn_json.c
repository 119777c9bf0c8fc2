/* SPDX-License-Identifier: Apache-2.0 */
/* A plan as JSON, in the layout of cuDNN 9.19 (schemaVersion 4; preload/cudnn_graph.h). */
#include "config.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/fake/fake_cudnn.h"

enum { CUBIN_BYTES = 20000 };

static const char *type_name(int64_t type)
{
	switch (type) {
	case CUDNN_DATA_FLOAT: return "CUDNN_DATA_FLOAT";
	case CUDNN_DATA_HALF: return "CUDNN_DATA_HALF";
	case CUDNN_DATA_BFLOAT16: return "CUDNN_DATA_BFLOAT16";
	case CUDNN_DATA_INT32: return "CUDNN_DATA_INT32";
	case CUDNN_DATA_BOOLEAN: return "CUDNN_DATA_BOOLEAN";
	default: abort();
	}
}

static const char *mode_name(int64_t mode)
{
	switch (mode) {
#define MODE(m) case CUDNN_POINTWISE_##m: return "CUDNN_POINTWISE_" #m
	MODE(ADD); MODE(MUL); MODE(SUB); MODE(DIV); MODE(EXP); MODE(LOG); MODE(RELU_FWD); MODE(GEN_INDEX); MODE(CMP_GE); MODE(BINARY_SELECT);
	MODE(GELU_APPROX_TANH_FWD); MODE(SIGMOID_FWD); MODE(ABS);
#undef MODE
	default: abort();
	}
}

static void put_list(FILE *f, const char *key, const struct fake_descriptor *d, int name)
{
	const struct fake_attribute *a = fake_attribute(d, name);

	fprintf(f, "\"%s\":[", key);
	for (int64_t i = 0; i < a->count; i++)
		fprintf(f, "%s%lld", i > 0 ? "," : "", (long long)((const int64_t *)a->data)[i]);
	fputs("],", f);
}

/* As fractions. */
static void put_fractions(FILE *f, const char *key, const struct fake_descriptor *d, int name)
{
	const struct fake_attribute *a = fake_attribute(d, name);

	fprintf(f, "\"%s\":[", key);
	for (int64_t i = 0; i < a->count; i++)
		fprintf(f, "%s[%lld,1]", i > 0 ? "," : "", (long long)((const int64_t *)a->data)[i]);
	fputs("],", f);
}

static void put_tensor(FILE *f, const struct fake_descriptor *t)
{
	fprintf(f, "{\"name\":\"%lld\",\"dataType\":\"%s\",", (long long)fake_int(t, CUDNN_ATTR_TENSOR_UNIQUE_ID, 0),
		type_name(fake_int(t, CUDNN_ATTR_TENSOR_DATA_TYPE, 0)));
	put_list(f, "dim", t, CUDNN_ATTR_TENSOR_DIMENSIONS);
	put_list(f, "stride", t, CUDNN_ATTR_TENSOR_STRIDES);
	fprintf(f, "\"isVirtual\":%s,\"isByValue\":%s,\"vectCount\":1,\"vectDim\":-1,\"ptrAlignment\":16,\"reordering\":\"CUDNN_TENSOR_REORDERING_NONE\"}",
		fake_int(t, CUDNN_ATTR_TENSOR_IS_VIRTUAL, 0) ? "true" : "false", fake_int(t, CUDNN_ATTR_TENSOR_IS_BY_VALUE, 0) ? "true" : "false");
}

static void put_pointwise(FILE *f, const struct fake_descriptor *op)
{
	const struct fake_descriptor *d = fake_child(op, CUDNN_ATTR_OPERATION_POINTWISE_PW_DESCRIPTOR);
	int64_t mode = fake_int(d, CUDNN_ATTR_POINTWISE_MODE, 0);

	fprintf(f, "\"operation\":\"CUDNN_BACKEND_OPERATION_POINTWISE_DESCRIPTOR\",\"pointwiseMode\":\"%s\",\"mathPrec\":\"CUDNN_DATA_FLOAT\",", mode_name(mode));
	if (mode == CUDNN_POINTWISE_RELU_FWD)
		fputs("\"upperClip\":3.4028234663852886e+38,\"lowerClip\":0.0,\"lowerClipSlope\":0.0,", f);
	if (mode == CUDNN_POINTWISE_GEN_INDEX)
		fprintf(f, "\"axis\":%lld,", (long long)fake_int(d, CUDNN_ATTR_POINTWISE_AXIS, 0));
	fprintf(f, "\"alpha1\":%.17g,\"alpha2\":%.17g", fake_real(op, CUDNN_ATTR_OPERATION_POINTWISE_ALPHA1, 1),
		fake_real(op, CUDNN_ATTR_OPERATION_POINTWISE_ALPHA2, 1));
}

static void put_convolution(FILE *f, const struct fake_descriptor *op, bool gradient)
{
	const struct fake_descriptor *d = fake_child(op, gradient ? CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_CONV_DESC :
								    CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_CONV_DESC);

	fprintf(f, "\"operation\":\"CUDNN_BACKEND_OPERATION_CONVOLUTION_%s_DESCRIPTOR\",\"mode\":\"%s\",", gradient ? "BACKWARD_DATA" : "FORWARD",
		fake_int(d, CUDNN_ATTR_CONVOLUTION_CONV_MODE, 1) == CUDNN_CROSS_CORRELATION ? "CUDNN_CROSS_CORRELATION" : "CUDNN_CONVOLUTION");
	put_list(f, "pad", d, CUDNN_ATTR_CONVOLUTION_PRE_PADDINGS);
	put_list(f, "stride", d, CUDNN_ATTR_CONVOLUTION_FILTER_STRIDES);
	put_list(f, "dilation", d, CUDNN_ATTR_CONVOLUTION_DILATIONS);
	fprintf(f, "\"alpha\":%.17g,\"beta\":%.17g",
		fake_real(op, gradient ? CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_ALPHA : CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_ALPHA, 1),
		fake_real(op, gradient ? CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_BETA : CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_BETA, 0));
}

static void put_norm(FILE *f, const struct fake_descriptor *op)
{
	static const char *const modes[] = { "LAYER", "INSTANCE", "BATCH", "GROUP", "RMS" };

	fprintf(f, "\"operation\":\"CUDNN_BACKEND_OPERATION_NORM_FORWARD_DESCRIPTOR\",\"mode\":\"CUDNN_%s_NORM\",\"fmode\":\"CUDNN_NORM_FWD_INFERENCE\"",
		modes[fake_int(op, CUDNN_ATTR_OPERATION_NORM_FWD_MODE, 0)]);
}

static void put_resample(FILE *f, const struct fake_descriptor *op)
{
	static const char *const modes[] = { "NEAREST", "BILINEAR", "AVGPOOL_INCLUDE_PADDING", "MAXPOOL", "AVGPOOL_EXCLUDE_PADDING" };
	const struct fake_descriptor *d = fake_child(op, CUDNN_ATTR_OPERATION_RESAMPLE_FWD_DESC);

	fprintf(f, "\"operation\":\"CUDNN_BACKEND_OPERATION_RESAMPLE_FWD_DESCRIPTOR\",\"mode\":\"CUDNN_RESAMPLE_%s\",\"nanOpt\":\"CUDNN_PROPAGATE_NAN\","
		"\"paddingMode\":\"%s\",\"nbSpatialDims\":2,\"compType\":\"CUDNN_DATA_FLOAT\",", modes[fake_int(d, CUDNN_ATTR_RESAMPLE_MODE, 0)],
		fake_int(d, CUDNN_ATTR_RESAMPLE_PADDING_MODE, 0) == CUDNN_NEG_INF_PAD ? "CUDNN_NEG_INF_PAD" : "CUDNN_ZERO_PAD");
	put_fractions(f, "windowDim", d, CUDNN_ATTR_RESAMPLE_WINDOW_DIMS);
	put_fractions(f, "prePad", d, CUDNN_ATTR_RESAMPLE_PRE_PADDINGS);
	put_fractions(f, "postPad", d, CUDNN_ATTR_RESAMPLE_POST_PADDINGS);
	put_fractions(f, "stride", d, CUDNN_ATTR_RESAMPLE_STRIDES);
	fputs("\"alpha\":1.0,\"beta\":0.0", f);
}

static void put_operation(FILE *f, const struct fake_descriptor *op)
{
	fputc('{', f);
	if (op->type == CUDNN_BACKEND_OPERATION_POINTWISE_DESCRIPTOR)
		put_pointwise(f, op);
	else if (op->type == CUDNN_BACKEND_OPERATION_CONVOLUTION_FORWARD_DESCRIPTOR || op->type == CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_DATA_DESCRIPTOR)
		put_convolution(f, op, op->type == CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_DATA_DESCRIPTOR);
	else if (op->type == CUDNN_BACKEND_OPERATION_NORM_FORWARD_DESCRIPTOR)
		put_norm(f, op);
	else if (op->type == CUDNN_BACKEND_OPERATION_RESAMPLE_FWD_DESCRIPTOR)
		put_resample(f, op);
	else if (op->type == CUDNN_BACKEND_OPERATION_MATMUL_DESCRIPTOR)
		fputs("\"operation\":\"CUDNN_BACKEND_OPERATION_MATMUL_DESCRIPTOR\",\"mathPrec\":\"CUDNN_DATA_FLOAT\"", f);
	else
		fprintf(f, "\"operation\":\"CUDNN_BACKEND_OPERATION_REDUCTION_DESCRIPTOR\",\"reductionOp\":\"%s\",\"mathPrec\":\"CUDNN_DATA_FLOAT\","
			"\"isDeterministic\":false",
			fake_int(fake_child(op, CUDNN_ATTR_OPERATION_REDUCTION_DESC), CUDNN_ATTR_REDUCTION_OPERATOR, 0) == CUDNN_REDUCE_TENSOR_MAX ?
				"CUDNN_REDUCE_TENSOR_MAX" : "CUDNN_REDUCE_TENSOR_ADD");
	for (const struct fake_edge *e = fake_edges(op->type); e->name != 0; e++)
		if (fake_child(op, e->name) != NULL)
			fprintf(f, ",\"%s\":\"%lld\"", e->key, (long long)fake_int(fake_child(op, e->name), CUDNN_ATTR_TENSOR_UNIQUE_ID, 0));
	fputc('}', f);
}

/* Each tensor once, though several operations have it. */
static void put_tensors(FILE *f, struct fake_descriptor **op, unsigned n)
{
	const struct fake_descriptor *seen[512];
	unsigned n_seen = 0;

	for (unsigned i = 0; i < n; i++)
		for (const struct fake_edge *e = fake_edges(op[i]->type); e->name != 0; e++) {
			const struct fake_descriptor *t = fake_child(op[i], e->name);
			unsigned k;

			for (k = 0; k < n_seen && seen[k] != t; k++)
				;
			if (t == NULL || k < n_seen || n_seen == 512)
				continue;
			seen[n_seen++] = t;
			if (n_seen > 1)
				fputc(',', f);
			put_tensor(f, t);
		}
}

char *fake_plan_json(const struct fake_descriptor *plan)
{
	struct fake_descriptor *op[64];
	unsigned n = fake_operations(plan, op);
	char *text = NULL;
	size_t bytes;
	FILE *f = open_memstream(&text, &bytes);

	if (f == NULL)
		abort();
	fprintf(f, "{\"cudnnVersion\":%d,\"schemaVersion\":4,\"operationGraph\":{\"finalizeMode\":\"FAKE\",\"tensors\":[", CUDNN_VERSION);
	put_tensors(f, op, n);
	fputs("],\"nodes\":[", f);
	for (unsigned i = 0; i < n; i++) {
		if (i > 0)
			fputc(',', f);
		put_operation(f, op[i]);
	}
	fputs("]},\"engine\":{\"engineId\":7,\"smVersion\":900,\"knobChoices\":{},\"payload\":{\"kernels\":[{\"kernelName\":\"fake\",\"cubin\":\"", f);
	for (unsigned i = 0; i < CUBIN_BYTES; i++)
		fputc('A' + (int)(i % 26), f);
	fputs("\"}]}}}", f);
	fclose(f);
	return text;
}
