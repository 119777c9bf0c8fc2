/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The stand-in for cuDNN 9: libcudnn.so.9 (fake_cudnn.c) only dispatches, as the real one, to the functions of the same names in
 * libcudnn_graph.so.9 (the other files).
 */
#ifndef EKKA_TESTS_FAKE_CUDNN_H
#define EKKA_TESTS_FAKE_CUDNN_H

#include <stdbool.h>
#include <stdint.h>

#include <cudnn.h>

#include "tests/fake/fake.h"

struct cudnnContext { cudaStream_t stream; };

/* ---- descriptors of the graph API: fake_cudnn_graph.c ------------------ */

struct fake_attribute { int name; int type; int64_t count; void *data; };
struct fake_descriptor {
	int type;
	bool finalized;
	struct fake_attribute attribute[24];
	unsigned n_attributes;
};

const struct fake_attribute *fake_attribute(const struct fake_descriptor *, int name);	/* NULL: not set */
int64_t fake_int(const struct fake_descriptor *, int name, int64_t otherwise);		/* of any integer or enumeration type */
double fake_real(const struct fake_descriptor *, int name, double otherwise);
struct fake_descriptor *fake_child(const struct fake_descriptor *, int name);		/* a descriptor; NULL: not set */

/* Which attributes of an operation are tensors: the key in the plan's JSON, and whether it is the result. Ends with name 0. */
struct fake_edge { int name; const char *key; bool result; };
const struct fake_edge *fake_edges(int operation_type);

/* The operations of a plan; NULL-terminated, at most 63. */
unsigned fake_operations(const struct fake_descriptor *plan, struct fake_descriptor **ret);

/* The plan as JSON, malloc'ed: fake_cudnn_json.c. */
char *fake_plan_json(const struct fake_descriptor *plan);

/* ---- computing: fake_cudnn_run.c --------------------------------------- */

enum { FAKE_DIMS = 8 };
struct fake_tensor {
	int64_t uid;
	cudnnDataType_t type;
	int n;
	int64_t dim[FAKE_DIMS], stride[FAKE_DIMS];
	bool is_virtual;
	void *data;			/* for the host */
};

double fake_load(const struct fake_tensor *, const int64_t *index);	/* broadcasts; heads of K and V are shared by groups */
void fake_store(const struct fake_tensor *, const int64_t *index, double v);
/* Next index within dims; false behind the last. */
bool fake_next_index(const int64_t *dim, int n, int64_t *index);

/* The plan on the pack's pointers, late on the handle's stream. */
cudnnStatus_t fake_execute(cudnnHandle_t, const struct fake_descriptor *plan, const struct fake_descriptor *pack);

#endif
